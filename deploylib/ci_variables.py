"""What a CI system's variables say that a job runs for: a branch, a tag, a pull request, or nothing of the kind. Pure.

Sources: the pages of predefined variables of GitHub Actions, GitLab, CircleCI and CodeBuild. What deceives there:

* GitHub gives `pull_request_target`, `workflow_run` and others the base or default branch in `GITHUB_REF`, whatever
  they are about. So only the events that are about that branch count.
* CircleCI sets `CIRCLE_PULL_REQUEST` for a push to a branch that a pull request is open from, and GitLab
  `CI_OPEN_MERGE_REQUESTS`: such a job is one of the branch. Only the pull request of a fork has `CIRCLE_PR_NUMBER`.
* CodeBuild can be the machine that other systems' jobs run on, so that its variables are there beside theirs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

BRANCH_VARIABLE = "DEPLOY_BRANCH"
GITHUB_EVENT_FILE = "GITHUB_EVENT_PATH"
OF_A_BRANCH = frozenset({"push", "workflow_dispatch", "schedule", "repository_dispatch"})
COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}", re.ASCII)
FORKED = re.compile(r"pull/(\d+)(?:/head)?", re.ASCII)
REFERENCE = re.compile(r"refs/(heads|tags|pull|merge-requests)/(.+?)(?:\^\{[0-9a-f]+\})?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """What a command runs for: at most one of *branch*, *tag* and *pull_request* (its number, or what names it).

    *of_fork* is None where *system* does not say. *reason* says why it is none of the three; *commit* is the full
    SHA-1 that the job is for, empty where that is not said.
    """

    system: str
    branch: str = ""
    tag: str = ""
    pull_request: str = ""
    of_fork: bool | None = None
    reason: str = ""
    commit: str = ""


def read(variables: Mapping[str, str], event: Mapping[str, Any] | None = None) -> Trigger | None:
    """Return what the CI system's *variables* say, None outside of one.

    *event* is what GitHub tells in a file. Where a system does not say, or is none that we know, `DEPLOY_BRANCH` does.
    """
    found = _of_system(variables, event or {})
    told = variables.get(BRANCH_VARIABLE, "")
    if told and (found is None or found.reason):
        commit = found.commit if found else ""
        return Trigger(system=f"${BRANCH_VARIABLE}", branch=told.removeprefix("refs/heads/"), commit=commit)
    if found is None and variables.get("CI", "").lower() in {"true", "1"}:
        return Trigger(system="this CI system", reason=f"is none that we know, and ${BRANCH_VARIABLE} is not set")
    return found


def _of_system(variables: Mapping[str, str], event: Mapping[str, Any]) -> Trigger | None:
    """Return what the first system that is there says; CodeBuild, which runs the others' jobs too, comes last."""
    if variables.get("GITHUB_ACTIONS") == "true":
        return _github(variables, event)
    if variables.get("GITLAB_CI") == "true":
        return _gitlab(variables)
    if variables.get("CIRCLECI") == "true":
        return _circleci(variables)
    if variables.get("CODEBUILD_BUILD_ID"):
        return _codebuild(variables)
    return None


def _github(variables: Mapping[str, str], event: Mapping[str, Any]) -> Trigger:
    plain = Trigger(system="GitHub", commit=variables.get("GITHUB_SHA", ""))
    name, reference = variables.get("GITHUB_EVENT_NAME", ""), variables.get("GITHUB_REF", "")
    kind, called = _reference(reference)
    if name.startswith("pull_request") or kind == "pull":
        about = event.get("pull_request") or {}
        number = str(about.get("number") or (called.partition("/")[0] if kind == "pull" else ""))
        return replace(
            plain, pull_request=number or variables.get("GITHUB_HEAD_REF", "") or "?", of_fork=_is_fork(about)
        )
    if kind == "tags":
        return replace(plain, tag=called)
    if kind == "heads" and name in OF_A_BRANCH:
        return replace(plain, branch=called)
    return replace(plain, reason=f"was started by {name or 'nothing that has a name'}, which is no push to a branch")


