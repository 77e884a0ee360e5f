"""Promotion: what completed elsewhere, byte for byte, only what is missing, and nothing that cannot be taken back."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from deploylib import config, events, ledger
from deploylib import contract as contracts
from deploylib.errors import ConfigError, ImageError, RefusedError
from deploylib.images import promotion, registry
from tests.fakes import world as worlds
from tests.fakes.account import FakeAccount
from tests.fakes.ecr import MANIFEST

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploylib.images.copying import Copier

APP = "guestbook"
COMMIT = "c" * 40
SHARED = ("sha256:" + "0" * 64, 5_000_000)


def blob(name: str, size: int = 1000) -> tuple[str, int]:
    return f"sha256:{name.encode().hex():0>64}", size


def manifest(name: str, *layers: tuple[str, int]) -> str:
    """Return the manifest of an image of *layers*, with a document of its own."""
    config_blob = blob(f"{name}-config", 300)
    parts = [{"digest": digest, "size": size} for digest, size in layers]
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"digest": config_blob[0], "size": config_blob[1]},
            "layers": parts,
        }
    )


def side(name: str, account_id: str, **changes: Any) -> promotion.Side:
    account = FakeAccount(account_id=account_id)
    account.ecr.images[APP], account.ecr.tags[APP] = {}, {}
    account.dynamodb.tables[f"{name}-ledger"] = {}
    contract = contracts.Contract(
        version=1,
        app=APP,
        environment=name,
        account_id=account_id,
        region="ap-northeast-1",
        cluster="c",
        repository=f"{account.ecr.registry}/{APP}",
        services={},
        ledger=f"{name}-ledger",
    )
    environment = worlds.environment(name=name, **changes)
    return promotion.Side(account=account.account, environment=environment, contract=contract)


def fake(one: promotion.Side) -> FakeAccount:
    assert isinstance(one.account, FakeAccount)
    return one.account


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    source: promotion.Side
    target: promotion.Side
    web: str
    job: str

    @property
    def entry(self) -> ledger.Entry:
        return released(self.source, {"web": self.web, "job": self.job})

    def plan(self, labels: Mapping[str, str] | None = None) -> promotion.Promotion:
        entry = promotion.chosen(self.source)
        return promotion.plan(self.source, self.target, entry, labels_of=lambda _repository, _digest: labels or {})


def released(one: promotion.Side, images: Mapping[str, str], verdict: Any = "completed", **more: Any) -> ledger.Entry:
    """Have a release in the ledger."""
    entry = ledger.Entry(release="r", commit=COMMIT, environment=one.name, images=images, **more)
    account = fake(one)
    begun = ledger.begin(one.account.dynamodb, one.contract.ledger, entry, clock=account.clock)
    if verdict == "running":
        return begun
    ended = replace(begun, verdict=verdict, reason="job: exit code 1" if verdict == "rolled back" else "")
    return ledger.finish(one.account.dynamodb, one.contract.ledger, ended, clock=account.clock)


@pytest.fixture
def ends() -> Ends:
    source, target = side("stg", "111111111111"), side("prd", "222222222222")
    ecr = fake(source).ecr
    web = ecr.have(
        APP, "web-c000000000001", "web-cccccccccccc", "web-latest", manifest=manifest("web", SHARED, blob("web", 700))
    )
    job = ecr.have(APP, "job-c000000000002", "job-cccccccccccc", manifest=manifest("job", SHARED, blob("job", 800)))
    made = Ends(source=source, target=target, web=web, job=job)
    assert made.entry.number == 1
    return made


@dataclass(slots=True)
class Ship:
    """A copier between two fakes. `times` of `carried` images it changes the bytes on the way, as an engine may."""

    ends: Ends
    carried: list[str] = field(default_factory=list)
    changes: bool = False
    breaks_after: int = 99

    def copy(self, source: str, repository: str, *, tag: str) -> None:
        if len(self.carried) >= self.breaks_after:
            raise ImageError(f"{source} was not copied")
        ecr, digest = fake(self.ends.target).ecr, source.rpartition("@")[2]
        self.carried.append(digest)
        text = fake(self.ends.source).ecr.images[APP][digest]
        if self.changes:
            ecr.have(APP, tag, manifest=text.replace("schemaVersion", "schemaversion"))
            return
        document = json.loads(text)
        for child in document.get("manifests", ()):
            ecr.have(APP, manifest=fake(self.ends.source).ecr.images[APP][child["digest"]])
        parts = [*document.get("layers", ()), *([document["config"]] if "config" in document else [])]
        ecr.layers.setdefault(APP, set()).update(one["digest"] for one in parts)
        ecr.have(APP, manifest=text)

    def connect(self, _login: Mapping[str, str]) -> Copier:
        return self


def run(ends: Ends, ship: Ship) -> list[events.Event]:
    return list(promotion.carry_out(ends.plan(), clock=fake(ends.target).clock, connect=ship.connect))


def tags(one: promotion.Side, digest: str) -> set[str]:
    return set(registry.tags_of(one.account.ecr, one.repository, digest))


def test_images_arrive_with_their_digests_and_the_names_that_never_move(ends: Ends) -> None:
    seen = run(ends, Ship(ends))
    assert tags(ends.target, ends.web) == {"web-c000000000001", "web-cccccccccccc"}
    assert tags(ends.target, ends.job) == {"job-c000000000002", "job-cccccccccccc"}
    assert [type(one).__name__ for one in seen] == ["PromotionStarted", "Promoted"] * 2


def test_layers_that_images_share_travel_once(ends: Ends) -> None:
    seen = run(ends, Ship(ends))
    promoted = {one.image: one for one in seen if isinstance(one, events.Promoted)}
    assert (promoted["web"].layers, promoted["web"].size) == (3, SHARED[1] + 700 + 300)
    assert (promoted["job"].layers, promoted["job"].size) == (2, 800 + 300)


def test_images_that_lack_nothing_in_common_travel_at_the_same_time(ends: Ends) -> None:
    fake(ends.target).ecr.layers[APP] = {SHARED[0]}
    seen = run(ends, Ship(ends))
    started = [at for at, one in enumerate(seen) if isinstance(one, events.PromotionStarted)]
    assert len(started) == 2
    assert fake(ends.target).calls["ecr:BatchCheckLayerAvailability"] == 1


def test_what_is_there_is_not_copied_again(ends: Ends) -> None:
    run(ends, Ship(ends))
    plan = ends.plan()
    assert {one.action for one in plan.plans} == {"reuse"}
    assert plan.nothing_to_do
    fake(ends.target).forget_calls()
    ship = Ship(ends)
    assert run(ends, ship) == []
    assert ship.carried == []
    assert fake(ends.target).wrote == ()


def test_interrupted_promotion_goes_on_where_it_stopped(ends: Ends) -> None:
    with pytest.raises(ImageError):
        run(ends, Ship(ends, breaks_after=1))
    again = Ship(ends)
    run(ends, again)
    assert len(again.carried) == 1
    assert tags(ends.target, ends.job) == {"job-c000000000002", "job-cccccccccccc"}


def test_copy_that_died_before_it_was_named_gets_its_names(ends: Ends) -> None:
    fake(ends.target).ecr.have(APP, manifest=fake(ends.source).ecr.images[APP][ends.web])
    plan = ends.plan()
    assert not plan.nothing_to_do
    assert plan.rows[0][1:3] == (
        "reuse",
        "the registry has this image (from stg, release 1); gets the tag web-c000000000001, web-cccccccccccc",
    )
    run(ends, Ship(ends))
    assert tags(ends.target, ends.web) == {"web-c000000000001", "web-cccccccccccc"}


def test_index_travels_whole(ends: Ends) -> None:
    ecr = fake(ends.source).ecr
    children = tuple(ecr.have(APP, manifest=manifest(name, SHARED, blob(name, 900))) for name in ("amd", "arm"))
    index = ecr.have_index(APP, "web-c000000000009", children=children)
    released(ends.source, {"web": index})
    seen = run(ends, Ship(ends))
    promoted = next(one for one in seen if isinstance(one, events.Promoted))
    assert (promoted.layers, promoted.size) == (5, SHARED[1] + 2 * (900 + 300))
    assert set(children) <= set(fake(ends.target).ecr.images[APP])


def test_copy_of_other_bytes_is_refused_and_taken_away(ends: Ends) -> None:
    with pytest.raises(ImageError, match="packed it anew") as refused:
        run(ends, Ship(ends, changes=True))
    assert "skopeo" in refused.value.hint
    assert "web-c000000000001" not in fake(ends.target).ecr.tags[APP]


def test_tag_that_names_another_image_there_is_an_error_before_anything_is_copied(ends: Ends) -> None:
    other = fake(ends.target).ecr.have(APP, "job-cccccccccccc", manifest=manifest("other"))
    with pytest.raises(ImageError, match="job-cccccccccccc") as refused:
        ends.plan()
    assert other in str(refused.value)
    assert fake(ends.target).wrote == ()


def test_image_that_is_gone_from_the_source_is_an_error(ends: Ends) -> None:
    released(ends.source, {"web": "sha256:" + "f" * 64})
    with pytest.raises(ImageError, match="does not have every image any more"):
        ends.plan()


def test_newest_release_that_completed_is_taken(ends: Ends) -> None:
    released(ends.source, {"web": ends.web, "job": ends.job})
    released(ends.source, {"web": "sha256:1"}, "rolled back")
    released(ends.source, {"web": "sha256:2"}, "running")
    assert promotion.chosen(ends.source).number == 2
    assert promotion.chosen(ends.source, 1).number == 1


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        ("rolled back", "release 2 of stg was rolled back: job: exit code 1; only what completed is promoted"),
        ("running", "release 2 of stg is running, or died on the way"),
        ("failed", "release 2 of stg failed"),
        ("interrupted", "release 2 of stg was interrupted"),
        ("not restored", "release 2 of stg was not restored"),
        ("superseded", "release 2 of stg was superseded"),
    ],
)
def test_release_that_did_not_complete_is_refused_with_its_verdict(ends: Ends, verdict: str, said: str) -> None:
    released(ends.source, {"web": ends.web}, verdict)
    with pytest.raises(RefusedError) as refused:
        promotion.chosen(ends.source, 2)
    assert str(refused.value).startswith(said)
    assert refused.value.hint == "--release 1 is the newest that completed"


def test_release_that_nobody_made_is_refused(ends: Ends) -> None:
    with pytest.raises(RefusedError, match="stg has no release 7"):
        promotion.chosen(ends.source, 7)
    with pytest.raises(RefusedError, match="no release has completed in prd") as refused:
        promotion.chosen(ends.target)
    assert refused.value.hint == "inv deploy --env prd"


def test_release_of_uncommitted_changes_is_refused(ends: Ends) -> None:
    released(ends.source, {"web": ends.web}, dirty=True)
    with pytest.raises(RefusedError, match="uncommitted changes"):
        promotion.chosen(ends.source)


def test_image_that_says_it_is_of_one_environment_is_refused(ends: Ends) -> None:
    with pytest.raises(RefusedError, match=r"image web of stg .*its label deploylib.environment is stg"):
        ends.plan(labels={"deploylib.environment": "stg"})


def test_image_that_the_configuration_binds_to_one_environment_is_refused(ends: Ends) -> None:
    bound = config.RoleImage(dockerfile="Dockerfile.j2", environment_specific=True)
    images = replace(ends.source.environment.images, roles={**ends.source.environment.images.roles, "job": bound})
    source = replace(ends.source, environment=replace(ends.source.environment, images=images))
    with pytest.raises(RefusedError, match=r"images.roles.job.environment_specific says so"):
        promotion.plan(source, ends.target, promotion.chosen(source), labels_of=lambda _one, _two: {})


def test_names_of_people_and_of_the_source_environment_stay_there(ends: Ends) -> None:
    ecr = fake(ends.source).ecr
    ecr.tags[APP] |= {"demo-for-the-board": ends.web, "web-stg-latest": ends.web, "kept-123456789012": ends.web}
    run(ends, Ship(ends))
    assert tags(ends.target, ends.web) == {"web-c000000000001", "web-cccccccccccc"}


def test_name_with_the_environment_in_it_is_made_anew_where_the_image_arrives(ends: Ends) -> None:
    images = replace(ends.source.environment.images, tags=config.Tags(immutable=("{role}-{environment}-{short}",)))
    ends = replace(ends, source=replace(ends.source, environment=replace(ends.source.environment, images=images)))
    fake(ends.source).ecr.tags[APP] |= {"web-stg-cccccccccccc": ends.web, "web-stg-dddddddddddd": ends.web}
    run(ends, Ship(ends))
    assert tags(ends.target, ends.web) == {"web-c000000000001", "web-cccccccccccc", "web-prd-cccccccccccc"}


@pytest.mark.parametrize("number", ["twelve", "0", "-1", "1.5", "²"])
def test_number_of_a_release_is_a_number(number: str) -> None:
    with pytest.raises(ConfigError, match="no number of a release"):
        promotion.parse(number)


def test_source_is_what_was_said_or_what_the_file_says() -> None:
    free, bound = worlds.environment(name="prd"), worlds.environment(name="prd", promote_from="stg")
    assert promotion.source_of(free, "stg") == promotion.source_of(bound, "") == promotion.source_of(bound, "stg")
    for environment, name in ((free, ""), (free, "prd"), (bound, "dev")):
        with pytest.raises(ConfigError):
            promotion.source_of(environment, name)


def test_plan_asks_little(ends: Ends) -> None:
    fake(ends.target).forget_calls()
    fake(ends.source).forget_calls()
    ends.plan()
    assert fake(ends.target).calls == {"ecr:BatchGetImage": 2}
    assert fake(ends.source).calls == {"dynamodb:Query": 1, "ecr:DescribeImages": 1}
