"""The ledger: every release that began, and how it ended, in the account that it went to.

An item is written before the first write of a release, with the verdict `running`, again at each step (`note`), and
with its end when it ends: a run that was killed leaves `running` and what it had done, which is the truth. Numbers come
from one atomic counter, so no two releases have the same; one that was drawn by a run that died before its item was
written stays unused.

The DynamoDB table has `kind` (S) as its hash key and `number` (N) as its range key: kind `release` are the releases,
kind `counter` (number 0) is the last number drawn, kind `lock` (number 0) the lease (lease.py). Attributes that this
version does not know are left alone.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

from deploylib.errors import AwsError, ContractError, SupersededError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from types_boto3_dynamodb.client import DynamoDBClient

    from deploylib.clock import Clock

Verdict = Literal["running", "completed", "rolled back", "not restored", "superseded", "failed", "interrupted"]
Action = Literal["release", "rollback"]

RELEASE, COUNTER = "release", "counter"
CONDITION_FAILED = "ConditionalCheckFailedException"
PAGE = 25
TEXTS = (
    *("release", "commit", "environment", "by", "started_at", "ended_at", "verdict", "reason", "origin", "base"),
    *("action", "phase", "owner"),
)
FLAGS = ("dirty", "irreversible")
NUMBERS = ("restores", "continues")
TABLES = (
    *("images", "previous", "services", "phases", "deployments"),
    *("migration", "schedules", "previous_schedules"),
)
RUNNING: Verdict = "running"
COMPLETED: Verdict = "completed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One release. `release` is the name that its revisions are tagged with; `by` the ARN of who released.

    `images` has the digest of each role's image, `base` that of the base image where there is one (both as far as
    known). `services` has the revision (ARN) of every service of the release, `previous` those that the services which
    moved go back to. `origin` says where promoted images are from: `stg 12`. `dirty` images have uncommitted changes in
    them. The times are ISO 8601, UTC; `ended_at` is empty while it runs.

    `action` is `release` or `rollback`; a rollback `restores` the release of that number, and a release `continues` one
    that never got to its end. `phase` is where it is, or was left; `phases` when each began. `deployments` has the id
    of each service's deployment; `migration` says `state` (started, done, skipped), `task`, `revision`, `image` (the
    digest), `command`. `schedules` has the revision of each scheduled task, `previous_schedules` what it started
    before. `owner` is the lease that it was written under.
    """

    release: str
    commit: str
    environment: str
    dirty: bool = False
    number: int = 0
    by: str = ""
    started_at: str = ""
    ended_at: str = ""
    verdict: Verdict = RUNNING
    reason: str = ""
    origin: str = ""
    images: Mapping[str, str] = field(default_factory=dict)
    base: str = ""
    previous: Mapping[str, str] = field(default_factory=dict)
    services: Mapping[str, str] = field(default_factory=dict)
    action: Action = "release"
    restores: int = 0
    continues: int = 0
    irreversible: bool = False
    phase: str = ""
    phases: Mapping[str, str] = field(default_factory=dict)
    deployments: Mapping[str, str] = field(default_factory=dict)
    migration: Mapping[str, str] = field(default_factory=dict)
    schedules: Mapping[str, str] = field(default_factory=dict)
    previous_schedules: Mapping[str, str] = field(default_factory=dict)
    owner: str = ""

    @property
    def seconds(self) -> float | None:
        """How long it took; nothing while it has no end."""
        if not (self.started_at and self.ended_at):
            return None
        began, ended = (dt.datetime.fromisoformat(one) for one in (self.started_at, self.ended_at))
        return max(0.0, (ended - began).total_seconds())


@dataclass(frozen=True, slots=True, kw_only=True)
class Recent:
    """The newest release that *completed*, and all that began *since*, newest first."""

    since: tuple[Entry, ...]
    completed: Entry | None

    @property
    def newest(self) -> Entry | None:
        """The newest release, however it ended."""
        return self.since[0] if self.since else self.completed

    @property
    def unfinished(self) -> tuple[Entry, ...]:
        """Those without an end, newest first. An older one no longer tells what is there: something completed since."""
        return tuple(one for one in self.since if one.verdict == RUNNING)


