"""Imports: compared, shown, written once, refused whole, and repeatable."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deploylib.errors import AwsError, ConfigError, RefusedError
from deploylib.settings import importing, sources
from deploylib.settings.sources import Given
from tests.fakes import world as worlds
from tests.fakes.account import FakeAccount
from tests.fakes.clock import interrupt

if TYPE_CHECKING:
    from deploylib.settings.importing import Import
    from tests.settings.conftest import Place

FOLDER = "/guestbook/stg/settings"


def proposed(stg: Place, text: str) -> Import:
    given = sources.dotenv(text, ".env")
    return importing.propose(stg.aws.account, stg.environment, given, ".env", clock=stg.aws.clock)


def test_an_import_says_what_becomes_of_each_setting_in_the_order_of_the_file(stg: Place) -> None:
    stg.have(SAME="1", OTHER="1")
    found = proposed(stg, "NEW=1\nOTHER=2\nSAME=1\nEMPTY=\nAWS_SECRET_ACCESS_KEY=k\n")
    assert found.rows == (
        ("NEW", "create", "line 1", "it is not there yet"),
        ("OTHER", "update", "line 2", "it has another value"),
        ("SAME", "keep", "line 3", "it has this value"),
        ("EMPTY", "skip", "line 4", "it is empty: Parameter Store holds no empty value"),
        (
            "AWS_SECRET_ACCESS_KEY",
            "skip",
            "line 5",
            "a task signs in by its role; inv params.set takes it if it must be",
        ),
    )
    assert found.summary == "Plan: 1 to create, 1 to update, 1 to keep, 2 to leave out"
    assert stg.aws.writes == ()


def test_only_what_differs_is_written_and_a_second_import_writes_nothing(stg: Place) -> None:
    stg.have(SAME="1", OTHER="1")
    text = "NEW=1\nOTHER=2\nSAME=1\n"
    assert importing.carry_out(stg.aws.account, proposed(stg, text), clock=stg.aws.clock) == 2
    assert [one.request["Name"] for one in stg.aws.writes] == [f"{FOLDER}/NEW", f"{FOLDER}/OTHER"]
    stg.aws.forget_calls()
    again = proposed(stg, text)
    assert (again.writes, again.summary) == ((), "Plan: 3 to keep")
    assert importing.carry_out(stg.aws.account, again, clock=stg.aws.clock) == 0
    assert stg.aws.writes == ()


def test_two_hundred_lines_are_read_in_twenty_calls_and_survive_throttling(stg: Place) -> None:
    text = "\n".join(f"SETTING_{number}=value-{number}" for number in range(200))
    stg.aws.ssm.throttle(2, "get_parameters")
    found = proposed(stg, text)
    assert stg.aws.calls == {"sts:GetCallerIdentity": 1, "ssm:GetParameters": 22}
    stg.aws.ssm.puts_per_second = 3
    assert importing.carry_out(stg.aws.account, found, clock=stg.aws.clock) == 200
    assert all(stg.value(f"SETTING_{number}") == f"value-{number}" for number in range(200))
    assert all(len(versions) == 1 for versions in stg.aws.ssm.parameters.values())
    assert 66 <= stg.aws.clock.monotonic() < 100, "faster than AWS allows, or much slower"
    assert proposed(stg, text).writes == ()


def test_every_value_that_would_be_refused_is_told_before_anything_is_asked(stg: Place) -> None:
    text = f"A-B=s3cret\nLONG={'x' * 8193}\nNESTED={{{{ssm:s3cret}}}}\nGOOD=1\n"
    with pytest.raises(ConfigError, match=r"^3 mistakes in \.env; nothing was written") as refused:
        proposed(stg, text)
    assert str(refused.value).splitlines()[1:] == [
        "  line 1: A-B: a name has letters, digits and underscores, and starts with no digit",
        "  line 2: LONG: a value has at most 8192 bytes, not 8193",
        "  line 3: NESTED: Parameter Store takes no {{…}} in a value",
    ]
    assert stg.aws.log == []


def test_a_long_value_is_an_advanced_parameter_and_stays_one(stg: Place) -> None:
    first = proposed(stg, f"PEM={'x' * 5000}\n")
    assert first.rows[0][3] == "it is not there yet; as an advanced parameter, which AWS charges for"
    importing.carry_out(stg.aws.account, first, clock=stg.aws.clock)
    importing.carry_out(stg.aws.account, proposed(stg, "PEM=short\n"), clock=stg.aws.clock)
    assert [one.request["Tier"] for one in stg.aws.writes] == ["Advanced", "Advanced"]


def test_a_key_of_one_s_own_encrypts_what_is_written(stg: Place) -> None:
    arn = "arn:aws:kms:ap-northeast-1:111111111111:key/0123"
    environment = worlds.environment(terraform={"settings_key_arn": arn})
    given = [Given(name="A", value="1", place="line 1")]
    found = importing.propose(stg.aws.account, environment, given, ".env", clock=stg.aws.clock)
    importing.carry_out(stg.aws.account, found, clock=stg.aws.clock)
    assert stg.aws.writes[0].request["KeyId"] == arn


def test_a_parameter_that_is_not_encrypted_is_not_written_into(stg: Place) -> None:
    stg.aws.ssm.give(f"{FOLDER}/PLAIN", "1")
    assert proposed(stg, "PLAIN=1\n").rows[0][1] == "keep"
    with pytest.raises(ConfigError, match=r"PLAIN is there as a String, not encrypted: inv params\.rm PLAIN --env stg"):
        proposed(stg, "PLAIN=2\nA=1\n")
    assert stg.aws.writes == ()


def test_another_account_is_refused_before_a_value_is_read(stg: Place) -> None:
    other = FakeAccount(account_id="222222222222")
    with pytest.raises(RefusedError, match="stg is account 111111111111"):
        importing.propose(other.account, stg.environment, [Given(name="A", value="1", place="line 1")], ".env")
    assert other.calls == {"sts:GetCallerIdentity": 1}


def test_an_interrupted_import_says_how_far_it_came_and_goes_on_from_there(stg: Place) -> None:
    text = "A=1\nB=2\nC=3\n"
    found = proposed(stg, text)
    stg.aws.clock.after(0.2, interrupt)
    stg.aws.clock.after(0.1, lambda: stg.aws.ssm.throttle(1, "put_parameter"))
    stg.aws.ssm.throttle(1, "put_parameter")
    with pytest.raises(KeyboardInterrupt) as stopped:
        importing.carry_out(stg.aws.account, found, clock=stg.aws.clock)
    assert stopped.value.__notes__ == ["0 of 3 settings are written; the same command goes on from there"]
    stg.aws.ssm.refuse("put_parameter", "AccessDeniedException", times=0)
    assert importing.carry_out(stg.aws.account, proposed(stg, text), clock=stg.aws.clock) == 3


def test_a_refused_import_says_how_far_it_came(stg: Place) -> None:
    found = proposed(stg, "A=1\nB=2\n")
    original = stg.aws.ssm
    importing.carry_out(stg.aws.account, proposed(stg, "A=1\n"), clock=stg.aws.clock)
    original.refuse("put_parameter", "AccessDeniedException")
    with pytest.raises(AwsError) as refused:
        importing.carry_out(stg.aws.account, found, clock=stg.aws.clock)
    assert refused.value.__notes__ == ["0 of 2 settings are written; the same command goes on from there"]


def one(stg: Place, name: str, value: str) -> Import:
    given = Given(name=name, value=value, place="standard input")
    return importing.propose_one(stg.aws.account, stg.environment, given, clock=stg.aws.clock)


def test_setting_one_value_takes_what_an_import_leaves_out_but_nothing_empty(stg: Place) -> None:
    assert one(stg, "AWS_ACCESS_KEY_ID", "AKIA").rows[0][1] == "create"
    with pytest.raises(ConfigError, match="standard input: A: Parameter Store holds no empty value"):
        one(stg, "A", "")


def test_setting_the_same_value_again_writes_nothing_so_that_no_task_has_to_restart(stg: Place) -> None:
    stg.have(A="1")
    assert one(stg, "A", "1").writes == ()
