"""DynamoDB, as much as a ledger asks of it: items by kind and number, conditions, an atomic counter, pages.

Expressions are read in the few forms that this project writes; any other fails the test that sent it.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

from tests.fakes.door import FakeClient, Refused, Response, operation

Item = dict[str, Any]


class FakeDynamo(FakeClient):
    """The `dynamodb` client. `tables` holds each table's items by (kind, number)."""

    service: ClassVar[str] = "dynamodb"

    def __init__(self, clock: Any, **shared: Any) -> None:
        super().__init__(clock, **shared)
        self.tables: dict[str, dict[tuple[str, int], Item]] = {}

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
        changed = _changed(item, request)
        table[place] = {**item, **changed}
        return {"Attributes": changed} if request.get("ReturnValues") == "UPDATED_NEW" else {}

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
        condition = request.get("ConditionExpression", "")
        if not _holds(condition, item or {}, request):
            raise Refused("ConditionalCheckFailedException", "The conditional request failed")


def _place(key: Item) -> tuple[str, int]:
    return key["kind"]["S"], int(key["number"]["N"])


def _holds(condition: str, item: Item, request: dict[str, Any]) -> bool:
    if not condition:
        return True
    if absent := re.fullmatch(r"attribute_not_exists\((\w+)\)", condition):
        return absent[1] not in item
    equal = re.fullmatch(r"(#\w+) = (:\w+)", condition)
    assert equal, condition
    name = request["ExpressionAttributeNames"][equal[1]]
    return bool(item.get(name) == request["ExpressionAttributeValues"][equal[2]])


def _changed(item: Item, request: dict[str, Any]) -> Item:
    """Return the attributes that `ADD name :value` or `SET #a = :a, …` changes."""
    verb, _, rest = request["UpdateExpression"].partition(" ")
    names, values = request.get("ExpressionAttributeNames", {}), request["ExpressionAttributeValues"]
    if verb == "ADD":
        name, value = rest.split()
        return {name: {"N": str(int(item.get(name, {"N": "0"})["N"]) + int(values[value]["N"]))}}
    assert verb == "SET", request["UpdateExpression"]
    pairs = (one.split(" = ") for one in rest.split(", "))
    return {names[name]: values[value] for name, value in pairs}
