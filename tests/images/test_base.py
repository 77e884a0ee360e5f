from __future__ import annotations

import functools
import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

from deploylib import config
from deploylib.errors import ConfigError, ContractError, ImageError, RefusedError
from deploylib.events import BuildStarted, Noticed, Tagged
from deploylib.images import base, reference
from deploylib.images.recipe import Recipe, base_recipe, recipes
from deploylib.images.upstream import nobody
from tests.fakes.account import FakeAccount
from tests.images.builder import Builder, finish
from tests.images.kitchen import CLEAN, shop, write

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from deploylib.aws import Account
    from deploylib.config import Environment
    from deploylib.events import Event

COMMON = """\
[app]
name = "shop"
path = "."
[images.base]
dockerfile = "Dockerfile.base"
[images.roles.web]
dockerfile = "Dockerfile.j2"
"""
ACCOUNTS = {"stg": "111111111111", "prd": "222222222222", "far": "333333333333"}


def own_file(name: str, extra: str = "") -> str:
    return f'[account]\nid = "{ACCOUNTS[name]}"\nregion = "ap-northeast-1"\n{extra}'


def contract(name: str) -> str:
    return json.dumps(
        {
            "version": 1,
            "app": "shop",
            "environment": name,
            "account_id": ACCOUNTS[name],
            "region": "ap-northeast-1",
            "cluster": f"arn:aws:ecs:ap-northeast-1:{ACCOUNTS[name]}:cluster/shop-{name}",
            "repository": f"{ACCOUNTS[name]}.dkr.ecr.ap-northeast-1.amazonaws.com/shop",
            "ledger": f"shop-{name}-releases",
            "services": {},
        }
    )


@dataclass
class World:
    """An app in several accounts; stg is there, `open` lets in another."""

    root: Path
    fakes: dict[str, FakeAccount] = field(default_factory=dict)
    copied: list[tuple[str, str]] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)

    def open(self, name: str, *, extra: str = "", published: bool = True) -> FakeAccount:
        (self.root / f"environments/{name}.toml").write_text(own_file(name, extra))
        made = self.fakes[name] = FakeAccount(account_id=ACCOUNTS[name])
        made.ecr.have("shop", "something-else")
        if published:
            made.ssm.give(f"/shop/{name}/contract", contract(name))
        return made

    @property
    def stg(self) -> FakeAccount:
        return self.fakes["stg"]

    @functools.cached_property
    def app(self) -> Environment:
        return config.load(self.root, "stg")

    def sign_in(self, environment: Environment) -> Account:
        if environment.name not in self.fakes:
            raise ConfigError(f"environment {environment.name}: no AWS profile on this machine")
        return self.fakes[environment.name].account

    def copy(self, source: str, repository: str, *, tag: str) -> None:
        here, there = reference.parse(source), reference.parse(repository)
        if there.registry_id in self.broken:
            raise ImageError(f"{source} was not copied", hint="does the registry answer?")
        by_id = {ACCOUNTS[name]: fake for name, fake in self.fakes.items()}
        manifest = by_id[here.registry_id].ecr.images["shop"][here.digest]
        assert by_id[there.registry_id].ecr.have("shop", tag, manifest=manifest) == here.digest
        self.copied.append((here.registry_id, there.registry_id))

    def recipe(self, refreshed: str = "") -> Recipe:
        return base_recipe(self.app, CLEAN, nobody, refreshed=refreshed)

    def refresh(self, builder: Builder | None = None, *, force: bool = False) -> tuple[list[Event], dict[str, str]]:
        def connect(_: object) -> Builder:
            assert builder is not None, "nothing is built here, so no engine is needed"
            return builder

        def connect_copier(_: Mapping[str, str]) -> World:
            return self

        outside = base.Outside(connect=connect, connect_copier=connect_copier, sign_in=self.sign_in, look_up=nobody)
        return finish(
            base.refresh(self.stg.account, self.app, CLEAN, force=force, clock=self.stg.clock, outside=outside)
        )


@pytest.fixture
def world(tmp_path: Path) -> World:
    shop(tmp_path)
    write(tmp_path, environments__common_toml=COMMON)
    made = World(root=tmp_path)
    made.open("stg")
    return made


