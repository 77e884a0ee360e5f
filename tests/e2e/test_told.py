"""Who is told of a release, what runs around it, and what it has to answer: with a real webhook and a black hole."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

import pytest

from deploylib import serving
from tests.e2e import shop
from tests.e2e.shop import DEPLOY, LOCAL, change
from tests.fakes.webhook import SECRET, Webhook, served

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.project import Project

pytestmark = pytest.mark.e2e

HOOK = '#!/bin/sh\necho "$DEPLOY_HOOK of $DEPLOY_COMMIT: $DEPLOY_IMAGES"\nenv > "$DEPLOY_HOOK.env"\n'
SAID = """
[[notifications]]
variable = "RELEASES"
events = ["started", "migrated", "serving", "failed", "rolled back"]

[[notifications]]
variable = "HOLE"

[hooks]
before_deploy = ["hooks/around"]
after_deploy = ["hooks/around"]
"""


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with served() as server:
        yield server


@pytest.fixture
def addresses(webhook: Webhook) -> Iterator[dict[str, Any]]:
    """The variables that hold the addresses: of the webhook, and of somebody who listens and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as hole:
        yield {
            "RELEASES": webhook.url,
            "HOLE": f"json://127.0.0.1:{hole.getsockname()[1]}/{SECRET}",
        }


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The shop with its infrastructure; a hook lies in its checkout."""
    project = shop.shop(tmp_path_factory.mktemp("shop"))
    shop.write(project, "hooks/around", HOOK)
    (project.path / "hooks/around").chmod(0o755)
    project.commit("A hook")
    try:
        project.inv("local.up", *LOCAL)
        project.inv("infra.apply", *LOCAL, "--yes")
        yield project
    finally:
        project.inv("local.down")


def test_release_is_told_and_its_hooks_run(project: Project, webhook: Webhook, addresses: dict[str, Any]) -> None:
    with shop.said(project, SAID):
        ran = project.inv(*DEPLOY, **addresses)
    assert [one["message"].split(":")[0].split(" ")[0] for one in webhook.got] == ["started", "the", "release"]
    assert {one["title"] for one in webhook.got} == {f"shop {shop.ENV}: release {project.head[:12]}"}
    assert f"after_deploy of {project.head}: " in ran.out
    told = dict(
        line.split("=", 1) for line in (project.path / "after_deploy.env").read_text().splitlines() if "=" in line
    )
    assert set(json.loads(told["DEPLOY_IMAGES"])) == {"front", "back"}
    assert (told["DEPLOY_ENVIRONMENT"], told["DEPLOY_RELEASE"]) == (shop.ENV, "1")
    assert ran.out.count("notification by $HOLE") == 1
    assert SECRET not in ran.text


def test_release_that_answers_wrongly_goes_back_and_that_is_told(
    project: Project, webhook: Webhook, addresses: dict[str, Any]
) -> None:
    before = serving.fetch(f"{shop.address(project)}/version").body
    change(project)
    wrong = '[serving]\ncontains = "{commit}"\ntimeout_seconds = 5\n[[serving.also]]\npath = "/"\nstatus = 204\n'
    with shop.said(project, SAID + wrong):
        ran = project.inv(*DEPLOY, expect=6, **addresses)
    assert "answers 200, not 204" in ran.text
    assert serving.fetch(f"{shop.address(project)}/version").body == before
    assert webhook.got[-1]["type"] == "warning"
    assert "web serves the previous release (1)" in webhook.got[-1]["message"]
    assert SECRET not in ran.text


def test_hook_that_refuses_leaves_what_serves(project: Project, webhook: Webhook, addresses: dict[str, Any]) -> None:
    before = shop.revisions(project)
    change(project)
    with shop.said(project, SAID.replace("hooks/around", "false", 1)):
        ran = project.inv(*DEPLOY, expect=3, **addresses)
    assert "the hook before_deploy (false) ended with exit code 1" in ran.text
    assert shop.revisions(project) == before
    assert webhook.got[-1]["type"] == "failure"
