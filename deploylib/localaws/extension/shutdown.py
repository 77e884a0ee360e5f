"""Leave nothing behind: no container at the end, and none of a previous run at the start."""

from __future__ import annotations

import contextlib
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from docker.errors import DockerException
from ministack import app

from deploylib.localaws.extension import patching, pause
from deploylib.localaws.extension.tasks import GOING_DOWN

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploylib.localaws.extension.engine import Engine
    from deploylib.localaws.extension.services import Scheduler
    from deploylib.localaws.extension.tasks import Runs

CREATION_SECONDS = 20.0
TASKS_SECONDS = 15.0
AT_ONCE = 8

logger = logging.getLogger("localaws.shutdown")


def install(engine: Engine, scheduler: Scheduler, runs: Runs, *, keep_volumes: bool) -> None:
    """Do both in the place of MiniStack's own sweep, which races with its service scheduler."""

    @patching.wrap(app, "_stop_docker_containers(include_unlabelled)")
    def sweep(original: Callable[..., Any], include_unlabelled: bool = False) -> None:  # noqa: FBT001, FBT002 - its own
        if not include_unlabelled:  # the end; at the start it says True
            scheduler.close()
            engine.gate.close(CREATION_SECONDS)
            runs.stop_all(GOING_DOWN, TASKS_SECONDS)
        # Never the containers that carry no owner's label: they may be another MiniStack's.
        original(False)
        remove_all(engine, keep_volumes=keep_volumes)


def remove_all(engine: Engine, *, keep_volumes: bool) -> None:
    """Remove every container of this emulator, its volumes unless they hold a kept state, and the pause image."""
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        list(pool.map(engine.remove, engine.containers()))
    for volume in () if keep_volumes else engine.volumes():
        try:
            engine.client.volumes.get(volume).remove(force=True)
        except DockerException as error:
            logger.warning("volume %s could not be removed: %s", volume, error)
    with contextlib.suppress(DockerException):  # not there, or another emulator's tasks use it
        engine.client.images.remove(pause.IMAGE)
