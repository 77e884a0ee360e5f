"""The lease of an environment: one release at a time, on whatever machine.

It is one item in the ledger's table (kind `lock`, number 0), written with conditions, so that it never has two owners.
Who has it renews it when a third of its time is over. Who died does not, and it runs out: by AWS's own time, which
each answer's `Date` header tells (the clocks of two machines are never compared), or, for who waits, when the number of
its renewals has not moved for that long. A dead process of this very machine need not be waited for.

There is no thread: whoever waits sleeps by `keeping`, which renews on the way, and `Lease.hold` before each write is
the fence. Nobody writes whose lease ran out and could not be renewed, who was taken for dead, or from whom it was taken
by force: what `hold` said is good for two seconds, and so long who comes after a force waits.

An item without `owner` is a lease that nobody has.
"""

from __future__ import annotations

import datetime as dt
import email.utils
import platform
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from deploylib import events
from deploylib.errors import AwsError, ContractError, RefusedError, SupersededError
from deploylib.toolchain import recorded_process

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from types_boto3_dynamodb.client import DynamoDBClient

    from deploylib.clock import Clock
    from deploylib.config import Lock

KIND = "lock"
TEXTS = ("owner", "by", "host", "commit", "reason", "since", "process", "environment")
LEASE_SECONDS = 60.0
SLACK_SECONDS = 2.0  # `Date` has whole seconds, and an answer takes its time
LOOK_SECONDS = 2.0
WORD_SECONDS = 15.0
RETRY_SECONDS = 2.0
FENCE_SECONDS = 2.0  # how long a look at the lease is good for before a write
RENEWED_AFTER = 1 / 3
CONDITION_FAILED = "ConditionalCheckFailedException"


def _owner() -> str:
    return uuid.uuid4().hex


def _process() -> str:
    return str(recorded_process.Owner.this())


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Who wants the lease of *environment*, of which commit, and what for; `by` is an ARN.

    `owner` is drawn for this run and nobody else has it; `process` finds it again on this machine.
    """

    environment: str
    by: str
    commit: str = ""
    reason: str = "release"
    owner: str = field(default_factory=_owner)
    host: str = field(default_factory=platform.node)
    process: str = field(default_factory=_process)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who has the lease. `since` is ISO 8601, UTC; *silent_seconds* ago it was renewed, by AWS's time.

    `renewal` counts the renewals. `broken_by` is who took the lease away from whoever had it, when `owner` is empty.
    """

    owner: str = ""
    by: str = ""
    host: str = ""
    commit: str = ""
    reason: str = ""
    since: str = ""
    process: str = ""
    environment: str = ""
    renewal: int = 0
    lease_seconds: float = LEASE_SECONDS
    silent_seconds: float = 0.0
    broken_by: str = ""

    @property
    def left_seconds(self) -> float:
        """How long the lease lasts unless it is renewed; never below zero."""
        return max(0.0, self.lease_seconds + SLACK_SECONDS - self.silent_seconds)

    @property
    def dead(self) -> bool:
        """Whether it was a process of this very machine that provably ended.

        The name counts too: copies of a machine that was running have the same boot and the same processes.
        """
        process = recorded_process.Owner.read(self.process)
        return process is not None and self.host == platform.node() and process.provably_gone()

    @property
    def gone(self) -> bool:
        """Whether the lease is there for the taking: it ran out, or its process provably ended."""
        return self.left_seconds <= 0 or self.dead

    @property
    def name(self) -> str:
        """Who it is, as a person reads it: the last part of the ARN, and the machine."""
        who = self.by.rpartition("/")[2] or "somebody"
        return f"{who} on {self.host}" if self.host else who


def holder(dynamodb: DynamoDBClient, table: str) -> Holder | None:
    """Return who has the lease, if anybody has: `gone` says whether that one is still there.

    Raises `ContractError` when there is no such table.
    """
    found = _look(dynamodb, table).holder
    return found if found.owner else None


