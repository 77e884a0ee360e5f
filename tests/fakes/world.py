"""A small world to release into: a cluster with `web` (two tasks behind a load balancer) and `job` (one).

Everything agrees with docs/architecture.md: Terraform's families end in `-template` and carry the sentinel image, the
deploy's families do not; the contract is in Parameter Store. `world()` is settled on release 1; `world(released=False)`
is as Terraform leaves it: services on their templates, at zero.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploylib import config, contract, observe, plan, taskdef
from deploylib.images.planning import ImagePlan
from tests.fakes.account import FakeAccount

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploylib.aws import Account
    from tests.fakes.clock import FakeClock
    from tests.fakes.ecs import FakeEcs
    from tests.fakes.logs import FakeLogs

APP, ENVIRONMENT, ACCOUNT_ID, REGION = "guestbook", "stg", "111111111111", "ap-northeast-1"
LEDGER = f"{APP}-{ENVIRONMENT}-releases"
PARAMETER = f"/{APP}/{ENVIRONMENT}/contract"
COMMITS = {number: hashlib.sha1(str(number).encode(), usedforsecurity=False).hexdigest() for number in range(1, 10)}
WEB, JOB = f"{APP}-{ENVIRONMENT}-web", f"{APP}-{ENVIRONMENT}-job"
ROLES = ("web", "nginx", "job")
MIGRATE = ("alembic", "upgrade", "head")


def digest(role: str, release: int) -> str:
    """Return the digest of *role*'s image in the release of that number: what `ecs.behave(image=…)` is told."""
    return f"sha256:{hashlib.sha256(manifest(role, release).encode()).hexdigest()}"


def manifest(role: str, release: int) -> str:
    """Return the manifest of *role*'s image in the release of that number."""
    return json.dumps({"schemaVersion": 2, "annotations": {"role": role, "release": str(release)}})


def image_plans(release: int, *, action: str = "reuse") -> tuple[ImagePlan, ...]:
    """Return a plan for the image of each role: in the registry already, or to be built."""
    return tuple(
        ImagePlan(
            image=role,
            action="build" if action == "build" else "reuse",
            reason="its files changed" if action == "build" else "in the registry",
            tags=(f"{role}-c{'0' * 11}{release}", f"{role}-{COMMITS[release][:12]}"),
            digest="" if action == "build" else digest(role, release),
        )
        for role in ROLES
    )


def digests(release: int) -> dict[str, str]:
    """Return the digest of each role's image."""
    return {role: digest(role, release) for role in ROLES}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSpec:
    """One service of the world: its containers (name → role), its tasks, how it is deployed."""

    key: str
    containers: Mapping[str, str]
    tasks: int
    balanced: bool = False
    checked: bool = True
    breaker: bool = True
    rollback: bool = True
    minimum_percent: int = 100
    maximum_percent: int = 200
    codedeploy: bool = False

    @property
    def name(self) -> str:
        return f"{APP}-{ENVIRONMENT}-{self.key}"

    @property
    def log_group(self) -> str:
        return f"/{APP}/{ENVIRONMENT}/{self.key}"


SERVICES = (
    ServiceSpec(key="web", containers={"app": "web", "nginx": "nginx"}, tasks=2, balanced=True),
    ServiceSpec(key="job", containers={"worker": "job"}, tasks=1, checked=False),
)

CLEANUP = ServiceSpec(key="cleanup", containers={"task": "job"}, tasks=0, checked=False)


