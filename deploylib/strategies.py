"""How a service moves to a new revision, told from the live service: rolling, by CodeDeploy, or ECS's own other ways.

A service under CodeDeploy has task sets where others have deployments. `steered` shows these as deployments, in the
same words: PRIMARY is what is steered to, IN_PROGRESS while an original task set is beside it. So whoever plans, counts
or tells what runs has one shape to read.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    Description = Mapping[str, Any]

Strategy = Literal["rolling", "codedeploy", "blue/green", "linear", "canary"]
CODE_DEPLOY = "CODE_DEPLOY"
OWN: Mapping[str, Strategy] = {"BLUE_GREEN": "blue/green", "LINEAR": "linear", "CANARY": "canary"}
WORDS: Mapping[Strategy, str] = {
    "rolling": "",
    "codedeploy": "blue/green by CodeDeploy",
    "blue/green": "blue/green by ECS",
    "linear": "linear by ECS",
    "canary": "canary by ECS",
}
WHOLE = 100.0
PAUSE_MINUTES = 1440  # ECS's own, of a hook without a time limit


def of(description: Description) -> Strategy:
    """Return how the described service moves; one that says nothing rolls."""
    if by_codedeploy(description):
        return "codedeploy"
    return OWN.get(str((description.get("deploymentConfiguration") or {}).get("strategy")), "rolling")


def by_codedeploy(description: Description) -> bool:
    """Whether only CodeDeploy may give the described service another revision."""
    return (description.get("deploymentController") or {}).get("type") == CODE_DEPLOY


def steered(description: Description) -> Description:
    """Return *description* with deployments where it has task sets, and the revision that is steered to.

    That is the newest one which is not being deleted (DRAINING). Its deployment bears, as `externalId`, the id that
    CodeDeploy knows it by. The target group is that of the task set that takes the traffic.
    """
    if not by_codedeploy(description):
        return description
    sets = sorted(description.get("taskSets", ()), key=lambda one: one["createdAt"], reverse=True)
    kept = [one for one in sets if one["status"] != "DRAINING"]
    if not kept:
        return {**description, "deployments": []}
    deployments = [_deployment(one, newest=one is kept[0], alone=len(kept) == 1) for one in kept]
    serving = next((one for one in kept if one["status"] == "PRIMARY"), kept[0])
    balancers = serving.get("loadBalancers") or description.get("loadBalancers", [])
    revision = kept[0]["taskDefinition"]
    return {**description, "taskDefinition": revision, "deployments": deployments, "loadBalancers": balancers}


def _deployment(task_set: Description, *, newest: bool, alone: bool) -> dict[str, Any]:
    under_way = newest and (not alone or task_set.get("stabilityStatus") == "STABILIZING")
    return {
        "id": task_set["id"],
        "externalId": task_set.get("externalId", ""),
        "status": "PRIMARY" if newest else "ACTIVE",
        "taskDefinition": task_set["taskDefinition"],
        "desiredCount": task_set.get("computedDesiredCount", 0),
        "runningCount": task_set.get("runningCount", 0),
        "pendingCount": task_set.get("pendingCount", 0),
        "failedTasks": 0,
        "rolloutState": "IN_PROGRESS" if under_way else "COMPLETED",
        "createdAt": task_set["createdAt"],
        "updatedAt": task_set.get("updatedAt", task_set["createdAt"]),
    }


def waiting_minutes(description: Description) -> tuple[tuple[float, str], ...]:
    """Return how long ECS itself waits on the way to a new revision, and for what: bake times, steps."""
    configuration = description.get("deploymentConfiguration") or {}
    linear, canary = configuration.get("linearConfiguration") or {}, configuration.get("canaryConfiguration") or {}
    step = float(linear.get("stepPercent") or WHOLE)
    strategy = of(description)
    found = [(float(configuration.get("bakeTimeInMinutes") or 0), "of bake time")]
    if strategy == "linear":
        steps = math.ceil(WHOLE / step) - 1
        found.append((steps * float(linear.get("stepBakeTimeInMinutes") or 0), f"of bake time after {steps} steps"))
    if strategy == "canary":
        found.append((float(canary.get("canaryBakeTimeInMinutes") or 0), "of the canary's bake time"))
    return tuple(one for one in found if one[0])


def course(description: Description) -> tuple[str, ...]:
    """Return what ECS does on its way to a new revision, in words; nothing of a service that rolls."""
    configuration, strategy = description.get("deploymentConfiguration") or {}, of(description)
    if strategy not in OWN.values():
        return ()
    bake, hooks = float(configuration.get("bakeTimeInMinutes") or 0), configuration.get("lifecycleHooks", ())
    called = [_stages(one) for one in hooks if not pauses(one)]
    return (
        *([f"calls hooks at {', '.join(called)}"] if called else []),
        *(f"waits up to {_pause(one):g} min for inv continue at {_stages(one)}" for one in hooks if pauses(one)),
        _traffic(configuration, strategy),
        *([f"keeps the former tasks for {bake:g} min"] if bake else []),
    )


def _traffic(configuration: Mapping[str, Any], strategy: Strategy) -> str:
    linear, canary = configuration.get("linearConfiguration") or {}, configuration.get("canaryConfiguration") or {}
    if strategy == "linear":
        step, minutes = linear.get("stepPercent") or WHOLE, linear.get("stepBakeTimeInMinutes") or 0
        return f"moves {step:g} % more of the traffic every {minutes:g} min"
    if strategy == "canary":
        first, minutes = canary.get("canaryPercent") or WHOLE, canary.get("canaryBakeTimeInMinutes") or 0
        return f"moves {first:g} % of the traffic first, the rest {minutes:g} min later"
    return "moves all traffic at once"


def _stages(hook: Mapping[str, Any]) -> str:
    return ", ".join(str(one).lower().replace("_", " ") for one in hook.get("lifecycleStages", ()))


def pause_minutes(description: Description) -> float:
    """Return how long hooks may hold a deployment up until a person goes on."""
    hooks = (description.get("deploymentConfiguration") or {}).get("lifecycleHooks", ())
    return sum(_pause(one) for one in hooks if pauses(one))


def pauses(hook: Mapping[str, Any]) -> bool:
    """Whether a lifecycle hook waits for a person."""
    return hook.get("targetType") == "PAUSE"


def _pause(hook: Mapping[str, Any]) -> float:
    minutes = (hook.get("timeoutConfiguration") or {}).get("timeoutInMinutes") or PAUSE_MINUTES
    return float(minutes) * len(hook.get("lifecycleStages", ()))
