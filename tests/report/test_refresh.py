"""A refresh, shown: what restarts and why, for a person and for a machine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from deploylib import events
from deploylib.report import board, documents, lines, sentences
from deploylib.report.plans import plan as show_plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploylib.plan import Plan, ServicePlan
    from tests.report.conftest import Screen

REASON = "TOKEN changed since its tasks started"


def refresh(plan: Callable[..., Plan], service: Callable[..., ServicePlan]) -> Plan:
    services = (
        service("web", action="restart", reason=REASON),
        service("job", action="unchanged", reason="as they are"),
    )
    return plan(images=(), migration=None, release="", services=services)


def test_a_refresh_is_shown_as_services_to_restart(
    plan: Callable[..., Plan], service: Callable[..., ServicePlan], screen: Callable[..., Screen]
) -> None:
    shown = screen()
    show_plan(refresh(plan, service), console=shown.console)
    assert f"  web  restart  {REASON}" in shown.lines
    assert "Plan: 1 service to restart" in shown.lines
    assert "Images" not in shown.text


def test_a_refresh_is_a_plan_for_a_machine_too(plan: Callable[..., Plan], service: Callable[..., ServicePlan]) -> None:
    planned = documents.planned(refresh(plan, service))
    document = lines.document(planned)
    assert [(one["service"], one["action"]) for one in document["services"]] == [
        ("web", "restart"),
        ("job", "unchanged"),
    ]
    assert lines.parse(json.dumps(document)) == planned


def test_the_end_of_a_refresh_says_that_nothing_was_released() -> None:
    done = events.Completed(seconds=12.0, calls=9, services=("web",), restarted=True)
    assert sentences.sentence(done) == "restarted in 12 s, 9 calls to AWS"
    assert board.after(done, board.Board()).closing == ("Restarted in 12 s, 9 calls to AWS",)
