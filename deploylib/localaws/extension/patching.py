"""Replace functions of MiniStack, and refuse a MiniStack that is not the one they were read in."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

MINISTACK = "1.5.33"
TABLES = ("_ACTION_MAP", "_IAM_HANDLERS")  # where its modules keep which function answers which action


class IncompatibleEmulatorError(Exception):
    """The MiniStack that is installed is not the one this extension was written for."""


def require_version(installed: str) -> None:
    """Refuse any other release: the functions that are replaced are private."""
    if installed != MINISTACK:
        raise IncompatibleEmulatorError(f"this extension is written for ministack {MINISTACK}, not {installed}")


def require(owner: Any, *names: str) -> None:
    """Refuse an *owner* that lacks one of *names*."""
    if missing := [name for name in names if not hasattr(owner, name)]:
        raise IncompatibleEmulatorError(f"{_named(owner)} has no {', '.join(missing)}")


def replace(owner: Any, signature: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Put the decorated function in the place of `owner.<name>`; *signature* is `name(parameter, …)` as it stands."""
    name, original = _expected(owner, signature)

    def install(function: Callable[..., Any]) -> Callable[..., Any]:
        setattr(owner, name, function)
        for table in TABLES:
            _redirect(getattr(owner, table, {}), original, function)
        return function

    return install


def wrap(owner: Any, signature: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Do as `replace`, but hand the decorated function the original as its first argument."""
    _, original = _expected(owner, signature)

    def install(function: Callable[..., Any]) -> Callable[..., Any]:
        if inspect.iscoroutinefunction(original):

            async def waiting(*args: Any, **kwargs: Any) -> Any:
                return await function(original, *args, **kwargs)

            bound: Callable[..., Any] = waiting
        else:
            bound = functools.partial(function, original)
        bound.__signature__ = inspect.signature(original)  # type: ignore[attr-defined]  # another may wrap this one
        replace(owner, signature)(bound)
        return function

    return install


def answer(owner: Any, action: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Let the decorated function answer an *action* that MiniStack does not know."""
    table = next((getattr(owner, name) for name in TABLES if hasattr(owner, name)), None)
    if table is None or action in table:
        raise IncompatibleEmulatorError(f"{_named(owner)} has no table of actions, or has {action} already")

    def install(function: Callable[..., Any]) -> Callable[..., Any]:
        table[action] = function
        return function

    return install


def _expected(owner: Any, signature: str) -> tuple[str, Callable[..., Any]]:
    name = signature.partition("(")[0]
    require(owner, name)
    original = getattr(owner, name)
    found = f"{name}({', '.join(inspect.signature(original).parameters)})"
    if found != signature:
        raise IncompatibleEmulatorError(f"{_named(owner)} has {found} where {signature} was expected")
    return name, original


def _redirect(table: dict[str, Any], original: Callable[..., Any], function: Callable[..., Any]) -> None:
    for action, handler in table.items():
        if handler is original:
            table[action] = function


def _named(owner: Any) -> str:
    return str(getattr(owner, "__name__", owner))
