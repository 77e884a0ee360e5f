from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from deploylib import events
from deploylib.errors import ImageError, RefusedError
from deploylib.report.board import Board, after, closed, fitting, settled
from deploylib.report.wording import words

if TYPE_CHECKING:
    from collections.abc import Callable


def board(*given: events.Event) -> Board:
    state = Board()
    for one in given:
        state = after(one, state)
    return state


STARTED = events.RolloutStarted(at=1.0, service="web", revision="arn/web:13", deployment="d", desired=2)


def test_services_keep_the_order_in_which_they_started() -> None:
    other = events.RolloutStarted(service="job", revision="arn/job:3", deployment="d", desired=1)
    state = board(STARTED, other, events.Drained(service="web", seconds=1.0))
    assert [one.name for one in state.services] == ["web", "job"]


def test_a_drained_service_has_all_its_tasks_and_no_old_one(standing: Callable[..., events.Standing]) -> None:
    (web,) = board(
        STARTED, events.Progressed(services=(standing(),)), events.Drained(at=5.0, service="web", seconds=4.0)
    ).services
    assert web.mood == "good"
    assert web.ended == 5.0
    assert web.standing is not None
    assert (web.standing.running, web.standing.old) == (2, 0)


def test_a_late_look_does_not_reopen_what_has_ended(standing: Callable[..., events.Standing]) -> None:
    (web,) = board(
        STARTED, events.Drained(at=5.0, service="web", seconds=4.0), events.Progressed(services=(standing(),))
    ).services
    assert web.mood == "good"


def test_a_service_that_failed_and_went_back_says_what_it_serves() -> None:
    (web,) = board(
        STARTED,
        events.RolloutFailed(service="web", verdict="rolled back", reason=""),
        events.Restoring(service="web", revision="arn/web:12"),
        events.Restored(service="web", revision="arn/web:12"),
    ).services
    assert (web.mood, web.state) == ("back", "serves web:12 again")


def test_an_event_whose_beginning_was_not_seen_gets_a_line_of_its_own() -> None:
    state = board(events.Pushed(image="web", digest="sha256:1", seconds=1.0), events.Drained(service="job", seconds=1))
    assert [one.name for one in (*state.images, *state.services)] == ["web", "job"]


def test_images_scroll_away_once_all_are_done() -> None:
    building = board(
        events.BuildStarted(image="web", reason="r"),
        events.BuildStarted(image="job", reason="r"),
        events.Pushed(at=2.0, image="web", digest="sha256:1", seconds=1.0),
    )
    assert settled(building) == (Board(), building)
    finished, stays = settled(after(events.Pushed(at=3.0, image="job", digest="d", seconds=1.0), building))
    assert [one.name for one in finished.images] == ["web", "job"]
    assert stays == Board()


def test_a_board_that_is_too_high_drops_messages_then_what_has_ended(
    standing: Callable[..., events.Standing],
) -> None:
    names = [f"service-{number}" for number in range(6)]
    state = board(
        *(events.RolloutStarted(service=one, revision="r", deployment="d", desired=2) for one in names),
        events.Progressed(services=tuple(standing(one, message="has started 2 tasks") for one in names)),
        *(events.Drained(service=one, seconds=1.0) for one in names[:3]),
    )
    assert fitting(state, 10) == state
    without = fitting(state, 9)
    assert [one.name for one in without.services] == names
    assert not any(one.detail for one in without.services)
    assert [one.name or one.state for one in fitting(state, 5).services] == [*names[3:], "3 more services have ended"]


def test_closing_leaves_what_has_ended_and_stops_the_rest() -> None:
    state = closed(
        board(
            STARTED,
            events.Registered(service="job", revision="arn/job:3"),
            events.Pushed(at=1.0, image="web", digest="d", seconds=1.0),
        ),
        9.0,
        KeyboardInterrupt(),
    )
    assert [(one.state, one.ended) for one in state.services] == [("no longer followed", 9.0), ("not rolled out", 0.0)]
    assert state.images[0].mood == "good"


