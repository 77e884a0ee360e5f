"""What is there: listed without values, compared without showing them, removed when nobody reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deploylib import config
from deploylib.errors import ConfigError, OutdatedError, RefusedError
from deploylib.settings import inventory
from tests.fakes import world as worlds
from tests.fakes.account import FakeAccount

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploylib.config import Environment
    from tests.settings.conftest import Place

SERVICES = {"web": {"containers": {"app": {"settings": ["TOKEN", "SALT"]}}}}


def asking() -> Environment:
    return worlds.environment(terraform={"services": SERVICES})


def test_the_listing_shows_what_is_there_what_is_missing_and_what_nobody_reads(stg: Place) -> None:
    stg.have(TOKEN="s3cret", SPARE="s3cret")
    stg.aws.ssm.give("/guestbook/stg/settings/PLAIN", "s3cret")
    lines = inventory.listing(stg.aws.account, asking(), clock=stg.aws.clock)
    assert [(line[0], line[1], line[2], line[5]) for line in lines] == [
        ("PLAIN", "not encrypted (String), unused", 1, []),
        ("SALT", "MISSING", None, ["web/app"]),
        ("SPARE", "unused", 1, []),
        ("TOKEN", "ok", 1, ["web/app"]),
    ]
    assert lines[3][4] == "ada"
    assert "s3cret" not in repr(lines)
    assert "ssm:GetParameters" not in stg.aws.calls


def test_a_check_of_the_listing_names_what_is_missing(stg: Place) -> None:
    lines = inventory.listing(stg.aws.account, asking(), clock=stg.aws.clock)
    with pytest.raises(OutdatedError, match="stg lacks SALT, TOKEN") as outdated:
        inventory.refuse_missing(stg.environment, lines)
    assert outdated.value.hint == "inv params.set SALT --env stg"
    stg.have(TOKEN="1", SALT="2")
    inventory.refuse_missing(stg.environment, inventory.listing(stg.aws.account, asking(), clock=stg.aws.clock))


def test_one_setting_is_shown_without_its_value_unless_it_is_asked_for(stg: Place) -> None:
    stg.have(TOKEN="s3cret")
    known = inventory.one(stg.aws.account, stg.environment, "TOKEN", values=False)
    assert (known.kind, known.version, known.value) == ("SecureString", 1, "")
    assert inventory.one(stg.aws.account, stg.environment, "TOKEN", values=True).value == "s3cret"
    assert "s3cret" not in repr(inventory.one(stg.aws.account, stg.environment, "TOKEN", values=True))


def test_a_setting_that_is_not_there_says_how_to_set_it(stg: Place) -> None:
    with pytest.raises(ConfigError, match="stg has no setting TOKEN") as refused:
        inventory.one(stg.aws.account, stg.environment, "TOKEN", values=True)
    assert refused.value.hint == "inv params.set TOKEN --env stg"
    with pytest.raises(ConfigError, match="letters, digits and underscores"):
        inventory.one(stg.aws.account, stg.environment, "../contract", values=True)


def test_two_environments_are_compared_by_name_and_no_value_leaves(stg: Place) -> None:
    prd = worlds.environment(name="prd", account=config.Account(id="222222222222", region="ap-northeast-1"))
    other = FakeAccount(account_id="222222222222")
    stg.have(SAME="1", DIFFERS="s3cret", OURS="s3cret")
    for name, value in {"SAME": "1", "DIFFERS": "t0ken", "THEIRS": "t0ken"}.items():
        other.ssm.give(f"/guestbook/prd/settings/{name}", value, kind="SecureString")
    rows = inventory.differences((stg.aws.account, stg.environment), (other.account, prd), clock=stg.aws.clock)
    assert rows == (("DIFFERS", "different"), ("OURS", "only in stg"), ("SAME", "equal"), ("THEIRS", "only in prd"))
    with pytest.raises(OutdatedError, match="stg and prd differ in DIFFERS, OURS, THEIRS"):
        inventory.refuse_different(stg.environment, prd, rows)
    inventory.refuse_different(stg.environment, prd, (("SAME", "equal"),))


def test_what_a_container_reads_is_not_removed(stg: Place) -> None:
    with pytest.raises(RefusedError, match=r"no task could start without TOKEN \(read by job/worker, web/app\)") as no:
        inventory.refuse_used(stg.environment, ["SPARE", "TOKEN"], {"TOKEN": ("job/worker", "web/app")})
    assert no.value.hint.endswith("or add --allow-used")
    inventory.refuse_used(stg.environment, ["SPARE"], {"TOKEN": ("web/app",)})


def test_what_nobody_reads_is_removed(stg: Place) -> None:
    stg.have(A="1", B="2", C="3")
    assert inventory.remove(stg.aws.account, stg.environment, ["A", "B", "GONE"], clock=stg.aws.clock) == 2
    assert list(stg.aws.ssm.parameters) == ["/guestbook/stg/settings/C"]
    with pytest.raises(ConfigError, match="letters, digits and underscores"):
        inventory.remove(stg.aws.account, stg.environment, ["C", "../contract"], clock=stg.aws.clock)
    with pytest.raises(ConfigError, match="stg has no setting A, B"):
        inventory.remove(stg.aws.account, stg.environment, ["A", "B"], clock=stg.aws.clock)


@pytest.mark.parametrize("what", ["listing", "one", "remove"])
def test_another_account_is_refused_first(what: str, stg: Place) -> None:
    other = FakeAccount(account_id="222222222222")
    calls: dict[str, Callable[[], object]] = {
        "listing": lambda: inventory.listing(other.account, stg.environment),
        "one": lambda: inventory.one(other.account, stg.environment, "A", values=True),
        "remove": lambda: inventory.remove(other.account, stg.environment, ["A"]),
    }
    with pytest.raises(RefusedError, match="these credentials are of account 222222222222"):
        calls[what]()
    assert other.calls == {"sts:GetCallerIdentity": 1}
