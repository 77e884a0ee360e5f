"""A failed command leaves one file that explains it; one that went well leaves none."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING, Any

import pytest

from deploylib import events, report
from deploylib.errors import ImageError, MigrationError, RolledBackError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from deploylib.plan import Plan

SERVED = events.Serves(service="web", state="previous", revision="arn/web:12", release=41, commit="3f2a9c1d04be" * 3)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return report.failure_file(tmp_path, "stg")


def happening(*given: events.Event, error: BaseException | None = None) -> Generator[events.Event, Any, str]:
    yield from given
    if error:
        raise error
    return "the value"


def fail(place: Path, plan: Plan, *given: events.Event, error: BaseException, clock: Any) -> dict[str, Any]:
    """Return what is kept of a command that told *given* and then failed."""
    with pytest.raises(type(error)) as raised:
        list(report.kept(happening(*given, error=error), plan, place, clock=clock))
    assert raised.value is error
    found: dict[str, Any] = json.loads(place.read_text())
    return found


def test_a_rollout_that_failed_is_explained(
    place: Path, plan: Callable[..., Plan], failure: events.RolloutFailed, clock: Any
) -> None:
    concluded = events.Concluded(verdict="rolled back", services=(SERVED,), hint="correct the application")
    error = RolledBackError("web: rolled back", hint="commit, and deploy again")
    found = fail(place, plan(), events.Began(release=42), failure, concluded, error=error, clock=clock)
    assert (found["release"], found["error"], found["exit_code"]) == (42, "RolledBackError", 6)
    assert found["hint"] == "commit, and deploy again"
    assert found["failures"][0]["tasks"][0]["containers"][0]["exit_code"] == 1
    assert found["serving"][0]["revision"] == "arn/web:12"
    assert found["began_at"] == "1970-01-01T00:16:40+00:00"


def test_the_page_in_it_fits_a_person_s_screen(
    place: Path, plan: Callable[..., Plan], failure: events.RolloutFailed, clock: Any
) -> None:
    concluded = events.Concluded(verdict="rolled back", services=(SERVED,))
    error = RolledBackError("web: rolled back", hint="deploy again")
    page = fail(place, plan(), failure, concluded, error=error, clock=clock)["page"]
    assert page[0] == "guestbook → stg  account 123456789012  ap-northeast-1"
    assert any("RuntimeError: GREETING is not set" in line for line in page)
    assert "  web serves as before: web:12 (release 41, 3f2a9c1d04be)" in page
    assert page[-1] == "Next: deploy again"
    assert len(page) < 30
    assert max(map(len, page)) <= 100


@pytest.mark.parametrize(
    ("given", "error", "step", "log"),
    [
        (
            (
                events.BuildStarted(image="web", reason="changed"),
                events.BuildLogged(image="web", line="gcc: error"),
            ),
            ImageError("image web was not built"),
            "image web",
            ["gcc: error"],
        ),
        (
            (
                events.BuildLogged(image="web", line="fine"),
                events.MigrationStarted(task="t", revision="r", command=("alembic",)),
                *(events.MigrationLogged(line=f"line {number}") for number in range(60)),
            ),
            MigrationError("exit code 1"),
            "migration",
            [f"line {number}" for number in range(10, 60)],
        ),
        (
            (
                events.HookStarted(hook="before_deploy", command=("./check",)),
                events.HookLogged(hook="before_deploy", line="not on a Friday"),
            ),
            RolledBackError("refused"),
            "hook before_deploy",
            ["not on a Friday"],
        ),
    ],
)
def test_what_was_said_last_is_kept(  # noqa: PLR0917  # fixtures
    given: tuple[events.Event, ...],
    error: BaseException,
    step: str,
    log: list[str],
    place: Path,
    plan: Callable[..., Plan],
    clock: Any,
) -> None:
    found = fail(place, plan(), *given, error=error, clock=clock)
    assert (found["step"], found["log"]) == (step, log)
    assert any(line.endswith(f"│ {log[-1]}") for line in found["page"])


def test_the_error_says_where_the_report_is(place: Path, plan: Callable[..., Plan], clock: Any) -> None:
    error = RolledBackError("no")
    fail(place, plan(), error=error, clock=clock)
    assert error.__notes__ == [f"the whole report of this failure is in {place}"]


def test_who_interrupts_is_not_told_of_a_failure(place: Path, plan: Callable[..., Plan], clock: Any) -> None:
    interrupt = KeyboardInterrupt()
    fail(place, plan(), error=interrupt, clock=clock)
    assert not hasattr(interrupt, "__notes__")


def test_a_bug_keeps_its_traceback(place: Path, plan: Callable[..., Plan], clock: Any) -> None:
    found = fail(place, plan(), error=ZeroDivisionError("division by zero"), clock=clock)
    assert found["exit_code"] == 1
    assert "ZeroDivisionError" in found["traceback"][-1]


def test_an_interruption_is_a_failure_too(place: Path, plan: Callable[..., Plan], clock: Any) -> None:
    found = fail(place, plan(), error=KeyboardInterrupt(), clock=clock)
    assert (found["exit_code"], found["message"], found["traceback"]) == (130, "interrupted", [])


def test_what_went_well_leaves_nothing_and_takes_the_last_report_away(
    place: Path, plan: Callable[..., Plan], clock: Any
) -> None:
    fail(place, plan(), error=RolledBackError("no"), clock=clock)
    assert report.follow(report.kept(happening(), plan(), place, clock=clock), output="json") == "the value"
    assert not place.exists()


def test_nobody_else_may_read_it(place: Path, plan: Callable[..., Plan], clock: Any) -> None:
    fail(place, plan(), error=RolledBackError("no"), clock=clock)
    assert stat.S_IMODE(place.stat().st_mode) == 0o600


def test_secrets_are_not_in_it(place: Path, plan: Callable[..., Plan], clock: Any) -> None:
    line = events.MigrationLogged(line="cannot connect to postgresql://app:hunter2@db/app")
    error = MigrationError("PASSWORD=hunter2")
    error.add_note("TOKEN=hunter2")
    fail(place, plan(), line, error=error, clock=clock)
    assert "hunter" not in place.read_text()


def test_a_report_that_cannot_be_written_hides_no_failure(
    tmp_path: Path, plan: Callable[..., Plan], clock: Any
) -> None:
    (tmp_path / ".cache").write_text("a file where the folder should be")
    error = RolledBackError("no")
    with pytest.raises(RolledBackError):
        list(report.kept(happening(error=error), plan(), report.failure_file(tmp_path, "stg"), clock=clock))
    assert error.__notes__[0].startswith("the report of this failure could not be written: ")


def test_answers_and_interruptions_reach_the_steps(place: Path, plan: Callable[..., Plan], clock: Any) -> None:
    def steps() -> Generator[events.Event, Any, list[Any]]:
        answers = [(yield events.Question(services=("web",)))]
        try:
            yield events.Noticed(message="going on")
        except KeyboardInterrupt:
            answers.append("interrupted")
        return answers

    watched = report.kept(steps(), plan(), place, clock=clock)
    next(watched)
    watched.send("wait")
    with pytest.raises(StopIteration) as end:
        watched.throw(KeyboardInterrupt())
    assert end.value.value == ["wait", "interrupted"]
    assert not place.exists()


def test_who_stops_listening_closes_the_steps_and_leaves_no_report(
    place: Path, plan: Callable[..., Plan], clock: Any
) -> None:
    closed: list[str] = []

    def steps() -> Generator[events.Event, Any, None]:
        try:
            yield events.Noticed(message="going on")
        finally:
            closed.append("closed")

    watched = report.kept(steps(), plan(), place, clock=clock)
    next(watched)
    watched.close()
    assert closed == ["closed"]
    assert not place.exists()
