"""CloudWatch Logs: streams that appear when a container starts, and lines that arrive late."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from tests.fakes.door import FakeClient, Refused, Response, operation

PAGE = 10_000


@dataclass(slots=True, kw_only=True)
class Stream:
    """One log stream: (visible at, printed at, line)."""

    lines: list[tuple[float, float, str]] = field(default_factory=list)


class FakeLogs(FakeClient):
    """The `logs` client. `late_seconds`: so long after it was printed does a line arrive (awslogs sends in batches)."""

    service: ClassVar[str] = "logs"

    def __init__(self, clock: Any, **shared: Any) -> None:
        super().__init__(clock, **shared)
        self.groups: set[str] = set()
        self.late_seconds = 1.0
        self.page = PAGE
        self._streams: dict[tuple[str, str], Stream] = {}

    def create(self, group: str, stream: str) -> None:
        """Create the stream, if its group is there: without it the awslogs driver drops what it gets."""
        if group in self.groups:
            self._streams.setdefault((group, stream), Stream())

    def print(self, group: str, stream: str, line: str) -> None:
        """Have *line* printed now."""
        printed = self.clock.monotonic()
        if found := self._streams.get((group, stream)):
            found.lines.append((printed + self.late_seconds, printed, line))
            found.lines.sort(key=lambda one: one[:2])

    @operation
    def get_log_events(self, **request: Any) -> Response:
        """Page through a stream. At its end the token that was given comes back, as AWS does."""
        key = (request.get("logGroupName", ""), request["logStreamName"])
        if key[0] not in self.groups:
            raise Refused("ResourceNotFoundException", "The specified log group does not exist.")
        if key not in self._streams:
            raise Refused("ResourceNotFoundException", "The specified log stream does not exist.")
        arrived = [one for one in self._streams[key].lines if one[0] <= self.clock.monotonic()]
        start = request.get("startTime", 0) / 1000
        arrived = [one for one in arrived if self._at(one[1]) >= start]
        limit = min(request.get("limit", self.page), self.page)
        first = self._first(request, arrived, limit)
        page = arrived[first : first + limit]
        return {
            "events": [
                {
                    "timestamp": int(self._at(printed) * 1000),
                    "message": line,
                    "ingestionTime": int(self._at(visible) * 1000),
                }
                for visible, printed, line in page
            ],
            "nextForwardToken": f"f/{first + len(page):056d}/s",
            "nextBackwardToken": f"b/{first:056d}/s",
        }

    @operation
    def describe_log_groups(self, **request: Any) -> Response:
        prefix, most = request.get("logGroupNamePrefix", ""), request.get("limit", 50)
        names = sorted(one for one in self.groups if one.startswith(prefix))
        more = {"nextToken": "more"} if len(names) > most else {}
        return {"logGroups": [{"logGroupName": one} for one in names[:most]], **more}

    @operation
    def filter_log_events(self, **request: Any) -> Response:
        """Page through the lines of a whole group, in the order of their times."""
        group, since = request.get("logGroupName", ""), request.get("startTime", 0)
        if group not in self.groups:
            raise Refused("ResourceNotFoundException", "The specified log group does not exist.")
        found = sorted(
            (int(self._at(printed) * 1000), f"{stream}-{number}", stream, line)
            for (named, stream), one in self._streams.items()
            for number, (visible, printed, line) in enumerate(one.lines)
            if named == group and visible <= self.clock.monotonic() and int(self._at(printed) * 1000) >= since
        )
        first = int(request.get("nextToken", 0))
        page = found[first : first + self.page]
        more = {"nextToken": str(first + self.page)} if first + self.page < len(found) else {}
        return {
            "events": [
                {"timestamp": at, "eventId": name, "logStreamName": stream, "message": line}
                for at, name, stream, line in page
            ],
            **more,
        }

    @operation
    def describe_log_streams(self, **request: Any) -> Response:
        group, prefix = request.get("logGroupName", ""), request.get("logStreamNamePrefix", "")
        if group not in self.groups:
            raise Refused("ResourceNotFoundException", "The specified log group does not exist.")
        names = sorted(stream for found, stream in self._streams if found == group and stream.startswith(prefix))
        return {"logStreams": [{"logStreamName": name} for name in names]}

    def _first(self, request: dict[str, Any], arrived: list[Any], limit: int) -> int:
        token = request.get("nextToken")
        if token is None:
            return 0 if request.get("startFromHead") else max(0, len(arrived) - limit)
        direction, at, _ = token.split("/")
        return int(at) if direction == "f" else max(0, int(at) - limit)

    def _at(self, monotonic: float) -> float:
        return self.clock.time() - self.clock.monotonic() + monotonic
