"""Ctrl-C, failing builds and registries, two people at once: one clear error, a true state; the next run goes on."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deploylib import aws, config, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.project import Project

pytestmark = pytest.mark.e2e

APP = "examples/guestbook"
PAGE = f"{APP}/guestbook/web/templates/page.html"
NGINX = "COPY nginx/nginx.conf"
DEPLOY = ("deploy", "--env", "local", "--yes")
TIDY_SECONDS = 30


def ctrl_c(project: Project, words: tuple[str, ...], *, after: str, **variables: str) -> tuple[int, str]:
    """Run `inv WORDS`, press Ctrl-C once it has printed *after*, and return its exit code and what it printed.

    As a terminal does, the signal goes to the whole group in the foreground.
    """
    program = project.start(*words, **variables)
    assert program.stdout
    text = ""
    for line in program.stdout:
        text += line
        if after in line:
            break
    time.sleep(0.5)
    os.killpg(program.pid, signal.SIGINT)
    rest, _ = program.communicate(timeout=60)
    assert "Traceback" not in text + rest
    return program.returncode, text + rest


def commands(word: str) -> list[str]:
    """Return the command lines of this machine's processes that have *word* in them."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return [line for line in found if word in line]


def containers(word: str) -> list[str]:
    """Return the containers, running or not, whose command or name has *word* in it."""
    argv = ["docker", "ps", "--all", "--no-trunc", "--format", "{{.Names}} {{.Command}}"]
    listed = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if word in line]


def gone(word: str) -> bool:
    """Whether the containers with *word* are gone within a few seconds: the engine tidies up after its client left."""
    deadline = time.monotonic() + TIDY_SECONDS
    while containers(word) and time.monotonic() < deadline:
        time.sleep(0.2)
    return not containers(word)


def updated(project: Project, since: int) -> bool:
    return "UpdateService" in {one["action"] for one in project.api_calls()[since:]}


def served(project: Project) -> str:
    found = re.search(r"http://\S+\.alb\.localhost:\d+", project.inv("local.status").out)
    assert found
    return serving.fetch(f"{found[0]}/version").body


@pytest.fixture
def scratch(project: Project) -> Iterator[None]:
    """Take back what the test commits: the next deploy is made from what was released before."""
    before = project.head
    yield
    if project.head != before:
        project.git("reset", "--quiet", "--hard", before)


@pytest.mark.usefixtures("scratch")
def test_failing_build_shows_its_last_lines_and_is_the_last_json_line(project: Project) -> None:
    project.replace(f"{APP}/Dockerfile.j2", NGINX, f"RUN echo no such setting: FLUX && exit 3\n{NGINX}")
    project.commit("A build that fails")
    calls = len(project.api_calls())
    ran = project.inv(*DEPLOY, "--output", "json", expect=4)
    failed = json.loads(ran.out.splitlines()[-1])
    assert (failed["event"], failed["error"], failed["exit_code"]) == ("Failed", "ImageError", 4)
    assert "image nginx was not built" in failed["message"]
    said = re.compile(r"^(#\d+ [\d.]+ )?no such setting: FLUX$", re.MULTILINE)  # BuildKit numbers its lines
    assert said.search(failed["message"])
    assert said.search(ran.err)
    assert "Traceback" not in ran.text
    assert not updated(project, calls)


@pytest.mark.usefixtures("scratch")
def test_ctrl_c_in_a_build_leaves_nothing_of_it(project: Project, tmp_path: Path) -> None:
    project.replace(f"{APP}/Dockerfile.j2", NGINX, f"RUN sleep 61.7\n{NGINX}")
    project.commit("A build that takes a minute")
    calls = len(project.api_calls())
    code, text = ctrl_c(project, DEPLOY, after="RUN sleep 61.7", TMPDIR=str(tmp_path))
    assert code == 130, text
    assert text.splitlines()[-1] == "interrupted: no service was touched; what was pushed stays usable"
    assert commands(str(tmp_path)) == []
    assert list(tmp_path.iterdir()) == []
    assert gone("sleep 61.7")
    assert not updated(project, calls)


@pytest.mark.usefixtures("scratch")
def test_registry_that_does_not_answer_is_named(project: Project) -> None:
    """The contract names a registry on a port where nobody listens; the base builds, and cannot be pushed."""
    environment = config.load(project.path, "local", variables={})
    ssm, name = aws.signed_in(environment).ssm, environment.contract_parameter
    contract = ssm.get_parameter(Name=name)["Parameter"]["Value"]
    broken = {**json.loads(contract), "repository": "localhost:1/guestbook"}
    project.replace(f"{APP}/Dockerfile.base", "WORKDIR", "LABEL changed=yes\n\nWORKDIR")
    project.commit("A base image to push")
    ssm.put_parameter(Name=name, Value=json.dumps(broken), Overwrite=True)
    try:
        ran = project.inv(*DEPLOY, expect=4)
    finally:
        ssm.put_parameter(Name=name, Value=contract, Overwrite=True)
    built = re.search(r"localhost:1/guestbook:base-[0-9a-f]+", ran.text)
    assert built, ran.text
    subprocess.run(["docker", "image", "rm", built[0]], check=True, capture_output=True)
    assert "error: image base was not pushed to localhost:1/guestbook:base-" in ran.err
    assert "connection refused" in ran.err
    assert "hint: does the registry answer? Then repeat the command" in ran.err
    assert "Traceback" not in ran.text


@pytest.mark.usefixtures("scratch")
def test_ctrl_c_in_the_migration_stops_its_task(project: Project) -> None:
    project.add_migration('print("this takes a minute", flush=True); op.execute("SELECT pg_sleep(60)")')
    project.commit("A migration that takes a minute")
    calls = len(project.api_calls())
    code, text = ctrl_c(project, DEPLOY, after="this takes a minute")
    assert code == 130, text
    last = text.splitlines()[-1]
    task = re.fullmatch(r"interrupted: the migration's task (\S+) was stopped; no service was touched", last)
    assert task, text
    assert gone(task[1][:8])
    assert not updated(project, calls)


def test_next_run_continues_with_the_schema_as_it_was(project: Project) -> None:
    project.replace(PAGE, "</h1>", " after the interruptions</h1>")
    commit = project.commit("A page after interruptions")
    ran = project.inv(*DEPLOY)
    assert "schema at 0002, nothing to do" in ran.out
    assert commit in served(project)


def test_of_two_deploys_at_once_none_lies(project: Project) -> None:
    """One of them releases; the other one follows it, or is told who has the lock, or what was released meanwhile."""
    project.replace(PAGE, "</h1>", " by two</h1>")
    commit = project.commit("Deployed by two at once")
    programs = [project.start(*DEPLOY) for _ in range(2)]
    ends = [(program.communicate(timeout=120)[0], program.returncode) for program in programs]
    for text, code in ends:
        assert code in {0, 3, 8}, text
        assert ("error:" in text) == (code != 0), text
        assert "is locked by" in text or "by now" in text or code != 3, text
        assert "took over" in text or code != 8, text
    assert 0 in {code for _, code in ends}, ends
    assert commit in served(project)
    assert "Nothing to do" in project.inv(*DEPLOY).out
