"""The files of a build context that an image takes: name, content and the executable bit, which is what git keeps."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from deploylib.errors import ConfigError
from deploylib.images import patterns

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from deploylib.images.patterns import Ignore


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextFile:
    """One file of the context. `content` is a file's SHA-256, or where a symbolic link points to."""

    path: str
    kind: Literal["file", "executable", "link"]
    content: str


class Context:
    """A build context on disk; a file is read once, however many images take it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._read: dict[str, ContextFile] = {}

    def own_ignore(self, dockerfile: str) -> str | None:
        """Return the text of *dockerfile*'s own ignore file, `NAME.dockerignore`, where there is one."""
        return _text(self.root / f"{dockerfile}.dockerignore")

    def ignore(self, dockerfile: str) -> Ignore:
        """Return the rules that count for *dockerfile*: its own, else the context's, else none."""
        own = self.own_ignore(dockerfile)
        return patterns.parse_ignore((_text(self.root / ".dockerignore") if own is None else own) or "")

    def files(self, sources: Iterable[str], ignore: Ignore) -> tuple[ContextFile, ...]:
        """Return what *sources* (paths and patterns; folders whole) take and *ignore* leaves, sorted by path."""
        taken: dict[str, ContextFile] = {}
        pending, seen = list(sources), set[str]()
        while pending:
            source = pending.pop()
            if source in seen:
                continue
            seen.add(source)
            found = tuple(self._taken_by(source, ignore))
            taken |= {one.path: one for one in found}
            pending += self._targets(source, found)
        return tuple(taken[path] for path in sorted(taken, key=os.fsencode))

    def _taken_by(self, source: str, ignore: Ignore) -> Iterator[ContextFile]:
        start = patterns.fixed_part(source)
        matches = patterns.compiled(source, descendants=True)
        whole = source in {"", "."}
        try:
            for path in self._paths("" if whole else start, ignore, is_source=start == source and not whole):
                if whole or matches.fullmatch(path):
                    yield self._read.get(path) or self._remember(path)
        except OSError as error:
            raise ConfigError(
                f"{error.filename}: {error.strerror}", hint="name it in .dockerignore, or mend it"
            ) from error

    def _paths(self, start: str, ignore: Ignore, *, is_source: bool) -> Iterator[str]:
        """Yield the path of each file at or below *start*; a link is followed only on the way to a source."""
        found = self.root / start
        if found.is_dir() and not (is_source and found.is_symlink()):
            yield from self._below(f"{start}/" if start else "", ignore)
        elif (found.is_file() or found.is_symlink()) and not ignore.leaves_out(start):
            yield start

    def _below(self, prefix: str, ignore: Ignore) -> Iterator[str]:
        with os.scandir(self.root / prefix) as entries:
            for entry in entries:
                path = prefix + entry.name
                if entry.is_dir(follow_symlinks=False):
                    if not ignore.leaves_out_all_of(path):
                        yield from self._below(f"{path}/", ignore)
                elif not ignore.leaves_out(path) and (entry.is_file() or entry.is_symlink()):
                    yield path

    def _remember(self, path: str) -> ContextFile:
        file = self.root / path
        mode = file.lstat().st_mode
        if stat.S_ISLNK(mode):
            found = ContextFile(path=path, kind="link", content=os.fspath(file.readlink()))
        else:
            with file.open("rb") as content:
                digest = hashlib.file_digest(content, "sha256").hexdigest()
            found = ContextFile(path=path, kind="executable" if mode & stat.S_IXUSR else "file", content=digest)
        self._read[path] = found
        return found

    def _targets(self, source: str, found: tuple[ContextFile, ...]) -> Iterator[str]:
        """Yield what the links point to that *source* names itself: COPY takes those, not the links."""
        exactly = patterns.compiled(source, descendants=False)
        root = os.path.realpath(self.root)
        for link in (one for one in found if one.kind == "link" and exactly.fullmatch(one.path)):
            target = os.path.relpath(os.path.realpath(self.root / link.path), root)
            if not target.startswith(".."):
                yield target


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8", errors="surrogateescape") if path.is_file() else None
