"""The answer to one question, and the tree of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from deploylib.errors import AwsError, DeployError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

State = Literal["OK", "WARNING", "MISSING", "SKIPPED"]
WORST: tuple[State, ...] = ("MISSING", "WARNING", "SKIPPED", "OK")
DENIED = frozenset(
    {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError", "NotAuthorized"}
)
MOST_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that a release needs: what was *found*, the command that mends it, and the *parts* it is made of.

    OK: it is there. MISSING: a release would fail. WARNING: it would be worse off. SKIPPED: it could not be asked,
    *found* says why.
    """

    what: str
    state: State
    found: str = ""
    next: str = ""
    parts: tuple[Check, ...] = ()

    @property
    def leaves(self) -> Iterator[tuple[tuple[str, ...], Check]]:
        """Every answer without parts, with the path to it."""
        if not self.parts:
            yield (self.what,), self
        for part in self.parts:
            yield from (((self.what, *path), leaf) for path, leaf in part.leaves)


def ok(what: str, found: str = "") -> Check:
    """Return that it is there."""
    return Check(what=what, state="OK", found=found)


def missing(what: str, found: str, next_: str = "") -> Check:
    """Return that a release would fail for it."""
    return Check(what=what, state="MISSING", found=found, next=next_)


def warning(what: str, found: str, next_: str = "") -> Check:
    """Return that a release would be worse off for it."""
    return Check(what=what, state="WARNING", found=found, next=next_)


def skipped(what: str, why: str) -> Check:
    """Return that it could not be asked."""
    return Check(what=what, state="SKIPPED", found=why)


def together(what: str, parts: Iterable[Check], found: str = "") -> Check:
    """Return *parts* under one name; their worst state is its own."""
    every = tuple(parts)
    states: tuple[State, ...] = (*(one.state for one in every), "OK")
    return Check(what=what, state=min(states, key=WORST.index), found=found, parts=every)


def asked(what: str, ask: Callable[[], Check]) -> Check:
    """Return what *ask* finds. A question that AWS does not answer, to us or at all, is skipped: it proves nothing."""
    try:
        return ask()
    except AwsError as error:
        return skipped(what, unanswered(error))
    except DeployError as error:
        return missing(what, str(error).splitlines()[0], error.hint)


def unanswered(error: AwsError) -> str:
    """Return why AWS did not answer."""
    said = str(error).splitlines()[0].partition(": ")[2] or str(error)
    return f"not allowed to ask: {said}" if error.code in DENIED else said


def refuse_missing(checks: Iterable[Check], environment: str) -> None:
    """Raise `RefusedError` naming what is missing, with the first command that mends something."""
    found = [(path, leaf) for one in checks for path, leaf in one.leaves if leaf.state == "MISSING"]
    if not found:
        return
    lines = "".join(f"\n  {' · '.join(path)}: {leaf.found}" for path, leaf in found)
    hint = next((leaf.next for _, leaf in found if leaf.next), f"inv verify --env {environment}")
    raise RefusedError(f"{environment}: a release would fail{lines}", hint=hint)


def notices(checks: Iterable[Check]) -> tuple[str, ...]:
    """Return a sentence for each thing that a release is worse off for, or that could not be asked."""
    return tuple(
        f"{' · '.join(path)}: {leaf.found}" + (f" ({leaf.next})" if leaf.next else "")
        for one in checks
        for path, leaf in one.leaves
        if leaf.state in {"WARNING", "SKIPPED"}
    )