def _is_fork(pull_request: Mapping[str, Any]) -> bool | None:
    """Whether it is of another repository; of one that was deleted meanwhile GitHub knows no more than that."""
    if not pull_request:
        return None
    head, base = ((pull_request.get(end) or {}).get("repo") or {} for end in ("head", "base"))
    return head.get("full_name") != base.get("full_name")


def _gitlab(variables: Mapping[str, str]) -> Trigger:
    plain = Trigger(system="GitLab", commit=variables.get("CI_COMMIT_SHA", ""))
    source = variables.get("CI_PIPELINE_SOURCE", "")
    for prefix, ours, theirs in (
        ("CI_MERGE_REQUEST", "PROJECT_ID", "SOURCE_PROJECT_ID"),
        ("CI_EXTERNAL_PULL_REQUEST", "TARGET_REPOSITORY", "SOURCE_REPOSITORY"),
    ):
        if number := variables.get(f"{prefix}_IID"):
            ends = variables.get(f"{prefix}_{ours}"), variables.get(f"{prefix}_{theirs}")
            return replace(plain, pull_request=number, of_fork=ends[0] != ends[1] if all(ends) else None)
    if source in {"merge_request_event", "external_pull_request_event"}:
        return replace(plain, pull_request="?")
    if tag := variables.get("CI_COMMIT_TAG"):
        return replace(plain, tag=tag)
    if branch := variables.get("CI_COMMIT_BRANCH"):
        return replace(plain, branch=branch)
    return replace(plain, reason=f"tells neither branch nor tag of a pipeline of {source or 'an unknown source'}")


def _circleci(variables: Mapping[str, str]) -> Trigger:
    plain = Trigger(system="CircleCI", commit=variables.get("CIRCLE_SHA1", ""))
    branch, fork = variables.get("CIRCLE_BRANCH", ""), variables.get("CIRCLE_PR_REPONAME", "")
    forked = FORKED.fullmatch(branch)
    number = variables.get("CIRCLE_PR_NUMBER") or (forked[1] if forked else "")
    if number or fork:
        return replace(plain, pull_request=number or "?", of_fork=True)
    if tag := variables.get("CIRCLE_TAG"):
        return replace(plain, tag=tag)
    return replace(plain, branch=branch) if branch else replace(plain, reason="tells neither branch nor tag")


def _codebuild(variables: Mapping[str, str]) -> Trigger:
    resolved = variables.get("CODEBUILD_RESOLVED_SOURCE_VERSION", "")
    plain = Trigger(system="CodeBuild", commit=resolved if COMMIT.fullmatch(resolved) else "")
    kind, _, name = variables.get("CODEBUILD_WEBHOOK_TRIGGER", "").partition("/")
    if kind == "pr" or variables.get("CODEBUILD_WEBHOOK_EVENT", "").startswith("PULL_REQUEST"):
        return replace(plain, pull_request=name or "?")
    if kind == "branch":
        return replace(plain, branch=name)
    if kind == "tag":
        return replace(plain, tag=name)
    if variables.get("CODEBUILD_INITIATOR", "").startswith("codepipeline/"):
        return replace(plain, reason=f"does not tell the branch of a pipeline: give it as ${BRANCH_VARIABLE}")
    return _codebuild_by_hand(plain, variables.get("CODEBUILD_SOURCE_VERSION", ""))


def _codebuild_by_hand(plain: Trigger, version: str) -> Trigger:
    """Return what a build without webhook is for: *version* is what whoever started it has asked for."""
    kind, name = _reference(version)
    if kind in {"pull", "merge-requests"}:
        return replace(plain, pull_request=name.partition("/")[0])
    if version.startswith("pr/"):
        return replace(plain, pull_request=version.removeprefix("pr/"))
    if kind == "tags":
        return replace(plain, tag=name)
    if kind == "heads":
        return replace(plain, branch=name)
    if not version or COMMIT.fullmatch(version) or version.startswith("arn:"):
        what = "one commit" if COMMIT.fullmatch(version) else "no branch that was named"
        return replace(plain, reason=f"was started for {what}")
    return replace(plain, branch=version)


def _reference(reference: str) -> tuple[str, str]:
    """Return kind and name of a full reference (`refs/heads/main`, with CodeBuild's `^{commit}`), else two nothings."""
    found = REFERENCE.fullmatch(reference)
    return (found[1], found[2]) if found else ("", "")
