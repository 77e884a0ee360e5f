"""Scheduled tasks within a release: after the services, back with them, in the ledger, and in the way back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from deploylib import config, events, release, schedules
from deploylib.errors import RolledBackError
from deploylib.serving import Answer
from tests.fakes import releases
from tests.fakes import world as worlds

if TYPE_CHECKING:
    from tests.fakes.world import World

SERVING = config.Serving(contains="{commit}", timeout_seconds=5)


@pytest.fixture
def world() -> World:
    """Release 1 runs, and its scheduled task starts with it."""
    made = worlds.world()
    made.schedule(worlds.CLEANUP)
    releases.run(proposed(made, 1), 1)
    made.settle()
    made.aws.forget_calls()
    return made


def proposed(world: World, number: int = 2, **changes: Any) -> release.Release:
    """Return the release with what it does to scheduled tasks, as `inv deploy` proposes it."""
    one = releases.proposed(world, number, **{"migration": None, **changes})
    references = {role: world.image(role, number) for role in worlds.ROLES}
    live = schedules.observe(world.account, world.contract)
    return replace(one, plan=replace(one.plan, schedules=schedules.plan_schedules(world.contract, live, references)))


def starts(world: World) -> str:
    target = world.aws.scheduler.schedules["default", worlds.CLEANUP.name]
    return str(target["EcsParameters"]["TaskDefinitionArn"]).rpartition("/")[2]


def image(world: World) -> str:
    """Return the image of what would be started now."""
    found = world.ecs.describe_task_definition(taskDefinition=starts(world))["taskDefinition"]
    return str(found["containerDefinitions"][0]["image"])


def test_the_first_release_enables_it_with_the_images_of_the_services(world: World) -> None:
    assert starts(world) == "guestbook-stg-cleanup:1"
    assert image(world) == world.image("job", 1)
    assert world.aws.scheduler.documents["default", worlds.CLEANUP.name]["State"] == "ENABLED"


def test_it_moves_when_the_services_serve_and_the_ledger_has_both_revisions(world: World) -> None:
    happened = releases.run(proposed(world))
    kinds = [type(one) for one in happened]
    assert kinds.index(events.ScheduleMoved) > max(at for at, kind in enumerate(kinds) if kind is events.Drained)
    assert image(world) == world.image("job", 2)
    entry = releases.recorded(world)
    assert entry.verdict == "completed"
    assert [entry.schedules["cleanup"].rpartition(":")[2], entry.previous_schedules["cleanup"].rpartition(":")[2]] == [
        "2",
        "1",
    ]


def test_when_a_service_fails_it_never_starts_the_new_release(world: World) -> None:
    world.ecs.behave(image=worlds.digest("web", 2), exits=1, after_seconds=1)
    with pytest.raises(RolledBackError):
        releases.run(proposed(world))
    assert starts(world) == "guestbook-stg-cleanup:1"
    assert "update_schedule" not in world.aws.wrote


def test_when_the_release_does_not_answer_it_goes_back_before_the_services(world: World) -> None:
    one = replace(proposed(world, serving=SERVING), get=lambda _: Answer(status=200, body="an old page"))
    happened, _ = releases.failing(one, RolledBackError)
    moves = [
        (event.revision.rpartition(":")[2], event.back) for event in happened if isinstance(event, events.ScheduleMoved)
    ]
    assert moves == [("2", False), ("1", True)]
    writes = [one.operation for one in world.aws.writes if one.operation in {"update_schedule", "update_service"}]
    assert writes == ["update_service"] * 2 + ["update_schedule"] * 2 + ["update_service"] * 2
    assert (starts(world), image(world)) == ("guestbook-stg-cleanup:1", world.image("job", 1))


def test_when_the_schedule_cannot_be_set_the_services_go_back(world: World) -> None:
    world.aws.scheduler.refuse("update_schedule", "AccessDeniedException")
    releases.failing(proposed(world), RolledBackError)
    world.settle()
    assert starts(world) == "guestbook-stg-cleanup:1"
    assert {one.primary.revision.rpartition(":")[2] for one in world.ecs.services.values()} == {"1"}


def test_a_template_of_the_scheduled_task_alone_is_a_release_too(world: World) -> None:
    world.apply("cleanup", cpu="512")
    one = proposed(world, 1)
    assert not one.plan.moving
    assert not one.plan.nothing_to_do
    releases.run(one, 1)
    assert starts(world) == "guestbook-stg-cleanup:2"
    assert "update_service" not in world.aws.wrote


def test_the_way_back_takes_it_along(world: World) -> None:
    releases.run(proposed(world))
    back = release.propose_rollback(worlds.environment(migration=None), world.account, clock=world.clock)
    assert [(one.key, one.action) for one in back.plan.schedules] == [("cleanup", "update")]
    list(release.execute(back))
    assert starts(world) == "guestbook-stg-cleanup:1"
    assert "register_task_definition" not in world.aws.wrote[world.aws.wrote.index("update_schedule") + 1 :]


def test_a_schedule_that_was_stopped_by_hand_stays_stopped_on_the_way_forth_and_back(world: World) -> None:
    document = world.aws.scheduler.documents["default", worlds.CLEANUP.name]
    document["State"] = "DISABLED"
    releases.run(proposed(world))
    assert world.aws.scheduler.documents["default", worlds.CLEANUP.name]["State"] == "DISABLED"
    list(
        release.execute(release.propose_rollback(worlds.environment(migration=None), world.account, clock=world.clock))
    )
    assert world.aws.scheduler.documents["default", worlds.CLEANUP.name]["State"] == "DISABLED"
    assert starts(world) == "guestbook-stg-cleanup:1"
