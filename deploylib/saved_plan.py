"""A plan in a file: what was looked at and agreed to, and whether it is still what would happen.

The file is the plan's JSON document. Executing it observes and plans anew, and refuses unless the outcome is the same:
nothing in the file is ever believed, so it may travel through a CI system. Everything that a release is made of is
in there by an identity that cannot change: images by content or digest, templates and revisions by ARN.
"""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploylib.errors import ConfigError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from deploylib.clock import Clock

VERSION = 1
SHOWN = 10
NAMES = {"images": "image", "services": "service", "schedules": "task", "differences": "path"}
# What may differ: names with a time in them, explanations, and counts, which auto scaling moves and no release sends.
IGNORED_OF_PLAN = frozenset({"event", "release", "notices"})
IGNORED = frozenset({"reason", "running", "limit"})
AT_ALL = frozenset({"desired"})  # of these it matters only whether they are zero


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """A plan as it was saved: its JSON document, when, and in which file. `NOTHING` holds for every plan."""

    made_at: str = ""
    place: str = ""
    document: Mapping[str, Any] = field(default_factory=dict)

    @property
    def environment(self) -> str:
        """The environment that it is for."""
        return str(self.document.get("environment", ""))

    @property
    def number(self) -> str:
        """The release of another environment whose images it promotes."""
        return str((self.document.get("origin") or {}).get("release", ""))

    @property
    def irreversible(self) -> bool:
        """Whether its migration was said to be irreversible."""
        return bool(self.document.get("irreversible"))

    @property
    def dirty(self) -> bool:
        """Whether it has uncommitted changes in it."""
        return bool(self.document.get("dirty"))

    def check(self, now: Mapping[str, Any]) -> None:
        """Raise `RefusedError` when the plan that was made *now* is another one, with everything that differs."""
        if not self.document:
            return
        if self.environment != now["environment"]:
            raise RefusedError(
                f"the plan in {self.place} is for {self.environment}, not for {now['environment']}",
                hint=f"inv deploy --env {self.environment} --plan {self.place}",
            )
        if found := list(differences(self.document, now)):
            raise RefusedError(self._told(found), hint=f"inv plan --env {self.environment} --save {self.place}")

    def _told(self, found: Sequence[str]) -> str:
        more = [f"and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
        lines = "\n".join(f"  {one}" for one in (*found[:SHOWN], *more))
        return f"{self.environment}: the plan of {self.made_at} in {self.place} no longer holds\n{lines}"


NOTHING = Saved()


def write(place: str | Path, document: Mapping[str, Any], *, clock: Clock = time) -> None:
    """Write the plan with this *document* to the file *place*."""
    made_at = dt.datetime.fromtimestamp(clock.time(), dt.UTC).isoformat(timespec="seconds")
    text = json.dumps({"version": VERSION, "made_at": made_at, "plan": document}, indent=2, default=str)
    try:
        Path(place).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"the plan cannot be written to {place}: {error.strerror}") from error


def read(place: str | Path) -> Saved:
    """Return the plan in the file *place*, or `NOTHING` where no file is named.

    Raises `ConfigError` when there is none that we understand.
    """
    if not place:
        return NOTHING
    hint = f"inv plan --env … --save {place}"
    try:
        found = json.loads(Path(place).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{place}: {error.strerror}", hint=hint) from error
    except ValueError as error:
        raise ConfigError(f"{place} is no saved plan: {error}", hint=hint) from error
    plan = found.get("plan") if isinstance(found, dict) and found.get("version") == VERSION else None
    if not isinstance(plan, dict) or not plan.get("environment"):
        raise ConfigError(f"{place} is no saved plan of this version", hint=hint)
    return Saved(made_at=str(found.get("made_at", "")), place=str(place), document=plan)


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Yield what differs between two plans' documents and is not to be ignored, each as a line for a person."""
    yield from _walk(_plan(then), _plan(json.loads(json.dumps(now, default=str))), "")


def _plan(document: Mapping[str, Any]) -> Any:
    return _comparable({key: one for key, one in document.items() if key not in IGNORED_OF_PLAN})


def _comparable(document: Any, name: str = "") -> Any:
    """Return *document* with lists of named things by name, and without what may differ."""
    if isinstance(document, Mapping):
        return {key: _comparable(one, key) for key, one in document.items() if key not in IGNORED}
    if isinstance(document, list):
        items = [_comparable(one) for one in document]
        label = NAMES.get(name, "")
        return {one[label]: one for one in items} if items and all(_has(one, label) for one in items) else items
    return bool(document) if name in AT_ALL else document


def _has(item: Any, label: str) -> bool:
    return bool(label) and isinstance(item, Mapping) and isinstance(item.get(label), str)


def _walk(then: Any, now: Any, path: str) -> Iterator[str]:
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        for key in sorted({*then, *now}):
            yield from _walk(then.get(key), now.get(key), f"{path}.{key}" if path else key)
    elif then != now:
        yield f"{path}: {_text(then)} then, {_text(now)} now"


def _text(value: Any) -> str:
    """Return a value in few words: of what has parts, only that it is there."""
    if value in (None, "", [], {}):
        return "nothing"
    if isinstance(value, Mapping):
        return str(value.get("action") or "something")
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