def said(events: list[Event]) -> list[str]:
    return [one.message for one in events if isinstance(one, Noticed)]


def tags(fake: FakeAccount, digest: str) -> set[str]:
    return {tag for tag, of in fake.ecr.tags["shop"].items() if of == digest}


def test_the_base_alone_is_the_base_of_the_release(world: World) -> None:
    assert base_recipe(world.app, CLEAN, nobody) == recipes(world.app, CLEAN, nobody)[0]


def test_a_base_that_is_not_there_is_built_pushed_alone_and_gets_the_moving_tag(world: World) -> None:
    builder = Builder(world.stg)
    _, digests = world.refresh(builder)
    assert [image for image, _ in builder.built] == ["base"]
    assert builder.caching == {True}
    assert tags(world.stg, digests["base"]) == {world.recipe().tags[0], "base"}


def test_a_base_that_is_there_is_not_built_and_nothing_is_written(world: World) -> None:
    _, first = world.refresh(Builder(world.stg))
    world.stg.forget_calls()
    events, second = world.refresh()
    assert said(events) == [f"nothing to build: the registry has {world.recipe().tags[0]}"]
    assert second == first
    assert world.stg.wrote == ()


def test_the_moving_tag_goes_to_the_base_of_this_checkout(world: World) -> None:
    digest = world.stg.ecr.have("shop", world.recipe().tags[0])
    world.stg.ecr.have("shop", "base-000000000000", "base", manifest='{"an": "older one"}')
    events, _ = world.refresh()
    assert world.stg.ecr.tags["shop"]["base"] == digest
    assert [one for one in events if isinstance(one, Tagged)] == [Tagged(image="base", tag="base", moved=True)]


def test_a_base_is_built_once_and_copied_to_every_account(world: World) -> None:
    prd = world.open("prd")
    builder = Builder(world.stg)
    _, digests = world.refresh(builder)
    assert len(builder.built) == 1
    assert world.copied == [(ACCOUNTS["stg"], ACCOUNTS["prd"])]
    assert tags(prd, digests["base"]) == {world.recipe().tags[0], "base"}


def test_a_base_that_another_account_has_is_copied_from_there_instead_of_built(world: World) -> None:
    prd = world.open("prd")
    digest = prd.ecr.have("shop", world.recipe().tags[0])
    _, digests = world.refresh()
    assert digests == {"base": digest}
    assert world.copied == [(ACCOUNTS["prd"], ACCOUNTS["stg"])]
    assert tags(world.stg, digest) == {world.recipe().tags[0], "base"}


def test_an_account_without_contract_or_credentials_is_named_and_left_out(world: World) -> None:
    world.open("prd", published=False)
    (world.root / "environments/far.toml").write_text(own_file("far"))
    events, digests = world.refresh(Builder(world.stg))
    assert digests
    assert said(events)[:2] == [
        "far is left out: environment far: no AWS profile on this machine",
        "prd is left out: Terraform has not published /shop/prd/contract in this account",
    ]


def test_credentials_of_another_account_are_named_and_nothing_is_written_there(world: World) -> None:
    wrong = world.open("prd")
    (world.root / "environments/prd.toml").write_text(own_file("far"))
    events, _ = world.refresh(Builder(world.stg))
    assert said(events)[0].startswith("prd is left out: environment prd is account 333333333333, but these credentials")
    assert wrong.wrote == ()


def test_an_environment_whose_base_has_another_recipe_is_named_and_not_touched(world: World) -> None:
    prd = world.open("prd", extra='[images]\nplatform = "linux/arm64"\n[terraform]\narchitecture = "ARM64"\n')
    events, _ = world.refresh(Builder(world.stg))
    assert said(events)[0] == "prd is left out: its base image has another recipe"
    assert not prd.calls


def test_another_build_of_the_same_content_elsewhere_is_named_and_stays(world: World) -> None:
    prd = world.open("prd")
    own = prd.ecr.have("shop", world.recipe().tags[0], manifest='{"built": "there"}')
    digest = world.stg.ecr.have("shop", world.recipe().tags[0])
    events, digests = world.refresh()
    assert digests == {"base": digest}
    assert f"prd has a build of its own of {world.recipe().tags[0]}: {own}" in said(events)
    assert tags(prd, own) == {world.recipe().tags[0], "base"}