def acquire(
    dynamodb: DynamoDBClient, table: str, claim: Claim, *, settings: Lock, clock: Clock
) -> Generator[events.Event, None, Lease]:
    """Take the lease, and return it; while somebody else has it, wait as long as *settings* says, and say so.

    Raises `RefusedError` with the holder's name when it does not become free in that time.
    """
    wait = _Wait(clock, settings.wait_seconds)
    while True:
        mark = _Mark.now(clock)
        try:
            found = _look(dynamodb, table)
        except AwsError as error:
            if not error.transient or wait.left_seconds <= 0:
                raise
            clock.sleep(LOOK_SECONDS)
            continue
        if wait.may_take(found.holder):
            if found.holder.broken_by:
                clock.sleep(FENCE_SECONDS)  # whoever had it may be about to write, and looks after this
            lease = Lease(dynamodb, table, claim, seconds=settings.lease_seconds, clock=clock)
            if lease.take(found, mark):
                yield from _told(lease, wait.seconds)
                return lease
            continue  # somebody was faster: who?
        if wait.left_seconds <= 0:
            raise refused(found.holder, claim.environment)
        if wait.is_news(found.holder):
            yield _waited(found.holder, wait.left_seconds)
        clock.sleep(min(LOOK_SECONDS, wait.left_seconds))


def break_lease(dynamodb: DynamoDBClient, table: str, found: Holder, *, by: str) -> bool:
    """Take the lease away from *found*, whose next write is refused then; return whether it still had it."""
    return _free(dynamodb, table, found.owner, {"broken_by": {"S": by}})


def keeping(clock: Clock, lease: Lease) -> Clock:
    """Return *clock* with a sleep that keeps *lease* alive; it raises `SupersededError` when somebody else has it."""
    return _KeepingClock(clock, lease)


