"""Every line that is written is as the published schema says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from deploylib.errors import OutdatedError
from deploylib.report import schema
from deploylib.report.documents import planned
from deploylib.report.lines import document
from tests.report.samples import every_kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploylib import events

ROOT = Path(__file__).parents[2]


def written(what: Any) -> Any:
    """Return the line of *what* as a reader has it."""
    return json.loads(json.dumps(document(what)))


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    found = schema.schema()
    jsonschema.Draft202012Validator.check_schema(found)
    return jsonschema.Draft202012Validator(found)


def test_the_published_schema_is_what_is_written() -> None:
    schema.check(ROOT)


def test_an_outdated_schema_is_told_with_the_command_that_renews_it(tmp_path: Path) -> None:
    with pytest.raises(OutdatedError) as outdated:
        schema.check(tmp_path)
    assert outdated.value.hint == "inv events.schema --write"
    (tmp_path / "docs").mkdir()
    schema.write(tmp_path)
    schema.check(tmp_path)


@pytest.mark.parametrize("event", every_kind(), ids=lambda event: type(event).__name__)
def test_every_event_is_as_the_schema_says(event: events.Event, validator: jsonschema.Draft202012Validator) -> None:
    validator.validate(written(event))


def test_every_deploy_and_plan_and_failure_is_as_the_schema_says(
    deploy: Callable[[], Any],
    failure: events.RolloutFailed,
    plan: Callable[..., Any],
    schedule: Callable[..., Any],
    validator: jsonschema.Draft202012Validator,
) -> None:
    for one in (*deploy(), failure, planned(plan(schedules=(schedule(),)))):
        validator.validate(written(one))
    validator.validate(
        {"event": "Failed", "error": "RefusedError", "exit_code": 3, "message": "m", "notes": [], "hint": ""}
    )


@pytest.mark.parametrize(
    "line",
    [
        {"event": "Invented"},
        {"event": "Drained", "at": 1.0, "service": "web"},
        {"event": "Drained", "at": 1.0, "service": "web", "seconds": "many"},
        {"at": 1.0},
    ],
)
def test_other_lines_are_not(line: dict[str, Any], validator: jsonschema.Draft202012Validator) -> None:
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(line)


def test_fields_that_a_later_version_adds_are_allowed(validator: jsonschema.Draft202012Validator) -> None:
    validator.validate({"event": "Drained", "at": 1.0, "service": "web", "seconds": 4.0, "later": True})
