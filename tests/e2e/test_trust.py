"""Releases that can be trusted: what goes wrong in the middle of one, and what the next command makes of it."""

from __future__ import annotations

import contextlib
import json
import platform
import re
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from deploylib import aws, config, serving
from tests.e2e import shop
from tests.e2e.cable import cable
from tests.e2e.following import documents, follow
from tests.e2e.shop import CRASH, CRASHED, DEPLOY, LOCAL, LONG, QUICK, SICK, SLOW, WELL, change

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.project import Project

pytestmark = pytest.mark.e2e

CUT_SECONDS = 30


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The shop with its infrastructure, and its first release out."""
    project = shop.shop(tmp_path_factory.mktemp("shop"))
    try:
        project.inv("local.up", *LOCAL, LOCALAWS_HEALTH_PATIENCE_SECONDS="20")
        project.inv("infra.apply", *LOCAL, "--yes")
        project.inv(*DEPLOY)
        yield project
    finally:
        project.inv("local.down")


@pytest.fixture
def well(project: Project) -> Iterator[None]:
    """Whatever becomes of the test, a good release is out behind it."""
    yield
    if not shop.behaves(project) or served(project) != project.head:
        change(project, back=WELL, migration=QUICK)
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
    assert "the previous release is serving" in ran.err


@pytest.mark.usefixtures("well")
def test_an_unhealthy_target_is_named_with_what_it_answered(project: Project) -> None:
    good, before = served(project), shop.revisions(project)
    change(project, front=SICK)
    ran = project.inv(*DEPLOY, "--output", "json", expect=6)
    (failed,) = documents(ran, "RolloutFailed")
    told = json.dumps([failed["targets"], failed["messages"], failed["tasks"]])
    assert "500" in told
    assert "health checks" in told
    assert (served(project), shop.revisions(project)) == (good, before)


@pytest.mark.usefixtures("well")
def test_where_the_environment_says_stop_everything_stays_for_a_person(project: Project) -> None:
    before = shop.revisions(project)
    commit = change(project, back=CRASH)
    with shop.said(project, '[release]\non_failure = "stop"'):
        ran = project.inv(*DEPLOY, "--output", "json", expect=7)
    assert "inv rollback" in ran.err
    assert served(project) == commit, "web stays on the new release"
    project.inv("rollback", *LOCAL, "--yes")
    assert shop.revisions(project) == before


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
    assert len(shop.calls(project, "UpdateService", since)) == 1
    assert documents(ran, "RolloutStarted")[0]["attached"]
    assert served(project) == commit


@pytest.mark.usefixtures("well")
def test_killed_in_the_middle_the_release_is_taken_back_by_one_command(project: Project) -> None:
    good, before = served(project), shop.revisions(project)
    change(project, front=SLOW, back="well again\n")
    with follow(project, *DEPLOY) as run:
        run.until("RolloutStarted", service="web")
        run.kill()
    told = project.inv("status", *LOCAL).out
    assert "inv watch" in told
    assert "inv rollback" in told
    project.inv("rollback", *LOCAL, "--yes")
    assert (served(project), shop.revisions(project)) == (good, before)
    assert [one["verdict"] for one in shop.history(project, 2)] == ["completed", "interrupted"]


@pytest.mark.usefixtures("well")
def test_killed_on_the_way_back_the_next_command_goes_all_the_way(project: Project) -> None:
    good, before = served(project), shop.revisions(project)
    change(project, back=CRASH)
    with follow(project, *DEPLOY) as run:
        run.until("Restoring")
        run.kill()
    project.inv("rollback", *LOCAL, "--yes")
    assert (served(project), shop.revisions(project)) == (good, before)


@pytest.mark.usefixtures("well")
def test_killed_before_the_schedules_the_next_run_moves_them(project: Project) -> None:
    before = shop.revisions(project)
    since, commit = len(project.api_calls()), change(project, back="well again\n")
    with follow(project, *DEPLOY) as run:
        run.until("Drained", service="job")
        run.kill()
    assert shop.revisions(project)["job"] != before["job"]
    project.inv(*DEPLOY)
    assert shop.revisions(project)["tidy"] != before["tidy"]
    assert len(shop.calls(project, "UpdateService", since)) == 2
    assert served(project) == commit


@pytest.mark.usefixtures("well")
def test_killed_and_then_another_commit_is_released_the_newer_one_serves(project: Project) -> None:
    change(project, front=SLOW, migration="6 0\n")
    with follow(project, *DEPLOY) as run:
        run.until("MigrationLogged", line="migrating")
        run.kill()
    commit = change(project, migration=QUICK)
    project.inv(*DEPLOY)
    assert served(project) == commit
    assert [one["verdict"] for one in shop.history(project, 2)] == ["completed", "interrupted"]


@pytest.mark.usefixtures("well")
def test_killed_in_a_migration_that_fails_the_next_run_says_so(project: Project) -> None:
    since, good = len(project.api_calls()), served(project)
    change(project, migration="6 4\n")
    with follow(project, *DEPLOY) as run:
        run.until("MigrationLogged", line="migrating")
        run.kill()
    project.inv(*DEPLOY, expect=5)
    assert shop.calls(project, "UpdateService", since) == []
    assert served(project) == good


# ── two at once


@pytest.mark.usefixtures("well")
def test_of_two_deploys_one_is_refused_with_the_name_of_the_other(project: Project) -> None:
    commit = change(project, migration=LONG)
    with follow(project, *DEPLOY) as first:
        first.until("Locked")
        ran = project.inv(*DEPLOY, expect=3)
        assert f"{shop.ENV} is locked by" in ran.err
        assert f"on {platform.node()} since" in ran.err
        assert "--wait-lock" in ran.err
        assert platform.node() in project.inv("lock.show", *LOCAL).out
        first.end(expect=0)
    assert served(project) == commit


@pytest.mark.usefixtures("well")
def test_of_two_deploys_one_waits_for_the_other(project: Project) -> None:
    since, commit = len(project.api_calls()), change(project, migration=LONG)
    with follow(project, *DEPLOY) as first, contextlib.ExitStack() as stack:
        first.until("Locked")
        second = stack.enter_context(follow(project, *DEPLOY, "--wait-lock", "2m"))
        waited = second.until("LockWaited")
        assert waited["host"] == platform.node()
        assert waited["left_seconds"] <= 120
        first.end(expect=0)
        second.end(expect=0)
    assert served(project) == commit
    assert len(shop.calls(project, "RunTask", since)) == 1
    assert len(shop.calls(project, "UpdateService", since)) == 1, "the other found what the one had done"


@pytest.mark.usefixtures("well")
def test_the_lease_of_a_machine_that_went_away_expires(project: Project) -> None:
    """Elsewhere nobody can know that the process ended: what has the lock is moved to another machine's name."""
    commit = change(project, front=SLOW)
    with follow(project, *DEPLOY) as run:
        run.until("RolloutStarted", service="web")
        run.kill()
    table, key = shop.contract(project).ledger, {"kind": {"S": "lock"}, "number": {"N": "0"}}
    shop.account(project).dynamodb.update_item(
        TableName=table,
        Key=key,
        UpdateExpression="SET host = :host, process = :process",
        ExpressionAttributeValues={":host": {"S": "elsewhere"}, ":process": {"S": "1|another boot pid:[1]|0"}},
    )
    refused = project.inv(*DEPLOY, expect=3)
    assert "on elsewhere since" in refused.err
    ran = project.inv(*DEPLOY, "--wait-lock", "60s", "--output", "json")
    assert documents(ran, "LockWaited")[0]["host"] == "elsewhere"
    assert served(project) == commit


