"""A rollout as data: a world, what its containers do, what happens meanwhile, and what `rollout.watch` must say.

The keys of a case, all but `name` with a default:

    services      per key what `world.ServiceSpec` takes, and `deployment` (a deploymentConfiguration); one `web` of 2
    habits        what AWS leaves open (`services.Habits`)
    timing, old   how long AWS takes with new tasks, and with those of the former release (`tasks.Timing`)
    settings      the environment's [rollout]
    limit         the target's own time limit
    settle        how long its tasks have to stay
    ticking       the clock goes on while the code works, as real ones do
    behave        how containers of the new release (or `release`) behave: `tasks.Behaviour`, `service`, `times`;
                  `again`: those of the former release, from now on
    happens       what others do meanwhile: `at` seconds after the update, `do` (see DOINGS) and its arguments
    after         gates: service = the services that it waits for
    restart       the same revision is rolled out anew
    verdicts      what is expected of each service; one of several with "a|b"
    reason        a part of the reason of what is not done
    notices       a part of each thing that is said once, in order
    live          how many tasks of which release are left when the watch ends, "release:count" for each service
    within, after_seconds    how long the watch may take, and has to
    calls         at most so many calls
    raises        the code of the `AwsError` that ends the watch

Whatever the case: watching writes nothing, and what is done runs our revision with no older task left.
"""

from __future__ import annotations

import contextlib
import functools
import math
import random
import tomllib
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploylib import config, events, rollout
from deploylib.errors import AwsError
from tests.fakes import world as worlds
from tests.fakes.clock import Ticking
from tests.fakes.services import Habits
from tests.fakes.tasks import Timing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.fakes.door import FakeClient
    from tests.fakes.world import World

    Case = Mapping[str, Any]

FOLDER = Path(__file__).parent / "cases"
NEW = 2
SETTINGS: Mapping[str, Any] = {"timeout_seconds": 600.0, "poll_seconds": 3.0}


def cases() -> list[Case]:
    """Return every case of the folder."""
    found = [one for path in sorted(FOLDER.glob("*.toml")) for one in tomllib.loads(path.read_text())["case"]]
    names = [one["name"] for one in found]
    assert len(names) == len(set(names)), "two cases of one name"
    return found


@dataclass(kw_only=True)
class Played:
    """What became of a case."""

    world: World
    targets: dict[str, rollout.Target] = field(default_factory=dict)
    outcomes: dict[str, rollout.Outcome] = field(default_factory=dict)
    seen: list[events.Event] = field(default_factory=list)
    seconds: float = 0.0
    error: str = ""

    @property
    def notices(self) -> list[str]:
        return [one.message for one in self.seen if isinstance(one, events.Noticed)]


def play(case: Case) -> Played:
    """Set the scene, watch, and check what holds of every watch."""
    world = _world(case)
    played = Played(world=world)
    _behave(world, [one for one in case.get("behave", ()) if one.get("release", NEW) != 1 or one.get("again")])
    gates = case.get("after", {})
    revisions = {key: "" if case.get("restart") else world.register(key, NEW) for key in world.specs}
    for key in world.specs:
        if key not in gates:
            played.targets[key] = _start(world, key, revisions[key], case)
    _arrange(world, case.get("happens", ()))
    world.aws.forget_calls()
    world.clock.naps.clear()
    began = world.clock.monotonic()
    _watch(played, case, revisions)
    played.seconds = world.clock.monotonic() - began
    _check(played, case)
    return played


def _world(case: Case) -> World:
    wanted = case.get("services", {"web": {}})
    specs = [
        worlds.ServiceSpec(
            key=key,
            containers={"app": _role(key)},
            tasks=one.get("tasks", 2),
            checked=one.get("checked", False),
            **{name: value for name, value in one.items() if name not in ("tasks", "checked", "deployment", "count")},
        )
        for key, one in _several(wanted)
    ]
    world = worlds.World(tuple(specs))
    world.ecs.timing = Timing(**case.get("old", {}))
    for spec in specs:
        world.apply(spec.key)
        world.create(spec)
        if deployment := dict(_several(wanted))[spec.key].get("deployment"):
            world.update(spec.key, deploymentConfiguration=deployment)
    _behave(world, [one for one in case.get("behave", ()) if one.get("release") == 1 and not one.get("again")])
    for spec in specs:
        world.release(spec.key, 1, desiredCount=spec.tasks)
    world.settle()
    world.ecs.timing = Timing(**case.get("timing", {}))
    habits: dict[str, Any] = {
        key: math.inf if value == "inf" else value for key, value in case.get("habits", {}).items()
    }
    world.ecs.habits = Habits(**habits)
    return world