class World:
    """An account with services in it. `ecs`, `logs`, `clock` are shortcuts into it."""

    def __init__(self, services: tuple[ServiceSpec, ...]) -> None:
        self.aws = FakeAccount(account_id=ACCOUNT_ID, region=REGION, cluster=f"{APP}-{ENVIRONMENT}")
        self.repository = f"{self.aws.ecr.registry}/{APP}"
        self.aws.dynamodb.tables[LEDGER] = {}
        self.specs = {one.key: one for one in services}
        self.templates: dict[str, str] = {}
        self.scheduled: dict[str, ServiceSpec] = {}
        self.enabled: dict[str, bool] = {}
        self.corpses: list[object] = []  # runs that died: kept, so that Python does not close them properly

    @property
    def account(self) -> Account:
        return self.aws.account

    @property
    def clock(self) -> FakeClock:
        return self.aws.clock

    @property
    def ecs(self) -> FakeEcs:
        return self.aws.ecs

    @property
    def logs(self) -> FakeLogs:
        return self.aws.logs

    @property
    def cluster(self) -> str:
        return self.ecs.cluster

    @property
    def contract(self) -> contract.Contract:
        return contract.parse(json.dumps(self.contract_document()), PARAMETER)

    def live(self) -> plan.Live:
        """Return what `observe` makes of this world; the calls for it do not count."""
        live = observe.live(self.account, self.contract)
        self.aws.forget_calls()
        return live

    def image(self, role: str, release: int) -> str:
        return f"{self.repository}@{digest(role, release)}"

    def contract_document(self) -> dict[str, Any]:
        """Return what Terraform publishes."""
        return {
            "version": 1,
            "app": APP,
            "environment": ENVIRONMENT,
            "account_id": ACCOUNT_ID,
            "region": REGION,
            "cluster": self.cluster,
            "repository": self.repository,
            "cache_repository": f"{self.repository}-cache",
            "ledger": LEDGER,
            "url": "http://guestbook-stg.example.test",
            "services": {
                spec.key: {
                    "name": spec.name,
                    "family": spec.name,
                    "template": self.templates[spec.key],
                    "desired_count": spec.tasks,
                    "containers": dict(spec.containers),
                    "subnets": ["subnet-1", "subnet-2"],
                    "security_groups": ["sg-1"],
                    "assign_public_ip": False,
                    "log_group": spec.log_group,
                    **(switched(spec) if spec.codedeploy else {}),
                }
                for spec in self.specs.values()
            },
            "scheduled_tasks": {
                spec.key: {
                    "name": spec.name,
                    "family": spec.name,
                    "template": self.templates[spec.key],
                    "schedule": spec.name,
                    "enabled": self.enabled[spec.key],
                    "containers": dict(spec.containers),
                    "subnets": ["subnet-1", "subnet-2"],
                    "security_groups": ["sg-1"],
                    "assign_public_ip": False,
                    "log_group": spec.log_group,
                }
                for spec in self.scheduled.values()
            },
        }

    def push(self, release: int) -> None:
        """Have the images of *release* in the registry, under the tags of `image_plans`."""
        for one in image_plans(release):
            self.aws.ecr.have(APP, *one.tags, manifest=manifest(one.image, release))

    # Terraform

    def apply(self, key: str, **changes: Any) -> str:
        """Do what `inv infra.apply` does to one service's template: register a revision, publish it."""
        spec = {**self.specs, **self.scheduled}[key]
        template = self.ecs.register_task_definition(**{**template_of(spec, self.repository), **changes})
        self.templates[key] = template["taskDefinition"]["taskDefinitionArn"]
        self.logs.groups.add(spec.log_group)
        if set(self.templates) == {*self.specs, *self.scheduled}:
            self.aws.ssm.give(PARAMETER, json.dumps(self.contract_document()))
        return self.templates[key]

    def schedule(self, spec: ServiceSpec, *, enabled: bool = True) -> None:
        """Do what `inv infra.apply` does for a new scheduled task: its schedule is disabled, on the template."""
        self.scheduled[spec.key], self.enabled[spec.key] = spec, enabled
        template = self.apply(spec.key)
        self.aws.scheduler.have(spec.name, self.cluster, template)
        self.aws.scheduler.documents["default", spec.name] = {
            "State": "DISABLED",
            "ScheduleExpression": "cron(0 3 * * ? *)",
            "ScheduleExpressionTimezone": "Asia/Tokyo",
            "FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 5},
        }
        self.aws.forget_calls()

    def create(self, spec: ServiceSpec) -> None:
        balancer = {
            "targetGroupArn": f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT_ID}:targetgroup/{spec.name}/0123456789",
            "containerName": next(iter(spec.containers)),
            "containerPort": 8000,
        }
        self.ecs.create_service(
            cluster=self.cluster,
            serviceName=spec.name,
            taskDefinition=self.templates[spec.key],
            desiredCount=0,
            launchType="FARGATE",
            deploymentConfiguration={
                "deploymentCircuitBreaker": {"enable": spec.breaker, "rollback": spec.rollback},
                "minimumHealthyPercent": spec.minimum_percent,
                "maximumPercent": spec.maximum_percent,
            },
            networkConfiguration=network(),
            **({"deploymentController": {"type": "CODE_DEPLOY"}} if spec.codedeploy else {}),
            **({"loadBalancers": [balancer], "healthCheckGracePeriodSeconds": 10} if spec.balanced else {}),
        )

    # A deploy, as somebody else does it

    def register(self, key: str, release: int, **changes: Any) -> str:
        """Register the revision of *release* as a deploy would; return its ARN."""
        spec = {**self.specs, **self.scheduled}[key]
        answer = self.ecs.describe_task_definition(taskDefinition=self.templates[key], include=["TAGS"])
        template = {**answer["taskDefinition"], "tags": answer["tags"]}
        definition = taskdef.next_definition(
            template,
            {container: self.image(role, release) for container, role in spec.containers.items()},
            family=spec.name,
            tags={
                taskdef.TAG_TEMPLATE: self.templates[key],
                taskdef.TAG_COMMIT: COMMITS[release],
                taskdef.TAG_RELEASE: f"release-{release}",
            },
            writable=writable(self.ecs),
        )
        revision = self.ecs.register_task_definition(**{**definition, **changes})
        return str(revision["taskDefinition"]["taskDefinitionArn"])

    def update(self, key: str, **changes: Any) -> str:
        """Update a service as any client may; return the id of the deployment that is PRIMARY then."""
        answer = self.ecs.update_service(cluster=self.cluster, service=self.specs[key].name, **changes)
        return str(answer["service"]["deployments"][0]["id"])

    def release(self, key: str, release: int, **changes: Any) -> str:
        """Register and update, without waiting; return the deployment's id."""
        return self.update(key, taskDefinition=self.register(key, release), **changes)

    def switch(self, key: str, release: int, desired: int) -> str:
        """Have CodeDeploy bring *release*, as somebody else does it, and wait for its end; return the revision."""
        revision, name = self.register(key, release), self.specs[key].name
        self.ecs.update_service(cluster=self.cluster, service=name, desiredCount=desired)
        self.aws.codedeploy.bring(name, revision)
        self.settle()
        return revision

    def settle(self) -> None:
        """Let time pass until every service is steady and nothing drains."""
        self.clock.advance_until(self.ecs.steady)


