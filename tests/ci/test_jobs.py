"""The scripts of the rendered files, run in order by CI systems in small: what is tested, what is deployed, what stops.

`inv ci.environment` and `inv ci.merge-test` are the real ones, in a clone. Whatever wants AWS is only written down.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploylib import ci, generated
from tests.ci import machines, shop
from tests.ci.machines import FAILED, PASSED, SKIPPED, WAITING, Machine
from tests.ci.test_writing import Loader

ROOT = Path(__file__).resolve().parents[2]
TESTED = """
[ci]
merge_into = "develop"
[ci.test]
image = "python:3.11-bookworm"
commands = ["bash check.sh", "echo tested > reports/junit.xml"]
environment = { GREETING = "Hello" }
"""
CHECK = 'echo "tested $GREETING" >>"$RECORD"; test ! -e broken\n'
INV = f"""#!/bin/bash
echo "inv $* token=${{STG_TOKEN:-${{ACTIONS_ID_TOKEN_REQUEST_TOKEN:-}}}} key=${{AWS_PRD_ACCESS_KEY_ID:-}}" >>"$RECORD"
case "$1" in
  ci.merge-test) [ "${{MERGE:-}}" = no ] || PYTHONPATH={ROOT} exec {sys.executable} -m invoke "$@" ;;
  ci.*) PYTHONPATH={ROOT} exec {sys.executable} -m invoke "$@" ;;
  image.test) echo "the image tests say something"; exit "${{IMAGE_CODE:-0}}" ;;
  deploy) echo "the deploy says something"; exit "${{DEPLOY_CODE:-0}}" ;;
esac
"""
PROGRAMS = {
    "python3": f"""#!/bin/bash
if [ "$*" = "-m venv .venv" ]; then
  mkdir -p .venv/bin && cp "$(dirname "$0")/inv" .venv/bin/inv && cp "$(dirname "$0")/true" .venv/bin/pip