# ── a run that lost the lock


@pytest.mark.usefixtures("well")
def test_a_run_that_slept_while_another_took_over_writes_nothing_more(project: Project) -> None:
    change(project, front=SLOW, back="well anew\n")
    with follow(project, *DEPLOY) as asleep:
        asleep.until("RolloutStarted", service="web")
        asleep.signal(signal.SIGSTOP)
        project.inv("rollback", *LOCAL, "--yes", "--wait-lock", "90s")
        good, since = shop.revisions(project), len(project.api_calls())
        asleep.signal(signal.SIGCONT)
        ran = asleep.end(expect=8)
    assert "is not ours any more" in ran.err
    written = [one for one in project.api_calls()[since:] if one["write"] and one["status"] == 200]
    assert {one["service"] for one in written} <= {"dynamodb"}, "it ends its own entry, and that is all"
    assert shop.revisions(project) == good


@pytest.mark.usefixtures("well")
def test_the_lock_of_a_live_run_is_taken_away_only_by_force(project: Project) -> None:
    change(project, front=SLOW, back="well anew\n")
    with follow(project, *DEPLOY) as run:
        run.until("RolloutStarted", service="web")
        project.inv("lock.release", *LOCAL, "--yes", expect=3)
        project.inv("lock.release", *LOCAL, "--yes", "--force")
        ran = run.end(expect=8)
    assert "released it by force" in ran.err
    assert project.inv("lock.show", *LOCAL).out