def begin(dynamodb: DynamoDBClient, table: str, entry: Entry, *, clock: Clock) -> Entry:
    """Write that *entry* begins now, and return it with its number.

    Raises `ContractError` when there is no such table.
    """
    begun = replace(entry, number=_draw(dynamodb, table), started_at=_now(clock), ended_at="", verdict=RUNNING)
    try:
        dynamodb.put_item(TableName=table, Item=_item(begun), ConditionExpression="attribute_not_exists(kind)")
    except AwsError as error:
        _forgive_repetition(dynamodb, table, begun, error)
    return begun


def finish(dynamodb: DynamoDBClient, table: str, entry: Entry, *, clock: Clock) -> Entry:
    """Write how *entry* ended (its verdict, reason, digests, revisions), and return it with its end.

    Only what still runs can end: of two that say how, the first is believed. Raises `AwsError` otherwise.
    """
    ended = replace(entry, ended_at=_now(clock))
    try:
        _write_running(dynamodb, table, ended)
    except AwsError as error:
        _forgive_repetition(dynamodb, table, ended, error)
    return ended


def note(dynamodb: DynamoDBClient, table: str, entry: Entry) -> None:
    """Write *entry*, which still runs, as it is now: how far it is, what it has made so far.

    Raises `SupersededError` when somebody has written its end: nothing may be done in its name any more.
    """
    try:
        _write_running(dynamodb, table, entry)
    except AwsError as error:
        if error.code != CONDITION_FAILED:
            raise
        found = numbered(dynamodb, table, entry.number)
        how = " ".join(filter(None, (found.verdict, found.reason and f"({found.reason})"))) if found else "gone"
        raise SupersededError(
            f"somebody else has ended release {entry.number}: it is {how}",
            hint=f"inv history --env {entry.environment}",
        ) from error


def _write_running(dynamodb: DynamoDBClient, table: str, entry: Entry) -> None:
    """Write *entry* over what the ledger has of it, as long as that runs."""
    values = {name: value for name, value in _item(entry).items() if name not in ("kind", "number")}
    new = {f":{name}": value for name, value in values.items()}
    dynamodb.update_item(
        TableName=table,
        Key=_key(RELEASE, entry.number),
        UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
        ConditionExpression="#verdict = :running",
        ExpressionAttributeNames={f"#{name}": name for name in values},
        ExpressionAttributeValues={**new, ":running": {"S": RUNNING}},
    )


def entries(dynamodb: DynamoDBClient, table: str, *, limit: int = PAGE) -> tuple[Entry, ...]:
    """Return the last *limit* releases, newest first."""
    return tuple(entry for entry, _ in zip(_newest_first(dynamodb, table, page=limit), range(limit), strict=False))


def completed(dynamodb: DynamoDBClient, table: str, *, limit: int = PAGE) -> tuple[Entry, ...]:
    """Return the last *limit* releases that completed, newest first, however many failed in between."""
    done = (one for one in _newest_first(dynamodb, table, page=limit) if one.verdict == COMPLETED)
    return tuple(entry for entry, _ in zip(done, range(limit), strict=False))


def last(dynamodb: DynamoDBClient, table: str) -> tuple[Entry | None, Entry | None]:
    """Return the newest release, and the newest that completed; one call when that is not long ago."""
    found = recent(dynamodb, table)
    return found.newest, found.completed


def unfinished(dynamodb: DynamoDBClient, table: str) -> tuple[Entry, ...]:
    """Return the releases without an end that began after the last one that completed, newest first."""
    return recent(dynamodb, table).unfinished


def recent(dynamodb: DynamoDBClient, table: str) -> Recent:
    """Return what is to know of the last releases; one call when one of the last few completed."""
    return recent_of(_newest_first(dynamodb, table, page=PAGE))


