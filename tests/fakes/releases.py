"""Releases of the small world, as `inv deploy`, `inv rollback` and `inv watch` are about to execute them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from deploylib import events, ledger, observe, plan, release
from deploylib.release import proposing
from deploylib.serving import Answer
from tests.fakes import world as worlds

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from tests.fakes.world import World

QUIET = (events.Progressed, events.MigrationLogged, events.Locked)


def ready(digests: Mapping[str, str]) -> Generator[events.Event, None, Mapping[str, str]]:
    """Images that the registry has."""
    yield from ()
    return digests


def proposed(world: World, number: int = 2, *, irreversible: bool = False, **changes: Any) -> release.Release:
    """Return what `inv deploy` of that commit would be about to execute."""
    environment, account = worlds.environment(**changes), world.account
    past = observe.past(account, world.contract)
    live = observe.with_registered(account, observe.live(account, world.contract), past.resumable)
    limits = observe.limits(account, environment, live)
    made = plan.plan_release(
        environment,
        live,
        worlds.image_plans(number),
        commit=worlds.COMMITS[number],
        dirty=False,
        release=f"release-{number}",
        recorded=past.recorded or None,
        beside=plan.Beside(limits=limits, unfinished=past.resumable, irreversible=irreversible),
    )
    world.aws.forget_calls()
    return release.Release(
        plan=made,
        environment=environment,
        account=account,
        clock=world.clock,
        observed_at=world.clock.monotonic(),
        get=lambda _: Answer(status=200, body=worlds.COMMITS[number]),
        by="arn:aws:iam::111111111111:user/ada",
        last=past.recent.completed,
        unfinished=past.abandoned,
        anew=proposing._anew,
    )


def run(one: release.Release, number: int = 2, *, answer: str | None = None) -> list[events.Event]:
    """Execute to the end; *answer* is what a person says to every question."""
    seen: list[events.Event] = []
    drive(one, seen, number, answer=answer)
    return seen


def drive(
    one: release.Release, seen: list[events.Event], number: int = 2, *, answer: str | None = None
) -> list[events.Event]:
    """Execute, and keep each event in *seen* before anything can fail."""
    steps = release.execute(one, ready(worlds.digests(number)))
    said = None
    while True:
        try:
            event = steps.send(said)
        except StopIteration:
            return seen
        seen.append(event)
        said = answer if isinstance(event, events.Question) else None


def deployed(world: World, number: int, **changes: Any) -> ledger.Entry:
    """Release, let everything settle, and return what the ledger says."""
    run(proposed(world, number, **changes), number)
    world.settle()
    return recorded(world)


def failing(
    one: release.Release, kind: type[BaseException], number: int = 2, *, answer: str | None = None
) -> tuple[list[events.Event], Any]:
    """Execute to the failure that is expected; return the events before it, and the failure."""
    seen: list[events.Event] = []
    with pytest.raises(kind) as failure:
        drive(one, seen, number, answer=answer)
    return seen, failure.value


def kinds(seen: list[events.Event]) -> list[str]:
    """Return the names of the events, without those that only tell how it goes."""
    return [type(one).__name__ for one in seen if not isinstance(one, QUIET)]


def wrote(world: World) -> tuple[str, ...]:
    """What was written, the ledger and the lock apart."""
    return tuple(one for one in world.aws.wrote if one not in {"update_item", "put_item", "delete_item"})


def recorded(world: World) -> ledger.Entry:
    """The newest release in the ledger."""
    return ledger.entries(world.account.dynamodb, worlds.LEDGER)[0]
