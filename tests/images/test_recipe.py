from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deploylib.config import BaseImage, RoleImage
from deploylib.errors import ConfigError
from deploylib.images.recipe import Recipe, recipes
from deploylib.images.upstream import nobody
from tests.fakes.clock import FakeClock
from tests.images.kitchen import CLEAN, COMMIT, DIRTY, environment, shop, write

if TYPE_CHECKING:
    from collections.abc import Collection

    from deploylib.checkout import Checkout
    from deploylib.config import Environment


def by_image(shop: Environment, checkout: Checkout = CLEAN) -> dict[str, Recipe]:
    return {one.image: one for one in recipes(shop, checkout, nobody)}


def single(root: Path, dockerfile: str, **settings: str) -> Recipe:
    """Return the recipe of the only role of an application without base."""
    write(root, Dockerfile=dockerfile)
    only = environment(root, base=None, roles={"app": RoleImage(dockerfile="Dockerfile", build_args=settings)})
    return recipes(only, CLEAN, nobody)[0]


def test_the_base_comes_first_then_the_roles(tmp_path: Path) -> None:
    assert [one.image for one in recipes(shop(tmp_path), CLEAN, nobody)] == ["base", "web", "job"]


def test_tags_say_the_content_and_the_commit(tmp_path: Path) -> None:
    found = by_image(shop(tmp_path))
    assert found["base"].tags == (f"base-{found['base'].fingerprint[:12]}",)
    assert found["web"].tags == (f"web-c{found['web'].fingerprint[:12]}", "web-0123456789ab")


def test_a_dirty_tree_has_no_commit_tag_and_says_so_as_revision(tmp_path: Path) -> None:
    web = by_image(shop(tmp_path), DIRTY)["web"]
    assert web.tags == (f"web-c{web.fingerprint[:12]}",)
    assert web.revision == f"{COMMIT}-dirty"
    assert web.arguments == (("COMMIT", f"{COMMIT}-dirty"),)


def test_a_file_changes_the_images_that_take_it_and_no_other(tmp_path: Path) -> None:
    before = by_image(shop(tmp_path))
    write(tmp_path, web__page_py="print('another page')\n", notes_txt="changed\n")
    after = by_image(shop_as_it_is(tmp_path))
    assert changed(before, after) == {"web"}


def test_a_new_commit_changes_the_images_that_declare_it_and_no_other(tmp_path: Path) -> None:
    app = shop(tmp_path)
    assert changed(by_image(app), by_image(app, replace(CLEAN, commit="f" * 40))) == {"web"}


def test_a_new_base_changes_every_role_that_stands_on_it(tmp_path: Path) -> None:
    before = by_image(shop(tmp_path))
    write(tmp_path, requirements_txt="flask\ngunicorn\n")
    assert changed(before, by_image(shop_as_it_is(tmp_path))) == {"base", "web", "job"}


def test_neither_the_environment_nor_the_folder_changes_anything(tmp_path: Path) -> None:
    here, there = shop(tmp_path / "here"), shop(tmp_path / "there")
    account = replace(there.account, id="222222222222", region="eu-west-1")
    assert changed(by_image(here), by_image(replace(there, name="prd", account=account))) == set()


def test_the_platform_changes_every_image(tmp_path: Path) -> None:
    app = shop(tmp_path)
    other = replace(app, images=replace(app.images, platform="linux/arm64"))
    assert changed(by_image(app), by_image(other)) == {"base", "web", "job"}


def test_a_role_is_built_on_the_base_where_the_registry_has_it(tmp_path: Path) -> None:
    web = by_image(shop(tmp_path))["web"]
    text, _ = web.standing_on("localhost:1/shop@sha256:00")
    assert text.startswith("FROM localhost:1/shop@sha256:00\n")
    assert web.base in web.text
    assert web.parents == ()


def test_a_plain_dockerfile_gets_the_base_as_a_build_argument(tmp_path: Path) -> None:
    write(tmp_path, Dockerfile_base="FROM scratch\n", Dockerfile="ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\n")
    app = by_image(environment(tmp_path, roles={"app": RoleImage(dockerfile="Dockerfile")}))["app"]
    text, arguments = app.standing_on("host/shop@sha256:00")
    assert text == "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\n"
    assert arguments == (("BASE_IMAGE", "host/shop@sha256:00"),)


def test_a_role_that_starts_from_elsewhere_does_not_stand_on_the_base(tmp_path: Path) -> None:
    write(tmp_path, Dockerfile_base="FROM scratch\n", Dockerfile="ARG BASE_IMAGE\nFROM nginx:1\n")
    nginx = by_image(environment(tmp_path, roles={"nginx": RoleImage(dockerfile="Dockerfile")}))["nginx"]
    assert nginx.base == ""
    assert nginx.parents == (("nginx:1", ""),)
    assert nginx.standing_on("x")[0] == nginx.text


