"""Settings and deploys: what is missing is found before a write, what changed is said, a refresh restarts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from deploylib import config, events, observe, plan, release
from deploylib.errors import (
    ConfigError,
    ContractError,
    NotRestoredError,
    RefusedError,
    RolledBackError,
    SupersededError,
)
from deploylib.serving import Answer
from tests.fakes import world as worlds

if TYPE_CHECKING:
    from deploylib.plan import Live
    from tests.fakes.world import World

FOLDER = f"/{worlds.APP}/{worlds.ENVIRONMENT}/settings"


def asking(world: World, key: str, *names: str) -> None:
    """Have Terraform give the first container of a service these settings."""
    containers = worlds.template_of(world.specs[key], world.repository)["containerDefinitions"]
    containers[0]["secrets"] += [{"name": name, "valueFrom": f"{FOLDER}/{name}"} for name in names]
    world.apply(key, containerDefinitions=containers)


def have(world: World, *names: str) -> None:
    for name in names:
        world.aws.ssm.give(f"{FOLDER}/{name}", "s3cret", kind="SecureString")


def running(*names: str, web: worlds.ServiceSpec = worlds.SERVICES[0]) -> World:
    """Return a world whose web tasks were started with these settings, some time ago."""
    world = worlds.world(web, worlds.SERVICES[1])
    have(world, *names)
    asking(world, "web", *names)
    world.release("web", 1)
    world.settle()
    world.clock.advance(60)
    world.aws.forget_calls()
    return world


def live(world: World) -> Live:
    return observe.with_settings(world.account, observe.live(world.account, world.contract))


def planned(world: World, number: int = 1) -> plan.Plan:
    return plan.plan_release(
        worlds.environment(migration=None),
        live(world),
        worlds.image_plans(number),
        commit=worlds.COMMITS[number],
        dirty=False,
        release=f"release-{number}",
    )


def refreshing(world: World, *chosen: str, every: bool = False, **changes: Any) -> release.Release:
    environment = worlds.environment(**changes)
    proposed = release.propose_restart(environment, world.account, chosen, every=every, clock=world.clock)
    return replace(proposed, get=lambda _: Answer(status=200, body="whatever commit"))


def actions(found: plan.Plan) -> list[tuple[str, str, str]]:
    return [(one.key, one.action, one.reason) for one in found.services]


# What a deploy finds


def test_an_environment_whose_tasks_read_no_parameter_costs_no_call() -> None:
    world = worlds.world()
    live(world)
    assert set(world.aws.calls) == {"ecs:DescribeServices", "ecs:DescribeTaskDefinition"}


def test_settings_cost_one_call_for_ten_and_are_not_decrypted() -> None:
    world = running(*(f"S{number}" for number in range(12)))
    found = live(world)
    assert world.aws.calls["ssm:GetParameters"] == 2
    assert not any(one.request.get("WithDecryption") for one in world.aws.log)
    assert "ecs:ListTasks" not in world.aws.calls
    assert [(one.changed, one.missing, one.lost) for one in found.services] == [((), (), ())] * 2


def test_a_missing_setting_stops_a_deploy_before_anything_is_written_and_says_how_to_set_it() -> None:
    world = running("TOKEN")
    asking(world, "web", "TOKEN", "SALT", "PEPPER")
    world.aws.forget_calls()
    with pytest.raises(RefusedError, match="stg: 2 parameters are missing, so that no new task could start") as refused:
        planned(world, 2)
    assert str(refused.value).splitlines()[1:] == [
        f"  web/app: SALT ({FOLDER}/SALT)",
        f"  web/app: PEPPER ({FOLDER}/PEPPER)",
    ]
    assert (refused.value.hint, refused.value.exit_code) == ("inv params.set SALT --env stg", 3)
    assert world.aws.wrote == (), "nothing but what Terraform wrote before"


def test_a_missing_parameter_that_is_no_setting_is_terraform_s() -> None:
    world = running()
    containers = worlds.template_of(world.specs["web"], world.repository)["containerDefinitions"]
    arn = f"arn:aws:ssm:{worlds.REGION}:{worlds.ACCOUNT_ID}:parameter/guestbook/stg/hosts/search"
    containers[0]["secrets"].append({"name": "SEARCH", "valueFrom": arn})
    world.apply("web", containerDefinitions=containers)
    with pytest.raises(RefusedError, match=r"web/app: SEARCH \(/guestbook/stg/hosts/search\)") as refused:
        planned(world, 2)
    assert refused.value.hint == "inv infra.apply --env stg"


def test_a_setting_that_only_the_former_template_names_may_go() -> None:
    world = running("OLD")
    asking(world, "web")
    del world.aws.ssm.parameters[f"{FOLDER}/OLD"]
    assert [one.action for one in planned(world).services] == ["update", "unchanged"]


def test_a_setting_that_changed_since_the_tasks_started_is_said_with_the_command() -> None:
    world = running("TOKEN", "SALT")
    have(world, "SALT")
    found = planned(world)
    assert found.nothing_to_do
    assert found.notices == ("web: SALT changed since its tasks started: inv refresh --env stg",)


def test_a_deploy_that_starts_new_tasks_anyway_says_nothing_of_it() -> None:
    world = running("TOKEN")
    have(world, "TOKEN")
    assert planned(world, 2).notices == ()


def test_a_setting_that_was_removed_under_running_tasks_is_said() -> None:
    world = running("TOKEN")
    del world.aws.ssm.parameters[f"{FOLDER}/TOKEN"]
    (notice,) = planned(world).notices
    assert notice == "web: no task of it could start, TOKEN is missing: inv params.set TOKEN --env stg"


def test_tasks_that_started_after_the_change_have_read_it() -> None:
    """All tasks of the deployment were replaced since: the deployment is older than the setting, but they are not."""
    world = running("TOKEN")
    have(world, "TOKEN")
    world.clock.advance(5)
    for task in list(world.ecs.services[worlds.WEB].tasks):
        world.ecs.stop_task(cluster=world.cluster, task=task.arn)
    world.settle()
    assert [one.changed for one in live(world).services] == [(), ()]


def test_one_task_that_is_older_is_enough() -> None:
    world = running("TOKEN")
    have(world, "TOKEN")
    world.clock.advance(5)
    world.ecs.stop_task(cluster=world.cluster, task=world.ecs.services[worlds.WEB].tasks[0].arn)
    world.settle()
    assert [one.changed for one in live(world).services] == [("TOKEN",), ()]


def test_who_reads_a_setting_is_told_by_what_runs() -> None:
    world = running("TOKEN")
    readers = observe.readers(world.account, worlds.environment())
    assert readers == {"TOKEN": ("web/app",)}


def test_who_reads_a_setting_is_also_told_by_the_configuration() -> None:
    world = running("TOKEN")
    terraform = {"services": {"job": {"containers": {"worker": {"settings": ["TOKEN", "NEW"]}}}}}
    found = observe.readers(world.account, worlds.environment(terraform=terraform))
    assert found == {"TOKEN": ("job/worker", "web/app"), "NEW": ("job/worker",)}


# What a refresh plans


def test_a_refresh_restarts_the_services_whose_settings_changed() -> None:
    world = running("TOKEN")
    have(world, "TOKEN")
    found = refreshing(world).plan
    assert actions(found) == [
        ("web", "restart", "TOKEN changed since its tasks started"),
        ("job", "unchanged", "its tasks have the settings as they are"),
    ]
    assert (found.images, found.migration, found.commit) == ((), None, worlds.COMMITS[1])


def test_without_a_change_a_refresh_has_nothing_to_do() -> None:
    assert refreshing(running("TOKEN")).plan.nothing_to_do


@pytest.mark.parametrize(
    ("chosen", "every", "restarted"),
    [(("job",), False, ["job"]), ((), True, ["web", "job"]), (("web",), False, ["web"])],
)
def test_services_can_be_chosen(chosen: tuple[str, ...], every: bool, restarted: list[str]) -> None:  # noqa: FBT001
    world = running("TOKEN")
    have(world, "TOKEN")
    assert [one.key for one in refreshing(world, *chosen, every=every).plan.moving] == restarted


def test_a_service_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(ConfigError, match="stg has no service 'api'") as refused:
        refreshing(running(), "api", "web")
    assert refused.value.hint == "it has web, job"


def test_what_runs_nothing_is_not_restarted() -> None:
    world = worlds.world(released=False)
    assert refreshing(world, every=True).plan.nothing_to_do
    world = running()
    world.update("job", desiredCount=0)
    assert [one.key for one in refreshing(world, every=True).plan.moving] == ["web"]


def test_a_rollout_under_way_is_not_disturbed() -> None:
    world = running("TOKEN")
    world.release("web", 2)
    with pytest.raises(RefusedError, match="web: a deployment of guestbook-stg-web:3 is under way"):
        refreshing(world, every=True)


def test_a_restart_that_could_not_start_is_refused() -> None:
    world = running("TOKEN")
    del world.aws.ssm.parameters[f"{FOLDER}/TOKEN"]
    with pytest.raises(RefusedError, match="stg: 1 parameter is missing") as refused:
        refreshing(world, "web")
    assert refused.value.hint == "inv params.set TOKEN --env stg"
    assert world.aws.writes == ()


def test_an_environment_that_was_never_applied_says_to_apply() -> None:
    world = worlds.world()
    del world.aws.ssm.parameters[worlds.PARAMETER]
    with pytest.raises(ContractError):
        refreshing(world)


# What a refresh does


def test_a_refresh_replaces_every_task_and_changes_nothing_else() -> None:
    world = running("TOKEN")
    have(world, "TOKEN")
    before = {key: {task.arn for task in world.ecs.services[key].tasks} for key in (worlds.WEB, worlds.JOB)}
    proposed = refreshing(world, serving=config.Serving(contains="{commit}"))
    world.aws.forget_calls()
    seen = list(release.restart(proposed))
    assert [one.request for one in world.ecs.writes] == [
        {"cluster": world.cluster, "service": worlds.WEB, "forceNewDeployment": True}
    ]
    now = {key: {task.arn for task in world.ecs.services[key].tasks if task.wanted} for key in before}
    assert not now[worlds.WEB] & before[worlds.WEB]
    assert now[worlds.JOB] == before[worlds.JOB]
    assert [type(one).__name__ for one in seen if not isinstance(one, events.Progressed)] == [
        "Locked",
        "RolloutStarted",
        "Drained",
        "Served",
        "Completed",
    ]
    assert refreshing(world).plan.nothing_to_do


def test_a_refresh_is_done_when_the_last_old_task_has_stopped() -> None:
    """Old and new tasks are of one revision: only the deployment tells them apart."""
    world = running("TOKEN")
    have(world, "TOKEN")
    old = list(world.ecs.services[worlds.WEB].tasks)
    list(release.restart(refreshing(world)))
    assert {one.status for one in old} == {"STOPPED"}


def test_a_refresh_that_fails_is_rolled_back_by_ecs_and_the_old_tasks_serve() -> None:
    world = running("TOKEN")
    have(world, "TOKEN")
    proposed = refreshing(world)
    old = {task.arn for task in world.ecs.services[worlds.WEB].tasks if task.wanted}
    world.ecs.behave(image=worlds.digest("web", 1), exits=1, after_seconds=0.2, log=("TOKEN is no token",))
    with pytest.raises(RolledBackError, match="web: rolled back") as failed:
        list(release.restart(proposed))
    assert failed.value.hint == "correct the settings (inv params.list --env stg), and repeat inv refresh --env stg"
    world.settle()
    assert {task.arn for task in world.ecs.services[worlds.WEB].tasks if task.wanted} == old


def test_a_refresh_that_fails_where_ecs_does_not_roll_back_needs_a_person() -> None:
    web = replace(worlds.SERVICES[0], rollback=False)
    world = running("TOKEN", web=web)
    have(world, "TOKEN")
    proposed = refreshing(world)
    world.ecs.behave(image=worlds.digest("web", 1), exits=1, after_seconds=0.2)
    with pytest.raises(NotRestoredError, match="web does NOT serve the previous release"):
        list(release.restart(proposed))


def test_a_refresh_that_somebody_takes_over_is_superseded() -> None:
    world = running("TOKEN")
    have(world, "TOKEN")
    proposed = refreshing(world)
    world.clock.after(1, lambda: world.release("web", 2))
    with pytest.raises(SupersededError):
        list(release.restart(proposed))


def test_a_refresh_of_what_has_been_released_since_is_refused() -> None:
    world = running("TOKEN")
    have(world, "TOKEN")
    proposed = refreshing(world)
    world.release("web", 2)
    world.settle()
    world.clock.advance(60)
    world.aws.forget_calls()
    with pytest.raises(RefusedError, match="the plan was made on guestbook-stg-web:2"):
        list(release.restart(proposed))
    assert world.aws.writes == ()
