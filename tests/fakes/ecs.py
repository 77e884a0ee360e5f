"""Amazon ECS as a state machine under a fake clock: the operations, over `services.Service` and `tasks.Task`.

It follows AWS, not an emulator: draining tasks, eventual consistency, paging, the circuit breaker's count. Say how the
containers of an image behave with `behave`, how AWS behaves where it leaves that open with `habits`, how long things
take with `timing`; `refuse` and `throttle` make calls fail.
"""

from __future__ import annotations

import hashlib
import itertools
import re
import uuid
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from tests.fakes.clock import when
from tests.fakes.door import FakeClient, Refused, Request, Response, operation
from tests.fakes.services import ROLLOUT_TRIGGERS, Deployment, Habits, Record, Service, pending, running
from tests.fakes.task_sets import TaskSets
from tests.fakes.tasks import Behaviour, Container, Task, Timing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tests.fakes.clock import FakeClock
    from tests.fakes.logs import FakeLogs

SERVICES_PER_CALL, TASKS_PER_CALL, PAGE, SERVICES_PAGE, TASKS_PER_RUN = 10, 100, 100, 10, 10
DELETIONS_PER_CALL = 10
RECORDS_PER_CALL = 20
STARTED_BY = re.compile(r"^[A-Za-z0-9_/-]{1,128}$")
UNDER_CODEDEPLOY = "Unable to update task definition on services with a CODE_DEPLOY deployment controller."
ONE_OFF = Behaviour(exits=0, after_seconds=1.0)


@dataclass(slots=True, kw_only=True)
class Rule:
    """How certain containers behave: the last rule that fits and has `times` left counts."""

    behaviour: Behaviour
    image: str
    revision: str
    container: str
    command: tuple[str, ...] | None
    times: float

    def fits(self, definition: Mapping[str, Any], container: Mapping[str, Any], command: tuple[str, ...]) -> bool:
        """A rule without a command speaks of the image's own one; of another only when it keeps it from starting."""
        of_command = self.command is None and (not command or self.behaviour.never_starts)
        return (
            self.times > 0
            and self.image in container["image"]
            and self.revision in ("", definition["taskDefinitionArn"], definition["family"], _short(definition))
            and self.container in ("", container["name"])
            and (of_command or (self.command is not None and self.command == command))
        )


