"""Which images stay and which go: cases as data, and what must hold of every repository."""

from __future__ import annotations

import datetime as dt
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploylib.retention import plan
from deploylib.retention.plan import Fate, Image, Rules, Use
from tests.fakes import world as worlds

NOW = dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC)
CASES: list[dict[str, Any]] = tomllib.loads((Path(__file__).parent / "cases.toml").read_text())["case"]
ENVIRONMENT = worlds.environment(images=worlds.images("{role}-{environment}-latest"))


def image(name: str, *, tags: list[str], hours: float, children: list[str] | None = None) -> Image:
    return Image(
        digest=name,
        tags=tuple(tags),
        pushed_at=NOW - dt.timedelta(hours=hours),
        size=100,
        children=tuple(children or ()),
    )


def rules(newest: int) -> Rules:
    return Rules(newest=newest, young=dt.timedelta(hours=1), now=NOW)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_each_image_has_its_fate_and_its_reasons(case: dict[str, Any]) -> None:
    images = [image(name, **facts) for name, facts in case["images"].items()]
    uses = [Use(digest=digest, why=why) for digest, why in case.get("uses", {}).items()]
    fates = plan.plan(ENVIRONMENT, images, uses, rules(case["keep"]), stands_on=case.get("stands_on"))
    told = {one.image.digest: f"{'keep' if one.stays else 'remove'}: {'; '.join(one.reasons)}" for one in fates}
    assert told == case["fates"]


# What must hold of every repository

DIGESTS = [f"d{number}" for number in range(8)]
TAGS = st.sampled_from(
    [
        *(f"{role}-c{number:012d}" for role in ("web", "job") for number in range(4)),
        *(f"base-{number:012d}" for number in range(3)),
        *("web-000000000001", "web-stg-latest", "base", "v1", "kept-000000000001"),
    ]
)
FACTS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "tags": st.lists(TAGS, max_size=3, unique=True),
        "hours": st.floats(0, 100),
        "children": st.lists(st.sampled_from(DIGESTS), max_size=3, unique=True),
    }
)
REPOSITORIES = st.dictionaries(st.sampled_from(DIGESTS), FACTS, min_size=1).map(
    lambda found: [image(name, **facts) for name, facts in found.items()]
)
USED = st.lists(st.sampled_from(DIGESTS), unique=True)
STANDS = st.dictionaries(st.sampled_from(DIGESTS), st.sampled_from([f"base-{number:012d}" for number in range(3)]))


@given(REPOSITORIES, USED, STANDS, st.integers(1, 3))
def test_what_is_used_is_never_removed_nor_what_it_is_part_of_or_made_of(
    images: list[Image], used: list[str], stands_on: dict[str, str], newest: int
) -> None:
    fates = plan.plan(
        ENVIRONMENT, images, [Use(digest=one, why="x") for one in used], rules(newest), stands_on=stands_on
    )
    stays = {one.image.digest for one in fates if one.stays}
    there = {one.digest: one for one in images}
    assert set(used) & set(there) <= stays
    for one in images:
        if one.digest in stays:
            assert set(one.children) & set(there) <= stays
        elif set(one.children) & set(used):
            pytest.fail(f"{one} goes, although its child is used")
    bases = {one.content: one.digest for one in images if one.role == "base"}
    assert {
        bases[tag] for digest, tag in stands_on.items() if digest in set(used) & set(there) and tag in bases
    } <= stays


@given(REPOSITORIES, USED, st.integers(1, 3))
def test_what_goes_is_ours_and_old_and_its_role_keeps_enough(images: list[Image], used: list[str], newest: int) -> None:
    fates = plan.plan(ENVIRONMENT, images, [Use(digest=one, why="x") for one in used], rules(newest))
    assert {one.image.digest for one in fates} == {one.digest for one in images}
    assert all(one.reasons for one in fates)
    for fate in fates:
        if not fate.stays:
            going = fate.image
            assert not {"v1", "base", "web-stg-latest"} & set(going.tags)
            assert NOW - going.pushed_at >= dt.timedelta(hours=1)
            _has_enough_newer(going, fates, newest)


def _has_enough_newer(going: Image, fates: tuple[Fate, ...], newest: int) -> None:
    if going.role:
        newer = [one for one in fates if one.image.role == going.role and one.image.pushed_at >= going.pushed_at]
        assert len([one for one in newer if one.stays]) >= newest
    else:
        assert not going.tags
        assert any(going.digest in one.image.children and not one.stays for one in fates)


@given(REPOSITORIES, USED, st.integers(1, 3))
def test_more_uses_never_remove_more(images: list[Image], used: list[str], newest: int) -> None:
    def going(digests: list[str]) -> set[str]:
        fates = plan.plan(ENVIRONMENT, images, [Use(digest=one, why="x") for one in digests], rules(newest))
        return {one.image.digest for one in fates if not one.stays}

    assert going(used) <= going(used[1:])