else exec {sys.executable} "$@"; fi
""",
    "inv": INV,
    "true": "#!/bin/bash\n",
    "docker": '#!/bin/bash\nif [ "$1 $2" = "run --rm" ]; then GREETING=Hello exec bash -c "${@: -1}"; fi\n',
}
DEPLOYED = {  # the jobs of a push to master, by provider
    "github": {
        "test": PASSED,
        "merge-test": PASSED,
        "environment": PASSED,
        "deploy-stg": PASSED,
        "deploy-prd": SKIPPED,
    },
    "gitlab": {"test": PASSED, "merge-test": PASSED, "deploy-stg": PASSED},
    "circleci": {"test": PASSED, "merge-test": PASSED, "deploy-stg": PASSED},
    "codebuild": {"install": PASSED, "pre_build": PASSED, "build": PASSED},
}
PROVIDERS = tuple(DEPLOYED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Yard:
    """The shop's repository, and machines that run its pipelines."""

    path: Path
    origin: Path

    def push(self, branch: str, **files: str) -> None:
        """Commit *files* on top of what *branch* is, or of develop, and push."""
        self.git("switch", "--quiet", "--create", branch, "develop")
        for name, text in files.items():
            (self.path / name).write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", f"On {branch}")
        self.git("push", "--quiet", "origin", branch)

    def run(self, provider: str, branch: str, *, approved: tuple[str, ...] = (), **variables: str) -> Machine:
        """Run the pipeline that a push to *branch* starts."""
        folder = self.path.parent / "jobs"
        folder.mkdir()
        machine = Machine(
            origin=self.origin,
            folder=folder,
            branch=branch,
            programs=self.path.parent / "programs",
            approved=approved,
            secrets={"AWS_PRD_ACCESS_KEY_ID": "key-of-prd"},
            more={"RECORD": str(self.path.parent / "record"), **variables},
        )
        found = yaml.load((self.path / ci.of(provider).file).read_text(), Loader=Loader)  # noqa: S506  # a safe one
        more: dict[str, Any] = {"reviewed": ("prd",)} if provider == "github" else {}
        machines.RUN[provider](found, machine, **more)
        return machine

    @property
    def record(self) -> list[str]:
        """What was run that is only written down."""
        return (self.path.parent / "record").read_text().splitlines()

    def deploys(self) -> list[str]:
        return [line.partition(" token")[0] for line in self.record if line.startswith("inv deploy")]

    def git(self, *words: str) -> None:
        subprocess.run(["git", *words], cwd=self.path, check=True, capture_output=True)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop with the rendered files in it."""
    path = tmp_path_factory.mktemp("files")
    made = ci.pipeline(shop.environments(path, common=shop.COMMON + TESTED))
    for name, provider in ci.PROVIDERS.items():
        generated.write(path / provider.file, ci.render(made, name))
    return path


@pytest.fixture
def yard(files: Path, tmp_path: Path) -> Yard:
    """A repository of the shop, at develop."""
    path, origin, programs = tmp_path / "shop", tmp_path / "origin.git", tmp_path / "programs"
    shutil.copytree(files, path)
    (path / "check.sh").write_text(CHECK)
    (path / ".gitignore").write_text(".venv\nreports\n")
    shutil.copy2(ROOT / "tasks.py", path / "tasks.py")
    programs.mkdir()
    for name, text in PROGRAMS.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    (tmp_path / "record").touch()
    yard = Yard(path=path, origin=origin)
    subprocess.run(["git", "init", "--quiet", "--bare", str(origin)], check=True)
    yard.git("init", "--quiet", "--initial-branch", "develop")
    yard.git("config", "user.name", "Test")
    yard.git("config", "user.email", "test@example.com")
    yard.git("remote", "add", "origin", str(origin))
    yard.git("add", "--all")
    yard.git("commit", "--quiet", "--message", "The shop")
    yard.git("push", "--quiet", "origin", "develop")
    return yard


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_push_to_a_deployed_branch_is_tested_merged_and_deployed(provider: str, yard: Yard) -> None:
    yard.push("master")
    machine = yard.run(provider, "master")
    assert machine.verdicts == DEPLOYED[provider], "\n".join(machine.said)
    assert [line for line in yard.record if line.startswith("tested")] == ["tested Hello"] * 2  # alone, and merged
    assert yard.deploys() == ["inv deploy --env auto --yes --wait-lock 30m"]
    ran = [line.split()[1] for line in yard.record if line.startswith("inv ") and " ci." not in line]
    assert ran == ["image.test", "deploy", "image.clean"]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_failing_test_stops_the_deploy(provider: str, yard: Yard) -> None:
    yard.push("master", broken="")
    machine = yard.run(provider, "master", MERGE="no")
    assert machine.verdicts["pre_build" if provider == "codebuild" else "test"] == FAILED
    assert machine.verdicts.get("deploy-stg", SKIPPED) == SKIPPED
    assert "build" not in machine.verdicts
    assert yard.deploys() == []


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_branch_that_is_deployed_nowhere_is_tested_alone(provider: str, yard: Yard) -> None:
    yard.push("feature/a")
    machine = yard.run(provider, "feature/a", MERGE="no")
    assert FAILED not in machine.verdicts.values(), "\n".join(machine.said)
    assert "tested Hello" in yard.record
    assert yard.deploys() == []


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_protected_environment_waits_for_a_person(provider: str, yard: Yard) -> None:
    yard.push("release")
    machine = yard.run(provider, "release", MERGE="no")
    assert yard.deploys() == []
    assert FAILED not in machine.verdicts.values(), "\n".join(machine.said)
    assert provider == "codebuild" or WAITING in machine.verdicts.values()


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_a_person_lets_go_on_is_deployed_with_what_it_needs_to_sign_in_to_both_accounts(
    provider: str, yard: Yard
) -> None:
    yard.push("release")
    machine = yard.run(provider, "release", approved=("deploy-prd", "approve-prd"), DEPLOY_APPROVED="prd", MERGE="no")
    assert yard.deploys() == ["inv deploy --env auto --yes --confirm prd --wait-lock 30m"], "\n".join(machine.said)
    (deploy,) = [line for line in yard.record if line.startswith("inv deploy")]
    assert deploy.endswith("key=key-of-prd")
    assert ("token=the" in deploy) == (provider != "codebuild")  # it signs in as its project's role


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_deploy_that_fails_fails_its_job_and_what_it_said_is_kept(provider: str, yard: Yard) -> None:
    yard.push("master")
    machine = yard.run(provider, "master", DEPLOY_CODE="6", MERGE="no")
    job = "build" if provider == "codebuild" else "deploy-stg"
    assert machine.verdicts[job] == FAILED
    assert (machine.folder / job / "reports/deploy.log").read_text() == "the deploy says something\n"
    assert yard.record[-1].startswith("inv image.clean --env auto")
    assert (machine.artifacts / job / "deploy.log").read_text() == "the deploy says something\n"
    assert machine.codes == [6]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_images_that_fail_their_tests_are_not_deployed_and_what_was_said_is_kept(provider: str, yard: Yard) -> None:
    yard.push("master")
    machine = yard.run(provider, "master", IMAGE_CODE="4", MERGE="no")
    job = "build" if provider == "codebuild" else "deploy-stg"
    assert (machine.verdicts[job], machine.codes) == (FAILED, [4])
    assert yard.deploys() == []
    assert (machine.artifacts / job / "image-tests.log").read_text() == "the image tests say something\n"
    assert yard.record[-1].startswith("inv image.clean --env auto")


@pytest.mark.parametrize("provider", ["github", "gitlab", "circleci"])
def test_jobs_that_run_what_was_pushed_see_neither_secrets_nor_tokens(provider: str, yard: Yard) -> None:
    yard.push("release")
    yard.run(provider, "release", approved=("deploy-prd", "approve-prd"), MERGE="no")
    before, _, after = "\n".join(yard.record).partition("inv deploy")
    assert set(re.findall(r"token=.*", before)) == {"token= key="}
    assert "key=key-of-prd" in after


def test_codebuild_tells_the_command_that_lets_a_release_go_on(yard: Yard) -> None:
    yard.push("release")
    machine = yard.run("codebuild", "release", MERGE="no")
    (line,) = [one for said in machine.said for one in said.splitlines() if one.startswith("aws codebuild start-build")]
    assert line == (
        "aws codebuild start-build --project-name shop --source-version refs/heads/release "
        "--environment-variables-override name=DEPLOY_APPROVED,value=prd"
    )


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_does_not_merge_is_told_and_deployed_all_the_same_by_those_who_can_tell_the_jobs_apart(
    provider: str, yard: Yard
) -> None:
    yard.push("master", contended="one\n")
    yard.git("switch", "--quiet", "develop")
    (yard.path / "contended").write_text("two\n")
    yard.git("add", "--all")
    yard.git("commit", "--quiet", "--message", "On develop")
    yard.git("push", "--quiet", "origin", "develop")
    machine = yard.run(provider, "master")
    assert any("contended: both added it" in one for one in machine.said)
    assert (yard.deploys() == []) == (provider == "codebuild")


def run(yard: Yard, *words: str) -> subprocess.CompletedProcess[str]:
    """Run `inv WORDS` in the shop."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(machines.SYSTEMS)}
    return subprocess.run(
        [sys.executable, "-m", "invoke", *words],
        cwd=yard.path,
        env={**kept, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", "COLUMNS": "200"},
        check=False,
        capture_output=True,
        text=True,
    )


def invoke(yard: Yard, *words: str) -> int:
    """Run `inv WORDS` in the shop and return its exit code."""
    return run(yard, *words).returncode


def test_a_file_that_is_out_of_date_is_found_and_written(yard: Yard) -> None:
    render = ("ci.render", "--provider", "circleci")
    assert invoke(yard, *render, "--check") == 0
    file = yard.path / ".circleci/config.yml"
    file.write_text(file.read_text() + "# by hand\n")
    refused = run(yard, *render, "--check")
    assert (refused.returncode, refused.stderr) == (
        9,
        "error: .circleci/config.yml is out of date\nhint: inv ci.render --provider circleci\n",
    )
    assert invoke(yard, *render) == 0
    assert "by hand" not in file.read_text()


def test_a_file_elsewhere_is_told_with_the_command_that_writes_it_there(yard: Yard) -> None:
    refused = run(yard, "ci.render", "--provider", "github", "--out", "a b.yml", "--check")
    assert refused.returncode == 9
    assert "hint: inv ci.render --provider github --out 'a b.yml'" in refused.stderr


def test_a_pipeline_without_tests_is_written_and_says_what_to_write(yard: Yard) -> None:
    common = yard.path / "environments/common.toml"
    common.write_text(common.read_text().replace(TESTED, ""))
    done = run(yard, "ci.render", "--provider", "gitlab")
    assert done.returncode == 0
    assert "write [ci.test] into environments/common.toml" in done.stdout