class FakeEcs(FakeClient):
    """The `ecs` client of one cluster."""

    service: ClassVar[str] = "ecs"

    def __init__(
        self,
        clock: FakeClock,
        *,
        cluster: str,
        account_id: str,
        region: str,
        logs: FakeLogs | None = None,
        **shared: Any,
    ) -> None:
        super().__init__(clock, **shared)
        self.cluster = f"arn:aws:ecs:{region}:{account_id}:cluster/{cluster}"
        self.timing = Timing()
        self.habits = Habits()
        self.services: dict[str, Service] = {}
        self.tasks: dict[str, Task] = {}
        self._prefix = f"arn:aws:ecs:{region}:{account_id}"
        self._logs = logs
        self._definitions: dict[str, list[dict[str, Any]]] = {}
        self._tags: dict[str, list[dict[str, str]]] = {}
        self._rules: list[Rule] = []
        self._tokens: dict[str, tuple[float, Request, list[Task]]] = {}
        self._stale: dict[str, tuple[float, dict[str, Any]]] = {}
        self._numbers = itertools.count(1)
        self._full: tuple[float, str] = (0.0, "")
        self.exec_enabled = False  # tasks are started with ECS Exec

    # For tests

    def behave(
        self,
        *,
        image: str = "",
        revision: str = "",
        container: str = "",
        command: Sequence[str] | None = None,
        times: float = float("inf"),
        **behaviour: Any,
    ) -> None:
        """Say how containers behave, by part of their image, by revision (ARN, `family:3` or family), name, command.

        The next *times* containers only, if given. The rest is `tasks.Behaviour`'s.
        """
        rule = Rule(
            behaviour=Behaviour(**behaviour),
            image=image,
            revision=revision,
            container=container,
            command=None if command is None else tuple(command),
            times=times,
        )
        self._rules.append(rule)

    def fill(self, seconds: float, why: str = "no Container Instances were found in your capacity provider") -> None:
        """Have no room for tasks of services for so long."""
        self._full = (self.clock.monotonic() + seconds, why)

    def alarm(self, name: str) -> None:
        """Have an alarm go off."""
        for one in self.services.values():
            one.alarm(name)

    def tasks_of(self, service: str) -> tuple[Task, ...]:
        """Return the service's tasks that ECS still knows, stopped ones too, oldest first."""
        return tuple(self.services[service].tasks)

    def revisions(self, service: str, *statuses: str) -> Counter[str]:
        """Count the service's tasks by `family:revision`; of these statuses only (RUNNING without any given)."""
        tasks = self.services[service].tasks
        return Counter(_short(one.definition) for one in tasks if one.status in (statuses or ("RUNNING",)))

    def live(self, service: str) -> Counter[str]:
        """Count the tasks of the service that are anything but STOPPED by `family:revision`."""
        return Counter(_short(one.definition) for one in self.services[service].tasks if one.status != "STOPPED")

    def steady(self, *services: str) -> bool:
        """Whether each of *services* (all, when none is given) has reached a steady state and nothing drains."""
        return all(
            one.primary.state == "COMPLETED"
            and one.steady
            and all(task.status in ("RUNNING", "STOPPED") for task in one.tasks)
            for one in self.services.values()
            if one.name in services or not services
        )

    # Task definitions

    @operation
    def register_task_definition(self, **request: Any) -> Response:
        tags = request.pop("tags", [])
        revisions = self._definitions.setdefault(request["family"], [])
        arn = f"{self._prefix}:task-definition/{request['family']}:{len(revisions) + 1}"
        definition = {
            **request,
            "containerDefinitions": [_with_defaults(one) for one in request["containerDefinitions"]],
            "volumes": request.get("volumes", []),
            "placementConstraints": request.get("placementConstraints", []),
            "taskDefinitionArn": arn,
            "revision": len(revisions) + 1,
            "status": "ACTIVE",
            "requiresAttributes": [{"name": "com.amazonaws.ecs.capability.docker-remote-api.1.18"}],
            "compatibilities": ["EC2", "FARGATE"],
            "registeredAt": when(self.clock.time()),
            "registeredBy": f"{self._prefix.replace(':ecs:', ':sts:')}:assumed-role/deploy/session",
        }
        revisions.append(definition)
        self._tags[arn] = tags
        return {"taskDefinition": definition, "tags": tags}

    @operation
    def describe_task_definition(self, **request: Any) -> Response:
        definition = self._definition(request["taskDefinition"])
        tags = {"tags": self._tags[definition["taskDefinitionArn"]]} if "TAGS" in request.get("include", ()) else {}
        return {"taskDefinition": definition, **tags}

    @operation
    def deregister_task_definition(self, **request: Any) -> Response:
        definition = self._definition(request["taskDefinition"])
        definition.update(status="INACTIVE", deregisteredAt=when(self.clock.time()))
        return {"taskDefinition": definition}

    @operation
    def delete_task_definitions(self, **request: Any) -> Response:
        """Delete what is deregistered; what tasks still run on stays in progress, and is in no list."""
        if len(request["taskDefinitions"]) > DELETIONS_PER_CALL:
            raise Refused("InvalidParameterException", "taskDefinitions cannot have more than 10 elements.")
        found = [self._definition(name) for name in request["taskDefinitions"]]
        if any(one["status"] == "ACTIVE" for one in found):
            raise Refused("InvalidParameterException", "The specified task definition is still in ACTIVE status.")
        for one in found:
            one.update(status="DELETE_IN_PROGRESS")
        return {"taskDefinitions": found, "failures": []}

    @operation
    def list_task_definitions(self, **request: Any) -> Response:
        arns = [
            one["taskDefinitionArn"]
            for name, revisions in sorted(self._definitions.items())
            for one in revisions
            if name == request.get("familyPrefix", name) and one["status"] == request.get("status", "ACTIVE")
        ]
        ordered = arns[::-1] if request.get("sort") == "DESC" else arns
        return _page("taskDefinitionArns", ordered, request, PAGE)

    # Services

    @operation
    def create_service(self, **request: Any) -> Response:
        self._check_cluster(request)
        if request["serviceName"] in self.services:
            raise Refused("InvalidParameterException", "Creation of service was not idempotent.")
        definition = self._active(request["taskDefinition"])
        service = self._new_service(request, definition["taskDefinitionArn"])
        return {"service": self._describe(service)}

    @operation
    def update_service(self, **request: Any) -> Response:
        self._check_cluster(request)
        service = self._service(request["service"])
        if service is None:
            raise Refused("ServiceNotFoundException", "Service not found.")
        if service.status != "ACTIVE":
            raise Refused("ServiceNotActiveException", "Service was not ACTIVE.")
        before = self._describe(service)
        revision = service.primary.revision
        if isinstance(service, TaskSets) and {"taskDefinition", "forceNewDeployment"} & set(request):
            raise Refused("InvalidParameterException", UNDER_CODEDEPLOY)
        if "taskDefinition" in request:
            revision = self._active(request["taskDefinition"])["taskDefinitionArn"]
        if "desiredCount" in request:
            service.scale(request["desiredCount"])
        if self._change(service, request) or revision != service.primary.revision:
            service.deploy(revision)
        if self.habits.stale_seconds:
            self._stale[service.name] = (self.clock.monotonic() + self.habits.stale_seconds, before)
        return {"service": self._describe(service)}

    @operation
    def delete_service(self, **request: Any) -> Response:
        self._check_cluster(request)
        service = self._service(request["service"])
        if service is None:
            raise Refused("ServiceNotFoundException", "Service not found.")
        if service.desired and not request.get("force"):
            raise Refused("InvalidParameterException", "The service cannot be stopped while it is scaled above 0.")
        service.status = "INACTIVE"
        for one in service.tasks:
            one.stop("ServiceSchedulerInitiated", f"Scaling activity initiated by (service {service.name})")
        return {"service": self._describe(service)}

    @operation
    def describe_services(self, **request: Any) -> Response:
        """Describe services, in no order that a caller could count on."""
        self._check_cluster(request)
        if len(request["services"]) > SERVICES_PER_CALL:
            raise Refused("InvalidParameterException", "Services cannot have more than 10 elements.")
        found = [(name, self._service(name)) for name in request["services"]]
        return {
            "services": [self._consistent(one) for _, one in reversed(found) if one],
            "failures": [{"arn": self._arn("service", name), "reason": "MISSING"} for name, one in found if not one],
        }

    @operation
    def list_services(self, **request: Any) -> Response:
        self._check_cluster(request)
        arns = [one.arn for one in self.services.values() if one.status == "ACTIVE"]
        return _page("serviceArns", arns, request, request.get("maxResults", SERVICES_PAGE))

    @operation
    def describe_clusters(self, **request: Any) -> Response:
        found = {"clusterArn": self.cluster, "clusterName": self.cluster.rpartition("/")[2], "status": "ACTIVE"}
        names = {found["clusterArn"], found["clusterName"]}
        return {
            "clusters": [found for one in request["clusters"] if one in names],
            "failures": [{"arn": one, "reason": "MISSING"} for one in request["clusters"] if one not in names],
        }

    @operation
    def list_clusters(self, **request: Any) -> Response:
        return {"clusterArns": [self.cluster]}

    # Service deployments

    @operation
    def list_service_deployments(self, **request: Any) -> Response:
        self._check_cluster(request)
        service = self._service(request["service"])
        if service is None:
            raise Refused("ServiceNotFoundException", "Service not found.")
        visible = [one for one in service.records if self._is_listed(one)]
        wanted = [one for one in visible if one.status in request.get("status", (one.status,))]
        return {"serviceDeployments": [_brief(service, one) for one in wanted[: request.get("maxResults", PAGE)]]}

    @operation
    def describe_service_deployments(self, **request: Any) -> Response:
        if not 1 <= len(request["serviceDeploymentArns"]) <= RECORDS_PER_CALL:
            raise Refused("InvalidParameterException", "serviceDeploymentArns must have between 1 and 20 elements.")
        known = {_record_arn(one, each): (one, each) for one in self.services.values() for each in one.records}
        asked = request["serviceDeploymentArns"]
        return {
            "serviceDeployments": [_full(*known[arn]) for arn in asked if arn in known],
            "failures": [{"arn": arn, "reason": "MISSING"} for arn in asked if arn not in known],
        }

    @operation
    def stop_service_deployment(self, **request: Any) -> Response:
        known = {_record_arn(one, each): (one, each) for one in self.services.values() for each in one.records}
        arn = request["serviceDeploymentArn"]
        if arn not in known:
            raise Refused("ServiceDeploymentNotFoundException", "Service deployment not found.")
        service, record = known[arn]
        if record.over or record.back_since is not None:
            raise Refused("ConflictException", f"Service deployment cannot be stopped: it is {record.status}.")
        service.stop_deployment()
        return {"serviceDeploymentArn": arn}

    def _is_listed(self, record: Record) -> bool:
        return self.clock.time() - record.created_at >= self.habits.records_appear_seconds

    # Tasks

    @operation
    def run_task(self, **request: Any) -> Response:
        self._check_cluster(request)
        definition = self._active(request["taskDefinition"])
        self._check_run(definition, request)
        if tasks := self._by_token(request):
            return {"tasks": [self._describe_task(one) for one in tasks], "failures": []}
        containers = self._containers(definition, request.get("overrides", {}))
        if problem := next((one.behaviour.unplaceable for one in containers if one.behaviour.unplaceable), ""):
            return {"tasks": [], "failures": [{"reason": problem}]}
        tasks = [
            self._new_task(
                definition,
                self._containers(definition, request.get("overrides", {})) if number else containers,
                group=request.get("group", f"family:{definition['family']}"),
                started_by=request.get("startedBy", ""),
                overrides=request.get("overrides", {}),
                tags=tuple(request.get("tags", ())),
                launch={key: request[key] for key in ("launchType", "capacityProviderStrategy") if key in request},
            )
            for number in range(request.get("count", 1))
        ]
        for one in tasks:
            one.begin()
        if token := request.get("clientToken"):
            self._tokens[token] = (self.clock.monotonic() + self.timing.forget_token, request, tasks)
        return {"tasks": [self._describe_task(one) for one in tasks], "failures": []}

    @operation
    def stop_task(self, **request: Any) -> Response:
        self._check_cluster(request)
        task = self.tasks.get(request["task"].rsplit("/", 1)[-1])
        if task is None:
            raise Refused("InvalidParameterException", "The referenced task was not found.")
        task.stop("UserInitiated", request.get("reason", "Task stopped by user"))
        return {"task": self._describe_task(task)}

    @operation
    def list_tasks(self, **request: Any) -> Response:
        """List tasks by what ECS wants of them: draining ones are found under desiredStatus=STOPPED only."""
        self._check_cluster(request)
        if "startedBy" in request and {"serviceName", "family", "containerInstance", "desiredStatus"} & set(request):
            raise Refused("InvalidParameterException", "startedBy must be the only filter.")
        name = request.get("serviceName", "").rsplit("/", 1)[-1]
        if name and name not in self.services:
            raise Refused("ServiceNotFoundException", "Service not found.")
        wanted = {
            "desired": request.get("desiredStatus", "RUNNING"),
            "group": f"service:{name}" if name else None,
            "started_by": request.get("startedBy"),
        }
        arns = [
            one.arn
            for one in self.tasks.values()
            if all(value is None or getattr(one, key) == value for key, value in wanted.items())
            and one.definition["family"] == request.get("family", one.definition["family"])
        ]
        return _page("taskArns", arns, request, request.get("maxResults", PAGE))

    @operation
    def describe_tasks(self, **request: Any) -> Response:
        self._check_cluster(request)
        if len(request["tasks"]) > TASKS_PER_CALL:
            raise Refused("InvalidParameterException", "Tasks cannot have more than 100 elements.")
        found = [(name, self.tasks.get(name.rsplit("/", 1)[-1])) for name in request["tasks"]]
        visible = [(name, one if one and self._visible(one) else None) for name, one in found]
        tags = "TAGS" in request.get("include", ())
        return {
            "tasks": [self._describe_task(one, tags=tags) for _, one in reversed(visible) if one],
            "failures": [{"arn": self._arn("task", name), "reason": "MISSING"} for name, one in visible if not one],
        }

    # Making things

    @operation
    def execute_command(self, **request: Any) -> Response:
        self._check_cluster(request)
        task = self.tasks[request["task"].rsplit("/", 1)[-1]]
        if not self.exec_enabled or task.status != "RUNNING":
            raise Refused("InvalidParameterException", "The execute command failed because it was not enabled.")
        return {
            "clusterArn": self.cluster,
            "taskArn": task.arn,
            "containerName": request["container"],
            "interactive": True,
            "session": {"sessionId": "ecs-1", "streamUrl": "wss://example.test/ecs-1", "tokenValue": "s3cret-token"},
        }

    def _new_service(self, request: Request, revision: str) -> Service:
        under = request.get("deploymentController", {}).get("type")
        service = (TaskSets if under == "CODE_DEPLOY" else Service)(
            name=request["serviceName"],
            arn=f"{self.cluster.replace(':cluster/', ':service/')}/{request['serviceName']}",
            cluster=self.cluster,
            attributes={
                **{key: value for key, value in request.items() if key not in ("cluster", "clientToken")},
                "deploymentConfiguration": _deployment_configuration(request.get("deploymentConfiguration", {})),
            },
            clock=self.clock,
            timing=lambda: self.timing,
            habits=lambda: self.habits,
            start=self._start_service_task,
            new_id=lambda: f"ecs-svc/{7_000_000_000_000_000_000 + next(self._numbers)}",
            created_at=self.clock.time(),
            desired=request.get("desiredCount", 1),
        )
        self.services[service.name] = service
        service.deploy(revision)
        return service

    def _change(self, service: Service, request: Request) -> bool:
        """Take over what *request* changes; return whether that alone needs a new deployment."""
        configuration = {**service.attributes["deploymentConfiguration"], **request.get("deploymentConfiguration", {})}
        changes = {
            key: value
            for key, value in request.items()
            if key not in ("cluster", "service", "taskDefinition", "desiredCount", "forceNewDeployment")
        }
        triggers = any(key in changes and changes[key] != service.attributes.get(key) for key in ROLLOUT_TRIGGERS)
        service.attributes = {**service.attributes, **changes, "deploymentConfiguration": configuration}
        return triggers or bool(request.get("forceNewDeployment"))

    def _start_service_task(self, service: Service, deployment: Deployment) -> Task | str:
        definition = self._definition(deployment.revision)
        if self.clock.monotonic() < self._full[0]:
            return self._full[1]
        containers = self._containers(definition, {})
        if problem := next((one.behaviour.unplaceable for one in containers if one.behaviour.unplaceable), ""):
            return problem
        return self._new_task(
            definition,
            containers,
            group=f"service:{service.name}",
            started_by=deployment.id,
            target_group=service.group_of(deployment),
            grace_seconds=float(service.attributes.get("healthCheckGracePeriodSeconds", 0)),
            launch=deployment.launch,
            changed=service.task_changed,
        )

    def _new_task(self, definition: Mapping[str, Any], containers: tuple[Container, ...], **known: Any) -> Task:
        number = next(self._numbers)
        name = hashlib.md5(str(number).encode(), usedforsecurity=False).hexdigest()
        task = Task(
            arn=f"{self.cluster.replace(':cluster/', ':task/')}/{name}",
            cluster=self.cluster,
            definition=definition,
            containers=containers,
            timing=self.timing,
            clock=self.clock,
            logs=self._logs,
            address=f"10.0.{number // 250}.{number % 250 + 1}",
            **known,
        )
        task.gone = self._forget
        self.tasks[task.id] = task
        return task

    def _forget(self, task: Task) -> None:
        del self.tasks[task.id]

    def _containers(self, definition: Mapping[str, Any], overrides: Mapping[str, Any]) -> tuple[Container, ...]:
        commands = {one["name"]: tuple(one.get("command", ())) for one in overrides.get("containerOverrides", ())}
        return tuple(
            Container(
                name=one["name"],
                definition=one,
                behaviour=self._behaviour(definition, one, commands.get(one["name"], ())),
            )
            for one in definition["containerDefinitions"]
        )

    def _behaviour(
        self, definition: Mapping[str, Any], container: Mapping[str, Any], command: tuple[str, ...]
    ) -> Behaviour:
        for rule in reversed(self._rules):
            if rule.fits(definition, container, command):
                rule.times -= 1
                return rule.behaviour
        return ONE_OFF if command else Behaviour()

    # Finding and checking

    def _definition(self, name: str) -> dict[str, Any]:
        family, _, revision = name.rsplit("/", 1)[-1].partition(":")
        revisions = self._definitions.get(family, [])
        number = int(revision) if revision else max((one["revision"] for one in revisions if _active(one)), default=0)
        if (name.startswith("arn:") and not name.startswith(self._prefix)) or not 1 <= number <= len(revisions):
            raise Refused("ClientException", "Unable to describe task definition.")
        return revisions[number - 1]

    def _active(self, name: str) -> dict[str, Any]:
        definition = self._definition(name)
        if not _active(definition):
            raise Refused("ClientException", "TaskDefinition is inactive")
        return definition

    def _service(self, name: str) -> Service | None:
        return self.services.get(name.rsplit("/", 1)[-1])

    def _check_cluster(self, request: Request) -> None:
        if request.get("cluster", "default") not in (self.cluster, self.cluster.rsplit("/", 1)[-1]):
            raise Refused("ClusterNotFoundException", "Cluster not found.")

    def _check_run(self, definition: Mapping[str, Any], request: Request) -> None:
        names = {one["name"] for one in definition["containerDefinitions"]}
        for one in request.get("overrides", {}).get("containerOverrides", ()):
            if one.get("name") not in names:
                message = f"Override for container named {one.get('name')} is not a container in the TaskDefinition."
                raise Refused("InvalidParameterException", message)
        if definition.get("networkMode") == "awsvpc" and "networkConfiguration" not in request:
            message = "Network Configuration must be provided when networkMode 'awsvpc' is specified."
            raise Refused("InvalidParameterException", message)
        if not STARTED_BY.match(request.get("startedBy", "x")):
            raise Refused("InvalidParameterException", "startedBy is invalid.")
        if not 1 <= request.get("count", 1) <= TASKS_PER_RUN:
            raise Refused("InvalidParameterException", "Count must be between 1 and 10.")

    def _by_token(self, request: Request) -> list[Task]:
        """Return what this very request has started already."""
        until, known, tasks = self._tokens.get(request.get("clientToken", ""), (0.0, {}, []))
        if not tasks or self.clock.monotonic() >= until:
            return []
        if known != request:
            raise Refused("ConflictException", "The client token was used with other parameters.")
        return tasks

    def _visible(self, task: Task) -> bool:
        return self.clock.time() - task.times["createdAt"] >= self.habits.tasks_appear_seconds

    def _arn(self, kind: str, name: str) -> str:
        return name if name.startswith("arn:") else f"{self.cluster.replace(':cluster/', f':{kind}/')}/{name}"

    # Describing

    def _consistent(self, service: Service) -> dict[str, Any]:
        until, before = self._stale.get(service.name, (0.0, {}))
        return before if self.clock.monotonic() < until else self._describe(service)

    def _describe(self, service: Service) -> dict[str, Any]:
        own = ("tags", "taskDefinition", "desiredCount", "role")
        return {
            "deploymentController": {"type": "ECS"},
            "schedulingStrategy": "REPLICA",
            "loadBalancers": [],
            "serviceRegistries": [],
            "placementConstraints": [],
            "placementStrategy": [],
            "enableECSManagedTags": False,
            "enableExecuteCommand": False,
            "propagateTags": "NONE",
            "availabilityZoneRebalancing": "ENABLED",
            **{key: value for key, value in service.attributes.items() if key not in own},
            "serviceArn": service.arn,
            "clusterArn": service.cluster,
            "status": service.status,
            "taskDefinition": service.primary.revision,
            "desiredCount": service.desired,
            "runningCount": running(service.tasks),
            "pendingCount": pending(service.tasks),
            **_deployments(service),
            "events": list(service.events),
            "createdAt": when(service.created_at),
            "roleArn": "arn:aws:iam::000000000000:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS",
        }

    def _describe_task(self, task: Task, *, tags: bool = False) -> dict[str, Any]:
        optional = {
            "startedBy": task.started_by,
            "stopCode": task.stop_code,
            "stoppedReason": task.stopped_reason,
            "tags": list(task.tags) if tags else None,
            **{key: when(at) for key, at in task.times.items()},
        }
        return {
            "taskArn": task.arn,
            "clusterArn": task.cluster,
            "taskDefinitionArn": task.revision,
            "group": task.group,
            "lastStatus": task.status,
            "desiredStatus": task.desired,
            "healthStatus": task.health,
            "launchType": "FARGATE",
            "availabilityZone": "ap-northeast-1a",
            "connectivity": "CONNECTED",
            "enableExecuteCommand": self.exec_enabled,
            "cpu": task.definition.get("cpu", "256"),
            "memory": task.definition.get("memory", "512"),
            "version": task.step,
            "overrides": {"containerOverrides": [], **task.overrides},
            "containers": [_describe_container(task, one) for one in task.containers],
            "attachments": [_attachment(task)],
            **{key: value for key, value in optional.items() if value},
        }


