from __future__ import annotations

import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from deploylib.config import Account, App, Environment, Images, RoleImage
from deploylib.errors import RefusedError
from deploylib.infra import saved
from deploylib.infra.saved import Basis, Shelf
from deploylib.infra.state import Position

if TYPE_CHECKING:
    from pathlib import Path

NOON = 1_767_268_800.0  # 2026-01-01 12:00 UTC
MADE = Basis(
    environment="stg",
    account_id="111111111111",
    commit="a" * 40,
    configuration="c",
    serial=7,
    lineage="l",
    made_at=NOON,
)


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    (tmp_path / "terraform/stack").mkdir(parents=True)
    (tmp_path / "terraform/stack/main.tf").write_text("locals {}\n")
    return Environment(
        name="stg",
        root=tmp_path,
        app=App(name="shop", path="app"),
        account=Account(id="111111111111", region="ap-northeast-1"),
        images=Images(roles={"web": RoleImage(dockerfile="Dockerfile")}),
        terraform={"feature": "v1"},
    )


def test_a_plan_holds_as_long_as_nothing_moves() -> None:
    saved.check(MADE, replace(MADE, made_at=NOON + 23.9 * 3600))


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (replace(MADE, environment="prd"), "it is of stg"),
        (replace(MADE, account_id="2" * 12), "it is of account 111111111111, not 222222222222"),
        (replace(MADE, commit="b" * 40), "it is of commit aaaaaaaaaaaa, this is bbbbbbbbbbbb"),
        (replace(MADE, configuration="d"), "the Terraform code or its variables changed"),
        (replace(MADE, serial=8), r"the state moved on \(serial 7 then, 8 now\)"),
        (replace(MADE, lineage="m"), "the state is another one"),
        (replace(MADE, made_at=NOON + 30 * 3600), "it is 30 hours old, and 24 is the limit"),
    ],
)
def test_a_stale_plan_is_refused_with_the_reason(now: Basis, reason: str) -> None:
    with pytest.raises(RefusedError, match=f"the plan of 2026-01-01 12:00 UTC is stale: {reason}$") as caught:
        saved.check(MADE, now)
    assert caught.value.exit_code == 3
    assert caught.value.hint == f"inv infra.plan --env {now.environment}, then inv infra.apply --env {now.environment}"


def test_every_reason_is_told_at_once() -> None:
    with pytest.raises(RefusedError, match=r"commit .*; the Terraform code .*; the state moved on"):
        saved.check(MADE, replace(MADE, commit="b" * 40, configuration="d", serial=9))


def test_a_plan_of_no_state_yet_is_stale_once_there_is_one() -> None:
    with pytest.raises(RefusedError, match="serial 0 then, 1 now"):
        saved.check(replace(MADE, serial=0, lineage=""), replace(MADE, serial=1))


@pytest.mark.parametrize(
    ("file", "counts"),
    [
        ("stack/main.tf", True),
        ("modules/x/new.tf", True),
        ("stack/.terraform.lock.hcl", True),
        ("stack/policy.json", True),
        ("stack/.terraform/modules.json", False),
        ("modules/x/tests/x.tftest.hcl", False),
        ("../README.md", False),
    ],
)
def test_the_configuration_is_what_terraform_reads(environment: Environment, file: str, *, counts: bool) -> None:
    before = saved.configuration(environment)
    path = environment.root / "terraform" / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("changed")
    assert (saved.configuration(environment) != before) is counts


def test_the_configuration_has_the_variables_and_the_states_place(environment: Environment) -> None:
    before = saved.configuration(environment)
    assert saved.configuration(replace(environment, terraform={"feature": "v2"})) != before
    elsewhere = replace(environment, account=replace(environment.account, state_bucket="ours"))
    assert saved.configuration(elsewhere) != before


def test_a_plan_is_made_for_the_commit_that_is_checked_out(environment: Environment) -> None:
    assert saved.basis(environment, Position(), NOON).commit == ""
    git = ["git", "-C", str(environment.root), "-c", "user.name=T", "-c", "user.email=t@example.com"]
    for words in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "first"]):
        subprocess.run([*git, *words], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    assert saved.basis(environment, Position(serial=3, lineage="l"), NOON) == Basis(
        environment="stg",
        account_id="111111111111",
        commit=head,
        configuration=saved.configuration(environment),
        serial=3,
        lineage="l",
        made_at=NOON,
    )


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "saved")


def put(shelf: Shelf, folder: Path, text: str = "plan") -> None:
    (folder / "draft").write_text(text)
    (folder / "draft").chmod(0o600)
    shelf.put(folder / "draft", MADE)


def test_a_shelf_has_what_was_put_on_it_last(shelf: Shelf, tmp_path: Path) -> None:
    assert shelf.record() is None
    put(shelf, tmp_path, "first")
    put(shelf, tmp_path, "second")
    record = shelf.record()
    assert record
    assert record.basis == MADE
    assert shelf.plan.read_text() == "second"
    assert not (tmp_path / "draft").exists()


def test_nobody_else_can_read_what_is_on_it(shelf: Shelf, tmp_path: Path) -> None:
    put(shelf, tmp_path)
    assert shelf.plan.parent.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in shelf.plan.parent.iterdir()} == {0o600}


@pytest.mark.parametrize("file", ["plan.tfplan", "plan.json"])
@pytest.mark.parametrize("text", [None, "something else"])
def test_half_a_plan_is_none(shelf: Shelf, tmp_path: Path, file: str, text: str | None) -> None:
    put(shelf, tmp_path)
    path = shelf.plan.parent / file
    if text is None:
        path.unlink()
    else:
        path.write_text(text)
    assert shelf.record() is None


def test_a_cleared_shelf_has_no_secret_left(shelf: Shelf, tmp_path: Path) -> None:
    put(shelf, tmp_path)
    shelf.clear()
    assert list(shelf.plan.parent.iterdir()) == []
    shelf.clear()
