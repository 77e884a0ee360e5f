"""Deployments of CodeDeploy: made, stopped and told to go on; and which of them are under way.

A deployment group has one deployment at a time. All are made with the roll-back on: whatever ends one early sends the
traffic back to the original task set and deletes the replacement.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deploylib import rollout
from deploylib.bluegreen import appspec
from deploylib.contract import CodeDeploy
from deploylib.errors import AwsError, ContractError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploylib.aws import Account
    from deploylib.contract import ServiceContract

    Info = Mapping[str, Any]

UNDER_WAY = ("Created", "Queued", "InProgress", "Baking", "Ready")
ROLL_BACK = ("DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST")
ONE_AT_A_TIME = "DeploymentLimitExceededException"
SUCCEEDED, ROLLS_BACK = "Succeeded", "codeDeployRollback"
OVER = "DeploymentAlreadyCompletedException"


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A service that CodeDeploy is to give *revision*; *what* says why, for whoever looks at CodeDeploy."""

    key: str
    cluster: str
    service: ServiceContract
    revision: str
    previous: str
    what: str = ""
    limit_seconds: float = 0.0


def start(account: Account, move: Move) -> rollout.Target:
    """Make the deployment of *move*, and return what to follow; one CreateDeployment and one DescribeServices.

    One of the same AppSpec that is under way is followed: a run that died has made it. Raises `ContractError` for a
    service that the contract knows no deployment group of, and `AwsError`, whose hint says how to go on, when another
    deployment is under way.
    """
    settings, text = group(move.service), appspec.content(move.service, task_definition=move.revision)
    described = rollout.describe(account.ecs, move.cluster, [move.service.name])[move.service.name]
    try:
        answer = account.codedeploy.create_deployment(
            applicationName=settings.application,
            deploymentGroupName=settings.deployment_group,
            revision={
                "revisionType": "AppSpecContent",
                "appSpecContent": {"content": text, "sha256": appspec.digest(text)},
            },
            description=move.what,
            autoRollbackConfiguration={"enabled": True, "events": list(ROLL_BACK)},
        )
    except AwsError as error:
        if error.code != ONE_AT_A_TIME:
            raise
        if found := unnoticed(account, move):
            return found
        hint = "wait for the other deployment, or stop it: aws deploy stop-deployment"
        raise AwsError(
            f"{move.key}: CodeDeploy is at work on it already: {error}", code=error.code, hint=hint
        ) from error
    return target(move, described, str(answer["deploymentId"]))


def target(move: Move, described: Mapping[str, Any], deployment: str) -> rollout.Target:
    """Return what to follow: *deployment* of the service that is *described*."""
    return rollout.Target(
        key=move.key,
        name=move.service.name,
        deployment=deployment,
        revision=move.revision,
        previous=move.previous,
        desired=int(described.get("desiredCount", 0)),
        former=frozenset(str(one["id"]) for one in described.get("taskSets", ())),
        known_events=frozenset(str(one["id"]) for one in described.get("events", ())),
        limit_seconds=move.limit_seconds,
        by_codedeploy=True,
    )


def group(service: ServiceContract) -> CodeDeploy:
    """Return where CodeDeploy moves *service*; raise `ContractError` where the contract does not say it."""
    if service.codedeploy is None:
        raise ContractError(
            f"{service.name} is under CodeDeploy, but the contract does not name its deployment group",
            hint="[terraform.services.…codedeploy] and inv infra.apply",
        )
    return service.codedeploy


def stop(account: Account, deployment: str) -> bool:
    """Stop *deployment*, which sends the traffic back; return False when it was over already."""
    try:
        account.codedeploy.stop_deployment(deploymentId=deployment, autoRollbackEnabled=True)
    except AwsError as error:
        if error.code != OVER:
            raise
        return False
    return True


def turn_back(account: Account, move: Move) -> rollout.Target | None:
    """Stop what is under way if it came from a task set of *move*'s revision; return what to follow: what made that.

    A roll-back of CodeDeploy's own is left to go on. None where nothing is under way, or it came from elsewhere.
    """
    others = {str(one["deploymentId"]): one for one in under_way(account, group(move.service))}
    described = rollout.describe(account.ecs, move.cluster, [move.service.name])[move.service.name]
    original = next((one for one in described.get("taskSets", ()) if _is_original(one, move, others)), None)
    if not others or original is None:
        return None
    for name, info in others.items():
        if info.get("creator") != ROLLS_BACK:
            stop(account, name)
    return target(move, described, str(original["externalId"]))


def _is_original(task_set: Mapping[str, Any], move: Move, others: Mapping[str, Info]) -> bool:
    kept = task_set.get("status") != "DRAINING" and task_set.get("taskDefinition") == move.revision
    return bool(kept and task_set.get("externalId") and task_set["externalId"] not in others)


def goes_back(account: Account, deployment: str) -> bool:
    """Whether *deployment* has ended before its time, and CodeDeploy brings the original back by itself."""
    found = described(account, (deployment,))
    return any(one.get("status") != SUCCEEDED and is_brought_back(one) for one in found)


def is_brought_back(info: Info) -> bool:
    """Whether CodeDeploy brings the original back: it says so, or was told to."""
    back, told = info.get("rollbackInfo") or {}, info.get("autoRollbackConfiguration") or {}
    return bool(back.get("rollbackDeploymentId") or told.get("enabled"))


def strangers(account: Account, info: Info) -> tuple[str, ...]:
    """Return the deployments that are under way in the group of *info*, but itself and its own roll-back.

    The roll-back says whose it is as soon as it is there; *info* may not know of it yet. Two calls at most.
    """
    place = CodeDeploy(application=info["applicationName"], deployment_group=info["deploymentGroupName"])
    found, ours = under_way(account, place), info["deploymentId"]
    return tuple(str(one["deploymentId"]) for one in found if ours not in (one["deploymentId"], _rolled_back(one)))


def _rolled_back(info: Info) -> str:
    """Return the deployment that *info* is the roll-back of. (CodeDeploy's API, "RollbackInfo")"""
    return str((info.get("rollbackInfo") or {}).get("rollbackTriggeringDeploymentId", ""))


def unnoticed(account: Account, move: Move) -> rollout.Target | None:
    """Return what to follow of *move* if its deployment was made, although CodeDeploy's answer never reached us."""
    wanted = appspec.digest(appspec.content(move.service, task_definition=move.revision))
    for one in under_way(account, group(move.service)):
        if _digest(one) == wanted:
            described = rollout.describe(account.ecs, move.cluster, [move.service.name])[move.service.name]
            return target(move, described, str(one["deploymentId"]))
    return None


def _digest(info: Info) -> str:
    return str(((info.get("revision") or {}).get("appSpecContent") or {}).get("sha256", ""))


def under_way(account: Account, settings: CodeDeploy) -> tuple[Info, ...]:
    """Return the deployments of a group that have not ended, newest first: two calls, or one when there is none."""
    answer = account.codedeploy.list_deployments(
        applicationName=settings.application,
        deploymentGroupName=settings.deployment_group,
        includeOnlyStatuses=list(UNDER_WAY),
    )
    return described(account, tuple(answer["deployments"]))


def described(account: Account, deployments: tuple[str, ...]) -> tuple[Info, ...]:
    """Return what CodeDeploy says of *deployments*, 25 at most, in that order."""
    if not deployments:
        return ()
    answer = account.codedeploy.batch_get_deployments(deploymentIds=list(deployments))
    known = {one["deploymentId"]: one for one in answer["deploymentsInfo"]}
    return tuple(known[one] for one in deployments if one in known)
