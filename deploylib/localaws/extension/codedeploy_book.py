"""The book of CodeDeploy: applications, groups, deployment configurations and tags, kept and told back (pure).

For the platform ECS alone. What deployments do is in `codedeploy_course`.
"""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Document = dict[str, Any]

PLATFORM = "ECS"
ALL_AT_ONCE = "CodeDeployDefault.ECSAllAtOnce"
WHOLE = 100
PAIR = 2
KINDS = {"TimeBasedCanary": "canary", "TimeBasedLinear": "linear"}


class RefusedError(Exception):
    """What CodeDeploy does not do; *code* is its name for that."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def _canary(percent: int, minutes: int) -> Document:
    canary = {"canaryPercentage": percent, "canaryInterval": minutes}
    return {"type": "TimeBasedCanary", "timeBasedCanary": canary}


def _linear(percent: int, minutes: int) -> Document:
    linear = {"linearPercentage": percent, "linearInterval": minutes}
    return {"type": "TimeBasedLinear", "timeBasedLinear": linear}


# AWS's own (CodeDeploy user guide, "Deployment configurations on an Amazon ECS compute platform").
PREDEFINED: Mapping[str, Document] = {
    ALL_AT_ONCE: {"type": "AllAtOnce"},
    "CodeDeployDefault.ECSCanary10Percent5Minutes": _canary(10, 5),
    "CodeDeployDefault.ECSCanary10Percent15Minutes": _canary(10, 15),
    "CodeDeployDefault.ECSLinear10PercentEvery1Minutes": _linear(10, 1),
    "CodeDeployDefault.ECSLinear10PercentEvery3Minutes": _linear(10, 3),
}


def steps(routing: Mapping[str, Any]) -> tuple[tuple[int, int], ...]:
    """Return the shares of the traffic on the new tasks, in percent, each with the minutes until the next."""
    kind = KINDS.get(routing["type"])
    if kind is None:
        return ((WHOLE, 0),)
    told = routing[f"timeBased{kind.capitalize()}"]
    percent, minutes = told[f"{kind}Percentage"], told[f"{kind}Interval"]
    if kind == "canary":
        return ((percent, minutes), (WHOLE, 0))
    return (*((share, minutes) for share in range(percent, WHOLE, percent)), (WHOLE, 0))


class Book:
    """What CodeDeploy knows in one account and region."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._applications: dict[str, Document] = {}
        self._groups: dict[tuple[str, str], Document] = {}
        self._configs: dict[str, Document] = {name: _config(name, routing) for name, routing in PREDEFINED.items()}
        self._tags: dict[str, dict[str, str]] = {}

    @property
    def verbs(self) -> dict[str, Callable[[Document], Document]]:
        """Return what is answered, by action; each raises `RefusedError`."""
        return {
            "CreateApplication": self._create_application,
            "GetApplication": lambda asked: {"application": self._application(asked["applicationName"])},
            "ListApplications": lambda _: {"applications": list(self._applications)},
            "DeleteApplication": self._delete_application,
            "CreateDeploymentGroup": self._create_group,
            "GetDeploymentGroup": lambda asked: {"deploymentGroupInfo": self.group(asked)},
            "ListDeploymentGroups": self._list_groups,
            "UpdateDeploymentGroup": self._update_group,
            "DeleteDeploymentGroup": self._delete_group,
            "CreateDeploymentConfig": self._create_config,
            "GetDeploymentConfig": lambda asked: {"deploymentConfigInfo": self.config(asked["deploymentConfigName"])},
            "ListDeploymentConfigs": lambda _: {"deploymentConfigsList": list(self._configs)},
            "DeleteDeploymentConfig": self._delete_config,
            "ListTagsForResource": self._tags_of,
            "TagResource": self._tag,
            "UntagResource": self._untag,
        }

    def group(self, asked: Mapping[str, Any]) -> Document:
        """Return the deployment group that a request names."""
        application, name = self._application(asked["applicationName"])["applicationName"], asked["deploymentGroupName"]
        if (application, name) not in self._groups:
            message = f"No Deployment Group found for name: {name}"
            raise RefusedError("DeploymentGroupDoesNotExistException", message)
        return self._groups[application, name]

    def config(self, name: str) -> Document:
        """Return a deployment configuration."""
        if name not in self._configs:
            message = f"No Deployment Configuration found for name: {name}"
            raise RefusedError("DeploymentConfigDoesNotExistException", message)
        return self._configs[name]

    # Applications

    def _application(self, name: str) -> Document:
        if name not in self._applications:
            raise RefusedError("ApplicationDoesNotExistException", f"No application found for name: {name}")
        return self._applications[name]

    def _create_application(self, asked: Document) -> Document:
        name = asked["applicationName"]
        if name in self._applications:
            raise RefusedError("ApplicationAlreadyExistsException", f"Application already exists: {name}")
        _only_ecs(asked)
        self._applications[name] = made = {
            "applicationId": str(uuid.uuid4()),
            "applicationName": name,
            "computePlatform": PLATFORM,
            "createTime": time.time(),
            "linkedToGitHub": False,
        }
        self._keep_tags(f"application:{name}", asked)
        return {"applicationId": made["applicationId"]}

    def _delete_application(self, asked: Document) -> Document:
        """Delete an application and its groups; one that is not there is no error in AWS either."""
        name = asked["applicationName"]
        self._applications.pop(name, None)
        for key in [one for one in self._groups if one[0] == name]:
            del self._groups[key]
        return {}

    # Groups

    def _create_group(self, asked: Document) -> Document:
        application, name = self._application(asked["applicationName"])["applicationName"], asked["deploymentGroupName"]
        if (application, name) in self._groups:
            message = f"Deployment group already exists: {name}"
            raise RefusedError("DeploymentGroupAlreadyExistsException", message)
        told = {key: value for key, value in asked.items() if key != "tags"}
        made = {
            "deploymentConfigName": ALL_AT_ONCE,
            "outdatedInstancesStrategy": "UPDATE",
            **told,
            "deploymentGroupId": str(uuid.uuid4()),
            "computePlatform": PLATFORM,
        }
        self._groups[application, name] = self._checked(made)
        self._keep_tags(f"deploymentgroup:{application}/{name}", asked)
        return {"deploymentGroupId": made["deploymentGroupId"]}

    def _checked(self, group: Document) -> Document:
        """Return *group* if a service of ECS can be moved by it."""
        self.config(group["deploymentConfigName"])
        if len(group.get("ecsServices") or ()) != 1:
            raise RefusedError("InvalidECSServiceException", "Exactly one Amazon ECS service must be specified.")
        pairs = list((group.get("loadBalancerInfo") or {}).get("targetGroupPairInfoList") or ())
        if len(pairs) != 1 or len(pairs[0].get("targetGroups", ())) != PAIR or not pairs[0].get("prodTrafficRoute"):
            message = "A pair of target groups and a production traffic route must be specified."
            raise RefusedError("InvalidTargetGroupPairException", message)
        if not group.get("blueGreenDeploymentConfiguration"):
            message = "A blue/green deployment configuration must be specified."
            raise RefusedError("InvalidBlueGreenDeploymentConfigurationException", message)
        return group

    def _list_groups(self, asked: Document) -> Document:
        application = self._application(asked["applicationName"])["applicationName"]
        names = [name for owner, name in self._groups if owner == application]
        return {"applicationName": application, "deploymentGroups": names}

    def _update_group(self, asked: Document) -> Document:
        found = self.group({**asked, "deploymentGroupName": asked["currentDeploymentGroupName"]})
        new = asked.get("newDeploymentGroupName") or found["deploymentGroupName"]
        names = ("currentDeploymentGroupName", "newDeploymentGroupName")
        changes = {key: value for key, value in asked.items() if key not in names}
        made = self._checked({**found, **changes, "deploymentGroupName": new})
        del self._groups[found["applicationName"], found["deploymentGroupName"]]
        self._groups[found["applicationName"], new] = made
        return {"hooksNotCleanedUp": []}

    def _delete_group(self, asked: Document) -> Document:
        self._groups.pop((asked["applicationName"], asked["deploymentGroupName"]), None)
        return {"hooksNotCleanedUp": []}

    # Configurations

    def _create_config(self, asked: Document) -> Document:
        name = asked["deploymentConfigName"]
        if name in self._configs:
            raise RefusedError("DeploymentConfigAlreadyExistsException", f"Deployment configuration exists: {name}")
        _only_ecs(asked)
        routing = asked.get("trafficRoutingConfig") or {"type": "AllAtOnce"}
        self._configs[name] = made = _config(name, routing)
        return {"deploymentConfigId": made["deploymentConfigId"]}

    def _delete_config(self, asked: Document) -> Document:
        name = asked["deploymentConfigName"]
        if any(one["deploymentConfigName"] == name for one in self._groups.values()):
            raise RefusedError("DeploymentConfigInUseException", f"Deployment configuration is in use: {name}")
        self._configs.pop(name, None)
        return {}

    # Tags

    def _keep_tags(self, resource: str, asked: Document) -> None:
        self._tag({"ResourceArn": f"arn:aws:codedeploy:{self._place}:{resource}", "Tags": asked.get("tags") or ()})

    def _tags_of(self, asked: Document) -> Document:
        found = self._tags.get(asked["ResourceArn"], {})
        return {"Tags": [{"Key": key, "Value": value} for key, value in found.items()]}

    def _tag(self, asked: Document) -> Document:
        kept = self._tags.setdefault(asked["ResourceArn"], {})
        kept.update({one["Key"]: one.get("Value", "") for one in asked["Tags"]})
        return {}

    def _untag(self, asked: Document) -> Document:
        for key in asked["TagKeys"]:
            self._tags.get(asked["ResourceArn"], {}).pop(key, None)
        return {}


def _config(name: str, routing: Mapping[str, Any]) -> Document:
    return {
        "deploymentConfigId": str(uuid.uuid4()),
        "deploymentConfigName": name,
        "computePlatform": PLATFORM,
        "trafficRoutingConfig": dict(routing),
        "createTime": time.time(),
    }


def _only_ecs(asked: Mapping[str, Any]) -> None:
    platform = asked.get("computePlatform") or "Server"
    if platform != PLATFORM:
        message = f"The local AWS has CodeDeploy for the compute platform ECS alone, not for {platform}."
        raise RefusedError("InvalidComputePlatformException", message)
