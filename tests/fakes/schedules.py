"""EventBridge and EventBridge Scheduler: what starts tasks by itself."""

from __future__ import annotations

import datetime as dt
from typing import Any, ClassVar

from tests.fakes.door import FakeClient, Refused, Response, operation


class FakeEvents(FakeClient):
    """The `events` client. `rules` maps (bus, rule) → its targets; `disabled` are rules that start nothing."""

    service: ClassVar[str] = "events"

    def __init__(self, clock: Any, **shared: Any) -> None:
        super().__init__(clock, **shared)
        self.buses: list[str] = ["default"]
        self.rules: dict[tuple[str, str], list[dict[str, Any]]] = {}
        self.disabled: set[str] = set()
        self.failing = ""

    def have(self, rule: str, cluster: str, definition: str, *, bus: str = "default") -> None:
        """Have a rule that starts a task of *definition* in *cluster*, without a call."""
        target = {"Id": "1", "Arn": cluster, "EcsParameters": {"TaskDefinitionArn": definition}}
        self.rules[bus, rule] = [target, {"Id": "2", "Arn": "arn:aws:sqs:ap-northeast-1:111111111111:queue"}]

    @operation
    def list_event_buses(self, **request: Any) -> Response:
        """List one bus a page."""
        at = int(request.get("NextToken", 0))
        more = {"NextToken": str(at + 1)} if at + 1 < len(self.buses) else {}
        return {"EventBuses": [{"Name": self.buses[at]}], **more}

    @operation
    def list_rule_names_by_target(self, **request: Any) -> Response:
        found = [
            rule
            for (bus, rule), targets in self.rules.items()
            if bus == request.get("EventBusName", "default")
            and any(one["Arn"] == request["TargetArn"] for one in targets)
        ]
        return {"RuleNames": found}

    @operation
    def list_targets_by_rule(self, **request: Any) -> Response:
        return {"Targets": self.rules[request.get("EventBusName", "default"), request["Rule"]]}

    @operation
    def describe_rule(self, **request: Any) -> Response:
        self._known(request["Name"])
        return {"Name": request["Name"], "State": "DISABLED" if request["Name"] in self.disabled else "ENABLED"}

    @operation
    def put_targets(self, **request: Any) -> Response:
        """Put targets, by their ids; `failing` is why one is not taken, in the answer, as AWS says it."""
        if self.failing:
            target = {"TargetId": request["Targets"][0]["Id"], "ErrorCode": "Failing", "ErrorMessage": self.failing}
            return {"FailedEntryCount": 1, "FailedEntries": [target]}
        new = {one["Id"]: one for one in request["Targets"]}
        known = self._known(request["Rule"])
        known[:] = [new.pop(one["Id"], one) for one in known] + list(new.values())
        return {"FailedEntryCount": 0, "FailedEntries": []}

    @operation
    def enable_rule(self, **request: Any) -> Response:
        self._known(request["Name"])
        self.disabled.discard(request["Name"])
        return {}

    @operation
    def disable_rule(self, **request: Any) -> Response:
        self._known(request["Name"])
        self.disabled.add(request["Name"])
        return {}

    def _known(self, rule: str) -> list[dict[str, Any]]:
        if ("default", rule) not in self.rules:
            raise Refused("ResourceNotFoundException", f"Rule {rule} does not exist on EventBus default.")
        return self.rules["default", rule]


class FakeScheduler(FakeClient):
    """The `scheduler` client. `schedules` maps (group, name) → its target, `documents` → everything else of it."""

    service: ClassVar[str] = "scheduler"

    def __init__(self, clock: Any, **shared: Any) -> None:
        super().__init__(clock, **shared)
        self.schedules: dict[tuple[str, str], dict[str, Any]] = {}
        self.documents: dict[tuple[str, str], dict[str, Any]] = {}

    def have(self, name: str, cluster: str, definition: str, *, group: str = "default") -> None:
        """Have a schedule that starts a task of *definition* in *cluster*, without a call."""
        target = {"Arn": cluster, "RoleArn": "arn:aws:iam::111111111111:role/starter"}
        self.schedules[group, name] = {**target, "EcsParameters": {"TaskDefinitionArn": definition}}

    @operation
    def list_schedules(self, **request: Any) -> Response:
        """List schedules, of each target its ARN alone."""
        found = [
            {"Name": name, "GroupName": group, "Target": {"Arn": target["Arn"]}}
            for (group, name), target in self.schedules.items()
        ]
        return {"Schedules": found}

    @operation
    def get_schedule(self, **request: Any) -> Response:
        key = self._known(request)
        return {"Name": key[1], "GroupName": key[0], "Target": self.schedules[key], **self.documents.get(key, {})}

    @operation
    def update_schedule(self, **request: Any) -> Response:
        """Put the whole schedule: what the request leaves out is gone."""
        key = self._known(request)
        now = dt.datetime.fromtimestamp(self.clock.time(), dt.UTC)
        if request.get("StartDate", now) < now:
            raise Refused("ValidationException", "The StartDate you specify cannot be earlier than 5 minutes ago.")
        self.schedules[key] = request.pop("Target")
        said = {name: value for name, value in request.items() if name not in {"Name", "GroupName"}}
        self.documents[key] = {"State": "ENABLED", **said}
        return {"ScheduleArn": f"arn:aws:scheduler:ap-northeast-1:111111111111:schedule/{'/'.join(key)}"}

    def _known(self, request: dict[str, Any]) -> tuple[str, str]:
        key = (request.get("GroupName", "default"), request["Name"])
        if key not in self.schedules:
            raise Refused("ResourceNotFoundException", f"Schedule {request['Name']} does not exist.")
        return key