def test_what_the_base_takes_onbuild_counts_for_the_roles_on_it(tmp_path: Path) -> None:
    write(
        tmp_path,
        Dockerfile_base="FROM scratch\nONBUILD COPY assets /\n",
        assets__a_css="a",
        Dockerfile_j2="FROM {{ base_image }}",
    )
    before = by_image(shop_as_it_is(tmp_path))
    write(tmp_path, assets__a_css="b")
    assert changed(before, by_image(shop_as_it_is(tmp_path))) == {"web", "job"}


def test_only_declared_arguments_are_given(tmp_path: Path) -> None:
    recipe = single(tmp_path, "FROM x\nARG A\nARG TARGETARCH\nARG NOT_GIVEN\n", A="1", HTTP_PROXY="http://proxy:1")
    assert recipe.arguments == (("A", "1"), ("TARGETARCH", "amd64"), ("HTTP_PROXY", "http://proxy:1"))
    assert recipe.ingredients.arguments == (("A", "1"), ("TARGETARCH", "amd64"))


def test_an_argument_that_the_dockerfile_does_not_declare_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        single(tmp_path, "FROM x\nARG VERSION\n", VERSOIN="1")
    assert str(caught.value) == "images.roles.app.build_args.VERSOIN: Dockerfile declares no ARG VERSOIN"
    assert caught.value.hint == "it declares VERSION"


def test_an_undeclared_argument_of_the_base_is_named_as_the_bases(tmp_path: Path) -> None:
    app = shop(tmp_path)
    base = BaseImage(dockerfile="Dockerfile.base", build_args={"X": "1"})
    with pytest.raises(ConfigError, match=r"^images\.base\.build_args\.X: Dockerfile\.base declares no ARG X$"):
        recipes(replace(app, images=replace(app.images, base=base)), CLEAN, nobody)


def test_a_template_that_wants_a_base_where_there_is_none_is_a_configuration_error(tmp_path: Path) -> None:
    app = shop(tmp_path)
    with pytest.raises(ConfigError, match="'base_image' is undefined"):
        recipes(replace(app, images=replace(app.images, base=None)), CLEAN, nobody)


def test_a_role_cannot_be_called_base(tmp_path: Path) -> None:
    app = shop(tmp_path)
    roles = {"base": RoleImage(dockerfile="Dockerfile.j2")}
    with pytest.raises(ConfigError, match=r"images\.roles\.base"):
        recipes(replace(app, images=replace(app.images, roles=roles)), CLEAN, nobody)


def test_the_ignore_file_decides_what_counts(tmp_path: Path) -> None:
    write(tmp_path, Dockerfile="FROM x\nCOPY . /srv\n", a_py="a", b_py="b")
    (tmp_path / ".dockerignore").write_text("b.py\nDockerfile\n")
    only = environment(tmp_path, base=None, roles={"app": RoleImage(dockerfile="Dockerfile")})
    assert [one.path for one in recipes(only, CLEAN, nobody)[0].ingredients.files] == [".dockerignore", "a.py"]
    (tmp_path / "Dockerfile.dockerignore").write_text("*\n!b.py\n")
    found = recipes(only, CLEAN, nobody)[0]
    assert [one.path for one in found.ingredients.files] == ["b.py"]
    assert found.own_ignore == "*\n!b.py\n"


def shop_as_it_is(root: Path) -> Environment:
    role = RoleImage(dockerfile="Dockerfile.j2")
    return environment(root, roles={"web": role, "job": role})


def changed(before: dict[str, Recipe], after: dict[str, Recipe]) -> set[str]:
    return {image for image in before if before[image].fingerprint != after[image].fingerprint}


def test_the_example_of_the_specification_is_true(tmp_path: Path) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs/fingerprint.md").read_text()
    dockerfile, manifest, fingerprint = (
        one.partition("\n")[2] for one in page.split("## Example")[1].split("```")[1::2]
    )
    write(tmp_path, Dockerfile=dockerfile, app_py="print()\n", run_sh="exit 0\n")
    (tmp_path / "run.sh").chmod(0o755)
    (tmp_path / "current").symlink_to("app.py")
    role = RoleImage(dockerfile="Dockerfile", build_args={"VERSION": "1"})
    app = environment(tmp_path, base=None, roles={"app": role})
    (made,) = recipes(app, CLEAN, lambda names: dict.fromkeys(names, f"sha256:{'a' * 64}"))
    assert made.ingredients.manifest == manifest
    assert made.fingerprint == fingerprint.strip()


def test_a_template_has_the_settings_and_only_those_that_it_uses_count(tmp_path: Path) -> None:
    app = shop(tmp_path)
    (tmp_path / "Dockerfile.j2").write_text("FROM {{ base_image }}\nENV WORKERS={{ settings.workers }}\n")

    def fingerprint(**settings: int) -> str:
        images = replace(app.images, settings=settings)
        return by_image(replace(app, images=images))["web"].fingerprint

    assert fingerprint(workers=2, unused=1) == fingerprint(workers=2, unused=2)
    assert fingerprint(workers=2) != fingerprint(workers=3)


