"""DynamoDB, as much as a ledger and a lease ask of it: items by kind and number, conditions, counters, pages, the time.

Each answer carries AWS's time in its `Date` header, in whole seconds. `ahead_seconds` is how far AWS's clock is before
this machine's; None for something in front of AWS that takes the header away.
"""

from __future__ import annotations

import email.utils
from typing import TYPE_CHECKING, Any, ClassVar

from tests.fakes import expressions
from tests.fakes.door import FakeClient, Refused, Response, operation

if TYPE_CHECKING:
    from collections.abc import Callable

Item = dict[str, Any]


class FakeDynamo(FakeClient):
    """The `dynamodb` client. `tables` holds each table's items by (kind, number)."""

    service: ClassVar[str] = "dynamodb"

    def __init__(self, clock: Any, **shared: Any) -> None:
        super().__init__(clock, **shared)
        self.tables: dict[str, dict[tuple[str, int], Item]] = {}
        self.ahead_seconds: float | None = 0.0

    def answer(self, method: Callable[..., Response], request: dict[str, Any]) -> Response:
        answered = super().answer(method, request)
        if self.ahead_seconds is None:
            return answered
        date = email.utils.formatdate(self.clock.time() + self.ahead_seconds, usegmt=True)
        return {**answered, "ResponseMetadata": {"HTTPStatusCode": 200, "HTTPHeaders": {"date": date}}}

    @operation
    def get_item(self, **request: Any) -> Response:
        found = self._table(request).get(_place(request["Key"]))
        return {"Item": found} if found else {}

    @operation
    def put_item(self, **request: Any) -> Response:
        table, item = self._table(request), request["Item"]
        self._check(request, table.get(_place(item)))
        table[_place(item)] = item
        return {}

    @operation
    def update_item(self, **request: Any) -> Response:
        table, place = self._table(request), _place(request["Key"])
        self._check(request, table.get(place))
        item = {**request["Key"], **table.get(place, {})}
        changed = expressions.updated(request, item)
        if {"kind", "number"} & set(changed):
            raise Refused("ValidationException", "Cannot update attribute: it is part of the key")
        table[place] = {name: value for name, value in {**item, **changed}.items() if value is not None}
        new = {name: value for name, value in changed.items() if value is not None}
        return {"Attributes": new} if request.get("ReturnValues") == "UPDATED_NEW" else {}

    @operation
    def query(self, **request: Any) -> Response:
        """Return one kind's items in the order of their numbers, at most `Limit` a page."""
        name, _, value = request["KeyConditionExpression"].partition(" = ")
        assert name == "kind", request["KeyConditionExpression"]
        kind = request["ExpressionAttributeValues"][value]["S"]
        numbers = sorted(number for of, number in self._table(request) if of == kind)
        if not request.get("ScanIndexForward", True):
            numbers.reverse()
        if start := request.get("ExclusiveStartKey"):
            numbers = numbers[numbers.index(int(start["number"]["N"])) + 1 :]
        page = numbers[: request.get("Limit", len(numbers))]
        items = [self._table(request)[kind, number] for number in page]
        last = {key: items[-1][key] for key in ("kind", "number")} if len(page) < len(numbers) else None
        return {"Items": items, "Count": len(items), **({"LastEvaluatedKey": last} if last else {})}

    def _table(self, request: dict[str, Any]) -> dict[tuple[str, int], Item]:
        if request["TableName"] not in self.tables:
            raise Refused("ResourceNotFoundException", "Requested resource not found")
        return self.tables[request["TableName"]]

    def _check(self, request: dict[str, Any], item: Item | None) -> None:
        expressions.refuse_unused(request)
        if not expressions.holds(request, item or {}):
            raise Refused("ConditionalCheckFailedException", "The conditional request failed")


def _place(key: Item) -> tuple[str, int]:
    return key["kind"]["S"], int(key["number"]["N"])
