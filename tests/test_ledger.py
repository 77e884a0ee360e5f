"""The ledger: numbers that nobody shares, a truth that survives a crash, a history in order."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import boto3
import moto
import pytest

from deploylib import ledger
from deploylib.errors import AwsError, ContractError, SupersededError
from tests.fakes.account import FakeAccount

if TYPE_CHECKING:
    from collections.abc import Iterator

TABLE = "guestbook-stg-releases"
ENTRY = ledger.Entry(
    release="20260101T000000Z-abc",
    commit="a" * 40,
    environment="stg",
    by="arn:aws:iam::111111111111:user/ada",
    images={"web": "sha256:1", "job": "sha256:2"},
    base="sha256:3",
    previous={"web": "web:1"},
)


@pytest.fixture
def account() -> FakeAccount:
    made = FakeAccount()
    made.dynamodb.tables[TABLE] = {}
    return made


def begin(account: FakeAccount, entry: ledger.Entry = ENTRY) -> ledger.Entry:
    return ledger.begin(account.account.dynamodb, TABLE, entry, clock=account.clock)


def finish(account: FakeAccount, entry: ledger.Entry, verdict: ledger.Verdict, **more: Any) -> ledger.Entry:
    ended = replace(entry, verdict=verdict, **more)
    return ledger.finish(account.account.dynamodb, TABLE, ended, clock=account.clock)


def test_release_that_was_killed_is_running_in_the_ledger(account: FakeAccount) -> None:
    begun = begin(account)
    assert begun.number == 1
    (found,) = ledger.entries(account.account.dynamodb, TABLE)
    assert found == begun
    assert (found.verdict, found.ended_at) == ("running", "")


def test_end_has_verdict_reason_digests_and_revisions(account: FakeAccount) -> None:
    begun = begin(account)
    account.clock.advance(90)
    finish(account, begun, "rolled back", reason="job: exit code 1", services={"web": "web:2"})
    (found,) = ledger.entries(account.account.dynamodb, TABLE)
    assert (found.verdict, found.reason) == ("rolled back", "job: exit code 1")
    assert (found.services, found.images, found.base) == ({"web": "web:2"}, ENTRY.images, "sha256:3")
    assert (found.started_at, found.ended_at) == ("2023-11-14T22:13:20+00:00", "2023-11-14T22:14:50+00:00")


def test_numbers_rise_and_the_newest_release_comes_first(account: FakeAccount) -> None:
    assert [begin(account).number for _ in range(12)] == list(range(1, 13))
    assert [one.number for one in ledger.entries(account.account.dynamodb, TABLE, limit=3)] == [12, 11, 10]


def test_number_that_somebody_has_is_never_written_over(account: FakeAccount) -> None:
    first = begin(account)
    del account.dynamodb.tables[TABLE]["counter", 0]  # somebody restored half of the table
    with pytest.raises(AwsError, match="ConditionalCheckFailed"):
        begin(account, replace(ENTRY, commit="b" * 40))
    assert ledger.numbered(account.account.dynamodb, TABLE, first.number) == first


def test_release_ends_once(account: FakeAccount) -> None:
    begun = begin(account)
    finish(account, begun, "superseded")
    with pytest.raises(AwsError, match="ConditionalCheckFailed"):
        finish(account, begun, "completed")
    assert ledger.entries(account.account.dynamodb, TABLE)[0].verdict == "superseded"


def test_completed_releases_are_found_behind_pages_of_failed_ones(account: FakeAccount) -> None:
    for verdict in ("completed", "completed", *["failed"] * (2 * ledger.PAGE)):
        finish(account, begin(account), verdict)  # type: ignore[arg-type]  # a list of literals is one of str
    account.forget_calls()
    found = ledger.completed(account.account.dynamodb, TABLE, limit=1)
    assert [one.number for one in found] == [2]
    assert account.calls == {"dynamodb:Query": 3}


def test_one_call_is_enough_when_the_newest_completed(account: FakeAccount) -> None:
    for _ in range(2 * ledger.PAGE):
        finish(account, begin(account), "completed")
    account.forget_calls()
    assert ledger.completed(account.account.dynamodb, TABLE, limit=1)[0].number == 2 * ledger.PAGE
    assert account.calls == {"dynamodb:Query": 1}


def test_running_release_is_written_as_it_goes(account: FakeAccount) -> None:
    begun = begin(account)
    account.forget_calls()
    further = replace(begun, phase="migrate", phases={"migrate": "now"}, migration={"state": "started", "task": "t-1"})
    ledger.note(account.account.dynamodb, TABLE, further)
    assert account.calls == {"dynamodb:UpdateItem": 1}
    assert ledger.numbered(account.account.dynamodb, TABLE, begun.number) == further
    assert finish(account, further, "completed") == ledger.numbered(account.account.dynamodb, TABLE, begun.number)


def test_release_that_somebody_else_ended_is_not_written_any_more(account: FakeAccount) -> None:
    begun = begin(account)
    ended = finish(account, begun, "interrupted", reason="release 2 went on")
    with pytest.raises(SupersededError, match=r"release 1: it is interrupted \(release 2 went on\)") as refused:
        ledger.note(account.account.dynamodb, TABLE, replace(begun, phase="deploy"))
    assert refused.value.hint == "inv history --env stg"
    assert ledger.numbered(account.account.dynamodb, TABLE, begun.number) == ended


def test_note_that_aws_refuses_is_an_error_of_aws(account: FakeAccount) -> None:
    begun = begin(account)
    account.dynamodb.throttle(1)
    with pytest.raises(AwsError, match="Throttling"):
        ledger.note(account.account.dynamodb, TABLE, begun)


def test_release_that_is_gone_is_not_written_any_more(account: FakeAccount) -> None:
    with pytest.raises(SupersededError, match="release 7: it is gone"):
        ledger.note(account.account.dynamodb, TABLE, replace(ENTRY, number=7))


def test_unfinished_are_those_without_an_end_since_the_last_that_completed(account: FakeAccount) -> None:
    for verdict in ("running", "completed", "failed", "running", "rolled back", "running"):
        begun = begin(account)
        if verdict != "running":
            finish(account, begun, verdict)
    account.forget_calls()
    assert [one.number for one in ledger.unfinished(account.account.dynamodb, TABLE)] == [6, 4]
    found = ledger.recent(account.account.dynamodb, TABLE)
    assert [one.number for one in found.since] == [6, 5, 4, 3]
    assert (found.newest and found.newest.number, found.completed and found.completed.number) == (6, 2)
    assert account.calls == {"dynamodb:Query": 2}


def test_nothing_is_known_of_releases_where_there_was_none(account: FakeAccount) -> None:
    assert ledger.recent(account.account.dynamodb, TABLE) == ledger.Recent(since=(), completed=None)
    assert ledger.last(account.account.dynamodb, TABLE) == (None, None)


def test_release_is_found_by_its_number(account: FakeAccount) -> None:
    begun = begin(account)
    assert ledger.numbered(account.account.dynamodb, TABLE, begun.number) == begun
    assert ledger.numbered(account.account.dynamodb, TABLE, 7) is None


def test_table_that_is_missing_says_to_apply() -> None:
    account = FakeAccount()
    for ask in (begin, lambda one: ledger.entries(one.account.dynamodb, TABLE)):
        with pytest.raises(ContractError, match=TABLE) as refused:
            ask(account)
        assert "infra.apply" in refused.value.hint


def test_entry_of_another_version_is_read_as_far_as_it_is_understood(account: FakeAccount) -> None:
    item = {
        "kind": {"S": "release"},
        "number": {"N": "4"},
        "verdict": {"S": "vanished"},
        "phases": {"L": [{"S": "built"}]},
    }
    account.dynamodb.tables[TABLE]["release", 4] = item
    (found,) = ledger.entries(account.account.dynamodb, TABLE)
    assert (found.number, found.verdict, found.images) == (4, "failed", {})


def test_answer_that_was_lost_does_not_make_the_repeated_call_a_stranger(account: FakeAccount) -> None:
    first = begin(account)
    account.dynamodb.tables[TABLE]["counter", 0] = {**ledger._key("counter", 0), "drawn": {"N": "0"}}
    assert begin(account) == first
    ended = finish(account, first, "completed")
    assert finish(account, first, "completed") == ended


@pytest.fixture
def real_model() -> Iterator[Any]:
    with moto.mock_aws():
        client = boto3.client(
            "dynamodb", region_name="ap-northeast-1", aws_access_key_id="none", aws_secret_access_key="none"
        )
        client.create_table(
            TableName=TABLE,
            KeySchema=[
                {"AttributeName": "kind", "KeyType": "HASH"},
                {"AttributeName": "number", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": "kind", "AttributeType": "S"},
                {"AttributeName": "number", "AttributeType": "N"},
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        yield client


def test_dynamodb_itself_understands_the_expressions(real_model: Any) -> None:
    clock = FakeAccount().clock
    first, second = (ledger.begin(real_model, TABLE, ENTRY, clock=clock) for _ in range(2))
    ledger.note(real_model, TABLE, replace(second, phase="deploy"))
    ledger.finish(real_model, TABLE, replace(second, verdict="completed", services={"web": "web:2"}), clock=clock)
    assert [one.number for one in ledger.entries(real_model, TABLE)] == [2, 1]
    (done,) = ledger.completed(real_model, TABLE)
    assert (done.number, done.services, done.images) == (2, {"web": "web:2"}, ENTRY.images)
    assert ledger.numbered(real_model, TABLE, 1) == first
