"""Terraform and deploys side by side: neither takes back what the other did, and none does what nobody asked for.

Every test leaves the project as it found it.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from deploylib import aws, config, rollout, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploylib.aws import Account
    from tests.e2e.project import Project

pytestmark = pytest.mark.e2e

COMMON = "environments/common.toml"
LOCAL = ("--env", "local")
YES = (*LOCAL, "--yes")
CLUSTER, WEB, JOB = "guestbook-local", "guestbook-local-web", "guestbook-local-job"
DATABASE = "module.database[0].aws_db_instance.this[0]"
ROLE = 'module.roles.aws_iam_role.task["web"]'


@pytest.fixture
def account(project: Project) -> Account:
    return aws.signed_in(config.load(project.path, "local", variables={}))


@pytest.fixture
def settings(project: Project) -> Iterator[None]:
    """Take back what the test changes in the environments' files, and make the infrastructure what they say."""
    yield
    project.git("checkout", "--", "environments")
    project.inv("infra.apply", *YES, "--anew")
    project.inv("deploy", *YES)


def service(account: Account, name: str) -> dict[str, Any]:
    return dict(rollout.describe(account.ecs, CLUSTER, [name])[name])


def page(project: Project) -> str:
    (url,) = re.findall(r"http://\S+\.alb\.localhost:\d+", project.inv("local.status").out)
    return serving.fetch(url).body


def settled(account: Account, name: str) -> None:
    account.ecs.get_waiter("services_stable").wait(
        cluster=CLUSTER, services=[name], WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )


@pytest.mark.usefixtures("settings")
def test_two_terraform_changes_between_deploys_arrive_together_and_survive_a_rollback(
    project: Project, account: Account
) -> None:
    before = service(account, WEB)["taskDefinition"]
    project.replace(COMMON, 'GREETING = "Hello"', 'GREETING = "Hello once"')
    assert "Saved for inv infra.apply" in project.inv("infra.plan", *LOCAL).out
    applied = project.inv("infra.apply", *YES)
    assert "saved by inv infra.plan" in applied.out
    project.replace(COMMON, 'GREETING = "Hello once"', 'GREETING = "Hello twice"')
    project.replace(
        COMMON,
        "[terraform.services.job]\ncpu = 256\nmemory = 512",
        "[terraform.services.job]\ncpu = 512\nmemory = 1024",
    )
    applied = project.inv("infra.apply", *YES)
    assert re.search(
        r"web: guestbook-local-web-template:\d+ waits for a deploy\s+\(app\.environment\.GREETING\)", applied.out
    )
    assert "the running tasks get it with: inv deploy --env local" in applied.out
    assert service(account, WEB)["taskDefinition"] == before, "Terraform must not roll out by itself"
    project.inv("infra.plan", *LOCAL, "--check")
    assert "web, job" in project.inv("infra.status", *LOCAL, "--check", expect=9).err.replace("job, web", "web, job")

    project.inv("deploy", *YES)
    assert "Hello twice" in page(project)
    job = account.ecs.describe_task_definition(taskDefinition=service(account, JOB)["taskDefinition"])["taskDefinition"]
    assert (job["cpu"], job["memory"]) == ("512", "1024")
    project.inv("infra.status", *LOCAL, "--check")

    account.ecs.update_service(cluster=CLUSTER, service=WEB, taskDefinition=before)
    settled(account, WEB)
    assert "Hello twice" not in page(project)
    project.inv("infra.plan", *LOCAL, "--check")
    assert "web does not run" in project.inv("infra.status", *LOCAL, "--check", expect=9).err
    project.inv("deploy", *YES)
    assert "Hello twice" in page(project)


def test_scale_between_plan_and_apply_stays_and_a_change_by_hand_is_drift(project: Project, account: Account) -> None:
    project.replace("environments/local.toml", "log_retention_days = 1", "log_retention_days = 3")
    project.inv("infra.plan", *LOCAL)
    account.ecs.update_service(cluster=CLUSTER, service=WEB, desiredCount=3)
    settled(account, WEB)
    assert "saved by inv infra.plan" in project.inv("infra.apply", *YES).out
    assert service(account, WEB)["desiredCount"] == 3

    account.logs.put_retention_policy(logGroupName="/guestbook/local/web", retentionInDays=7)
    lines = project.inv("infra.drift", *LOCAL, "--check", "--output", "json", expect=9).out.splitlines()
    found, failed = (json.loads(line) for line in lines)
    assert (failed["event"], failed["error"]) == ("Failed", "OutdatedError")
    assert [(one["address"], one["differences"]) for one in found["drift"]] == [
        (
            'module.cluster.aws_cloudwatch_log_group.service["web"]',
            [{"path": "retention_in_days", "before": 3, "after": 7, "forces": False}],
        )
    ]

    account.ecs.update_service(cluster=CLUSTER, service=WEB, desiredCount=2)
    project.git("checkout", "--", "environments")
    project.inv("infra.apply", *YES)
    settled(account, WEB)
    project.inv("infra.drift", *LOCAL, "--check")


def test_plan_is_refused_when_the_world_moved_and_what_is_needed_is_not_destroyed(
    project: Project, account: Account
) -> None:
    project.replace("environments/local.toml", "log_retention_days = 1", "log_retention_days = 3")
    project.inv("infra.plan", *LOCAL)
    tainted = (DATABASE, ROLE)
    for address in tainted:
        project.inv("infra.tf", *YES, "--", "taint", address)
    try:
        calls = len(project.api_calls())
        ran = project.inv("infra.apply", *YES, expect=3)
        assert re.search(r"is stale: the state moved on \(serial \d+ then, \d+ now\)", ran.err)
        assert "hint: inv infra.plan --env local, then inv infra.apply --env local" in ran.err

        ran = project.inv("infra.apply", *YES, "--anew", expect=3)
        assert f"replace: {DATABASE} holds data" in ran.err
        assert re.search(rf"replace: {re.escape(ROLE)} is used by what runs \({WEB}:\d+\)", ran.err)
        assert f"--allow-destroy '{DATABASE}'" in ran.err
        assert ran.out.index(DATABASE) < ran.out.index("log_group")
        written = {one["action"] for one in project.api_calls()[calls:] if one["write"]}
        assert written <= {"PutObject", "DeleteObject"}, "only the state's lock"
    finally:
        project.git("checkout", "--", "environments")
        for address in tainted:
            project.inv("infra.tf", *YES, "--", "untaint", address)
    assert "Nothing to change" in project.inv("infra.plan", *LOCAL).out
    assert "waits" not in project.inv("infra.status", *LOCAL).out
    assert service(account, WEB)["desiredCount"] == 2


def test_other_commands_of_terraform_are_passed_on_unless_ours_do_more(project: Project) -> None:
    listed = project.inv("infra.tf", *LOCAL, "--", "state", "list")
    assert DATABASE in listed.out.splitlines()
    assert "inv infra.plan --env local" in project.inv("infra.tf", *LOCAL, "--", "plan", expect=3).err
    assert "every secret" in project.inv("infra.tf", *LOCAL, "--", "state", "pull", expect=3).err
    assert "add --yes" in project.inv("infra.tf", *LOCAL, "--", "state", "rm", "x", expect=3).err
