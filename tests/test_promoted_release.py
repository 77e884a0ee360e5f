"""A release of images that completed elsewhere: taken by digest, never built, of the commit that they are of."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from deploylib import config, events, ledger, release
from deploylib.checkout import Checkout
from deploylib.errors import ConfigError, ContractError, RefusedError
from deploylib.images import promotion
from deploylib.release import execution
from deploylib.serving import Answer
from tests.fakes import world as worlds
from tests.fakes.account import FakeAccount

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from deploylib.aws import Account
    from deploylib.config import Environment
    from tests.fakes.world import World

HEAD = Checkout(commit="f" * 40, dirty=("page.html",))
COMMON = """
[app]
name = "guestbook"
path = "app"

[images.roles]
web.dockerfile = "Dockerfile"
nginx.dockerfile = "Dockerfile"
job.dockerfile = "Dockerfile"
"""


class Two:
    """The world, which takes its images from `dev`, an account with releases of them."""

    def __init__(self, root: Path) -> None:
        self.world: World = worlds.world()
        self.dev = FakeAccount(account_id="222222222222")
        self.dev.dynamodb.tables["dev-ledger"] = {}
        self.root = root
        (root / "environments").mkdir()
        (root / "app").mkdir()
        (root / "environments/common.toml").write_text(COMMON)
        for name, number in (("dev", "222222222222"), ("stg", worlds.ACCOUNT_ID)):
            text = f'[account]\nid = "{number}"\nregion = "{worlds.REGION}"\n'
            (root / f"environments/{name}.toml").write_text('promote_from = "dev"\n' * (name == "stg") + text)
        document = {
            **self.world.contract_document(),
            "environment": "dev",
            "account_id": "222222222222",
            "repository": f"{self.dev.ecr.registry}/{worlds.APP}",
            "ledger": "dev-ledger",
        }
        self.dev.ssm.give("/guestbook/dev/contract", json.dumps(document))

    def released(self, number: int, verdict: ledger.Verdict = "completed") -> None:
        """Have the release of that number in dev, with its images."""
        for one in worlds.image_plans(number):
            self.dev.ecr.have(worlds.APP, *one.tags, manifest=worlds.manifest(one.image, number))
        entry = ledger.Entry(
            release=f"release-{number}",
            commit=worlds.COMMITS[number],
            environment="dev",
            images=worlds.digests(number),
        )
        begun = ledger.begin(self.dev.account.dynamodb, "dev-ledger", entry, clock=self.dev.clock)
        ended = replace(begun, verdict=verdict, reason="job: exit code 1")
        ledger.finish(self.dev.account.dynamodb, "dev-ledger", ended, clock=self.dev.clock)

    @property
    def environment(self) -> Environment:
        return worlds.environment(self.root, promote_from="dev")

    def propose(self, number: str = "", **changes: Any) -> release.Release:
        environment = replace(self.environment, **changes)
        return release.propose(
            environment, self.world.account, HEAD, number=number, sign_in=self.sign_in, clock=self.world.clock
        )

    def sign_in(self, environment: Environment) -> Account:
        assert environment.name == "dev"
        return self.dev.account


@pytest.fixture
def two(tmp_path: Path) -> Two:
    """The first release is everywhere already, so that no label is asked for over the network."""
    made = Two(tmp_path)
    made.released(1)
    made.world.push(2)
    made.released(2)
    return made


def copied(one: release.Release) -> Generator[events.Event, None, dict[str, str]]:
    """Copy nothing: the registry has it."""
    assert one.promotion
    yield from ()
    return {each.image: each.digest for each in one.promotion.plans}


def test_release_is_of_the_commit_that_completed_whatever_is_checked_out(two: Two) -> None:
    serving = config.Serving(path="/version", contains="{commit}", timeout_seconds=10)
    one = replace(two.propose(serving=serving), get=lambda _: Answer(status=200, body=worlds.COMMITS[2]))
    assert (one.plan.commit, one.plan.dirty, one.recipes) == (worlds.COMMITS[2], False, ())
    assert str(one.plan.origin) == "dev 2"
    assert any("HEAD is ffffffffffff" in notice for notice in one.plan.notices)
    seen = list(release.execute(one, copied(one)))
    assert isinstance(seen[-1], events.Completed)
    entry = ledger.entries(two.world.account.dynamodb, worlds.LEDGER)[0]
    assert (entry.origin, entry.commit, entry.images) == ("dev 2", worlds.COMMITS[2], worlds.digests(2))
    service = two.world.live().services[0]
    tags = {one["key"]: one["value"] for one in service.definition["tags"]}
    assert tags["deploy:commit"] == worlds.COMMITS[2]


def test_both_accounts_are_guarded_before_anything_else_counts(two: Two) -> None:
    two.dev.sts.account_id = "999999999999"
    with pytest.raises(RefusedError, match="environment dev is account 222222222222"):
        two.propose()


def test_same_release_again_is_nothing_to_do(two: Two) -> None:
    one = two.propose()
    list(release.execute(one, copied(one)))
    assert two.propose().plan.nothing_to_do


def test_earlier_release_is_taken_by_its_number(two: Two) -> None:
    one = two.propose("1")
    assert (one.plan.commit, str(one.plan.origin)) == (worlds.COMMITS[1], "dev 1")


def test_release_that_did_not_complete_is_refused(two: Two) -> None:
    two.released(3, "rolled back")
    with pytest.raises(RefusedError, match="release 3 of dev was rolled back: job: exit code 1") as refused:
        two.propose("3")
    assert refused.value.hint == "--release 2 is the newest that completed"
    assert str(two.propose().plan.origin) == "dev 2"


def test_number_makes_no_sense_where_images_are_built(two: Two) -> None:
    with pytest.raises(ConfigError, match="builds its own images"):
        two.propose("1", promote_from="")


def test_source_that_is_not_there_says_to_apply_it(two: Two) -> None:
    two.dev.ssm.parameters.clear()
    with pytest.raises(ContractError) as refused:
        two.propose()
    assert refused.value.hint == "inv infra.apply --env dev"


def test_service_whose_role_the_release_does_not_have_is_named(two: Two) -> None:
    two.dev.dynamodb.tables["dev-ledger"]["release", 2]["images"]["M"].pop("job")
    with pytest.raises(ConfigError, match="release 2 of dev has no image of the role 'job'"):
        two.propose()


def test_images_that_are_there_are_not_copied_and_never_built(two: Two) -> None:
    one = two.propose()
    assert isinstance(one.promotion, promotion.Promotion)
    assert {each.action for each in one.plan.images} == {"reuse"}
    assert list(execution._images(one)) == []