def _active(definition: Mapping[str, Any]) -> bool:
    return bool(definition["status"] == "ACTIVE")


def _short(definition: Mapping[str, Any]) -> str:
    return f"{definition['family']}:{definition['revision']}"


def _with_defaults(container: Mapping[str, Any]) -> dict[str, Any]:
    """Return the container as ECS gives it back: lists that were left out are there, the environment is sorted."""
    ports = [
        {"hostPort": one.get("containerPort"), "protocol": "tcp", **one} for one in container.get("portMappings", [])
    ]
    return {
        "cpu": 0,
        "essential": True,
        "mountPoints": [],
        "volumesFrom": [],
        "systemControls": [],
        **container,
        "portMappings": ports,
        "environment": sorted(container.get("environment", []), key=lambda one: one["name"]),
    }


def _deployment_configuration(given: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "deploymentCircuitBreaker": {"enable": False, "rollback": False},
        "maximumPercent": 200,
        "minimumHealthyPercent": 100,
        "strategy": "ROLLING",
        **given,
    }


def _deployments(service: Service) -> dict[str, Any]:
    """Return the deployments, or what a service under CodeDeploy has in their place."""
    if isinstance(service, TaskSets):
        return {"deployments": [], "taskSets": [_describe_task_set(service, one) for one in service.deployments]}
    return {"deployments": [_describe_deployment(service, one) for one in service.deployments]}


