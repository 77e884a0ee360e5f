"""The deploy role's list: a release needs each of its actions, and nothing that is not on it."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deploylib import (
    aws,
    bluegreen,
    config,
    contract,
    events,
    ledger,
    observe,
    permissions,
    plan,
    release,
    schedules,
    verify,
)
from deploylib.bluegreen import continuing
from deploylib.errors import AwsError, DeployError, MigrationError, OutdatedError
from deploylib.images import login, promotion, remote, supplies
from deploylib.images.recipe import recipes
from deploylib.images.upstream import nobody
from deploylib.localaws.extension.authorization import Where
from deploylib.serving import Answer
from tests.fakes import world as worlds
from tests.fakes.access import Policy
from tests.fakes.tasks import Timing
from tests.images.kitchen import CLEAN, shop

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping

    from tests.fakes.world import World

ROOT = Path(__file__).resolve().parents[1]
LIST = permissions.read(ROOT)
VALUES = {
    "partition": "aws",
    "region": worlds.REGION,
    "account_id": worlds.ACCOUNT_ID,
    "app": worlds.APP,
    "environment": worlds.ENVIRONMENT,
    "name": f"{worlds.APP}-{worlds.ENVIRONMENT}",
}
ROLES = [
    f"arn:aws:iam::{worlds.ACCOUNT_ID}:role/{service}-{role}"
    for service in (worlds.WEB, worlds.JOB)
    for role in ("execution", "task")
]
TOKEN, SETTING = "/guestbook/npm", "/guestbook/stg/settings/SECRET_KEY"
CODEDEPLOY = f"arn:aws:codedeploy:{worlds.REGION}:{worlds.ACCOUNT_ID}"
BY_CODEDEPLOY = {"web": config.ServiceRelease(strategy="codedeploy")}
GIVEN = {
    "task_roles": ROLES,
    "build_parameters": [f"arn:aws:ssm:{worlds.REGION}:{worlds.ACCOUNT_ID}:parameter{TOKEN}"],
    "schedules": [f"arn:aws:scheduler:{worlds.REGION}:{worlds.ACCOUNT_ID}:schedule/default/{worlds.CLEANUP.name}"],
    "scheduler_roles": [f"arn:aws:iam::{worlds.ACCOUNT_ID}:role/starter"],
    "deployment_groups": [f"{CODEDEPLOY}:deploymentgroup:{worlds.APP}/web"],
    "applications": [f"{CODEDEPLOY}:application:{worlds.APP}"],
    "deployments": ["*"],
    "remote_builds": [f"arn:aws:codebuild:{worlds.REGION}:{worlds.ACCOUNT_ID}:project/guestbook-stg-build"],
    "build_sources": ["arn:aws:s3:::guestbook-stg-build/sources/*"],
}
# Only the registry itself asks for these: tests/localaws/extension/test_e2e_access.py takes them away one by one.
OF_THE_REGISTRY = {
    "ecr:BatchCheckLayerAvailability",
    "ecr:CompleteLayerUpload",
    "ecr:GetDownloadUrlForLayer",
    "ecr:InitiateLayerUpload",
    "ecr:UploadLayerPart",
}


def restricted(world: World, *, without: tuple[str, str] = ("", "")) -> World:
    """Return *world* for a caller with the deploy role's policy, less one entry of it."""
    document = permissions.policy(LIST, VALUES, GIVEN, without=without)
    world.aws.restrict(Policy(document=document, where=Where(account=worlds.ACCOUNT_ID, region=worlds.REGION)))
    return world


def ready(digests: Mapping[str, str]) -> Generator[events.Event, None, Mapping[str, str]]:
    yield from ()
    return digests


def a_release(world: World, environment: config.Environment) -> Iterator[str]:
    """Do what `inv deploy` does with the account; yield what it complains of on its way."""
    account = world.account
    aws.guard(account, environment)
    published = contract.read(account.ssm, environment.contract_parameter)
    ledger.last(account.dynamodb, published.ledger)
    made = plan.plan_release(
        environment,
        observe.with_settings(account, observe.live(account, published)),
        worlds.image_plans(2),
        commit=worlds.COMMITS[2],
        dirty=False,
        release="release-2",
    )
    one = release.Release(
        plan=made,
        environment=environment,
        account=account,
        clock=world.clock,
        observed_at=world.clock.monotonic(),
        get=lambda _: Answer(status=200, body=worlds.COMMITS[2]),
    )
    for event in release.execute(one, ready(worlds.digests(2))):
        if isinstance(event, events.Noticed):
            yield event.message


