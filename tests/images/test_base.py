from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from deploylib.errors import ConfigError, ContractError, RefusedError
from deploylib.events import Noticed, Pushed
from deploylib.images import base
from deploylib.images.recipe import base_recipe, recipes
from deploylib.images.upstream import nobody
from tests.fakes.account import FakeAccount
from tests.images.builder import Builder, finish
from tests.images.kitchen import CLEAN, shop

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from deploylib.config import Environment
    from deploylib.events import Event

REPOSITORY = "111111111111.dkr.ecr.ap-northeast-1.amazonaws.com/shop"
CONTRACT = {
    "version": 1,
    "app": "shop",
    "environment": "stg",
    "account_id": "111111111111",
    "region": "ap-northeast-1",
    "cluster": "arn:aws:ecs:ap-northeast-1:111111111111:cluster/shop-stg",
    "repository": REPOSITORY,
    "ledger": "guestbook-stg-releases",
    "services": {},
}


@pytest.fixture
def fake() -> FakeAccount:
    account = FakeAccount()
    account.ecr.have("shop", "something-else")
    account.ssm.give("/shop/stg/contract", json.dumps(CONTRACT))
    return account


@pytest.fixture
def app(tmp_path: Path) -> Environment:
    return shop(tmp_path)


def refresh(
    fake: FakeAccount, app: Environment, builder: Builder | None, *, force: bool = False
) -> Generator[Event, None, dict[str, str]]:
    def connect(_: object) -> Builder:
        assert builder is not None, "nothing is built here, so no engine is needed"
        return builder

    return base.refresh(fake.account, app, CLEAN, force=force, clock=fake.clock, connect=connect)


def test_the_base_alone_is_the_base_of_the_release(app: Environment) -> None:
    assert base_recipe(app, CLEAN, nobody) == recipes(app, CLEAN, nobody)[0]


def test_the_status_of_a_base_that_is_not_there_says_what_brings_it(fake: FakeAccount, app: Environment) -> None:
    found = base.status(fake.account, app, CLEAN)
    assert (found.digest, found.pushed_at) == ("", None)
    assert found.tag == f"base-{found.fingerprint[:12]}"
    assert dict(found.rows)["in the registry since"] == "not there: inv base.refresh"
    assert fake.wrote == ()


def test_the_status_of_a_base_that_is_there_says_since_when(fake: FakeAccount, app: Environment) -> None:
    digest = fake.ecr.have("shop", *base_recipe(app, CLEAN, nobody).tags)
    found = base.status(fake.account, app, CLEAN)
    assert found.digest == digest
    assert dict(found.rows) == {
        "image": f"{REPOSITORY}:{found.tag}",
        "fingerprint": found.fingerprint,
        "in the registry since": "2023-11-14 22:13:20+00:00",
        "digest": digest,
    }


def test_a_base_that_is_there_is_not_built(fake: FakeAccount, app: Environment) -> None:
    digest = fake.ecr.have("shop", *base_recipe(app, CLEAN, nobody).tags)
    events, digests = finish(refresh(fake, app, None))
    assert [type(one) for one in events] == [Noticed]
    assert digests == {"base": digest}
    assert fake.wrote == ()


def test_a_base_that_is_not_there_is_built_and_pushed_alone(fake: FakeAccount, app: Environment) -> None:
    builder = Builder(fake)
    events, digests = finish(refresh(fake, app, builder))
    assert [image for image, _ in builder.built] == ["base"]
    assert builder.caching == {True}
    assert isinstance(events[-1], Pushed)
    assert digests == {"base": fake.ecr.tags["shop"][base_recipe(app, CLEAN, nobody).tags[0]]}


def test_force_builds_without_the_layer_cache(fake: FakeAccount, app: Environment) -> None:
    builder = Builder(fake)
    finish(refresh(fake, app, builder, force=True))
    assert builder.caching == {False}


def test_force_is_refused_where_the_registry_has_this_content(fake: FakeAccount, app: Environment) -> None:
    fake.ecr.have("shop", *base_recipe(app, CLEAN, nobody).tags)
    with pytest.raises(RefusedError, match="tags there are immutable") as caught:
        finish(refresh(fake, app, None, force=True))
    assert "build argument" in caught.value.hint


def test_another_account_is_refused_before_anything_else(fake: FakeAccount, app: Environment) -> None:
    elsewhere = replace(app, account=replace(app.account, id="222222222222"))
    with pytest.raises(RefusedError, match="222222222222"):
        finish(refresh(fake, elsewhere, None))
    assert set(fake.calls) == {"sts:GetCallerIdentity"}


def test_an_app_without_base_says_so(fake: FakeAccount, app: Environment) -> None:
    without = replace(app, images=replace(app.images, base=None))
    for ask in (lambda: base.status(fake.account, without, CLEAN), lambda: finish(refresh(fake, without, None))):
        with pytest.raises(ConfigError, match="no base image") as caught:
            ask()
        assert "[images.base]" in caught.value.hint


def test_an_environment_without_contract_says_what_makes_it(fake: FakeAccount, app: Environment) -> None:
    with pytest.raises(ContractError) as caught:
        base.status(fake.account, replace(app, name="prd"), CLEAN)
    assert caught.value.hint == "inv infra.apply --env prd"