def _describe_task_set(service: TaskSets, deployment: Deployment) -> dict[str, Any]:
    tasks, draining = service.of(deployment), deployment in service.draining
    return {
        "id": deployment.id,
        "taskSetArn": f"{service.arn.replace(':service/', ':task-set/')}/{deployment.id}",
        "serviceArn": service.arn,
        "clusterArn": service.cluster,
        **service.origin(deployment),
        "status": "DRAINING" if draining else deployment.status,
        "taskDefinition": deployment.revision,
        "loadBalancers": service.balancers_of(deployment),
        "computedDesiredCount": 0 if draining else deployment.desired,
        "runningCount": running(tasks),
        "pendingCount": pending(tasks),
        "createdAt": when(deployment.created_at),
        "updatedAt": when(deployment.updated_at),
        "stabilityStatus": "STEADY_STATE" if deployment.state == "COMPLETED" else "STABILIZING",
    }


def _describe_deployment(service: Service, deployment: Deployment) -> dict[str, Any]:
    tasks = service.of(deployment)
    return {
        "id": deployment.id,
        "status": deployment.status,
        "taskDefinition": deployment.revision,
        "desiredCount": deployment.desired if deployment.status == "PRIMARY" else sum(one.wanted for one in tasks),
        "runningCount": running(tasks),
        "pendingCount": pending(tasks),
        "failedTasks": deployment.failed_tasks,
        "rolloutState": deployment.state,
        "rolloutStateReason": deployment.reason,
        "createdAt": when(deployment.created_at),
        "updatedAt": when(deployment.updated_at),
        **deployment.launch,
        **({"networkConfiguration": deployment.network} if deployment.network else {}),
    }