@pytest.mark.usefixtures("well")
def test_who_waits_for_the_lock_can_be_interrupted(project: Project) -> None:
    change(project, migration=LONG)
    with follow(project, *DEPLOY) as first:
        first.until("Locked")
        with follow(project, *DEPLOY, "--wait-lock", "2m") as second:
            second.until("LockWaited")
            second.signal(signal.SIGINT)
            second.end(expect=130)
        first.end(expect=0)
    assert [one["verdict"] for one in shop.history(project, 2)] == ["interrupted", "completed"]


# ── back


@pytest.mark.usefixtures("well")
def test_rollback_brings_back_what_served_before_and_again_what_served_before_that(project: Project) -> None:
    older, before = served(project), shop.revisions(project)
    newer = change(project, back="well, and changed\n")
    project.inv(*DEPLOY)
    after = shop.revisions(project)
    assert after["tidy"] != before["tidy"], "the schedule starts the new release"
    assert served(project) == newer
    since = len(project.api_calls())
    project.inv("rollback", *LOCAL, "--yes")
    assert (served(project), shop.revisions(project)) == (older, before)
    assert shop.calls(project, "RegisterTaskDefinition", since) == []
    assert shop.calls(project, "RunTask", since) == []


@pytest.mark.usefixtures("well")
def test_rollback_stops_a_release_under_way(project: Project) -> None:
    good, before = served(project), shop.revisions(project)
    change(project, front="slow 18\n")
    with follow(project, *DEPLOY) as run:
        run.until("Progressed")
        project.inv("rollback", *LOCAL, "--yes")
        assert run.end(expect=8).code
    assert (served(project), shop.revisions(project)) == (good, before)


# ── interrupted


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.usefixtures("well")
def test_interrupted_the_release_goes_back_where_the_environment_says_so(
    project: Project, number: signal.Signals
) -> None:
    good, before = served(project), shop.revisions(project)
    change(project, front=SLOW)
    with shop.said(project, '[release]\non_interrupt = "rollback"'), follow(project, *DEPLOY) as run:
        run.until("Progressed")
        run.signal(number)
        run.end(expect=6)
    assert (served(project), shop.revisions(project)) == (good, before)


@pytest.mark.usefixtures("well")
def test_interrupted_the_release_goes_on_in_ecs_and_is_watched_to_its_end(project: Project) -> None:
    since, commit = len(project.api_calls()), change(project, front=SLOW, back="well anew\n")
    with follow(project, *DEPLOY) as run:
        run.until("Progressed")
        run.signal(signal.SIGINT)
        assert "inv watch" in run.end(expect=130).err
    assert "watch" in project.inv("status", *LOCAL).out
    project.inv("watch", *LOCAL, "--yes")
    assert served(project) == commit
    assert len(shop.calls(project, "UpdateService", since)) == 2
    assert "Nothing to do" in project.inv(*DEPLOY).out


# ── the network, and what is known


