"""Every way that a rollout goes, as data in `cases/`: the complaints about other tools by their numbers, and more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.rollout import scenario

if TYPE_CHECKING:
    from tests.rollout.scenario import Case


@pytest.mark.parametrize("case", [pytest.param(one, id=one["name"]) for one in scenario.cases()])
def test_a_rollout_ends_as_its_case_says(case: Case) -> None:
    scenario.play(case)
