"""Secrets Manager: which secrets there are. Whoever asks for a value fails the test."""

from __future__ import annotations

from typing import Any, ClassVar

from tests.fakes.clock import when
from tests.fakes.door import FakeClient, Refused, Response, operation


class FakeSecretsManager(FakeClient):
    """The `secretsmanager` client. `secrets` are ARNs; `going` those that are being deleted, `policies` by ARN."""

    service: ClassVar[str] = "secretsmanager"

    def __init__(self, clock: Any, **shared: Any) -> None:
        super().__init__(clock, **shared)
        self.secrets: set[str] = set()
        self.going: set[str] = set()
        self.policies: dict[str, str] = {}

    @operation
    def describe_secret(self, **request: Any) -> Response:
        arn = self._known(request["SecretId"])
        going = {"DeletedDate": when(self.clock.time())} if arn in self.going else {}
        return {"ARN": arn, "Name": arn.split(":")[6], **going}

    @operation
    def get_resource_policy(self, **request: Any) -> Response:
        arn = self._known(request["SecretId"])
        policy = {"ResourcePolicy": self.policies[arn]} if arn in self.policies else {}
        return {"ARN": arn, "Name": arn.split(":")[6], **policy}

    def _known(self, arn: str) -> str:
        if arn not in self.secrets | self.going:
            raise Refused("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
        return arn
