"""The merge test: does the commit, merged with another branch, still pass? In a worktree that is thrown away.

What is merged is as it would be by a pull request: *into* is checked out as its remote has it, and the commit of this
checkout is merged into it. Neither the files of this checkout nor its branches, index or stash are touched; only the
remote's branch becomes known, as `git fetch` does it.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploylib import process, worktree
from deploylib.errors import CommandError, ConfigError, DeployError, ProcessError, RefusedError
from deploylib.events import Event
from deploylib.secrecy import hidden
from deploylib.worktree import git

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from deploylib.clock import Clock

ORIGIN = "origin"
SHORT = 12
FETCH_SECONDS = 300.0
SIGNALLED = 128
CONFLICTED = 1  # the exit code of `git merge`
SHOWN_COMMITS = 3
LOOKED_INTO = 20  # of so many files it is asked who changed them
NOBODY = {
    f"GIT_{role}_{key}": value
    for role in ("AUTHOR", "COMMITTER")
    for key, value in (("NAME", "Merge test"), ("EMAIL", "merge-test@localhost"))
}
KINDS = {  # the two letters of `git status`: what the other branch did, what this commit did
    "DD": "both deleted it",
    "AU": "only {into} has it, beside a rename",
    "UD": "{into} changed it, this commit deleted it",
    "UA": "only this commit has it, beside a rename",
    "DU": "{into} deleted it, this commit changed it",
    "AA": "both added it",
    "UU": "both changed it",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeStarted(Event):
    """*commit* (full SHA-1) is merged into *tip*, the newest commit of *into*.

    *uncommitted* files of the checkout take no part.
    """

    commit: str
    into: str
    tip: str
    uncommitted: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged(Event):
    """It merges; *anew* is whether there was anything to merge."""

    into: str
    anew: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A commit that changed a file that conflicts."""

    commit: str
    author: str
    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hunk:
    """A place in a file where both differ, from *line* on: what *into* has, and what the commit has."""

    line: int
    theirs: tuple[str, ...]
    ours: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflicted(Event):
    """A file that does not merge: why, where, and who changed it on either side, newest first."""

    path: str
    why: str
    into: str
    hunks: tuple[Hunk, ...] = ()
    theirs: tuple[Change, ...] = ()
    ours: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed(Event):
    """A line that the command printed."""

    line: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended(Event):
    """The command ended with that exit code."""

    exit_code: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be tested: *command* (none: only whether it merges) on the merge into the branch *into*.

    With *fetch* the remote is asked for its newest commit first.
    """

    into: str
    command: tuple[str, ...] = ()
    fetch: bool = True
    timeout_seconds: float = 3600.0


def run(
    root: Path, order: Order, *, temporary: Path | None = None, clock: Clock = time
) -> Generator[Event, None, None]:
    """Merge, run the command, and yield what happens.

    Raises `RefusedError` when it does not merge, `CommandError` with the command's exit code when that is not 0.
    *temporary* is where worktrees are put, instead of the system's folder.
    """
    prefix, commit, tip = _place(root), _commit(root, "HEAD"), _tip(root, order)
    _refuse_strangers(root, commit, tip, order)
    changed = git(root, "status", "--porcelain", "--untracked-files=normal").splitlines()
    yield MergeStarted(commit=commit, into=order.into, tip=tip, uncommitted=len(changed))
    with worktree.thrown_away(root, tip, temporary=temporary) as tree:
        yield from _merge(tree, order, commit, tip)
        if order.command:
            yield from _run(tree / prefix, order, commit, clock)


def _merge(tree: Path, order: Order, commit: str, tip: str) -> Iterator[Event]:
    message = f"Merge test: {commit[:SHORT]} into {order.into}"
    words = ("-c", "merge.conflictStyle=merge", "merge", "--quiet", "--no-ff", "--no-edit", "-m", message, commit)
    done = worktree.call(tree, *words, ok=(0, CONFLICTED), env=NOBODY)
    found = _conflicts(tree)
    if done.returncode == CONFLICTED and not found:
        raise ProcessError("git merge", done.returncode, done.stdout + done.stderr)
    for index, (letters, path) in enumerate(found):
        sides = (f"{commit}..{tip}", f"{tip}..{commit}") if index < LOOKED_INTO else ()
        theirs, ours = (_changes(tree, side, path) for side in sides) if sides else ((), ())
        why = KINDS.get(letters, "does not merge").format(into=order.into)
        yield Conflicted(path=path, why=why, into=order.into, hunks=_hunks(tree / path), theirs=theirs, ours=ours)
    if found:
        files = "1 file conflicts" if len(found) == 1 else f"{len(found)} files conflict"
        raise RefusedError(
            f"{commit[:SHORT]} does not merge into {order.into}: {files}",
            hint=f"git merge {tip[:SHORT]}, resolve, commit",
        )
    yield Merged(into=order.into, anew=_commit(tree, "HEAD") != tip)


def _run(folder: Path, order: Order, commit: str, clock: Clock) -> Iterator[Event]:
    started = clock.monotonic()
    code = yield from _printed(folder, order)
    code = SIGNALLED - code if code < 0 else code
    yield Ended(exit_code=code, seconds=clock.monotonic() - started)
    if code:
        raise CommandError(
            f"{order.command[0]} ended with exit code {code} on {commit[:SHORT]} merged into {order.into}",
            exit_code=code,
            hint=f"git merge {order.into}, and run it there",
        )


def _printed(folder: Path, order: Order) -> Generator[Event, None, int]:
    """Run the command, yield its lines and return its exit code."""
    argv, lasting = worktree.apart(order.command), order.timeout_seconds
    running = process.lines(argv, cwd=folder, env={"PWD": str(folder)}, timeout_seconds=lasting)
    with contextlib.closing(running):  # whoever interrupts us, it ends before its folder goes
        while True:
            try:
                line = next(running)
            except StopIteration as ended:
                return int(ended.value)
            yield Printed(line=line)


def _place(root: Path) -> str:
    """Return where *root* lies in its repository, relative to that."""
    try:
        return git(root, "rev-parse", "--show-prefix").strip()
    except ProcessError as error:
        reason = next(iter(error.output.splitlines()), "git failed").removeprefix("fatal: ")
        raise ConfigError(f"{root}: {reason}", hint="run it in a clone of the project") from error


def _commit(folder: Path, revision: str) -> str:
    return git(folder, "rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}").strip()


def _tip(root: Path, order: Order) -> str:
    """Return the newest commit of *into*: the remote's, or, without a remote, the local branch's."""
    remote, local = _remote(root), f"refs/heads/{order.into}"
    if worktree.call(root, "check-ref-format", local, ok=(0, 1)).returncode:
        raise ConfigError(f"{order.into!r} is no name of a branch", hint="--into develop")
    known = f"refs/remotes/{remote}/{order.into}" if remote else local
    if remote and order.fetch:
        _fetch(root, remote, f"+{local}:{known}", order.into)
    try:
        return _commit(root, known)
    except ProcessError as error:
        where = f"{remote} has" if remote else "there is"
        raise ConfigError(f"{where} no branch {order.into!r} that is known here", hint="git branch --all") from error


def _remote(root: Path) -> str:
    found = git(root, "remote").split()
    return ORIGIN if ORIGIN in found else next(iter(found), "")


def _fetch(root: Path, remote: str, refspec: str, into: str) -> None:
    words = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", remote, refspec)
    try:
        worktree.call(root, *words, timeout_seconds=FETCH_SECONDS)
    except ProcessError as error:
        if "find remote ref" in error.output:
            raise ConfigError(f"{remote} has no branch {into!r}", hint=f"git ls-remote --heads {remote}") from error
        raise DeployError(
            f"the newest {into} could not be fetched from {remote}\n{hidden(error.output)}".rstrip(),
            hint="add --no-fetch to take it as this clone knows it",
        ) from error


def _refuse_strangers(root: Path, commit: str, tip: str, order: Order) -> None:
    """Raise when the two have no commit in common, or a shallow clone does not reach back to it."""
    if worktree.call(root, "merge-base", commit, tip, ok=(0, 1)).returncode == 0:
        return
    shallow = git(root, "rev-parse", "--is-shallow-repository").strip() == "true"
    text = f"{commit[:SHORT]} and {order.into} have no commit in common"
    if shallow:
        raise RefusedError(
            f"{text} as this clone knows it: it is shallow",
            hint="git fetch --unshallow; in CI, clone all of it",
        )
    raise RefusedError(text, hint="check that --into is a branch of this project")


def _conflicts(tree: Path) -> tuple[tuple[str, str], ...]:
    """Return the two letters and the path of each file that does not merge."""
    entries = git(tree, "status", "--porcelain=v2", "-z", "--no-renames", "--untracked-files=no").split("\0")
    found = (one.split(" ", 10) for one in entries if one.startswith("u "))
    return tuple((fields[1], fields[10]) for fields in found)


def _changes(tree: Path, side: str, path: str) -> tuple[Change, ...]:
    """Return the newest commits of *side* (a range) that changed *path*."""
    words = ("log", "--no-merges", f"--max-count={SHOWN_COMMITS}", "--no-show-signature", "--format=%h%x00%an%x00%s")
    found = (line.split("\0") for line in git(tree, *words, side, "--", path).splitlines())
    return tuple(Change(commit=one[0], author=one[1], subject=one[2]) for one in found)


def _hunks(file: Path) -> tuple[Hunk, ...]:
    """Return the places that git has marked in *file*; none where it is gone or no text."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return ()
    found: list[Hunk] = []
    start, middle = 0, 0
    for number, line in enumerate(lines, 1):
        if line.startswith("<<<<<<< "):
            start, middle = number, 0
        elif line == "=======" and start and not middle:
            middle = number
        elif line.startswith(">>>>>>> ") and middle:
            theirs, ours = lines[start : middle - 1], lines[middle : number - 1]
            found.append(Hunk(line=start, theirs=tuple(map(hidden, theirs)), ours=tuple(map(hidden, ours))))
            start = middle = 0
    return tuple(found)
