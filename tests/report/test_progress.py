from __future__ import annotations

import json
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from deploylib import events, report
from deploylib.errors import MigrationError
from deploylib.report.progress import transcript

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from deploylib.clock import Clock


def boxed(*given: events.Event, error: BaseException | None = None) -> Generator[events.Event, None, None]:
    yield from given
    if error:
        raise error


@pytest.mark.parametrize("terminal", [True, False])
def test_following_returns_what_the_generator_returns(
    terminal: bool,  # noqa: FBT001  # a parameter of the case
    screen: Callable[..., Any],
    deploy: Callable[[], Any],
) -> None:
    assert report.follow(deploy(), console=screen(terminal=terminal).console) == "the value"


def test_a_log_gets_one_line_for_each_change_and_none_twice(
    screen: Callable[..., Any], deploy: Callable[[], Any], clock: Clock
) -> None:
    page = screen()
    report.follow(deploy(), console=page.console, clock=clock)
    assert [line.removeprefix("    0.0s  ") for line in page.lines if line] == [
        "image web: building, src/web.py changed",
        "image web | Step 1/2 : FROM base",
        "image web: built in 4.2 s",
        "image web: pushed in 0.8 s, sha256:dddddddddddd",
        "image nginx: tagged nginx-3f2a9c1d04be",
        "web: registered guestbook-stg-web:13",
        "migration: started: alembic upgrade head (task 0123abcd)",
        "migration | Running upgrade 0002 -> 0003",
        "migration: done in 2.0 s",
        "web: rolling out, guestbook-stg-web:13, 2 wanted",
        "web: rolling out: 1 of 2 new, 2 old",
        "web: has started 2 tasks",
        "web: handing over: 2 of 2 new, 1 old",
        "web: done in 4.0 s, no old task is left",
        "https://stg.example.com/ answered 200",
        "released in 12 s, 14 calls to AWS",
    ]


def test_every_kind_of_event_has_words_in_a_log(screen: Callable[..., Any]) -> None:
    from deploylib.report.sentences import sentence  # noqa: PLC0415  # only here

    told = {events.Event, events.Progressed, events.Standing, events.StoppedTask}
    kinds = [one for one in vars(events).values() if isinstance(one, type) and issubclass(one, events.Event)]
    assert {one for one in kinds if sentence.dispatch(one) is sentence.dispatch(events.Event)} <= told


def test_lines_carry_the_seconds_of_their_events(screen: Callable[..., Any]) -> None:
    page = screen()
    report.follow(boxed(events.Noticed(at=12.34, message="slow")), console=page.console)
    assert "   12.3s  slow" in page.lines


def test_an_event_without_a_time_gets_the_time_since_the_beginning(screen: Callable[..., Any], clock: Any) -> None:
    def happening() -> Generator[events.Event, None, None]:
        clock.sleep(3.0)
        yield events.Noticed(message="three seconds later")

    page = screen()
    report.follow(happening(), console=page.console, clock=clock)
    assert "    3.0s  three seconds later" in page.lines


def test_a_failed_rollout_is_explained_in_a_log(screen: Callable[..., Any], failure: events.RolloutFailed) -> None:
    page = screen()
    report.follow(boxed(failure), console=page.console)
    assert "    0.0s  web: rolled back" in page.lines
    assert "            app  exit code 1" in page.lines
    assert any(line.endswith("│ RuntimeError: GREETING is not set") for line in page.lines)
    assert "╭" not in page.text


def test_a_terminal_ends_with_a_summary_of_every_part(screen: Callable[..., Any], deploy: Callable[[], Any]) -> None:
    page = screen(terminal=True)
    report.follow(deploy(), console=page.console)
    last = page.text[page.text.rindex("Services") :]
    assert "✓ web" in last
    assert "2/2 new" in last
    assert "runs guestbook-stg-web:13" in last
    assert "✓ https://stg.example.com/ answered 200" in last
    assert "✓ Released in 12 s, 14 calls to AWS" in last
    assert "│ Running upgrade 0002 -> 0003" in page.text
    assert page.text.index("sha256:dddddddddddd") < page.text.index("│ Running upgrade")


