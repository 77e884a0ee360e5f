"""Which commit this is, and whether what would be built is that commit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploylib import process
from deploylib.errors import ConfigError, ProcessError, RefusedError

if TYPE_CHECKING:
    from pathlib import Path

NAMED_FILES = 5
FIELDS_BEFORE_PATH = {"1": 8, "u": 10, "?": 1}  # of `git status --porcelain=v2 --no-renames`
READ_ONLY = {"GIT_OPTIONAL_LOCKS": "0"}  # `git status` must not write the index


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """The commit that is checked out (full SHA-1), who made it and when, and the files that differ from it.

    `time` is ISO 8601, the committer's. `dirty` holds changed and untracked files, relative to the repository.
    """

    commit: str
    author: str = ""
    time: str = ""
    dirty: tuple[str, ...] = ()

    @property
    def revision(self) -> str:
        """The commit, or `COMMIT-dirty` when the files are not that commit's."""
        return f"{self.commit}-dirty" if self.dirty else self.commit


def observe(root: Path, path: str) -> Checkout:
    """Return the commit of the repository that *path* (relative to *root*) lies in, and what differs under *path*.

    Files that git ignores do not count. Raises `ConfigError` where there is no repository or no commit.
    """
    folder = root / path
    try:
        commit, author, time = _git(folder, "log", "-1", "--no-show-signature", "--format=%H%x00%an%x00%cI").split("\0")
        listing = _git(folder, "status", "--porcelain=v2", "-z", "--no-renames", "--untracked-files=all", "--", ".")
    except ProcessError as error:
        raise ConfigError(
            f"{folder}: {_reason(error.output)}", hint="a release is named by its commit: git commit"
        ) from error
    return Checkout(commit=commit, author=author, time=time.strip(), dirty=_changed(listing))


def marked(root: Path, path: str, key: str, *, since: str = "") -> tuple[str, ...]:
    """Return what the trailers *key* of the commits after *since* up to HEAD say, in small letters, newest first.

    Without *since*, or where this clone does not have it, HEAD alone is asked.
    """
    folder, trailers = root / path, f"--format=%(trailers:key={key},valueonly,separator=%x2C)"
    for revisions in ([f"{since}..HEAD"] if since else []), ["-1"]:
        if not revisions:
            continue
        try:
            said = _git(folder, "log", "--no-show-signature", trailers, *revisions)
        except ProcessError:  # a shallow clone does not have that commit
            continue
        return tuple(one.strip().lower() for line in said.splitlines() for one in line.split(",") if one.strip())
    return ()


def refuse_dirty(checkout: Checkout, *, allow: bool) -> None:
    """Raise `RefusedError` when files differ from the commit, unless that is allowed."""
    if allow or not checkout.dirty:
        return
    count = len(checkout.dirty)
    differ = "1 file differs" if count == 1 else f"{count} files differ"
    named = [*checkout.dirty[:NAMED_FILES], *[f"and {count - NAMED_FILES} more"] * (count > NAMED_FILES)]
    raise RefusedError(
        f"{differ} from commit {checkout.commit[:12]}: {', '.join(named)}",
        hint="commit, or add --allow-dirty",
    )


def _git(folder: Path, *arguments: str) -> str:
    return process.run(("git", "-C", str(folder), *arguments), env=READ_ONLY).stdout


def _changed(listing: str) -> tuple[str, ...]:
    entries = (one for one in listing.split("\0") if one)
    return tuple(sorted(one.split(" ", FIELDS_BEFORE_PATH[one[0]])[-1] for one in entries))


def _reason(output: str) -> str:
    first = next(iter(output.splitlines()), "git failed")
    return first.removeprefix("fatal: ")
