from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from deploylib import report

if TYPE_CHECKING:
    from collections.abc import Callable

COLUMNS = ("environment", "default", "services")


def test_values_are_written_as_a_person_does(screen: Callable[..., Any]) -> None:
    page = screen()
    report.table("Environments", COLUMNS, (("local", True, ("web", "job")), ("stg", False, None)), console=page.console)
    words = [line.split() for line in page.lines]
    assert ["Environments"] in words
    assert ["environment", "default", "services"] in words
    assert ["local", "yes", "web,", "job"] in words
    assert ["stg", "no", "-"] in words


def test_a_table_as_json_is_a_list_of_objects(screen: Callable[..., Any]) -> None:
    page = screen()
    report.table("x", COLUMNS, (("local", True, ("web",)),), output="json", console=page.console)
    assert json.loads(page.text) == [{"environment": "local", "default": True, "services": ["web"]}]


def test_a_table_without_rows_still_has_its_columns(screen: Callable[..., Any]) -> None:
    page = screen()
    report.table("Environments", COLUMNS, (), console=page.console)
    assert ["environment", "default", "services"] in [line.split() for line in page.lines]


@pytest.mark.parametrize("width", [80, 100])
@pytest.mark.parametrize("terminal", [True, False])
def test_the_widest_columns_give_way(
    width: int,
    terminal: bool,  # noqa: FBT001  # a parameter of the case
    screen: Callable[..., Any],
) -> None:
    page = screen(width=width, terminal=terminal)
    rows = (("app.name", "guestbook" * 30, "environments/common.toml"), ("漢字" * 60, {"a": ["b" * 90]}, "x"))
    report.table("stg", ("key", "value", "file"), rows, console=page.console)
    assert page.widest <= width
    assert "environments/common.toml" in page.text
