"""The lease: one owner at a time, whatever dies, sleeps, is cut off, or has a wrong clock."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import boto3
import moto
import pytest

from deploylib import aws, config, events, lease
from deploylib.errors import AwsError, ContractError, RefusedError, SupersededError
from deploylib.toolchain.recorded_process import Owner
from tests.fakes.account import FakeAccount

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploylib.clock import Clock
    from tests.fakes.clock import FakeClock

TABLE = "guestbook-stg-releases"
FOREIGN = "4711|0-0-0-0 pid:[1]|0-0-0-0 1"
ADA = lease.Claim(
    environment="stg",
    by="arn:aws:iam::111111111111:user/ada",
    commit="a" * 40,
    reason="release of aaaaaaa",
    host="laptop",
    process=FOREIGN,
)
BEN = replace(ADA, by="arn:aws:sts::111111111111:assumed-role/deploy/ben", host="ci", owner="b" * 32)
LASTS = 60.0 + lease.SLACK_SECONDS


class Machine:
    """A machine of its own: its wall clock is *ahead_seconds* off, and its monotonic clock stands still asleep."""

    def __init__(self, clock: FakeClock, *, ahead_seconds: float = 0.0) -> None:
        self._clock, self.ahead_seconds, self._asleep = clock, ahead_seconds, 0.0

    def monotonic(self) -> float:
        return self._clock.monotonic() - self._asleep

    def time(self) -> float:
        return self._clock.time() + self.ahead_seconds

    def sleep(self, seconds: float, /) -> None:
        self._clock.sleep(seconds)

    def suspend(self, seconds: float) -> None:
        self._clock.advance(seconds)
        self._asleep += seconds


@pytest.fixture
def account() -> FakeAccount:
    made = FakeAccount()
    made.dynamodb.tables[TABLE] = {}
    return made


def settings(wait_seconds: float = 0.0) -> config.Lock:
    return config.Lock(wait_seconds=wait_seconds)


def acquire(
    account: FakeAccount, claim: lease.Claim = ADA, *, wait_seconds: float = 0.0, clock: Clock | None = None
) -> tuple[lease.Lease, list[events.Event]]:
    """Take the lease; return it, and what was said."""
    said: list[events.Event] = []
    steps = lease.acquire(
        account.account.dynamodb, TABLE, claim, settings=settings(wait_seconds), clock=clock or account.clock
    )
    while True:
        try:
            said.append(next(steps))
        except StopIteration as done:
            return done.value, said


def take(account: FakeAccount, claim: lease.Claim = ADA, *, clock: Clock | None = None) -> lease.Lease:
    return acquire(account, claim, clock=clock)[0]


def holder(account: FakeAccount) -> lease.Holder | None:
    return lease.holder(account.account.dynamodb, TABLE)


def owner(account: FakeAccount) -> str:
    found = holder(account)
    return found.owner if found else ""


def test_free_lease_is_taken_with_two_calls(account: FakeAccount) -> None:
    taken, said = acquire(account)
    assert said == [events.Locked(waited_seconds=0.0)]
    assert account.calls == {"dynamodb:GetItem": 1, "dynamodb:PutItem": 1}
    found = holder(account)
    assert found
    assert (found.owner, found.name, found.commit, found.reason) == (ADA.owner, "ada on laptop", "a" * 40, ADA.reason)
    assert (found.since, found.environment, taken.owner) == ("2023-11-14T22:13:20+00:00", "stg", ADA.owner)


def test_every_run_is_an_owner_of_its_own() -> None:
    first, second = (lease.Claim(environment="stg", by="ada") for _ in range(2))
    assert first.owner != second.owner
    assert first.process == second.process == str(Owner.this())
    assert first.host


def test_km689_lease_is_refused_with_the_name_of_who_has_it(account: FakeAccount) -> None:
    take(account)
    account.clock.advance(7)
    with pytest.raises(RefusedError) as refused:
        take(account, BEN)
    said = str(refused.value)
    assert refused.value.exit_code == 3
    for words in ("stg is locked by ada on laptop", "since 2023-11-14T22:13:20", "release of aaaaaaa", "7 s ago"):
        assert words in said
    assert "--wait-lock" in refused.value.hint
    assert "inv lock.show --env stg" in refused.value.hint
    assert "too long" not in said
    assert owner(account) == ADA.owner


def test_km1844_who_waits_says_for_whom_and_gets_it_when_it_is_given_back(account: FakeAccount) -> None:
    first = take(account)
    account.clock.after(31, first.release)
    _, said = acquire(account, BEN, wait_seconds=600)
    waited = [one for one in said if isinstance(one, events.LockWaited)]
    assert [one.left_seconds for one in waited] == [600, 584]
    assert {(one.by, one.host, one.reason, one.since) for one in waited} == {
        (ADA.by, "laptop", ADA.reason, "2023-11-14T22:13:20+00:00")
    }
    assert said[-1] == events.Locked(waited_seconds=32.0)
    assert owner(account) == BEN.owner


def test_waiting_ends_with_the_time_that_was_given_for_it(account: FakeAccount) -> None:
    mine = take(account)
    keep_alive(account, mine)
    with pytest.raises(RefusedError, match="locked by ada"):
        acquire(account, BEN, wait_seconds=600)
    assert account.clock.monotonic() == pytest.approx(600, abs=1)


def keep_alive(account: FakeAccount, mine: lease.Lease) -> None:
    """Have another machine renew *mine* for ever while the clock moves."""

    def again() -> None:
        mine.keep()
        account.clock.after(3, again)

    again()


def test_km455_lease_of_a_killed_run_expires_by_itself(account: FakeAccount) -> None:
    take(account)
    account.clock.advance(LASTS - 2)
    with pytest.raises(RefusedError, match="too long: if it does not come back, the lock is free in 2 s"):
        take(account, BEN)
    account.clock.advance(3)
    found = holder(account)
    assert found
    assert found.gone
    assert take(account, BEN).owner == owner(account) == BEN.owner


def test_who_waits_for_a_killed_run_gets_it_as_soon_as_it_has_expired(account: FakeAccount) -> None:
    take(account)
    _, said = acquire(account, BEN, wait_seconds=600)
    (locked,) = [one for one in said if isinstance(one, events.Locked)]
    assert LASTS <= locked.waited_seconds <= LASTS + 2 * lease.LOOK_SECONDS


@pytest.mark.parametrize("ahead_seconds", [-7200.0, 7200.0])
def test_wrong_clocks_of_machines_do_not_matter(account: FakeAccount, ahead_seconds: float) -> None:
    mine = take(account, clock=Machine(account.clock, ahead_seconds=ahead_seconds))
    keep_alive(account, mine)
    account.clock.advance(300)
    other = Machine(account.clock, ahead_seconds=-ahead_seconds)
    with pytest.raises(RefusedError):
        take(account, BEN, clock=other)
    found = holder(account)
    assert found
    assert found.silent_seconds < 25


@pytest.mark.parametrize("ahead_seconds", [-7200.0, 7200.0])
def test_since_is_by_the_time_of_aws(account: FakeAccount, ahead_seconds: float) -> None:
    take(account, clock=Machine(account.clock, ahead_seconds=ahead_seconds))
    found = holder(account)
    assert found
    assert found.since == "2023-11-14T22:13:20+00:00"


def test_without_any_time_of_aws_renewals_are_watched(account: FakeAccount) -> None:
    account.dynamodb.ahead_seconds = None
    mine = take(account)
    for _ in range(4):
        account.clock.advance(25)
        mine.keep()
    _, said = acquire(account, BEN, wait_seconds=600, clock=Machine(account.clock, ahead_seconds=7200))
    (locked,) = [one for one in said if isinstance(one, events.Locked)]
    assert LASTS <= locked.waited_seconds <= LASTS + 2 * lease.LOOK_SECONDS


def test_lease_that_is_renewed_is_never_taken_from_who_waits_by_watching(account: FakeAccount) -> None:
    account.dynamodb.ahead_seconds = None
    keep_alive(account, take(account))
    with pytest.raises(RefusedError):
        acquire(account, BEN, wait_seconds=900)


def test_lease_is_renewed_each_third_of_its_time_while_the_release_waits(account: FakeAccount) -> None:
    mine = take(account)
    account.forget_calls()
    clock = lease.keeping(account.clock, mine)
    for _ in range(200):
        clock.sleep(3)
    assert account.clock.monotonic() == 600
    assert account.calls == {"dynamodb:UpdateItem": 28}  # each 21 s: a third, at the next look


def test_one_long_sleep_is_no_gap(account: FakeAccount) -> None:
    mine = take(account)
    lease.keeping(account.clock, mine).sleep(300)
    assert account.clock.monotonic() == 300
    found = holder(account)
    assert found
    assert (found.renewal, found.silent_seconds < 20) == (15, True)


def test_sleep_that_is_interrupted_is_interrupted(account: FakeAccount) -> None:
    mine = take(account)

    def interrupt() -> None:
        raise KeyboardInterrupt

    account.clock.after(5, interrupt)
    with pytest.raises(KeyboardInterrupt):
        lease.keeping(account.clock, mine).sleep(60)
    assert account.clock.monotonic() == 5


def test_keeping_clock_tells_the_time(account: FakeAccount) -> None:
    clock = lease.keeping(account.clock, take(account))
    account.clock.advance(5)
    assert (clock.monotonic(), clock.time()) == (5, account.clock.time())


def test_writes_in_a_row_cost_one_look_at_the_lease(account: FakeAccount) -> None:
    mine = take(account)
    account.forget_calls()
    for _ in range(20):
        mine.hold()
    assert not account.calls
    account.clock.advance(lease.FENCE_SECONDS)
    for _ in range(20):
        mine.hold()
    assert account.calls == {"dynamodb:UpdateItem": 1}


def test_who_takes_the_lease_by_force_begins_when_nobody_can_write_with_the_old_one(account: FakeAccount) -> None:
    mine = take(account)
    account.clock.advance(10)
    mine.hold()
    found = holder(account)
    assert found
    lease.break_lease(account.account.dynamodb, TABLE, found, by="arn:aws:iam::1:user/cleo")
    mine.hold()  # looked a moment ago
    take(account, BEN)
    with pytest.raises(SupersededError, match="ben on ci has it"):
        mine.hold()


def test_after_a_release_that_ended_nobody_waits(account: FakeAccount) -> None:
    take(account).release()
    take(account, BEN)
    assert account.clock.monotonic() == 0


def test_machine_that_slept_finds_that_somebody_else_released(account: FakeAccount) -> None:
    laptop = Machine(account.clock)
    mine = take(account, clock=laptop)
    laptop.suspend(3600)
    take(account, BEN)
    with pytest.raises(SupersededError, match="ben on ci has it since 2023-11-14T23:13:20") as lost:
        mine.hold()
    assert lost.value.hint == "inv status --env stg"
    assert owner(account) == BEN.owner


def test_machine_that_slept_goes_on_when_nobody_came(account: FakeAccount) -> None:
    laptop = Machine(account.clock)
    mine = take(account, clock=laptop)
    laptop.suspend(3600)
    mine.hold()
    found = holder(account)
    assert found
    assert not found.gone


def test_network_that_is_cut_for_thirty_seconds_changes_nothing(account: FakeAccount) -> None:
    mine = take(account)
    clock = lease.keeping(account.clock, mine)
    account.clock.after(15, lambda: account.dynamodb.refuse("", "EndpointConnectionError", times=1000))
    account.clock.after(45, account.dynamodb.answer_again)
    for _ in range(30):
        clock.sleep(2)
        mine.hold()
    assert owner(account) == ADA.owner


def test_nothing_is_written_with_a_lease_that_ran_out_and_cannot_be_renewed(account: FakeAccount) -> None:
    mine = take(account)
    account.dynamodb.refuse("update_item", "EndpointConnectionError", times=1000)
    lease.keeping(account.clock, mine).sleep(90)  # whoever only looks, looks on
    with pytest.raises(SupersededError, match="ran out and cannot be renewed"):
        mine.hold()
    account.dynamodb.answer_again()
    mine.hold()  # nobody came meanwhile


def test_renewal_that_fails_is_repeated_soon_but_not_at_once(account: FakeAccount) -> None:
    mine = take(account)
    account.clock.advance(20)
    account.forget_calls()
    account.dynamodb.throttle(1000)
    clock = lease.keeping(account.clock, mine)
    for _ in range(100):
        clock.sleep(0.1)
    assert account.calls["dynamodb:UpdateItem"] == 5


def test_refusal_that_does_not_pass_is_told_at_once(account: FakeAccount) -> None:
    mine = take(account)
    account.clock.advance(30)
    account.dynamodb.refuse("update_item", "AccessDeniedException")
    with pytest.raises(Exception, match="AccessDenied"):
        mine.hold()


def test_waiting_endures_errors_that_pass(account: FakeAccount) -> None:
    account.clock.after(10, take(account).release)
    account.clock.after(1, lambda: account.dynamodb.throttle(2))
    assert acquire(account, BEN, wait_seconds=60)[0].owner == BEN.owner


def test_lease_that_was_broken_by_force_is_not_ours_any_more(account: FakeAccount) -> None:
    mine = take(account)
    found = holder(account)
    assert found
    assert lease.break_lease(account.account.dynamodb, TABLE, found, by="arn:aws:iam::1:user/cleo")
    assert holder(account) is None
    account.clock.advance(3)
    with pytest.raises(SupersededError, match="cleo released it by force"):
        mine.hold()


def test_lease_that_is_lost_is_lost_although_nobody_can_say_to_whom(account: FakeAccount) -> None:
    mine = take(account)
    account.clock.advance(100)
    take(account, BEN)
    account.dynamodb.refuse("get_item", "ConnectTimeoutError")
    with pytest.raises(SupersededError, match=r"not ours any more: .*ConnectTimeoutError"):
        mine.hold()


def test_breaking_does_not_hit_who_came_later(account: FakeAccount) -> None:
    take(account).release()
    found = lease.Holder(owner=ADA.owner)
    take(account, BEN)
    assert not lease.break_lease(account.account.dynamodb, TABLE, found, by="cleo")
    assert owner(account) == BEN.owner


def test_lease_is_given_back_once_and_only_by_its_owner(account: FakeAccount) -> None:
    mine = take(account)
    assert mine.release()
    take(account, BEN)
    assert not mine.release()
    assert owner(account) == BEN.owner


def test_giving_back_that_aws_refuses_is_no_failure(account: FakeAccount) -> None:
    mine = take(account)
    account.dynamodb.throttle(1)
    assert not mine.release()


def test_interruption_when_the_lease_was_just_taken_gives_it_back(account: FakeAccount) -> None:
    steps = lease.acquire(account.account.dynamodb, TABLE, ADA, settings=settings(), clock=account.clock)
    assert isinstance(next(steps), events.Locked)
    with pytest.raises(KeyboardInterrupt):
        steps.throw(KeyboardInterrupt)
    assert holder(account) is None


class Hasty:
    """A client before whose first write somebody else takes the lease."""

    def __init__(self, account: FakeAccount) -> None:
        self._account, self._waits = account, True

    def __getattr__(self, name: str) -> Any:
        if name == "put_item" and self._waits:
            self._waits = False
            take(self._account, BEN)
        return getattr(self._account.dynamodb, name)


def test_of_two_that_see_it_free_one_gets_it(account: FakeAccount) -> None:
    hasty: Any = Hasty(account)
    with pytest.raises(RefusedError, match="locked by ben on ci"):
        next(lease.acquire(hasty, TABLE, ADA, settings=settings(), clock=account.clock))
    assert owner(account) == BEN.owner


def test_of_two_that_see_it_expired_one_gets_it(account: FakeAccount) -> None:
    take(account, replace(ADA, owner="dead"))
    account.clock.advance(100)
    hasty: Any = Hasty(account)
    with pytest.raises(RefusedError, match="locked by ben on ci"):
        next(lease.acquire(hasty, TABLE, ADA, settings=settings(), clock=account.clock))
    assert owner(account) == BEN.owner


def test_answer_that_was_lost_does_not_make_us_a_stranger(account: FakeAccount) -> None:
    account.dynamodb.refuse("put_item", "ConditionalCheckFailedException", done=True)  # boto3 asked again
    assert take(account).owner == owner(account) == ADA.owner


def test_dead_process_of_this_machine_is_not_waited_for(account: FakeAccount) -> None:
    this = Owner.this()
    other = replace(this, process=replace(this.process, started=f"{this.process.started}0"))
    mine = lease.Claim(environment="stg", by="ada", process=str(other))
    take(account, replace(mine, host="a copy of this machine"))
    with pytest.raises(RefusedError):
        take(account, BEN)
    account.clock.advance(100)
    take(account, mine)
    found = holder(account)
    assert found
    assert (found.dead, found.gone, found.left_seconds > 0) == (True, True, True)
    assert take(account, BEN).owner == BEN.owner


@pytest.mark.parametrize("process", [str(Owner.this()), FOREIGN, "", "nonsense", "7|host|Mon Jan 1"])
def test_process_that_lives_or_cannot_be_looked_for_is_waited_for(account: FakeAccount, process: str) -> None:
    take(account, replace(ADA, process=process))
    with pytest.raises(RefusedError):
        take(account, BEN)


def test_table_that_is_missing_says_to_apply() -> None:
    with pytest.raises(ContractError, match=TABLE) as refused:
        holder(FakeAccount())
    assert "infra.apply" in refused.value.hint


def test_nobody_has_it_where_nobody_ever_released(account: FakeAccount) -> None:
    assert holder(account) is None


@pytest.mark.parametrize("seed", range(40))
def test_whoever_was_told_to_go_on_is_the_owner_whatever_happens(account: FakeAccount, seed: int) -> None:
    """Five machines with wrong clocks that die, sleep, are cut off and robbed: nobody writes while another may."""
    draw = random.Random(seed)  # noqa: S311  # a test's dice
    machines = [Machine(account.clock, ahead_seconds=draw.uniform(-5000, 5000)) for _ in range(5)]
    held: list[lease.Lease | None] = [None] * len(machines)
    writes = 0
    for _ in range(400):
        who = draw.randrange(len(machines))
        match draw.choices(("try", "write", "die", "sleep", "cut", "force", "wait"), (10, 20, 1, 1, 1, 1, 3))[0]:
            case "try" if held[who] is None:
                held[who] = _tried(account, machines[who])
            case "write" if mine := held[who]:
                held[who] = mine if _written(account, mine) else None
                writes += held[who] is not None
            case "force":
                account.dynamodb.answer_again()
                lease.break_lease(account.account.dynamodb, TABLE, holder(account) or lease.Holder(), by="cleo")
            case "die":
                held[who] = None
            case "sleep":
                machines[who].suspend(draw.uniform(0, 100))
            case "cut":
                account.dynamodb.refuse("", "ConnectTimeoutError", times=draw.randrange(4))
            case _:
                account.clock.advance(draw.uniform(0, 25))
    assert writes > 10


def _tried(account: FakeAccount, machine: Machine) -> lease.Lease | None:
    try:
        return take(account, lease.Claim(environment="stg", by="x", process=FOREIGN), clock=machine)
    except (RefusedError, AwsError):
        return None


def _written(account: FakeAccount, mine: lease.Lease) -> bool:
    try:
        mine.hold()
    except (SupersededError, AwsError):
        return False
    found = account.dynamodb.tables[TABLE]["lock", 0].get("owner")
    assert found in ({"S": mine.owner}, None)  # taken away a moment ago, and nobody has it yet
    return True


@pytest.fixture
def real_model() -> Iterator[Any]:
    with moto.mock_aws():
        session = boto3.Session(region_name="ap-northeast-1", aws_access_key_id="none", aws_secret_access_key="none")
        client = aws.Account(session, environment="stg").dynamodb
        keys = (("kind", "S", "HASH"), ("number", "N", "RANGE"))
        client.create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, _, kind in keys],  # type: ignore[typeddict-item]  # literals of a list
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": type_} for name, type_, _ in keys],  # type: ignore[typeddict-item]  # literals of a list
            BillingMode="PAY_PER_REQUEST",
        )
        yield client


def test_dynamodb_itself_understands_the_expressions(real_model: Any) -> None:
    clock = FakeAccount().clock
    steps = lease.acquire(real_model, TABLE, ADA, settings=settings(), clock=clock)
    assert isinstance(next(steps), events.Locked)
    with pytest.raises(StopIteration) as done:
        next(steps)
    mine: lease.Lease = done.value.value
    clock.advance(30)
    with pytest.raises(RefusedError, match="locked by ada"):
        next(lease.acquire(real_model, TABLE, BEN, settings=settings(), clock=clock))
    mine.hold()
    found = lease.holder(real_model, TABLE)
    assert found
    assert (found.owner, found.renewal) == (ADA.owner, 1)
    assert lease.break_lease(real_model, TABLE, found, by="cleo")
    assert not mine.release()
    assert lease.holder(real_model, TABLE) is None
