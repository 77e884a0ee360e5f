"""Telling of a release: what is told when, to whom; that the release is the same with and without it."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from deploylib import config, events, notify, plan
from deploylib.errors import DeployError, MigrationError, RolledBackError
from deploylib.notify import sending
from deploylib.notify.sending import Channel
from tests.fakes import world as worlds
from tests.fakes.account import FakeAccount
from tests.fakes.clock import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from deploylib.notify import Kind, Message

ALL: tuple[Kind, ...] = ("started", "waiting", "migrated", "serving", "failed", "rolled back")
SUBJECT = notify.Subject(
    app="guestbook",
    environment="stg",
    commit=worlds.COMMITS[1],
    by="arn:aws:sts::111111111111:assumed-role/deploy/ada",
    services=("web", "worker"),
)
URL = "slack://T0KEN/B0KEN/S3CRET"


class Box:
    """An endpoint that keeps what it gets; *problem* is what it answers."""

    def __init__(self, problem: str = "") -> None:
        self.got: list[Message] = []
        self.problem = problem

    def __call__(self, _: Channel, message: Message, /) -> str:
        self.got.append(message)
        return self.problem

    @property
    def kinds(self) -> list[str]:
        return [one.kind for one in self.got]


def channel(name: str = "$CHAT", kinds: tuple[Kind, ...] = ALL, **more: str) -> Channel:
    return Channel(name=name, url=URL, kinds=kinds, **more)


def release(*seen: events.Event, error: BaseException | None = None) -> Generator[events.Event, str | None, str]:
    yield from seen
    if error:
        raise error
    return "done"


def told(
    *seen: events.Event, error: BaseException | None = None, channels: tuple[Channel, ...] = (), box: Box | None = None
) -> tuple[Box, list[events.Event]]:
    """Follow a release to its end; return what was told, and what whoever follows it saw."""
    box, found = box or Box(), list[events.Event]()
    telling = notify.telling(release(*seen, error=error), channels or (channel(),), SUBJECT, clock=time, send=box)
    if not error:
        found += telling
    else:
        with pytest.raises(type(error)):
            found += telling
    return box, found


BEGAN = events.Began(release=12)
COMPLETED = events.Completed(seconds=125.4, calls=30, url="https://shop.test", services=("web",), release=12)
WAITED = events.LockWaited(by="bob", host="ci-7", reason="deploy", since="2026-11-21T20:00:00Z", left_seconds=60)


def test_release_is_told_from_its_start_to_its_end() -> None:
    box, found = told(WAITED, BEGAN, WAITED, events.Migrated(task="t", seconds=12.0), COMPLETED)
    assert [(one.kind, one.body) for one in box.got] == [
        ("started", "started by ada: web, worker"),
        ("waiting", "waiting for bob on ci-7, who holds the lock since 2026-11-21T20:00:00Z (deploy)"),
        ("migrated", "the migration is done in 12 s"),
        ("serving", "release 12 serves at https://shop.test after 2 min 5 s: web"),
    ]
    assert {one.title for one in box.got} == {f"guestbook stg: release {worlds.COMMITS[1][:12]}"}
    assert found[-1] == COMPLETED


def test_failure_is_told_with_its_first_line_what_serves_and_the_next_command() -> None:
    error = RolledBackError("web: 3 tasks stopped\nPASSWORD=hunter2 in a log", hint="inv logs web")
    error.add_note("the worker goes on\nand more")
    serves = events.Serves(service="web", state="previous", release=11)
    box, _ = told(BEGAN, events.Concluded(verdict="rolled back", services=(serves,)), error=error)
    assert [one.kind for one in box.got] == ["started", "rolled back"]
    assert box.got[-1].body.splitlines() == [
        "release 12: web: 3 tasks stopped",
        "the worker goes on",
        "web serves the previous release (11)",
        "next: inv logs web",
    ]


ENDS: tuple[tuple[str, BaseException, str, str], ...] = (
    ("error", MigrationError("alembic: no such table"), "failed", "release 12: alembic: no such table"),
    ("Ctrl-C", KeyboardInterrupt(), "failed", "release 12: was interrupted"),
    ("bug", ValueError("password hunter2"), "failed", "release 12: ended with a bug: ValueError"),
    ("roll-back", RolledBackError("web failed"), "rolled back", "release 12: web failed"),
)


@pytest.mark.parametrize(("error", "kind", "body"), [case[1:] for case in ENDS], ids=[case[0] for case in ENDS])
def test_every_end_is_told(error: BaseException, kind: str, body: str) -> None:
    box, _ = told(BEGAN, error=error)
    assert (box.got[-1].kind, box.got[-1].body) == (kind, body)


def test_endpoint_is_told_of_what_it_asked_for_only() -> None:
    box, _ = told(WAITED, BEGAN, COMPLETED, channels=(channel(kinds=("failed", "serving")),))
    assert box.kinds == ["serving"]


def test_follower_gets_the_same_events_with_and_without_notifications() -> None:
    _, found = told(BEGAN, WAITED, COMPLETED)
    assert found == [BEGAN, WAITED, COMPLETED]
    assert list(notify.telling(release(BEGAN, COMPLETED), (), SUBJECT)) == [BEGAN, COMPLETED]


def asking(heard: list[str | None]) -> Generator[events.Event, str | None, str]:
    heard.append((yield events.Question(services=("web",))))
    try:
        yield BEGAN
    except KeyboardInterrupt:
        heard.append("interrupted")
    yield COMPLETED
    return "done"


def test_answers_and_interruptions_reach_the_release_and_its_result_comes_back() -> None:
    heard: list[str | None] = []
    telling = notify.telling(asking(heard), (channel(),), SUBJECT, clock=time, send=Box())
    assert isinstance(next(telling), events.Question)
    assert telling.send("detach") is BEGAN
    assert telling.throw(KeyboardInterrupt()) is COMPLETED
    with pytest.raises(StopIteration) as end:
        next(telling)
    assert (heard, end.value.value) == (["detach", "interrupted"], "done")


def test_release_that_nobody_follows_any_more_is_closed_and_told() -> None:
    closed: list[str] = []

    def happening() -> Generator[events.Event, str | None, None]:
        try:
            yield BEGAN
        finally:
            closed.append("closed")

    box, held = Box(), happening()  # held, so that it is not closed by being forgotten
    telling = notify.telling(held, (channel(),), SUBJECT, clock=time, send=box)
    next(telling)
    telling.close()
    assert closed == ["closed"]
    assert box.kinds == ["started", "failed"]


def test_dead_endpoint_is_said_once_and_still_tried_for_what_comes_later() -> None:
    box, found = told(BEGAN, COMPLETED, box=Box(problem="answered 404"))
    said = [event.message for event in found if isinstance(event, events.Noticed)]
    assert said == ["notification by $CHAT: answered 404; the release is not touched by it"]
    assert found[-1] == COMPLETED
    assert box.kinds == ["started", "serving"]


def test_failed_release_says_of_a_dead_endpoint_too_and_keeps_its_own_error() -> None:
    _, found = told(BEGAN, error=MigrationError("no"), box=Box(problem="answered 500"))
    assert [type(event).__name__ for event in found] == ["Began", "Noticed"]


class Silent:
    """A black hole: it takes a message and never answers."""

    def __init__(self) -> None:
        self.released = threading.Event()

    def __call__(self, _: Channel, message: Message, /) -> str:
        self.released.wait()
        return ""


def senders(*names: str) -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name in {f"notify {name}" for name in names}]


def test_black_holes_cost_a_release_their_budget_together() -> None:
    clock, hole = FakeClock(), Silent()
    channels = (channel("$ONE"), channel("$TWO"))
    found = list(notify.telling(release(BEGAN, COMPLETED), channels, SUBJECT, clock=clock, send=hole))
    blocked = senders("$ONE", "$TWO")
    assert [one.daemon for one in blocked] == [True, True], "the process could not end"
    hole.released.set()
    for one in blocked:
        one.join(10)
    assert senders("$ONE", "$TWO") == []
    assert clock.monotonic() == pytest.approx(sending.BUDGET_SECONDS, abs=2 * sending.LOOK_SECONDS)
    assert [str(event.message) for event in found if isinstance(event, events.Noticed)] == [
        f"notification by {name}: has not answered yet; the release is not touched by it" for name in ("$ONE", "$TWO")
    ]


def test_impatient_person_ends_the_waiting_and_not_the_release() -> None:
    clock, hole = FakeClock(), Silent()

    def interrupt() -> None:
        raise KeyboardInterrupt

    clock.after(0.5, interrupt)
    found = list(notify.telling(release(BEGAN, COMPLETED), (channel(),), SUBJECT, clock=clock, send=hole))
    hole.released.set()
    assert found[-1] == COMPLETED
    assert clock.monotonic() == pytest.approx(0.5, abs=sending.LOOK_SECONDS)


def broken(_: Channel, message: Message, /) -> str:
    raise RuntimeError(f"cannot parse {URL}")


def test_library_that_breaks_is_said_without_its_words() -> None:
    telling = notify.telling(release(BEGAN, COMPLETED), (channel(),), SUBJECT, clock=time, send=broken)
    (said,) = [event for event in telling if isinstance(event, events.Noticed)]
    assert "failed (RuntimeError)" in said.message
    assert "S3CRET" not in said.message


# Where the addresses are from


def environment(*notifications: config.Notification) -> config.Environment:
    return worlds.environment(notifications=notifications)


def test_addresses_are_read_in_one_call_and_never_shown() -> None:
    aws = FakeAccount()
    aws.ssm.give("/guestbook/stg/chat", URL + "\n", kind="SecureString")
    told = (
        config.Notification(parameter="/guestbook/stg/chat", mention="<!here>"),
        config.Notification(variable="HOOK"),
    )
    found = notify.channels(environment(*told), aws.account, variables={"HOOK": "json://hook.test/s3cret"})
    assert [(one.name, one.url, one.problem, one.mention) for one in found] == [
        ("/guestbook/stg/chat", URL, "", "<!here>"),
        ("$HOOK", "json://hook.test/s3cret", "", ""),
    ]
    assert found[0].kinds == ("started", "serving", "failed", "rolled back")
    assert aws.calls == {"ssm:GetParameters": 1}
    assert "S3CRET" not in repr(found)


MISSING: tuple[tuple[str, config.Notification, Callable[[FakeAccount], object], str], ...] = (
    ("variable", config.Notification(variable="HOOK"), lambda _: None, "the variable HOOK is not set"),
    ("parameter", config.Notification(parameter="/x"), lambda _: None, "there is no such parameter"),
    (
        "permission",
        config.Notification(parameter="/x"),
        lambda aws: aws.ssm.refuse("get_parameters", "AccessDeniedException"),
        "AccessDenied",
    ),
)


@pytest.mark.parametrize(("told", "arrange", "said"), [case[1:] for case in MISSING], ids=[case[0] for case in MISSING])
def test_endpoint_without_an_address_is_said_and_the_release_goes_on(
    told: config.Notification, arrange: Callable[[FakeAccount], object], said: str
) -> None:
    aws = FakeAccount()
    arrange(aws)
    found = notify.channels(environment(told), aws.account, variables={})
    seen = list(notify.telling(release(BEGAN, COMPLETED), found, SUBJECT, clock=FakeClock(), send=broken))
    assert [type(event).__name__ for event in seen] == ["Noticed", "Began", "Completed"]
    assert said in str(seen[0])


def test_no_call_is_made_for_addresses_in_variables() -> None:
    aws = FakeAccount()
    notify.channels(environment(config.Notification(variable="HOOK")), aws.account, variables={})
    assert aws.calls == {}


def test_error_of_ours_is_what_the_release_ends_with() -> None:
    with pytest.raises(DeployError, match="no"):
        list(notify.telling(release(error=MigrationError("no")), (channel(),), SUBJECT, clock=time, send=Box()))


def test_release_is_told_to_whom_its_environment_names() -> None:
    world, box = worlds.world(), Box()
    one = worlds.environment(notifications=(config.Notification(variable="HOOK", events=("started", "rolled back")),))
    made = plan.plan_release(
        one, world.live(), worlds.image_plans(2), commit=worlds.COMMITS[2], dirty=False, release="release-2"
    )
    happening = release(BEGAN, error=RolledBackError("web failed: DB_PASSWORD=hunter2"))
    telling = notify.told(
        happening, one, world.aws.account, made, by="user/ada", clock=time, variables={"HOOK": URL}, send=box
    )
    with pytest.raises(RolledBackError):
        list(telling)
    moving = ", ".join(service.key for service in made.moving)
    assert [one.body for one in box.got] == [
        f"started by ada: {moving}",
        "release 12: web failed: DB_PASSWORD=(hidden)",
    ]
    assert box.got[0].title == f"guestbook stg: release {worlds.COMMITS[2][:12]}"


def test_address_may_be_named_by_the_arn_of_its_parameter() -> None:
    aws = FakeAccount()
    aws.ssm.give("/guestbook/stg/chat", URL)
    (known,) = aws.ssm.get_parameters(Names=["/guestbook/stg/chat"], WithDecryption=True)["Parameters"]
    (found,) = notify.channels(environment(config.Notification(parameter=known["ARN"])), aws.account)
    assert (found.url, found.problem) == (URL, "")
