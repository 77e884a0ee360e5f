"""How an environment is: what serves beside what the ledger says, what is half done, who is at work, what is next."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from deploylib import config, events, lease, ledger, overview
from deploylib.errors import ConfigError, ContractError, RefusedError
from tests.fakes import world as worlds
from tests.test_permissions import restricted

if TYPE_CHECKING:
    from tests.fakes.world import World

ENVIRONMENT = worlds.environment()
FOREIGN = "4711|0-0-0-0 pid:[1]|0-0-0-0 1"
CLAIM = lease.Claim(
    environment="stg",
    by="arn:aws:iam::111111111111:user/ada",
    host="laptop",
    reason="release 2",
    process=FOREIGN,
)


def write(world: World, number: int, verdict: ledger.Verdict = "completed", **changes: Any) -> ledger.Entry:
    """Have a release in the ledger that left what runs now, but for *changes*; the calls for it do not count."""
    runs = {key: revision(world, key) for key in world.specs}
    known: dict[str, Any] = {"services": runs, "phase": "rolling out", **changes}
    entry = ledger.Entry(
        release=f"release-{number}", commit=worlds.COMMITS[number], environment="stg", by=CLAIM.by, **known
    )
    begun = ledger.begin(world.account.dynamodb, worlds.LEDGER, entry, clock=world.clock)
    assert begun.number == number
    if verdict != "running":
        ended = replace(begun, verdict=verdict)
        begun = ledger.finish(world.account.dynamodb, worlds.LEDGER, ended, clock=world.clock)
    world.aws.forget_calls()
    return begun


def revision(world: World, key: str = "web") -> str:
    """Return the ARN that a service is set to."""
    answer = world.ecs.describe_services(cluster=world.cluster, services=[world.specs[key].name])
    return str(answer["services"][0]["taskDefinition"])


def lock(world: World, claim: lease.Claim = CLAIM) -> None:
    steps = lease.acquire(world.account.dynamodb, worlds.LEDGER, claim, settings=config.Lock(), clock=world.clock)
    assert isinstance(next(steps), events.Locked)
    next(steps, None)
    world.aws.forget_calls()


def look(world: World) -> overview.Status:
    return overview.look(world.account, ENVIRONMENT, clock=world.clock)


def service(status: overview.Status, key: str = "web") -> overview.ServiceStatus:
    return next(one for one in status.services if one.service == key)


@pytest.fixture
def world() -> World:
    return worlds.world()


def test_environment_that_is_as_it_should_be(world: World) -> None:
    write(world, 1)
    status = look(world)
    web, job = status.services
    assert (web.service, web.state, web.desired, web.running, web.release) == ("web", "steady", 2, 2, 1)
    assert (web.commit, web.revision, web.drift, web.waits) == (worlds.COMMITS[1], f"{worlds.WEB}:1", "", ())
    assert web.tasks == overview.Tasks(healthy=2)
    assert web.targets == overview.Targets(healthy=2, total=2)
    assert (job.tasks, job.targets) == (overview.Tasks(unchecked=1), None)
    assert (status.unfinished, status.lock, status.hints, status.schedules) == ((), None, (), ())
    assert status.completed
    assert status.completed.number == 1
    assert status.url == "http://guestbook-stg.example.test"


def test_status_of_two_services_is_twelve_reads(world: World) -> None:
    write(world, 1)
    look(world)
    assert not world.aws.writes
    assert world.aws.calls == {
        "sts:GetCallerIdentity": 1,  # is it the right account
        "ssm:GetParameter": 1,  # the contract
        "ecs:DescribeServices": 1,  # of ten services
        "ecs:DescribeTaskDefinition": 4,  # what each runs, and its template: these revisions say no fingerprint
        "ecs:ListTasks": 1,
        "ecs:DescribeTasks": 1,  # of a hundred tasks
        "elbv2:DescribeTargetHealth": 1,  # of each target group
        "dynamodb:Query": 1,
        "dynamodb:GetItem": 1,  # the lock
    }


def test_status_of_many_services_asks_once_for_all_tasks() -> None:
    world = worlds.world(*worlds.many(20, tasks=3))
    look(world)
    calls = world.aws.calls
    assert (calls["ecs:DescribeServices"], calls["ecs:ListTasks"], calls["ecs:DescribeTasks"]) == (2, 1, 1)


def test_tasks_beyond_a_page_are_counted() -> None:
    world = worlds.world(*worlds.many(3, tasks=45))
    status = look(world)
    assert [one.tasks.unchecked for one in status.services] == [45, 45, 45]


def test_one_off_tasks_are_nobodys(world: World) -> None:
    world.ecs.run_task(cluster=world.cluster, taskDefinition=world.register("job", 2), networkConfiguration=NETWORK)
    world.clock.advance(30)
    assert service(look(world), "job").tasks == overview.Tasks(unchecked=1)


NETWORK = worlds.network()


def test_service_that_was_never_released_into_says_so() -> None:
    status = look(worlds.world(released=False))
    assert {one.state for one in status.services} == {"no release"}
    assert {one.drift for one in status.services} == {""}
    assert (status.completed, status.hints) == (None, ())


def test_service_at_zero_is_told_from_one_that_serves(world: World) -> None:
    world.update("job", desiredCount=0)
    world.settle()
    assert service(look(world), "job").state == "at zero"


def test_rollout_that_is_under_way_is_seen_task_by_task(world: World) -> None:
    write(world, 1)
    world.push(2)
    world.release("web", 2)
    world.clock.advance_until(lambda: len(world.ecs.services[worlds.WEB].deployments) > 1)
    world.clock.advance(5)
    web = service(look(world))
    assert (web.state, web.tasks.former, web.revision) == ("rolling out", 2, f"{worlds.WEB}:2")
    assert web.message


def test_age_is_that_of_the_deployment(world: World) -> None:
    before = service(look(world)).age_seconds
    world.clock.advance(3600)
    web = service(look(world))
    assert web.age_seconds == pytest.approx(before + 3600)
    assert web.since.startswith("2023-11-14T22:13")


def test_revision_that_somebody_deployed_by_hand_is_drift(world: World) -> None:
    write(world, 1)
    world.push(2)
    world.release("web", 2)
    world.settle()
    status = look(world)
    said = f"no release brought it; release 1, the last that completed, left {worlds.WEB}:1"
    assert (service(status).drift, service(status, "job").drift) == (said, "")
    assert status.hints == ("inv rollback --env stg --to 1",)


def test_drift_names_the_release_that_brought_it(world: World) -> None:
    write(world, 1)
    world.push(2)
    world.release("web", 2)
    world.settle()
    write(world, 2, "not restored")
    web = service(look(world))
    assert web.drift.startswith("release 2 (not restored) brought it; release 1")
    assert web.release == 2


def test_release_that_failed_and_went_back_is_no_drift(world: World) -> None:
    write(world, 1)
    write(world, 2, "rolled back", services={"web": f"{worlds.WEB}:7"})
    status = look(world)
    assert service(status).drift == ""
    assert (status.hints, status.unfinished) == ((), ())


def test_service_that_is_younger_than_the_last_release_is_no_drift(world: World) -> None:
    write(world, 1, services={"web": revision(world)})
    assert service(look(world), "job").drift == ""


def test_template_that_waits_is_said_with_the_command(world: World) -> None:
    write(world, 1)
    world.apply("web", cpu="512")
    status = look(world)
    assert service(status).waits == ("cpu",)
    assert service(status).template == f"{worlds.WEB}-template:2"
    assert status.hints == ("inv deploy --env stg",)


def test_targets_that_are_not_well_are_named(world: World) -> None:
    world.push(2)
    world.ecs.behave(image=worlds.digest("web", 2), unhealthy="elb")
    world.release("web", 2)
    targets = None
    while not (targets and targets.sick and targets.sick[0].state == "unhealthy"):
        world.clock.advance(5)
        targets = service(look(world)).targets
    assert targets.sick[0].reason == "Target.ResponseCodeMismatch"
    assert targets.healthy < targets.total


def test_targets_that_we_may_not_ask_about_are_said_to_be_unknown(world: World) -> None:
    world.aws.elbv2.refuse("describe_target_health", "AccessDenied")
    targets = service(look(world)).targets
    assert targets
    assert targets.unknown == "elasticloadbalancing:DescribeTargetHealth: AccessDenied"


# What is half done


def half_done(world: World, phase: str = "rolling out", **changes: Any) -> None:
    """Have web moved to release 2, and job not, by a release without an end."""
    write(world, 1)
    world.push(2)
    before = {key: revision(world, key) for key in world.specs}
    world.release("web", 2)
    world.settle()
    services = {"web": revision(world), "job": f"{worlds.JOB}:2"}
    known: dict[str, Any] = {"phase": phase, "services": services, "previous": before, "migration": {"state": "done"}}
    write(world, 2, "running", **{**known, **changes})


def test_release_that_was_killed_says_what_is_half_done(world: World) -> None:
    half_done(world)
    (found,) = look(world).unfinished
    assert (found.release, found.phase, found.under_way, found.by) == (2, "rolling out", False, CLAIM.by)
    assert found.done == (
        "the migration is done",
        f"web moved to {worlds.WEB}:2",
        f"job runs {worlds.JOB}:1, as before",
    )
    assert found.hint == "inv watch --env stg"
    assert service(look(world)).drift == ""


@pytest.mark.parametrize(
    ("phase", "commands"),
    [
        ("images", ("deploy",)),
        ("", ("deploy",)),
        ("migrating", ("deploy",)),
        ("rolling out", ("watch", "rollback")),
        ("watching", ("watch", "rollback")),
        ("detached", ("watch", "rollback")),
        ("scheduling", ("watch", "rollback")),
        ("proving", ("watch", "rollback")),
        ("going back", ("rollback",)),
    ],
)
def test_next_commands_are_those_of_the_phase(world: World, phase: str, commands: tuple[str, ...]) -> None:
    half_done(world, phase)
    to = {"rollback": " --to 1"}
    assert look(world).hints == tuple(f"inv {one} --env stg{to.get(one, '')}" for one in commands)


def test_first_release_has_nothing_to_go_back_to(world: World) -> None:
    write(world, 1, "running", phase="watching")
    assert look(world).hints == ("inv watch --env stg",)


def test_release_under_the_lock_is_under_way(world: World) -> None:
    half_done(world)
    lock(world)
    status = look(world)
    assert status.unfinished[0].under_way
    assert status.hints == ()
    assert status.lock
    assert (status.lock.name, status.lock.gone) == ("ada on laptop", False)


def test_release_whose_lock_ran_out_is_not_under_way(world: World) -> None:
    half_done(world)
    lock(world)
    world.clock.advance(100)
    status = look(world)
    assert not status.unfinished[0].under_way
    assert status.lock
    assert status.lock.gone
    assert status.hints == ("inv watch --env stg", "inv rollback --env stg --to 1")


def test_release_of_another_owner_than_the_lock_is_not_under_way(world: World) -> None:
    half_done(world, owner="somebody else")
    lock(world)
    assert not look(world).unfinished[0].under_way


def test_release_that_makes_its_images_has_changed_nothing(world: World) -> None:
    write(world, 1)
    write(world, 2, "running", phase="images")
    (found,) = look(world).unfinished
    assert found.done == ("nothing was changed: its images are being made, or that was given up",)


def test_service_that_somebody_else_moved_is_told_from_ours(world: World) -> None:
    half_done(world, services={"web": f"{worlds.WEB}:9"})
    (found,) = look(world).unfinished
    assert f"web is somebody else's: {worlds.WEB}:2" in found.done


def test_unfinished_release_is_forgotten_when_a_later_one_completed(world: World) -> None:
    write(world, 1, "running")
    write(world, 2)
    assert look(world).unfinished == ()


def test_completed_release_is_found_behind_pages_of_failed_ones(world: World) -> None:
    write(world, 1)
    for _ in range(ledger.PAGE + 3):
        entry = ledger.Entry(release="x", commit="f" * 40, environment="stg")
        begun = ledger.begin(world.account.dynamodb, worlds.LEDGER, entry, clock=world.clock)
        failed = replace(begun, verdict="failed")
        ledger.finish(world.account.dynamodb, worlds.LEDGER, failed, clock=world.clock)
    status = look(world)
    assert status.completed
    assert status.completed.number == 1


# Scheduled tasks


def test_scheduled_task_that_starts_something_else_is_drift(world: World) -> None:
    world.schedule(worlds.CLEANUP)
    starts = world.templates["cleanup"]
    write(world, 1, schedules={"cleanup": f"arn/{worlds.CLEANUP.name}:3"})
    (found,) = look(world).schedules
    assert (found.task, found.schedule, found.enabled) == ("cleanup", worlds.CLEANUP.name, False)
    assert found.revision == starts.rpartition("/")[2]
    assert found.drift.startswith("no release brought it")


def test_scheduled_task_of_a_release_half_done_is_told(world: World) -> None:
    world.schedule(worlds.CLEANUP)
    starts = world.templates["cleanup"]
    write(world, 1)
    write(world, 2, "running", phase="scheduling", schedules={"cleanup": starts}, previous_schedules={"cleanup": "x:1"})
    (found,) = look(world).unfinished
    assert found.done == (f"cleanup moved to {starts.rpartition('/')[2]}",)


# Refusals, the lock, the history


def test_wrong_account_is_refused(world: World) -> None:
    world.aws.sts.account_id = "999999999999"
    for ask in (
        look,
        lambda one: overview.past(one.account, ENVIRONMENT, limit=1),
        lambda one: overview.locked(one.account, ENVIRONMENT),
    ):
        with pytest.raises(RefusedError, match="999999999999"):
            ask(world)


def test_role_of_a_deploy_may_look_and_release_the_lock(world: World) -> None:
    world.schedule(worlds.CLEANUP)
    write(world, 1)
    lock(world)
    restricted(world)
    status = look(world)
    assert status.services[0].targets == overview.Targets(healthy=2, total=2)
    assert status.lock
    entries, _ = overview.past(world.account, ENVIRONMENT, limit=5)
    assert len(entries) == 1
    assert overview.broken(world.account, ENVIRONMENT, status.lock, by="cleo") == "stg: the lock is free"


def test_environment_without_a_ledger_has_a_status_but_no_history(world: World) -> None:
    world.aws.ssm.give(worlds.PARAMETER, json.dumps({**world.contract_document(), "ledger": ""}))
    status = look(world)
    assert (status.completed, status.lock, service(status).state) == (None, None, "steady")
    with pytest.raises(ContractError, match="has no ledger"):
        overview.past(world.account, ENVIRONMENT, limit=5)


def test_history_is_the_newest_first_and_reads_the_lock_only_for_what_has_no_end(world: World) -> None:
    for number in range(1, 5):
        write(world, number)
    entries, holder = overview.past(world.account, ENVIRONMENT, limit=3)
    assert [one.number for one in entries] == [4, 3, 2]
    assert (holder, world.aws.calls["dynamodb:GetItem"]) == (None, 0)
    write(world, 5, "running")
    lock(world)
    _, holder = overview.past(world.account, ENVIRONMENT, limit=3)
    assert holder
    assert holder.name == "ada on laptop"


@pytest.mark.parametrize("limit", [0, -1])
def test_history_of_no_releases_is_refused(world: World, limit: int) -> None:
    with pytest.raises(ConfigError, match="--limit"):
        overview.past(world.account, ENVIRONMENT, limit=limit)


def test_lock_of_a_living_run_is_only_taken_by_force(world: World) -> None:
    lock(world)
    by, holder = overview.locked(world.account, ENVIRONMENT)
    assert holder
    with pytest.raises(RefusedError, match="ada on laptop was alive") as refused:
        overview.may_break(ENVIRONMENT, holder, force=False)
    assert refused.value.hint.endswith("inv lock.release --env stg --force")
    assert overview.may_break(ENVIRONMENT, holder, force=True)
    assert overview.broken(world.account, ENVIRONMENT, holder, by=by) == "stg: the lock is free"
    assert overview.locked(world.account, ENVIRONMENT)[1] is None


def test_lock_that_ran_out_may_be_taken(world: World) -> None:
    lock(world)
    world.clock.advance(100)
    _, holder = overview.locked(world.account, ENVIRONMENT)
    assert holder
    assert overview.may_break(ENVIRONMENT, holder, force=False)


def test_lock_that_went_on_meanwhile_is_not_taken(world: World) -> None:
    lock(world)
    stranger = lease.Holder(owner="x", by="user/ben", host="ci")
    said = overview.broken(world.account, ENVIRONMENT, stranger, by="cleo")
    assert said == "stg: ben on ci does not have it any more"
