"""The development environment as a developer uses it: the base that is in ECR, the source as it is on disk."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING

import pytest

from deploylib import serving
from deploylib.toolchain import compose_tool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.e2e.project import Project

pytestmark = pytest.mark.e2e

APP = "examples/guestbook"
PAGE = f"{APP}/guestbook/web/templates/page.html"
SETTINGS = "environments/local.toml"
SECONDS = 30


@pytest.fixture(scope="module")
def url(project: Project) -> Iterator[str]:
    """Where nginx is published, at a port of this test's own; nothing is left afterwards."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    path = project.path / SETTINGS
    path.write_text(f"{path.read_text()}\n[development.containers.nginx]\npublished = {port}\n")
    yield f"http://127.0.0.1:{port}"
    project.inv("dev.down", "--volumes")
    project.git("checkout", "--", SETTINGS)


def in_engine(project: Project, kind: str) -> list[str]:
    """Return what the engine has of this checkout: `ps --all`, `network ls`, `volume ls`."""
    label = f"label={compose_tool.PROJECT_LABEL}=guestbook{compose_tool.suffix(project.path)}"
    words = ["docker", *kind.split(), "--filter", label, "--quiet"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()


def image_of(project: Project, service: str) -> str:
    """Return the image that the container of *service* was started from."""
    filters = f"label={compose_tool.PROJECT_LABEL}=guestbook{compose_tool.suffix(project.path)}"
    also = f"label={compose_tool.SERVICE_LABEL}={service}"
    words = ["docker", "ps", "--filter", filters, "--filter", also, "--quiet"]
    found = subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
    words = ["docker", "inspect", "--format", "{{.Config.Image}}", found]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


def visits(body: str) -> int:
    found = re.search(r"<dt>Visits</dt><dd>(\d+)</dd>", body)
    assert found, "no visits are counted"
    return int(found[1])


def await_page(url: str, wanted: Callable[[str], bool]) -> str:
    """Return the page once it is as *wanted*: a server that reloads may refuse for a moment."""
    deadline, body = time.monotonic() + SECONDS, ""
    while time.monotonic() < deadline:
        try:
            body = serving.fetch(url).body
        except OSError as error:
            body = repr(error)
        if wanted(body):
            return body
        time.sleep(0.2)
    pytest.fail(f"the page is still not as expected\n{body[:2000]}")


def sign(url: str, name: str) -> None:
    form = urllib.parse.urlencode({"name": name, "message": "signed in development"}).encode()
    with urllib.request.urlopen(url, data=form, timeout=10) as answer:  # noqa: S310 - our own address
        assert answer.status == 200


def test_compose_file_is_always_the_same_and_its_check_says_when_it_is_not(project: Project, url: str) -> None:
    project.inv("dev.compose")
    path = project.path / "compose.yaml"
    first = path.read_text()
    project.inv("dev.compose", "--check")
    path.write_text(first.replace("alembic", "another"))
    ran = project.inv("dev.compose", "--check", expect=9)
    assert "inv dev.compose --env local" in ran.err
    project.inv("dev.compose")
    assert path.read_text() == first
    project.git("diff", "--exit-code", "--", APP)


def test_dev_up_serves_the_app_from_the_base_in_the_registry(project: Project, url: str) -> None:
    before = len(project.api_calls())
    ran = project.inv("dev.up")
    assert url in ran.out
    assert APP in ran.out
    body = await_page(url, lambda text: "Hello from development" in text)
    assert visits(await_page(url, lambda text: "Visits" in text)) > visits(body)
    assert "welcome" in body.lower(), "the migration's row is not on the page"
    digest = re.search(r"sha256:[0-9a-f]{64}", project.inv("base.status", "--output", "json").out)
    assert digest, "the base is not in the registry"
    assert image_of(project, "web").endswith(f"/guestbook@{digest[0]}")
    assert [one for one in project.api_calls()[before:] if one["write"]] == []


def test_edit_is_served_without_a_build(project: Project, url: str) -> None:
    project.replace(PAGE, "</h1>", " edited</h1>")
    try:
        await_page(url, lambda text: " edited</h1>" in text)
    finally:
        project.git("checkout", "--", PAGE)


def test_second_dev_up_leaves_what_runs_alone(project: Project, url: str) -> None:
    before = in_engine(project, "ps --all")
    project.inv("dev.up")
    assert set(in_engine(project, "ps --all")) == set(before)


def test_port_of_somebody_else_is_told_with_its_key(project: Project, url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        own = (project.path / SETTINGS).read_text()
        project.replace(SETTINGS, url.rpartition(":")[2], str(port))
        ran = project.inv("dev.up", expect=2)
        (project.path / SETTINGS).write_text(own)
    assert f"port {port}" in ran.err
    assert f"development.containers.nginx.published in {SETTINGS}" in ran.err


def test_stale_base_is_told_with_its_cause_and_the_command_that_mends_it(project: Project, url: str) -> None:
    lock = project.path / APP / "requirements.txt"
    lock.write_text(f"{lock.read_text()}# one more line\n")
    try:
        ran = project.inv("dev.status", "--check", expect=9)
    finally:
        project.git("checkout", "--", f"{APP}/requirements.txt")
    assert "changed since: requirements.txt" in ran.out
    assert "inv base.refresh --env local" in ran.out
    assert "stale" not in project.inv("dev.status", "--check").out


def test_dev_down_leaves_the_data_only(project: Project, url: str) -> None:
    sign(url, "Ada Lovelace")
    project.inv("dev.down")
    assert in_engine(project, "ps --all") == in_engine(project, "network ls") == []
    assert len(in_engine(project, "volume ls")) == 2


def test_interrupted_start_is_taken_up_again_with_the_data_of_before(project: Project, url: str) -> None:
    with project.start("dev.up", PYTHONUNBUFFERED="1") as started:
        assert started.stdout
        for line in started.stdout:
            if line.startswith("database: "):
                os.killpg(started.pid, signal.SIGINT)
                break
        rest = started.stdout.read()
    assert started.returncode == 130, rest
    assert "inv dev.up" in rest
    project.inv("dev.up")
    await_page(url, lambda text: "Ada Lovelace" in text)


def test_dev_down_with_volumes_leaves_nothing(project: Project, url: str) -> None:
    ran = project.inv("dev.down", "--volumes")
    assert "2 volumes" in ran.out
    for kind in ("ps --all", "network ls", "volume ls"):
        assert in_engine(project, kind) == []
    with pytest.raises((urllib.error.URLError, OSError)):
        serving.fetch(url)
