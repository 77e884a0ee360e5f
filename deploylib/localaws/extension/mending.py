"""Everything that is put in the place of MiniStack's own, in order: who wraps later is asked first."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ministack.core import container_reaper

from deploylib.localaws.extension import (
    access,
    addresses,
    alarms,
    caches,
    callers,
    codedeploy,
    databases,
    discovery,
    forwards,
    logs,
    network,
    observation,
    operations,
    patching,
    repeats,
    repositories,
    scaling,
    service_deployments,
    shutdown,
    targets,
)
from deploylib.localaws.extension.calls import CallLog
from deploylib.localaws.extension.images import Images
from deploylib.localaws.extension.services import Scheduler, service_of
from deploylib.localaws.extension.tasks import Runs, World

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploylib.localaws.extension.engine import Engine
    from deploylib.localaws.extension.settings import Settings


def mend(chosen: Settings, engine: Engine, bound: tuple[str, ...]) -> tuple[Scheduler, Runs]:
    """Mend MiniStack, and return what moves its services and its tasks; *bound* is where it listens."""
    book, scheduler = targets.Book(chosen.drain_max_seconds), Scheduler(chosen)
    runs = scheduler.runs = Runs(_world(chosen, engine, book, scheduler))
    installations: tuple[Callable[[], None], ...] = (
        partial(_label, chosen),
        partial(operations.install, engine, scheduler, runs),
        partial(service_deployments.install, scheduler),
        partial(targets.install, book),
        partial(addresses.install, chosen),
        repositories.install,
        partial(databases.install, chosen, engine, bound),
        alarms.install,
        caches.install,
        discovery.install,
        network.install,
        logs.install,
        scaling.install,
        forwards.install,
        partial(codedeploy.install, scheduler, chosen.codedeploy_minute_seconds),
        access.install,
        partial(callers.install, chosen.instance),
        repeats.install,
        partial(observation.install, CallLog(chosen.calls_file)),
        partial(shutdown.install, engine, scheduler, runs, keep_volumes=chosen.state_dir is not None),
    )
    for install in installations:
        install()
    return scheduler, runs


def _world(chosen: Settings, engine: Engine, book: targets.Book, scheduler: Scheduler) -> World:
    return World(
        settings=chosen,
        engine=engine,
        images=Images(engine, chosen.port),
        book=book,
        service_of=service_of,
        changed=scheduler.changed,
        failed=scheduler.failed,
        unhealthy=scheduler.unhealthy,
    )


def _label(chosen: Settings) -> None:
    @patching.wrap(container_reaper, "own_labels(service, extra)")
    def labelled(original: Callable[..., dict[str, str]], service: str, **extra: object) -> dict[str, str]:
        return {**original(service, **extra), **chosen.labels}
