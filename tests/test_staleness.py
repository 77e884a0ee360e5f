"""Is the base what the checkout says: where it is, what changed, who stands on which."""

from __future__ import annotations

import datetime as dt
import io
import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from deploylib import config, report, staleness
from deploylib.errors import OutdatedError, RefusedError
from deploylib.images import labels, stock
from deploylib.images.recipe import Recipe, base_recipe
from tests.fakes import world as worlds
from tests.images.kitchen import CLEAN

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from tests.fakes.world import World

OLD, NEW = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"


@dataclass
class Scene:
    """An application on disk, its world, and what registries and the engine would say."""

    root: Path
    world: World
    parent: str = OLD
    images: dict[str, dict[str, str]] = field(default_factory=dict)
    copies: list[dict[str, Any]] = field(default_factory=list)

    @property
    def environment(self) -> config.Environment:
        roles = {role: config.RoleImage(dockerfile="Dockerfile.j2") for role in worlds.ROLES}
        images = config.Images(roles=roles, base=config.BaseImage(dockerfile="Dockerfile.base"))
        return worlds.environment(self.root, images=images)

    def look_up(self, names: Collection[str]) -> Mapping[str, str]:
        return dict.fromkeys(names, self.parent)

    def base(self, refreshed: str = "") -> Recipe:
        return base_recipe(self.environment, CLEAN, self.look_up, refreshed=refreshed, clock=self.world.clock)

    def push(self, *more: str, recipe: Recipe | None = None) -> Recipe:
        """Have the base in the registry, with its labels."""
        made = recipe or self.base()
        digest = self.world.aws.ecr.have(worlds.APP, made.tags[0], *more, manifest=json.dumps({"is": made.fingerprint}))
        self.images[digest] = made.labels
        self.world.clock.sleep(60)
        return made

    def write(self, name: str, text: str) -> None:
        path = self.root / "app" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def look(self) -> staleness.BaseStatus:
        sources = staleness.Sources(
            look_up=self.look_up,
            read_labels=lambda _, digest: self.images.get(digest, {}),
            read_engine=lambda _: self.copies,
            clock=self.world.clock,
        )
        return staleness.look(self.world.account, self.environment, CLEAN, sources=sources)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    made = Scene(root=tmp_path, world=worlds.world())
    made.write("Dockerfile.base", "FROM debian:12\nARG VERSION=1\nCOPY requirements.txt lib /\n")
    made.write("requirements.txt", "flask\n")
    made.write("lib/a.py", "a\n")
    return made


def changed(status: staleness.BaseStatus) -> list[str]:
    return [staleness.described(one) for one in status.since or ()]


def test_a_base_that_is_there_is_up_to_date_and_nothing_is_written(scene: Scene) -> None:
    made = scene.push()
    found = scene.look()
    staleness.refuse_stale(found)
    assert (found.tag, found.fingerprint, found.present) == (made.tags[0], made.fingerprint, True)
    assert found.whereabouts[0].since is not None
    assert scene.world.aws.wrote == ()


def test_a_base_that_nobody_ever_made_is_missing_and_nothing_is_said_of_changes(scene: Scene) -> None:
    found = scene.look()
    assert (found.present, found.compared_with, found.since) == (False, "", ())
    with pytest.raises(OutdatedError, match=f"has no {found.tag}$"):
        staleness.refuse_stale(found)


CHANGES = {
    "a byte of a file": (("requirements.txt", "flask \n"), "requirements.txt changed"),
    "a new file": (("lib/b.py", "b\n"), "lib/b.py added"),
    "the Dockerfile": (
        ("Dockerfile.base", "FROM debian:12\nARG VERSION=2\nCOPY requirements.txt lib /\n"),
        "Dockerfile Dockerfile.base changed",
    ),
}


@pytest.mark.parametrize("case", CHANGES)
def test_what_changed_since_the_last_base_is_named(scene: Scene, case: str) -> None:
    last = scene.push()
    (name, text), expected = CHANGES[case]
    scene.write(name, text)
    found = scene.look()
    assert found.compared_with == last.tags[0]
    assert changed(found) == [expected]
    with pytest.raises(OutdatedError, match=expected) as caught:
        staleness.refuse_stale(found)
    assert caught.value.exit_code == 9
    assert caught.value.hint == "inv base.refresh --env stg"


def test_a_new_digest_upstream_is_stale_and_named_as_the_reason(scene: Scene) -> None:
    scene.push()
    scene.parent = NEW
    with pytest.raises(OutdatedError, match="parent debian:12 sha256:aaaaaaaaaaaa → sha256:bbbbbbbbbbbb"):
        staleness.refuse_stale(scene.look())


