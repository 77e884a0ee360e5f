"""Rollouts watched to the last old task.

What ECS calls stable is not yet deployed, and what it calls deployed may be a roll-back. So a rollout is followed by
the id of *our* deployment, the one that UpdateService returned, and ends in one of these verdicts:

* **done**: our deployment is COMPLETED, still PRIMARY, runs what is desired, and no task of an older one is anything
  but STOPPED. ListTasks shows only tasks that ECS wants to run unless it is asked for desiredStatus=STOPPED; those
  that are still draining or stopping are found there, by their lastStatus.
* **rolled back**: the circuit breaker, an alarm or a person made ECS return to the former revision.
* **failed**: ECS gave up and does not return, or we did: `same_failure` tasks ended the same way, or `failed_tasks` in
  any. We count by the tasks themselves: ECS's count starts anew with each task that ran for a moment.
* **superseded**: another deployment is PRIMARY now, and not because of a roll-back.
* **timed out**: none of these within the time limit. **not drained**: the new tasks serve, old ones do not stop.

Messages of ECS ("unable to place a task"), single failed tasks and events of the past are told, and never a verdict.

All services of a release are watched together, with hardly more than `reading.READS` calls per look for twenty of
them: one DescribeServices for ten, and the rest in turns. A service with gates is started when these are open.
"""

from __future__ import annotations

from deploylib.rollout.assessment import Look, assess
from deploylib.rollout.gates import Start
from deploylib.rollout.targets import DEPLOYMENT, Description, Outcome, Target, Verdict, describe, target
from deploylib.rollout.watching import watch, watch_restored

__all__ = [
    "DEPLOYMENT",
    "Description",
    "Look",
    "Outcome",
    "Start",
    "Target",
    "Verdict",
    "assess",
    "describe",
    "target",
    "watch",
    "watch_restored",
]
