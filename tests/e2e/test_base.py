"""The base image as a user meets it: what is stale and why, made once, made anew, and a parent that moved."""

from __future__ import annotations

import json
import subprocess
import uuid
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.project import Project, Ran

pytestmark = pytest.mark.e2e

APP = "examples/guestbook"
STATUS = ("base.status", "--env", "local")
REFRESH = ("base.refresh", "--env", "local")
TINY = "ARG OS_IMAGE\nFROM ${OS_IMAGE}\nCOPY requirements.txt /opt/\n"


def status(project: Project) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(project.inv(*STATUS, "--output", "json").out)
    return found


def docker(*words: str, typed: str | None = None) -> str:
    done = subprocess.run(["docker", *words], input=typed, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def writes(project: Project, since: int) -> list[str]:
    """Return the operations that changed something, of the calls after the first *since*."""
    calls = project.api_calls()[since:]
    assert calls
    return [str(one["action"]) for one in calls if one["write"]]


@pytest.fixture
def parent(project: Project) -> Iterator[str]:
    """A parent image that only this test's project knows, and a base that takes no time on it; all put back after."""
    name = f"test-{uuid.uuid4().hex[:12]}/parent:1"
    move(name, "one")
    (project.path / APP / "Dockerfile.base").write_text(TINY)
    project.replace("environments/local.toml", '"local/debian:bookworm"', f'"{name}"')
    try:
        yield name
    finally:
        project.git("checkout", "--quiet", "--", ".")
        project.inv(*REFRESH)
        docker("image", "rm", "--force", name)


def move(name: str, content: str) -> None:
    """Give *name* to another image, as when a distribution publishes an update."""
    docker("build", "--quiet", f"--tag={name}", "-", typed=f"FROM local/debian:bookworm\nLABEL test={content}\n")


def test_nothing_to_do_is_said_without_a_write(project: Project) -> None:
    project.inv(*STATUS, "--check")
    before = len(project.api_calls())
    ran = project.inv(*REFRESH)
    assert "nothing to build" in ran.text
    assert writes(project, before) == []
    found = status(project)
    assert {one["state"] for one in found["services"]} == {"current"}
    assert found["local_state"] == "current"


def test_what_a_touch_or_another_mode_leaves_is_no_change_and_a_byte_is_named(project: Project) -> None:
    file = project.path / APP / "requirements.txt"
    kept = file.read_text()
    file.touch()
    file.chmod(0o600)
    project.inv(*STATUS, "--check")
    file.write_text(f"{kept}# one more\n")
    try:
        refused: Ran = project.inv(*STATUS, "--check", expect=9)
    finally:
        file.write_text(kept)
    assert "requirements.txt changed" in refused.text
    assert f"inv {' '.join(REFRESH)}" in refused.text
    assert max(map(len, refused.out.splitlines())) <= 100


def test_a_parent_that_moved_and_a_base_made_anew(project: Project, parent: str) -> None:
    first = status(project)
    assert ("build argument", "OS_IMAGE") in {(one["kind"], one["name"]) for one in first["since"]}
    assert "image base: built" in project.inv(*REFRESH).text
    assert status(project)["present"]

    move(parent, "two")
    (difference,) = status(project)["since"]
    assert (difference["kind"], difference["name"]) == ("parent", parent)
    assert difference["old"] != difference["new"]
    refused = project.inv(*STATUS, "--check", expect=9)
    assert f"parent {parent}" in " ".join(refused.text.split())
    project.inv(*REFRESH)
    second = status(project)
    assert second["present"]
    assert {one["state"] for one in second["services"]} == {"older"}

    project.inv(*REFRESH, "--force")
    third = status(project)
    assert third["present"]
    assert third["fingerprint"] != second["fingerprint"]
    assert [one["kind"] for one in third["since"]] == ["refreshed"]
    assert "nothing to build" in project.inv(*REFRESH).text