class Lease:
    """The lease, as whoever has it holds it."""

    def __init__(
        self, dynamodb: DynamoDBClient, table: str, claim: Claim, *, seconds: float = LEASE_SECONDS, clock: Clock
    ) -> None:
        self._dynamodb, self._table, self._clock = dynamodb, table, clock
        self._seconds = seconds
        self.claim = claim
        self._aws_seconds = 0.0  # AWS's time when the clock was at `_aws_mark`
        self._aws_mark = self._renewed = self._tried = _Mark.now(clock)

    @property
    def owner(self) -> str:
        """What the ledger's entries of this run are written under."""
        return self.claim.owner

    @property
    def due_seconds(self) -> float:
        """How long from now the next renewal is due; zero when it is."""
        due = self._seconds * RENEWED_AFTER - self._renewed.seconds_ago(self._clock)
        if self._tried is self._renewed:
            return max(0.0, due)
        return max(0.0, due, RETRY_SECONDS - self._tried.seconds_ago(self._clock))

    def take(self, found: _Found, mark: _Mark) -> bool:
        """Take the lease from *found*, who was seen at *mark*; return whether nobody else was faster."""
        self._learn(found.aws_seconds, mark)
        was = found.holder
        try:
            self._dynamodb.put_item(
                TableName=self._table,
                Item=self._item(),
                ConditionExpression="attribute_not_exists(#owner) OR (#owner = :was AND #renewal = :seen)",
                ExpressionAttributeNames={"#owner": "owner", "#renewal": "renewal"},
                ExpressionAttributeValues={":was": {"S": was.owner}, ":seen": {"N": str(was.renewal)}},
            )
        except AwsError as error:
            if error.code != CONDITION_FAILED:
                raise
            if _look(self._dynamodb, self._table).holder.owner != self.owner:
                return False  # else boto3 repeated a call whose answer was lost
        return True

    def hold(self) -> None:
        """Make sure, before a write, that the lease is ours: it is renewed, unless that was a moment ago.

        Raises `SupersededError` when somebody else has it, or may have it: it ran out and cannot be renewed.
        """
        if self._tried.seconds_ago(self._clock) < FENCE_SECONDS and not self._ran_out:
            return
        error = self._try()
        if error and self._ran_out:
            raise SupersededError(
                f"the lock of {self.claim.environment} ran out and cannot be renewed: {error}",
                hint=_status(self.claim.environment),
            ) from error

    def keep(self) -> None:
        """Renew the lease if that is due; errors that may pass are endured, since nothing is written now.

        Raises `SupersededError` when somebody else has it.
        """
        if self.due_seconds <= 0:
            self._try()

    def release(self) -> bool:
        """Give the lease back; return whether it was ours. What AWS refuses is not raised: it runs out by itself."""
        try:
            return _free(self._dynamodb, self._table, self.owner, {})
        except AwsError:
            return False

    @property
    def _ran_out(self) -> bool:
        return self._renewed.seconds_ago(self._clock) >= self._seconds

    def _try(self) -> AwsError | None:
        """Renew; return the error when that may be better in a moment."""
        self._tried = _Mark.now(self._clock)
        try:
            self._renew(self._tried)
        except AwsError as error:
            if error.code == CONDITION_FAILED:
                raise self._lost() from error
            if not error.transient:
                raise
            return error
        return None

    def _renew(self, started: _Mark) -> None:
        answer = self._dynamodb.update_item(
            TableName=self._table,
            Key=_key(),
            UpdateExpression="SET renewed_at = :now ADD renewal :one",
            ConditionExpression="#owner = :me",
            ExpressionAttributeNames={"#owner": "owner"},
            ExpressionAttributeValues={
                ":now": {"N": f"{self._aws_now():.3f}"},
                ":one": {"N": "1"},
                ":me": {"S": self.owner},
            },
        )
        self._learn(_date(answer), started)
        self._renewed = self._tried = started

    def _lost(self) -> SupersededError:
        try:
            why = _whose(_look(self._dynamodb, self._table).holder)
        except AwsError as error:
            why = str(error)
        return SupersededError(
            f"the lock of {self.claim.environment} is not ours any more: {why}", hint=_status(self.claim.environment)
        )

    def _learn(self, aws_seconds: float | None, mark: _Mark) -> None:
        """Note AWS's time; where it does not say (no AWS), the clock's is as good."""
        self._aws_seconds, self._aws_mark = mark.wall if aws_seconds is None else aws_seconds, mark

    def _aws_now(self) -> float:
        return self._aws_seconds + self._aws_mark.seconds_ago(self._clock)

    def _item(self) -> dict[str, Any]:
        now = self._aws_now()
        since = dt.datetime.fromtimestamp(now, tz=dt.UTC).isoformat(timespec="seconds")
        texts = {name: getattr(self.claim, name, since) for name in TEXTS}
        return {
            **_key(),
            **{name: {"S": value} for name, value in texts.items()},
            "renewed_at": {"N": f"{now:.3f}"},
            "renewal": {"N": "0"},
            "lease_seconds": {"N": f"{self._seconds:g}"},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mark:
    """A moment by this machine's two clocks."""

    monotonic: float
    wall: float

    @classmethod
    def now(cls, clock: Clock) -> _Mark:
        return cls(monotonic=clock.monotonic(), wall=clock.time())

    def seconds_ago(self, clock: Clock) -> float:
        """Return how long ago that is; the monotonic clock of a machine that slept stood still meanwhile."""
        return max(clock.monotonic() - self.monotonic, clock.time() - self.wall)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """The item as it is, and AWS's time as its answer told it."""

    holder: Holder
    aws_seconds: float | None


class _Wait:
    """How long is left to wait for the lease, and since when its holder gives no sign of life."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock, self._seconds = clock, seconds
        self._began = self._moved = _Mark.now(clock)
        self._seen: tuple[str, int] = ("", 0)
        self._told = ""
        self._told_at = self._began

    @property
    def seconds(self) -> float:
        return self._began.seconds_ago(self._clock)

    @property
    def left_seconds(self) -> float:
        return self._seconds - self.seconds

    def may_take(self, found: Holder) -> bool:
        """Whether nobody has it, or somebody who is gone, or who renewed nothing for as long as we look."""
        if (found.owner, found.renewal) != self._seen:
            self._seen, self._moved = (found.owner, found.renewal), _Mark.now(self._clock)
        silent = self._moved.seconds_ago(self._clock)
        return not found.owner or found.gone or silent >= found.lease_seconds + SLACK_SECONDS

    def is_news(self, found: Holder) -> bool:
        """Whether it is time to say (again) who has it."""
        if found.owner == self._told and self._told_at.seconds_ago(self._clock) < WORD_SECONDS:
            return False
        self._told, self._told_at = found.owner, _Mark.now(self._clock)
        return True


class _KeepingClock:
    """A clock whose sleep renews a lease whenever that is due."""

    def __init__(self, clock: Clock, lease: Lease) -> None:
        self._clock, self._lease = clock, lease

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def time(self) -> float:
        return self._clock.time()

    def sleep(self, seconds: float, /) -> None:
        until = self._clock.monotonic() + seconds
        while (left := until - self._clock.monotonic()) > 0:
            self._clock.sleep(min(left, max(self._lease.due_seconds, RETRY_SECONDS)))
            self._lease.keep()


def _told(lease: Lease, waited_seconds: float) -> Generator[events.Event, None, None]:
    """Say that the lease is ours; whoever is interrupted there never gets it, so it is given back."""
    try:
        yield events.Locked(waited_seconds=waited_seconds)
    except BaseException:
        lease.release()
        raise


def _waited(found: Holder, left_seconds: float) -> events.LockWaited:
    return events.LockWaited(
        by=found.by, host=found.host, reason=found.reason, since=found.since, left_seconds=left_seconds
    )


def refused(found: Holder, environment: str) -> RefusedError:
    """Return the refusal that names *found*, who has the lock of *environment*."""
    return RefusedError(
        f"{environment} is locked by {found.name} since {found.since} ({found.reason}); "
        f"the last sign of life was {found.silent_seconds:.0f} s ago{_missed(found)}",
        hint=f"wait for it (--wait-lock 10m), or look at it: inv lock.show --env {environment}",
    )


def _missed(found: Holder) -> str:
    """Say when the lease of somebody who should have renewed it by now is free."""
    if found.silent_seconds <= found.lease_seconds * RENEWED_AFTER + SLACK_SECONDS + LOOK_SECONDS:
        return ""
    return f", which is too long: if it does not come back, the lock is free in {found.left_seconds:.0f} s"


def _whose(found: Holder) -> str:
    if found.owner:
        return f"{found.name} has it since {found.since}"
    return f"{found.broken_by.rpartition('/')[2]} released it by force" if found.broken_by else "it was released"


def _status(environment: str) -> str:
    return f"inv status --env {environment}"


def _look(dynamodb: DynamoDBClient, table: str) -> _Found:
    try:
        answer = dynamodb.get_item(TableName=table, Key=_key(), ConsistentRead=True)
    except AwsError as error:
        if error.code != "ResourceNotFoundException":
            raise
        raise ContractError(f"there is no table {table}, the ledger of the releases", hint="inv infra.apply") from error
    aws_seconds = _date(answer)
    return _Found(holder=_holder(answer.get("Item", {}), aws_seconds), aws_seconds=aws_seconds)


def _holder(item: Mapping[str, Any], aws_seconds: float | None) -> Holder:
    numbers = {name: float(item[name]["N"]) for name in ("renewed_at", "renewal", "lease_seconds") if name in item}
    renewed_at = numbers.get("renewed_at", aws_seconds)
    return Holder(
        **{name: str(item.get(name, {}).get("S", "")) for name in (*TEXTS, "broken_by")},
        renewal=int(numbers.get("renewal", 0)),
        lease_seconds=numbers.get("lease_seconds", LEASE_SECONDS),
        silent_seconds=max(0.0, aws_seconds - renewed_at) if aws_seconds and renewed_at else 0.0,
    )


def _date(answer: Any) -> float | None:
    """Return AWS's time, in seconds since the epoch, when *answer* was made."""
    said = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    return email.utils.parsedate_to_datetime(said).timestamp() if said else None


def _free(dynamodb: DynamoDBClient, table: str, owner: str, note: Mapping[str, Any]) -> bool:
    try:
        dynamodb.put_item(
            TableName=table,
            Item={**_key(), **note},
            ConditionExpression="#owner = :owner",
            ExpressionAttributeNames={"#owner": "owner"},
            ExpressionAttributeValues={":owner": {"S": owner}},
        )
    except AwsError as error:
        if error.code != CONDITION_FAILED:
            raise
        return False
    return True


def _key() -> dict[str, Any]:
    return {"kind": {"S": KIND}, "number": {"N": "0"}}
