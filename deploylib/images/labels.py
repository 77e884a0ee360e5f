"""An image's labels: what it is, which commit it is of, when and by whom it was made, and what it was made of.

They change an image's digest, never its fingerprint. The record of the ingredients lets a later run name what changed
since, on a machine that has neither the old commit nor git.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from deploylib.images.dockerfile import escape_character

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from deploylib.images.context import ContextFile
    from deploylib.images.fingerprint import Ingredients

FINGERPRINT = "deploylib.fingerprint"
IMAGE = "deploylib.image"
APP = "deploylib.app"
BASE = "deploylib.base"
ENVIRONMENT = "deploylib.environment"
PARENTS = "deploylib.parents"
INGREDIENTS = "deploylib.ingredients"
REFRESHED = "deploylib.refreshed"
MADE_BY = "deploylib.made-by"
REVISION = "org.opencontainers.image.revision"
CREATED = "org.opencontainers.image.created"
AUTHORS = "org.opencontainers.image.authors"
TITLE = "org.opencontainers.image.title"
VERSION = "org.opencontainers.image.version"
BASE_NAME = "org.opencontainers.image.base.name"
BASE_DIGEST = "org.opencontainers.image.base.digest"

LONGEST_LINE = 60_000  # bytes; a Dockerfile's line of more than 64 KiB is refused by older parsers
LONGEST_RECORD = 20_000  # builders take seconds for longer values
SHORT = 12
FORMAT = 1

_PLAIN = re.compile(r"[\w.:/@+-]+", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The ingredients of an image as its label keeps them.

    `arguments` are hashed (a value may be long, or nobody's business), `files` too; where there are too many files, a
    folder (its name ends in `/`) stands for everything below it.
    """

    platform: str
    dockerfile: str
    arguments: Mapping[str, str]
    parents: Mapping[str, str]
    files: Mapping[str, str]
    refreshed: str = ""


def record(ingredients: Ingredients, *, longest: int = LONGEST_RECORD) -> Record:
    """Return the record of *ingredients*, whose text has at most *longest* characters as far as folders allow."""
    full = _record(ingredients, _hashed(ingredients.files))
    room = longest - len(written(_record(ingredients, {})))
    return _record(ingredients, _folded(full.files, room))


def written(found: Record) -> str:
    """Return *found* as the text of a label."""
    document = {
        "format": FORMAT,
        "platform": found.platform,
        "dockerfile": found.dockerfile,
        "arguments": dict(found.arguments),
        "parents": dict(found.parents),
        "files": dict(found.files),
        **({"refreshed": found.refreshed} if found.refreshed else {}),
    }
    return _json(document)


