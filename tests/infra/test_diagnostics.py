from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from deploylib.config import Account, App, Environment, Images, RoleImage
from deploylib.errors import RefusedError, TerraformError
from deploylib.infra.diagnostics import CommandError, Diagnostic, explain, lock, read
from tests.infra.stand_in import BOX

STG = Environment(
    name="stg",
    root=Path("/project"),
    app=App(name="shop", path="app"),
    account=Account(id="111111111111", region="ap-northeast-1", profile="shop-stg"),
    images=Images(roles={"web": RoleImage(dockerfile="Dockerfile")}),
)

# As Terraform 1.11 writes it to a pipe.
COLOURED = (
    "\x1b[31m╷\x1b[0m\x1b[0m\n"
    "\x1b[31m│\x1b[0m \x1b[0m\x1b[1m\x1b[31mError: \x1b[0m\x1b[0m\x1b[1mcreating IAM Role (x-one-a): refused\x1b[0m\n"
    "\x1b[31m│\x1b[0m \x1b[0m\n"
    "\x1b[31m│\x1b[0m \x1b[0m\x1b[0m  with aws_iam_role.task,\n"
    '\x1b[31m│\x1b[0m \x1b[0m  on main.tf line 3, in resource "aws_iam_role" "task":\n'
    "\x1b[31m╵\x1b[0m\x1b[0m\n"
)

LOCKED = """Error message: operation error S3: PutObject,
https response error StatusCode: 412, api error PreconditionFailed:
At least one of the pre-conditions you specified did not hold
Lock Info:
  ID:        6f9eca37-38cd-23ea-138f-85f49dfe121f
  Path:      probe-111111111111/x/one/terraform.tfstate
  Operation: OperationTypeApply
  Who:       root@vm
  Version:   1.11.4
  Created:   2026-11-21 02:46:15.731268296 +0000 UTC
  Info:"""


def failure(summary: str, detail: str = "", *, shown: bool = False) -> CommandError:
    return CommandError("plan", 1, BOX.format(summary=summary, detail=detail.replace("\n", "\n│ ")), shown=shown)


def test_a_diagnostic_is_read_without_its_box_and_colours() -> None:
    detail = '  with aws_iam_role.task,\n  on main.tf line 3, in resource "aws_iam_role" "task":'
    assert read(COLOURED) == (
        Diagnostic(severity="Error", summary="creating IAM Role (x-one-a): refused", detail=detail),
    )


def test_every_diagnostic_is_read_and_the_text_between_them_is_not() -> None:
    warning = BOX.format(summary="two", detail="").replace("Error", "Warning")
    found = read(f"Planning ...\n{BOX.format(summary='one', detail='x')}more\n{warning}end\n")
    assert [(one.severity, one.summary) for one in found] == [("Error", "one"), ("Warning", "two")]


def test_an_error_without_a_box_is_told_by_its_last_lines() -> None:
    error = CommandError("init", 1, "\n".join(f"line {number}" for number in range(100)), shown=False)
    assert str(error).endswith("line 98\nline 99")
    assert "line 59" not in str(error)


def test_an_error_that_was_shown_is_only_named() -> None:
    assert str(failure("creating it", "a long story", shown=True)) == (
        "terraform plan ended with exit code 1\n  creating it"
    )


def test_a_lock_tells_who_since_when_and_how_to_unlock() -> None:
    error = explain(failure("Error acquiring the state lock", LOCKED), STG)
    assert isinstance(error, RefusedError)
    assert str(error) == "stg: the state is locked by root@vm since 2026-11-21 02:46:15 UTC (operation: apply)"
    assert error.hint == (
        "wait for it; only when it is certain that nothing of root@vm runs any more: "
        "inv infra.unlock --env stg --lock 6f9eca37-38cd-23ea-138f-85f49dfe121f"
    )


def test_a_lock_that_could_not_be_released_is_no_guard() -> None:
    error = explain(failure("Error releasing the state lock", LOCKED), STG)
    assert isinstance(error, TerraformError)
    assert error.hint == "inv infra.unlock --env stg --lock 6f9eca37-38cd-23ea-138f-85f49dfe121f"


def test_text_without_a_lock_has_none() -> None:
    assert lock("ID: 5") is None


def test_the_wrong_account_is_refused() -> None:
    error = explain(failure("AWS account ID not allowed: 222222222222"), STG)
    assert isinstance(error, RefusedError)
    assert error.exit_code == 3
    assert "111111111111" in error.hint


@pytest.mark.parametrize(
    ("summary", "hint"),
    [
        ("No valid credential sources found", "aws sso login --profile shop-stg"),
        ("failed to get shared config profile, shop-stg", "aws configure sso --profile shop-stg"),
        ("Failed to query available provider packages", "DEPLOY_PROVIDER_MIRROR"),
        ("Unsupported Terraform Core version", "make setup"),
        ('Post "http://localhost:1/": dial tcp: connect: connection refused', "inv local.status"),
        ("api error AccessDenied: no", "the role of these credentials"),
        ("Failed to save state", "TF_DATA_DIR=/project/.cache/terraform/stg/data"),
        ('Backend initialization required, please run "terraform init"', "inv infra.init --env stg"),
    ],
)
def test_a_well_known_error_says_what_to_do(summary: str, hint: str) -> None:
    error = explain(failure(summary), STG)
    assert isinstance(error, TerraformError)
    assert hint in error.hint
    assert summary in str(error)


def test_an_unknown_error_has_no_hint() -> None:
    assert explain(failure("Invalid index"), STG).hint == ""


def test_ambient_credentials_have_no_profile_to_sign_in_to() -> None:
    ambient = replace(STG, account=replace(STG.account, profile=""))
    assert explain(failure("No valid credential sources found"), ambient).hint.endswith("aws sso login")


@pytest.mark.parametrize(
    ("summary", "detail", "wanted"),
    [
        ('Backend initialization required, please run "terraform init"', "", True),
        ("Module not installed", "", True),
        ("Required plugins are not installed", "", True),
        ("Failed to get existing workspaces", "api error NoSuchBucket: gone", True),
        ("Invalid index", "", False),
    ],
)
def test_what_init_mends_is_recognised(summary: str, detail: str, *, wanted: bool) -> None:
    assert failure(summary, detail).wants_init is wanted