def world(*services: ServiceSpec, released: bool = True) -> World:
    """Return a world with *services* (web and job, when none is given), settled on release 1."""
    made = World(services or SERVICES)
    made.push(1)
    for spec in made.specs.values():
        made.apply(spec.key, tags=[{"key": "cost-centre", "value": "42"}])
    for spec in made.specs.values():
        made.create(spec)
        if spec.codedeploy:
            made.aws.codedeploy.have(APP, spec.key, spec.name, green(spec))
    if released:
        for spec in made.specs.values():
            if spec.codedeploy:
                made.switch(spec.key, 1, spec.tasks)
            else:
                made.release(spec.key, 1, desiredCount=spec.tasks)
    made.settle()
    made.aws.forget_calls()
    made.clock.naps.clear()
    return made


def blue(spec: ServiceSpec) -> str:
    """Return the target group that a service begins with."""
    return f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT_ID}:targetgroup/{spec.name}/0123456789"


def green(spec: ServiceSpec) -> str:
    """Return the other one."""
    return f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT_ID}:targetgroup/{spec.name}-g/0123456789"


def switched(spec: ServiceSpec) -> dict[str, Any]:
    """Return what the contract says of a service that CodeDeploy moves."""
    return {
        "load_balancer": {
            "container": next(iter(spec.containers)),
            "port": 8000,
            "target_groups": [blue(spec), green(spec)],
            "listener": "arn:listener",
        },
        "codedeploy": {"application": APP, "deployment_group": spec.key, "termination_wait_minutes": 0},
    }