def read(text: str) -> Record | None:
    """Return the record that *text* is; None when it is none, or of another format."""
    try:
        document = json.loads(text)
    except ValueError:
        return None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        return None
    return Record(
        platform=str(document.get("platform", "")),
        dockerfile=str(document.get("dockerfile", "")),
        arguments=_texts(document.get("arguments")),
        parents=_texts(document.get("parents")),
        files=_texts(document.get("files")),
        refreshed=str(document.get("refreshed", "")),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One ingredient that changed. `kind`: file, folder, Dockerfile, build argument, parent, platform, refreshed.

    `old` and `new` are digests of a parent, else values that may be shown; one of them is empty where it came or went.
    """

    kind: str
    name: str
    change: Literal["changed", "added", "removed"]
    old: str = ""
    new: str = ""


def differences(before: Record, now: Ingredients, dockerfile: str) -> tuple[Difference, ...]:
    """Return what of *now* is not as it was recorded *before*; *dockerfile* is the name to show."""
    after = _record(now, hashed_below(now.files, before.files))
    parts = (
        _compared("platform", {"": before.platform}, {"": after.platform}, shown=True),
        _compared("parent", before.parents, after.parents, shown=True),
        _compared("Dockerfile", {dockerfile: before.dockerfile}, {dockerfile: after.dockerfile}),
        _compared("build argument", before.arguments, after.arguments),
        _compared("file", before.files, after.files),
        _compared("refreshed", _refreshed(before), _refreshed(after), shown=True),
    )
    return tuple(one for part in parts for one in part)


def _refreshed(found: Record) -> dict[str, str]:
    return {"by base.refresh --force": found.refreshed} if found.refreshed else {}


def _compared(
    kind: str, before: Mapping[str, str], after: Mapping[str, str], *, shown: bool = False
) -> Iterator[Difference]:
    for name in sorted({*before, *after}):
        old, new = before.get(name, ""), after.get(name, "")
        if old != new:
            yield Difference(
                kind="folder" if kind == "file" and name.endswith("/") else kind,
                name=name,
                change="changed" if old and new else "removed" if old else "added",
                old=old if shown else "",
                new=new if shown else "",
            )


def parents(labels: Mapping[str, str]) -> Mapping[str, str]:
    """Return the digest of each outside image that the image with *labels* was made from."""
    try:
        return _texts(json.loads(labels.get(PARENTS, "{}")))
    except ValueError:
        return {}


def of_parents(pairs: Iterable[tuple[str, str]]) -> str:
    """Return the text of the label that `parents` reads."""
    return _json(dict(pairs))


def instructions(labels: Mapping[str, str], dockerfile: str) -> str:
    """Return the LABEL instructions that give an image *labels*, for the end of *dockerfile*.

    As few as their length allows: the classic builder makes a container for each.
    """
    escape = escape_character(dockerfile)
    lines: list[str] = []
    for name, value in labels.items():
        pair = f"{name}={_quoted(value, escape)}"
        if lines and len(lines[-1].encode()) + len(pair.encode()) < LONGEST_LINE:
            lines[-1] += f" {pair}"
        else:
            lines.append(f"LABEL {pair}")
    return "\n".join(lines)


def maker(author: str, variables: Mapping[str, str] = os.environ) -> str:
    """Return who makes an image: the CI run that says so in *variables*, else the commit's *author*."""
    if variables.get("GITHUB_ACTIONS"):
        run = "{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/actions/runs/{GITHUB_RUN_ID}"
        return run.format_map({**dict.fromkeys(_names(run), ""), **variables})
    for name in ("CI_JOB_URL", "BUILD_URL", "CODEBUILD_BUILD_ARN", "BUILDKITE_BUILD_URL", "CIRCLE_BUILD_URL"):
        if variables.get(name):
            return variables[name]
    return author


def _names(text: str) -> list[str]:
    return re.findall(r"\{(\w+)\}", text)


def _record(ingredients: Ingredients, files: Mapping[str, str]) -> Record:
    return Record(
        platform=ingredients.platform,
        dockerfile=_short(ingredients.dockerfile),
        arguments={name: _short(value) for name, value in ingredients.arguments},
        parents=dict(ingredients.parents),
        files=files,
        refreshed=ingredients.refreshed,
    )


def hashed_below(files: Iterable[ContextFile], recorded: Iterable[str]) -> dict[str, str]:
    """Return the hash of each of *files*, those below a folder that is *recorded* as one together."""
    folders = {one for one in recorded if one.endswith("/")}
    groups: dict[str, dict[str, str]] = {}
    for path, content in _hashed(files).items():
        group = next((one for one in _above(path) if one in folders), path)
        groups.setdefault(group, {})[path] = content
    return {name: _folder(group) if name in folders else group[name] for name, group in groups.items()}


def _above(path: str) -> Iterator[str]:
    """Yield the folders that *path* is in, the outermost (`/`, the context itself) first."""
    yield "/"
    at = path.find("/")
    while at >= 0:
        yield path[: at + 1]
        at = path.find("/", at + 1)


def _hashed(files: Iterable[ContextFile]) -> dict[str, str]:
    return {one.path: _short(f"{one.kind}\0{one.content}") for one in files}


def _folder(group: Mapping[str, str]) -> str:
    return _short("".join(f"{content} {path}\n" for path, content in sorted(group.items())))


def _folded(files: Mapping[str, str], room: int) -> dict[str, str]:
    """Return *files* with those folders folded whose entries take most room, until all have *room*."""
    groups: dict[str, dict[str, str]] = {}
    for path, content in files.items():
        groups.setdefault(_parent(path), {})[path] = content
    lengths = {folder: sum(map(_length, group.items())) for folder, group in groups.items()}
    while sum(lengths.values()) > room and set(groups) - {"/"}:
        folder = max(set(groups) - {"/"}, key=lambda one: (lengths[one], one))
        for inside in [one for one in groups if one.startswith(folder)]:
            del groups[inside], lengths[inside]
        entry = (folder, _folder({path: content for path, content in files.items() if path.startswith(folder)}))
        above = _parent(folder.rstrip("/"))
        groups.setdefault(above, {})[folder] = entry[1]
        lengths[above] = lengths.get(above, 0) + _length(entry)
    if sum(lengths.values()) > room:
        return {"/": _folder(files)} if files else {}
    return dict(sorted(pair for group in groups.values() for pair in group.items()))


def _parent(path: str) -> str:
    folder, slash, _ = path.rpartition("/")
    return f"{folder}/" if slash else "/"


def _length(pair: tuple[str, str]) -> int:
    return len(_json(pair[0])) + len(pair[1]) + len(':"",')


def _short(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:SHORT]


def _texts(found: Any) -> dict[str, str]:
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}


def _json(document: Any) -> str:
    """Return *document* in one line of ASCII without a single quote, which a Dockerfile then takes as it is."""
    return json.dumps(document, separators=(",", ":")).replace("'", "\\u0027")


def _quoted(value: str, escape: str) -> str:
    """Return *value* as one word of a Dockerfile, which no builder expands or splits."""
    flat = _CONTROL.sub(" ", value)
    if _PLAIN.fullmatch(flat):
        return flat
    if "'" not in flat:
        return f"'{flat}'"
    special = "".join(re.escape(one) for one in ('"', "$", escape))
    return '"' + re.sub(f"([{special}])", lambda found: escape + found[0], flat) + '"'
