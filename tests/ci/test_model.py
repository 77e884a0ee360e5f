"""What a pipeline does, from the configuration alone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from deploylib import branches, ci
from deploylib.errors import ConfigError
from tests.ci import shop

if TYPE_CHECKING:
    from pathlib import Path


def deploys(root: Path, table: str) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """Return which patterns go to which environment, and which do not, with *table* as `[branches]`."""
    head, rest = shop.COMMON.split("[branches]")[0], shop.COMMON.split("[images", 1)[1]
    made = ci.pipeline(shop.environments(root, common=f"{head}[branches]\n{table}\n[images{rest}"))
    return {one.environment: (one.only, one.never) for one in made.deploys}


def test_environments_of_the_branches_are_deployed_and_none_of_a_machine(tmp_path: Path) -> None:
    made = ci.pipeline(shop.environments(tmp_path))
    assert [(one.environment, one.only) for one in made.deploys] == [
        ("stg", ("master", "deployment/stg")),
        ("prd", ("release", "deployment/prd")),
    ]


def test_a_local_environment_that_is_named_is_deployed(tmp_path: Path) -> None:
    assert deploys(tmp_path, 'main = "local"') == {"local": (("main",), ())}


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ('"**" = "stg"\nrelease = "prd"', {"stg": (("**",), ("release",)), "prd": (("release",), ())}),
        (
            '"feature/**" = "stg"\n"feature/live-*" = "prd"',
            {"stg": (("feature/**",), ("feature/live-*",)), "prd": (("feature/live-*",), ())},
        ),
        ('"feature/*" = "stg"\nrelease = "prd"', {"stg": (("feature/*",), ()), "prd": (("release",), ())}),
        (
            '"*" = "stg"\n"deployment/*" = "*"',
            {"stg": (("*", "deployment/stg"), ()), "prd": (("deployment/prd",), ())},
        ),
    ],
)
def test_the_closer_pattern_takes_its_branches_from_the_wider_one(
    table: str, expected: dict[str, Any], tmp_path: Path
) -> None:
    assert deploys(tmp_path, table) == expected


@pytest.mark.parametrize(
    "branch", ["main", "release", "deployment/prd", "deployment/stg", "feature/a", "live-7", "a/b/c"]
)
def test_a_branch_is_deployed_by_the_job_of_its_environment_alone(branch: str, tmp_path: Path) -> None:
    table = {"**": "stg", "release": "prd", "live-*": "prd", "deployment/*": "*"}
    found = deploys(tmp_path, "\n".join(f'"{key}" = "{value}"' for key, value in table.items()))

    def matches(patterns: tuple[str, ...]) -> bool:
        return any(re.fullmatch(branches.expression(one), branch) for one in patterns)

    runs = [name for name, (only, never) in found.items() if matches(only) and not matches(never)]
    assert runs == [branches.environment_of(table, branch)]


def test_a_protected_environment_waits_for_a_person_and_is_confirmed(tmp_path: Path) -> None:
    stg, prd = ci.pipeline(shop.environments(tmp_path)).deploys
    assert (stg.gated, prd.gated) == (False, True)
    assert "--yes --confirm prd " in prd.script[-1]
    assert "--confirm" not in stg.script[-1]


def test_images_that_come_from_elsewhere_are_not_built(tmp_path: Path) -> None:
    stg, prd = ci.pipeline(shop.environments(tmp_path)).deploys
    assert (bool(stg.image_tests), bool(prd.image_tests)) == (True, False)


def test_a_promotion_signs_in_to_both_accounts(tmp_path: Path) -> None:
    stg, prd = ci.pipeline(shop.environments(tmp_path)).deploys
    assert (stg.tokens, stg.keys) == (("STG_TOKEN",), ())
    assert (prd.tokens, prd.keys) == (("STG_TOKEN",), ("AWS_PRD_ACCESS_KEY_ID", "AWS_PRD_SECRET_ACCESS_KEY"))


def test_ports_are_those_that_the_variables_tell(tmp_path: Path) -> None:
    test = ci.pipeline(shop.environments(tmp_path)).test
    assert test
    assert {one.name: one.ports for one in test.services} == {"database": (5432,), "redis": (6379,)}
    assert test.variables["GREETING"] == "Hello: you"
    assert test.variables["DB_HOST"] == "database"


def test_without_tests_there_is_no_merge_test(tmp_path: Path) -> None:
    made = ci.pipeline(shop.environments(tmp_path, common=shop.COMMON))
    assert (made.test, made.merge_test) == (None, ())


def test_without_branches_there_is_no_pipeline(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no branch is deployed anywhere") as refused:
        deploys(tmp_path, "")
    assert 'under [branches]: main = "prd"' in refused.value.hint


def test_without_environments_there_is_no_pipeline() -> None:
    with pytest.raises(ConfigError, match="no environment") as refused:
        ci.pipeline(())
    assert "environments/stg.toml" in refused.value.hint


def test_what_is_missing_of_a_pipeline_is_told(tmp_path: Path) -> None:
    assert ci.pipeline(shop.environments(tmp_path)).advice == ""
    assert "write [ci.test]" in ci.pipeline(shop.environments(tmp_path, common=shop.COMMON)).advice


def test_a_job_may_take_as_long_as_the_release_that_it_runs(tmp_path: Path) -> None:
    slow = f"{shop.COMMON}[rollout]\ntimeout_seconds = 7200\n"
    stg, _ = ci.pipeline(shop.environments(tmp_path, common=slow)).deploys
    assert stg.minutes > 2 * 7200 / 60