def test_of_several_images_the_one_that_failed_is_marked() -> None:
    under_way = (events.BuildStarted(image=name, reason="") for name in ("web", "job", "nginx"))
    error = ImageError("image job was not built")
    error.image = "job"
    state = closed(board(*under_way), 9.0, error)
    assert [(one.state, one.mood) for one in state.images] == [
        ("not finished", "left"),
        ("failed", "bad"),
        ("not finished", "left"),
    ]


WAITED = events.LockWaited(
    at=1.0,
    by="arn:aws:sts::123456789012:assumed-role/deploy/alice",
    host="laptop",
    reason="deploy",
    since="2026-11-21T20:27:40+00:00",
    left_seconds=540.0,
)


def test_who_holds_the_lock_is_said_while_it_is_waited_for() -> None:
    (lock,) = board(WAITED).steps
    assert (
        lock.detail
        == "9 min 00 s left, held by assumed-role/deploy/alice on laptop since 2026-11-21 20:27:40 UTC: deploy"
    )
    (taken,) = board(WAITED, events.Locked(at=4.0, waited_seconds=3.0)).steps
    assert (taken.state, taken.mood, taken.since, taken.ended) == ("ours", "good", 1.0, 4.0)


def test_a_lock_that_nobody_held_is_not_worth_a_line() -> None:
    assert board(events.Locked()) == Board()


def test_a_lock_that_was_waited_for_in_vain_is_given_up() -> None:
    assert closed(board(WAITED), 9.0, RefusedError("held")).steps[0].state == "given up"


@pytest.mark.parametrize(
    ("hook", "exit_code", "state", "mood"),
    [
        ("before_deploy", 0, "done", "good"),
        ("before_deploy", 1, "failed with exit code 1", "bad"),
        ("after_deploy", 1, "failed with exit code 1, which stops nothing", "bad"),
    ],
)
def test_a_hook_says_how_it_ended(hook: str, exit_code: int, state: str, mood: str) -> None:
    (line,) = board(
        events.HookStarted(at=1.0, hook=hook, command=("./check",)),
        events.HookEnded(at=2.0, hook=hook, exit_code=exit_code, seconds=1.0),
    ).steps
    assert (line.state, line.mood, line.since, line.ended) == (state, mood, 1.0, 2.0)


def test_a_migration_that_ran_before_is_done() -> None:
    (line,) = board(events.MigrationSkipped(at=1.0, release=12, reason="same image")).migration
    assert (line.state, line.mood) == ("not run again: release 12 ran it", "good")


def test_a_service_that_waits_for_another_begins_when_its_gate_opens() -> None:
    waiting = events.Registered(at=1.0, service="job", revision="arn/job:3")
    (job,) = board(waiting, events.GateOpened(at=5.0, service="job", after=("web",))).services
    assert (job.mood, job.detail, job.since) == ("busy", "after web", 5.0)


@pytest.mark.parametrize(("back", "mood"), [(False, "good"), (True, "back")])
def test_schedules_say_what_they_start(back: bool, mood: str) -> None:  # noqa: FBT001  # a parameter of the case
    moved = events.ScheduleMoved(task="cleanup", schedule="stg-cleanup", revision="arn/cleanup:7", back=back)
    (line,) = board(moved).schedules
    assert (line.name, line.state, line.mood) == ("cleanup", "starts cleanup:7", mood)


def test_the_url_is_said_once(standing: Callable[..., Any]) -> None:
    completed = events.Completed(seconds=12.3, calls=0, url="https://example.com")
    assert board(completed).closing == ("Released in 12 s: https://example.com",)
    served = events.Served(url="https://example.com/", status=200, seconds=0.1)
    assert board(served, completed).closing == ("https://example.com/ answered 200", "Released in 12 s")


def test_a_service_whose_new_tasks_run_hands_over_and_then_stops_the_old_ones(
    standing: Callable[..., events.Standing],
) -> None:
    assert words(standing()) == "rolling out"
    assert words(standing(running=2)) == "handing over"
    assert words(standing(running=2, old=1, state="draining")) == "stopping the old tasks"
    assert words(standing(old=0, state="failed")) == "failed"
