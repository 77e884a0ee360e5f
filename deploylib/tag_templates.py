"""Templates of image tags: `{role}-{short}`, `{environment}-latest` … What they make, what they explain, what is wrong.

An immutable tag says something that never changes (a commit, a build); a moving one does not. No two roles may get
the same tag, nor a tag that this tool gives by itself: content tags, `base`, `built-…` and `kept-…`.
"""

from __future__ import annotations

import re
from string import Formatter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    Path = tuple[str, ...]

TAG = re.compile(r"[\w][\w.-]{0,127}", re.ASCII)
CONTENT = re.compile(r"base-[0-9a-f]{12}|[a-z][a-z0-9-]*-c[0-9a-f]{12}", re.ASCII)
RESERVED = re.compile(rf"{CONTENT.pattern}|base|built-.*|kept-.*", re.ASCII)
SHORT = 12
VALUES = {
    "role": r"[a-z][a-z0-9-]*",
    "sha": r"[0-9a-f]{40}",
    "short": r"[0-9a-f]{12}",
    "build": r"[\w.-]+",
    "environment": r"[a-z][a-z0-9-]*",
}
SINGLE = ("sha", "short", "build")  # each names one commit, or one build of it
DEFAULTS = {"immutable": ("{role}-{short}",), "moving": ("{role}-{environment}-latest", "{role}-latest")}


def rendered(template: str, values: Mapping[str, str]) -> str:
    """Return the tag that *template* makes, or nothing when it wants a value that is empty or not there."""
    wanted = _placeholders(template)
    return template.format_map(values) if all(values.get(one) for one in wanted) else ""


def explains(template: str, tag: str, *, roles: Iterable[str] = (), environment: str = "") -> bool:
    """Whether *template* can have made *tag*, of one of *roles* (of any, when there is none) in *environment*."""
    known = {"role": "|".join(map(re.escape, roles)), "environment": re.escape(environment)}
    pattern = "".join(
        re.escape(text) + (f"(?:{known.get(name or '') or VALUES[name]})" if name else "")
        for text, name, _, _ in Formatter().parse(template)
    )
    return re.fullmatch(pattern, tag, re.ASCII) is not None


def problems(images: Mapping[str, Any], environment: str) -> list[tuple[Path, str]]:
    """Return what is wrong with the templates in `[images.tags]`, each with its key; *images* is the raw table."""
    tags = images.get("tags")
    tags = tags if isinstance(tags, dict) else {}
    roles = tuple(role for role in images.get("roles") or () if isinstance(role, str))
    found: list[tuple[Path, str]] = []
    sound: list[tuple[Path, str]] = []
    for kind, default in DEFAULTS.items():
        for key, template in _templates(kind, tags.get(kind, default), given=kind in tags):
            mistake = _grammar(template) or _kind(kind, template) or _result(template, roles, environment)
            if mistake:
                found.append((key, mistake))
            else:
                sound.append((key, template))
    return [*found, *_shared(sound, roles, environment)]


def _templates(kind: str, templates: Any, *, given: bool) -> Iterator[tuple[Path, str]]:
    """Yield each template with its key; what is no text the schema has refused already."""
    if isinstance(templates, list | tuple):
        for at, one in enumerate(templates):
            if isinstance(one, str) and one:
                yield ("images", "tags", kind, *((str(at),) if given else ())), one


def _placeholders(template: str) -> tuple[str, ...]:
    return tuple(name for _, name, _, _ in Formatter().parse(template) if name is not None)


def _grammar(template: str) -> str:
    try:
        parts = [part for part in Formatter().parse(template) if part[1] is not None]
    except ValueError as error:
        return f"{template!r} is no template: {error}"
    known = ", ".join(f"{{{one}}}" for one in VALUES)
    for _, name, form, conversion in parts:
        if name not in VALUES or form or conversion:
            return f"{template!r}: unknown placeholder {{{name}}}; there are {known}"
    return ""


def _kind(kind: str, template: str) -> str:
    single = [one for one in _placeholders(template) if one in SINGLE]
    if kind == "immutable" and not single:
        return f"{template!r} does not change with the commit: add {{sha}}, {{short}} or {{build}}, or make it moving"
    if kind == "moving" and single:
        return f"{template!r} names one commit by {{{single[0]}}} and cannot move: make it immutable"
    return ""


def _result(template: str, roles: Sequence[str], environment: str) -> str:
    for role in roles or ("role",):
        for sample in _samples(role, environment):
            tag = rendered(template, sample)
            if not TAG.fullmatch(tag):
                return f"{template!r} makes {tag!r}, which is no tag (letters, digits, _ . -, at most 128)"
            if RESERVED.fullmatch(tag):
                return f"{template!r} makes {tag!r}, a name that this tool gives by itself"
    return ""


def _shared(
    templates: Iterable[tuple[Path, str]], roles: Sequence[str], environment: str
) -> Iterator[tuple[Path, str]]:
    """Yield each template that makes a tag of one role that another role gets as well."""
    owners: dict[str, str] = {}
    for key, template in templates:
        for role in roles:
            tag = rendered(template, _samples(role, environment)[0])
            other = owners.setdefault(tag, role)
            if other != role:
                yield key, f"{template!r} gives {other} and {role} the same tag{_hint(template)}"
                break


def _hint(template: str) -> str:
    return "" if "role" in _placeholders(template) else ": add {role}"


def _samples(role: str, environment: str) -> tuple[dict[str, str], ...]:
    """Return values as they may come: a build's number may look like the digits of a content tag."""
    always = {"role": role, "environment": environment, "sha": "0" * 40, "short": "0" * SHORT}
    return tuple({**always, "build": build} for build in ("1", "0" * SHORT))
