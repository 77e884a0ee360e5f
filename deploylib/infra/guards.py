"""What a plan may not do without being told so. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploylib.errors import RefusedError
from deploylib.infra.changes import Action, Change, Changes, Danger

if TYPE_CHECKING:
    from deploylib.config import Environment


def check_dangers(
    changes: Changes,
    environment: Environment,
    *,
    destroying: bool = False,
    allow_replace: bool = False,
    allow_delete: bool = False,
) -> None:
    """Raise `RefusedError` when *changes* do what needs a flag that is not given.

    Replacing a service that serves is an outage everywhere: the new one starts from Terraform's template, without an
    image. In a protected environment, what holds data or serves is deleted only when that is asked for; `destroy`
    elsewhere is enough asking.
    """
    replaced = [one for one in changes.changes if one.action is Action.REPLACE and Danger.SERVING in one.dangers]
    if replaced and not allow_replace and not destroying:
        raise _refusal(replaced, environment, "--allow-replace")
    lost = [one for one in changes.changes if one.holds_data or (one.dangers and one.action is Action.DELETE)]
    if lost and environment.protected and not allow_delete:
        raise _refusal(lost, environment, "--allow-delete")


def _refusal(changes: list[Change], environment: Environment, flag: str) -> RefusedError:
    lines = "\n".join(f"  {one.action}: {one.address} {', '.join(one.dangers)}" for one in changes)
    return RefusedError(
        f"{environment.name}: the plan is refused\n{lines}", hint=f"if that is meant, add {flag} to the same command"
    )
