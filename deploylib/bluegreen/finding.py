"""Which deployment group of CodeDeploy moves a service that others made, and what its deployments wait for.

For `inv init`, which asks once and writes it down: a call for each page of applications, two for each application.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from deploylib.errors import AwsError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from deploylib.aws import Account

    Group = Mapping[str, Any]

ECS = "ECS"
AT_ONCE = 100  # BatchGetApplications and BatchGetDeploymentGroups take no more
REFUSED = frozenset({"AccessDenied", "AccessDeniedException"})
GONE = frozenset({"ApplicationDoesNotExistException", "DeploymentGroupDoesNotExistException"})
STOPS = "STOP_DEPLOYMENT"
READY, TERMINATION = "deploymentReadyOption", "terminateBlueInstancesOnDeploymentSuccess"
ALL = 100.0


def group(account: Account, cluster: str, service: str, *, named: str = "") -> Group:
    """Return the deployment group that moves *service* of *cluster*, both by name: the *named* one, APPLICATION/GROUP.

    Raises `ConfigError`, whose hint asks for the name, where there is none, or more than one, or we may not look.
    """
    asked = (_named(account, named),) if named else tuple(_all(account))
    found = [one for one in asked if _moves(one, cluster, service)]
    if len(found) == 1:
        return found[0]
    if named:
        raise ConfigError(f"the deployment group {named} does not move {service} of {cluster}", hint=_hint())
    several = ", ".join(f"{one['applicationName']}/{one['deploymentGroupName']}" for one in found)
    what = f"moves {service}: {several}" if found else f"moves {service} of {cluster}"
    raise ConfigError(
        f"more than one deployment group {what}" if found else f"no deployment group {what}", hint=_hint()
    )


def _hint() -> str:
    return "say which one: add --codedeploy APPLICATION/GROUP"


def _named(account: Account, named: str) -> Group:
    application, _, name = named.partition("/")
    if not (application and name):
        raise ConfigError(f"{named!r} is no APPLICATION/GROUP", hint=_hint())
    try:
        answer = account.codedeploy.get_deployment_group(applicationName=application, deploymentGroupName=name)
    except AwsError as error:
        if error.code not in GONE:
            raise
        raise ConfigError(f"there is no deployment group {named}", hint=_hint()) from error
    found: Group = answer["deploymentGroupInfo"]
    return found


def _all(account: Account) -> Iterator[Group]:
    """Yield every deployment group of ECS's in the account and region."""
    try:
        for application in _applications(account):
            pages = account.codedeploy.get_paginator("list_deployment_groups").paginate(applicationName=application)
            for names in _portions([one for page in pages for one in page["deploymentGroups"]]):
                answer = account.codedeploy.batch_get_deployment_groups(
                    applicationName=application, deploymentGroupNames=names
                )
                yield from answer["deploymentGroupsInfo"]
    except AwsError as error:
        if error.code not in REFUSED:
            raise
        raise ConfigError(f"which deployment group moves it could not be read: {error}", hint=_hint()) from error


def _applications(account: Account) -> Iterator[str]:
    pages = account.codedeploy.get_paginator("list_applications").paginate()
    for names in _portions([one for page in pages for one in page["applications"]]):
        answer = account.codedeploy.batch_get_applications(applicationNames=names)
        found = (one for one in answer["applicationsInfo"] if one.get("computePlatform") == ECS)
        yield from (str(one["applicationName"]) for one in found)


def _portions(names: list[str]) -> Iterator[list[str]]:
    return (names[start : start + AT_ONCE] for start in range(0, len(names), AT_ONCE))


def _moves(found: Group, cluster: str, service: str) -> bool:
    services = found.get("ecsServices", ())
    return any((one.get("clusterName"), one.get("serviceName")) == (cluster, service) for one in services)


def minutes(account: Account, found: Group) -> dict[str, float]:
    """Return how long each deployment of a group waits, as the contract names it; one GetDeploymentConfig.

    A deployment that does not stop when nobody goes on does not wait for anybody.
    """
    settings = found.get("blueGreenDeploymentConfiguration") or {}
    ready, ending = (settings.get(key) or {} for key in (READY, TERMINATION))
    return {
        "ready_wait_minutes": _number(ready, "waitTimeInMinutes") if ready.get("actionOnTimeout") == STOPS else 0.0,
        "shift_minutes": _shift(account, str(found.get("deploymentConfigName") or "")),
        "termination_wait_minutes": _number(ending, "terminationWaitTimeInMinutes"),
    }


def _number(settings: Mapping[str, Any], key: str) -> float:
    return float(settings.get(key) or 0)


def _shift(account: Account, name: str) -> float:
    """Return how many minutes traffic takes from its first share to its last."""
    if not name:
        return 0.0
    answer = account.codedeploy.get_deployment_config(deploymentConfigName=name)
    routing = answer["deploymentConfigInfo"].get("trafficRoutingConfig") or {}
    linear, canary = routing.get("timeBasedLinear") or {}, routing.get("timeBasedCanary") or {}
    steps = math.ceil(ALL / (_number(linear, "linearPercentage") or ALL)) - 1
    return steps * _number(linear, "linearInterval") + _number(canary, "canaryInterval")


def shown_on(found: Group) -> str:
    """Return the listener on which the new version is shown first; nothing without one."""
    pairs = (found.get("loadBalancerInfo") or {}).get("targetGroupPairInfoList", ())
    arns = (arn for one in pairs for arn in (one.get("testTrafficRoute") or {}).get("listenerArns", ()))
    return str(next(arns, ""))
