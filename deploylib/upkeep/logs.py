"""The logs of services: the lines of all their tasks, also of those that have stopped, in the order of their times.

FilterLogEvents reads a whole log group, so that a task that starts or dies meanwhile is not missed. A line may arrive
after later ones (each container sends in batches of its own): whoever follows looks back a little each time, and shows
nothing twice.
"""

from __future__ import annotations

import datetime as dt
import heapq
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deploylib import aws, observe
from deploylib.errors import AwsError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from deploylib.aws import Account
    from deploylib.clock import Clock
    from deploylib.config import Environment
    from deploylib.contract import Contract

POLL_SECONDS = 2.0  # an account may call FilterLogEvents some ten times a second; each service takes one call a look
LATE_SECONDS = 15.0  # awslogs sends every five seconds, and CloudWatch Logs takes its time
PATIENCE_SECONDS = 60.0
ABSENT = "ResourceNotFoundException"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line: when it was printed (milliseconds since the epoch), by which container of which task of *service*."""

    at: int
    id: str
    service: str
    container: str
    task: str
    message: str

    @property
    def time(self) -> str:
        """When it was printed, as ISO 8601, UTC, to the millisecond."""
        at = dt.datetime.fromtimestamp(self.at / 1000, dt.UTC)
        return f"{at:%Y-%m-%dT%H:%M:%S}.{self.at % 1000:03}Z"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where the lines of *service* are; those of one *container* alone when that is not empty."""

    service: str
    group: str
    container: str = ""


def sources(
    account: Account, environment: Environment, services: Sequence[str] = (), *, container: str = ""
) -> tuple[Source, ...]:
    """Return where the lines of *services* (and scheduled tasks) are; of all services when none is named.

    Raises `ConfigError` for one that is not there, or that has no log group.
    """
    aws.guard(account, environment)
    contract = observe.contract(account, environment)
    return tuple(_source(environment, contract, one, container) for one in services or contract.services)


def read(account: Account, sources: Sequence[Source], *, since_seconds: float, clock: Clock = time) -> Iterator[Line]:
    """Yield the lines of the last *since_seconds*, of all sources together, oldest first."""
    since = _milliseconds(clock.time() - since_seconds)
    yield from heapq.merge(*(_lines(account, one, since) for one in sources), key=_order)


def follow(account: Account, sources: Sequence[Source], *, since_seconds: float, clock: Clock = time) -> Iterator[Line]:
    """Yield the lines as `read` does, and go on with those that come, until somebody stops it.

    AWS may be silent for a minute; then its `AwsError` is raised.
    """
    since = _milliseconds(clock.time() - since_seconds)
    seen: dict[str, int] = {}
    heard_at = clock.monotonic()
    while True:
        try:
            for line in heapq.merge(*(_lines(account, one, since) for one in sources), key=_order):
                if line.id not in seen:
                    seen[line.id] = line.at
                    yield line
            heard_at = clock.monotonic()
        except AwsError as error:
            if not error.transient or clock.monotonic() - heard_at >= PATIENCE_SECONDS:
                raise
        since = max(since, max(seen.values(), default=since) - _milliseconds(LATE_SECONDS))
        seen = {name: at for name, at in seen.items() if at >= since}
        clock.sleep(POLL_SECONDS)


def _source(environment: Environment, contract: Contract, key: str, container: str) -> Source:
    known = contract.tasks
    if key not in known:
        said = f"{environment.name} has no service or scheduled task {key!r}"
        raise ConfigError(said, hint=f"it has {', '.join(known)}")
    if not known[key].log_group:
        hint = f"inv infra.apply --env {environment.name}"
        raise ConfigError(f"the contract names no log group of {key}", hint=hint)
    return Source(service=key, group=known[key].log_group, container=container)


def _lines(account: Account, source: Source, since: int) -> Iterator[Line]:
    """Yield what *source* has from *since* on; nothing while its log group is not there."""
    try:
        for one in _events(account, source.group, since):
            line = _line(source.service, one)
            if source.container in ("", line.container):
                yield line
    except AwsError as error:
        if error.code != ABSENT:
            raise


def _events(account: Account, group: str, since: int) -> Iterator[Any]:
    pages = account.logs.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=since)
    for page in pages:
        yield from page.get("events", ())


def _line(service: str, event: Any) -> Line:
    """Return what one event says; the awslogs driver names a stream PREFIX/CONTAINER/TASK."""
    stream = str(event.get("logStreamName", ""))
    _, _, rest = stream.partition("/")
    container, _, task = rest.rpartition("/")
    return Line(
        at=int(event["timestamp"]),
        id=str(event["eventId"]),
        service=service,
        container=container,
        task=task or stream,
        message=str(event.get("message", "")).rstrip("\n"),
    )


def _order(line: Line) -> int:
    return line.at


def _milliseconds(seconds: float) -> int:
    return int(seconds * 1000)
