"""Services that CodeDeploy moves: a second task set beside the first, and traffic that goes from one to the other.

* `appspec`: what CodeDeploy is told, made from the contract.
* `deployments`: made, stopped, turned back. `continuing`: what waits for a person, and goes on.
* `judging`: one of them judged (pure). `looking`: what is read of them, and when.
* `finding`: which deployment group moves a service that others made.

A release moves such a service by them as it moves others by UpdateService; `rollout.watch` follows both kinds.
"""

from __future__ import annotations

from deploylib.bluegreen.deployments import ONE_AT_A_TIME, Move, goes_back, start, stop, target, turn_back, unnoticed
from deploylib.bluegreen.looking import Looks

__all__ = [
    "ONE_AT_A_TIME",
    "Looks",
    "Move",
    "goes_back",
    "start",
    "stop",
    "target",
    "turn_back",
    "unnoticed",
]
