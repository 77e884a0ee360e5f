"""What git knows of branches: which one is checked out, and on which ones a commit is.

Nothing is fetched: what a clone does not know is said, with the command that fetches it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploylib import branches, ci_variables, config, process
from deploylib.ci_variables import Trigger
from deploylib.errors import ConfigError, ProcessError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploylib.config import Environment

ORIGIN = "origin"
SHORT = 12
ALL_OF_IT = "GitHub: fetch-depth: 0, GitLab: GIT_DEPTH: 0, CodeBuild: git-clone-depth: 0"


def environment(root: Path, variables: Mapping[str, str] = os.environ) -> str:
    """Return the name of the environment that the branch is deployed to: what `--env auto` means.

    Raises `RefusedError` for whatever is no such branch, and where another commit is checked out than the job is for.
    """
    table, found = config.branches(root), trigger(root, variables)
    name = branches.resolve(found, table, config.names(root))
    _refuse_other_commit(root, found)
    return name


def trigger(root: Path, variables: Mapping[str, str] = os.environ) -> Trigger:
    """Return what this runs for: as the CI system's variables say, else as git does."""
    return ci_variables.read(variables, _event(variables)) or _of_git(root)


def refuse_elsewhere(environment: Environment, commit: str, *, dirty: bool = False) -> None:
    """Raise `RefusedError` when *environment* is protected and *commit* is on none of the branches that go to it.

    Without one in `[branches]` there is nothing to be on. A remote's branches count as this clone knows them; local
    ones only where there is no remote.
    """
    patterns = branches.patterns_of(environment.branches, environment.name)
    if not environment.protected or not patterns:
        return
    if dirty:
        raise RefusedError(
            f"{environment.name} is protected, and what is not committed is not on {' or '.join(patterns)}",
            hint="commit it",
        )
    remote = _remote(environment.context)
    if not _theirs(environment, remote, f"--contains={commit}"):
        raise _elsewhere(environment, commit, patterns, remote)


def _elsewhere(environment: Environment, commit: str, patterns: tuple[str, ...], remote: str) -> RefusedError:
    """Return the refusal with what mends it: fetch what is missing here, or bring the commit there."""
    where, clone = " or ".join(patterns), environment.context
    text = f"{environment.name} is protected, and commit {commit[:SHORT]} is not on {where}"
    if remote and not _theirs(environment, remote):
        wanted = " ".join(f"'+refs/heads/{one}:refs/remotes/{remote}/{one}'" for one in patterns if "**" not in one)
        return RefusedError(f"{text} as this clone knows it: not at all", hint=f"git fetch {remote} {wanted}".strip())
    if remote and _git(clone, "rev-parse", "--is-shallow-repository").strip() == "true":
        return RefusedError(
            f"{text} as this clone knows it: it is shallow, and does not reach far enough back",
            hint=f"git fetch --unshallow {remote} (in CI, clone all of it: {ALL_OF_IT})",
        )
    return RefusedError(text, hint=f"git fetch {remote}, or merge it into {where}" if remote else f"git switch {where}")


def _theirs(environment: Environment, remote: str, *chosen: str) -> tuple[str, ...]:
    """Return the branches, of those that git has *chosen*, that go to *environment*."""
    space = f"refs/remotes/{remote}/" if remote else "refs/heads/"
    try:
        found = _git(environment.context, "for-each-ref", "--format=%(refname)", *chosen, space).split()
    except ProcessError:  # the clone does not have that commit
        return ()
    named = (one.removeprefix(space) for one in found)
    return tuple(one for one in named if branches.environment_of(environment.branches, one) == environment.name)


def _remote(folder: Path) -> str:
    """Return the remote whose branches count, empty when there is none."""
    found = _git(folder, "remote").split()
    return ORIGIN if ORIGIN in found else next(iter(found), "")


def _of_git(root: Path) -> Trigger:
    try:
        branch = process.run(("git", "-C", str(root), "symbolic-ref", "--quiet", "--short", "HEAD"), ok=(0, 1)).stdout
    except ProcessError as error:
        raise ConfigError(f"--env auto: {_reason(error)}", hint="name the environment: --env") from error
    return Trigger(system="git", branch=branch.strip(), reason="" if branch else "has no branch checked out")


def _refuse_other_commit(root: Path, found: Trigger) -> None:
    """Raise `RefusedError` when the job is for another commit than the one that is here."""
    if not ci_variables.COMMIT.fullmatch(found.commit):
        return
    head = _git(root, "rev-parse", "HEAD").strip()
    if head != found.commit:
        raise RefusedError(
            f"--env auto: {found.system} runs this for commit {found.commit[:SHORT]} of {found.branch}, "
            f"but {head[:SHORT]} is checked out",
            hint=f"git checkout {found.commit[:SHORT]}, or name the environment: --env",
        )


def _event(variables: Mapping[str, str]) -> Mapping[str, Any]:
    """Return what GitHub tells of its event in a file, nothing where there is none."""
    path = variables.get(ci_variables.GITHUB_EVENT_FILE, "")
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8")) if path else {}
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _reason(error: ProcessError) -> str:
    return next(iter(error.output.splitlines()), "git failed").removeprefix("fatal: ")


def _git(folder: Path, *arguments: str) -> str:
    return process.run(("git", "-C", str(folder), *arguments)).stdout
