"""The logs of a task in CloudWatch Logs, found through the `awslogs` configuration of its task definition."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from deploylib.errors import AwsError

if TYPE_CHECKING:
    from types_boto3_logs.client import CloudWatchLogsClient

    from deploylib.taskdef import Definition

ABSENT = "ResourceNotFoundException"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """One container's log stream: `PREFIX/CONTAINER/TASK-ID` in a log group."""

    group: str
    name: str


@dataclass(slots=True, kw_only=True)
class Follower:
    """Reads a stream from its beginning, each call going on where the last one ended."""

    logs: CloudWatchLogsClient
    stream: Stream
    _token: str = field(default="", init=False)

    def lines(self) -> tuple[str, ...]:
        """Return the lines that have arrived since the last call; none while the stream does not exist yet.

        What was read before AWS was silent is returned; the next call goes on from there.
        """
        found: list[str] = []
        while True:
            try:
                page = self._page()
            except AwsError as error:
                if found and error.transient:
                    return tuple(found)
                raise
            found += [event.get("message", "").rstrip("\n") for event in page.get("events", ())]
            token = page.get("nextForwardToken", self._token)
            if token == self._token or not page.get("events"):
                self._token = token
                return tuple(found)
            self._token = token

    def _page(self) -> Any:
        more: dict[str, Any] = {"nextToken": self._token} if self._token else {}
        try:
            return self.logs.get_log_events(
                logGroupName=self.stream.group, logStreamName=self.stream.name, startFromHead=True, **more
            )
        except AwsError as error:
            if error.code == ABSENT:
                return {}
            raise


def stream(definition: Definition, container: str, task: str) -> Stream | None:
    """Return where *container* of the task with ARN *task* logs to, or None when it does not log to CloudWatch."""
    for one in definition["containerDefinitions"]:
        options = (one.get("logConfiguration") or {}).get("options") or {}
        if one["name"] == container and "awslogs-group" in options and "awslogs-stream-prefix" in options:
            name = f"{options['awslogs-stream-prefix']}/{container}/{task.rsplit('/', 1)[-1]}"
            return Stream(group=options["awslogs-group"], name=name)
    return None


def tail(logs: CloudWatchLogsClient, where: Stream | None, *, lines: int) -> tuple[str, ...]:
    """Return the last *lines* lines of a stream; nothing when there is none, or when we may not read it."""
    if where is None:
        return ()
    try:
        page = logs.get_log_events(logGroupName=where.group, logStreamName=where.name, limit=lines, startFromHead=False)
    except AwsError:  # a report without its log beats no report
        return ()
    return tuple(event.get("message", "").rstrip("\n") for event in page["events"])
