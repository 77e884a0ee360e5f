"""A CI job that does not know its environment: `--env auto` reads the branch, and refuses what is no branch of ours."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.e2e.project import Project

pytestmark = pytest.mark.e2e

BRANCH = "deployment/local"
NO_CI: dict[str, Any] = dict.fromkeys(("CI", "GITHUB_ACTIONS", "GITLAB_CI", "CIRCLECI", "CODEBUILD_BUILD_ID"), "")


def test_the_branch_s_environment_is_planned_and_released(project: Project) -> None:
    job: dict[str, Any] = {**NO_CI, "GITLAB_CI": "true", "CI_COMMIT_BRANCH": BRANCH, "CI_COMMIT_SHA": project.head}
    planned = json.loads(project.inv("plan", "--env", "auto", "--output", "json", **job).out)
    assert (planned["event"], planned["environment"]) == ("Planned", "local")
    project.inv("deploy", "--yes", DEPLOY_ENV="auto", **job)


def test_the_branch_that_is_checked_out_counts_where_there_is_no_ci_system(project: Project) -> None:
    project.git("switch", "--quiet", "--create", BRANCH)
    try:
        assert project.inv("ci.environment", **NO_CI).out == "local\n"
        assert project.inv("status", "--env", "auto", **NO_CI).out.startswith("local ")
    finally:
        project.git("switch", "--quiet", "main")
        project.git("branch", "--quiet", "--delete", BRANCH)


@pytest.mark.parametrize(
    ("job", "words"),
    [
        ({"CIRCLECI": "true", "CIRCLE_BRANCH": "pull/7", "CIRCLE_PR_NUMBER": "7"}, "pull request 7 of a fork"),
        ({"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "push", "GITHUB_REF": "refs/tags/v1"}, "for tag v1"),
        ({"CODEBUILD_BUILD_ID": "a:1", "CODEBUILD_WEBHOOK_TRIGGER": "branch/mine"}, "branch mine is not deployed"),
        ({"CIRCLECI": "true", "CIRCLE_BRANCH": BRANCH, "CIRCLE_SHA1": "0" * 40}, "for commit 000000000000"),
    ],
)
def test_what_is_no_branch_of_ours_is_refused_before_anything_is_looked_at(
    job: dict[str, Any], words: str, project: Project
) -> None:
    before = len(project.api_calls())
    ran = project.inv("deploy", "--env", "auto", "--yes", expect=3, **{**NO_CI, **job})
    assert words in ran.err
    assert len(project.api_calls()) == before
