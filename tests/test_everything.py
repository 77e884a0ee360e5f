"""What a release is planned from: recipes, what the registry has of them, and what is live, read together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deploylib import config, observe
from deploylib.errors import ConfigError, RefusedError
from deploylib.images import stock
from tests.fakes import world as worlds
from tests.images.kitchen import CLEAN

if TYPE_CHECKING:
    from pathlib import Path

    from deploylib.config import Environment


@pytest.fixture
def app(tmp_path: Path) -> Environment:
    """An application that starts from nothing, so that nobody outside has to be asked."""
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "Dockerfile.base").write_text("FROM scratch\nCOPY Dockerfile.base /\n")
    (folder / "Dockerfile.j2").write_text("FROM {{ base_image }}\nLABEL role={{ role }}\n")
    roles = {role: config.RoleImage(dockerfile="Dockerfile.j2") for role in worlds.ROLES}
    images = config.Images(roles=roles, base=config.BaseImage(dockerfile="Dockerfile.base"))
    return worlds.environment(tmp_path, images=images)


def test_everything_is_read_and_nothing_is_written(app: Environment) -> None:
    world = worlds.world()
    found = observe.everything(world.account, app, CLEAN)
    assert [one.image for one in found.recipes] == ["base", *app.images.roles]
    assert found.present == {}
    assert found.notices == ()
    assert world.aws.wrote == ()


def test_the_registry_is_asked_once_about_all_images(app: Environment) -> None:
    world = worlds.world()
    first = observe.everything(world.account, app, CLEAN).recipes
    digest = world.aws.ecr.have(worlds.APP, first[0].tags[0])
    world.aws.forget_calls()
    assert observe.everything(world.account, app, CLEAN).present == {first[0].tags[0]: digest}
    assert world.aws.calls["ecr:BatchGetImage"] == 1
    assert world.aws.calls["ecr:DescribeImages"] == 0


def test_a_base_made_anew_is_what_the_roles_are_planned_on(app: Environment) -> None:
    world = worlds.world()
    plain = observe.everything(world.account, app, CLEAN).recipes
    time = stock.tag_of_time(plain[0].tags[0], "2026-01-31T12:00:00Z")
    world.aws.ecr.have(worlds.APP, time, f"{plain[0].tags[0]}{stock.REFRESHED}")
    found = observe.everything(world.account, app, CLEAN).recipes
    assert found[0].ingredients.refreshed == "2026-01-31T12:00:00Z"
    assert not {one.fingerprint for one in found} & {one.fingerprint for one in plain}


def test_another_account_is_refused_whatever_else_is_wrong_there(app: Environment) -> None:
    world = worlds.world()
    world.aws.sts.account_id = "999999999999"
    world.aws.ssm.refuse("get_parameter", "AccessDeniedException")
    with pytest.raises(RefusedError, match="999999999999"):
        observe.everything(world.account, app, CLEAN)


def test_a_dockerfile_that_is_wrong_is_told(app: Environment) -> None:
    (app.context / "Dockerfile.j2").write_text("FROM {{ bass_image }}\n")
    with pytest.raises(ConfigError, match="'bass_image' is undefined"):
        observe.everything(worlds.world().account, app, CLEAN)
