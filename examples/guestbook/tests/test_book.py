from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from guestbook.database import database_from
from guestbook.web.book import draft_from
from guestbook.web.wording import say_age

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ENVIRON = {"DB_HOST": "db", "DB_NAME": "guestbook", "DB_USER": "web", "DB_PASSWORD": "hidden"}


def test_a_good_entry_has_no_mistakes() -> None:
    draft = draft_from({"name": " Ada \t Lovelace ", "message": "Hello,\r\nworld\n"})
    assert (draft.name, draft.message, draft.mistakes) == ("Ada Lovelace", "Hello,\nworld", {})


def test_what_postgresql_cannot_store_is_dropped() -> None:
    draft = draft_from({"name": "A\x00da", "message": "one\x00\x1btwo"})
    assert (draft.name, draft.message) == ("A da", "one  two")


@pytest.mark.parametrize("name", ["", "   ", "\x00"])
def test_an_empty_name_is_a_mistake(name: str) -> None:
    assert draft_from({"name": name, "message": "Hello"}).mistakes == {"name": "Please tell your name."}


def test_a_form_without_fields_has_both_mistakes() -> None:
    assert set(draft_from({}).mistakes) == {"name", "message"}


def test_lengths_are_counted_after_tidying() -> None:
    assert not draft_from({"name": "x" * 40, "message": "y" * 499 + "\r\n"}).mistakes
    assert not draft_from({"name": "e\u0301" * 40, "message": "y"}).mistakes
    assert set(draft_from({"name": "x" * 41, "message": "y" * 501}).mistakes) == {"name", "message"}


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-3, "just now"),
        (1, "just now"),
        (2, "2 s ago"),
        (59, "59 s ago"),
        (60, "1 min ago"),
        (3600, "1 h ago"),
        (86400, "28 Feb 2026"),
        (31 * 86400, "29 Jan 2026"),
        (24 * 86400, "5 Feb 2026"),
    ],
)
def test_ages_read_as_people_say_them(seconds: int, words: str) -> None:
    assert say_age(NOW - timedelta(seconds=seconds), NOW) == words


def test_missing_settings_are_named_together() -> None:
    with pytest.raises(SystemExit, match="not set: DB_NAME, DB_PASSWORD"):
        database_from({"DB_HOST": "db", "DB_USER": "web"})


def test_the_password_is_not_printed() -> None:
    assert "hidden" not in repr(database_from(ENVIRON))
    assert database_from(ENVIRON).parameters("test")["password"] == "hidden"


def test_the_port_has_a_default() -> None:
    assert database_from({**ENVIRON, "DB_PORT": ""}).port == "5432"
