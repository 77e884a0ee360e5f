from __future__ import annotations

import io
import json

from deploylib.doctor import Row
from deploylib.report.console import page
from deploylib.report.health import health

ROWS = (
    Row(group="this machine", what="git", state="OK", found="2.39.5"),
    Row(group="this machine", what="Terraform", state="MISSING", found="not installed", next="make setup"),
    Row(group="environment stg", what="contract", state="SKIPPED", found="needs credentials"),
)


def shown(rows: tuple[Row, ...], *, output: str = "text", width: int = 100) -> str:
    file = io.StringIO()
    health(rows, output=output, console=page(file, width=width, terminal=False))
    return file.getvalue()


def test_each_thing_is_a_line_with_its_mending_command_below() -> None:
    assert shown(ROWS) == (
        "This machine\n"
        "  OK       git        2.39.5\n"
        "  MISSING  Terraform  not installed\n"
        "                      → make setup\n"
        "\n"
        "Environment stg\n"
        "  SKIPPED  contract   needs credentials\n"
    )


def test_long_texts_go_on_below_their_own_column() -> None:
    row = Row(group="this machine", what="git", state="WARNING", found="word " * 20, next="command " * 10)
    lines = shown((row,), width=60).splitlines()
    assert max(map(len, lines)) <= 60
    assert lines[2].startswith(" " * 16 + "word")
    assert lines[-1].startswith(" " * 18 + "command")


def test_a_machine_gets_a_list_of_objects() -> None:
    found = json.loads(shown(ROWS, output="json"))
    assert [one["what"] for one in found] == ["git", "Terraform", "contract"]
    assert found[1] == {
        "group": "this machine",
        "what": "Terraform",
        "state": "MISSING",
        "found": "not installed",
        "next": "make setup",
    }


def test_nothing_found_is_nothing_shown() -> None:
    assert shown(()) == ""
