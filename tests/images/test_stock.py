from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deploylib.images import stock, tags
from deploylib.images.recipe import Recipe, recipes
from deploylib.images.upstream import nobody
from tests.fakes.account import FakeAccount
from tests.images.kitchen import CLEAN, environment, shop

if TYPE_CHECKING:
    from pathlib import Path

    from deploylib.config import Environment

REPOSITORY = "111111111111.dkr.ecr.ap-northeast-1.amazonaws.com/shop"
TIME = "2026-01-31T12:00:00Z"


@pytest.fixture
def app(tmp_path: Path) -> Environment:
    return shop(tmp_path)


@pytest.fixture
def fake() -> FakeAccount:
    made = FakeAccount()
    made.ecr.have("shop", "something-else")
    return made


def menu(app: Environment, refreshed: str = "") -> tuple[Recipe, ...]:
    return recipes(app, CLEAN, nobody, refreshed=refreshed)


def take(fake: FakeAccount, app: Environment) -> stock.Stock:
    return stock.take(fake.account.ecr, REPOSITORY, lambda refreshed: menu(app, refreshed))


def test_a_base_that_nobody_made_anew_costs_no_request_more(fake: FakeAccount, app: Environment) -> None:
    digest = fake.ecr.have("shop", menu(app)[0].tags[0])
    found = take(fake, app)
    assert found.recipes == menu(app)
    assert found.present == {menu(app)[0].tags[0]: digest}
    assert fake.calls.total() == 1


def test_a_base_made_anew_is_the_one_and_every_role_is_another_image(fake: FakeAccount, app: Environment) -> None:
    plain, anew = menu(app), menu(app, TIME)
    fake.ecr.have("shop", plain[0].tags[0])
    names = (anew[0].tags[0], stock.tag_of_time(plain[0].tags[0], TIME), f"{plain[0].tags[0]}{stock.REFRESHED}")
    digest = fake.ecr.have("shop", *names, manifest='{"made": "anew"}')
    found = take(fake, app)
    assert found.plain == plain[0].tags[0]
    assert found.recipes == anew
    assert found.present == {anew[0].tags[0]: digest}
    assert not {one.fingerprint for one in anew} & {one.fingerprint for one in plain}


def test_a_pointer_to_an_image_without_a_time_says_nothing(fake: FakeAccount, app: Environment) -> None:
    fake.ecr.have("shop", f"{menu(app)[0].tags[0]}{stock.REFRESHED}")
    assert take(fake, app).recipes == menu(app)


def test_of_several_times_the_last_counts(fake: FakeAccount, app: Environment) -> None:
    plain = menu(app)[0].tags[0]
    times = (stock.tag_of_time(plain, TIME), stock.tag_of_time(plain, "2026-02-01T00:00:00Z"))
    fake.ecr.have("shop", *times, f"{plain}{stock.REFRESHED}")
    assert take(fake, app).recipes == menu(app, "2026-02-01T00:00:00Z")


def test_an_app_without_base_has_nothing_to_refresh(fake: FakeAccount, app: Environment) -> None:
    (app.root / "Dockerfile.j2").write_text("FROM scratch\n")
    compiled = environment(app.root, base=None, roles=dict(app.images.roles))
    found = take(fake, compiled)
    assert [one.image for one in found.recipes] == ["web", "job"]
    assert found.plain == ""


def test_the_names_of_a_base_made_anew_are_known_as_ours(app: Environment) -> None:
    plain = menu(app)[0].tags[0]
    assert tags.is_ours(app, stock.tag_of_time(plain, TIME))
    assert tags.is_ours(app, f"{plain}{stock.REFRESHED}")
    assert not tags.is_ours(app, f"{plain}-mine")
