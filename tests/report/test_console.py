from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from deploylib import report
from deploylib.report.console import CONTROLS, cleaned, elapsed, page, shortened

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;https://example.com\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("10%\r50%\r100%", "100%"),
        ("ends in a return\r", "ends in a return"),
        ("a\tb", "a   b"),
        ("two\nlines", "two lines"),
        ("bell\x07 and \u202eturned", "bell and turned"),
    ],
)
def test_text_from_outside_loses_what_steers_a_terminal(text: str, expected: str) -> None:
    assert cleaned(text) == expected


@given(st.text())
def test_cleaned_text_has_no_control_character(text: str) -> None:
    assert not CONTROLS.search(cleaned(text))


@given(st.text(alphabet="ab漢字-"), st.integers(min_value=3, max_value=20))
def test_shortened_text_fits(text: str, width: int) -> None:
    assert cell_len(shortened(cleaned(text), width)) <= width


def test_a_short_name_is_left_alone_and_a_long_one_keeps_both_ends() -> None:
    assert shortened("web", 10) == "web"
    assert shortened("guestbook-production-web", 13) == "guestboo…-web"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (59.6, "1 min 00 s"), (185.2, "3 min 05 s")]
)
def test_durations_are_short(seconds: float, text: str) -> None:
    assert elapsed(seconds) == text


def test_waiting_is_silent_where_nobody_watches(screen: Callable[..., Any]) -> None:
    shown = screen()
    with report.waiting("Looking", console=shown.console):
        pass
    assert shown.text == ""


def test_waiting_shows_seconds_after_a_moment_and_leaves_nothing(screen: Callable[..., Any], clock: Any) -> None:
    shown = screen(terminal=True)
    with report.waiting("Looking at stg", console=shown.console, clock=clock):
        clock.sleep(2.0)
    assert "Looking at stg  2.0 s" in shown.text
    assert shown.file.getvalue().rstrip("\r").endswith("\x1b[2K")


def test_a_sentence_is_for_people_only(screen: Callable[..., Any]) -> None:
    shown = screen()
    report.say("2 mistakes\n  one", console=shown.console)
    report.say("hidden", output="json", console=shown.console)
    assert shown.text == "2 mistakes\n  one\n"


def test_a_terminal_that_lacks_a_character_does_not_end_the_command() -> None:
    raw = io.BytesIO()
    console = page(io.TextIOWrapper(raw, encoding="ascii"))
    report.say("größer → kleiner", console=console)
    console.file.flush()
    assert raw.getvalue() == b"gr??er ? kleiner\n"


@pytest.mark.parametrize(("columns", "widest"), [("200", 100), ("60", 60), (None, 100)])
def test_pages_are_at_most_a_hundred_columns_wide(columns: str | None, widest: int) -> None:
    variables = {key: value for key, value in os.environ.items() if key != "COLUMNS"}
    source = "from deploylib import report\nreport.say('word ' * 100)"
    done = subprocess.run(
        [sys.executable, "-c", source],
        cwd=ROOT,
        env={**variables, "PYTHONPATH": str(ROOT), **({"COLUMNS": columns} if columns else {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    longest = max(map(len, done.stdout.splitlines()))
    assert widest - 5 <= longest <= widest


def test_a_reader_that_goes_away_does_not_stop_what_goes_on() -> None:
    source = "from deploylib import report\nfor n in range(3_000):\n    report.say(f'line {n}')\nraise SystemExit(7)"
    program = subprocess.Popen(
        [sys.executable, "-c", source],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert program.stdout is not None
    program.stdout.readline()
    program.stdout.close()
    program.stdout = None
    assert program.communicate()[1] == ""
    assert program.returncode == 7


def test_an_unknown_part_of_the_reports_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        _ = report.nonsense
