"""IAM for the fakes: what a policy says of a call, as AWS evaluates it (allow statements, ARNs, string conditions)."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deploylib.localaws.extension import authorization

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from deploylib.localaws.extension.authorization import Check, Where

FREE = frozenset({"sts:GetCallerIdentity"})  # AWS answers it to everybody
OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda value, wanted: value == wanted,
    "StringLike": fnmatch.fnmatchcase,
    "ArnEquals": fnmatch.fnmatchcase,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A policy document that guards the calls made in *where*; `Door` asks it before it answers."""

    document: Mapping[str, Any]
    where: Where

    def refused(self, service: str, operation: str, request: Mapping[str, Any]) -> str:
        """Return the first action that the call needs and that is not allowed; empty when all are."""
        if f"{service}:{operation}" in FREE:
            return ""
        asked = authorization.checks(service, operation, request, self.where)
        assert asked is not None, f"what IAM is asked about {service}:{operation} is not written down"
        return next((one.action for one in asked if not allows(self.document, one)), "")


def allows(document: Mapping[str, Any], check: Check) -> bool:
    """Whether a statement of the policy allows it."""
    return any(_matches(one, check) for one in document["Statement"])


def _matches(statement: Mapping[str, Any], check: Check) -> bool:
    return (
        statement["Effect"] == "Allow"
        and check.action in statement["Action"]
        and any(fnmatch.fnmatchcase(check.resource, one) for one in statement["Resource"])
        and all(
            key in check.keys and OPERATORS[operator](check.keys[key], wanted)
            for operator, keys in statement.get("Condition", {}).items()
            for key, wanted in keys.items()
        )
    )