def specific(root: Path, name: str, *, flag: bool) -> Recipe:
    write(root, Dockerfile_j2="FROM scratch\nENV WHERE={{ environment }}\n")
    roles = {"app": RoleImage(dockerfile="Dockerfile.j2", environment_specific=flag)}
    return recipes(environment(root, base=None, roles=roles, name=name), CLEAN, nobody)[0]


def test_an_image_depends_on_its_environment_only_when_its_configuration_says_so(tmp_path: Path) -> None:
    stg, prd = (specific(tmp_path, name, flag=True) for name in ("stg", "prd"))
    assert stg.fingerprint != prd.fingerprint
    assert stg.labels["deploylib.environment"] == "stg"
    with pytest.raises(ConfigError, match="'environment' is undefined") as caught:
        specific(tmp_path, "stg", flag=False)
    assert caught.value.hint.endswith("images.roles.app.environment_specific = true")


def test_the_base_has_no_environment_at_all(tmp_path: Path) -> None:
    app = shop(tmp_path)
    (tmp_path / "Dockerfile.base.j2").write_text("FROM x\nENV WHERE={{ environment }}\n")
    with pytest.raises(ConfigError) as caught:
        recipes(
            replace(app, images=replace(app.images, base=BaseImage(dockerfile="Dockerfile.base.j2"))), CLEAN, nobody
        )
    assert caught.value.hint.startswith("the base is the same in every environment")


def test_parents_have_the_digest_that_was_looked_up_and_it_counts(tmp_path: Path) -> None:
    app = shop(tmp_path)
    asked: list[tuple[str, ...]] = []

    def at(digest: str) -> dict[str, Recipe]:
        def look_up(names: Collection[str]) -> dict[str, str]:
            asked.append(tuple(names))
            return dict.fromkeys(names, digest)

        return {one.image: one for one in recipes(app, CLEAN, look_up)}

    before, after = at("sha256:00"), at("sha256:11")
    assert before["base"].parents == (("debian:12", "sha256:00"),)
    assert changed(before, after) == {"base", "web", "job"}
    assert asked == [("debian:12",)] * 2


def test_all_outside_images_of_an_app_are_looked_up_at_once(tmp_path: Path) -> None:
    app = shop(tmp_path)
    (tmp_path / "Dockerfile.j2").write_text("FROM {{ base_image }}\nCOPY --from=nginx:1 /x /y\n")
    asked: list[tuple[str, ...]] = []

    def look_up(names: Collection[str]) -> dict[str, str]:
        asked.append(tuple(names))
        return {}

    recipes(app, CLEAN, look_up)
    assert asked == [("debian:12", "nginx:1")]


def test_a_base_that_is_mentioned_but_not_stood_on_counts_too(tmp_path: Path) -> None:
    write(
        tmp_path,
        Dockerfile_base="FROM scratch\nCOPY a /\n",
        a="1",
        Dockerfile="FROM x\nARG BASE_IMAGE\nRUN $BASE_IMAGE\n",
    )
    app = environment(tmp_path, roles={"app": RoleImage(dockerfile="Dockerfile")})
    before = by_image(app)
    write(tmp_path, a="2")
    assert changed(before, by_image(app)) == {"base", "app"}


def test_labels_say_what_an_image_is(tmp_path: Path) -> None:
    app, clock = shop(tmp_path), FakeClock()
    checkout = replace(CLEAN, author="Ada")
    base, web, _ = recipes(app, checkout, lambda names: dict.fromkeys(names, "sha256:00"), clock=clock)
    assert web.labels | {"deploylib.made-by": "Ada"} == {
        "deploylib.fingerprint": web.fingerprint,
        "deploylib.image": "web",
        "deploylib.app": "shop",
        "deploylib.base": base.fingerprint,
        "deploylib.made-by": "Ada",
        "org.opencontainers.image.authors": "Ada",
        "org.opencontainers.image.created": "2023-11-14T22:13:20Z",
        "org.opencontainers.image.revision": COMMIT,
        "org.opencontainers.image.version": COMMIT[:12],
        "org.opencontainers.image.title": "shop web",
    }
    on = web.labels_on("host/shop@sha256:11")
    assert on["org.opencontainers.image.base.name"] == "host/shop"
    assert on["org.opencontainers.image.base.digest"] == "sha256:11"
    assert base.labels["deploylib.parents"] == '{"debian:12":"sha256:00"}'
    assert base.labels_on("")["org.opencontainers.image.base.name"] == "debian:12"
    assert "requirements.txt" in base.labels["deploylib.ingredients"]


def test_secrets_are_names_of_parameters_and_no_ingredient(tmp_path: Path) -> None:
    write(tmp_path, Dockerfile="FROM x\nRUN --mount=type=secret,id=npm true\n")

    def of(**secrets: str) -> Recipe:
        roles = {"app": RoleImage(dockerfile="Dockerfile", secrets=secrets)}
        return recipes(environment(tmp_path, base=None, roles=roles), CLEAN, nobody)[0]

    assert of(npm="/shop/npm").secrets == {"npm": "/shop/npm"}
    assert of(npm="/shop/npm").fingerprint == of(npm="/shop/other").fingerprint