@pytest.mark.usefixtures("well")
def test_a_cable_that_is_out_for_half_a_minute_costs_half_a_minute(project: Project) -> None:
    commit = change(project, front=SLOW)
    with cable(project.path / ".local/aws/config") as laid, follow(project, *DEPLOY) as run:
        run.until("Progressed")
        laid.cut()
        time.sleep(CUT_SECONDS)
        laid.mend()
        run.end(expect=0)
    assert laid.refused > 1, "it tried"
    assert served(project) == commit


def test_verify_finds_nothing_missing_and_writes_nothing(project: Project) -> None:
    since = len(project.api_calls())
    ran = project.inv("verify", *LOCAL)
    assert "MISSING" not in ran.out
    assert [one["action"] for one in project.api_calls()[since:] if one["write"]] == []


@pytest.mark.usefixtures("well")
def test_verify_names_what_is_missing(project: Project) -> None:
    logs: Any = aws.session(config.load(project.path, shop.ENV, variables={})).client("logs")
    group = shop.contract(project).services["job"].log_group
    logs.delete_log_group(logGroupName=group)
    try:
        ran = project.inv("verify", *LOCAL, expect=3)
    finally:
        logs.create_log_group(logGroupName=group)
    assert re.search(rf"MISSING.*{re.escape(group)}", ran.out), ran.out


def test_status_and_history_tell_what_serves(project: Project) -> None:
    project.inv(*DEPLOY)
    told = project.inv("status", *LOCAL).out
    assert project.head[:7] in told
    history = project.inv("history", *LOCAL, "--limit", "3").out
    assert "completed" in history
    assert json.loads(project.inv("history", *LOCAL, "--output", "json").out.splitlines()[0])


# ── day two


@pytest.mark.usefixtures("well")
def test_a_saved_plan_is_carried_out_or_refused_when_the_world_moved(project: Project, tmp_path: Path) -> None:
    plan, commit = tmp_path / "plan.json", change(project)
    project.inv("plan", *LOCAL, "--save", str(plan))
    project.inv(*DEPLOY, "--plan", str(plan))
    assert served(project) == commit
    since = len(project.api_calls())
    project.inv(*DEPLOY, "--plan", str(plan), expect=3)
    assert shop.calls(project, "UpdateService", since) == []


def test_a_command_in_the_released_image_hands_on_its_lines_and_its_exit_code(project: Project) -> None:
    words = ("perl", "-e", "print qq(by hand\\n); exit 7")
    ran = project.inv("run", *LOCAL, "--yes", "--service", "job", "--", *words, expect=7)
    assert "by hand" in ran.text


@pytest.mark.usefixtures("well")
def test_what_runs_and_what_it_prints_is_shown(project: Project) -> None:
    change(project, back="well, and to be read\n")  # a test before may have taken the log group away
    project.inv(*DEPLOY)
    assert "web" in project.inv("tasks", *LOCAL).out
    assert "working" in project.inv("logs", *LOCAL, "--service", "job", "--since", "1d").out


@pytest.mark.usefixtures("well")
def test_a_scaled_service_stays_scaled_through_a_release(project: Project) -> None:
    project.inv("scale", "job=2", *LOCAL, "--yes")
    try:
        change(project, back="well and twice\n")
        project.inv(*DEPLOY)
        assert shop.live(project)["job"]["runningCount"] == 2
    finally:
        project.inv("scale", "job=1", *LOCAL, "--yes")


# ── as the role of a deploy


@pytest.mark.usefixtures("well")
def test_the_role_of_a_deploy_may_do_all_of_it(project: Project) -> None:
    role = f'[account.role]\narn = "arn:aws:iam::{shop.ACCOUNT}:role/shop-{shop.ENV}-deploy"'
    before, since = served(project), len(project.api_calls())
    with shop.said(project, role):
        commit = change(project, back="well as the role\n")
        ran = project.inv(*DEPLOY, "--output", "json")
        assert served(project) == commit
        project.inv("status", *LOCAL)
        project.inv("history", *LOCAL)
        project.inv("rollback", *LOCAL, "--yes")
    assert served(project) == before
    refused = {one["action"] for one in project.api_calls()[since:] if one["status"] in {401, 403}}
    assert refused == set()
    assert not [one for one in documents(ran, "Noticed") if "not authorized" in one["message"]]
