"""CodeBuild as a state machine under a fake clock: builds that wait, say something, and end as they are told."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from tests.fakes.door import FakeClient, Refused, Response, operation

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.ecr import FakeEcr
    from tests.fakes.logs import FakeLogs

REASON = "Error while executing command: docker build . Reason: exit status 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How builds go: `queued_seconds` until there is a log, `seconds` until the end, its status, what it says."""

    status: str = "SUCCEEDED"
    queued_seconds: float = 10.0
    seconds: float = 60.0
    lines: tuple[str, ...] = ()
    phase: str = "BUILD"
    reason: str = REASON


@dataclass(slots=True, kw_only=True, eq=False)
class Build:
    """One build, and how it goes."""

    id: str
    request: dict[str, Any]
    course: Course
    status: str = "IN_PROGRESS"
    stream: str = ""
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def image(self) -> str:
        """What it is to push."""
        return self.variables["IMAGE"]


class FakeCodeBuild(FakeClient):
    """The `codebuild` client. `projects` are there; `course` is how builds go; `doing` is what one does when it ends.

    Without *doing* a build that succeeds pushes an image into *ecr*.
    """

    service: ClassVar[str] = "codebuild"

    def __init__(self, clock: Any, *, ecr: FakeEcr, logs: FakeLogs, group: str, **shared: Any) -> None:
        super().__init__(clock, **shared)
        self.ecr, self.logs, self.group = ecr, logs, group
        self.projects: set[str] = set()
        self.course = Course()
        self.doing: Callable[[Build], None] = self._push
        self.builds: list[Build] = []
        self._numbers = itertools.count(1)
        logs.groups.add(group)

    @operation
    def start_build(self, **request: Any) -> Response:
        if request["projectName"] not in self.projects:
            raise Refused("ResourceNotFoundException", f"Project cannot be found: {request['projectName']}")
        for build in self.builds:
            if request.get("idempotencyToken") and build.request == request:
                return {"build": self._described(build)}
        build = Build(
            id=f"{request['projectName']}:{next(self._numbers)}",
            request=request,
            course=self.course,
            variables={one["name"]: one["value"] for one in request.get("environmentVariablesOverride", ())},
        )
        self.builds.append(build)
        self.clock.after(build.course.queued_seconds, lambda: self._begin(build))
        self.clock.after(build.course.seconds, lambda: self._end(build))
        return {"build": self._described(build)}

    @operation
    def batch_get_builds(self, **request: Any) -> Response:
        found = {one.id: one for one in self.builds}
        builds = [self._described(found[one]) for one in request["ids"] if one in found]
        missing = [one for one in request["ids"] if one not in found]
        return {**({"builds": builds} if builds else {}), **({"buildsNotFound": missing} if missing else {})}

    @operation
    def stop_build(self, **request: Any) -> Response:
        build = next(one for one in self.builds if one.id == request["id"])
        if build.status == "IN_PROGRESS":
            build.status = "STOPPED"
        return {"build": self._described(build)}

    def _begin(self, build: Build) -> None:
        if build.status == "IN_PROGRESS":
            build.stream = build.id.partition(":")[2]
            self.logs.create(self.group, build.stream)
            for line in build.course.lines:
                self.logs.print(self.group, build.stream, line)

    def _end(self, build: Build) -> None:
        if build.status == "IN_PROGRESS":
            build.status = build.course.status
            if build.status == "SUCCEEDED":
                self.doing(build)

    def _push(self, build: Build) -> None:
        repository, _, tag = build.image.rpartition("/")[2].partition(":")
        self.ecr.have(repository, tag)

    def _described(self, build: Build) -> dict[str, Any]:
        ended = build.status != "IN_PROGRESS"
        where = {"groupName": self.group, "streamName": build.stream} if build.stream else {}
        phases: list[dict[str, Any]] = [{"phaseType": "PROVISIONING", "phaseStatus": "SUCCEEDED"}]
        if ended and build.status != "SUCCEEDED":
            said = [{"statusCode": "COMMAND_EXECUTION_ERROR", "message": build.course.reason}]
            phases.append({"phaseType": build.course.phase, "phaseStatus": "FAILED", "contexts": said})
        return {
            "id": build.id,
            "buildStatus": build.status,
            "buildComplete": ended,
            "phases": phases,
            "logs": {"deepLink": f"https://console.example.test/{build.id}", **where},
        }
