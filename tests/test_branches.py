"""Branch to environment: which pattern counts, what is wrong with a table, what is refused."""

from __future__ import annotations

import re

import pytest

from deploylib import branches
from deploylib.ci_variables import Trigger
from deploylib.errors import ConfigError, RefusedError

TABLE = {"main": "stg", "release": "prd", "deployment/*": "*"}
NAMES = ("local", "prd", "stg")


@pytest.mark.parametrize(
    ("table", "branch", "environment"),
    [
        (TABLE, "main", "stg"),
        (TABLE, "Main", ""),
        (TABLE, "main2", ""),
        (TABLE, "feature/main", ""),
        (TABLE, "deployment/prd", "prd"),
        (TABLE, "deployment/prd/again", ""),
        (TABLE, "deployment/", ""),
        (TABLE, "deployment", ""),
        ({"hotfix/*": "prd"}, "hotfix/1.2", "prd"),
        ({"hotfix/*": "prd"}, "hotfix/a/b", ""),
        ({"hotfix/**": "prd"}, "hotfix/a/b", "prd"),
        ({"**": "stg"}, "a/b", "stg"),
        ({"release-*-eu": "*"}, "release-prd-eu", "prd"),
        ({"a.c": "stg"}, "abc", ""),
        ({"**": "stg", "hotfix/*": "prd"}, "hotfix/1", "prd"),
        ({"hotfix/*": "prd", "**": "stg"}, "hotfix/1", "prd"),
        ({"hotfix/*": "prd", "hotfix/1": "stg"}, "hotfix/1", "stg"),
        ({"ho*": "stg", "*ix": "stg"}, "hofix", "stg"),
        ({}, "main", ""),
    ],
)
def test_the_closest_pattern_says_where_a_branch_goes(table: dict[str, str], branch: str, environment: str) -> None:
    assert branches.environment_of(table, branch) == environment


def test_two_patterns_that_contend_are_a_mistake_and_not_a_matter_of_order() -> None:
    with pytest.raises(ConfigError, match=r"sends hofix by 'ho\*' to stg and '\*ix' to prd") as refused:
        branches.environment_of({"ho*": "stg", "*ix": "prd"}, "hofix")
    assert refused.value.hint == "write 'hofix' = \"stg\" beside them"


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ({"main": "production"}, (("branches", "main"), "no environment 'production'; there are local, prd, stg")),
        ({"main": "*"}, (("branches", "main"), 'goes to "*", which is what the one * in the pattern stands for')),
        ({"*/*": "*"}, (("branches", "*/*"), 'goes to "*", which is what the one * in the pattern stands for')),
        ({"a/**": "*"}, (("branches", "a/**"), 'goes to "*", which is what the one * in the pattern stands for')),
        ({"a/***": "stg"}, (("branches", "a/***"), "takes * or **, no more of them")),
    ],
)
def test_mistakes_in_the_table_are_told(table: dict[str, str], problem: tuple[tuple[str, ...], str]) -> None:
    assert list(branches.problems(table, NAMES)) == [problem]


def test_a_sound_table_has_no_problems() -> None:
    assert list(branches.problems({**TABLE, "hotfix/**": "prd"}, NAMES)) == []


def test_the_branches_of_an_environment_are_told_with_the_star_spelled_out() -> None:
    table = {**TABLE, "hotfix/**": "prd"}
    assert branches.patterns_of(table, "prd") == ("release", "deployment/prd", "hotfix/**")
    assert branches.patterns_of(table, "stg") == ("main", "deployment/stg")
    assert branches.patterns_of({**TABLE, "deployment/prd": "stg"}, "prd") == ("release",)
    assert branches.patterns_of({}, "prd") == ()


def test_the_expression_is_one_that_any_ci_system_takes() -> None:
    assert branches.expression("release/1.2-*") == r"release/1\.2\-[^/]*"
    assert re.fullmatch(branches.expression("a/**/b"), "a/x/y/b")


@pytest.mark.parametrize(
    ("trigger", "words"),
    [
        (Trigger(system="GitLab", pull_request="7", of_fork=True), "GitLab runs this for pull request 7 of a fork"),
        (Trigger(system="GitLab", pull_request="7", of_fork=False), "GitLab runs this for pull request 7:"),
        (Trigger(system="GitHub", tag="v1"), "GitHub runs this for tag v1"),
        (Trigger(system="git", reason="has no branch checked out"), "git has no branch checked out"),
        (Trigger(system="git"), "git tells no branch"),
        (Trigger(system="git", branch="feature/a"), "branch feature/a is not deployed anywhere"),
    ],
)
def test_what_is_no_mapped_branch_is_refused_with_what_is_deployed(trigger: Trigger, words: str) -> None:
    with pytest.raises(RefusedError, match=f"^--env auto: {re.escape(words)}") as refused:
        branches.resolve(trigger, TABLE, NAMES)
    assert refused.value.hint == "these branches are deployed: main to stg, release to prd, deployment/* to *"


def test_a_branch_for_an_environment_that_does_not_exist_is_refused() -> None:
    with pytest.raises(RefusedError, match="deployment/qa: no environment 'qa'; there are local, prd, stg"):
        branches.resolve(Trigger(system="git", branch="deployment/qa"), TABLE, NAMES)


def test_without_a_table_auto_means_nothing() -> None:
    with pytest.raises(ConfigError, match=r"no \[branches\]"):
        branches.resolve(Trigger(system="git", branch="main"), {}, NAMES)
