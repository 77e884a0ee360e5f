"""Worktrees that are thrown away: another commit of the repository in a folder of its own, outside of the checkout.

Every one lies in a folder that this user has below the system's one for temporary files, and its process holds a lock
on it. The kernel drops that with the process, however it ends: what lies there unlocked was left behind, and the next
one who comes takes it away, also from the repository's list.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from deploylib import process
from deploylib.errors import ProcessError, RefusedError
from deploylib.toolchain import checkout_lock

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

REPOSITORY = "repository"  # the file that says whose worktree lies beside it
PREFIX = "merge-test-"
# What a git hook that runs us has set is about the checkout, not about the worktree.
OF_THE_CHECKOUT = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_WORK_TREE",
)
# Nobody's hooks, signatures, recorded resolutions or clean-up take part.
QUIET = (
    *("-c", "core.hooksPath=/dev/null", "-c", "commit.gpgSign=false", "-c", "merge.verifySignatures=false"),
    *("-c", "rerere.enabled=false", "-c", "gc.auto=0", "-c", "maintenance.auto=false"),
)
ASK_NOBODY = {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}


@contextlib.contextmanager
def thrown_away(repository: Path, revision: str, *, temporary: Path | None = None) -> Iterator[Path]:
    """Check *revision* out, on no branch, into a folder that is gone at the end; yield that folder.

    What killed runs have left goes first. *temporary* stands in for the system's folder.
    """
    with checkout_lock.locked(_ours(temporary), _unsaid):
        base = _ours(temporary)
        _clear(base)
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))
        lock = _held(folder)
    try:
        (folder / REPOSITORY).write_text(git(repository, "rev-parse", "--absolute-git-dir"), encoding="utf-8")
        git(repository, "worktree", "add", "--quiet", "--detach", str(_tree(folder)), revision)
        yield _tree(folder)
    finally:
        _remove(folder)
        if lock is not None:
            os.close(lock)


def git(folder: Path, *words: str, ok: tuple[int, ...] = (0,), env: Mapping[str, str] | None = None) -> str:
    """Run git in *folder*, whatever runs us, and return what it printed; raise `ProcessError` as `process.run` does."""
    return call(folder, *words, ok=ok, env=env).stdout


def call(
    folder: Path,
    *words: str,
    ok: tuple[int, ...] = (0,),
    env: Mapping[str, str] | None = None,
    timeout_seconds: float | None = None,
) -> process.Finished:
    """Run git as `git` does, and return its exit code too."""
    argv = apart(("git", *QUIET, "-C", str(folder), *words))
    return process.run(argv, ok=ok, env={**ASK_NOBODY, **(env or {})}, timeout_seconds=timeout_seconds)


def apart(argv: tuple[str, ...]) -> tuple[str, ...]:
    """Return *argv* without the variables by which a git hook tells its repository."""
    unset = [one for name in OF_THE_CHECKOUT if name in os.environ for one in ("-u", name)]
    return ("env", *unset, *argv) if unset else argv


def _ours(temporary: Path | None) -> Path:
    """Return the folder of this user's worktrees; raise `RefusedError` when somebody else has made it."""
    base = (temporary or Path(tempfile.gettempdir())).resolve() / f"deploylib-{os.getuid()}"
    base.mkdir(mode=0o700, exist_ok=True)
    if base.is_symlink() or base.stat().st_uid != os.getuid():
        raise RefusedError(f"{base} is somebody else's", hint="set TMPDIR to a folder of your own")
    return base


def _clear(base: Path) -> None:
    """Remove what lies in *base* and belongs to no process any more."""
    for folder in base.glob(f"{PREFIX}*"):
        if (lock := _held(folder)) is not None:
            _remove(folder)
            os.close(lock)


def _held(folder: Path) -> int | None:
    """Return the descriptor by which *folder* is ours, None when a running process has it, or has just removed it."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _remove(folder: Path) -> None:
    """Remove the worktree in *folder*, then its entry in the repository, then *folder*: each may be gone already."""
    tree = _tree(folder)
    _delete(tree)
    with contextlib.suppress(OSError, ProcessError):
        owner = (folder / REPOSITORY).read_text(encoding="utf-8").strip()
        process.run(apart(("git", f"--git-dir={owner}", "worktree", "remove", "--force", "--force", str(tree))))
    _delete(folder)


def _delete(folder: Path) -> None:
    """Delete *folder* as far as that is allowed to us, what was made read-only too."""
    for path, _, _ in os.walk(folder):
        with contextlib.suppress(OSError):
            Path(path).chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)


def _tree(folder: Path) -> Path:
    return folder / folder.name


def _unsaid(_: str) -> None:
    """Say nothing: whoever is before us there is done in a moment."""
