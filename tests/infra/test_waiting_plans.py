from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from deploylib.config import STACK
from deploylib.errors import RefusedError
from deploylib.infra.stack import Stack
from tests.fakes.clock import FakeClock
from tests.infra.bench import CHANGED, Bench, shown
from tests.infra.stand_in import error

if TYPE_CHECKING:
    from collections.abc import Callable


def keep(bench: Bench, case: str = "moved") -> None:
    """Plan, and let the plan wait."""
    bench.stand_in.answer(plan=[CHANGED], show=[shown(case)])
    stack = bench.open()
    with stack.plan() as plan:
        plan.file.write_text("secret")
        stack.keep(plan)


def write_state(bench: Bench, serial: int, lineage: str = "l") -> None:
    """Write the state as another run of Terraform would."""
    state = json.dumps({"version": 4, "serial": serial, "lineage": lineage})
    key = f"shop/{bench.environment.name}/terraform.tfstate"
    bench.account.s3.put_object(Bucket=bench.environment.state_bucket, Key=key, Body=state)


def test_a_plan_that_is_kept_waits_and_only_we_can_read_it(bench: Bench) -> None:
    keep(bench)
    basis = bench.open().waiting
    assert basis
    assert (basis.environment, basis.account_id, basis.serial) == ("stg", "123456789012", 0)
    folder = bench.cache / "saved"
    assert {path.stat().st_mode & 0o777 for path in (folder, *folder.iterdir())} == {0o700, 0o600}
    assert bench.plans == []


def test_the_plan_that_waits_is_shown_again_and_applied_without_another_plan(bench: Bench) -> None:
    keep(bench)
    stack = bench.open()
    with stack.ready() as plan:
        assert plan.kept
        assert [str(one.action) for one in plan.changes.changes] == ["move"]
        stack.apply(plan)
    assert bench.stand_in.commands == ["init", "plan", "show", "show", "apply"]
    assert bench.open().waiting is None
    assert list((bench.cache / "saved").iterdir()) == []


def test_a_plan_that_is_not_confirmed_goes_on_waiting(bench: Bench) -> None:
    keep(bench)
    with pytest.raises(RefusedError), bench.open().ready():
        raise RefusedError("not confirmed")
    assert bench.open().waiting


def test_without_a_plan_that_waits_a_new_one_is_made(bench: Bench) -> None:
    with bench.open().ready() as plan:
        assert not plan.kept
    assert bench.stand_in.commands == ["init", "plan"]


def test_anew_leaves_the_plan_that_waits_alone_until_another_one_is_applied(bench: Bench) -> None:
    keep(bench)
    stack = bench.open()
    with stack.ready(anew=True) as plan:
        assert not plan.kept
        assert stack.waiting
        stack.apply(plan)
    assert stack.waiting is None


def test_a_newer_plan_takes_the_place_of_the_one_that_waits(bench: Bench) -> None:
    keep(bench)
    write_state(bench, 4)
    keep(bench)
    basis = bench.open().waiting
    assert basis
    assert basis.serial == 4


def test_a_newer_plan_without_changes_takes_it_away(bench: Bench) -> None:
    keep(bench)
    bench.stand_in.answer(plan=[{}])
    stack = bench.open()
    with stack.plan() as plan:
        stack.keep(plan)
    assert stack.waiting is None


def test_a_plan_to_destroy_is_never_kept(bench: Bench) -> None:
    bench.stand_in.answer(plan=[CHANGED], show=[shown("destroy")])
    stack = bench.open()
    with stack.plan(destroy=True) as plan:
        stack.keep(plan)
    assert stack.waiting is None


def test_a_plan_is_refused_before_anything_is_started_when_the_state_moved_on(bench: Bench) -> None:
    bench.open().init()
    write_state(bench, 4)
    keep(bench)
    write_state(bench, 5)
    before = bench.stand_in.commands
    with pytest.raises(RefusedError, match=r"stale: the state moved on \(serial 4 then, 5 now\)"), bench.open().ready():
        pytest.fail("it is stale")
    assert bench.stand_in.commands == before
    assert bench.open().waiting, "the refusal holds until somebody plans anew"


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda bench: (bench.environment.root / STACK / "more.tf").write_text("locals {}"), "code or its variables"),
        (lambda bench: write_state(bench, 4, "other"), "the state is another one"),
    ],
)
def test_a_plan_is_refused_when_what_it_was_made_for_changed(
    bench: Bench, edit: Callable[[Bench], object], reason: str
) -> None:
    bench.open().init()
    write_state(bench, 4)
    keep(bench)
    edit(bench)
    with pytest.raises(RefusedError, match=reason), bench.open().ready():
        pytest.fail("it is stale")


def test_a_plan_is_refused_when_it_is_old(bench: Bench) -> None:
    bench.stand_in.answer(plan=[CHANGED], show=[shown("moved")])
    clock, program = FakeClock(), bench.stand_in.program
    variables = {**bench.stand_in.variables, "PATH": os.environ["PATH"]}
    stack = Stack(bench.environment, bench.account, program=program, variables=variables, line=print, clock=clock)
    with stack.plan() as plan:
        stack.keep(plan)
    clock.advance(25 * 3600)
    with pytest.raises(RefusedError, match="25 hours old"), stack.ready():
        pytest.fail("it is stale")


def test_terraforms_own_word_that_a_plan_is_stale_is_a_refusal_too(bench: Bench) -> None:
    keep(bench)
    bench.stand_in.answer(show=[shown("moved")], apply=[error("Saved plan is stale")])
    stack = bench.open()
    with pytest.raises(RefusedError, match="the state moved on") as caught, stack.ready() as plan:
        stack.apply(plan)
    assert caught.value.exit_code == 3
    assert "inv infra.plan --env stg" in caught.value.hint


def test_drift_is_asked_for_without_what_the_code_would_change(bench: Bench) -> None:
    bench.stand_in.answer(plan=[CHANGED], show=[shown("drifted")])
    with bench.open().plan(refresh_only=True) as found:
        assert found.changes.drift
    assert "-refresh-only" in bench.stand_in.calls[1]["argv"]
