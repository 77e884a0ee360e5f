"""What waits for a person, and goes on: CodeDeploy before traffic moves or the original tasks go, ECS's PAUSE hooks.

It takes no lock: whoever waits is mostly a release that has it, and sees by itself that it goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deploylib import aws, observe, strategies
from deploylib.bluegreen import deployments, judging
from deploylib.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from deploylib.aws import Account
    from deploylib.config import Environment
    from deploylib.plan import LiveService

READY = "its new version is healthy; traffic moves next"
READY_ON_TEST = "its new version is on the test listener; traffic moves next"
TERMINATION = "all traffic is on the new version; the original tasks go next"
AWAITING, PAUSE, PAGE = "AWAITING_ACTION", "PAUSE", 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A deployment of *service* that waits for a person; *what* is what happens next.

    `wait` is CodeDeploy's kind of it, `hook` the id of ECS's.
    """

    service: str
    deployment: str
    what: str
    wait: str = ""
    hook: str = ""


def look(account: Account, environment: Environment, *, service: str = "") -> tuple[Waiting, ...]:
    """Return what waits, of *service* or of all; raise `RefusedError` when nothing does, or in the wrong account.

    Two calls for a service under CodeDeploy, two for one whose deployments ECS may pause, none for the others.
    """
    aws.guard(account, environment)
    contract = observe.contract(account, environment)
    live = observe.live(account, contract)
    found = tuple(
        each for one in live.services if service in ("", one.key) for each in of(account, contract.cluster, one)
    )
    if not found:
        which = f" of {service}" if service else ""
        raise RefusedError(
            f"{environment.name}: no deployment{which} waits for anybody", hint=f"inv status --env {environment.name}"
        )
    return found


def of(account: Account, cluster: str, live: LiveService) -> tuple[Waiting, ...]:
    """Return which deployments of *live* wait for a person."""
    return (*_by_codedeploy(account, live), *_paused(account, cluster, live))


def go_on(account: Account, waiting: Waiting) -> None:
    """Let one deployment go on; raise `AwsError` when it did not wait any more."""
    if waiting.hook:
        account.ecs.continue_service_deployment(
            serviceDeploymentArn=waiting.deployment, hookId=waiting.hook, action="CONTINUE"
        )
    else:
        account.codedeploy.continue_deployment(deploymentId=waiting.deployment, deploymentWaitType=waiting.wait)


def _by_codedeploy(account: Account, live: LiveService) -> Iterator[Waiting]:
    settings = live.contract.codedeploy
    if live.strategy != "codedeploy" or settings is None:
        return
    for one in deployments.under_way(account, settings):
        if wait := judging.waits_for(one):
            what = TERMINATION if wait == judging.TERMINATION else _ready(live)
            yield Waiting(service=live.key, deployment=str(one["deploymentId"]), what=what, wait=wait)


def _ready(live: LiveService) -> str:
    balancer = live.contract.load_balancer
    return READY_ON_TEST if balancer and balancer.test_listener else READY


def _paused(account: Account, cluster: str, live: LiveService) -> Iterator[Waiting]:
    hooks = (live.description.get("deploymentConfiguration") or {}).get("lifecycleHooks", ())
    if not any(strategies.pauses(one) for one in hooks):
        return
    answer = account.ecs.list_service_deployments(
        cluster=cluster, service=live.contract.name, status=["IN_PROGRESS"], maxResults=PAGE
    )
    if arns := [one["serviceDeploymentArn"] for one in answer["serviceDeployments"]]:
        found: Any = account.ecs.describe_service_deployments(serviceDeploymentArns=arns)
        for one in found["serviceDeployments"]:
            yield from (_pause(live, one, hook) for hook in one.get("lifecycleHookDetails", ()) if _awaits(hook))


def _awaits(hook: Mapping[str, Any]) -> bool:
    return hook.get("targetType") == PAUSE and hook.get("status") == AWAITING


def _pause(live: LiveService, record: Mapping[str, Any], hook: Mapping[str, Any]) -> Waiting:
    stage = str(record.get("lifecycleStage", "")).lower().replace("_", " ")
    until = f", until {hook['expiresAt']:%Y-%m-%d %H:%M} UTC" if hook.get("expiresAt") else ""
    return Waiting(
        service=live.key,
        deployment=str(record["serviceDeploymentArn"]),
        what=f"ECS pauses at {stage or 'a stage'}{until}",
        hook=str(hook["hookId"]),
    )
