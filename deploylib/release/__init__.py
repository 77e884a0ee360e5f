"""A release over several services: one plan, one lock, one verdict, one entry in the ledger, one way back.

All or none: when one service fails, those that had moved are sent back to the revision that they ran before, so that
what serves is one release. The exit code says which state the release left behind, and the ledger has it too.

* `model`: a release that is about to be carried out, and one that is on its way.
* `proposing`, `going_back`, `resuming`: from what is observed to a release: a new one, a former one, one left behind.
* `execution`: its steps in their order, under the lock. `recording` writes them down as they happen.
* `scaling`: other counts, under the same lock.
* `moving`, `restoring`: services forward, with gates and Ctrl-C; and back.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deploylib.release.execution import execute, restart
    from deploylib.release.going_back import propose_rollback
    from deploylib.release.model import FRESH_SECONDS, Release, exactly
    from deploylib.release.proposing import propose, propose_restart
    from deploylib.release.resuming import follow, propose_resumption
    from deploylib.release.scaling import propose_scale, scale

__all__ = [
    "FRESH_SECONDS",
    "Release",
    "exactly",
    "execute",
    "follow",
    "propose",
    "propose_restart",
    "propose_resumption",
    "propose_rollback",
    "propose_scale",
    "restart",
    "scale",
]

_HOMES = {
    "FRESH_SECONDS": "model",
    "Release": "model",
    "exactly": "model",
    "follow": "resuming",
    "execute": "execution",
    "propose": "proposing",
    "propose_restart": "proposing",
    "propose_resumption": "resuming",
    "propose_rollback": "going_back",
    "propose_scale": "scaling",
    "restart": "execution",
    "scale": "scaling",
}


def __getattr__(name: str) -> Any:
    """Import the part that has *name*: a deploy that has nothing to do loads nothing that executes."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