def test_a_copy_that_fails_ends_with_an_error_after_all_others_were_served(world: World) -> None:
    world.open("prd")
    far = world.open("far")
    world.broken = {ACCOUNTS["prd"]}
    with pytest.raises(ImageError, match="prd does not have base-"):
        world.refresh(Builder(world.stg))
    assert world.recipe().tags[0] in far.ecr.tags["shop"]
    assert "base" in world.stg.ecr.tags["shop"]


def test_force_builds_without_the_layer_cache_where_the_base_is_missing(world: World) -> None:
    builder = Builder(world.stg)
    world.refresh(builder, force=True)
    assert builder.caching == {False}
    assert world.recipe().tags[0] in world.stg.ecr.tags["shop"]


def test_force_makes_a_base_that_is_there_anew_under_another_fingerprint(world: World) -> None:
    _, first = world.refresh(Builder(world.stg))
    builder = Builder(world.stg)
    events, second = world.refresh(builder, force=True)
    assert second != first
    assert builder.caching == {False}
    assert [one.reason for one in events if isinstance(one, BuildStarted)] == [
        "nothing changed, but it was asked for (--force)"
    ]
    plain = world.recipe().tags[0]
    assert tags(world.stg, first["base"]) == {plain}
    assert tags(world.stg, second["base"]) == {
        world.recipe("2023-11-14T22:13:20Z").tags[0],
        f"{plain}-r20231114T221320Z",
        f"{plain}-refreshed",
        "base",
    }


def test_force_makes_it_anew_also_where_only_another_account_has_it(world: World) -> None:
    prd = world.open("prd")
    there = prd.ecr.have("shop", world.recipe().tags[0])
    _, digests = world.refresh(Builder(world.stg), force=True)
    assert digests["base"] != there
    assert prd.ecr.tags["shop"]["base"] == digests["base"]


def test_a_base_made_anew_is_what_everybody_finds_from_then_on(world: World) -> None:
    world.refresh(Builder(world.stg))
    _, forced = world.refresh(Builder(world.stg), force=True)
    world.stg.forget_calls()
    _, after = world.refresh()
    assert after == forced
    assert world.stg.wrote == ()


def test_force_twice_leads_to_the_later_one(world: World) -> None:
    world.refresh(Builder(world.stg))
    world.refresh(Builder(world.stg), force=True)
    world.stg.clock.sleep(60)
    _, second = world.refresh(Builder(world.stg), force=True)
    assert world.refresh()[1] == second


def test_a_base_made_anew_goes_to_every_account_with_its_names(world: World) -> None:
    prd = world.open("prd")
    world.refresh(Builder(world.stg))
    _, forced = world.refresh(Builder(world.stg), force=True)
    assert tags(prd, forced["base"]) == tags(world.stg, forced["base"])


def test_another_account_is_refused_before_anything_is_written(world: World) -> None:
    (world.root / "environments/stg.toml").write_text(own_file("prd"))
    with pytest.raises(RefusedError, match="222222222222"):
        world.refresh()
    assert world.stg.wrote == ()


def test_an_app_without_base_says_so(world: World) -> None:
    without = replace(world.app, images=replace(world.app.images, base=None))
    with pytest.raises(ConfigError, match="no base image") as caught:
        finish(base.refresh(world.stg.account, without, CLEAN, outside=base.Outside(look_up=nobody)))
    assert "[images.base]" in caught.value.hint


def test_an_environment_without_contract_says_what_makes_it(world: World) -> None:
    world.open("stg", published=False)
    with pytest.raises(ContractError) as caught:
        world.refresh()
    assert caught.value.hint == "inv infra.apply --env stg"


def test_an_account_that_refuses_is_named_and_left_out(world: World) -> None:
    prd = world.open("prd")
    prd.ssm.refuse("get_parameter", "AccessDeniedException", "not you")
    events, _ = world.refresh(Builder(world.stg))
    assert "prd is left out" in said(events)[0]
