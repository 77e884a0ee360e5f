"""Parameter Store: ten at a time, as often as AWS lets us, and no value in an error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from deploylib import aws, config
from deploylib.errors import AwsError
from deploylib.settings import store
from tests.fakes import world as worlds
from tests.fakes.account import FakeAccount

if TYPE_CHECKING:
    from pathlib import Path

    from types_boto3_ssm.client import SSMClient

NAMES = [f"/guestbook/stg/settings/S{number:03}" for number in range(25)]
FOLDER = "/guestbook/stg/settings"


def filled() -> FakeAccount:
    fake = FakeAccount()
    for name in NAMES:
        fake.ssm.give(name, f"value of {name}", kind="SecureString")
    return fake


def ssm(fake: FakeAccount) -> SSMClient:
    return fake.account.ssm


def pace(fake: FakeAccount) -> store.Pace:
    return store.Pace(fake.clock)


def test_reading_takes_one_call_for_ten_and_asks_for_none_twice() -> None:
    fake = filled()
    found = store.read(ssm(fake), [*NAMES, *NAMES, "/guestbook/stg/settings/GONE"], pace(fake), values=True)
    assert fake.calls == {"ssm:GetParameters": 3}
    assert {name: one.value for name, one in found.items()} == {name: f"value of {name}" for name in NAMES}


def test_reading_nothing_calls_nothing() -> None:
    fake = filled()
    assert store.read(ssm(fake), [], pace(fake), values=True) == {}
    assert fake.calls == {}


def test_whoever_wants_no_values_decrypts_nothing() -> None:
    fake = filled()
    found = store.read(ssm(fake), NAMES[:1], pace(fake), values=False)
    assert [one.request["WithDecryption"] for one in fake.log] == [False]
    assert found[NAMES[0]].value == ""


def test_a_folder_is_listed_to_its_last_page_with_who_changed_what() -> None:
    fake = filled()
    fake.ssm.give(f"{FOLDER}/deeper/A", "x")
    fake.ssm.give("/guestbook/stg/contract", "x")
    found = store.listed(ssm(fake), FOLDER, pace(fake))
    assert sorted(found) == NAMES
    assert found[NAMES[0]].by.endswith("/ada")
    assert [one.value for one in store.below(ssm(fake), FOLDER, pace(fake))] == [f"value of {name}" for name in NAMES]


def test_what_is_written_is_a_secure_string() -> None:
    fake = FakeAccount()
    store.write(ssm(fake), NAMES[0], "s3cret", pace(fake))
    (call,) = fake.log
    assert call.request == {
        "Name": NAMES[0],
        "Value": "s3cret",
        "Type": "SecureString",
        "Overwrite": True,
        "Tier": "Standard",
    }


def test_what_is_removed_and_was_there_is_told_ten_per_call() -> None:
    fake = filled()
    assert store.remove(ssm(fake), [*NAMES, f"{FOLDER}/GONE"], pace(fake)) == tuple(NAMES)
    assert fake.calls == {"ssm:DeleteParameters": 3}
    assert fake.ssm.parameters == {}


def test_a_throttled_call_is_made_again_ever_later_and_the_next_ones_slow_down() -> None:
    fake = FakeAccount()
    fake.ssm.throttle(3)
    made = pace(fake)
    store.write(ssm(fake), NAMES[0], "x", made)
    assert fake.clock.naps == [0.4, 0.8, 1.6]
    store.write(ssm(fake), NAMES[1], "x", made)
    assert fake.clock.naps[3:] == [pytest.approx(1.6 * 0.85)]


def test_the_pause_ends_when_aws_lets_us_again() -> None:
    fake = FakeAccount()
    fake.ssm.throttle(1)
    made = pace(fake)
    for name in NAMES:
        store.write(ssm(fake), name, "x", made)
    before = len(fake.clock.naps)
    store.write(ssm(fake), NAMES[0], "x", made)
    assert len(fake.clock.naps) == before


def test_concurrent_updates_are_waited_for_too() -> None:
    fake = FakeAccount()
    fake.ssm.refuse("put_parameter", "TooManyUpdates")
    store.write(ssm(fake), NAMES[0], "x", pace(fake))
    assert fake.ssm.parameters[NAMES[0]] == [("SecureString", "x")]


def test_throttling_without_end_is_told_in_the_end() -> None:
    fake = FakeAccount()
    fake.ssm.throttle(99)
    with pytest.raises(AwsError, match="ThrottlingException"):
        store.write(ssm(fake), NAMES[0], "x", pace(fake))
    assert len(fake.log) == store.ATTEMPTS
    assert max(fake.clock.naps) == store.LONGEST_PAUSE_SECONDS


def test_another_refusal_is_not_tried_again() -> None:
    fake = FakeAccount()
    fake.ssm.refuse("put_parameter", "AccessDeniedException")
    with pytest.raises(AwsError, match="AccessDenied"):
        store.write(ssm(fake), NAMES[0], "x", pace(fake))
    assert len(fake.log) == 1
    assert fake.clock.naps == []


def test_a_refusal_that_repeats_the_value_does_not_show_it() -> None:
    fake = FakeAccount()
    fake.ssm.refuse("put_parameter", "ValidationException", "1 error: value 's3cret-value' does not fit")
    with pytest.raises(AwsError) as refused:
        store.write(ssm(fake), NAMES[0], "s3cret-value", pace(fake))
    assert "s3cret-value" not in _everything(refused.value)
    assert "value '(hidden)' does not fit" in str(refused.value)
    assert refused.value.code == "ValidationException"


def _everything(error: BaseException) -> str:
    """Return what a traceback would print: the error, and what it came from unless that is suppressed."""
    below: Any = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return f"{error!r} {getattr(error, '__notes__', '')} {_everything(below) if below else ''}"


def test_the_real_client_slows_down_by_itself_as_well(tmp_path: Path) -> None:
    (tmp_path / "aws.ini").write_text("[profile deploy]\naws_access_key_id = a\naws_secret_access_key = b\n")
    signing_in = config.Account(id="1" * 12, region="ap-northeast-1", profile="deploy", config_file="aws.ini")
    account = aws.signed_in(worlds.environment(tmp_path, account=signing_in))
    assert account.ssm.meta.config.retries["mode"] == "adaptive"  # type: ignore[attr-defined]  # its types miss it
    assert account.ecs.meta.config.retries["mode"] == "standard"  # type: ignore[attr-defined]
