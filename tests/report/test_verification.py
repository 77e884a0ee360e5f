"""The tree of what was verified, for people and for machines."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from deploylib import report
from deploylib.verify import check

TREE = (
    check.ok("cluster", "guestbook-stg"),
    check.together(
        "services",
        (
            check.together(
                "web",
                (
                    check.ok("service", "2 of 2 tasks run"),
                    check.missing("log group", "is not there", "inv infra.apply --env stg"),
                    check.skipped("role guestbook-stg-web-execution-of-tasks", "not allowed to ask"),
                ),
            ),
        ),
    ),
    check.warning("clock", "45 s from AWS's"),
)


def shown(width: int = 80, output: str = "text") -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    report.verified(TREE, output=output, console=console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_each_answer_has_its_state_in_front_and_what_mends_it_below() -> None:
    lines = [line.rstrip() for line in shown().splitlines()]
    assert lines[0].split() == ["OK", "cluster", "guestbook-stg"]
    at = next(number for number, line in enumerate(lines) if "log group" in line)
    assert lines[at].startswith("  MISSING      log group")
    assert lines[at + 1].strip() == "→ inv infra.apply --env stg"
    assert lines[-1] == "2 OK, 1 MISSING, 1 WARNING, 1 SKIPPED"


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_no_line_is_wider_than_the_page(width: int) -> None:
    assert max(map(len, shown(width).splitlines())) <= width


def test_a_machine_gets_the_tree() -> None:
    found = json.loads(shown(output="json"))
    assert [one["what"] for one in found] == ["cluster", "services", "clock"]
    log_group = found[1]["parts"][0]["parts"][1]
    assert log_group == {
        "what": "log group",
        "state": "MISSING",
        "found": "is not there",
        "next": "inv infra.apply --env stg",
        "parts": [],
    }
