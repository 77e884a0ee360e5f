"""The main job as a user runs it: real Terraform, real images, real containers behind the local load balancer."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from deploylib import serving
from tests.e2e.project import Visitor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.project import Project

pytestmark = pytest.mark.e2e

APP = "examples/guestbook"
PAGE = f"{APP}/guestbook/web/templates/page.html"
SERVER = f"{APP}/guestbook/web/server.py"
DEPLOY = ("deploy", "--env", "local", "--yes")


def url(project: Project) -> str:
    """Return the address that the user is told."""
    found = re.search(r"http://\S+\.alb\.localhost:\d+", project.inv("local.status").out)
    assert found, "inv local.status prints no URL"
    return found[0]


def page(project: Project, path: str = "/") -> str:
    answer = serving.fetch(url(project) + path)
    assert answer.status == 200, answer.body
    return answer.body


def containers(project: Project) -> set[str]:
    """Return the containers of this project's local AWS that exist, as a person sees them with `docker ps -a`."""
    label = f"label=deploylib.localaws.instance={instance(project)}"
    words = ["docker", "ps", "--all", "--filter", label, "--format", "{{.ID}} {{.Names}}"]
    return set(subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines())


def instance(project: Project) -> str:
    recorded = next((project.path / ".local").rglob("emulator.json"))
    return str(json.loads(recorded.read_text())["instance"])


def of_service(found: set[str], service: str) -> set[str]:
    return {one for one in found if f"-{service}-" in one}


def built(text: str) -> set[str]:
    """Return the images that a deploy's lines say were built."""
    return set(re.findall(r"image (\w+): built", text))


def test_first_release_serves_the_commit_and_the_rows_of_migration_and_worker(project: Project) -> None:
    assert project.head in page(project, "/version")
    deadline = time.monotonic() + 20
    while "stamped" not in page(project).lower() and time.monotonic() < deadline:
        time.sleep(0.5)  # the worker is another service: it needs a moment for its first row
    body = page(project)
    assert project.head[:7] in body
    assert "welcome" in body.lower(), "the migration's row is not on the page"
    assert "stamped" in body.lower(), "the worker has done nothing visible"


def test_second_deploy_finds_nothing_to_do_and_writes_nothing(project: Project) -> None:
    before = len(project.api_calls())
    ran = project.inv(*DEPLOY)
    calls = project.api_calls()[before:]
    assert "nothing to do" in ran.out.lower()
    assert [one for one in calls if one["write"]] == []
    assert len(calls) <= 12, calls


def test_second_deploy_asks_neither_the_engine_nor_terraform(project: Project, tmp_path: Path) -> None:
    for name in ("docker", "terraform"):
        program = tmp_path / name
        program.write_text(f'#!/bin/sh\necho {name} "$@" >> {tmp_path}/asked\nexit 1\n')
        program.chmod(0o755)
    engine = f"unix://{tmp_path}/nowhere.sock"
    ran = project.inv(*DEPLOY, PATH=f"{tmp_path}:{os.environ['PATH']}", DOCKER_HOST=engine)
    assert "nothing to do" in ran.out.lower()
    assert not (tmp_path / "asked").exists(), (tmp_path / "asked").read_text()


def test_plan_after_a_deploy_shows_no_terraform_change(project: Project) -> None:
    project.inv("infra.plan", "--env", "local", "--check")


def test_changed_page_is_released_without_a_failed_request(project: Project) -> None:
    old = containers(project)
    project.replace(PAGE, "</h1>", " changed by a test</h1>")
    commit = project.commit("Change the page")
    with Visitor(url=f"{url(project)}/version") as visitor:
        ran = project.inv(*DEPLOY)
        new = containers(project)
    assert visitor.failures == []
    assert visitor.answers > 50
    assert any(commit in body for body in visitor.bodies)
    assert "changed by a test" in page(project)
    assert built(ran.out) == {"web"}
    assert of_service(old, "web") & new == set(), "containers of the old revision were there when the command returned"
    assert of_service(old, "job") <= new, "the job was restarted although nothing of it changed"


@pytest.fixture
def healed(project: Project) -> Iterator[None]:
    """Whatever becomes of the test: what it broke is mended for the tests behind it."""
    good = project.head
    yield
    if project.git("diff", "--name-only", good):
        project.git("reset", "--quiet", "--hard", good)
        project.inv(*DEPLOY)


def mend(project: Project) -> None:
    """Take the last commit back and release that, as a team does after a failed release."""
    project.git("revert", "--no-edit", "HEAD")
    project.inv(*DEPLOY)
    assert project.head in page(project, "/version")


@pytest.mark.usefixtures("healed")
def test_crash_at_start_is_reported_and_the_old_version_keeps_serving(project: Project) -> None:
    good = project.head
    path = project.path / SERVER  # which the image's tests do not start
    path.write_text(path.read_text() + '\nraise SystemExit("no such setting: FLUX")\n')
    project.commit("An application that exits at start")
    with Visitor(url=f"{url(project)}/version") as visitor:
        ran = project.inv(*DEPLOY, expect=6)
    assert visitor.failures == []
    assert all(good in body for body in visitor.bodies)
    assert re.search(r"app +exit code 1", ran.text)
    assert "no such setting: FLUX" in ran.text
    said = "circuit breaker|ended the same way"
    assert re.search(said, ran.text), "it is over when it is hopeless, not when the time is up"
    mend(project)


@pytest.mark.usefixtures("healed")
def test_failing_health_check_is_named_and_the_old_version_keeps_serving(project: Project) -> None:
    good = project.head
    project.replace(f"{APP}/guestbook/web/application.py", '"/healthz"', '"/healthz-moved"')
    project.commit("A health check that fails")
    with Visitor(url=f"{url(project)}/version") as visitor:
        ran = project.inv(*DEPLOY, expect=6)
    assert visitor.failures == []
    assert all(good in body for body in visitor.bodies)
    assert "health check" in ran.text.lower()
    mend(project)


