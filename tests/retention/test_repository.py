"""The clean-up of a repository against an AWS that behaves: what uses images is found, what goes is what was agreed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from deploylib import config, ledger
from deploylib.errors import AwsError, ConfigError, ContractError, RefusedError
from deploylib.images import labels
from deploylib.retention import repository
from tests.fakes import world as worlds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploylib.retention.plan import Prune
    from tests.fakes.world import World

DAY = 86400.0


def environment(*, images: int = 1, releases: int = 2, account_id: str = worlds.ACCOUNT_ID) -> config.Environment:
    found = worlds.images("{role}-latest")
    keep = config.Retention(images=images, releases=releases)
    made = config.Images(roles=found.roles, tags=found.tags, keep=keep)
    return worlds.environment(images=made, account=config.Account(id=account_id, region=worlds.REGION))


def unlabelled(_repository: str, _digest: str) -> Mapping[str, str]:
    return {}


@pytest.fixture
def world() -> World:
    """A world that runs release 1, with release 2 pushed later, and all of it a day old."""
    made = worlds.world()
    made.push(2)
    made.clock.advance(DAY)
    made.push(3)
    made.clock.advance(DAY)
    made.aws.forget_calls()
    return made


def propose(world: World, settings: config.Environment | None = None, **more: Any) -> Prune:
    return repository.propose(
        world.account, settings or environment(), clock=world.clock, **{"labels_of": unlabelled, **more}
    )


def execute(world: World, prune: Prune) -> repository.Pruned:
    return repository.execute(world.account, environment(), prune, clock=world.clock, labels_of=unlabelled)


def why(prune: Prune) -> dict[str, tuple[bool, str]]:
    """Whether each image stays, and the reasons, by its content tag."""
    return {one.image.name: (one.stays, "; ".join(one.reasons)) for one in prune.fates}


def name(role: str, release: int) -> str:
    return f"{role}-c{'0' * 11}{release}"


def test_what_runs_stays_and_what_nobody_uses_goes(world: World) -> None:
    found = why(propose(world))
    assert found[name("web", 1)] == (True, "guestbook-stg-web runs it; service guestbook-stg-web")
    assert found[name("web", 2)] == (False, "unused, 1 newer of web")
    assert found[name("web", 3)] == (True, "number 1 of the newest 1 of web")
    assert world.aws.writes == ()


def test_the_removal_takes_just_that(world: World) -> None:
    prune = propose(world)
    done = execute(world, prune)
    left = {worlds.digest(role, release) for role in worlds.ROLES for release in (1, 3)}
    assert world.aws.ecr.images[worlds.APP].keys() == left
    assert {one.digest for one in done.removed} == {worlds.digest(role, 2) for role in worlds.ROLES}
    assert (done.size, done.spared, prune.size) == (3000, {}, 3000)
    assert world.aws.wrote == ("batch_delete_image",)


def test_a_plan_is_made_in_few_calls(world: World) -> None:
    propose(world)
    reads = {key: count for key, count in world.aws.calls.items() if not key.startswith("ecs:Describe")}
    assert world.aws.calls["ecs:DescribeTasks"] == world.aws.calls["ecs:DescribeServices"] == 1
    assert reads == {
        "sts:GetCallerIdentity": 1,
        "ssm:GetParameter": 1,
        "ecr:DescribeImages": 1,
        "dynamodb:Query": 2,
        "ecs:ListClusters": 1,
        "ecs:ListTasks": 1,
        "ecs:ListServices": 1,
        "events:ListEventBuses": 1,
        "events:ListRuleNamesByTarget": 1,
        "scheduler:ListSchedules": 1,
    }


def test_a_service_that_is_scaled_to_zero_keeps_what_it_is_set_to(world: World) -> None:
    for key in ("web", "job"):
        world.update(key, desiredCount=0)
    world.settle()
    assert why(propose(world))[name("job", 1)] == (True, "service guestbook-stg-job")


def test_a_deployment_under_way_keeps_both_of_its_releases(world: World) -> None:
    world.release("web", 2)
    found = why(propose(world))
    assert found[name("web", 1)][0]
    assert found[name("web", 2)][0]


def test_a_one_off_task_keeps_what_it_runs(world: World) -> None:
    world.ecs.run_task(
        cluster=world.cluster,
        taskDefinition=world.register("job", 2),
        launchType="FARGATE",
        networkConfiguration=worlds.network(),
    )
    assert why(propose(world))[name("job", 2)][0]


def test_what_rules_and_schedules_start_stays(world: World) -> None:
    web, job = world.register("web", 2), world.register("job", 2)
    world.aws.events.buses.append("orders")
    world.aws.events.have("on-order", world.cluster, web, bus="orders")
    world.aws.scheduler.have("nightly", world.cluster, job.rpartition(":")[0])
    world.aws.scheduler.have("elsewhere", f"{world.cluster}-other", web)
    found = why(propose(world))
    assert found[name("web", 2)] == (True, "rule on-order")
    assert found[name("nginx", 2)] == (True, "rule on-order")
    assert found[name("job", 2)] == (True, "schedule nightly")
    assert world.aws.calls["scheduler:GetSchedule"] == 1


def test_a_schedule_of_a_definition_that_was_deleted_starts_nothing(world: World) -> None:
    world.aws.scheduler.have("nightly", world.cluster, f"{world.cluster.replace('cluster/', 'task-definition/')}:77")
    assert not why(propose(world))[name("web", 2)][0]


def record(world: World, release: int, verdict: ledger.Verdict, **more: Any) -> None:
    entry = ledger.Entry(release=f"r{release}", commit="c", environment="stg", images=worlds.digests(release), **more)
    begun = ledger.begin(world.account.dynamodb, worlds.LEDGER, entry, clock=world.clock)
    if verdict != "running":
        ended = ledger.Entry(**{**_fields(begun), "verdict": verdict})
        ledger.finish(world.account.dynamodb, worlds.LEDGER, ended, clock=world.clock)


def _fields(entry: ledger.Entry) -> dict[str, Any]:
    return {one: getattr(entry, one) for one in ledger.Entry.__dataclass_fields__}


def test_releases_that_one_may_go_back_to_stay_and_failed_ones_do_not(world: World) -> None:
    record(world, 2, "completed")
    assert why(propose(world))[name("web", 2)] == (True, "release 1")
    for _ in range(2):
        record(world, 1, "completed")
    assert not why(propose(world))[name("web", 2)][0]
    record(world, 2, "failed")
    assert not why(propose(world))[name("web", 2)][0]


def test_a_release_under_way_keeps_what_it_brings_and_what_it_goes_back_to(world: World) -> None:
    record(world, 1, "running", previous={"web": world.register("web", 2)})
    found = why(propose(world))
    assert found[name("web", 2)] == (True, "release 1, under way")
    assert not found[name("job", 2)][0]


@pytest.mark.parametrize("field", ["schedules", "previous_schedules"])
def test_a_release_under_way_keeps_what_its_scheduled_tasks_start_and_go_back_to(world: World, field: str) -> None:
    record(world, 1, "running", **{field: {"cleanup": world.register("job", 2)}})
    assert why(propose(world))[name("job", 2)] == (True, "release 1, under way")


def test_the_base_of_a_kept_image_stays_as_the_label_says(world: World) -> None:
    ecr = world.aws.ecr
    bases = [ecr.have(worlds.APP, f"base-{digit * 12}", age=DAY) for digit in "ab"]
    ecr.pushed[bases[1]] += 1
    asked: list[str] = []

    def labels_of(_: str, digest: str) -> Mapping[str, str]:
        asked.append(digest)
        return {labels.BASE: "a" * 64} if digest == worlds.digest("web", 1) else {}

    found = why(propose(world, labels_of=labels_of))
    assert found["base-aaaaaaaaaaaa"] == (True, f"{name('web', 1)} stands on it")
    assert worlds.digest("web", 2) not in asked


def test_no_label_is_read_where_no_base_would_go(world: World) -> None:
    def labels_of(_: str, digest: str) -> Mapping[str, str]:
        raise AssertionError(digest)

    world.aws.ecr.have(worlds.APP, "base-aaaaaaaaaaaa", age=DAY)
    propose(world, labels_of=labels_of)


def test_an_index_goes_before_its_children(world: World) -> None:
    child = world.aws.ecr.have(worlds.APP, manifest=json.dumps({"child": 1}), age=3 * DAY)
    index = world.aws.ecr.have_index(worlds.APP, "web-caaaaaaaaaaaa", children=(child,), age=3 * DAY)
    done = execute(world, propose(world))
    assert {child, index} <= {one.digest for one in done.removed}
    assert not {child, index} & world.aws.ecr.images[worlds.APP].keys()


def test_what_is_used_by_then_stays_after_all(world: World) -> None:
    prune = propose(world)
    world.release("web", 2)
    done = execute(world, prune)
    assert set(done.spared) == {worlds.digest("web", 2), worlds.digest("nginx", 2)}
    assert [one.digest for one in done.removed] == [worlds.digest("job", 2)]
    assert worlds.digest("web", 2) in world.aws.ecr.images[worlds.APP]


def test_what_only_the_second_look_would_remove_stays(world: World) -> None:
    prune = propose(world)
    world.aws.ecr.have(worlds.APP, "web-cbbbbbbbbbbbb")
    execute(world, prune)
    assert worlds.digest("web", 3) in world.aws.ecr.images[worlds.APP]


def test_what_is_gone_by_then_is_nobodys_failure(world: World) -> None:
    prune = propose(world)
    world.aws.ecr.batch_delete_image(repositoryName=worlds.APP, imageIds=[{"imageDigest": worlds.digest("web", 2)}])
    assert len(execute(world, prune).removed) == 2


def test_what_ecr_keeps_is_told(world: World) -> None:
    prune = propose(world)
    failed = {"imageId": {"imageDigest": worlds.digest("job", 2)}, "failureCode": "KmsError", "failureReason": "no key"}
    world.aws.ecr.batch_delete_image = lambda **_: {"imageIds": [], "failures": [failed]}  # type: ignore[method-assign]
    with pytest.raises(AwsError, match=r"2 removed, but ECR keeps 1\n  sha256:.*: KmsError: no key"):
        execute(world, prune)


def test_an_image_by_a_tag_is_resolved_or_the_clean_up_is_refused(world: World) -> None:
    container = {"name": "app", "image": f"{world.repository}:{name('web', 2)}", "essential": True}
    made = world.ecs.register_task_definition(family="tool", containerDefinitions=[container])
    world.aws.scheduler.have("nightly", world.cluster, made["taskDefinition"]["taskDefinitionArn"])
    assert why(propose(world))[name("web", 2)] == (True, "schedule nightly")
    container = {**container, "image": f"{world.repository}:gone"}
    made = world.ecs.register_task_definition(family="tool", containerDefinitions=[container])
    world.aws.scheduler.have("nightly", world.cluster, made["taskDefinition"]["taskDefinitionArn"])
    with pytest.raises(RefusedError, match=r"schedule nightly, by the tag gone, which .* does not have"):
        propose(world)


@pytest.mark.parametrize(
    ("client", "operation"),
    [
        ("ecs", "list_tasks"),
        ("ecs", "describe_tasks"),
        ("ecs", "describe_services"),
        ("ecs", "describe_task_definition"),
        ("events", "list_event_buses"),
        ("scheduler", "list_schedules"),
        ("dynamodb", "query"),
        ("ecr", "describe_images"),
    ],
)
def test_what_cannot_be_read_refuses_the_whole(world: World, client: str, operation: str) -> None:
    prune = propose(world)
    for refused in (propose, lambda world: execute(world, prune)):
        getattr(world.aws, client).refuse(operation, "AccessDeniedException")
        with pytest.raises(AwsError, match="AccessDeniedException"):
            refused(world)
    assert world.aws.writes == ()


def test_a_ledger_that_is_not_there_refuses_the_whole(world: World) -> None:
    world.aws.dynamodb.tables.clear()
    with pytest.raises(ContractError, match="the ledger of the releases"):
        propose(world)


def test_another_account_is_refused(world: World) -> None:
    with pytest.raises(RefusedError, match="these credentials are of account"):
        propose(world, environment(account_id="222222222222"))


def test_keep_says_how_many_and_nonsense_is_refused(world: World) -> None:
    assert propose(world, keep=2).going == ()
    with pytest.raises(ConfigError, match="not -1"):
        propose(world, keep=-1)


def test_what_runs_and_is_not_there_is_told(world: World) -> None:
    del world.aws.ecr.images[worlds.APP][worlds.digest("job", 1)]
    notices = propose(world).notices
    assert f"service guestbook-stg-job: {worlds.digest('job', 1)} is not in the repository" in notices
