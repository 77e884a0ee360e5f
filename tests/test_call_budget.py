"""The calls of a whole deploy, from the account guard to the lock given back: a budget, with a reason for each call."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from deploylib import config, release
from deploylib.serving import Answer
from tests.fakes import world as worlds
from tests.fakes.releases import ready
from tests.images.kitchen import CLEAN

if TYPE_CHECKING:
    from pathlib import Path

    from deploylib.config import Environment

BUDGET = {
    # Looking
    "sts:GetCallerIdentity": 1,  # the account guard
    "ssm:GetParameter": 1,  # the contract
    "dynamodb:Query": 1,  # the last releases
    "ecr:BatchGetImage": 1,  # which images the registry has
    "elbv2:DescribeTargetGroupAttributes": 1,  # the deregistration delay, for the time limit
    "elbv2:DescribeTargetGroups": 1,  # does the target group fit the task (verify)
    "logs:DescribeLogGroups": 1,  # is the log group there (verify)
    # The release
    "dynamodb:GetItem": 3,  # who has the lock: for the plan, before anything is built, before it is taken
    "dynamodb:PutItem": 3,  # the release begins; the lock is taken, and given back
    "ecs:RegisterTaskDefinition": 1,
    "ecs:UpdateService": 1,
    # Watching, looks apart
    "ecs:ListTasks": 1,  # what is on its way out: the proof that no old task is left
}
BY_LOOK = {"ecs:DescribeServices", "ecs:DescribeServiceDeployments", "ecs:DescribeTasks"}
NOTES = 5  # the release's number; it rolls out, is watched, is proved, ends
RENEWED_EACH_SECONDS = 20  # the lock
ONCE_OR_TWICE = {
    "ecs:ListServiceDeployments": 1,
    "ecs:DescribeTaskDefinition": 2,
    "ecr:DescribeImages": 1,
    "ssm:GetParameters": 1,
}


@pytest.fixture
def app(tmp_path: Path) -> Environment:
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM scratch\nLABEL role={{ role }}\n")
    roles = {role: config.RoleImage(dockerfile="Dockerfile") for role in worlds.ROLES}
    images = config.Images(roles=roles)
    serving = config.Serving(path="/version")
    return worlds.environment(tmp_path, images=images, migration=None, serving=serving)


def test_a_deploy_of_one_service_stays_within_its_budget_of_calls(app: Environment) -> None:
    spec = worlds.ServiceSpec(key="web", containers={"app": "web", "nginx": "nginx"}, tasks=2, balanced=True)
    world = worlds.world(spec)
    world.logs.groups.add(spec.log_group)
    world.clock.naps.clear()
    started = world.clock.monotonic()
    world.aws.forget_calls()
    one = release.propose(app, world.account, CLEAN, clock=world.clock)
    list(release.execute(replace(one, get=lambda _: Answer(status=200)), ready(worlds.digests(2))))
    calls = dict(world.aws.calls)
    looks = sum(calls.pop(name, 0) for name in BY_LOOK)
    for name, most in ONCE_OR_TWICE.items():
        assert calls.pop(name, 0) <= most, name
    renewals = (world.clock.monotonic() - started) // RENEWED_EACH_SECONDS
    assert NOTES <= calls.pop("dynamodb:UpdateItem") <= NOTES + renewals
    assert calls == BUDGET
    assert looks <= 3 * (len(world.clock.naps) + 1)
