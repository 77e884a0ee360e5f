from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploylib import events
from deploylib.report.documents import Planned, planned
from deploylib.report.lines import document, parse, write

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
DOCUMENTATION = ROOT / "docs/output.md"


def line(what: events.Event | Planned) -> str:
    return json.dumps(document(what))


def test_every_event_of_a_deploy_comes_back_from_its_line(deploy: Callable[[], Any]) -> None:
    given = list(deploy())
    assert [parse(line(one)) for one in given] == given


def test_a_failure_comes_back_from_its_line(failure: events.RolloutFailed) -> None:
    assert parse(line(failure)) == failure


def test_a_plan_comes_back_from_its_line(plan: Callable[..., Any]) -> None:
    assert parse(line(planned(plan()))) == planned(plan())


def test_the_line_that_ends_a_failed_command_is_no_event() -> None:
    assert parse('{"event": "Failed", "error": "ConfigError", "exit_code": 2}') is None


def test_containers_have_names_for_their_parts(failure: events.RolloutFailed) -> None:
    container = document(failure)["tasks"][0]["containers"][0]
    assert container == {"name": "app", "exit_code": 1, "reason": "", "health": "UNKNOWN"}


def test_seconds_are_rounded_to_milliseconds() -> None:
    assert document(events.Built(image="web", seconds=1.23456789))["seconds"] == 1.235


def test_the_documentation_names_every_event_and_every_field() -> None:
    text = DOCUMENTATION.read_text()
    kinds = [one for one in vars(events).values() if isinstance(one, type) and one.__module__ == events.__name__]
    for kind in kinds:
        if issubclass(kind, events.Event) and kind not in (events.Event, events.Standing):
            row = next((one for one in text.splitlines() if one.startswith(f"| `{kind.__name__}`")), "")
            fields = set(kind.__dataclass_fields__) - {"at"}
            assert row, f"{kind.__name__} is not in docs/output.md"
            assert fields <= set(re.findall(r"`(\w+)`", row)), kind
    for part in (events.Standing, Planned):
        assert set(part.__dataclass_fields__) <= set(re.findall(r"`(\w+)`", text))


def test_a_reader_that_goes_away_does_not_stop_the_writer() -> None:
    source = (
        "from deploylib.report.lines import write\nfor n in range(50_000):\n    write({'n': n})\nraise SystemExit(7)"
    )
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


def test_a_line_can_be_written_in_any_encoding(tmp_path: Path) -> None:
    with (tmp_path / "lines").open("w", encoding="ascii") as stream:
        write({"message": "größer"}, stream)
    assert json.loads((tmp_path / "lines").read_text()) == {"message": "größer"}
