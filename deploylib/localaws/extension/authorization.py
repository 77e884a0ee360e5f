"""What AWS asks IAM about a call: actions, the resource of each, and the keys that conditions can look at.

After the Service Authorization Reference. Only the services that a release calls are here, each call with all that AWS
checks for it: registering a revision with tags and roles is three actions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Request = Mapping[str, Any]

TASKS, SCHEDULER = "ecs-tasks.amazonaws.com", "scheduler.amazonaws.com"
EVERYTHING = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One question to IAM."""

    action: str
    resource: str = EVERYTHING
    keys: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """The account and region that the call is made in."""

    account: str
    region: str

    def arn(self, service: str, resource: str) -> str:
        """Return the ARN of a resource here, unless it is one already."""
        if resource.startswith("arn:"):
            return resource
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"


def checks(service: str, operation: str, request: Request, where: Where) -> tuple[Check, ...] | None:
    """Return what AWS asks about *operation*; nothing of services that are not here."""
    asked = SERVICES.get(service)
    return tuple(asked(operation, request, where)) if asked else None


def registry(method: str, verb: str, name: str, where: Where) -> tuple[Check, ...]:
    """Return what ECR asks about a request to its registry; *verb* says what the path is of."""
    action = REGISTRY.get((verb, method))
    return (Check(action=f"ecr:{action}", resource=where.arn("ecr", f"repository/{name}")),) if action else ()


REGISTRY = {
    ("blob", "GET"): "GetDownloadUrlForLayer",
    ("blob", "HEAD"): "BatchCheckLayerAvailability",
    ("blob_uploads", "POST"): "InitiateLayerUpload",
    ("blob_upload_session", "PATCH"): "UploadLayerPart",
    ("blob_upload_session", "PUT"): "CompleteLayerUpload",
    ("manifest", "GET"): "BatchGetImage",
    ("manifest", "HEAD"): "BatchGetImage",
    ("manifest", "PUT"): "PutImage",
    ("tags_list", "GET"): "ListImages",
}


def _ecs(operation: str, request: Request, where: Where) -> Iterator[Check]:
    cluster = str(request.get("cluster") or "default").rpartition("/")[2]
    keys = {"ecs:cluster": where.arn("ecs", f"cluster/{cluster}")}
    for resource in _ecs_resources(operation, request, cluster):
        yield Check(action=f"ecs:{operation}", resource=_whole(where, resource), keys=keys)
    if operation == "RegisterTaskDefinition":
        yield from _registering(request, where)


def _whole(where: Where, resource: str) -> str:
    return resource if resource == EVERYTHING else where.arn("ecs", resource)


def _ecs_resources(operation: str, request: Request, cluster: str) -> list[str]:
    """Return what the call is about; where IAM knows no resource (or any will do), everything."""
    named = {
        "DescribeServices": ("service", request.get("services", ())),
        "UpdateService": ("service", (request.get("service", ""),)),
        "DescribeTasks": ("task", request.get("tasks", ())),
        "StopTask": ("task", (request.get("task", ""),)),
        "ListServiceDeployments": ("service", (request.get("service", ""),)),
    }
    if operation in {"DescribeServiceDeployments", "StopServiceDeployment"}:
        return [*request.get("serviceDeploymentArns", ()), *filter(None, [request.get("serviceDeploymentArn")])]
    if operation == "RunTask":
        definition = str(request.get("taskDefinition", ""))
        return [definition if definition.startswith("arn:") else f"task-definition/{definition}"]
    if operation == "ListTasks":
        return [f"container-instance/{cluster}/*"]
    kind, names = named.get(operation, ("", ()))
    return [f"{kind}/{cluster}/{str(name).rpartition('/')[2]}" for name in names] or [EVERYTHING]


def _registering(request: Request, where: Where) -> Iterator[Check]:
    if request.get("tags"):
        family = where.arn("ecs", f"task-definition/{request['family']}:*")
        keys = {"ecs:CreateAction": "RegisterTaskDefinition"}
        yield Check(action="ecs:TagResource", resource=family, keys=keys)
    for role in (request.get("taskRoleArn"), request.get("executionRoleArn")):
        if role:
            yield Check(action="iam:PassRole", resource=str(role), keys={"iam:PassedToService": TASKS})


