"""The fake DynamoDB's expressions, judged beside another reading of the same guide (moto's)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import moto
import pytest

from deploylib import aws
from deploylib.errors import AwsError
from tests.fakes.account import FakeAccount

if TYPE_CHECKING:
    from collections.abc import Iterator

TABLE = "table"
KEY: dict[str, Any] = {"kind": {"S": "lock"}, "number": {"N": "0"}}
ITEM: dict[str, Any] = {
    **KEY,
    "owner": {"S": "ada"},
    "renewal": {"N": "10"},
    "phases": {"M": {"build": {"S": "1"}}},
    "flag": {"BOOL": True},
}
VALUES = {":ada": {"S": "ada"}, ":a": {"S": "a"}, ":ten": {"N": "10.0"}, ":nine": {"N": "9"}, ":one": {"N": "1"}}
CONDITIONS = (
    "attribute_exists(#owner)",
    "attribute_not_exists(#owner)",
    "attribute_exists(absent)",
    "attribute_not_exists(absent)",
    "attribute_exists(phases.build)",
    "attribute_exists(phases.push)",
    "#owner = :ada",
    "#owner <> :ada",
    "#owner = :ten",
    "#owner <> :ten",
    "absent = :ada",
    "absent <> :ada",
    "renewal = :ten",
    "renewal > :nine",
    "renewal < :nine",
    "renewal >= :ten",
    "renewal <= :nine",
    "absent < :nine",
    "renewal BETWEEN :nine AND :ten",
    "renewal BETWEEN :one AND :nine",
    "#owner IN (:a, :ada)",
    "#owner IN (:a, :ten)",
    "begins_with(#owner, :a)",
    "NOT #owner = :ada",
    "NOT attribute_exists(absent)",
    "#owner = :ada AND renewal = :ten",
    "#owner = :a AND renewal = :ten",
    "#owner = :a OR renewal = :ten",
    "#owner = :a AND renewal = :ten OR attribute_exists(phases)",
    "#owner = :ada OR renewal = :ten AND attribute_exists(absent)",
    "(#owner = :ada OR renewal = :ten) AND attribute_exists(absent)",
    "attribute_not_exists(#owner) OR (#owner = :ada AND renewal = :ten)",
)
UPDATES = (
    "SET #owner = :a",
    "SET renewal = renewal + :one",
    "SET renewal = renewal - :one, #owner = :a",
    "SET fresh = if_not_exists(fresh, :one)",
    "SET renewal = if_not_exists(renewal, :one) + :one",
    "SET phases.push = :a",
    "SET absent.push = :a",
    "SET fresh = absent",
    "ADD renewal :nine",
    "ADD fresh :one",
    "REMOVE #owner",
    "REMOVE absent, phases.build",
    "SET #owner = :a ADD renewal :one",
    "SET #owner = :a REMOVE flag ADD renewal :one",
)


def request(expression: str, name: str) -> dict[str, Any]:
    names = {"ExpressionAttributeNames": {"#owner": "owner"}} if "#owner" in expression else {}
    words = expression.replace("(", " ").replace(")", " ").replace(",", " ").split()
    values = {key: value for key, value in VALUES.items() if key in words}
    return {name: expression, **names, **({"ExpressionAttributeValues": values} if values else {})}


def answer(client: Any, operation: str, **asked: Any) -> str:
    """Return the error's code, or nothing."""
    try:
        getattr(client, operation)(TableName=TABLE, **asked)
    except AwsError as error:
        return error.code
    return ""


@pytest.fixture(scope="module")
def other() -> Iterator[Any]:
    with moto.mock_aws():
        session = boto3.Session(region_name="ap-northeast-1", aws_access_key_id="x", aws_secret_access_key="x")
        client = aws.Account(session, environment="stg").dynamodb
        client.create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": "kind", "KeyType": "HASH"}, {"AttributeName": "number", "KeyType": "RANGE"}],
            AttributeDefinitions=[
                {"AttributeName": "kind", "AttributeType": "S"},
                {"AttributeName": "number", "AttributeType": "N"},
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        yield client


@pytest.fixture
def fake() -> Any:
    client = FakeAccount().dynamodb
    client.tables[TABLE] = {}
    return client


@pytest.mark.parametrize("expression", CONDITIONS)
def test_condition_holds_where_it_holds_elsewhere(fake: Any, other: Any, expression: str) -> None:
    for client in (fake, other):
        client.put_item(TableName=TABLE, Item=ITEM)
    asked = request(expression, "ConditionExpression")
    assert answer(fake, "put_item", Item=ITEM, **asked) == answer(other, "put_item", Item=ITEM, **asked)


@pytest.mark.parametrize("expression", UPDATES)
def test_update_leaves_what_it_leaves_elsewhere(fake: Any, other: Any, expression: str) -> None:
    for client in (fake, other):
        client.put_item(TableName=TABLE, Item=ITEM)
    asked = request(expression, "UpdateExpression")
    assert answer(fake, "update_item", Key=KEY, **asked) == answer(other, "update_item", Key=KEY, **asked)
    left, right = (one.get_item(TableName=TABLE, Key=KEY)["Item"] for one in (fake, other))
    assert left == right


@pytest.mark.parametrize("kind", ["ExpressionAttributeNames", "ExpressionAttributeValues"])
def test_name_or_value_that_nobody_uses_is_refused(fake: Any, kind: str) -> None:
    asked = request("#owner = :ada", "ConditionExpression")
    asked[kind] = {**asked[kind], "#more" if kind.endswith("Names") else ":more": asked[kind].popitem()[1]}
    asked[kind] |= {"#owner": "owner"} if kind.endswith("Names") else {":ada": {"S": "ada"}}
    assert answer(fake, "put_item", Item=ITEM, **asked) == "ValidationException"


def test_key_is_never_updated(fake: Any) -> None:
    asked = request("SET number = :one", "UpdateExpression")
    assert answer(fake, "update_item", Key=KEY, **asked) == "ValidationException"