def test_a_log_line_of_the_migration_is_printed_once(screen: Callable[..., Any], deploy: Callable[[], Any]) -> None:
    page = screen(terminal=True)
    report.follow(deploy(), console=page.console)
    assert page.text.count("Running upgrade 0002 -> 0003") == 1


@pytest.mark.parametrize("error", [MigrationError("exit code 1"), KeyboardInterrupt(), ZeroDivisionError()])
def test_what_the_generator_raises_comes_out_with_the_display_closed(
    error: BaseException, screen: Callable[..., Any]
) -> None:
    page, before = screen(terminal=True), (sys.stdout, sys.stderr, threading.active_count())
    with pytest.raises(type(error)) as raised:
        report.follow(boxed(events.BuildStarted(image="web", reason="changed"), error=error), console=page.console)
    assert raised.value is error
    assert (sys.stdout, sys.stderr, threading.active_count()) == before
    assert page.file.getvalue().rindex("\x1b[?25h") > page.file.getvalue().rindex("\x1b[?25l")
    assert "- web  not finished" in page.text


def test_a_failed_migration_is_marked_and_the_services_are_said_not_to_have_moved(screen: Callable[..., Any]) -> None:
    page = screen(terminal=True)
    given = (
        events.Registered(service="web", revision="arn/web:13"),
        events.MigrationStarted(task="t", revision="r", command=("migrate",)),
    )
    with pytest.raises(MigrationError):
        report.follow(boxed(*given, error=MigrationError("exit code 1")), console=page.console)
    assert "✗ failed" in page.text
    assert "- web  not rolled out" in page.text


def test_ctrl_c_while_showing_reaches_the_generator_which_may_add_what_goes_on(
    screen: Callable[..., Any], clock: Any
) -> None:
    class Interrupted(type(clock)):  # type: ignore[misc]  # the fixture's class is not importable
        """A clock at whose second reading somebody presses Ctrl-C."""

        readings = 0

        def monotonic(self) -> float:
            self.readings += 1
            if self.readings == 2:
                raise KeyboardInterrupt
            return 0.0

    def happening() -> Generator[events.Event, None, None]:
        try:
            yield events.Noticed(message="on its way")
        except KeyboardInterrupt as interrupt:
            interrupt.add_note("the rollout goes on in ECS")
            raise

    with pytest.raises(KeyboardInterrupt) as raised:
        report.follow(happening(), console=screen().console, clock=Interrupted())
    assert raised.value.__notes__ == ["the rollout goes on in ECS"]