def a_whole_release(world: World) -> Iterator[str]:
    secret = {"name": "SECRET_KEY", "valueFrom": SETTING}
    definition = worlds.template_of(world.specs["job"], world.repository)
    policy, world.aws.ecs.policy = world.aws.ecs.policy, None  # Terraform, who may
    world.apply(
        "job", containerDefinitions=[{**one, "secrets": [secret]} for one in definition["containerDefinitions"]]
    )
    world.aws.ecs.policy = policy
    world.push(2)
    world.aws.ecr.have(worlds.APP, "web-latest", manifest=worlds.manifest("web", 1))
    environment = worlds.environment(images=worlds.images("{role}-latest"))
    world.aws.ssm.give(SETTING, "it", kind="SecureString")
    login.to_ecr(world.account.ecr, world.repository)
    world.aws.ssm.give(TOKEN, "it", kind="SecureString")
    supplies.parameters(world.account.ssm, [TOKEN])
    yield from a_release(world, environment)


def a_migration_that_takes_too_long(world: World) -> Iterator[str]:
    world.ecs.behave(image=worlds.digest("web", 2), command=worlds.MIGRATE, exits=0, after_seconds=3000)
    limits = config.Migration(service="web", container="app", command=worlds.MIGRATE, timeout_seconds=60)
    with pytest.raises(MigrationError) as failure:
        list(a_release(world, worlds.environment(migration=limits)))
    if "was stopped" not in str(failure.value):
        yield str(failure.value)


def a_release_taken_elsewhere(world: World) -> Iterator[str]:
    yield from a_whole_release(world)
    here = promotion.Side(account=world.account, environment=worlds.environment(), contract=world.contract)
    promotion.chosen(here, number=1)


def a_scheduled_task_that_follows(world: World) -> Iterator[str]:
    yield from ()
    policy, world.aws.ecs.policy = world.aws.ecs.policy, None  # Terraform, who may
    world.schedule(worlds.CLEANUP)
    revision = world.register("cleanup", 1)
    world.aws.ecs.policy = policy
    live = schedules.observe(world.account, world.contract)
    references = {role: world.image(role, 1) for role in worlds.ROLES}
    (made,) = schedules.plan_schedules(world.contract, live, references)
    schedules.move(world.account, made, revision, clock=world.clock)


def a_service_that_waits_for_another(world: World) -> Iterator[str]:
    world.ecs.behave(image=worlds.digest("nginx", 2), slow_start_seconds=15)
    after = {"job": config.ServiceRelease(after=("web",))}
    yield from a_release(world, worlds.environment(services=after, migration=None))


def a_release_that_takes_its_time(world: World) -> Iterator[str]:
    world.ecs.timing = Timing(pulling=20)
    yield from a_release(world, worlds.environment(migration=None))


def a_limit_made_of_target_groups(world: World) -> Iterator[str]:
    """A refusal is no complaint there: the limit says that it counts with AWS's default. So it is asked directly."""
    yield from ()
    (group,) = {one.target_group for one in world.ecs.services.values() if one.target_group}
    world.account.elbv2.describe_target_group_attributes(TargetGroupArn=group)


def a_look_before_anything_is_built(world: World) -> Iterator[str]:
    environment = worlds.environment()
    live = observe.live(world.account, observe.contract(world.account, environment))
    yield from verify.notices(verify.quick(world.account, environment, live))


def a_service_under_codedeploy(world: World) -> Iterator[str]:
    """Release one, then let a second deployment go on, and stop it."""
    spec = replace(worlds.SERVICES[0], codedeploy=True)
    made, environment = worlds.world(spec), worlds.environment(services=BY_CODEDEPLOY, migration=None)
    assert world.aws.ecs.policy
    made.aws.restrict(world.aws.ecs.policy)
    yield from a_release(made, environment)
    made.aws.codedeploy.groups["web"].ready_wait_seconds = 600.0
    service = made.contract.services["web"]
    revision = observe.live(made.account, made.contract).services[0].revision
    move = bluegreen.Move(key="web", cluster=made.cluster, service=service, revision=revision, previous=revision)
    target = bluegreen.start(made.account, move)
    made.clock.advance_until(lambda: made.aws.codedeploy.newest.status == "Ready")
    for one in continuing.look(made.account, environment):
        continuing.go_on(made.account, one)
    bluegreen.stop(made.account, target.deployment)


def a_build_elsewhere(world: World) -> Iterator[str]:
    """Build one image, and stop another build: whoever follows one has something else to say by then."""
    yield from ()
    with tempfile.TemporaryDirectory() as folder:
        recipe = recipes(shop(Path(folder)), CLEAN, nobody)[0]
        place = contract.RemoteBuild(
            project="guestbook-stg-build", bucket="guestbook-stg-build", platform="linux/amd64"
        )
        world.aws.codebuild.projects.add(place.project)
        world.aws.s3.objects[place.bucket] = {}
        made = remote.Remote(
            account=world.account,
            place=place,
            repository=world.repository,
            mended="",
            clock=world.clock,
            given=supplies.Supplies(),
            built={},
        )
        made.build(recipe, f"{world.repository}:base-0123456789ab", base="", line=lambda _: None)
    world.account.codebuild.stop_build(id=world.aws.codebuild.builds[0].id)


