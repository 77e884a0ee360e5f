"""IAM: what a policy would allow, without trying; whom roles trust."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar

from deploylib.localaws.extension.authorization import Check
from tests.fakes.access import Policy, allows
from tests.fakes.clock import when
from tests.fakes.door import FakeClient, Refused, Response, operation

if TYPE_CHECKING:
    from collections.abc import Callable


class FakeIam(FakeClient):
    """The `iam` client of one account. `simulated` is what each principal's policy says, by its ARN.

    `roles` is whom each trusts, by its name: boto3 answers with the document itself, not with its text.
    """

    service: ClassVar[str] = "iam"

    def __init__(self, clock: Any, **shared: Any) -> None:
        super().__init__(clock, **shared)
        self.simulated: dict[str, Policy] = {}
        self.roles: dict[str, dict[str, Any]] = {}

    def answer(self, method: Callable[..., Response], request: dict[str, Any]) -> Response:
        answered = super().answer(method, request)
        if role := answered.get("Role"):
            role["AssumeRolePolicyDocument"] = json.loads(role["AssumeRolePolicyDocument"])
        return answered

    @operation
    def get_role(self, **request: Any) -> Response:
        name = request["RoleName"]
        if name not in self.roles:
            raise Refused("NoSuchEntity", f"The role with name {name} cannot be found.")
        role = {
            "Path": "/",
            "RoleName": name,
            "RoleId": "AROAEXAMPLEEXAMPLE",
            "Arn": f"arn:aws:iam::111111111111:role/{name}",
            "CreateDate": when(0),
        }
        return {"Role": {**role, "AssumeRolePolicyDocument": json.dumps(self.roles[name])}}

    @operation
    def simulate_principal_policy(self, **request: Any) -> Response:
        if request["PolicySourceArn"] not in self.simulated:
            raise Refused("NoSuchEntity", f"{request['PolicySourceArn']} cannot be found.")
        document = self.simulated[request["PolicySourceArn"]].document
        keys = {one["ContextKeyName"]: one["ContextKeyValues"][0] for one in request.get("ContextEntries", ())}
        results = [_judged(document, action, request["ResourceArns"], keys=keys) for action in request["ActionNames"]]
        return {"EvaluationResults": results, "IsTruncated": False}


def _judged(document: Any, action: str, resources: list[str], *, keys: dict[str, str]) -> dict[str, Any]:
    """Return the result for one action: for each of several resources, and for all of them together."""
    allowed = {one: allows(document, Check(action=action, resource=one, keys=keys)) for one in resources}
    decisions = {one: "allowed" if is_allowed else "implicitDeny" for one, is_allowed in allowed.items()}
    specific = [{"EvalResourceName": one, "EvalResourceDecision": decision} for one, decision in decisions.items()]
    return {
        "EvalActionName": action,
        "EvalResourceName": resources[0],
        "EvalDecision": "allowed" if all(allowed.values()) else "implicitDeny",
        **({"ResourceSpecificResults": specific} if len(resources) > 1 else {}),
    }