def _record_arn(service: Service, record: Record) -> str:
    return f"{service.arn.replace(':service/', ':service-deployment/')}/{record.number[::-1]}"


def _revision_arn(service: Service, number: str) -> str:
    return f"{service.arn.replace(':service/', ':service-revision/')}/{number}"


def _brief(service: Service, record: Record) -> dict[str, Any]:
    finished = {"finishedAt": when(record.finished_at)} if record.finished_at is not None else {}
    return {
        "serviceDeploymentArn": _record_arn(service, record),
        "serviceArn": service.arn,
        "clusterArn": service.cluster,
        "createdAt": when(record.created_at),
        "startedAt": when(record.created_at),
        "targetServiceRevisionArn": _revision_arn(service, record.number),
        "status": record.status,
        **({"statusReason": record.reason} if record.reason else {}),
        **finished,
    }


def _full(service: Service, record: Record) -> dict[str, Any]:
    tasks = service.of(record.deployment)
    brief = {key: value for key, value in _brief(service, record).items() if key != "targetServiceRevisionArn"}
    back = record.back_to and {
        "reason": record.reason,
        "startedAt": when(record.back_since or 0.0),
        "serviceRevisionArn": _revision_arn(service, record.back_to.id.rpartition("/")[2]),
    }
    watched = {"alarmNames": list(service.alarms["alarmNames"]), "triggeredAlarmNames": list(record.alarms)}
    return {
        **brief,
        "updatedAt": when(record.deployment.updated_at),
        "targetServiceRevision": {
            "arn": _revision_arn(service, record.number),
            "requestedTaskCount": record.deployment.desired,
            "runningTaskCount": running(tasks),
            "pendingTaskCount": pending(tasks),
        },
        "sourceServiceRevisions": [
            {"arn": _revision_arn(service, one.id.rpartition("/")[2])} for one in record.sources
        ],
        "deploymentConfiguration": service.attributes["deploymentConfiguration"],
        "deploymentCircuitBreaker": {
            "status": "MONITORING" if service.breaker["enable"] else "DISABLED",
            "failureCount": record.deployment.failed_tasks,
            "threshold": service.breaker_threshold,
        },
        **(
            {"alarms": {"status": "TRIGGERED" if record.alarms else "MONITORING", **watched}}
            if service.alarms["enable"]
            else {}
        ),
        **({"rollback": back} if back else {}),
    }


