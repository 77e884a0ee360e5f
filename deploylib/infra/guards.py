"""What a plan may not do without being told so. Pure."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from deploylib.errors import RefusedError
from deploylib.infra.changes import Action

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from deploylib.config import Environment
    from deploylib.infra.changes import Change, Changes

FLAG = "--allow-destroy"
SERVICE = "aws_ecs_service"
THE_WAY = "docs/releases.md#from-rolling-to-codedeploy-and-back has a way without interruption; "


def check_dangers(
    changes: Changes, environment: Environment, *, destroying: bool = False, allowed: Sequence[str] = ()
) -> None:
    """Raise `RefusedError` when *changes* take away what holds data, serves or is used, and it is not *allowed*.

    *allowed* are addresses of objects, or of modules for everything in them. A whole environment that is *destroying*
    needs them only when it is protected: otherwise the command itself is enough asking.
    """
    if destroying and not environment.protected:
        return
    refused = [one for one in changes.changes if one.dangers and not _is_allowed(one.address, allowed)]
    if refused:
        flags = " ".join(f"{FLAG} {shlex.quote(one.address)}" for one in refused)
        way = [f"  another deployment controller, nothing serves meanwhile: {one}" for one in _switched(changes)]
        raise RefusedError(
            "\n".join([f"{environment.name}: the plan is refused", *map(_line, refused), *way]),
            hint=f"{THE_WAY if way else ''}if that is meant, add to the same command: {flags}",
        )


def _switched(changes: Changes) -> Iterator[str]:
    """Yield the modules whose service goes while they make another one: its deployment controller changes."""
    services = [one for one in changes.changes if one.type == SERVICE and one.module]
    made = {one.module for one in services if one.action == Action.CREATE}
    yield from (one.module for one in services if one.action == Action.DELETE and one.module in made)


def _is_allowed(address: str, allowed: Sequence[str]) -> bool:
    modules = [one for one in allowed if one.startswith("module.")]
    return address in allowed or any(address.startswith((f"{one}.", f"{one}[")) for one in modules)


def _line(change: Change) -> str:
    users = f" ({', '.join(change.used_by)})" if change.used_by else ""
    return f"  {change.action}: {change.address} {', '.join(change.dangers)}{users}"
