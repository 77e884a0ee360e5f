"""EventBridge and EventBridge Scheduler: what starts tasks by itself."""

from __future__ import annotations

from typing import Any, ClassVar

from tests.fakes.door import FakeClient, Response, operation


class FakeEvents(FakeClient):
    """The `events` client. `rules` maps (bus, rule) → its targets."""

    service: ClassVar[str] = "events"

    def __init__(self, clock: Any, **shared: Any) -> None:
        super().__init__(clock, **shared)
        self.buses: list[str] = ["default"]
        self.rules: dict[tuple[str, str], list[dict[str, Any]]] = {}

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


class FakeScheduler(FakeClient):
    """The `scheduler` client. `schedules` maps (group, name) → its target."""

    service: ClassVar[str] = "scheduler"

    def __init__(self, clock: Any, **shared: Any) -> None:
        super().__init__(clock, **shared)
        self.schedules: dict[tuple[str, str], dict[str, Any]] = {}

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
        return {"Name": request["Name"], "Target": self.schedules[request["GroupName"], request["Name"]]}
