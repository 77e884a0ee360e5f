"""docs/from-scratch.md as its reader walks it: the files and the commands are those of the page, in their order.

Two local AWS stand for the two accounts. What a reader does not do is said here: `inv local.up`, the lines that the
page itself gives for a rehearsal (its block `local`), a repository on this disk behind the remote's name, and the CI
system, which is one in small.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from deploylib import ci, config, serving, sign_in
from tests.ci import machines
from tests.ci.machines import PASSED, SKIPPED, WAITING, Machine
from tests.e2e.project import COMMAND_SECONDS, ROOT, copy_project

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE = ROOT / "docs/from-scratch.md"
WALKED = "gitlab"
REMOTE = "git@gitlab.com:acme/notes.git"
FENCE = re.compile(r"^```(\S+)(?: ([^\n]*))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROFILES = {"stg": "notes-stg", "prd": "notes-prd"}
PUSHES = "$ git push --quiet origin "
VENV = """#!/bin/bash
# Stands for a cache that has everything: the virtual environment, and the accounts of the local AWS.
[ "$*" = "-m venv .venv" ] || exec {python} "$@"
mkdir -p .venv/bin
ln -sfn {project}/.local .local
printf '#!/bin/bash\\nexec {python} -m invoke "$@"\\n' >.venv/bin/inv
printf '#!/bin/bash\\n' >.venv/bin/pip
chmod +x .venv/bin/*
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block of the page: its language, the words and `key=value`s behind that, its text."""

    language: str
    words: frozenset[str]
    values: dict[str, str]
    text: str

    @property
    def commands(self) -> tuple[str, ...]:
        """The command lines of a console."""
        return tuple(line.removeprefix("$ ") for line in self.text.splitlines() if line.startswith("$ "))

    @property
    def said(self) -> tuple[str, ...]:
        """What the page shows of the commands' output."""
        return tuple(line for line in self.text.splitlines() if line and not line.startswith("$ "))


def blocks(provider: str = WALKED) -> Iterator[Block]:
    """Yield the blocks of the page that count for a CI system, in their order."""
    for language, told, text in FENCE.findall(PAGE.read_text()):
        words = told.split()
        values = dict(one.split("=", 1) for one in words if "=" in one)
        if values.get("only", provider) == provider:
            yield Block(language=language, words=frozenset(words), values=values, text=text)


def write(root: Path, block: Block) -> None:
    """Do with the block's file what the page says: write it, add to it, or give its tables these lines first."""
    file = root / block.values["title"]
    file.parent.mkdir(parents=True, exist_ok=True)
    before = file.read_text() if file.is_file() else ""
    if "local" in block.words:
        file.write_text(rehearsed(before, block.text))
    else:
        file.write_text(f"{before}\n{block.text}" if "append" in block.words else block.text)


def rehearsed(text: str, lines: str) -> str:
    """Return an environment's file with the lines for a local AWS in the tables that they belong to."""
    for table, inner in re.findall(r"(?ms)^(\[\S+\])\n(.*?)(?:\n\n|\Z)", lines):
        headed = f"{table}\n{inner.strip()}\n"
        text = text.replace(f"{table}\n", headed) if f"{table}\n" in text else f"{text}\n{headed}"
    return text


# What the page says of each CI system is a configuration without mistakes


@pytest.fixture(params=sorted(ci.PROVIDERS))
def configured(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    """The files of the page, for one CI system."""
    provider: str = request.param
    (tmp_path / "terraform").symlink_to(ROOT / "terraform")
    for block in blocks(provider):
        if "title" in block.values and "local" not in block.words:
            write(tmp_path, block)
    return provider, tmp_path


def test_the_files_for_each_ci_system_have_no_mistakes_and_make_its_pipeline(configured: tuple[str, Path]) -> None:
    provider, root = configured
    config.validate(root)
    found = ci.pipeline(tuple(config.load(root, name, variables={}) for name in config.names(root)))
    assert [(one.environment, one.only, one.gated) for one in found.deploys] == [
        ("stg", ("main",), False),
        ("prd", ("release",), True),
    ]
    assert [one.tokens for one in found.deploys] == [found.deploys[0].tokens] * 2
    assert bool(found.deploys[0].tokens) == (provider != "codebuild"), "every one but CodeBuild signs tokens"
    assert "unittest discover" in ci.render(found, provider)


def test_no_job_of_these_needs_a_key(configured: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    provider, root = configured
    monkeypatch.chdir(root)
    monkeypatch.setenv("AWS_CONFIG_FILE", "ci/aws.ini")
    for name, profile in PROFILES.items():
        environment = config.load(root, name, variables={})
        token = environment.account.web_identity
        way = sign_in.sign_in(environment, variables={token.token_variable: "it"} if token else {}).way
        assert (way.kind, way.profile) == (("profile", profile) if provider == "codebuild" else ("web identity", ""))


# The walk


@dataclass(frozen=True, slots=True, kw_only=True)
class Walker:
    """A reader of the page: the repository of the application, and the one that is pushed to."""

    path: Path
    origin: Path

    @property
    def variables(self) -> dict[str, str]:
        """The variables of a shell in which the virtual environment is active."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "DEPLOY_", "PYTEST_"))}
        git = {"GIT_CONFIG_GLOBAL": str(self.path.parent / "gitconfig")}
        return {**kept, **git, "NO_COLOR": "1", "PATH": f"{self.path}/.venv/bin:{kept['PATH']}"}

    def run(self, command: str, *, expect: int = 0, **more: str) -> str:
        """Run a command line in a shell as its reader does; return what it said, which a failure shows, too."""
        started = time.monotonic()
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command],
            cwd=self.path,
            env={**self.variables, **more},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        sys.stdout.write(f"$ {command}\n{done.stdout}({time.monotonic() - started:.1f} s)\n")
        assert done.returncode == expect, f"$ {command}\nexit {done.returncode}, expected {expect}\n{done.stdout}"
        return done.stdout

    def follow(self, block: Block) -> None:
        """Do what a block says."""
        if block.language != "console":
            write(self.path, block)
            return
        expected = int(block.values.get("exit", 0))
        said = "".join(self.run(command, expect=expected) for command in block.commands)
        assert [line for line in block.said if line not in said] == [], said

    def address(self, environment: str) -> str:
        """Return where an environment serves, as `inv status` says it."""
        told = json.loads(self.run(f"inv status --env {environment} --output json").splitlines()[0])
        return str(told["url"])

    def served(self, environment: str) -> str:
        """Return the commit that an environment serves."""
        return serving.fetch(f"{self.address(environment)}/version").body

    @property
    def head(self) -> str:
        """The commit that is checked out."""
        return self.run("git rev-parse HEAD").strip()


@pytest.fixture(scope="module")
def walker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walker]:
    """An empty repository beside a checkout of the toolkit, and a remote that is on this disk."""
    folder = tmp_path_factory.mktemp("scratch")
    for name in ("toolkit", "notes"):
        (folder / name).mkdir()
    copy_project(folder / "toolkit")
    found = Walker(path=folder / "notes", origin=folder / "origin.git")
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch", "main", str(found.origin)], check=True)
    for key, value in (
        ("user.name", "Reader"),
        ("user.email", "reader@example.com"),
        (f"url.{found.origin}.insteadOf", REMOTE),
    ):
        found.run(f"git config --global {key} '{value}'")
    found.run(f"git init --quiet --initial-branch main && git remote add origin {REMOTE}")
    share_tools(found.path)
    try:
        yield found
    finally:
        if (found.path / "tasks.py").is_file():
            found.run("inv local.down")


def share_tools(path: Path) -> None:
    """Let `make setup` find what is there already; what it has to make anew it makes here alone."""
    for folder in (".venv", ".tools", ".tools/emulator"):
        (path / folder).unlink(missing_ok=True)
        (path / folder).mkdir()
        for one in (ROOT / folder).iterdir():
            (path / folder / one.name).symlink_to(one)


def token(branch: str) -> str:
    """Return GitLab's token of a job for *branch*; nobody here checks its signature."""
    claims = {
        "iss": "https://gitlab.com",
        "aud": "https://gitlab.com",
        "sub": f"project_path:acme/notes:ref_type:branch:ref:{branch}",
    }
    parts = (json.dumps(one).encode() for one in ({"alg": "none"}, claims))
    return ".".join((*(base64.urlsafe_b64encode(one).decode().rstrip("=") for one in parts), ""))


def pipeline(walker: Walker, folder: Path, branch: str, **more: Any) -> Machine:
    """Run the file that the repository has for GitLab, as a push to *branch* does."""
    programs = folder / "programs"
    programs.mkdir(parents=True)
    (programs / "python3").write_text(VENV.format(python=sys.executable, project=walker.path))
    (programs / "python3").chmod(0o755)
    (folder / "jobs").mkdir()
    machine = Machine(
        origin=walker.origin, folder=folder / "jobs", branch=branch, programs=programs,
        secrets={"OIDC_TOKEN": token(branch)}, **more,
    )  # fmt: skip
    text = walker.run(f"git show {branch}:{ci.of(WALKED).file}")
    machines.RUN[WALKED](yaml.load(text, Loader=yaml.BaseLoader), machine)  # noqa: S506  # safe
    return machine


def walk(walker: Walker, steps: Iterator[Block], *, until: str) -> None:
    """Follow the page to the block with *until* in it, which is followed, too."""
    for block in steps:
        walker.follow(block)
        if until in block.text:
            return
    raise AssertionError(f"the page does not say {until}")


@pytest.fixture(scope="module")
def steps() -> Iterator[Block]:
    """The page, of which each test reads on where the one before has stopped."""
    return blocks()


@pytest.mark.e2e
def test_by_hand_staging_serves(walker: Walker, steps: Iterator[Block]) -> None:
    walk(walker, steps, until='git commit --quiet --message "Deploy with deploylib"')
    (lines,) = (one for one in blocks() if "local" in one.words)
    for name in PROFILES:
        write(walker.path, dataclasses.replace(lines, values={"title": f"environments/{name}.toml"}))
        walker.run(f"inv local.up --env {name}")
    walker.run("git commit --quiet --all --message 'Rehearse'")
    assert lines.text == next(steps).text
    walk(walker, steps, until="inv history --env stg")
    assert walker.served("stg") == walker.head
    assert serving.fetch(walker.address("stg")).body == "Hello from staging"


@pytest.mark.e2e
def test_a_push_to_main_is_released_to_staging_by_the_job_s_token_alone(
    walker: Walker, steps: Iterator[Block], tmp_path: Path
) -> None:
    walk(walker, steps, until=f"{PUSHES}main\n")
    machine = pipeline(walker, tmp_path / "main", "main")
    said = "\n".join(machine.said)
    assert machine.verdicts == {"test": PASSED, "deploy-stg": PASSED}, said
    assert walker.served("stg") == walker.head
    history = json.loads(walker.run("inv history --env stg --output json").splitlines()[0])
    assert "assumed-role/notes-stg-deploy/" in history["releases"][0]["by"]
    walker.run("inv status --env stg", OIDC_TOKEN=token("release"))
    refused = walker.run("inv status --env stg", expect=1, OIDC_TOKEN=token("other"))
    assert "sub project_path:acme/notes:ref_type:branch:ref:other" in refused, "what the role would have to trust"


@pytest.mark.e2e
def test_a_push_to_release_is_promoted_to_production_when_a_person_lets_it(
    walker: Walker, steps: Iterator[Block], tmp_path: Path
) -> None:
    walk(walker, steps, until=f"{PUSHES}main:release\n")
    walker.run("git fetch --quiet origin && git branch --quiet release origin/release")
    machine = pipeline(walker, tmp_path / "waits", "release")
    assert machine.verdicts == {"test": PASSED, "deploy-prd": WAITING}
    machine = pipeline(walker, tmp_path / "goes", "release", approved=("deploy-prd",))
    said = "\n".join(machine.said)
    assert machine.verdicts == {"test": PASSED, "deploy-prd": PASSED}, said
    walk(walker, steps, until="inv history --env prd")
    assert walker.served("prd") == walker.served("stg") == walker.head
    assert serving.fetch(walker.address("prd")).body == "Hello"


@pytest.mark.e2e
def test_a_failing_test_keeps_a_push_from_staging(walker: Walker, tmp_path: Path) -> None:
    before = walker.served("stg")
    walker.run('git checkout --quiet -b broken && sed -i \'s/"well"/"ill"/\' app/notes.py')
    walker.run("git commit --quiet --all --message Break && git push --quiet origin broken:main")
    walker.run("git branch --quiet --force main broken")
    assert pipeline(walker, tmp_path, "main").verdicts["deploy-stg"] == SKIPPED
    assert walker.served("stg") == before


@pytest.mark.e2e
def test_what_is_looked_at_afterwards_is_there_and_everything_is_removed(
    walker: Walker, steps: Iterator[Block]
) -> None:
    """Comes last."""
    walk(walker, steps, until="inv params.rm SECRET_KEY --env stg")
    assert [one.language for one in steps] == [], "the page ends"
    walker.run("inv status --env stg", expect=2)
    assert walker.served("prd"), "production serves on"
