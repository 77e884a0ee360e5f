"""Tests of images: what does not pass is not pushed, and nothing of a test outlives it."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from deploylib import aws, config
from deploylib.toolchain.os_image import checkout_id
from tests.e2e.test_interruptions import ctrl_c

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.project import Project

pytestmark = pytest.mark.e2e

SETTINGS = "environments/local.toml"
NGINX = "examples/guestbook/nginx/nginx.conf"
ENDLESS = ("sh", "-c", "echo on; sleep 61.3")


@pytest.fixture
def scratch(project: Project) -> Iterator[Project]:
    """The project; what the test edits in it is taken back."""
    yield project
    project.git("checkout", "--quiet", "--", ".")


def nginx_passes(project: Project, *command: str) -> None:
    """Let the image `nginx` pass *command*, with a database beside it."""
    path = project.path / SETTINGS
    table = f'\n[images.roles.nginx.test]\ncommands = [{list(command)}]\nneeds = ["database"]\n'
    path.write_text(path.read_text() + table)


def left(project: Project) -> list[str]:
    """Return the containers and networks of the project's image tests that are in the engine."""
    label = f"label=deploylib.checkout={checkout_id(project.path)}"
    listed = (("ps", "--all", "--format", "{{.Names}}"), ("network", "ls", "--format", "{{.Name}}"))
    found = (subprocess.run(["docker", *one, "--filter", label], capture_output=True, check=True) for one in listed)
    return [name for one in found for name in one.stdout.decode().split()]


def in_the_registry(project: Project) -> set[str]:
    """Return every tag that the registry holds."""
    ecr = aws.signed_in(config.load(project.path, "local", variables={})).ecr
    details = ecr.describe_images(repositoryName="guestbook")["imageDetails"]
    return {tag for one in details for tag in one.get("imageTags", [])}


def test_the_application_passes_over_a_real_database_and_nothing_is_pushed(scratch: Project) -> None:
    before = in_the_registry(scratch)
    ran = scratch.inv("image.test", "--role", "web")
    assert "image web: testing beside database" in ran.out
    assert "migration: schema at 0002, committed" in ran.out
    assert "OK" in ran.out
    assert "image web: passed its tests in" in ran.out
    assert in_the_registry(scratch) == before
    assert left(scratch) == []


def test_an_image_that_does_not_pass_is_not_pushed_and_not_released(scratch: Project) -> None:
    before, calls = in_the_registry(scratch), len(scratch.api_calls())
    nginx_passes(scratch, "sh", "-c", "id -un >&2; echo no good >&2; exit 3")
    scratch.replace(NGINX, "worker_connections 1024;", "worker_connections 512;")
    ran = scratch.inv("deploy", "--yes", "--allow-dirty", expect=4)
    assert "image nginx: built in" in ran.out
    assert "image nginx | guestbook" in ran.out, "it runs as the image's user"
    assert "error: image nginx did not pass its tests: sh -c" in ran.err
    assert "ended with exit code 3\nguestbook\nno good\nthe last lines of database:" in ran.err
    assert "hint: inv image.test --role nginx --env local" in ran.err
    assert in_the_registry(scratch) == before
    assert not {"PutImage", "RegisterTaskDefinition", "UpdateService"} & {
        one["action"] for one in scratch.api_calls()[calls:]
    }
    assert left(scratch) == []


def test_ctrl_c_in_a_test_leaves_nothing_of_it(scratch: Project) -> None:
    nginx_passes(scratch, *ENDLESS)
    code, text = ctrl_c(scratch, ("image.test", "--role", "nginx"), after="image nginx | on")
    assert code == 130, text
    assert left(scratch) == []


def test_what_a_killed_test_left_is_removed_by_the_next_one(scratch: Project) -> None:
    nginx_passes(scratch, *ENDLESS)
    program = scratch.start("image.test", "--role", "nginx")
    assert program.stdout
    assert any("image nginx | on" in line for line in program.stdout)
    os.killpg(program.pid, signal.SIGKILL)
    program.communicate(timeout=60)
    assert len(left(scratch)) == 3, "a database, the test, their network"
    scratch.git("checkout", "--quiet", "--", SETTINGS)
    ran = scratch.inv("image.test", "--role", "nginx")
    assert "building" not in ran.out, "the registry has it"
    assert left(scratch) == []