def _ecr(operation: str, request: Request, where: Where) -> Iterator[Check]:
    name = request.get("repositoryName")
    resource = where.arn("ecr", f"repository/{name}") if name else EVERYTHING
    yield Check(action=f"ecr:{operation}", resource=resource)


def _ssm(operation: str, request: Request, where: Where) -> Iterator[Check]:
    names = request.get("Names") or [request[key] for key in ("Name", "Path") if request.get(key)]
    for name in names:
        yield Check(action=f"ssm:{operation}", resource=where.arn("ssm", f"parameter/{str(name).removeprefix('/')}"))
    if not names:
        yield Check(action=f"ssm:{operation}")


def _logs(operation: str, request: Request, where: Where) -> Iterator[Check]:
    group, stream = request.get("logGroupName"), request.get("logStreamName")
    named = f"log-group:{group}:log-stream:{stream}" if stream else f"log-group:{group}:*"
    yield Check(action=f"logs:{operation}", resource=where.arn("logs", named) if group else EVERYTHING)


def _dynamodb(operation: str, request: Request, where: Where) -> Iterator[Check]:
    table = request.get("TableName")
    yield Check(action=f"dynamodb:{operation}", resource=where.arn("dynamodb", f"table/{table}"))


def _scheduler(operation: str, request: Request, where: Where) -> Iterator[Check]:
    """Ask about one schedule; who writes a target hands its role to the scheduler."""
    named = f"{request.get('GroupName') or 'default'}/{request.get('Name') or '*'}"
    yield Check(action=f"scheduler:{operation}", resource=where.arn("scheduler", f"schedule/{named}"))
    if role := (request.get("Target") or {}).get("RoleArn"):
        yield Check(action="iam:PassRole", resource=str(role), keys={"iam:PassedToService": SCHEDULER})


def _codedeploy(operation: str, request: Request, where: Where) -> Iterator[Check]:
    """Ask about a deployment group; whoever makes a deployment registers its revision, and names how traffic moves."""
    application, group = request.get("applicationName"), request.get("deploymentGroupName")
    named = f"deploymentgroup:{application}/{group}"
    yield Check(action=f"codedeploy:{operation}", resource=where.arn("codedeploy", named) if group else EVERYTHING)
    if operation == "CreateDeployment":
        for action in ("GetApplicationRevision", "RegisterApplicationRevision"):
            yield Check(action=f"codedeploy:{action}", resource=where.arn("codedeploy", f"application:{application}"))
        yield Check(action="codedeploy:GetDeploymentConfig", resource=where.arn("codedeploy", "deploymentconfig:any"))


def _codebuild(operation: str, request: Request, where: Where) -> Iterator[Check]:
    """Ask about a project, which the name of each of its builds begins with."""
    build = str(request.get("id") or next(iter(request.get("ids") or ()), ""))
    project = request.get("projectName") or build.partition(":")[0]
    yield Check(action=f"codebuild:{operation}", resource=where.arn("codebuild", f"project/{project}"))


def _s3(operation: str, request: Request, _: Where) -> Iterator[Check]:
    """Ask about an object that is put; nothing else of S3 is a release's."""
    if operation == "PutObject":
        yield Check(action="s3:PutObject", resource=f"arn:aws:s3:::{request.get('Bucket')}/{request.get('Key')}")


def _elbv2(operation: str, _: Request, __: Where) -> Iterator[Check]:
    """Ask about nothing in particular: of what only reads, IAM knows no resource here."""
    yield Check(action=f"elasticloadbalancing:{operation}")


SERVICES: Mapping[str, Callable[[str, Request, Where], Iterator[Check]]] = {
    "ecs": _ecs,
    "ecr": _ecr,
    "ssm": _ssm,
    "logs": _logs,
    "dynamodb": _dynamodb,
    "scheduler": _scheduler,
    "elbv2": _elbv2,
    "codedeploy": _codedeploy,
    "codebuild": _codebuild,
    "s3": _s3,
}
