"""Hooks, the smoke check and notifications within whole releases: when they come, and what their failing leaves."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from deploylib import config, events, notify, release
from deploylib.errors import RefusedError, RolledBackError
from deploylib.notify import Message
from deploylib.serving import Answer
from tests.fakes import world as worlds
from tests.fakes.releases import failing, kinds, proposed, ready, recorded, run, wrote

if TYPE_CHECKING:
    from pathlib import Path

    from deploylib.notify import Channel
    from tests.fakes.world import World

TELL = ("sh", "-c", "echo $DEPLOY_HOOK release $DEPLOY_RELEASE $DEPLOY_ACTION")
FAIL = ("sh", "-c", "echo it is Friday; exit 1")
HOOKS = ("before_build", "after_build", "before_migrate", "after_migrate", "before_deploy", "after_deploy")


def hooked(world: World, root: Path, **changed: tuple[str, ...]) -> release.Release:
    """Return a release that builds its images, in a project that has every hook."""
    commands: dict[str, Any] = {**dict.fromkeys(HOOKS, TELL), **changed}
    one = proposed(world, root=root, hooks=config.Hooks(**commands))
    images = tuple(replace(image, action="build") for image in one.plan.images)
    return replace(one, plan=replace(one.plan, images=images))


def order(seen: list[events.Event]) -> list[str]:
    """Return the hooks, and the steps that they stand around, as they came."""
    steps = (events.Began, events.Registered, events.Migrated, events.RolloutStarted, events.Drained)
    found: list[str] = []
    for one in seen:
        name = one.hook if isinstance(one, events.HookStarted) else type(one).__name__
        if isinstance(one, (events.HookStarted, *steps)) and name not in found:
            found.append(name)
    return found


def test_hooks_stand_around_their_steps(tmp_path: Path) -> None:
    world = worlds.world()
    seen = run(hooked(world, tmp_path))
    assert order(seen) == [
        "Began",
        "before_build",
        "after_build",
        "Registered",
        "before_migrate",
        "Migrated",
        "after_migrate",
        "before_deploy",
        "RolloutStarted",
        "Drained",
        "after_deploy",
    ]
    number = recorded(world).number
    said = [one.line for one in seen if isinstance(one, events.HookLogged)]
    assert said == [f"{hook} release {number} release" for hook in HOOKS]


REFUSALS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("before_build", ()),
    ("before_migrate", ("register_task_definition",)),
    ("before_deploy", ("register_task_definition", "run_task")),
)


@pytest.mark.parametrize(("hook", "left"), REFUSALS, ids=[case[0] for case in REFUSALS])
def test_hook_that_refuses_leaves_every_service_as_it_is(hook: str, left: tuple[str, ...], tmp_path: Path) -> None:
    world = worlds.world()
    _, failure = failing(hooked(world, tmp_path, **{hook: FAIL}), RefusedError)
    assert "it is Friday" in str(failure)
    assert set(wrote(world)) == set(left)
    assert recorded(world).verdict == "failed"


def test_hook_after_the_deploy_that_fails_changes_nothing(tmp_path: Path) -> None:
    world = worlds.world()
    seen = run(hooked(world, tmp_path, after_deploy=FAIL))
    assert kinds(seen)[-2:] == ["Noticed", "Completed"]
    assert recorded(world).verdict == "completed"


def test_release_goes_back_when_one_of_several_requests_has_the_wrong_answer() -> None:
    world = worlds.world()
    serving = config.Serving(
        path="/version", contains="{commit}", also=(config.Request(path="/health"),), timeout_seconds=5
    )

    def get(url: str, /) -> Answer:
        return Answer(status=500 if url.endswith("/health") else 200, body=worlds.COMMITS[2])

    seen, failure = failing(replace(proposed(world, serving=serving), get=get), RolledBackError)
    assert "/health answers 500" in str(failure)
    assert {one.service for one in seen if isinstance(one, events.Restored)} == {"web", "job"}
    assert recorded(world).verdict == "rolled back"


def test_release_that_goes_back_is_told_with_what_serves_now() -> None:
    world, got = worlds.world(), list[Message]()
    serving = config.Serving(path="/version", timeout_seconds=5)
    told = (config.Notification(variable="CHAT", mention="@here"),)
    one = replace(proposed(world, serving=serving, notifications=told), get=lambda _: Answer(status=503))

    def keep(_: Channel, message: Message, /) -> str:
        got.append(message)
        return ""

    steps = notify.told(
        release.execute(one, ready(worlds.digests(2))),
        one.environment,
        one.account,
        one.plan,
        by=one.by,
        clock=time,
        variables={"CHAT": "x"},
        send=keep,
    )
    with pytest.raises(RolledBackError):
        list(steps)
    assert [message.kind for message in got] == ["started", "rolled back"]
    assert got[0].body == "started by ada: web, job"
    assert "web serves the previous release" in got[1].body
