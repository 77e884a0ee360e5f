"""`inv logs`: lines of all tasks in the order of their times, each once, whatever AWS does."""

from __future__ import annotations

import io
import itertools
import json
from typing import TYPE_CHECKING

import pytest

from deploylib import report
from deploylib.errors import AwsError, ConfigError
from deploylib.upkeep import logs
from tests.fakes import world as worlds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploylib.upkeep.logs import Line
    from tests.fakes.world import World

WEB, JOB = "/guestbook/stg/web", "/guestbook/stg/job"


@pytest.fixture
def world() -> World:
    made = worlds.world()
    for group, stream in ((WEB, "web/app/1"), (WEB, "web/nginx/1"), (WEB, "web/app/2"), (JOB, "job/worker/3")):
        made.logs.create(group, stream)
    made.logs.late_seconds = 0.0
    return made


def speak(world: World, *said: tuple[str, str, str], gap: float = 1.0) -> None:
    for group, stream, line in said:
        world.logs.print(group, stream, line)
        world.clock.advance(gap)


def read(world: World, *services: str, container: str = "", seconds: float = 600) -> list[str]:
    found = logs.sources(world.account, worlds.environment(), services, container=container)
    return [one.message for one in logs.read(world.account, found, since_seconds=seconds, clock=world.clock)]


def following(world: World, *services: str) -> Iterator[Line]:
    found = logs.sources(world.account, worlds.environment(), services)
    return logs.follow(world.account, found, since_seconds=600, clock=world.clock)


def test_lines_of_all_services_are_in_one_order(world: World) -> None:
    speak(world, (WEB, "web/app/1", "a"), (JOB, "job/worker/3", "b"), (WEB, "web/nginx/1", "c"))
    assert read(world) == ["a", "b", "c"]


def test_one_service_and_one_container_can_be_chosen(world: World) -> None:
    speak(world, (WEB, "web/app/1", "a"), (JOB, "job/worker/3", "b"), (WEB, "web/nginx/1", "c"))
    assert read(world, "web") == ["a", "c"]
    assert read(world, "web", container="nginx") == ["c"]


def test_only_what_is_young_enough_is_shown(world: World) -> None:
    speak(world, (WEB, "web/app/1", "old"), gap=120)
    speak(world, (WEB, "web/app/1", "young"))
    assert read(world, seconds=60) == ["young"]


def test_more_than_one_page_is_read_whole(world: World) -> None:
    world.logs.page = 2
    speak(world, *((WEB, f"web/app/{1 + number % 2}", str(number)) for number in range(7)))
    assert read(world) == list("0123456")


def test_following_shows_each_line_once_and_goes_on_with_what_comes(world: World) -> None:
    speak(world, (WEB, "web/app/1", "a"), (WEB, "web/app/2", "b"))
    lines = following(world)
    world.clock.after(3, lambda: world.logs.print(JOB, "job/worker/3", "c"))
    world.clock.after(40, lambda: world.logs.print(WEB, "web/app/1", "d"))
    assert [one.message for one in itertools.islice(lines, 4)] == ["a", "b", "c", "d"]


def test_a_line_that_arrives_after_a_later_one_is_not_lost(world: World) -> None:
    def at_once() -> None:
        world.logs.late_seconds = 0.0
        world.logs.print(WEB, "web/app/2", "late")

    lines = following(world)
    world.logs.late_seconds = 9.0
    world.logs.print(WEB, "web/app/1", "early")
    world.clock.after(4, at_once)
    assert {one.message for one in itertools.islice(lines, 2)} == {"early", "late"}


def test_a_silent_api_is_endured_for_a_minute(world: World) -> None:
    speak(world, (WEB, "web/app/1", "a"))
    lines = following(world, "web")
    world.logs.throttle(20)
    assert next(lines).message == "a"
    world.logs.throttle(1000)
    with pytest.raises(AwsError):
        next(lines)


def test_a_refusal_is_told_at_once(world: World) -> None:
    world.logs.refuse("filter_log_events", "AccessDeniedException")
    with pytest.raises(AwsError):
        next(following(world, "web"))


def test_a_group_that_is_not_there_yet_has_no_lines(world: World) -> None:
    world.logs.groups.discard(JOB)
    speak(world, (WEB, "web/app/1", "a"))
    assert read(world) == ["a"]


def test_an_unknown_service_is_refused_with_those_that_there_are(world: World) -> None:
    with pytest.raises(ConfigError, match="no service or scheduled task 'wbe'") as raised:
        read(world, "wbe")
    assert raised.value.hint == "it has web, job"


def test_a_line_says_when_and_where(world: World) -> None:
    speak(world, (WEB, "web/app/0123456789abcdef", "x"), (WEB, "web/app/1", "\x1b[31mred\x07"))
    stream = io.StringIO()
    found = logs.sources(world.account, worlds.environment(), ["web"])
    report.log(logs.read(world.account, found, since_seconds=600, clock=world.clock), output="json", stream=stream)
    (line,) = map(json.loads, stream.getvalue().splitlines())
    assert {key: line[key] for key in ("event", "service", "container", "task", "message")} == {
        "event": "LogLine",
        "service": "web",
        "container": "app",
        "task": "1",
        "message": "\x1b[31mred\x07",
    }
    assert line["time"].startswith("2023-11-14T22:")
    assert line["time"].endswith("Z")


def test_what_looks_like_a_credential_is_not_shown(world: World) -> None:
    speak(world, (WEB, "web/app/1", "DATABASE_URL=postgres://guestbook:hunter2@db/guestbook"))
    stream = io.StringIO()
    found = logs.sources(world.account, worlds.environment(), ["web"])
    report.log(logs.read(world.account, found, since_seconds=600, clock=world.clock), output="json", stream=stream)
    assert "hunter2" not in stream.getvalue()
    assert "(hidden)" in stream.getvalue()
