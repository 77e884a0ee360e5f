"""Settings as a team uses them: set, missed, changed under running tasks, refreshed while somebody visits.

Every test leaves the project as it found it.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from deploylib import serving
from tests.e2e.project import Visitor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.project import Project

pytestmark = pytest.mark.e2e

COMMON = "environments/common.toml"
LOCAL = ("--env", "local")
YES = (*LOCAL, "--yes")


@pytest.fixture
def greeting(project: Project) -> Iterator[None]:
    """Take GREETING out of Terraform's code and make it a setting; put it back in the end."""
    project.replace(COMMON, 'environment = { GREETING = "Hello" }', 'settings = ["GREETING"]')
    project.inv("infra.apply", *YES)
    yield
    project.git("checkout", "--", "environments")
    project.inv("infra.apply", *YES)
    project.inv("deploy", *YES)
    project.inv("params.rm", "GREETING", *YES)
    assert json.loads(project.inv("params.list", *LOCAL, "--output", "json").out) == []


def url(project: Project) -> str:
    (found,) = set(re.findall(r"http://\S+\.alb\.localhost:\d+", project.inv("local.status").out))
    return str(found)


def writes(project: Project, before: int) -> list[str]:
    """Return the writing calls since the local AWS had answered *before* calls, the lock's and the ledger's apart."""
    table = {"PutItem", "UpdateItem"}
    return [one["action"] for one in project.api_calls()[before:] if one["write"] and one["action"] not in table]


@pytest.mark.usefixtures("greeting")
def test_a_setting_from_its_absence_to_its_second_value(project: Project) -> None:
    address, before = url(project), len(project.api_calls())

    missed = project.inv("deploy", *YES, expect=3)
    assert "web/app: GREETING (/guestbook/local/settings/GREETING)" in missed.err
    assert "inv params.set GREETING --env local" in missed.err
    assert writes(project, before) == []
    assert "MISSING" in project.inv("params.list", *LOCAL, "--check", expect=9).out

    project.inv("params.set", "GREETING", *LOCAL, typed="Good evening\n")
    assert project.inv("params.get", "GREETING", *LOCAL, "--reveal").out == "Good evening\n"
    project.inv("deploy", *YES)
    assert "Good evening" in serving.fetch(address).body
    assert "inv refresh" not in project.inv("deploy", *YES).out
    project.inv("params.rm", "GREETING", *YES, expect=3)

    (project.path / "greeting.env").write_text("GREETING='Good night'\n")
    project.inv("params.import", "--file", "greeting.env", *YES)
    (project.path / "greeting.env").unlink()
    said = project.inv("deploy", *YES).out
    assert "Nothing to do" in said
    assert "web: GREETING changed since its tasks started: inv refresh --env local" in said
    assert "Good evening" in serving.fetch(address).body, "tasks read their settings at their start only"

    before = len(project.api_calls())
    with Visitor(url=f"{address}/version") as visitor:
        project.inv("refresh", *YES)
    assert visitor.failures == []
    assert writes(project, before) == ["UpdateService"]
    assert "Good night" in serving.fetch(address).body
    assert "Nothing to do" in project.inv("refresh", *YES).out
    assert "inv refresh" not in project.inv("deploy", *YES).out
