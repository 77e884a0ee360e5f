"""One service judged from what was read of it (pure): where its rollout stands, and the verdict if there is one."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deploylib import events, service_deployments, stopped, taskdef
from deploylib.rollout.targets import Description, Target, Verdict, primary

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploylib.config import Rollout


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one look at a service says: where it stands, the verdict if there is one already, and what to say once."""

    standing: events.Standing
    verdict: Verdict | None = None
    reason: str = ""
    notices: tuple[str, ...] = ()


def assess(
    target: Target,
    description: Description | None,
    *,
    settings: Rollout,
    tasks: Sequence[Description] = (),
    record: Description | None = None,
) -> Look:
    """Judge one service; `done` still wants the proof that the old tasks are gone.

    Args:
        target: our deployment
        description: the service, or None when ECS has it no more
        settings: what counts as a failure
        tasks: those of our deployment that ended, as far as they were read
        record: our service deployment, where that may be read
    """
    if description is None:
        return Look(standing=standing(target, {}, {}), verdict="failed", reason="the service is gone")
    ours = next((one for one in description["deployments"] if one["id"] == target.deployment), None)
    counted = _failures(ours, tasks)
    state = standing(target, description, ours or {}, failed=len(counted))
    if ours is None or ours["status"] != "PRIMARY" or ours.get("rolloutState") == "FAILED":
        return _lost(target, description, ours, state, record)
    completed = ours.get("rolloutState") == "COMPLETED"
    if not completed and service_deployments.goes_back(record):
        reason = service_deployments.why(record) or "ECS returns to the former revision"
        return Look(standing=state, verdict="rolled back", reason=reason)
    if enough := given_up(counted, state.failed, settings, completed=completed):
        return Look(standing=state, verdict="failed", reason=enough)
    reached = completed and state.running >= state.desired
    notices = _notices(target, description, state) if completed else ()
    return Look(standing=state, verdict="done" if reached and not state.old else None, notices=notices)


def standing(target: Target, description: Description, ours: Description, *, failed: int = 0) -> events.Standing:
    """Return where the rollout is, as counts; *failed* tasks were counted by us."""
    others = [one for one in description.get("deployments", ()) if one["id"] != target.deployment]
    fresh = fresh_messages(target, description)
    return events.Standing(
        service=target.key,
        desired=int(ours.get("desiredCount", description.get("desiredCount", 0))),
        running=int(ours.get("runningCount", 0)),
        pending=int(ours.get("pendingCount", 0)),
        failed=max(int(ours.get("failedTasks", 0)), failed),
        old=sum(int(one.get("runningCount", 0)) + int(one.get("pendingCount", 0)) for one in others),
        state=str(ours.get("rolloutState", "not seen")).lower().replace("_", " "),
        message=fresh[0] if fresh else "",
    )


def fresh_messages(target: Target, description: Description) -> tuple[str, ...]:
    """Return what ECS has said of the service since our deployment began, the newest first."""
    return tuple(str(one["message"]) for one in description.get("events", ()) if one["id"] not in target.known_events)


def started_tasks(target: Target, description: Description) -> int:
    """Return how many tasks ECS says to have started since; a hint to look at the tasks, and never more than that."""
    starts = [one for one in fresh_messages(target, description) if "has started" in one]
    return sum(one.count("(task ") for one in starts)


def _failures(ours: Any, tasks: Sequence[Description]) -> tuple[str, ...]:
    """Return how each task failed that counts: of a deployment that has all it wants, only those that failed since."""
    failed = [one for one in tasks if stopped.failed_by_itself(one)]
    if ours is not None and ours.get("rolloutState") == "COMPLETED" and ours["runningCount"] >= ours["desiredCount"]:
        failed = [one for one in failed if stopped.ended_after(one, ours["updatedAt"])]
    return failures(failed)


def failures(tasks: Sequence[Description]) -> tuple[str, ...]:
    """Return how each of *tasks* failed that failed by itself."""
    return tuple(stopped.kind(one) for one in tasks if stopped.failed_by_itself(one))


def given_up(failures: Sequence[str], failed: int, settings: Rollout, *, completed: bool = False) -> str:
    """Return why not to wait any longer, if so: *failures* are those that were read, of *failed* in all."""
    for kind, count in Counter(failures).most_common(1):
        if count >= settings.same_failure:
            return f"{count} tasks ended the same way: {kind}" if count > 1 else f"a task ended: {kind}"
    counted = len(failures) if completed else failed
    return f"gave up after {counted} failed tasks" if counted >= settings.failed_tasks else ""


def _notices(target: Target, description: Description, state: events.Standing) -> tuple[str, ...]:
    """Return what COMPLETED does not mean here."""
    early = (description.get("deploymentConfiguration") or {}).get("earlySuccessCriteria") or {}
    if not state.desired:
        return (f"{target.key}: 0 tasks are wanted, so none has shown that the new revision starts",)
    if early.get("enable") and (state.running < state.desired or state.old):
        return (f"{target.key}: ECS calls it a success before all is done; the rest of it is waited for all the same",)
    return ()


def _lost(
    target: Target, description: Description, ours: Any, state: events.Standing, record: Description | None
) -> Look:
    """Tell a roll-back, a failure and another deployment apart, once ours is no longer on its way."""
    now = primary(description)
    failed = ours is not None and ours.get("rolloutState") == "FAILED"
    back = service_deployments.goes_back(record) or (ours is None and _is_rollback(target, now))
    if (failed or back) and not _is_somebody_elses(target, now):
        verdict: Verdict = "rolled back" if back or _returns_by_itself(description) else "failed"
        said = service_deployments.why(record) or (ours or {}).get("rolloutStateReason")
        return Look(standing=state, verdict=verdict, reason=str(said or "ECS returned to the former revision"))
    taker = f"deployment {now.get('id', '?')} of {taskdef.short(str(now.get('taskDefinition', '?')))} took over"
    return Look(standing=state, verdict="superseded", reason=f"{taker}, after ours had failed" if failed else taker)


def _is_rollback(target: Target, now: Description) -> bool:
    """Tell ECS's return to the former revision from somebody else's update to it."""
    by_ecs = now.get("id") in target.former or "roll" in str(now.get("rolloutStateReason", ""))
    return by_ecs and now.get("taskDefinition") == target.previous


def _is_somebody_elses(target: Target, now: Description) -> bool:
    """Whether what is PRIMARY now is neither ours nor what ECS would return to."""
    known = now.get("id") in {target.deployment, *target.former} or "roll" in str(now.get("rolloutStateReason", ""))
    return bool(now) and not known and bool(target.previous) and now.get("taskDefinition") != target.previous


def _returns_by_itself(description: Description) -> bool:
    configuration = description.get("deploymentConfiguration") or {}
    breaker, alarms = configuration.get("deploymentCircuitBreaker") or {}, configuration.get("alarms") or {}
    return bool(breaker.get("rollback") or (alarms.get("enable") and alarms.get("rollback")))
