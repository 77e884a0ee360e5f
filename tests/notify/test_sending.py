"""Sending through Apprise for real: to a server on this machine, to a dead port, to an address that is none."""

from __future__ import annotations

import logging
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

from deploylib import events, notify
from deploylib.notify import sending
from deploylib.notify.messages import Message
from deploylib.notify.sending import Channel, send
from tests.fakes.webhook import SECRET, Webhook, served

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

# Apprise loads all its services at once, and one of them looks for this module of older Pythons.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

SUBJECT = notify.Subject(app="guestbook", environment="stg", commit="0123456789ab")


@pytest.fixture
def endpoint() -> Iterator[Webhook]:
    with served() as server:
        yield server


@pytest.fixture
def dead_port() -> Iterator[int]:
    """A port that refuses: bound, and nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def channel(url: str, **more: Any) -> Channel:
    return Channel(name="$CHAT", url=url, kinds=("started", "serving", "failed"), **more)


def message(kind: Any = "serving", body: str = "release 12 serves") -> Message:
    return Message(kind=kind, title="guestbook stg: release 0123456789ab", body=body)


def release() -> Generator[events.Event, str | None, None]:
    yield events.Began(release=12)
    yield events.Completed(seconds=3, calls=1, release=12)


def test_message_arrives_as_it_is(endpoint: Webhook) -> None:
    assert send(channel(endpoint.url), message()) == ""
    (got,) = endpoint.got
    assert (got["title"], got["message"]) == ("guestbook stg: release 0123456789ab", "release 12 serves")
    assert (got["type"], got["by"]) == ("success", "deploylib")


def test_mention_stands_in_front_of_failures_only(endpoint: Webhook) -> None:
    mentioning = channel(endpoint.url, mention="<!here>")
    send(mentioning, message())
    send(mentioning, message("failed", "release 12: no\nnext: inv logs"))
    assert [(one["message"], one["type"]) for one in endpoint.got] == [
        ("release 12 serves", "success"),
        ("<!here> release 12: no\nnext: inv logs", "failure"),
    ]


def test_whole_release_is_told_to_a_server(endpoint: Webhook) -> None:
    seen = list(notify.telling(release(), (channel(endpoint.url),), SUBJECT))
    assert [one["message"] for one in endpoint.got] == ["started", "release 12 serves after 3 s"]
    assert [type(event).__name__ for event in seen] == ["Began", "Completed"]


def test_refusal_is_told_by_its_status_and_nothing_of_the_address(
    endpoint: Webhook, capfd: pytest.CaptureFixture[str]
) -> None:
    endpoint.status = 403
    assert send(channel(endpoint.url), message()) == "answered 403"
    assert capfd.readouterr() == ("", "")
    log = logging.getLogger("apprise")
    assert not log.propagate
    assert [type(one) for one in log.handlers if type(one).__module__.startswith("deploylib")] == []


def test_status_of_another_endpoint_is_not_taken_for_ones_own() -> None:
    with sending._status() as found:
        other = threading.Thread(target=logging.getLogger("apprise").warning, args=("Failed, error=500.",))
        other.start()
        other.join()
    assert found == []


def test_dead_port_is_told_and_its_address_is_not(dead_port: int) -> None:
    seen = list(notify.telling(release(), (channel(f"json://127.0.0.1:{dead_port}/{SECRET}"),), SUBJECT))
    (said,) = [event.message for event in seen if isinstance(event, events.Noticed)]
    assert "did not take the message" in said
    assert SECRET not in said
    assert str(dead_port) not in said


@pytest.mark.parametrize("url", ["https//typing.error", "nothing", "slack://too/short"])
def test_address_that_is_none_is_said(url: str) -> None:
    assert send(channel(url), message()) == "is no Apprise URL"
