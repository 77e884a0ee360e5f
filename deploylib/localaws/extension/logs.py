"""A container's output in CloudWatch Logs: sent line by line, and found again by its stream's prefix."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from ministack.core.responses import request_scope
from ministack.services import cloudwatch_logs, ecs

from deploylib.localaws.extension import patching

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from deploylib.localaws.extension.engine import Engine

EXIT_POLL_SECONDS = 0.02

logger = logging.getLogger("localaws.logs")


class LogGroupMissingError(Exception):
    """The log group of a container does not exist."""


def install() -> None:
    """Make FilterLogEvents heed `logStreamNamePrefix`: MiniStack answers with the whole group."""
    patching.require(cloudwatch_logs, "_log_groups", "_resolve_log_group_name")

    @patching.wrap(cloudwatch_logs, "_filter_log_events(data)")
    def filtered(original: Callable[..., Any], data: dict[str, Any]) -> Any:
        group = cloudwatch_logs._log_groups.get(cloudwatch_logs._resolve_log_group_name(data))
        prefix = data.get("logStreamNamePrefix")
        if not prefix or group is None:
            return original(data)
        names = [name for name in list(group["streams"]) if name.startswith(prefix)]
        if not names:  # to MiniStack an empty list is every stream
            return cloudwatch_logs.json_response({"events": [], "searchedLogStreams": []})
        return original({**data, "logStreamNames": names})


def destination(container: Mapping[str, Any], task_id: str, identifier: str) -> dict[str, Any] | None:
    """Return where a container's output goes, or None; its stream is made."""
    config = ecs._awslogs_config(container, task_id, identifier)
    if config and not ecs._ensure_awslogs_stream(config):
        raise LogGroupMissingError(config["group"])
    return config


def forward(engine: Engine, identifier: str, config: dict[str, Any], account: str, region: str) -> None:
    """Send a container's output until it exits."""
    with request_scope(account, config["region"] or region):
        try:
            for line in lines(_output(engine, identifier)):
                ecs._emit_awslogs_event(config, line)
        except Exception as error:  # noqa: BLE001 - whatever ends the stream ends only the stream
            logger.warning("the output of %s is cut off: %s", identifier[:12], error)


def _output(engine: Engine, identifier: str) -> Iterator[bytes]:
    """Follow a container's output. The engine may end the stream before the last piece: that is read afterwards."""
    known = 0
    for chunk in engine.client.api.logs(identifier, stream=True, follow=True):
        known += len(chunk)
        yield chunk
    while engine.inspect(identifier).get("State", {}).get("Running"):
        time.sleep(EXIT_POLL_SECONDS)
    for chunk in engine.client.api.logs(identifier, stream=True):
        yield chunk[known:]
        known = max(0, known - len(chunk))


def lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Cut *chunks* into lines: a chunk may hold several, or only a part of one."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (_text(line) for line in whole)
    if rest:
        yield _text(rest)


def _text(line: bytes) -> str:
    return line.rstrip(b"\r").decode("utf-8", errors="replace")
