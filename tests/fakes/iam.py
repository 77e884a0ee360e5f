"""IAM: what a policy would allow, without trying."""

from __future__ import annotations

from typing import Any, ClassVar

from deploylib.localaws.extension.authorization import Check
from tests.fakes.access import Policy, allows
from tests.fakes.door import FakeClient, Response, operation


class FakeIam(FakeClient):
    """The `iam` client of one account. `simulated` is what each principal's policy says, by its ARN."""

    service: ClassVar[str] = "iam"

    def __init__(self, clock: Any, **shared: Any) -> None:
        super().__init__(clock, **shared)
        self.simulated: dict[str, Policy] = {}

    @operation
    def simulate_principal_policy(self, **request: Any) -> Response:
        document = self.simulated[request["PolicySourceArn"]].document
        keys = {one["ContextKeyName"]: one["ContextKeyValues"][0] for one in request.get("ContextEntries", ())}
        allowed = {
            action: all(
                allows(document, Check(action=action, resource=resource, keys=keys))
                for resource in request["ResourceArns"]
            )
            for action in request["ActionNames"]
        }
        results = [
            {"EvalActionName": action, "EvalDecision": "allowed" if one else "implicitDeny"}
            for action, one in allowed.items()
        ]
        return {"EvaluationResults": results, "IsTruncated": False}