def recent_of(entries: Iterable[Entry]) -> Recent:
    """Return what is to know of *entries*, the newest first; those before the last that completed are not looked at."""
    since: list[Entry] = []
    for entry in entries:
        if entry.verdict == COMPLETED:
            return Recent(since=tuple(since), completed=entry)
        since.append(entry)
    return Recent(since=tuple(since), completed=None)


def numbered(dynamodb: DynamoDBClient, table: str, number: int) -> Entry | None:
    """Return the release of that *number*, if there is one."""
    answer = dynamodb.get_item(TableName=table, Key=_key(RELEASE, number), ConsistentRead=True)
    return _entry(answer["Item"]) if answer.get("Item") else None


def _newest_first(dynamodb: DynamoDBClient, table: str, *, page: int) -> Iterator[Entry]:
    """Yield every release; a page is read when somebody wants what is on it."""
    more: dict[str, Any] = {}
    while True:
        try:
            answer = dynamodb.query(
                TableName=table,
                KeyConditionExpression="kind = :release",
                ExpressionAttributeValues={":release": {"S": RELEASE}},
                ScanIndexForward=False,
                ConsistentRead=True,
                Limit=max(page, PAGE),
                **more,
            )
        except AwsError as error:
            raise _understood(error, table) from error
        yield from (_entry(one) for one in answer["Items"])
        if not answer.get("LastEvaluatedKey"):
            return
        more = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}


def _draw(dynamodb: DynamoDBClient, table: str) -> int:
    """Return the next number; nobody else gets it."""
    try:
        answer = dynamodb.update_item(
            TableName=table,
            Key=_key(COUNTER, 0),
            UpdateExpression="ADD drawn :one",
            ExpressionAttributeValues={":one": {"N": "1"}},
            ReturnValues="UPDATED_NEW",
        )
    except AwsError as error:
        raise _understood(error, table) from error
    return int(answer["Attributes"]["drawn"]["N"])


def _forgive_repetition(dynamodb: DynamoDBClient, table: str, entry: Entry, error: AwsError) -> None:
    """Raise *error*, unless the ledger has just this: boto3 repeats a call whose answer was lost."""
    if error.code != CONDITION_FAILED or numbered(dynamodb, table, entry.number) != entry:
        raise error


def _understood(error: AwsError, table: str) -> AwsError | ContractError:
    if error.code != "ResourceNotFoundException":
        return error
    return ContractError(f"there is no table {table}, the ledger of the releases", hint="inv infra.apply")


def _key(kind: str, number: int) -> dict[str, Any]:
    return {"kind": {"S": kind}, "number": {"N": str(number)}}


def _item(entry: Entry) -> dict[str, Any]:
    return {
        **_key(RELEASE, entry.number),
        **{name: {"BOOL": getattr(entry, name)} for name in FLAGS},
        **{name: {"N": str(getattr(entry, name))} for name in NUMBERS},
        **{name: {"S": getattr(entry, name)} for name in TEXTS},
        **{name: {"M": {key: {"S": one} for key, one in getattr(entry, name).items()}} for name in TABLES},
    }


def _entry(item: Mapping[str, Any]) -> Entry:
    """Return what *item* says; one of another version may say more, or less."""
    verdict, action = _text(item, "verdict"), _text(item, "action")
    known: dict[str, Any] = {
        **{name: _text(item, name) for name in TEXTS},
        **{name: bool(item.get(name, {}).get("BOOL")) for name in FLAGS},
        **{name: int(item.get(name, {}).get("N", 0)) for name in NUMBERS},
        **{name: _texts(item, name) for name in TABLES},
        "verdict": verdict if verdict in get_args(Verdict) else "failed",
        "action": action if action in get_args(Action) else "release",
    }
    return Entry(number=int(item["number"]["N"]), **known)


def _text(item: Mapping[str, Any], name: str) -> str:
    return str(item.get(name, {}).get("S", ""))


def _texts(item: Mapping[str, Any], name: str) -> dict[str, str]:
    return {key: str(one.get("S", "")) for key, one in item.get(name, {}).get("M", {}).items()}


def _now(clock: Clock) -> str:
    return dt.datetime.fromtimestamp(clock.time(), tz=dt.UTC).isoformat(timespec="seconds")
