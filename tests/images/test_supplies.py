from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path

import pytest

from deploylib.config import RegistryLogin, RoleImage
from deploylib.errors import AwsError, ConfigError
from deploylib.images import supplies
from deploylib.images.recipe import Recipe, recipes
from deploylib.images.supplies import Wishes, supplied
from deploylib.images.upstream import nobody
from tests.fakes.account import FakeAccount
from tests.images.kitchen import CLEAN, environment, write

REPOSITORY = "localhost:4566/shop"
HUB = {"docker.io": RegistryLogin(username="robot", password_parameter="/shop/hub")}


@pytest.fixture
def fake() -> FakeAccount:
    account = FakeAccount()
    account.ssm.give("/shop/npm", "npm-token", kind="SecureString")
    account.ssm.give("/shop/hub", "hub-password", kind="SecureString")
    account.ssm.give("/shop/plain", "plain")
    return account


@pytest.fixture
def menu(tmp_path: Path) -> tuple[Recipe, ...]:
    write(tmp_path, Dockerfile="FROM scratch\n")
    roles = {
        "web": RoleImage(dockerfile="Dockerfile", secrets={"npm": "/shop/npm", "other": "/shop/plain"}),
        "job": RoleImage(dockerfile="Dockerfile", secrets={"npm": "/shop/npm"}),
        "nginx": RoleImage(dockerfile="Dockerfile"),
    }
    return recipes(environment(tmp_path, base=None, roles=roles), CLEAN, nobody)


def reads(fake: FakeAccount) -> list[object]:
    return [one.request for one in fake.log if one.operation == "get_parameters"]


def test_all_secrets_and_passwords_are_read_decrypted_in_one_call(fake: FakeAccount, menu: tuple[Recipe, ...]) -> None:
    with supplied(fake.account, REPOSITORY, menu, Wishes(registries=HUB)) as given:
        pass
    assert given.secrets == {"/shop/npm": "npm-token", "/shop/plain": "plain"}
    assert reads(fake) == [{"Names": ["/shop/hub", "/shop/npm", "/shop/plain"], "WithDecryption": True}]


def test_only_what_is_built_has_its_secrets_read(fake: FakeAccount, menu: tuple[Recipe, ...]) -> None:
    with supplied(fake.account, REPOSITORY, menu[2:], Wishes()) as given:
        assert given.secrets == {}
    assert reads(fake) == []


def test_the_log_ins_are_ecrs_and_the_registries(fake: FakeAccount, menu: tuple[Recipe, ...]) -> None:
    with supplied(fake.account, REPOSITORY, menu[2:], Wishes(registries=HUB)) as given:
        folder = Path(given.variables["DOCKER_CONFIG"])
        auths = json.loads((folder / "config.json").read_text())["auths"]
    assert base64.b64decode(auths["https://index.docker.io/v1/"]["auth"]) == b"robot:hub-password"
    assert "localhost:4566" in auths
    assert not folder.exists()


def test_more_than_ten_parameters_are_read_in_tens(fake: FakeAccount) -> None:
    for number in range(23):
        fake.ssm.give(f"/many/{number}", str(number))
    names = [f"/many/{number}" for number in range(23)]
    found = supplies.parameters(fake.account.ssm, names)
    assert {name: found[name] for name in names} == {f"/many/{number}": str(number) for number in range(23)}
    assert [len(one.request["Names"]) for one in fake.log] == [10, 10, 3]


def test_a_parameter_is_named_by_its_arn_too(fake: FakeAccount) -> None:
    arn = "arn:aws:ssm:ap-northeast-1:000000000000:parameter/shop/npm"
    assert supplies.parameters(fake.account.ssm, ["/shop/npm"])[arn] == "npm-token"


def test_a_parameter_that_is_not_there_is_named_with_the_command_that_makes_it(
    fake: FakeAccount, menu: tuple[Recipe, ...]
) -> None:
    del fake.ssm.parameters["/shop/npm"]
    with (
        pytest.raises(ConfigError, match="has no /shop/npm") as caught,
        supplied(fake.account, REPOSITORY, menu, Wishes()),
    ):
        pass
    assert caught.value.hint == "aws ssm put-parameter --type SecureString --name /shop/npm --value file://FILE"


def test_a_parameter_that_may_not_be_read_is_awss_own_error(fake: FakeAccount, menu: tuple[Recipe, ...]) -> None:
    fake.ssm.refuse("get_parameters", "AccessDeniedException")
    with pytest.raises(AwsError, match="AccessDeniedException"), supplied(fake.account, REPOSITORY, menu, Wishes()):
        pass


def test_the_values_are_not_printed(fake: FakeAccount, menu: tuple[Recipe, ...]) -> None:
    with supplied(fake.account, REPOSITORY, menu, Wishes(registries=HUB)) as given:
        assert "npm-token" not in repr(given)
        assert "hub-password" not in repr(given)


def test_the_wishes_are_the_configurations(tmp_path: Path) -> None:
    write(tmp_path, Dockerfile="FROM scratch\n")
    shop = environment(tmp_path, base=None, roles={"web": RoleImage(dockerfile="Dockerfile")})
    shop = replace(shop, registries=HUB, images=replace(shop.images, provenance=True))
    assert supplies.wishes(shop, "localhost:4566/shop-cache") == Wishes(
        registries=HUB, cache_repository="localhost:4566/shop-cache", provenance=True
    )
    without = replace(shop, images=replace(shop.images, cache=False))
    assert supplies.wishes(without, "localhost:4566/shop-cache").cache_repository == ""
