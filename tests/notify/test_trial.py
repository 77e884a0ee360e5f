"""The message by which it is seen who is told of releases."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from deploylib.errors import ConfigError, DeployError
from deploylib.notify import trial
from deploylib.notify.sending import Channel
from tests.fakes import world as worlds
from tests.fakes.clock import FakeClock

if TYPE_CHECKING:
    from deploylib.notify.messages import Message

ENDPOINTS = (
    Channel(name="$CHAT", url="good", kinds=("failed",)),
    Channel(name="/shop/mail", url="bad", kinds=("started", "serving")),
    Channel(name="$HOOK", problem="the variable HOOK is not set"),
)


def post(channel: Channel, message: Message, /) -> str:
    assert "nothing is being released" in message.body
    return "answered 500" if channel.url == "bad" else ""


def test_every_endpoint_is_tried_whatever_it_is_told_of() -> None:
    rows = trial.carry_out(worlds.environment(), ENDPOINTS, clock=time, send=post)
    assert rows == (
        ("$CHAT", "failed", "taken"),
        ("/shop/mail", "started, serving", "answered 500"),
        ("$HOOK", "", "the variable HOOK is not set"),
    )
    with pytest.raises(DeployError, match=r"/shop/mail: answered 500; \$HOOK: the variable HOOK is not set"):
        trial.refuse_untold(rows)


def test_endpoints_that_take_it_are_no_error() -> None:
    trial.refuse_untold(trial.carry_out(worlds.environment(), ENDPOINTS[:1], clock=time, send=post))


def test_endpoint_that_does_not_answer_is_told_after_the_time_that_it_has() -> None:
    released = threading.Event()

    def silent(_: Channel, message: Message, /) -> str:
        released.wait()
        return ""

    rows = trial.carry_out(worlds.environment(), ENDPOINTS[:1], clock=FakeClock(), send=silent)
    released.set()
    assert rows[0][-1] == "has not answered yet"


def test_environment_that_tells_nobody_says_where_to_write_whom() -> None:
    with pytest.raises(ConfigError, match="stg tells nobody"):
        trial.carry_out(worlds.environment(), (), clock=FakeClock())
