"""STS: who is calling."""

from __future__ import annotations

from typing import Any, ClassVar

from tests.fakes.door import FakeClient, Response, operation


class FakeSts(FakeClient):
    """The `sts` client of one account."""

    service: ClassVar[str] = "sts"

    def __init__(self, clock: Any, *, account_id: str, **shared: Any) -> None:
        super().__init__(clock, **shared)
        self.account_id = account_id
        self.arn = f"arn:aws:sts::{account_id}:assumed-role/deploy/someone"

    @operation
    def get_caller_identity(self, **request: Any) -> Response:
        return {"UserId": "AROAEXAMPLE:someone", "Account": self.account_id, "Arn": self.arn}
