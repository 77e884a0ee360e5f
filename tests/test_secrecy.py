"""Credentials of the usual shapes are hidden; what only sounds like one stays readable."""

from __future__ import annotations

import time
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploylib import events, secrecy

CASES: dict[str, Any] = tomllib.loads((Path(__file__).parent / "cases/secrecy.toml").read_text())


@pytest.mark.parametrize(("text", "expected"), CASES["hidden"])
def test_what_looks_like_a_credential_is_hidden(text: str, expected: str) -> None:
    assert secrecy.hidden(text) == expected


@pytest.mark.parametrize("text", CASES["shown"])
def test_what_is_none_is_shown(text: str) -> None:
    assert secrecy.hidden(text) == text


@given(st.text())
def test_hiding_twice_is_hiding_once(text: str) -> None:
    assert secrecy.hidden(secrecy.hidden(text)) == secrecy.hidden(text)


@given(st.from_regex(r"[A-Za-z0-9]{6,20}", fullmatch=True))
def test_no_password_of_an_address_is_left(password: str) -> None:
    assert f":{password}@" not in secrecy.hidden(f"cannot connect to postgresql://app:{password}@db.internal:5432/app")


def test_every_text_within_an_event_is_looked_at() -> None:
    task = events.StoppedTask(task="t", stop_code="s", reason="r", log=("SECRET=hunter2",))
    failed = events.RolloutFailed(service="web", verdict="failed", reason="TOKEN=hunter2", tasks=(task,))
    found = secrecy.without_secrets(failed)
    assert found.reason == "TOKEN=(hidden)"
    assert found.tasks[0].log == ("SECRET=(hidden)",)
    assert secrecy.without_secrets({"a": ["TOKEN=hunter2", 1, None]}) == {"a": ["TOKEN=(hidden)", 1, None]}


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("DATABASE_PASSWORD", "hunter2", "(hidden)"),
        ("KEYBOARD", "us", "us"),
        ("URL", "redis://:hunter2@cache/0", "redis://:(hidden)@cache/0"),
    ],
)
def test_a_variable_is_hidden_by_its_name_or_its_content(name: str, value: str, shown: str) -> None:
    assert secrecy.variable(name, value) == shown


@pytest.mark.parametrize(
    "text", ["a" * 50_000, "a-" * 25_000, "secret" * 8_000, "://a" * 12_000, "://a:b" * 9_000, '"secret":"' * 5_000]
)
def test_a_long_line_takes_no_long_time(text: str) -> None:
    started = time.process_time()
    secrecy.hidden(text)
    assert time.process_time() - started < 2.0
