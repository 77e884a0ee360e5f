"""Everything that a person or a machine reads of a command. Each part is imported when it is first used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deploylib.report.aftermath import failure_file, kept
    from deploylib.report.bases import base
    from deploylib.report.confirmation import confirmed
    from deploylib.report.console import say, waiting
    from deploylib.report.environments import drift, pending, side_by_side, status
    from deploylib.report.health import health
    from deploylib.report.history import releases
    from deploylib.report.infrastructure import changes
    from deploylib.report.merge_test import merge_tested
    from deploylib.report.overview import lock, state
    from deploylib.report.plans import document, plan
    from deploylib.report.progress import follow
    from deploylib.report.retention import clean, cleaned_up, prune, pruned
    from deploylib.report.tables import table
    from deploylib.report.typing import typed
    from deploylib.report.upkeep import log, ran
    from deploylib.report.verification import verified

__all__ = [
    "base",
    "changes",
    "clean",
    "cleaned_up",
    "confirmed",
    "document",
    "drift",
    "failure_file",
    "follow",
    "health",
    "kept",
    "lock",
    "log",
    "merge_tested",
    "pending",
    "plan",
    "prune",
    "pruned",
    "ran",
    "releases",
    "say",
    "side_by_side",
    "state",
    "status",
    "table",
    "typed",
    "verified",
    "waiting",
]

_HOMES = {
    "base": "bases",
    "changes": "infrastructure",
    "clean": "retention",
    "cleaned_up": "retention",
    "confirmed": "confirmation",
    "document": "plans",
    "drift": "environments",
    "failure_file": "aftermath",
    "follow": "progress",
    "health": "health",
    "kept": "aftermath",
    "lock": "overview",
    "log": "upkeep",
    "merge_tested": "merge_test",
    "pending": "environments",
    "plan": "plans",
    "prune": "retention",
    "pruned": "retention",
    "ran": "upkeep",
    "releases": "history",
    "say": "console",
    "side_by_side": "environments",
    "state": "overview",
    "status": "environments",
    "table": "tables",
    "typed": "typing",
    "verified": "verification",
    "waiting": "console",
}


def __getattr__(name: str) -> Any:
    """Import the part that has *name*: rich is not loaded for commands that print nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
