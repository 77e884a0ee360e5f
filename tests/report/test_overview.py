"""The page of an environment, the lock, and the history, as a person and a machine read them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from deploylib import events, lease, ledger, overview
from deploylib.report import history as histories
from deploylib.report import overview as pages

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.report.conftest import Screen

FOREIGN = "4711|0-0-0-0 pid:[1]|0-0-0-0 1"
ADA = "arn:aws:iam::111111111111:user/ada"
HOLDER = lease.Holder(
    owner="o",
    by=ADA,
    host="laptop",
    commit="3f2a9c1d04be",
    reason="release 15",
    since="2026-11-21T20:26:31+00:00",
    process=FOREIGN,
    silent_seconds=3.0,
)
SERVICE = overview.ServiceStatus(
    service="web",
    name="guestbook-stg-web",
    revision="guestbook-stg-web:12",
    release=14,
    commit="3f2a9c1d04be" + "0" * 28,
    state="steady",
    message="",
    desired=2,
    running=2,
    pending=0,
    tasks=overview.Tasks(healthy=2),
    targets=overview.Targets(healthy=2, total=2),
    since="2026-11-21T20:26:31+00:00",
    age_seconds=7300.0,
    drift="",
    template="guestbook-stg-web-template:3",
    waits=(),
)
ENTRY = ledger.Entry(
    number=14,
    release="20261121T202631Z-3f2a9c1",
    commit="3f2a9c1d04be" + "0" * 28,
    environment="stg",
    by=ADA,
    started_at="2026-11-21T20:26:31+00:00",
    ended_at="2026-11-21T20:28:36+00:00",
    verdict="completed",
)
STATUS = overview.Status(environment="stg", url="http://stg.example.test", services=(SERVICE,), completed=ENTRY)


def page(screen: Callable[..., Screen], status: overview.Status = STATUS, *, width: int = 100) -> str:
    shown = screen(width=width)
    pages.state(status, console=shown.console)
    assert shown.widest <= width
    return shown.text


def test_environment_that_is_well_is_one_table(screen: Callable[..., Screen]) -> None:
    said = page(screen)
    assert "Release 14: 3f2a9c1d04be by ada, completed 2026-11-21 20:28:36 UTC" in said
    (row,) = [line.split() for line in said.splitlines() if line.startswith("web")]
    assert row == ["web", "2/2", "2", "healthy,", "2/2", "targets", "3f2a9c1d04be", "14", "2", "h", "steady"]
    assert "!" not in said
    assert "→" not in said


def test_what_is_not_as_it_should_be_is_said_below(screen: Callable[..., Screen]) -> None:
    sick = events.SickTarget(
        target="10.0.0.7:8000", state="unhealthy", reason="Target.Timeout", description="Request timed out"
    )
    web = replace(
        SERVICE,
        state="rolling out",
        message="ECS deployment in progress",
        drift="no release brought it; release 14, the last that completed, left guestbook-stg-web:11",
        waits=("cpu", "memory", "app.environment.A", "app.environment.B", "app.image"),
        targets=overview.Targets(healthy=1, total=2, sick=(sick,)),
        tasks=overview.Tasks(healthy=1, unhealthy=1, former=2),
    )
    said = page(screen, replace(STATUS, services=(web,), hints=("inv rollback --env stg --to 14",)))
    for words in (
        "2 of before",
        "UNHEALTHY",
        "! web: ECS deployment in progress",
        "! web: no release brought it; release 14",
        "! web: guestbook-stg-web-template:3 waits for a deploy (cpu, memory, app.environment.A, 2 more)",
        "! web: target 10.0.0.7:8000 is unhealthy Target.Timeout Request timed out",
        "→ inv rollback --env stg --to 14",
    ):
        assert words in said


def unfinished(**changes: Any) -> overview.Unfinished:
    given = overview.Unfinished(
        release=15,
        action="release",
        commit="a" * 40,
        by=ADA,
        started_at="2026-11-21T20:40:00+00:00",
        phase="rolling out",
        under_way=False,
        done=("the migration is done", "web moved to guestbook-stg-web:13"),
        hint="inv watch --env stg",
    )
    return replace(given, **changes)


def test_release_without_an_end_is_told_with_what_it_did(screen: Callable[..., Screen]) -> None:
    said = page(screen, replace(STATUS, unfinished=(unfinished(),), hints=("inv watch --env stg",)))
    assert "! Release 15 of aaaaaaaaaaaa has no end (rolling out), begun by ada, 2026-11-21 20:40:00 UTC" in said
    assert "    the migration is done\n    web moved to guestbook-stg-web:13" in said
    assert "→ inv watch --env stg" in said


def test_release_that_is_under_way_names_who_is_at_work(screen: Callable[..., Screen]) -> None:
    said = page(screen, replace(STATUS, unfinished=(unfinished(under_way=True, action="rollback"),), lock=HOLDER))
    assert "! Rollback 15 of aaaaaaaaaaaa is under way (rolling out)" in said
    assert "Locked by ada on laptop since 2026-11-21 20:26:31 UTC: release 15" in said
    assert "only if that run is dead: inv lock.release --env stg --force" in said


def test_lock_that_was_left_behind_is_no_obstacle(screen: Callable[..., Screen]) -> None:
    said = page(screen, replace(STATUS, lock=replace(HOLDER, silent_seconds=400.0)))
    assert "The lock was left by ada on laptop, last sign of life 6 min ago" in said
    assert "the next release takes it" in said
    assert "--force" not in said


def test_scheduled_tasks_have_a_table_of_their_own(screen: Callable[..., Screen]) -> None:
    schedule = overview.ScheduleStatus(
        task="cleanup", schedule="x", revision="guestbook-stg-cleanup:4", enabled=False, drift="no release brought it"
    )
    said = page(screen, replace(STATUS, schedules=(schedule,)))
    assert ["cleanup", "guestbook-stg-cleanup:4", "disabled"] in [line.split() for line in said.splitlines()]
    assert "! cleanup: no release brought it" in said


def test_environment_without_any_release_says_so(screen: Callable[..., Screen]) -> None:
    bare = replace(SERVICE, release=0, commit="", state="no release", targets=None, tasks=overview.Tasks(), since="")
    assert "No release has completed here" in page(screen, replace(STATUS, completed=None, services=(bare,)))


@pytest.mark.parametrize("width", [60, 80, 100])
def test_page_fits_its_terminal(screen: Callable[..., Screen], width: int) -> None:
    web = replace(SERVICE, drift="no release brought it; " * 5, message="ECS " * 30)
    full = replace(STATUS, services=(web, SERVICE), unfinished=(unfinished(),), lock=HOLDER, hints=("inv x " * 20,))
    page(screen, full, width=width)


def test_text_from_outside_moves_no_cursor(screen: Callable[..., Screen]) -> None:
    evil = replace(SERVICE, message="\x1b[2J\x1b]0;x\x07gone")
    status = replace(STATUS, services=(evil,), unfinished=(unfinished(by="user/\x1b[31mada"),))
    shown = screen()
    pages.state(status, console=shown.console)
    pages.lock("stg", replace(HOLDER, reason="\x1b[2J"), console=shown.console)
    assert "\x1b" not in shown.file.getvalue()


def test_machine_reads_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    pages.state(replace(STATUS, lock=HOLDER, unfinished=(unfinished(),)), output="json")
    document = json.loads(capsys.readouterr().out)
    assert (document["event"], document["environment"]) == ("EnvironmentStatus", "stg")
    assert document["services"][0]["targets"] == {"healthy": 2, "total": 2, "sick": [], "unknown": ""}
    assert document["completed"]["number"] == 14
    assert document["unfinished"][0]["done"] == ["the migration is done", "web moved to guestbook-stg-web:13"]
    assert document["lock"]["by"] == ADA
    assert {"process", "owner"}.isdisjoint(document["lock"])


def test_lock_that_nobody_has_is_said(screen: Callable[..., Screen], capsys: pytest.CaptureFixture[str]) -> None:
    shown = screen()
    pages.lock("stg", None, console=shown.console)
    assert shown.text.strip() == "stg: nobody has the lock"
    pages.lock("stg", None, output="json")
    assert json.loads(capsys.readouterr().out) == {"event": "Lock", "environment": "stg", "holder": None}


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (4.2, "4.2 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (172799, "47 h"),
        (172800, "2 days"),
    ],
)
def test_age_is_in_its_largest_unit(seconds: float, said: str) -> None:
    assert pages.age(seconds) == said


# The history


def entries() -> tuple[ledger.Entry, ...]:
    reason = "web: failed: 3 tasks stopped for the same reason: app exited with code 1; the previous release is serving"
    return (
        replace(ENTRY, number=18, verdict="running", ended_at="", phase="watching", dirty=True),
        replace(ENTRY, number=17, verdict="completed", action="rollback", restores=14),
        replace(ENTRY, number=16, verdict="rolled back", reason=reason),
        replace(ENTRY, number=15, origin="dev 12", ended_at="2026-11-21T21:30:36+00:00"),
        ENTRY,
    )


def listing(screen: Callable[..., Screen], *, lock: lease.Holder | None = None, width: int = 100) -> list[str]:
    shown = screen(width=width)
    histories.releases("stg", entries(), lock, console=shown.console)
    assert shown.widest <= width
    return shown.lines


def test_each_release_is_a_line_and_its_reason_another(screen: Callable[..., Screen]) -> None:
    header, *lines = listing(screen)
    assert header.split() == ["no", "began", "by", "commit", "what", "took", "verdict"]
    assert lines[0].split()[2:] == ["20:26", "ada", "3f2a9c1d04be+", "release", "-", "left", "watching"]
    assert lines[1].split()[4:] == ["3f2a9c1d04be", "back", "to", "14", "02:05", "completed"]
    assert lines[2].endswith("rolled back")
    assert lines[3].startswith("    web: failed: 3 tasks")
    assert lines[5].split()[4:] == ["3f2a9c1d04be", "from", "dev", "12", "1:04:05", "completed"]


def test_release_with_the_lock_is_under_way(screen: Callable[..., Screen]) -> None:
    assert listing(screen, lock=HOLDER)[1].endswith("under way: watching")


@pytest.mark.parametrize("width", [80, 100])
def test_history_fits_its_terminal(screen: Callable[..., Screen], width: int) -> None:
    lines = listing(screen, width=width)
    assert sum("ada" in line for line in lines) == len(entries())


def test_environment_without_releases_has_no_history(screen: Callable[..., Screen]) -> None:
    shown = screen()
    histories.releases("stg", (), None, console=shown.console)
    assert shown.text.strip() == "stg: nothing was ever released"


def test_machine_reads_every_release(capsys: pytest.CaptureFixture[str]) -> None:
    histories.releases("stg", entries(), HOLDER, output="json")
    document = json.loads(capsys.readouterr().out)
    assert (document["event"], document["environment"]) == ("History", "stg")
    first, second, *_ = document["releases"]
    assert (first["number"], first["verdict"], first["under_way"], first["seconds"]) == (18, "running", True, None)
    assert (second["action"], second["restores"], second["seconds"]) == ("rollback", 14, 125.0)
    assert "owner" not in first


def test_reason_that_looks_like_a_credential_is_hidden(screen: Callable[..., Screen]) -> None:
    shown = screen()
    leaky = replace(ENTRY, verdict="failed", reason="no connection to postgres://app:hunter2@db/guestbook")
    histories.releases("stg", (leaky,), None, console=shown.console)
    assert "hunter2" not in shown.text
