"""How long a rollout may take: computed from how the service's tasks start and stop, and how many are replaced at once.

A rollout goes in waves: as many new tasks start as `maximumPercent` has room for, then as many old ones leave. Each
wave takes a start and, before the next one has room, a stop. The limit is twice what that adds up to, so that one
failed attempt fits in, and never less than ten minutes: what fails for good is noticed long before it, by its tasks.
"""

from __future__ import annotations

import functools
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deploylib import strategies
from deploylib.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from deploylib.aws import Account

PARALLEL_CALLS = 8
SHORTEST_SECONDS, LONGEST_SECONDS = 600.0, 6 * 3600.0
ROUND_SECONDS = 30.0
STARTING_SECONDS = 90.0  # a place, a network interface, and an image of some size
STOPPING_SECONDS = 15.0  # what ECS takes from the last process to STOPPED
STOP_TIMEOUT_SECONDS = 30.0  # ECS's own, where the task definition has none
DEREGISTRATION_SECONDS = 300.0  # Elastic Load Balancing's own, for where we may not ask
DELAY, SLOW_START = "deregistration_delay.timeout_seconds", "slow_start.duration_seconds"
NOT_TOLD = frozenset({"AccessDenied", "AccessDeniedException", "TargetGroupNotFound"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """How many seconds a rollout may take, and *why*: what that is made of, each part as words."""

    seconds: float
    why: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetGroup:
    """What a target group does to a rollout: how long connections drain, how long a new target is spared.

    *assumed*: it could not be read, and AWS's own defaults stand here.
    """

    deregistration_seconds: float = DEREGISTRATION_SECONDS
    slow_start_seconds: float = 0.0
    assumed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    seconds: float
    what: str
    in_minutes: bool = False

    def __str__(self) -> str:
        return f"{self.seconds / 60:g} min {self.what}" if self.in_minutes else f"{self.seconds:g} s {self.what}"


def observe(account: Account, descriptions: Iterable[Mapping[str, Any]]) -> dict[str, TargetGroup]:
    """Return the target groups of the services in *descriptions* (of DescribeServices) by ARN, one call for each.

    One that we may not ask about, or that is gone, is left out: `limit` then counts with AWS's own default.
    """
    arns = sorted({arn for one in descriptions for arn in groups_of(one)})
    with ThreadPoolExecutor(PARALLEL_CALLS) as pool:
        found = dict(zip(arns, pool.map(functools.partial(_target_group, account), arns), strict=True))
    return {arn: one for arn, one in found.items() if one is not None}


def groups_of(description: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the ARNs of the target groups that a service of this description registers its tasks in."""
    return tuple(one["targetGroupArn"] for one in description.get("loadBalancers", ()) if one.get("targetGroupArn"))


def _target_group(account: Account, arn: str) -> TargetGroup | None:
    try:
        answer = account.elbv2.describe_target_group_attributes(TargetGroupArn=arn)
    except AwsError as error:
        if error.code in NOT_TOLD or error.transient:
            return None
        raise
    values = {one["Key"]: float(one["Value"]) for one in answer["Attributes"] if one["Key"] in (DELAY, SLOW_START)}
    return TargetGroup(
        deregistration_seconds=values.get(DELAY, DEREGISTRATION_SECONDS), slow_start_seconds=values.get(SLOW_START, 0.0)
    )


def limit(
    description: Mapping[str, Any],
    definition: Mapping[str, Any],
    target_groups: Mapping[str, TargetGroup],
    *,
    desired: int | None = None,
    waits: Mapping[str, float] | None = None,
) -> Limit:
    """Return the time limit of a rollout (pure).

    Args:
        description: the service, as DescribeServices has it
        definition: the task definition whose tasks start
        target_groups: what `observe` returned
        desired: how many tasks are wanted, where that is not the description's
        waits: what else is waited for, however long: minutes by what it is
    """
    count = int(description.get("desiredCount", 0)) if desired is None else desired
    groups = [target_groups.get(arn, TargetGroup(assumed=True)) for arn in groups_of(description)]
    start, stop = _start(description, definition, groups), _stop(definition, groups)
    waves, bake = _waves(description, count), _bake(description)
    once = sum(one.seconds for one in (*start, *stop))
    wanted = 2 * (waves * once + sum(one.seconds for one in bake))
    seconds = min(max(math.ceil(wanted / ROUND_SECONDS) * ROUND_SECONDS, SHORTEST_SECONDS), LONGEST_SECONDS)
    many = (f"{waves} waves of tasks, each:",) if waves > 1 else ()
    bound = "twice the sum" if seconds == math.ceil(wanted / ROUND_SECONDS) * ROUND_SECONDS else _bound(seconds)
    beside = _waits({**(waits or {}), "of pauses": strategies.pause_minutes(description)})
    return Limit(
        seconds=seconds + sum(one.seconds for one in beside),
        why=(*many, *map(str, (*start, *stop)), *map(str, bake), bound, *(f"plus {one}" for one in beside)),
    )


def _waits(minutes: Mapping[str, float]) -> tuple[_Part, ...]:
    return tuple(_Part(seconds=each * 60, what=what, in_minutes=True) for what, each in minutes.items() if each)


def _bound(seconds: float) -> str:
    return f"at least {seconds:g} s" if seconds == SHORTEST_SECONDS else f"at most {seconds:g} s"


def _start(
    description: Mapping[str, Any], definition: Mapping[str, Any], groups: Sequence[TargetGroup]
) -> tuple[_Part, ...]:
    checks = max((_until_healthy(one) for one in definition.get("containerDefinitions", ())), default=0.0)
    parts = (
        _Part(seconds=STARTING_SECONDS, what="to place a task, pull its images and start"),
        _Part(seconds=checks, what="until its health check passes"),
        _Part(seconds=float(description.get("healthCheckGracePeriodSeconds") or 0), what="of grace period"),
        _Part(seconds=max((one.slow_start_seconds for one in groups), default=0.0), what="of slow start"),
    )
    return tuple(one for one in parts if one.seconds)


def _stop(definition: Mapping[str, Any], groups: Sequence[TargetGroup]) -> tuple[_Part, ...]:
    timeouts = [one.get("stopTimeout", STOP_TIMEOUT_SECONDS) for one in definition.get("containerDefinitions", ())]
    assumed = " (AWS's default: it could not be read)" if any(one.assumed for one in groups) else ""
    delay = max((one.deregistration_seconds for one in groups), default=0.0)
    parts = (
        _Part(seconds=delay, what=f"of deregistration delay{assumed}"),
        _Part(seconds=float(max(timeouts, default=STOP_TIMEOUT_SECONDS)), what="of stop timeout"),
        _Part(seconds=STOPPING_SECONDS, what="until ECS calls it stopped"),
    )
    return tuple(one for one in parts if one.seconds)


def _until_healthy(container: Mapping[str, Any]) -> float:
    """Return how long ECS waits at most before it calls a container unhealthy; its defaults are 30 s and 3 retries."""
    check = container.get("healthCheck")
    if not check:
        return 0.0
    return float(check.get("startPeriod") or 0) + float(check.get("interval", 30)) * float(check.get("retries", 3))


def _bake(description: Mapping[str, Any]) -> tuple[_Part, ...]:
    waited = strategies.waiting_minutes(description)
    return tuple(_Part(seconds=minutes * 60, what=what, in_minutes=True) for minutes, what in waited)


def _waves(description: Mapping[str, Any], count: int) -> int:
    """Return in how many waves *count* tasks are replaced, by the percentages that ECS rounds in its own way.

    Every strategy but the rolling one has all new tasks beside the old ones before it moves traffic.
    """
    if strategies.of(description) != "rolling":
        return 1
    configuration = description.get("deploymentConfiguration") or {}
    most = count * int(configuration.get("maximumPercent", 200)) // 100
    fewest = math.ceil(count * int(configuration.get("minimumHealthyPercent", 100)) / 100)
    return math.ceil(count / max(1, most - fewest)) if count else 1
