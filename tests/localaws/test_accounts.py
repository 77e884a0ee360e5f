"""Environments as local accounts: which ones are, and what is said about each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deploylib import config
from deploylib.errors import ConfigError
from deploylib.localaws import accounts, instance

if TYPE_CHECKING:
    from pathlib import Path

    from tests.localaws.yard import Yard

COMMON = """
[app]
name = "shop"
path = "."

[images.roles.web]
dockerfile = "Dockerfile"
"""


def write(root: Path, name: str, *, profile: str = "", config_file: str = config.LOCAL_CONFIG) -> None:
    """Write an environment, and what they all share."""
    folder = root / "environments"
    folder.mkdir(exist_ok=True)
    (folder / "common.toml").write_text(COMMON)
    account = 'id = "000000000001"\nregion = "ap-northeast-1"'
    rest = f'profile = "{profile}"\nconfig_file = "{config_file}"'
    (folder / f"{name}.toml").write_text(f"[account]\n{account}\n{rest}\n")


def test_the_file_that_makes_an_environment_local_is_the_one_that_is_written(tmp_path: Path) -> None:
    assert instance.config_file(tmp_path) == tmp_path / config.LOCAL_CONFIG


def test_an_environment_of_a_real_account_is_refused_with_those_that_are_not(tmp_path: Path) -> None:
    write(tmp_path, "prd", profile="shop-prd", config_file="")
    write(tmp_path, "near", profile="near")
    write(tmp_path, "other", profile="other")

    with pytest.raises(ConfigError, match="environment prd is no local AWS") as refused:
        accounts.load(tmp_path, "prd")

    assert refused.value.exit_code == 2
    assert refused.value.hint == "inv local.up --env near or inv local.up --env other"


def test_a_local_environment_needs_a_profile(tmp_path: Path) -> None:
    write(tmp_path, "near")

    with pytest.raises(ConfigError, match=r"near has no account\.profile") as refused:
        accounts.load(tmp_path, "near")

    assert refused.value.hint == "set account.profile in environments/near.toml"


def test_every_local_aws_is_shown_with_the_way_to_start_it(yard: Yard) -> None:
    write(yard.checkout, "real", profile="shop-prd", config_file="")
    write(yard.checkout, "near", profile="one")
    write(yard.checkout, "far", profile="two")

    shown = accounts.render(yard.checkout)

    assert shown.splitlines() == [
        "the local AWS 'two' is not there",
        "  next: inv local.up --env far",
        "the local AWS 'one' is not there",
        "  next: inv local.up --env near",
    ]
    assert accounts.render(yard.checkout, "near") == "\n".join(shown.splitlines()[2:])


def test_one_whose_environment_was_deleted_is_shown_too(yard: Yard) -> None:
    write(yard.checkout, "real", profile="shop-prd", config_file="")
    yard.up("gone")

    assert accounts.render(yard.checkout).startswith("the local AWS 'gone' runs: http://127.0.0.1:")


def test_without_any_local_environment_that_is_said(tmp_path: Path) -> None:
    write(tmp_path, "real", profile="shop-prd", config_file="")

    assert accounts.render(tmp_path) == "no environment here is a local AWS"
