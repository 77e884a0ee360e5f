"""The way back watched: each service until it serves its former revision again, whatever the network does."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import botocore.exceptions
import pytest

from deploylib import config, events, rollout
from deploylib.errors import TRANSIENT, AwsError
from tests.fakes import world as worlds

SETTINGS = config.Rollout(timeout_seconds=300, poll_seconds=3)
OF_BOTOCORE = {code for code in TRANSIENT if code.endswith("Error") and hasattr(botocore.exceptions, code)}


def sent_back(world: worlds.World, *keys: str) -> list[rollout.Target]:
    """Release 2, and send it back at once."""
    targets = []
    for key in keys:
        former = world.ecs.services[world.specs[key].name].primary.revision
        world.release(key, 2)
        answer = world.ecs.update_service(cluster=world.cluster, service=world.specs[key].name, taskDefinition=former)
        targets.append(rollout.target(key, answer["service"], previous=""))
    world.aws.forget_calls()
    return targets


def watch(world: worlds.World, targets: list[rollout.Target]) -> list[str]:
    return [
        one.service
        for one in rollout.watch_restored(world.account, world.cluster, targets, settings=SETTINGS, clock=world.clock)
        if isinstance(one, events.Restored)
    ]


def test_each_service_is_told_when_it_serves_again() -> None:
    world = worlds.world()
    assert sorted(watch(world, sent_back(world, "web", "job"))) == ["job", "web"]
    assert not world.aws.writes


def test_a_cut_network_is_endured_on_the_way_back() -> None:
    world = worlds.world()
    targets, cut = sent_back(world, "web"), world.clock.monotonic()
    world.ecs.fault = lambda _: "EndpointConnectionError" if world.clock.monotonic() - cut < 30 else ""
    assert watch(world, targets) == ["web"]
    assert world.clock.monotonic() - cut < 60


def test_throttling_is_endured_on_the_way_back() -> None:
    world = worlds.world()
    targets, numbers = sent_back(world, "web", "job"), count()
    world.ecs.fault = lambda _: "ThrottlingException" if next(numbers) % 3 else ""
    assert sorted(watch(world, targets)) == ["job", "web"]


def test_a_network_that_does_not_come_back_is_an_error() -> None:
    world = worlds.world()
    targets = sent_back(world, "web")
    world.ecs.fault = lambda _: "ConnectTimeoutError"
    with pytest.raises(AwsError):
        watch(world, targets)
    assert world.clock.monotonic() < 400


def test_a_refusal_on_the_way_back_is_an_error_at_once() -> None:
    world = worlds.world()
    targets, began = sent_back(world, "web"), world.clock.monotonic()
    world.ecs.fault = lambda _: "AccessDeniedException"
    with pytest.raises(AwsError):
        watch(world, targets)
    assert world.clock.monotonic() - began < 1


def test_what_does_not_come_back_is_left_out_after_the_limit() -> None:
    world = worlds.world()
    targets = sent_back(world, "web", "job")
    world.ecs.services[worlds.WEB].deploy(world.register("web", 3))
    began = world.clock.monotonic()
    assert watch(world, targets) == ["job"]
    assert 300 <= world.clock.monotonic() - began < 310


def test_the_longest_limit_of_a_target_counts_when_it_is_longer() -> None:
    world = worlds.world()
    (target,) = sent_back(world, "web")
    world.ecs.services[worlds.WEB].deploy(world.register("web", 3))
    began = world.clock.monotonic()
    assert watch(world, [replace(target, limit_seconds=500)]) == []
    assert 500 <= world.clock.monotonic() - began < 510


def test_what_botocore_calls_a_fault_of_the_network_exists_there() -> None:
    names = {"EndpointConnectionError", "ConnectionClosedError", "ReadTimeoutError", "ConnectTimeoutError", "SSLError"}
    assert names | {"ProxyConnectionError"} <= OF_BOTOCORE
