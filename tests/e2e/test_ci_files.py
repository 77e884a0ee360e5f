"""The rendered pipelines, run for real: their scripts in order, from a clone to the example served by the local AWS."""

from __future__ import annotations

import contextlib
import re
import shlex
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from deploylib import ci, config, generated, serving
from deploylib.toolchain.os_image import checkout_id
from tests.ci import machines
from tests.ci.machines import FAILED, PASSED, SKIPPED, Machine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.project import Project

pytestmark = pytest.mark.e2e

BRANCH = "deployment/local"
PAGE = "examples/guestbook/guestbook/web/templates/page.html"
WHOLE = {  # what becomes of the jobs, or phases, of a push that is deployed
    "github": {"test": PASSED, "environment": PASSED, "deploy-local": PASSED},
    "gitlab": {"test": PASSED, "deploy-local": PASSED},
    "circleci": {"test": PASSED, "deploy-local": PASSED},
    "codebuild": {"install": PASSED, "pre_build": PASSED, "build": PASSED},
}
STOPPED = {  # and of one whose tests fail
    "github": {"test": FAILED, "environment": PASSED, "deploy-local": SKIPPED},
    "gitlab": {"test": FAILED, "deploy-local": SKIPPED},
    "circleci": {"test": FAILED, "deploy-local": SKIPPED},
    "codebuild": {"install": PASSED, "pre_build": FAILED},
}
ARTIFACTS = {  # of the tests, and of the deploy
    "github": ("test-reports", "deploy-local"),
    "gitlab": ("test", "deploy-local"),
    "circleci": ("test", "deploy-local"),
    "codebuild": ("build", "build"),
}
TESTED = """
[ci.test]
image = "local/postgres:15"          # it has bash, and a client to ask the database beside it
commands = [
  "test ! -e broken",
  "PGPASSWORD=$DB_PASSWORD psql --host=$DB_HOST --port=$DB_PORT --username=$DB_USER $DB_NAME --command='select 1'",
  "echo '<testsuites/>' > reports/junit.xml",
]
needs = ["database"]
"""
VENV = """#!/bin/bash
# Stands for a cache that has everything: a virtual environment of the tests', and the accounts of the local AWS.
[ "$*" = "-m venv .venv" ] || exec {python} "$@"
mkdir -p .venv/bin
ln -sfn {project}/.local .local
printf '#!/bin/bash\\nexec {python} -m invoke "$@"\\n' >.venv/bin/inv
printf '#!/bin/bash\\n' >.venv/bin/pip
chmod +x .venv/bin/*
"""