def test_json_output_is_one_document_for_each_event(
    deploy: Callable[[], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert report.follow(deploy(), output="json") == "the value"
    documents = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["event"] for one in documents][:3] == ["BuildStarted", "BuildLogged", "Built"]
    assert documents[-1]["calls"] == 14


def sided(service: str, long: str) -> events.Serves:
    return events.Serves(service=service, state="previous", revision=long, release=10**9, commit=long)


@pytest.mark.parametrize("width", [80, 100])
@pytest.mark.parametrize("terminal", [True, False])
def test_no_line_is_too_wide_for_nasty_events(
    width: int,
    terminal: bool,  # noqa: FBT001  # a parameter of the case
    screen: Callable[..., Any],
    standing: Callable[..., events.Standing],
) -> None:
    long = "long-name-" * 30
    names = [f"{long}{number}" for number in range(10)]
    counts = {"desired": 1000, "running": 999, "old": 1000, "failed": 1000}
    task = events.StoppedTask(
        task=long, stop_code=long, reason=long, containers=((long, 1, long, "UNHEALTHY"),), log=("行" * 300, long)
    )
    given = (
        events.LockWaited(by=long, host=long, reason=long, since=long, left_seconds=1e6),
        events.HookStarted(hook=long, command=(long, "漢" * 100)),
        events.HookLogged(hook=long, line="漢" * 300),
        events.HookEnded(hook=long, exit_code=1, seconds=1.0),
        events.BuildStarted(image=long, reason=long),
        events.BuildLogged(image=long, line="\x1b[31m" + long),
        events.MigrationSkipped(release=10**9, reason=long),
        events.MigrationStarted(task=long, revision=long, command=(long, long)),
        events.MigrationLogged(line=f"\t{long}\r{long}"),
        events.MigrationLogged(line="行" * 300),
        *(events.RolloutStarted(service=one, revision=long, deployment="d", desired=1000) for one in names),
        events.Progressed(services=tuple(standing(one, state=long, message=long, **counts) for one in names)),
        events.RolloutFailed(service=names[0], verdict="rolled back", reason=long, tasks=(task,) * 5),
        events.GateOpened(service=long, after=(long, long)),
        events.ScheduleMoved(task=long, schedule=long, revision=long, back=True),
        events.Restoring(service=names[0], revision=long),
        events.Concluded(verdict=long, services=tuple(sided(one, long) for one in names), hint=long),
        events.Noticed(message=long),
    )
    page = screen(width=width, terminal=terminal)
    report.follow(boxed(*given), console=page.console)
    assert page.widest <= width


def test_what_serves_after_a_failure_stands_at_the_end(screen: Callable[..., Any]) -> None:
    web = events.Serves(service="web", state="previous", revision="arn/web:12", release=41, commit="3f2a9c1d04be" * 3)
    job = events.Serves(service="job", state="nothing")
    page = screen(terminal=True)
    report.follow(boxed(events.Concluded(verdict="rolled back", services=(web, job))), console=page.console)
    last = page.text[page.text.rindex("What serves now") :].split("\n")
    assert last[1].rstrip() == "↩ web  serves as before: web:12 (release 41, 3f2a9c1d04be)"
    assert last[2].rstrip() == "✗ job  serves nothing: no task is wanted"


def test_a_log_says_in_a_line_each_what_serves(screen: Callable[..., Any], clock: Clock) -> None:
    web = events.Serves(service="web", state="new", revision="arn/web:13")
    job = events.Serves(service="job", state="unclear", revision="arn/job:7")
    page = screen()
    concluded = events.Concluded(verdict="not restored", services=(web, job))
    report.follow(boxed(concluded), console=page.console, clock=clock)
    assert [line[10:] for line in page.lines if line] == [
        "not restored",
        "web serves the new one: web:13",
        "job is neither here nor there: look at it, it is set to job:7",
    ]


def test_what_a_hook_prints_stands_under_its_command(screen: Callable[..., Any]) -> None:
    page = screen(terminal=True)
    given = (
        events.HookStarted(hook="before_deploy", command=("./check", "it's")),
        events.HookLogged(hook="before_deploy", line="all is well"),
        events.HookEnded(hook="before_deploy", exit_code=0, seconds=0.2),
    )
    report.follow(boxed(*given), console=page.console)
    assert page.text.index("before_deploy  ./check") < page.text.index("│ all is well")
    assert "✓ before_deploy  done" in page.text


def test_a_transcript_can_stop_in_the_midst(screen: Callable[..., Any], standing: Callable[..., Any]) -> None:
    given = (
        events.RolloutStarted(at=1.0, service="web", revision="arn/web:13", deployment="d", desired=2),
        events.Progressed(at=2.0, services=(standing(),)),
        events.Drained(at=9.0, service="web", seconds=8.0),
    )
    page = screen()
    page.console.print(transcript(iter(given), until_seconds=4.0))
    assert "1/2 new, 2 old" in page.text
    assert "3.0 s" in page.text