def test_many_changes_are_counted_after_the_first_few(scene: Scene) -> None:
    scene.push()
    for number in range(8):
        scene.write(f"lib/{number}.py", "new\n")
    with pytest.raises(OutdatedError, match=r"and 3 more$"):
        staleness.refuse_stale(scene.look())


def test_the_newest_other_base_is_the_one_to_compare_with(scene: Scene) -> None:
    scene.push()
    scene.write("requirements.txt", "flask\ngunicorn\n")
    second = scene.push()
    scene.write("lib/a.py", "b\n")
    found = scene.look()
    assert found.compared_with == second.tags[0]
    assert changed(found) == ["lib/a.py changed"]


def test_a_base_that_does_not_say_what_it_was_made_of_is_no_failure(scene: Scene) -> None:
    scene.push()
    scene.images.clear()
    scene.write("lib/a.py", "b\n")
    assert scene.look().since is None


def test_a_base_made_anew_is_the_one_that_counts(scene: Scene) -> None:
    plain = scene.push()
    at = "2026-01-31T12:00:00Z"
    names = (stock.tag_of_time(plain.tags[0], at), f"{plain.tags[0]}{stock.REFRESHED}")
    anew = scene.push(*names, recipe=scene.base(at))
    found = scene.look()
    assert (found.tag, found.present) == (anew.tags[0], True)
    assert changed(found) == [f"made anew by base.refresh --force at {at}"]


def test_services_say_which_base_they_stand_on(scene: Scene) -> None:
    made = scene.push()
    old = "0" * 64
    scene.images |= {
        worlds.digest("web", 1): {labels.APP: "guestbook", labels.BASE: made.fingerprint},
        worlds.digest("job", 1): {labels.APP: "guestbook", labels.BASE: old},
        worlds.digest("nginx", 1): {labels.APP: "guestbook"},  # stands on none
    }
    found = scene.look().services
    assert [(one.service, one.container, one.base, one.state) for one in found] == [
        ("web", "app", made.tags[0], "current"),
        ("job", "worker", "base-000000000000", "older"),
    ]


def test_an_image_that_tells_nothing_is_unknown(scene: Scene) -> None:
    scene.push()
    assert {one.state for one in scene.look().services} == {"unknown"}


@pytest.mark.parametrize(("fingerprints", "state"), [([], "unknown"), (["0" * 64], "older")])
def test_this_machines_copy_is_told(scene: Scene, fingerprints: list[str], state: str) -> None:
    scene.copies = [{"Created": 1, "Labels": {labels.FINGERPRINT: one}} for one in fingerprints]
    assert scene.look().local_state == state


def test_one_copy_that_is_current_is_enough(scene: Scene) -> None:
    current = scene.base().fingerprint
    scene.copies = [
        {"Created": created, "Labels": {labels.FINGERPRINT: one}} for created, one in ((1, current), (2, "0" * 64))
    ]
    assert scene.look().local_state == "current"


def test_another_account_is_refused(scene: Scene) -> None:
    scene.world.aws.sts.account_id = "999999999999"
    with pytest.raises(RefusedError, match="999999999999"):
        scene.look()


def drawn(status: staleness.BaseStatus) -> str:
    console = Console(file=io.StringIO(), width=100, color_system=None)
    report.base(status, console=console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_page_fits_a_hundred_columns_and_names_everything(scene: Scene) -> None:
    scene.push()
    scene.parent = NEW
    scene.write("requirements.txt", "flask 3\n")
    scene.copies = [{"Created": 1, "Labels": {labels.FINGERPRINT: "0" * 64}}]
    page = drawn(scene.look())
    assert max(map(len, page.splitlines())) <= 100
    for text in (
        "not there: inv base.refresh --env stg",
        "requirements.txt changed",
        "parent debian:12",
        "docker pull",
    ):
        assert text in page


def test_long_lists_of_changes_are_cut_in_the_page(scene: Scene) -> None:
    found = scene.look()
    many = tuple(labels.Difference(kind="file", name=f"{number}.py", change="added") for number in range(30))
    page = drawn(replace(found, since=many, compared_with="base-000000000000"))
    assert "19.py added" in page
    assert "20.py added" not in page
    assert "and 10 more" in page
    assert "does not say what it was made of" in drawn(replace(found, since=None, compared_with="base-000000000000"))


def test_a_machine_gets_one_line_with_all_of_it(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    made = scene.push()
    report.base(scene.look(), output="json")
    document = json.loads(capsys.readouterr().out)
    assert (document["event"], document["present"]) == ("BaseStatus", True)
    assert document["fingerprint"] == made.fingerprint
    assert dt.datetime.fromisoformat(document["whereabouts"][0]["since"]).tzinfo is not None
