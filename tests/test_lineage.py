"""`--env auto` and the branch of a protected environment, on real repositories: full, shallow, without a remote."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deploylib import config, lineage
from deploylib.errors import ConfigError, RefusedError
from tests.fakes import world as worlds

if TYPE_CHECKING:
    from deploylib.config import Environment

COMMON = """
[app]
name = "guestbook"
path = "."
[account]
region = "ap-northeast-1"
[images.roles.web]
dockerfile = "Dockerfile"
[branches]
main = "stg"
release = "prd"
"deployment/*" = "*"
"""


def git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit(folder: Path, message: str) -> str:
    git(folder, "commit", "--quiet", "--allow-empty", "--message", message)
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def server(tmp_path: Path) -> Path:
    """A repository with three commits on main, of which release has the first two."""
    folder = tmp_path / "server"
    (folder / config.DIRECTORY).mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch", "main")
    for stem, text in {
        "common": COMMON,
        "stg": '[account]\nid = "111111111111"\n',
        "prd": 'protected = true\n[account]\nid = "222222222222"\n',
    }.items():
        (folder / config.DIRECTORY / f"{stem}.toml").write_text(text)
    git(folder, "add", "--all")
    commit(folder, "one")
    commit(folder, "two")
    git(folder, "branch", "release")
    commit(folder, "three")
    return folder


def clone(server: Path, *words: str) -> Path:
    folder = server.parent / "clone"
    git(server.parent, "clone", "--quiet", *words, server.as_uri(), str(folder))
    return folder


def production(folder: Path) -> Environment:
    return config.load(folder, "prd", variables={})


# --env auto


def test_auto_is_the_environment_of_the_branch_that_is_checked_out(server: Path) -> None:
    assert lineage.environment(server, {}) == "stg"
    git(server, "switch", "--quiet", "--create", "deployment/prd")
    assert lineage.environment(server, {}) == "prd"


def test_no_task_goes_another_way_to_the_environment_that_is_named() -> None:
    """One that did would not know `auto`."""
    ways = [
        f"{path.name}: {line.strip()}"
        for path in (Path(__file__).parents[1] / "deploylib/tasks").glob("*.py")
        for line in path.read_text().splitlines()
        if re.search(r"config\.load\(root\(c\), env\b", line)
    ]
    assert ways == []


def test_auto_is_known_before_there_is_any_commit(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "--initial-branch", "release")
    assert lineage.trigger(tmp_path, {}).branch == "release"


def test_auto_on_no_branch_is_refused(server: Path) -> None:
    git(server, "switch", "--quiet", "--detach")
    with pytest.raises(RefusedError, match="git has no branch checked out"):
        lineage.environment(server, {})


def test_auto_outside_of_git_is_a_mistake_that_names_the_way_out(server: Path) -> None:
    (server / ".git").rename(server.parent / "elsewhere")
    with pytest.raises(ConfigError, match="--env auto: not a git repository") as refused:
        lineage.environment(server, {})
    assert refused.value.hint == "name the environment: --env"


def test_what_the_ci_system_says_counts_although_no_branch_is_checked_out(server: Path) -> None:
    git(server, "switch", "--quiet", "--detach", "release")
    job = {"CIRCLECI": "true", "CIRCLE_BRANCH": "release", "CIRCLE_SHA1": git(server, "rev-parse", "HEAD")}
    assert lineage.environment(server, job) == "prd"


def test_a_job_for_another_commit_than_the_one_that_is_here_is_refused(server: Path) -> None:
    theirs, ours = git(server, "rev-parse", "release"), git(server, "rev-parse", "main")
    job = {"CIRCLECI": "true", "CIRCLE_BRANCH": "release", "CIRCLE_SHA1": theirs}
    with pytest.raises(RefusedError, match=f"commit {theirs[:12]} of release, but {ours[:12]} is checked out"):
        lineage.environment(server, job)


@pytest.mark.parametrize("text", ["{", "[]", None])
def test_github_s_event_file_may_be_anything(server: Path, text: str | None) -> None:
    file = server.parent / "event.json"
    if text is not None:
        file.write_text(text)
    job = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_EVENT_NAME": "push",
        "GITHUB_REF": "refs/heads/main",
        "GITHUB_EVENT_PATH": str(file),
    }
    assert lineage.environment(server, job) == "stg"


def test_github_s_event_file_says_whether_a_pull_request_is_of_a_fork(server: Path) -> None:
    file = server.parent / "event.json"
    ends = {"head": {"repo": {"full_name": "eve/shop"}}, "base": {"repo": {"full_name": "acme/shop"}}}
    file.write_text(json.dumps({"pull_request": {"number": 3, **ends}}))
    job = {"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "pull_request_target", "GITHUB_EVENT_PATH": str(file)}
    with pytest.raises(RefusedError, match="pull request 3 of a fork"):
        lineage.environment(server, job)


# The branch of a protected environment


def test_a_commit_that_the_remote_has_on_the_branch_may_go(server: Path) -> None:
    folder = clone(server)
    for revision in ("origin/release", "origin/release~1"):
        lineage.refuse_elsewhere(production(folder), git(folder, "rev-parse", revision))


def test_any_branch_of_the_environment_will_do(server: Path) -> None:
    git(server, "branch", "deployment/prd", "main")
    folder = clone(server)
    lineage.refuse_elsewhere(production(folder), git(folder, "rev-parse", "HEAD"))


def test_a_commit_beside_the_branch_is_refused(server: Path) -> None:
    folder = clone(server)
    head = git(folder, "rev-parse", "HEAD")
    with pytest.raises(RefusedError) as refused:
        lineage.refuse_elsewhere(production(folder), head)
    assert str(refused.value) == f"prd is protected, and commit {head[:12]} is not on release or deployment/prd"
    assert refused.value.hint == "git fetch origin, or merge it into release or deployment/prd"


def test_a_local_branch_that_nobody_has_pushed_does_not_count(server: Path) -> None:
    folder = clone(server, "--branch", "release")
    with pytest.raises(RefusedError, match="is not on release"):
        lineage.refuse_elsewhere(production(folder), commit(folder, "mine alone"))


def test_without_a_remote_the_local_branches_count(server: Path) -> None:
    lineage.refuse_elsewhere(production(server), git(server, "rev-parse", "release"))
    with pytest.raises(RefusedError, match="is not on release"):
        lineage.refuse_elsewhere(production(server), git(server, "rev-parse", "main"))


def test_a_remote_by_another_name_counts_when_it_is_the_only_one(server: Path) -> None:
    folder = clone(server, "--origin", "upstream")
    lineage.refuse_elsewhere(production(folder), git(folder, "rev-parse", "upstream/release"))


def test_a_clone_of_another_branch_alone_is_told_what_to_fetch_and_the_command_works(server: Path) -> None:
    folder = clone(server, "--single-branch", "--branch", "main")
    before = git(folder, "rev-parse", "HEAD~1")
    with pytest.raises(RefusedError, match="as this clone knows it: not at all") as refused:
        lineage.refuse_elsewhere(production(folder), before)
    hint = refused.value.hint
    assert hint == (
        "git fetch origin '+refs/heads/release:refs/remotes/origin/release' "
        "'+refs/heads/deployment/prd:refs/remotes/origin/deployment/prd'"
    )
    git(server, "branch", "deployment/prd", "release")
    subprocess.run(["/bin/sh", "-c", hint], cwd=folder, check=True, capture_output=True)
    lineage.refuse_elsewhere(production(folder), before)


def test_the_newest_commit_of_the_branch_is_on_it_in_a_shallow_clone_too(server: Path) -> None:
    folder = clone(server, "--depth", "1", "--branch", "release")
    lineage.refuse_elsewhere(production(folder), git(folder, "rev-parse", "HEAD"))


def test_a_shallow_clone_that_cannot_tell_says_so_and_the_command_works(server: Path) -> None:
    older = git(server, "rev-parse", "release~1")
    folder = clone(server, "--depth", "1", "--branch", "release")
    with pytest.raises(RefusedError, match="it is shallow, and does not reach far enough back") as refused:
        lineage.refuse_elsewhere(production(folder), older)
    assert refused.value.hint.startswith("git fetch --unshallow origin (in CI, clone all of it: GitHub: fetch-depth: 0")
    git(folder, "fetch", "--quiet", "--unshallow", "origin")
    lineage.refuse_elsewhere(production(folder), older)


def test_what_is_not_committed_is_on_no_branch(server: Path) -> None:
    with pytest.raises(RefusedError, match="what is not committed is not on release or deployment/prd"):
        lineage.refuse_elsewhere(production(server), git(server, "rev-parse", "release"), dirty=True)


def test_an_environment_that_is_not_protected_takes_any_commit(server: Path) -> None:
    lineage.refuse_elsewhere(config.load(server, "stg", variables={}), "0" * 40, dirty=True)


def test_a_protected_environment_without_a_branch_takes_any_commit(tmp_path: Path) -> None:
    environment = replace(worlds.environment(tmp_path), protected=True, branches={"main": "local"})
    lineage.refuse_elsewhere(environment, "0" * 40)
