"""Old revisions: what runs, what may start, what one may go back to and the newest stay; the rest is deregistered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from deploylib import config, lease, ledger
from deploylib.errors import AwsError, ConfigError, RefusedError
from deploylib.retention import revisions
from tests.fakes import world as worlds

if TYPE_CHECKING:
    from deploylib.retention.revisions import Fate
    from tests.fakes.world import World

RELEASES = 3


@pytest.fixture
def world() -> World:
    """Revision 1 of web and job runs; six more of web were registered by releases that are long gone."""
    made = worlds.world()
    for _ in range(6):
        made.register("web", 2)
    made.aws.forget_calls()
    return made


def environment() -> config.Environment:
    images = config.Images(roles=worlds.images().roles, keep=config.Retention(releases=RELEASES))
    return worlds.environment(images=images)


def propose(world: World, keep: int = 2) -> tuple[Fate, ...]:
    return revisions.propose(world.account, environment(), keep=keep)


def why(world: World, keep: int = 2) -> dict[str, str]:
    return {name: said for name, _, said in (one.cells for one in propose(world, keep))}


def staying(world: World, keep: int = 2) -> list[int]:
    stays = [one.revision for one in propose(world, keep) if one.stays and "-web:" in one.revision]
    return [int(one.rpartition(":")[2]) for one in stays]


def execute(world: World, fates: tuple[Fate, ...], keep: int = 2) -> list[str]:
    gone = revisions.execute(world.account, environment(), fates, keep=keep, clock=world.clock)
    return [one.rpartition("/")[2] for one in gone]


def record(world: World, verdict: ledger.Verdict, **named: Any) -> None:
    entry = ledger.Entry(release="r", commit="c", environment="stg", **named)
    begun = ledger.begin(world.account.dynamodb, worlds.LEDGER, entry, clock=world.clock)
    if verdict != "running":
        ended = ledger.Entry(**{**{one: getattr(begun, one) for one in begun.__slots__}, "verdict": verdict})
        ledger.finish(world.account.dynamodb, worlds.LEDGER, ended, clock=world.clock)


def arn(world: World, number: int) -> str:
    return f"{world.cluster.replace('cluster/guestbook-stg', 'task-definition/guestbook-stg-web')}:{number}"


def test_what_runs_and_the_newest_stay_and_the_reasons_are_said(world: World) -> None:
    found = why(world)
    assert found["guestbook-stg-web:7"] == "the newest"
    assert found["guestbook-stg-web:6"] == "among the newest 2"
    assert found["guestbook-stg-web:5"] == revisions.UNUSED
    assert "service guestbook-stg-web" in found["guestbook-stg-web:1"]
    assert "runs it" in found["guestbook-stg-web:1"]
    assert found["guestbook-stg-job:1"].startswith("the newest; service guestbook-stg-job")
    assert world.aws.wrote == ()


def test_terraforms_templates_are_none_of_ours(world: World) -> None:
    assert not [one for one in propose(world) if "-template:" in one.revision]


def test_a_family_whose_name_begins_the_same_is_left_alone(world: World) -> None:
    before = world.register("web", 2, family=f"{worlds.WEB}-admin")
    assert before not in {one.revision for one in propose(world)}


def test_just_that_is_deregistered_oldest_first(world: World) -> None:
    assert execute(world, propose(world)) == [f"guestbook-stg-web:{number}" for number in (2, 3, 4, 5)]
    assert set(world.aws.wrote) == {"deregister_task_definition"}
    assert staying(world) == [7, 6, 1]


def test_a_service_can_still_replace_its_tasks_afterwards(world: World) -> None:
    execute(world, propose(world, keep=1), keep=1)
    world.update("web", forceNewDeployment=True)
    world.settle()
    assert world.ecs.services[worlds.WEB].primary.revision == arn(world, 1)


@pytest.mark.parametrize("table", ["services", "schedules"])
def test_what_a_release_has_that_one_may_go_back_to_stays(world: World, table: str) -> None:
    record(world, "completed", **{table: {"web": arn(world, 3)}})
    assert why(world)["guestbook-stg-web:3"] == "release 1"
    for _ in range(RELEASES):
        record(world, "completed", services={"web": arn(world, 4)})
    assert staying(world) == [7, 6, 4, 1]


def test_what_a_failed_release_had_goes(world: World) -> None:
    record(world, "rolled back", services={"web": arn(world, 3)}, previous={"web": arn(world, 1)})
    assert 3 not in staying(world)


@pytest.mark.parametrize("table", ["services", "previous", "schedules", "previous_schedules"])
def test_what_an_unfinished_release_brings_or_goes_back_to_stays(world: World, table: str) -> None:
    record(world, "running", **{table: {"web": arn(world, 3)}})
    assert why(world)["guestbook-stg-web:3"] == "release 1, under way"


def test_what_a_schedule_or_a_rule_starts_stays(world: World) -> None:
    world.aws.scheduler.have("nightly", world.cluster, arn(world, 3))
    world.aws.events.have("on-order", world.cluster, arn(world, 4))
    assert staying(world) == [7, 6, 4, 3, 1]


def test_a_one_off_task_keeps_what_it_runs(world: World) -> None:
    world.ecs.run_task(
        cluster=world.cluster,
        taskDefinition=arn(world, 3),
        launchType="FARGATE",
        networkConfiguration=worlds.network(),
    )
    assert "runs it" in why(world)["guestbook-stg-web:3"]


def test_a_rollout_under_way_keeps_where_it_comes_from(world: World) -> None:
    world.update("web", taskDefinition=arn(world, 3))
    assert {1, 3} <= set(staying(world))


def test_what_came_into_use_since_the_plan_is_spared(world: World) -> None:
    fates = propose(world)
    world.update("web", taskDefinition=arn(world, 4))
    world.settle()
    assert execute(world, fates) == ["guestbook-stg-web:2", "guestbook-stg-web:3", "guestbook-stg-web:5"]


def test_nothing_goes_while_somebody_releases(world: World) -> None:
    fates = propose(world)
    claim = lease.Claim(environment="stg", by="arn:aws:iam::111111111111:user/kim", commit="c", reason="release 7")
    taken = lease.acquire(world.account.dynamodb, worlds.LEDGER, claim, settings=config.Lock(), clock=world.clock)
    list(taken)
    for step in (lambda: propose(world), lambda: execute(world, fates)):
        with pytest.raises(RefusedError, match=r"kim.* is at work there"):
            step()
    assert "deregister_task_definition" not in world.aws.wrote


def test_throttling_only_slows_it_down(world: World) -> None:
    fates = propose(world)
    world.ecs.throttle(7, "deregister_task_definition")
    assert len(execute(world, fates)) == 4
    assert len(world.clock.naps) == 7


def test_another_refusal_is_told(world: World) -> None:
    fates = propose(world)
    world.ecs.refuse("deregister_task_definition", "AccessDeniedException")
    with pytest.raises(AwsError):
        execute(world, fates)


def test_more_than_a_page_of_revisions_is_seen(world: World) -> None:
    for _ in range(120):
        world.register("job", 2)
    assert len([one for one in propose(world) if "-job:" in one.revision]) == 121


def test_a_number_below_zero_is_a_mistake(world: World) -> None:
    with pytest.raises(ConfigError, match="--keep is how many revisions"):
        propose(world, keep=-1)


def test_another_account_is_refused(world: World) -> None:
    world.aws.sts.account_id = "999999999999"
    with pytest.raises(RefusedError, match="999999999999"):
        propose(world)
