"""Releases that can be trusted: what goes wrong in the middle of one, and what the next command makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deploylib import serving
from tests.e2e import shop
from tests.e2e.following import documents, follow
from tests.e2e.shop import CRASH, CRASHED, DEPLOY, LOCAL, SLOW, WELL, change

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.project import Project

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The shop with its infrastructure, and its first release out."""
    project = shop.shop(tmp_path_factory.mktemp("shop"))
    try:
        project.inv("local.up", *LOCAL)
        project.inv("infra.apply", *LOCAL, "--yes")
        project.inv(*DEPLOY)
        yield project
    finally:
        project.inv("local.down")


@pytest.fixture
def well(project: Project) -> Iterator[str]:
    """The commit that serves before the test; whatever becomes of it, a good release is out behind it."""
    yield project.head
    if (project.path / shop.APP).is_dir():
        change(project, front=WELL, back=WELL, migration="0 0\n")
        project.inv(*DEPLOY, "--wait-lock", "60s")


def served(project: Project) -> str:
    return serving.fetch(f"{shop.address(project)}/version").body.strip()


# ── one broken service


@pytest.mark.usefixtures("well")
def test_one_broken_service_takes_the_other_back_with_it(project: Project) -> None:
    before = shop.revisions(project)
    good = served(project)
    change(project, back=CRASH)
    ran = project.inv(*DEPLOY, "--output", "json", expect=6)
    assert shop.revisions(project) == before, "services and schedules are what they were"
    assert served(project) == good
    (failed,) = documents(ran, "RolloutFailed")
    assert failed["service"] == "job"
    assert any(CRASHED in line for task in failed["tasks"] for line in task["log"])
    (concluded,) = documents(ran, "Concluded")
    assert {one["service"]: one["state"] for one in concluded["services"]} == {"web": "previous", "job": "previous"}
    assert {one["service"] for one in documents(ran, "Restored")} >= {"web"}
    assert CRASHED in ran.err


# ── kill -9


@pytest.mark.parametrize(("kind", "migrates"), [("BuildStarted", True), ("PushStarted", True), ("Registered", True)])
@pytest.mark.usefixtures("well")
def test_killed_before_anything_is_touched_the_next_run_does_it_all(
    project: Project, kind: str, *, migrates: bool
) -> None:
    since, commit = len(project.api_calls()), change(project)
    with follow(project, *DEPLOY) as run:
        run.until(kind)
        run.kill()
    assert shop.calls(project, "UpdateService", since) == []
    project.inv(*DEPLOY)
    assert served(project) == commit
    assert len(shop.calls(project, "RunTask", since)) == migrates


@pytest.mark.usefixtures("well")
def test_killed_in_the_migration_the_next_run_follows_it_to_its_end(project: Project) -> None:
    since, commit = len(project.api_calls()), change(project, migration="8 0\n")
    with follow(project, *DEPLOY) as run:
        run.until("MigrationLogged", line="migrating")
        run.kill()
    ran = project.inv(*DEPLOY, "--output", "json")
    assert len(shop.calls(project, "RunTask", since)) == 1, "it ran once"
    (started,) = documents(ran, "MigrationStarted")
    assert started["attached"]
    assert served(project) == commit


@pytest.mark.usefixtures("well")
def test_killed_between_two_updates_the_next_run_does_the_second(project: Project) -> None:
    since, commit = len(project.api_calls()), change(project, front=SLOW, back="well again\n")
    with follow(project, *DEPLOY) as run:
        run.until("RolloutStarted", service="web")
        run.kill()
    assert len(shop.calls(project, "UpdateService", since)) == 1
    ran = project.inv(*DEPLOY, "--output", "json")
    assert len(shop.calls(project, "UpdateService", since)) == 2, "nothing was done twice"
    assert len(shop.calls(project, "RunTask", since)) == 1
    assert documents(ran, "MigrationSkipped") or not documents(ran, "MigrationStarted")
    assert served(project) == commit


@pytest.mark.usefixtures("well")
def test_killed_while_waiting_the_next_run_waits_on(project: Project) -> None:
    since, commit = len(project.api_calls()), change(project, front=SLOW)
    with follow(project, *DEPLOY) as run:
        run.until("Progressed")
        run.kill()
    ran = project.inv(*DEPLOY, "--output", "json")
    assert len(shop.calls(project, "RunTask", since)) == 1
    web = [one for one in shop.calls(project, "UpdateService", since) if one]
    assert len(web) <= 2, "one for each service"
    assert documents(ran, "RolloutStarted")[0]["attached"]
    assert served(project) == commit