def _describe_container(task: Task, container: Container) -> dict[str, Any]:
    image = container.definition["image"]
    digest = image.partition("@")[2] or f"sha256:{hashlib.sha256(image.encode()).hexdigest()}"
    pulled = "pullStoppedAt" in task.times
    return {
        "name": container.name,
        "taskArn": task.arn,
        "containerArn": f"{task.arn.replace(':task/', ':container/')}/{uuid.uuid5(uuid.NAMESPACE_OID, container.name)}",
        "image": image,
        "lastStatus": container.status,
        "healthStatus": container.health,
        "networkBindings": [],
        "networkInterfaces": [{"attachmentId": "eni", "privateIpv4Address": task.address}],
        **({"imageDigest": digest, "runtimeId": f"{task.id}-{container.name}"} if pulled else {}),
        **({"exitCode": container.exit_code} if container.exit_code is not None else {}),
        **({"reason": container.reason} if container.reason else {}),
    }


def _attachment(task: Task) -> dict[str, Any]:
    status = "DELETED" if task.status == "STOPPED" else "ATTACHED"
    return {
        "id": "eni",
        "type": "ElasticNetworkInterface",
        "status": status,
        "details": [{"name": "privateIPv4Address", "value": task.address}],
    }


def _page(key: str, items: Iterable[str], request: Request, size: int) -> Response:
    everything, first = list(items), int(request.get("nextToken", "page-0").removeprefix("page-"))
    more = {"nextToken": f"page-{first + size}"} if first + size < len(everything) else {}
    return {key: everything[first : first + size], **more}