def _several(wanted: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """`count` of a service stands for so many of them."""
    return [
        (f"{key}{number}" if one.get("count") else key, one)
        for key, one in wanted.items()
        for number in range(one.get("count", 1))
    ]


def _behave(world: World, rules: Any) -> None:
    for one in rules:
        known = {key: value for key, value in one.items() if key not in ("service", "release", "again")}
        world.ecs.behave(image=worlds.digest(_role(one.get("service", "web")), one.get("release", NEW)), **known)


def _role(key: str) -> str:
    return "web" if key == "web" else "job"


def _start(world: World, key: str, revision: str, case: Case) -> rollout.Target:
    name = world.specs[key].name
    before = world.ecs.describe_services(cluster=world.cluster, services=[name])["services"][0]
    anew: dict[str, Any] = {"taskDefinition": revision} if revision else {"forceNewDeployment": True}
    answer = world.ecs.update_service(cluster=world.cluster, service=name, **anew)
    limit, settle = case.get("limit"), case.get("settle", 0.0)
    found = rollout.target(key, answer["service"], previous=before["taskDefinition"], limit_seconds=limit)
    return replace(found, settle_seconds=settle)


def _watch(played: Played, case: Case, revisions: Mapping[str, str]) -> None:
    world = played.world

    def gate(key: str) -> Callable[[], rollout.Target]:
        def start() -> rollout.Target:
            with _unnoticed(world):
                played.targets[key] = _start(world, key, revisions[key], case)
            return played.targets[key]

        return start

    starts = [
        rollout.Start(key=key, after=tuple(after), start=gate(key)) for key, after in case.get("after", {}).items()
    ]
    settings = config.Rollout(**{**SETTINGS, **case.get("settings", {})})
    clock = Ticking(world.clock) if case.get("ticking") else world.clock
    watching = rollout.watch(
        world.account, world.cluster, list(played.targets.values()), settings=settings, clock=clock, starts=starts
    )
    try:
        for one in watching:
            if isinstance(one, rollout.Outcome):
                played.outcomes[one.target.key] = one
            else:
                played.seen.append(one)
    except AwsError as error:
        played.error = error.code


# What others do


def _arrange(world: World, happenings: Any) -> None:
    for one in happenings:
        known = {key: value for key, value in one.items() if key not in ("at", "do")}
        world.clock.after(one["at"], functools.partial(_do, world, DOINGS[one["do"]], known))


def _do(world: World, doing: Callable[..., object], known: Mapping[str, Any]) -> None:
    with _unnoticed(world):
        doing(world, **known)


@contextlib.contextmanager
def _unnoticed(world: World) -> Iterator[None]:
    """Do what somebody else does: it is not in the log, and no fault hits it."""
    clients: tuple[FakeClient, ...] = (world.aws.ecs, world.aws.elbv2)
    faults, calls, logged = [one.fault for one in clients], Counter(world.aws.calls), len(world.aws.log)
    for one in clients:
        one.fault = None
    yield
    for one, fault in zip(clients, faults, strict=True):
        one.fault = one.fault or fault
    world.aws.calls.clear()
    world.aws.calls.update(calls)
    del world.aws.log[logged:]


def _update(world: World, service: str = "web", release: int = 3, **changes: Any) -> None:
    world.release(service, release, **changes)


def _return(world: World, service: str = "web") -> None:
    revision = world.ecs.services[world.specs[service].name].last_completed
    assert revision
    world.update(service, taskDefinition=revision.revision)


def _stop_tasks(world: World, count: int = 1, service: str = "web") -> None:
    mine = world.ecs.services[world.specs[service].name]
    for one in [one for one in mine.of(mine.primary) if one.wanted][:count]:
        world.ecs.stop_task(cluster=world.cluster, task=one.arn, reason="Task stopped by a person")


def _interrupt_spot(world: World, count: int = 1, service: str = "web") -> None:
    mine = world.ecs.services[world.specs[service].name]
    for one in [one for one in mine.of(mine.primary) if one.wanted][:count]:
        one.stop("SpotInterruption", "Your Spot Task was interrupted.")


def _stop_deployment(world: World, service: str = "web") -> None:
    answer = world.ecs.list_service_deployments(cluster=world.cluster, service=world.specs[service].name)
    arn = answer["serviceDeployments"][0]["serviceDeploymentArn"]
    world.ecs.stop_service_deployment(serviceDeploymentArn=arn, stopType="ROLLBACK")


def _cut(world: World, seconds: float, code: str = "EndpointConnectionError") -> None:
    until = world.clock.monotonic() + seconds
    for client in (world.aws.ecs, world.aws.elbv2):
        client.fault = lambda _: code if world.clock.monotonic() < until else ""


def _throttle(world: World, share: float, seed: int = 1) -> None:
    chance = random.Random(seed)  # noqa: S311  # the same faults in each run
    for client in (world.aws.ecs, world.aws.elbv2):
        client.fault = lambda _: "ThrottlingException" if chance.random() < share else ""


DOINGS: Mapping[str, Callable[..., object]] = {
    "update": _update,
    "return": _return,
    "force": lambda world, service="web": world.update(service, forceNewDeployment=True),
    "scale": lambda world, desired, service="web": world.update(service, desiredCount=desired),
    "delete": lambda world, service="web": world.ecs.delete_service(
        cluster=world.cluster, service=world.specs[service].name, force=True
    ),
    "rebalance": lambda world, service="web": world.ecs.services[world.specs[service].name].rebalance(),
    "alarm": lambda world, name: world.ecs.alarm(name),
    "fill": lambda world, seconds: world.ecs.fill(seconds),
    "stop tasks": _stop_tasks,
    "spot": _interrupt_spot,
    "stop deployment": _stop_deployment,
    "cut": _cut,
    "throttle": _throttle,
    "refuse": lambda world, operation, code, times=10_000: world.ecs.refuse(operation, code, times=times),
}


# What must hold


def _check(played: Played, case: Case) -> None:
    assert not played.world.aws.writes, "watching writes nothing"
    assert played.error == case.get("raises", "")
    for key, one in played.outcomes.items():
        _check_done(played, key) if one.verdict == "done" else None
    for key, verdict in case.get("verdicts", {}).items():
        got = played.outcomes.get(key)
        assert (got.verdict if got else "nothing") in verdict.split("|"), got
    reasons = [one.reason for one in played.outcomes.values() if one.verdict != "done"]
    assert all(case.get("reason", "") in one for one in reasons), reasons
    if "notices" in case:
        assert len(played.notices) == len(case["notices"]), played.notices
        assert all(part in one for part, one in zip(case["notices"], played.notices, strict=True)), played.notices
    for key, wanted in case.get("live", {}).items():
        live = {
            name.rpartition(":")[2]: count
            for name, count in played.world.ecs.live(played.world.specs[key].name).items()
        }
        assert live == {str(release): count for release, count in wanted.items()}
    assert case.get("after_seconds", 0) <= played.seconds <= case.get("within", 3600), played.seconds
    assert played.world.aws.calls.total() <= case.get("calls", 10_000), played.world.aws.calls


def _check_done(played: Played, key: str) -> None:
    """What is called done runs our revision, all of it, and nothing of another deployment is left."""
    target, service = played.targets[key], played.world.ecs.services[played.world.specs[key].name]
    assert service.primary.id == target.deployment
    assert sum(one.status == "RUNNING" for one in service.of(service.primary)) >= service.desired
    others = [one for one in service.tasks if one.started_by != target.deployment and one.status != "STOPPED"]
    assert not others, others
