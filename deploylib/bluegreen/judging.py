"""One deployment of CodeDeploy judged from what was read of it (pure): where it stands, and the verdict if it has one.

Succeeded is not yet done: the original task set has to be gone, to its last task. Failed and Stopped are told apart by
what serves now: the original again, or something that a third party brought.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deploylib import events
from deploylib.bluegreen.deployments import UNDER_WAY, is_brought_back
from deploylib.rollout import Look
from deploylib.taskdef import short

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from deploylib.rollout import Target, Verdict

    Seen = Mapping[str, Any]

WORD = re.compile(r"(?<=[a-z])(?=[A-Z])")
INSTALL = "Install"
CONTINUE = "waits for inv continue"
READY, TERMINATION = "READY_WAIT", "TERMINATION_WAIT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What was read of one deployment.

    *info* is CodeDeploy's account of it, *progress* of the service in it (lifecycle events, task sets with their share
    of the traffic), *description* ECS's of the service. *leaving* older tasks are not STOPPED yet, as far as that was
    *proven*; *others* are deployments of the group that are under way beside it; its own roll-back is none.
    """

    info: Seen
    progress: Seen
    description: Seen
    leaving: int = 0
    proven: bool = False
    others: tuple[str, ...] = ()


def assess(target: Target, facts: Facts) -> Look:
    """Judge one deployment."""
    status, state = str(facts.info.get("status", "")), standing(target, facts)
    if status in UNDER_WAY:
        return Look(standing=state)
    if status == "Succeeded":
        return _succeeded(target, facts, state)
    verdict, reason = _ended(target, facts)
    return Look(standing=state, verdict=verdict, reason=reason)


def _succeeded(target: Target, facts: Facts, state: events.Standing) -> Look:
    if taker := _taker(target, facts):
        return Look(standing=state, verdict="superseded", reason=taker)
    gone = facts.proven and not facts.leaving and not _others(target, facts)
    return Look(standing=state, verdict="done" if gone else None)


def _ended(target: Target, facts: Facts) -> tuple[Verdict, str]:
    reason = why(facts)
    if taker := _taker(target, facts):
        return "superseded", f"{taker}, after ours had ended: {reason}"
    return ("rolled back" if is_brought_back(facts.info) else "failed"), reason


def _taker(target: Target, facts: Facts) -> str:
    """Say which other deployment has taken the service over, if one has; our own roll-back is none."""
    if facts.others:
        return f"deployment {facts.others[0]} took over"
    ours = {target.deployment, str((facts.info.get("rollbackInfo") or {}).get("rollbackDeploymentId", ""))}
    now = _primary(facts.description)
    former = now.get("id") in target.former or now.get("taskDefinition") == target.previous
    if not now or former or now.get("externalId") in ours:
        return ""
    return f"deployment {now.get('externalId') or now.get('id')} of {short(now.get('taskDefinition', '?'))} took over"


def why(facts: Facts) -> str:
    """Return why a deployment ended before its time, in CodeDeploy's words and those of the hook that failed."""
    said = facts.info.get("errorInformation") or {}
    code, message = str(said.get("code", "")), str(said.get("message", "")).strip()
    parts = [": ".join(filter(None, (code, message))) or f"CodeDeploy calls it {facts.info.get('status')}"]
    for one in _lifecycle(facts, "Failed"):
        found = one.get("diagnostics") or {}
        told = (str(found.get(key, "")).strip() for key in ("message", "logTail"))
        parts.append(": ".join(filter(None, (str(one["lifecycleEventName"]), *told))))
    return "; ".join(parts)


def standing(target: Target, facts: Facts) -> events.Standing:
    """Return where the deployment is: tasks of both task sets, and what CodeDeploy does."""
    ours, others = replacement(target, facts.description), _others(target, facts)
    old = sum(int(one.get("runningCount", 0)) + int(one.get("pendingCount", 0)) for one in others)
    return events.Standing(
        service=target.key,
        desired=int(ours.get("computedDesiredCount", target.desired)),
        running=int(ours.get("runningCount", 0)),
        pending=int(ours.get("pendingCount", 0)),
        failed=0,
        old=old or facts.leaving,
        state=_state(facts),
        message=_traffic(facts),
    )


def _state(facts: Facts) -> str:
    info = facts.info
    if info.get("status") == "Succeeded":
        return "draining"
    if waits := waits_for(info):
        return CONTINUE if waits == READY else "termination wait"
    running = [str(one["lifecycleEventName"]) for one in _lifecycle(facts, "InProgress")]
    name = running[-1] if running else str(info.get("status", "not seen"))
    return WORD.sub(" ", name).lower()


def waits_for(info: Seen) -> str:
    """Return what ContinueDeployment would end: the wait before traffic moves, or the one for the original tasks."""
    if info.get("status") not in UNDER_WAY:
        return ""
    if info.get("instanceTerminationWaitTimeStarted"):
        return TERMINATION
    return READY if info.get("status") == "Ready" else ""


def _traffic(facts: Facts) -> str:
    """Say how the traffic is shared, while it is."""
    green = [one for one in _sets(facts) if one.get("taskSetLabel") == "Green"]
    weight = float(green[0].get("trafficWeight") or 0) if green else 0.0
    return f"{weight:g} % of the traffic is on the new tasks" if weight else ""


def replacement(target: Target, description: Seen) -> Seen:
    """Return the task set that our deployment made, as ECS describes it; nothing before it is there."""
    sets: Sequence[Seen] = description.get("taskSets", ())
    return next((one for one in sets if one.get("externalId") == target.deployment), {})


def installing(facts: Facts) -> bool:
    """Whether CodeDeploy waits for the new tasks to be healthy."""
    return any(one["lifecycleEventName"] == INSTALL for one in _lifecycle(facts, "InProgress"))


def _others(target: Target, facts: Facts) -> list[Seen]:
    ours = replacement(target, facts.description).get("id")
    return [one for one in facts.description.get("taskSets", ()) if one["id"] != ours]


def _primary(description: Seen) -> Seen:
    sets: Sequence[Seen] = description.get("taskSets", ())
    return next((one for one in sets if one["status"] == "PRIMARY"), {})


def _sets(facts: Facts) -> Sequence[Seen]:
    found: Sequence[Seen] = facts.progress.get("taskSetsInfo", ())
    return found


def _lifecycle(facts: Facts, status: str) -> Iterator[Seen]:
    return (one for one in facts.progress.get("lifecycleEvents", ()) if one.get("status") == status)