SCENARIOS: dict[str, Callable[[World], Iterator[str]]] = {
    "elasticloadbalancing:DescribeTargetGroups": a_look_before_anything_is_built,
    "logs:DescribeLogGroups": a_look_before_anything_is_built,
    "elasticloadbalancing:DescribeTargetGroupAttributes": a_limit_made_of_target_groups,
    "ecs:ListServiceDeployments": a_release_that_takes_its_time,
    "ecs:DescribeServiceDeployments": a_release_that_takes_its_time,
    "elasticloadbalancing:DescribeTargetHealth": a_service_that_waits_for_another,
    "ecs:StopTask": a_migration_that_takes_too_long,
    "dynamodb:GetItem": a_release_taken_elsewhere,
    "MoveSchedules": a_scheduled_task_that_follows,
    "HandOverSchedulerRoles": a_scheduled_task_that_follows,
    "MoveByCodeDeploy": a_service_under_codedeploy,
    "RegisterAppSpecs": a_service_under_codedeploy,
    "FollowCodeDeploy": a_service_under_codedeploy,
    "BringSources": a_build_elsewhere,
    "BuildElsewhere": a_build_elsewhere,
}


def complaints(action: str, *, without: tuple[str, str] = ("", "")) -> str:
    """Return what is said when the scenario of *action*, or of the statement, runs with the policy less one entry."""
    scenario = next((SCENARIOS[one] for one in (action, without[0]) if one in SCENARIOS), a_whole_release)
    said: list[str] = []
    try:
        said.extend(scenario(restricted(worlds.world(), without=without)))
    except DeployError as error:
        said.append(str(error))
    return "\n".join(said)


@pytest.mark.parametrize("action", ["a release", *SCENARIOS])
def test_with_the_role_nothing_is_refused(action: str) -> None:
    assert complaints(action) == ""


@pytest.mark.parametrize("entry", [one for one in LIST.entries if one[1] not in OF_THE_REGISTRY], ids=":".join)
def test_without_any_one_action_the_release_says_what_it_may_not_do(entry: tuple[str, str]) -> None:
    assert f"you are not authorized to perform: {entry[1]}" in complaints(entry[1], without=entry)


def test_another_environment_of_the_account_is_out_of_reach() -> None:
    world = restricted(worlds.world())
    account = world.account
    refused: list[Callable[[], object]] = [
        lambda: account.ssm.get_parameter(Name="/guestbook/prd/contract"),
        lambda: account.ecs.update_service(cluster="guestbook-prd", service="guestbook-prd-web", desiredCount=0),
        lambda: account.ecs.describe_tasks(cluster="guestbook-prd", tasks=["1"]),
        lambda: account.ecs.list_tasks(cluster="guestbook-prd"),
        lambda: account.dynamodb.query(TableName="guestbook-prd-releases"),
        lambda: account.ecr.describe_images(repositoryName="bank"),
        lambda: account.logs.get_log_events(logGroupName="/guestbook/prd/web", logStreamName="a"),
    ]
    for call in refused:
        with pytest.raises(AwsError, match="you are not authorized"):
            call()


def test_a_revision_cannot_name_another_role() -> None:
    world = worlds.world()
    template = worlds.template_of(worlds.SERVICES[0], world.repository)
    account = restricted(world).account
    admin = {**template, "family": worlds.WEB, "taskRoleArn": f"arn:aws:iam::{worlds.ACCOUNT_ID}:role/admin"}
    with pytest.raises(AwsError, match="not authorized to perform: iam:PassRole"):
        account.ecs.register_task_definition(**admin)


def test_every_action_says_what_for_and_stands_once_for_a_scope() -> None:
    actions = [(one.scope.name, action) for one in LIST.statements for action in one.actions]
    assert len(actions) == len(set(actions))
    assert all(why for one in LIST.statements for why in one.actions.values())


def test_a_statement_without_resources_is_left_out() -> None:
    document = permissions.policy(LIST, VALUES, {"task_roles": ROLES})
    assert "ReadBuildParameters" not in {one["Sid"] for one in document["Statement"]}


def test_no_placeholder_is_left_in_the_policy() -> None:
    text = json.dumps(permissions.policy(LIST, VALUES, GIVEN))
    assert not [name for name in LIST.placeholders if f"{{{name}}}" in text]


def test_the_documentation_is_what_the_list_says() -> None:
    permissions.check(ROOT)


def test_a_document_of_another_list_is_out_of_date(tmp_path: Path) -> None:
    source = tmp_path / permissions.SOURCE
    source.parent.mkdir(parents=True)
    source.write_text((ROOT / permissions.SOURCE).read_text())
    (tmp_path / "docs").mkdir()
    permissions.write(tmp_path)
    permissions.check(tmp_path)
    source.write_text(source.read_text().replace("a release begins", "a release is born"))
    with pytest.raises(OutdatedError, match=r"docs/iam\.md is not what") as outdated:
        permissions.check(tmp_path)
    assert outdated.value.hint == "inv infra.iam"