@pytest.mark.usefixtures("healed")
def test_failing_migration_touches_no_service(project: Project) -> None:
    before = containers(project)
    project.add_migration('raise RuntimeError("column FLUX is missing")')
    project.commit("A migration that fails")
    calls = len(project.api_calls())
    ran = project.inv(*DEPLOY, expect=5)
    assert "column FLUX is missing" in ran.text
    assert "UpdateService" not in {one["action"] for one in project.api_calls()[calls:]}
    assert before <= containers(project)
    mend(project)


def test_environment_variable_changed_in_terraform_reaches_the_running_task(project: Project) -> None:
    project.replace("environments/common.toml", 'GREETING = "Hello"', 'GREETING = "Good morning"')
    planned = project.inv("infra.plan", "--env", "local")
    assert "GREETING" in planned.out
    assert re.search(r"Hello\W+(->|→)\W+Good morning", planned.out)
    project.inv("infra.apply", "--env", "local", "--yes")
    assert "Good morning" not in page(project), "Terraform must not roll out by itself"
    project.inv(*DEPLOY)
    assert "Good morning" in page(project)
    project.inv("infra.plan", "--env", "local", "--check")


@pytest.mark.parametrize("words", [DEPLOY, ("infra.apply", "--env", "local", "--yes")], ids=["deploy", "infra.apply"])
def test_another_account_is_refused_before_anything_is_written(project: Project, words: tuple[str, ...]) -> None:
    project.replace("environments/local.toml", 'id = "000000000000"', 'id = "999999999999"')
    before = len(project.api_calls())
    ran = project.inv(*words, expect=3)
    project.git("checkout", "--", "environments/local.toml")
    assert "999999999999" in ran.err
    assert "000000000000" in ran.err
    assert [one for one in project.api_calls()[before:] if one["write"]] == []


def test_three_mistakes_are_reported_at_once(project: Project) -> None:
    path = project.path / "environments/local.toml"
    good = path.read_text()
    path.write_text(
        good.replace('id = "000000000000"', 'id = "12"').replace("timeout_seconds = 20\n", 'timeout_seconds = "x"\n')
        + "\n[surprise]\n"
    )
    ran = project.inv(*DEPLOY, expect=2)
    path.write_text(good)
    for key in ("account.id", "serving.timeout_seconds", "surprise"):
        assert f"environments/local.toml: {key}:" in ran.err


def test_dirty_tree_is_refused_and_can_be_allowed(project: Project) -> None:
    project.replace(PAGE, "</h1>", " not committed</h1>")
    ran = project.inv(*DEPLOY, expect=3)
    assert "page.html" in ran.err
    project.inv(*DEPLOY, "--allow-dirty")
    assert "not committed" in page(project)
    project.git("checkout", "--", PAGE)
    project.inv(*DEPLOY)
    assert "not committed" not in page(project)


def test_json_output_is_one_document_a_line(project: Project) -> None:
    ran = project.inv("deploy", "--env", "local", "--dry-run", "--output", "json")
    documents: list[dict[str, Any]] = [json.loads(line) for line in ran.out.splitlines()]
    assert documents


def test_unconfirmed_deploy_without_a_terminal_is_refused(project: Project) -> None:
    project.replace(PAGE, "</h1>", " asked</h1>")
    project.commit("Something to deploy")
    before = len(project.api_calls())
    ran = project.inv("deploy", "--env", "local", expect=3)
    assert "--yes" in ran.err
    assert [one for one in project.api_calls()[before:] if one["write"]] == []


def test_ctrl_c_in_the_rollout_lets_it_go_on_and_the_next_run_follows_it(project: Project) -> None:
    program = project.start(*DEPLOY)
    assert program.stdout
    lines = []
    for line in program.stdout:
        lines.append(line)
        if "rollout" in line.lower() or "rolling out" in line.lower():
            break
    program.send_signal(signal.SIGINT)
    rest, _ = program.communicate(timeout=60)
    text = "".join(lines) + rest
    assert program.returncode == 130, text
    assert "goes on in ECS" in text
    project.inv(*DEPLOY)
    assert project.head in page(project, "/version")


def test_unknown_environment_names_those_that_exist(project: Project) -> None:
    ran = project.inv("deploy", "--env", "production", expect=2)
    for name in ("local", "stg", "prd"):
        assert name in ran.err


def test_engine_that_does_not_answer_is_one_clear_error(project: Project) -> None:
    project.replace(PAGE, "</h1>", " no engine</h1>")
    project.commit("Needs a build")
    ran = project.inv(*DEPLOY, expect=2, DOCKER_HOST="unix:///nonexistent/docker.sock")
    assert "nonexistent" in ran.err or "engine" in ran.err.lower()
    assert "Traceback" not in ran.text
    project.inv(*DEPLOY)


def test_killed_local_aws_is_one_clear_error_and_down_leaves_nothing(project: Project) -> None:
    """Comes last: it takes the local AWS away."""
    mine, status = instance(project), project.inv("local.status").out
    pid = re.search(r"process (\d+)", status)
    assert pid, status
    subprocess.run(["kill", "-9", pid[1]], check=True)
    ran = project.inv(*DEPLOY, expect=1)
    assert "Traceback" not in ran.text
    assert "local.status" in ran.err or "local.up" in ran.err
    assert "died" in project.inv("local.status").out
    project.inv("local.down")
    assert not (project.path / ".local").exists()
    words = ["docker", "ps", "--all", "--quiet", "--filter", f"label=deploylib.localaws.instance={mine}"]
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout == ""