@dataclass(slots=True, kw_only=True)
class Runner(Machine):
    """A machine whose job `test` runs in a container on *network*, as CI systems run it."""

    network: str
    image: str

    def run(self, script: str, where: Path, variables: dict[str, str]) -> bool:
        if where.name != "test":  # what CodeBuild runs starts its containers itself
            return Machine.run(self, script, where, variables)
        given = [word for key, value in variables.items() for word in ("--env", f"{key}={value}")]
        mounted = ["--volume", f"{where}:/src", "--workdir", "/src", "--entrypoint", "bash"]
        words = ["docker", "run", "--rm", "--network", self.network, *mounted, *given, self.image, "-c", script]
        return Machine.run(self, shlex.join(words), where, {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """Whoever commits: a clone of the project, and the repository that it is pushed to."""

    path: Path
    origin: Path
    pipeline: ci.Pipeline

    def push(self, message: str) -> str:
        """Commit everything, push it to the branch that is deployed, and return the commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        self.git("push", "--quiet", "--force", "origin", f"HEAD:refs/heads/{BRANCH}")
        return self.git("rev-parse", "HEAD")

    @contextlib.contextmanager
    def changed(self, file: str, more: str) -> Iterator[None]:
        """For a while there is *more* at the end of *file*, which need not be there."""
        path = self.path / file
        text = path.read_text() if path.exists() else None
        path.write_text(f"{text or ''}{more}")
        try:
            yield
        finally:
            path.unlink() if text is None else path.write_text(text)

    def git(self, *words: str) -> str:
        return subprocess.run(["git", *words], cwd=self.path, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(scope="module")
def team(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Team:
    """A clone in which the local AWS is where a branch is deployed to."""
    folder = tmp_path_factory.mktemp("team")
    path, origin = folder / "clone", folder / "origin.git"
    subprocess.run(["git", "clone", "--quiet", "--bare", str(project.path), str(origin)], check=True)
    subprocess.run(["git", "clone", "--quiet", str(origin), str(path)], check=True)
    common = path / "environments/common.toml"
    text = re.sub(r"(?ms)^\[branches\].*?\n\n", f'[branches]\n"{BRANCH}" = "local"\n\n', common.read_text())
    common.write_text(re.sub(r"(?ms)^\[ci.*?\n\n", "", text) + TESTED)
    found = ci.pipeline(tuple(config.load(path, name, variables={}) for name in config.names(path)))
    made = Team(path=path, origin=origin, pipeline=found)
    made.git("config", "user.name", "Test")
    made.git("config", "user.email", "test@example.com")
    return made


@pytest.fixture
def network(team: Team) -> Iterator[str]:
    """A network with the services of the tests on it, under their names."""
    name = f"ci-{uuid.uuid4().hex[:8]}"
    services = team.pipeline.test.services if team.pipeline.test else ()
    docker("network", "create", name)
    try:
        for one in services:
            given = [word for key, value in one.variables.items() for word in ("--env", f"{key}={value}")]
            named = [f"--name={name}-{one.name}", f"--network={name}", f"--network-alias={one.name}"]
            health = ["--health-interval=1s", f"--health-cmd={one.health}"]
            docker("run", "--detach", *named, *health, *given, one.image)
        yield name
    finally:
        for one in services:
            with contextlib.suppress(subprocess.CalledProcessError):
                docker("rm", "--force", "--volumes", f"{name}-{one.name}")
        docker("network", "rm", name)


def docker(*words: str) -> str:
    return subprocess.run(["docker", *words], check=True, capture_output=True, text=True).stdout


def containers_of(clone: Path) -> list[str]:
    """Return the containers that a release out of *clone* has left in the engine, and those of a build's services."""
    own = docker("ps", "--all", "--format", "{{.Names}}", "--filter", f"label=deploylib.checkout={checkout_id(clone)}")
    return [*own.split(), *docker("network", "ls", "--quiet", "--filter", "name=^beside$").split()]


def wait_as_github_does(network: str, pipeline: ci.Pipeline) -> None:
    """Wait until the services' health checks pass: the steps begin after that."""
    deadline = time.monotonic() + 60
    for one in pipeline.test.services if pipeline.test else ():
        words = ["docker", "inspect", "--format", "{{.State.Health.Status}}", f"{network}-{one.name}"]
        while subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip() != "healthy":
            assert time.monotonic() < deadline, f"{one.name} is not healthy"
            time.sleep(0.5)


def run(provider: str, team: Team, project: Project, folder: Path, network: str) -> Machine:
    """Run the pipeline of the commit that was pushed; a file that `inv ci.render` has written is what is read."""
    programs = folder / "programs"
    programs.mkdir()
    (programs / "python3").write_text(VENV.format(python=sys.executable, project=project.path))
    (programs / "python3").chmod(0o755)
    (folder / "jobs").mkdir()
    machine = Runner(
        origin=team.origin, folder=folder / "jobs", branch=BRANCH, programs=programs, network=network,
        image=team.pipeline.test.image if team.pipeline.test else "",
    )  # fmt: skip
    if provider == "github":
        wait_as_github_does(network, team.pipeline)
    found: Any = yaml.load((team.path / ci.of(provider).file).read_text(), Loader=yaml.BaseLoader)  # noqa: S506  # safe
    machines.RUN[provider](found, machine)
    return machine


def served(project: Project, path: str = "/version") -> str:
    """Return what the example answers to *path*."""
    address = re.search(r"http://\S+\.alb\.localhost:\d+", project.inv("local.status").out)
    assert address
    return serving.fetch(f"{address[0]}{path}").body


@pytest.mark.parametrize("provider", ci.PROVIDERS)
def test_the_scripts_of_the_jobs_end_with_the_example_served(
    provider: str, team: Team, project: Project, network: str, tmp_path: Path
) -> None:
    mark = f"<!-- by {provider} -->"
    generated.write(team.path / ci.of(provider).file, ci.render(team.pipeline, provider))
    with team.changed(PAGE, f"{mark}\n"):
        commit = team.push(f"Deploy by {provider}")
    machine = run(provider, team, project, tmp_path, network)
    assert (machine.verdicts, machine.codes) == (WHOLE[provider], []), "\n".join(machine.said)
    tests, deploy = ARTIFACTS[provider]
    assert (machine.artifacts / tests / "junit.xml").is_file()
    assert "image web: passed its tests in" in (machine.artifacts / deploy / "image-tests.log").read_text()
    assert "image web: built" in (machine.artifacts / deploy / "deploy.log").read_text()
    assert commit in served(project)
    assert mark in served(project, "/")


@pytest.mark.parametrize("provider", ci.PROVIDERS)
def test_a_failing_test_job_stops_the_deploy_job(
    provider: str, team: Team, project: Project, network: str, tmp_path: Path
) -> None:
    generated.write(team.path / ci.of(provider).file, ci.render(team.pipeline, provider))
    with team.changed("broken", f"by {provider}\n"):
        commit, before = team.push("Break it"), len(project.api_calls())
    machine = run(provider, team, project, tmp_path, network)
    assert (machine.verdicts, machine.codes) == (STOPPED[provider], [1]), "\n".join(machine.said)
    assert len(project.api_calls()) == before
    assert commit not in served(project)


@pytest.mark.parametrize("provider", ["gitlab", "codebuild"])
def test_a_broken_page_fails_the_deploy_job_before_anything_is_released_and_leaves_its_log_and_nothing_else(
    provider: str, team: Team, project: Project, network: str, tmp_path: Path
) -> None:
    generated.write(team.path / ci.of(provider).file, ci.render(team.pipeline, provider))
    with team.changed(PAGE, f"{{{{ broken by {provider}\n"):
        commit = team.push("Break the page")
    machine = run(provider, team, project, tmp_path, network)
    job = ARTIFACTS[provider][1]
    assert (machine.verdicts, machine.codes) == ({**WHOLE[provider], job: FAILED}, [4]), "\n".join(machine.said)
    assert "FAILED (" in (machine.artifacts / job / "image-tests.log").read_text()
    assert not (machine.artifacts / job / "deploy.log").exists()
    assert "image.clean --env auto" in machine.said[-1]
    assert containers_of(machine.folder / job) == []
    assert commit not in served(project)