def many(count: int, *, tasks: int = 1) -> tuple[ServiceSpec, ...]:
    """Return *count* services of *tasks* tasks each, for more than one page."""
    return tuple(
        ServiceSpec(key=f"s{number}", containers={"app": "web"}, tasks=tasks, checked=False) for number in range(count)
    )


def environment(root: Path = Path("/project"), **changes: Any) -> config.Environment:
    """Return the environment that belongs to the world."""
    known: dict[str, Any] = {
        "name": ENVIRONMENT,
        "root": root,
        "app": config.App(name=APP, path="app"),
        "account": config.Account(id=ACCOUNT_ID, region=REGION),
        "images": images(),
        "migration": config.Migration(service="web", container="app", command=MIGRATE),
        "rollout": config.Rollout(),
    }
    return config.Environment(**{**known, **changes})


def images(*moving: str) -> config.Images:
    """Return the images of the world's environment, with these templates of moving tags."""
    roles = {role: config.RoleImage(dockerfile="Dockerfile.j2") for role in ROLES}
    return config.Images(roles=roles, tags=config.Tags(moving=moving))


def network() -> dict[str, Any]:
    """Return the services' network, as ECS wants it."""
    return {
        "awsvpcConfiguration": {
            "subnets": ["subnet-1", "subnet-2"],
            "securityGroups": ["sg-1"],
            "assignPublicIp": "DISABLED",
        }
    }


def template_of(spec: ServiceSpec, repository: str) -> dict[str, Any]:
    """Return what Terraform registers for *spec*."""
    side_car = {"name": "metrics", "image": "public.ecr.aws/example/metrics:1", "essential": False}
    return {
        "family": f"{spec.name}-template",
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "256",
        "memory": "512",
        "executionRoleArn": f"arn:aws:iam::{ACCOUNT_ID}:role/{spec.name}-execution",
        "taskRoleArn": f"arn:aws:iam::{ACCOUNT_ID}:role/{spec.name}-task",
        "runtimePlatform": {"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"},
        "containerDefinitions": [*(_container(spec, repository, name) for name in spec.containers), side_car],
    }


def writable(ecs: FakeEcs) -> frozenset[str]:
    """Return the fields that RegisterTaskDefinition takes, as botocore's model has them."""
    return frozenset(ecs.meta.service_model.operation_model("RegisterTaskDefinition").input_shape.members)


def _container(spec: ServiceSpec, repository: str, name: str) -> dict[str, Any]:
    checked = spec.checked and name == next(iter(spec.containers))
    check = {"command": ["CMD", "check"], "interval": 10, "timeout": 5, "retries": 3}
    return {
        "name": name,
        "image": f"{repository}{taskdef.SENTINEL}",
        "essential": True,
        "stopTimeout": 30,
        **({"portMappings": [{"containerPort": 8000, "protocol": "tcp"}]} if spec.balanced and checked else {}),
        "environment": [{"name": "GREETING", "value": "hello"}, {"name": "APP_ENV", "value": ENVIRONMENT}],
        "secrets": [{"name": "DB_PASSWORD", "valueFrom": f"arn:aws:ssm:{REGION}:{ACCOUNT_ID}:parameter/db"}],
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": spec.log_group,
                "awslogs-region": REGION,
                "awslogs-stream-prefix": spec.key,
            },
        },
        **({"healthCheck": check} if checked else {}),
    }
