"""Environments: merged, validated once, every mistake with its file and key."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploylib import config
from deploylib.config import files
from deploylib.errors import ConfigError

CASES: list[dict[str, Any]] = tomllib.loads((Path(__file__).parent / "cases/config.toml").read_text())["case"]
PROJECT = Path(__file__).parents[1]

COMMON = """
[app]
name = "guestbook"
path = "app"
[account]
region = "ap-northeast-1"
[images.roles.web]
dockerfile = "Dockerfile"
build_args = { A = "common", B = "common" }
[rollout]
timeout_seconds = 900
"""
STG = """
[account]
id = "111111111111"
"""


def project(root: Path, *, common: str = COMMON, **environments: str) -> Path:
    """Write a project with these environments; each value is the text of its file."""
    (root / "app").mkdir()
    (root / config.DIRECTORY).mkdir()
    for stem, text in {"common": common, **environments}.items():
        (root / config.DIRECTORY / f"{stem}.toml").write_text(text)
    return root


def stack(root: Path, text: str) -> None:
    (root / config.STACK).mkdir(parents=True)
    (root / config.STACK / "variables.tf").write_text(text)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_every_mistake_is_told_with_file_and_key(case: dict[str, Any], tmp_path: Path) -> None:
    root = project(tmp_path, common=case.get("common", COMMON), stg=case["stg"])
    with pytest.raises(ConfigError) as refused:
        config.load(root, "stg", variables={})
    first, *lines = str(refused.value).splitlines()
    assert first == f"{len(lines)} mistake{'s' * (len(lines) != 1)} in the configuration"
    assert len(lines) == len(case["mistakes"]), lines
    for file, key, problem in case["mistakes"]:
        start = f"  {file}: {key}: " if key else f"  {file}: "
        found = [line for line in lines if line.startswith(start)]
        assert len(found) == 1, (start, lines)
        assert problem in found[0]
    assert refused.value.exit_code == 2
    assert refused.value.hint == "correct the file, then inv env.validate"


def test_validate_reports_every_environment_and_a_common_mistake_once(tmp_path: Path) -> None:
    root = project(tmp_path, common="colour = 1\n" + COMMON, stg=STG, prd='[account]\nid = "2"\n')
    with pytest.raises(ConfigError) as refused:
        config.validate(root)
    found = [line.strip().split(": ")[:2] for line in str(refused.value).splitlines()[1:]]
    assert sorted(found) == [["environments/common.toml", "colour"], ["environments/prd.toml", "account.id"]]


def test_a_default_environment_that_cannot_be_read_is_told_as_such(tmp_path: Path) -> None:
    root = project(tmp_path, stg=STG, local="default = true\nx = = 1\n")
    with pytest.raises(ConfigError, match=r"environments/local\.toml: not TOML"):
        config.load(root, variables={})


def test_validate_of_one_environment_leaves_the_others_alone(tmp_path: Path) -> None:
    root = project(tmp_path, stg=STG, prd="[account]\nid = 3\n")
    config.validate(root, "stg")
    with pytest.raises(ConfigError, match=r"prd\.toml"):
        config.validate(root, "prd")


def test_the_project_s_own_environments_are_sound() -> None:
    config.validate(PROJECT)
    assert set(config.names(PROJECT)) == {"local", "stg", "prd"}


def test_an_environment_s_own_file_wins_key_by_key(tmp_path: Path) -> None:
    own = STG + '[images.roles.web.build_args]\nA = "own"\n[rollout]\nfailed_tasks = 3\n'
    environment = config.load(project(tmp_path, stg=own), "stg", variables={})
    assert environment.images.roles["web"].build_args == {"A": "own", "B": "common"}
    assert environment.images.roles["web"].dockerfile == "Dockerfile"
    assert environment.rollout == config.Rollout(timeout_seconds=900, failed_tasks=3)
    assert environment.name == "stg"


def test_a_list_is_replaced_as_a_whole(tmp_path: Path) -> None:
    common = COMMON + '[migration]\nservice = "web"\ncontainer = "app"\ncommand = ["alembic", "upgrade", "head"]\n'
    root = project(tmp_path, common=common, stg=STG + '[migration]\ncommand = ["migrate"]\n')
    migration = config.load(root, "stg", variables={}).migration
    assert migration is not None
    assert (migration.service, migration.command) == ("web", ("migrate",))


def test_what_follows_from_the_names_follows(tmp_path: Path) -> None:
    root = project(tmp_path, stg=STG + "[terraform]\nlog_retention_days = 3\n")
    environment = config.load(root, "stg", variables={})
    assert environment.context == root / "app"
    assert environment.contract_parameter == "/guestbook/stg/contract"
    assert environment.state_bucket == "guestbook-terraform-111111111111"
    assert environment.terraform_variables == {
        "app": "guestbook",
        "environment": "stg",
        "account_id": "111111111111",
        "region": "ap-northeast-1",
        "log_retention_days": 3,
    }


def test_the_state_bucket_can_be_named(tmp_path: Path) -> None:
    root = project(tmp_path, stg=STG + 'state_bucket = "ours"\n')
    assert config.load(root, "stg", variables={}).state_bucket == "ours"


# Which environment


def test_the_one_that_is_named_wins_over_deploy_env_and_that_over_the_default(tmp_path: Path) -> None:
    root = project(tmp_path, local="default = true\n" + STG, stg=STG, prd=STG)
    assert config.load(root, "prd", variables={"DEPLOY_ENV": "stg"}).name == "prd"
    assert config.load(root, variables={"DEPLOY_ENV": "stg"}).name == "stg"
    assert config.load(root, variables={"DEPLOY_ENV": ""}).name == "local"


def test_the_only_environment_is_the_default_one(tmp_path: Path) -> None:
    assert config.load(project(tmp_path, stg=STG), variables={}).name == "stg"


@pytest.mark.parametrize("first", ["", "default = true\n"])
def test_without_one_sensible_default_the_existing_ones_are_told(first: str, tmp_path: Path) -> None:
    root = project(tmp_path, stg=first + STG, prd=first + STG)
    with pytest.raises(ConfigError, match=r"which environment.*prd, stg") as refused:
        config.load(root, variables={})
    assert refused.value.hint == "add --env prd"


@pytest.mark.parametrize("name", ["prod", "common", "../stg", "STG"])
def test_an_unknown_environment_is_told_with_those_that_exist(name: str, tmp_path: Path) -> None:
    root = project(tmp_path, stg=STG, prd=STG)
    for arguments in ({"name": name}, {"variables": {"DEPLOY_ENV": name}}):
        with pytest.raises(ConfigError, match="there are prd, stg") as refused:
            config.load(root, **arguments)
        assert repr(name) in str(refused.value)
    with pytest.raises(ConfigError):
        config.validate(root, name)
    with pytest.raises(ConfigError):
        config.origins(root, name)


def test_a_project_without_environments_is_told_what_to_write(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        config.load(tmp_path, variables={})
    assert refused.value.hint == "write environments/local.toml"


def test_a_project_without_a_common_file_is_fine(tmp_path: Path) -> None:
    root = project(tmp_path, stg=COMMON.replace("[account]", '[account]\nid = "111111111111"'))
    (root / "environments/common.toml").unlink()
    assert config.load(root, variables={}).app.name == "guestbook"


def test_an_environment_cannot_be_called_auto(tmp_path: Path) -> None:
    root = project(tmp_path, auto=STG)
    with pytest.raises(ConfigError, match=r"environments/auto\.toml: name: means the environment of the branch"):
        config.load(root, "auto", variables={})


# Branches, which are read before it is known which environment is meant


def test_the_branches_are_those_of_the_common_file_whatever_else_is_wrong(tmp_path: Path) -> None:
    table = '[branches]\nmain = "stg"\n"deployment/*" = "*"\n'
    root = project(tmp_path, common=COMMON + table, stg="account = 3\n")
    assert config.branches(root) == {"main": "stg", "deployment/*": "*"}
    (root / "environments/common.toml").unlink()
    assert config.branches(root) == {}


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ('[branches]\nmain = "prd"\n', "environments/common.toml: branches.main: no environment 'prd'"),
        ('[branches]\nmain = "St g"\n', "environments/common.toml: branches.main: should be the name of an environ"),
        ("[branches]\nmain = 3\n", "environments/common.toml: branches.main: input should be a valid string"),
        ("branches = 3\n", "environments/common.toml: branches: should be a table"),
        ("[branches\n", "environments/common.toml: not TOML"),
    ],
)
def test_a_mistake_in_the_branches_is_told_with_its_key(text: str, mistake: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=re.escape(mistake)):
        config.branches(project(tmp_path, common=text, stg=STG))


# Terraform


def test_a_variable_that_the_stack_does_not_have_is_a_mistake(tmp_path: Path) -> None:
    root = project(tmp_path, stg=STG + '[terraform]\nregion = "x"\nzones = 3\nnetwork = {}\n')
    stack(root, 'variable "network" {\n}\nvariable "region" {\n}\n# variable "zones" {}\n')
    with pytest.raises(ConfigError) as refused:
        config.load(root, variables={})
    lines = str(refused.value).splitlines()[1:]
    assert sorted(line.split(": ")[1] for line in lines) == ["terraform.region", "terraform.zones"]


# Origins


def test_origins_name_the_file_of_each_key(tmp_path: Path) -> None:
    root = project(tmp_path, stg=STG + "[rollout]\ntimeout_seconds = 5\n")
    found = config.origins(root, "stg")
    assert found["rollout.timeout_seconds"] == (5, "environments/stg.toml")
    assert found["account.id"] == ("111111111111", "environments/stg.toml")
    assert found["account.region"] == ("ap-northeast-1", "environments/common.toml")
    assert found["images.roles.web.build_args.A"] == ("common", "environments/common.toml")
    assert list(found) == sorted(found)


# Merging, for whatever tables

TABLES = st.recursive(
    st.dictionaries(st.sampled_from("abc"), st.integers(0, 3), max_size=3),
    lambda tables: st.dictionaries(st.sampled_from("abc"), tables | st.integers(0, 3), max_size=3),
    max_leaves=8,
)


@given(common=TABLES, own=TABLES)
def test_every_value_of_a_merger_is_the_own_one_or_else_the_common_one(
    common: dict[str, Any], own: dict[str, Any]
) -> None:
    merged = files.laid_over(common, own)
    assert set(merged) == set(common) | set(own)
    for key, value in merged.items():
        if isinstance(common.get(key), dict) and isinstance(own.get(key), dict):
            assert value == files.laid_over(common[key], own[key])
        else:
            assert value == (own[key] if key in own else common[key])


@given(table=TABLES)
def test_nothing_laid_over_a_table_or_under_it_leaves_it_as_it_is(table: dict[str, Any]) -> None:
    assert files.laid_over(table, {}) == files.laid_over({}, table) == files.laid_over(table, table) == table


# What Terraform would refuse, or drop without a word

STACK = """
variable "region" { type = string }
variable "services" {
  type = map(object({
    desired_count = optional(number, 1)
    zones         = optional(list(object({ name = string })), [])
  }))
}
variable "database" {
  type    = object({ engine_version = string })
  default = null
}
"""


def mistakes(root: Path) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        config.load(root, variables={})
    return [line.strip() for line in str(refused.value).splitlines()[1:]]


def test_what_terraform_would_drop_or_refuse_is_told_all_at_once_with_file_and_key(tmp_path: Path) -> None:
    shared = (
        '[terraform.services.web]\ndesierd_count = 2\nzones = [{ name = "a" }, { nmae = "b" }]\n[terraform.database]\n'
    )
    own = '[terraform]\ndatabsae = {}\n[terraform.services.job]\ndesired_count = "many"\n'
    root = project(tmp_path, common=COMMON + shared, stg=STG + own)
    stack(root, STACK)
    assert mistakes(root) == [
        "environments/stg.toml: terraform.databsae: no variable 'databsae' in terraform/stack; did you mean database?",
        "environments/common.toml: terraform.services.web.desierd_count: unknown key; did you mean desired_count?",
        "environments/common.toml: terraform.services.web.zones.1.nmae: unknown key; did you mean name?",
        "environments/common.toml: terraform.services.web.zones.1.name: is missing",
        "environments/stg.toml: terraform.services.job.desired_count: should be a number (it is 'many')",
        "environments/stg.toml: terraform.database.engine_version: is missing",
    ]


def test_what_terraform_converts_is_no_mistake(tmp_path: Path) -> None:
    own = '[terraform.services.web]\ndesired_count = "2"\n[terraform.database]\nengine_version = 15\n'
    root = project(tmp_path, stg=STG + own)
    stack(root, STACK)
    assert config.load(root, variables={}).terraform["database"] == {"engine_version": 15}


def test_a_variable_without_a_default_has_to_be_set_unless_a_file_of_values_may_do_so(tmp_path: Path) -> None:
    root = project(tmp_path, stg=STG)
    stack(root, STACK)
    assert mistakes(root) == ["environments/stg.toml: terraform.services: is missing"]
    (root / config.STACK / "ours.auto.tfvars").write_text("services = {}\n")
    assert config.load(root, variables={}).terraform == {}


def test_variables_that_are_not_understood_block_nobody_but_a_wrong_name(tmp_path: Path) -> None:
    root = project(tmp_path, stg=STG + "[terraform]\nservices = 3\nnew = 1\n")
    stack(root, STACK + 'variable "new" {\n  type = object({{\n')
    assert config.load(root, variables={}).terraform == {"services": 3, "new": 1}
    (root / "environments/stg.toml").write_text(STG + "[terraform]\nnwe = 1\n")
    assert mistakes(root) == [
        "environments/stg.toml: terraform.nwe: no variable 'nwe' in terraform/stack; did you mean new?"
    ]
