from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from rich.cells import cell_len

from deploylib import report
from deploylib.infra.changes import Action, Change, Changes, Danger, Difference, Drift, Mark, read_changes
from deploylib.report.infrastructure import to_json

if TYPE_CHECKING:
    from collections.abc import Callable

CASES = Path(__file__).parents[1] / "infra" / "cases"


def recorded(name: str) -> Changes:
    return read_changes(json.loads((CASES / f"{name}.json").read_text())["plan"])


@pytest.fixture
def shown(screen: Callable[..., Any]) -> Callable[..., list[str]]:
    """Return the lines of the page, without blanks at their ends."""

    def show(changes: Changes, width: int = 100) -> list[str]:
        page = screen(width=width)
        report.changes(changes, console=page.console)
        return [line for line in page.lines if line]

    return show


def changed(*differences: Difference, **fields: Any) -> Changes:
    fields = {"address": "aws_thing.this", "type": "aws_thing", "action": Action.UPDATE} | fields
    return Changes(changes=(Change(differences=differences, **fields),))


def test_one_changed_variable_of_a_container_is_one_line(shown: Callable[..., list[str]]) -> None:
    assert shown(recorded("environment_variable")) == [
        '  ± replace module.service["web"].aws_ecs_task_definition.template',
        "      cannot be changed in place: container_definitions",
        "      ~ container_definitions.web.environment.FEATURE  v1 → v9  forces replacement",
        '  ~ change  module.service["web"].aws_ssm_parameter.template',
        "      ~ insecure_value  arn:aws:ecs:ap-northeast-1:11111111…hop-web-template:1 → (known after apply)",
        "Plan: 0 to create, 1 to change, 1 to replace, 0 to delete",
    ]


def test_what_holds_data_or_serves_is_shouted(shown: Callable[..., list[str]]) -> None:
    lines = shown(recorded("destroy"))
    assert "  - delete  aws_s3_bucket.files[0]  !! HOLDS DATA" in lines
    assert '  - delete  module.service["web"].aws_ecs_service.this  !! IS SERVING' in lines
    assert lines[-1] == "Plan: 0 to create, 0 to change, 0 to replace, 10 to delete, 2 outputs"


def test_what_was_changed_by_hand_is_told(shown: Callable[..., list[str]]) -> None:
    lines = shown(recorded("drifted"))
    at = lines.index("Changed outside Terraform")
    assert lines[at + 1 : -1] == [
        "    aws_cloudwatch_log_group.old",
        "      ~ retention_in_days  7 → 90",
        "    aws_s3_bucket.files[1]  (deleted)",
    ]


def test_drift_alone_is_nothing_to_change(shown: Callable[..., list[str]]) -> None:
    assert shown(Changes(drift=(Drift(address="a.b"),))) == [
        "Nothing to change: the infrastructure is what the code says"
    ]


def test_a_secret_that_changes_is_said_and_not_shown(shown: Callable[..., list[str]]) -> None:
    assert "      ~ value  (sensitive) changed" in shown(recorded("sensitive"))


def test_a_move_says_from_where(shown: Callable[..., list[str]]) -> None:
    lines = shown(recorded("moved"))
    assert lines[0] == "  > move    aws_cloudwatch_log_group.web  was aws_cloudwatch_log_group.old"
    assert lines[-1].endswith("1 to move")


def test_an_added_and_a_removed_value_have_no_arrow(shown: Callable[..., list[str]]) -> None:
    lines = shown(recorded("policy_and_blocks"))
    assert "      + tags.owner  me" in lines
    assert "      - tags.team  shop" in lines


def test_long_values_are_cut_around_the_place_where_they_part(shown: Callable[..., list[str]]) -> None:
    common = "x" * 300
    lines = shown(changed(Difference(path="a", before=f"{common}old", after=f"{common}new")))
    assert lines[2].startswith("          - …")
    assert lines[2].endswith("old")
    assert lines[3].endswith("new")


@pytest.mark.parametrize("width", [60, 80, 100])
@pytest.mark.parametrize("case", sorted(CASES.glob("*.json")), ids=lambda case: case.stem)
def test_no_line_is_wider_than_the_page(shown: Callable[..., list[str]], case: Path, width: int) -> None:
    assert max(cell_len(line) for line in shown(recorded(case.stem), width)) <= width


def test_a_warning_of_terraform_is_passed_on(shown: Callable[..., list[str]]) -> None:
    assert shown(Changes(warnings=("Warning: Deprecated\n\nuse another",)))[:2] == [
        "! Warning: Deprecated",
        "use another",
    ]


def test_escape_sequences_in_values_do_not_reach_the_terminal(screen: Callable[..., Any]) -> None:
    page = screen()
    report.changes(changed(Difference(path="a", before="\x1b[2Jx", after="y\rz")), console=page.console)
    assert "\x1b" not in page.file.getvalue()
    assert "\r" not in page.file.getvalue()


def test_a_machine_gets_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    report.changes(recorded("sensitive"), output="json")
    (line,) = capsys.readouterr().out.splitlines()
    document = json.loads(line)
    assert document["event"] == "InfrastructurePlanned"
    assert document["nothing_to_do"] is False
    assert document["counts"]["change"] == 1
    assert document["changes"][0]["differences"] == [
        {"path": "value", "before": "(sensitive)", "after": "(sensitive)", "forces": False}
    ]


def test_the_document_keeps_values_as_they_are() -> None:
    changes = changed(
        Difference(path="a", before=Mark.ABSENT, after={"b": [1, Mark.SENSITIVE]}),
        Difference(path="c", before=1, after=Mark.UNKNOWN, forces=True),
        action=Action.REPLACE,
        dangers=(Danger.DATA,),
    )
    (change,) = to_json(changes)["changes"]
    assert change["dangers"] == ["holds data"]
    assert [(one["before"], one["after"], one["forces"]) for one in change["differences"]] == [
        (None, {"b": [1, "(sensitive)"]}, False),
        (1, "(known after apply)", True),
    ]


def test_nothing_to_do_is_said_to_a_machine() -> None:
    assert to_json(recorded("nothing"))["nothing_to_do"] is True


def test_a_long_path_is_whole_when_its_values_leave_it_room(shown: Callable[..., list[str]]) -> None:
    path = "container_definitions.app.environment.SOME_FEATURE"
    assert shown(changed(Difference(path=path, before="v9", after="v10")), 80)[1] == f"      ~ {path}  v9 → v10"
