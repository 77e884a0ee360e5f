"""Releases over several services: gates, order, one verdict, all or none."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from deploylib import config, events, ledger, plan, release
from deploylib.errors import (
    AwsError,
    ContractError,
    ImageError,
    MigrationError,
    NotRestoredError,
    RefusedError,
    RolledBackError,
    SupersededError,
)
from deploylib.serving import Answer
from tests.fakes import world as worlds
from tests.fakes.clock import interrupt
from tests.fakes.releases import failing, kinds, proposed, ready, recorded, run, wrote
from tests.fakes.services import Habits

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping


def test_release_registers_migrates_then_moves_every_service_at_once() -> None:
    world = worlds.world()
    world.push(2)
    seen = run(proposed(world))
    assert kinds(seen) == [
        "Began",
        *["Registered"] * 2,
        "MigrationStarted",
        "Migrated",
        *["RolloutStarted"] * 2,
        *["Drained"] * 2,
        "Completed",
    ]
    assert world.aws.wrote.count("update_service") == 2
    assert world.aws.wrote.index("run_task") < world.aws.wrote.index("update_service")


def test_revision_is_the_template_with_the_digests_and_our_tags() -> None:
    world = worlds.world()
    run(proposed(world))
    service = world.ecs.describe_services(cluster=world.cluster, services=[worlds.WEB])["services"][0]
    answer = world.ecs.describe_task_definition(taskDefinition=service["taskDefinition"], include=["TAGS"])
    images = {one["name"]: one["image"] for one in answer["taskDefinition"]["containerDefinitions"]}
    assert images["app"] == world.image("web", 2)
    assert images["nginx"] == world.image("nginx", 2)
    assert images["metrics"] == "public.ecr.aws/example/metrics:1"
    tags = {one["key"]: one["value"] for one in answer["tags"]}
    assert tags["deploy:commit"] == worlds.COMMITS[2]
    assert tags["deploy:template"] == world.templates["web"]
    assert tags["deploy:release"] == "release-2"
    assert tags["cost-centre"] == "42"


def test_same_images_on_the_same_template_are_nothing_to_do() -> None:
    one = proposed(worlds.world(), 1)
    assert one.plan.nothing_to_do
    assert one.plan.migration is None


def test_desired_count_is_sent_by_the_first_release_only() -> None:
    world = worlds.world(released=False)
    run(proposed(world, 1), 1)
    sent = [one.request.get("desiredCount") for one in world.aws.writes if one.operation == "update_service"]
    assert sent == [2, 1]
    world.update("web", desiredCount=4)
    world.settle()
    world.aws.forget_calls()
    run(proposed(world, 2), 2)
    updates = [one.request for one in world.aws.writes if one.operation == "update_service"]
    assert all("desiredCount" not in one for one in updates)
    assert world.ecs.live(worlds.WEB).total() == 4


def test_failing_migration_moves_nothing_and_shows_its_log() -> None:
    world = worlds.world()
    world.ecs.behave(image=worlds.digest("web", 2), command=worlds.MIGRATE, exits=1, log=("column FLUX is missing",))
    seen, failure = failing(proposed(world), MigrationError)
    assert "exit code 1" in str(failure)
    assert "no service was touched" in str(failure)
    assert events.MigrationLogged(line="column FLUX is missing") in [_at_zero(one) for one in seen]
    assert "update_service" not in world.aws.wrote


def _at_zero(event: events.Event) -> events.Event:
    return events.MigrationLogged(line=event.line) if isinstance(event, events.MigrationLogged) else event


def test_one_failing_service_brings_all_back() -> None:
    world = worlds.world()
    world.ecs.behave(image=worlds.digest("job", 2), exits=1, after_seconds=0.2, log=("no such setting: FLUX",))
    seen, failure = failing(proposed(world), RolledBackError)
    world.settle()
    assert "job: failed: 3 tasks ended the same way: worker exited with code 1" in str(failure)
    assert {one.service for one in seen if isinstance(one, events.Restored)} == {"web", "job"}
    assert set(world.ecs.live(worlds.WEB)) == {f"{worlds.WEB}:1"} or all(
        one.endswith(":1") for one in world.ecs.live(worlds.WEB)
    )


def test_failure_report_names_container_exit_code_and_last_lines() -> None:
    world = worlds.world()
    world.ecs.behave(image=worlds.digest("job", 2), exits=3, after_seconds=0.2, log=("no such setting: FLUX",))
    seen, _ = failing(proposed(world), RolledBackError)
    failed = next(one for one in seen if isinstance(one, events.RolloutFailed))
    assert failed.service == "job"
    task = failed.tasks[0]
    assert ("worker", 3) in [one[:2] for one in task.containers]
    assert "no such setting: FLUX" in task.log


def test_failing_health_check_is_named() -> None:
    world = worlds.world()
    world.ecs.behave(image=worlds.digest("web", 2), unhealthy="elb")
    seen, _ = failing(proposed(world), RolledBackError)
    failed = next(one for one in seen if isinstance(one, events.RolloutFailed))
    assert any("ELB health checks" in one.reason for one in failed.tasks)


def test_service_without_a_breaker_is_brought_back_by_us() -> None:
    world = worlds.world(
        worlds.ServiceSpec(key="web", containers={"app": "web", "nginx": "nginx"}, tasks=2, breaker=False)
    )
    world.ecs.behave(image=worlds.digest("web", 2), exits=1, after_seconds=0.2)
    seen, failure = failing(proposed(world), RolledBackError)
    assert "tasks ended the same way" in str(failure)
    assert "Restored" in kinds(seen)
    world.settle()
    assert world.ecs.live(worlds.WEB).total() == 2


def test_old_release_that_cannot_run_any_more_needs_a_person() -> None:
    world = worlds.world(
        worlds.ServiceSpec(key="web", containers={"app": "web"}, tasks=2, breaker=False, minimum_percent=0)
    )
    world.ecs.behave(image=worlds.digest("web", 2), exits=1, after_seconds=0.2)
    world.ecs.behave(image=worlds.digest("web", 1), pull_error="manifest unknown")
    one = proposed(world, rollout=config.Rollout(timeout_seconds=120))
    _, failure = failing(one, NotRestoredError)
    assert "web does NOT serve the previous release" in str(failure)


def test_retry_after_a_failure_that_stayed_goes_back_to_the_release_that_completed() -> None:
    world = worlds.world(
        worlds.ServiceSpec(key="web", containers={"app": "web", "nginx": "nginx"}, tasks=2, rollback=False)
    )
    world.ecs.behave(image=worlds.digest("web", 2), exits=1, after_seconds=0.2)
    world.release("web", 2)
    world.clock.advance(120)
    assert world.live().services[0].primary["rolloutState"] == "FAILED"
    world.ecs.behave(image=worlds.digest("web", 3), exits=1, after_seconds=0.2)
    seen, _ = failing(proposed(world, 3), RolledBackError, 3)
    restored = [one.revision for one in seen if isinstance(one, events.Restored)]
    assert restored == [next(one for one in world.ecs.live(worlds.WEB))] or restored[0].endswith(f"{worlds.WEB}:1")


def test_failed_first_release_is_set_to_zero_tasks() -> None:
    world = worlds.world(released=False)
    world.ecs.behave(image=worlds.digest("web", 1), exits=1, after_seconds=0.2)
    world.ecs.behave(image=worlds.digest("web", 1), command=worlds.MIGRATE, exits=0)
    _, failure = failing(proposed(world, 1), NotRestoredError, 1)
    assert "had no release before and is set to zero tasks" in str(failure)
    found = world.ecs.describe_services(cluster=world.cluster, services=[worlds.WEB, worlds.JOB])["services"]
    assert [one["desiredCount"] for one in found] == [0, 0]


def test_superseded_release_touches_nothing_more() -> None:
    world = worlds.world()
    one = proposed(world)
    other = world.register("web", 3)
    world.aws.forget_calls()
    armed = False
    seen: list[events.Event] = []
    with pytest.raises(SupersededError):
        for event in release.execute(one, ready(worlds.digests(2))):
            seen.append(event)
            if isinstance(event, events.RolloutStarted) and not armed:
                armed = True
                world.clock.after(6, lambda: world.update("web", taskDefinition=other))
    assert world.aws.wrote.count("update_service") == 3  # two of ours, one of theirs
    assert "Restoring" not in kinds(seen)


def test_plan_that_others_overtook_is_refused_before_anything_is_written() -> None:
    world = worlds.world()
    one = proposed(world)
    world.release("web", 3)
    world.clock.advance(60)
    world.aws.forget_calls()
    _, failure = failing(one, RefusedError)
    assert "by now" in str(failure)
    assert world.aws.wrote == ()


def test_plan_that_others_overtook_during_the_migration_is_refused_however_young_it_is() -> None:
    world = worlds.world()
    one = replace(proposed(world), observed_at=world.clock.monotonic() + 12)  # the fake's tasks take their time
    with pytest.raises(RefusedError, match="by now"):
        for event in release.execute(one, ready(worlds.digests(2))):
            if isinstance(event, events.Migrated):
                assert 0 <= world.clock.monotonic() - one.observed_at < release.FRESH_SECONDS
                world.release("web", 3)
                world.aws.forget_calls()
    assert wrote(world) == ()


def test_ctrl_c_in_the_rollout_says_what_goes_on_and_the_next_run_follows_it() -> None:
    world = worlds.world()
    one = proposed(world)
    stop = release.execute(one, ready(worlds.digests(2)))
    with pytest.raises(KeyboardInterrupt) as interrupted:
        for event in stop:
            if isinstance(event, events.RolloutStarted) and event.service == "job":
                world.clock.after(4, interrupt)
    assert "goes on in ECS" in interrupted.value.__notes__[0]
    again = proposed(world)
    assert {service.action for service in again.plan.services} == {"attach"}
    world.aws.forget_calls()
    seen = run(again)
    assert kinds(seen)[-1] == "Completed"
    assert wrote(world) == ()


@pytest.mark.parametrize(
    ("moment", "note"),
    [
        (events.Registered, ()),
        (events.MigrationStarted, ("was stopped",)),
        (events.RolloutStarted, ("goes on in ECS",)),
        (events.Progressed, ("goes on in ECS",)),
    ],
)
def test_ctrl_c_while_an_event_is_shown_says_as_much(moment: type[events.Event], note: tuple[str, ...]) -> None:
    world = worlds.world()
    happening = release.execute(proposed(world), ready(worlds.digests(2)))
    event = next(happening)
    while not isinstance(event, moment):
        event = next(happening)
    with pytest.raises(KeyboardInterrupt) as interrupted:
        happening.throw(KeyboardInterrupt())
        list(happening)  # nobody answers the question
    notes = getattr(interrupted.value, "__notes__", ())
    assert len(notes) == len(note)
    assert all(wanted in found for wanted, found in zip(note, notes, strict=True))
    goes_on = moment in (events.RolloutStarted, events.Progressed)
    assert (recorded(world).verdict, recorded(world).phase == "detached") == (
        ("running", True) if goes_on else ("interrupted", False)
    )


def test_ctrl_c_in_the_migration_stops_its_task() -> None:
    world = worlds.world()
    world.ecs.behave(image=worlds.digest("web", 2), command=worlds.MIGRATE, exits=0, after_seconds=300)
    with pytest.raises(KeyboardInterrupt) as interrupted:
        for event in release.execute(proposed(world), ready(worlds.digests(2))):
            if isinstance(event, events.MigrationStarted):
                world.clock.after(20, interrupt)
    assert "was stopped" in interrupted.value.__notes__[0]
    assert "update_service" not in world.aws.wrote
    assert [
        one for one in world.ecs.tasks.values() if one.started_by.startswith("migration/") and one.status != "STOPPED"
    ] == []


def test_second_ctrl_c_while_the_migration_stops_says_that_it_was_told_to() -> None:
    world = worlds.world()
    world.ecs.behave(image=worlds.digest("web", 2), command=worlds.MIGRATE, exits=0, after_seconds=300)
    with pytest.raises(KeyboardInterrupt) as interrupted:
        for event in release.execute(proposed(world), ready(worlds.digests(2))):
            if isinstance(event, events.MigrationStarted):
                world.clock.after(20, interrupt)
                world.clock.after(20.5, interrupt)
    assert "was told to stop" in interrupted.value.__notes__[0]
    assert "no service was touched" in interrupted.value.__notes__[0]


def test_migration_over_its_time_limit_is_stopped() -> None:
    world = worlds.world()
    world.ecs.behave(image=worlds.digest("web", 2), command=worlds.MIGRATE, exits=0, after_seconds=3000)
    limits = config.Migration(service="web", container="app", command=worlds.MIGRATE, timeout_seconds=60)
    _, failure = failing(proposed(world, migration=limits), MigrationError)
    assert "not done within 60 s" in str(failure)
    assert "stop_task" in world.aws.wrote
    assert "update_service" not in world.aws.wrote


def test_migration_left_behind_by_another_run_is_waited_for() -> None:
    world = worlds.world()
    world.ecs.behave(image=worlds.digest("web", 1), command=worlds.MIGRATE, exits=0, after_seconds=60)
    live = world.live()
    world.ecs.run_task(
        cluster=world.cluster,
        taskDefinition=live.services[0].revision,
        startedBy=f"migration/{worlds.WEB}",
        networkConfiguration=worlds.network(),
        launchType="FARGATE",
        overrides={"containerOverrides": [{"name": "app", "command": list(worlds.MIGRATE)}]},
    )
    seen = run(proposed(world))
    started = [one for one in seen if isinstance(one, events.MigrationStarted)]
    assert [one.attached for one in started] == [True, False]
    assert kinds(seen)[-1] == "Completed"


def test_migration_that_ecs_does_not_show_at_once_is_waited_for() -> None:
    world = worlds.world()
    world.ecs.habits = Habits(tasks_appear_seconds=8)
    assert kinds(run(proposed(world)))[-1] == "Completed"


def test_migration_is_followed_through_throttling() -> None:
    world = worlds.world()
    seen: list[events.Event] = []
    for event in release.execute(proposed(world), ready(worlds.digests(2))):
        seen.append(event)
        if isinstance(event, events.MigrationStarted):
            world.ecs.throttle(4, "describe_tasks")
    assert kinds(seen)[-1] == "Completed"


def test_migration_that_nobody_can_follow_any_more_goes_on_and_says_so() -> None:
    world = worlds.world()
    with pytest.raises(AwsError) as lost:
        for event in release.execute(proposed(world), ready(worlds.digests(2))):
            if isinstance(event, events.MigrationStarted):
                world.ecs.throttle(10_000, "describe_tasks")
    assert "goes on without us" in lost.value.__notes__[0]
    assert "update_service" not in world.aws.wrote


def test_migration_that_cannot_start_says_why() -> None:
    world = worlds.world()
    world.ecs.behave(image=worlds.digest("web", 2), pull_error="manifest unknown")
    _, failure = failing(proposed(world), MigrationError)
    assert "CannotPullContainerError" in str(failure)


def test_failing_image_stops_the_release_before_ecs_hears_of_it() -> None:
    world = worlds.world()

    def broken() -> Generator[events.Event, None, Mapping[str, str]]:
        yield events.BuildStarted(image="web", reason="its files changed")
        raise ImageError("web: the build failed")

    with pytest.raises(ImageError):
        list(release.execute(proposed(world), broken()))
    assert wrote(world) == ()


def test_update_that_aws_refuses_in_the_middle_brings_the_others_back() -> None:
    world = worlds.world()
    one = proposed(world)
    seen: list[events.Event] = []
    with pytest.raises(RolledBackError):
        for event in release.execute(one, ready(worlds.digests(2))):
            seen.append(event)
            if isinstance(event, events.RolloutStarted):
                world.ecs.refuse("update_service", "ClusterNotFoundException")
    world.settle()
    assert {event.service for event in seen if isinstance(event, events.Restored)} == {"web"}


def test_release_that_does_not_answer_is_not_called_done() -> None:
    world = worlds.world()
    serving = config.Serving(path="/version", contains="{commit}", timeout_seconds=10)
    one = proposed(world, serving=serving)
    asked: list[str] = []

    def old(url: str, /) -> Answer:
        asked.append(url)
        return Answer(status=200, body=worlds.COMMITS[1])

    seen, failure = failing(replace(one, get=old), RolledBackError)
    assert "does not show" in str(failure)
    assert {event.service for event in seen if isinstance(event, events.Restored)} == {"web", "job"}
    assert asked[0] == "http://guestbook-stg.example.test/version"


def test_release_of_services_that_are_scaled_to_zero_proves_nothing_and_says_so() -> None:
    world = worlds.world(worlds.ServiceSpec(key="web", containers={"app": "web", "nginx": "nginx"}, tasks=2))
    world.update("web", desiredCount=0)
    world.settle()
    serving = config.Serving(path="/version", timeout_seconds=10)
    seen = run(replace(proposed(world, serving=serving, migration=None), get=lambda _: Answer(status=503)))
    assert kinds(seen)[-2:] == ["Noticed", "Completed"]


def test_release_of_one_service_of_two_tasks_stays_within_its_budget_of_calls() -> None:
    world = worlds.world(worlds.ServiceSpec(key="web", containers={"app": "web", "nginx": "nginx"}, tasks=2))
    one = proposed(world, migration=None)
    world.clock.naps.clear()
    run(one)
    looks = len(world.clock.naps)
    calls = world.aws.calls
    assert calls["ecs:RegisterTaskDefinition"] == calls["ecs:UpdateService"] == 1
    assert calls["ecs:ListTasks"] == 1
    assert calls["ecs:DescribeServices"] < looks
    table = {key: count for key, count in calls.items() if key.startswith("dynamodb:")}
    assert table == {
        "dynamodb:GetItem": 2,  # who has the lock: before anything is built, and before it is taken
        "dynamodb:PutItem": 3,  # the release begins; the lock is taken, and given back
        "dynamodb:UpdateItem": 4,  # the release's number; it rolls out, it is watched, it ends
    }
    once = 2 + sum(table.values()) + calls["ecs:ListServiceDeployments"]
    assert calls.total() <= once + looks + sum(
        calls[f"ecs:{one}"] for one in ("ListTasks", "DescribeTasks", "DescribeServiceDeployments")
    )


def test_ctrl_c_while_images_are_built_says_that_nothing_was_touched() -> None:
    world = worlds.world()

    def building() -> Generator[events.Event, None, Mapping[str, str]]:
        yield events.BuildStarted(image="web", reason="its files changed")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as interrupted:
        list(release.execute(proposed(world), building()))
    assert "no service was touched" in interrupted.value.__notes__[0]
    assert wrote(world) == ()


def test_ctrl_c_while_services_go_back_says_so() -> None:
    world = worlds.world()
    world.ecs.behave(image=worlds.digest("job", 2), exits=1, after_seconds=0.2)
    with pytest.raises(KeyboardInterrupt) as interrupted:
        for event in release.execute(proposed(world), ready(worlds.digests(2))):
            if isinstance(event, events.Restoring) and event.service == "job":
                world.clock.after(1, interrupt)
    assert "bringing the previous one back" in interrupted.value.__notes__[0]


def test_ledger_has_the_release_before_anything_else_is_written() -> None:
    world = worlds.world()
    seen: list[str] = []

    def building() -> Generator[events.Event, None, Mapping[str, str]]:
        begun = recorded(world)
        seen.extend((begun.verdict, begun.commit, begun.by, *begun.images))
        yield from ()
        return worlds.digests(2)

    list(release.execute(replace(proposed(world), by="arn:aws:iam::111111111111:user/ada"), building()))
    assert seen == ["running", worlds.COMMITS[2], "arn:aws:iam::111111111111:user/ada", *worlds.ROLES]


def test_ledger_has_what_a_completed_release_is_made_of() -> None:
    world = worlds.world()
    before = {one.key: one.revision for one in world.live().services}
    completed = run(proposed(world))[-1]
    found = recorded(world)
    assert isinstance(completed, events.Completed)
    assert (found.number, found.verdict) == (completed.release, "completed")
    assert found.images == worlds.digests(2)
    assert found.previous == before
    assert found.services == {one.key: one.revision for one in world.live().services}


def test_ledger_has_the_digests_of_images_that_the_release_built() -> None:
    world = worlds.world()
    one = proposed(world)
    one = replace(one, plan=replace(one.plan, images=worlds.image_plans(2, action="build")))

    def building() -> Generator[events.Event, None, Mapping[str, str]]:
        assert recorded(world).images == {}
        yield events.Pushed(image="base", digest="sha256:0", seconds=1)
        for role, digest in worlds.digests(2).items():
            yield events.Pushed(image=role, digest=digest, seconds=1)
        return worlds.digests(2)

    list(release.execute(one, building()))
    assert (recorded(world).images, recorded(world).base) == (worlds.digests(2), "sha256:0")


def test_ledger_says_that_a_release_was_rolled_back_and_why() -> None:
    world = worlds.world()
    world.ecs.behave(image=worlds.digest("job", 2), exits=1, after_seconds=0.2)
    failing(proposed(world), RolledBackError)
    assert recorded(world).verdict == "rolled back"
    assert recorded(world).reason.startswith("job: failed: 3 tasks")


def test_ledger_says_that_a_release_failed_at_its_images_or_its_migration() -> None:
    world = worlds.world()

    def broken() -> Generator[events.Event, None, Mapping[str, str]]:
        yield events.BuildStarted(image="web", reason="its files changed")
        raise ImageError("web: the build failed\nSTEP 3: export TOKEN=hunter2")

    with pytest.raises(ImageError):
        list(release.execute(proposed(world), broken()))
    assert (recorded(world).verdict, recorded(world).reason) == ("failed", "web: the build failed")
    world.ecs.behave(image=worlds.digest("web", 2), command=worlds.MIGRATE, exits=1)
    failing(proposed(world), MigrationError)
    assert (recorded(world).number, recorded(world).verdict) == (2, "failed")


def test_ledger_says_that_a_release_was_interrupted_and_that_the_next_one_completed_it() -> None:
    world = worlds.world()
    with pytest.raises(KeyboardInterrupt):
        for event in release.execute(proposed(world), ready(worlds.digests(2))):
            if isinstance(event, events.RolloutStarted) and event.service == "job":
                world.clock.after(4, interrupt)
    assert (recorded(world).verdict, recorded(world).phase) == ("running", "detached")
    run(proposed(world))
    assert (recorded(world).number, recorded(world).verdict) == (2, "completed")
    verdicts = [one.verdict for one in ledger.entries(world.account.dynamodb, worlds.LEDGER)]
    assert verdicts == ["completed", "interrupted"]
    assert recorded(world).services == {one.key: one.revision for one in world.live().services}


def test_follower_who_leaves_a_release_interrupts_it() -> None:
    world = worlds.world()
    steps = release.execute(proposed(world), ready(worlds.digests(2)))
    for event in steps:
        if isinstance(event, events.Registered):
            break
    steps.close()
    assert recorded(world).verdict == "interrupted"


def test_ledger_that_cannot_be_written_at_the_end_does_not_hide_the_verdict() -> None:
    for fails in (False, True):
        world = worlds.world()
        if fails:
            world.ecs.behave(image=worlds.digest("job", 2), exits=1, after_seconds=0.2)
        seen: list[events.Event] = []
        error = None
        try:
            for event in release.execute(proposed(world), ready(worlds.digests(2))):
                seen.append(event)
                if isinstance(event, events.RolloutStarted):
                    world.aws.dynamodb.refuse("update_item", "InternalServerError", times=99)
        except RolledBackError as rolled_back:
            error = rolled_back
        said = error.__notes__[0] if error else next(one.message for one in seen if isinstance(one, events.Noticed))
        assert said.startswith(f"the ledger does not know that release 1 {'was rolled back' if fails else 'completed'}")
        assert (kinds(seen)[-1] == "Completed") is not fails
        assert recorded(world).verdict == "running"


def test_release_does_not_begin_without_the_ledger() -> None:
    world = worlds.world()
    world.aws.dynamodb.tables.clear()
    with pytest.raises(ContractError, match="ledger"):
        run(proposed(world))
    assert wrote(world) == ()


def test_what_runs_although_no_release_of_it_completed_is_proved_and_recorded() -> None:
    world = worlds.world()
    serving = config.Serving(path="/version", contains="{commit}", timeout_seconds=10)
    environment = worlds.environment(serving=serving)
    made = plan.plan_release(
        environment,
        world.live(),
        worlds.image_plans(1),
        commit=worlds.COMMITS[1],
        dirty=False,
        release="release-1",
        recorded=worlds.digests(3),
    )
    assert not made.nothing_to_do
    one = replace(proposed(world, 1, serving=serving), plan=made)
    assert kinds(run(one, 1)) == ["Began", "Served", "Completed"]
    assert wrote(world) == ()
    assert recorded(world).services == {one.key: one.based_on for one in made.services}
    silent = replace(one, get=lambda _: Answer(status=503))
    with pytest.raises(NotRestoredError):
        run(silent, 1)
    assert recorded(world).verdict == "not restored"


def test_what_the_last_completed_release_was_made_of_is_nothing_to_do() -> None:
    world = worlds.world()
    made = plan.plan_release(
        worlds.environment(),
        world.live(),
        worlds.image_plans(1),
        commit=worlds.COMMITS[2],
        dirty=False,
        release="release-1",
        recorded=worlds.digests(1),
    )
    assert made.nothing_to_do


# The tags that follow a release

FOLLOWING = ("{role}-{environment}-latest", "{role}-latest")


def test_moving_tags_go_to_the_images_of_a_release_that_completed() -> None:
    world = worlds.world()
    world.push(2)
    old, new = worlds.digests(1), worlds.digests(2)
    world.aws.ecr.tags[worlds.APP] |= {f"{role}-latest": digest for role, digest in old.items()}
    seen = run(proposed(world, images=worlds.images(*FOLLOWING)))
    assert kinds(seen)[-7:] == [*["Tagged"] * 6, "Completed"]
    moved = {(one.image, one.tag) for one in seen if isinstance(one, events.Tagged) and one.moved}
    assert moved == {(role, f"{role}{middle}-latest") for role in worlds.ROLES for middle in ("", "-stg")}
    assert {tag: world.aws.ecr.tags[worlds.APP][tag] for _, tag in moved} == {tag: new[role] for role, tag in moved}
    assert set(old.values()) <= set(world.aws.ecr.images[worlds.APP])
    assert world.aws.wrote.index("batch_delete_image") > world.aws.wrote.index("update_service")
    assert world.aws.calls["ecr:BatchDeleteImage"] == world.aws.calls["ecr:DescribeImages"] == 1


def test_moving_tags_stay_when_the_release_failed() -> None:
    world = worlds.world()
    world.push(2)
    world.ecs.behave(image=worlds.digest("job", 2), exits=1, after_seconds=0.2)
    failing(proposed(world, images=worlds.images(*FOLLOWING)), RolledBackError)
    assert not [tag for tag in world.aws.ecr.tags[worlds.APP] if tag.endswith("latest")]


def test_moving_tags_that_ecr_refuses_are_a_notice_and_no_failure() -> None:
    world = worlds.world()
    world.push(2)
    world.aws.ecr.refuse("put_image", "AccessDeniedException")
    seen = run(proposed(world, images=worlds.images(*FOLLOWING)))
    (notice,) = [one for one in seen if isinstance(one, events.Noticed)]
    assert notice.message.startswith("the tags that follow a release stay where they were: ")
    assert (kinds(seen)[-1], recorded(world).verdict) == ("Completed", "completed")
