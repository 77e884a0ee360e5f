"""A saved plan is executed only while it is what would happen anyway."""

from __future__ import annotations

import copy
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from deploylib import report, saved_plan
from deploylib.errors import ConfigError, RefusedError
from tests.fakes import world as worlds
from tests.fakes.clock import FakeClock
from tests.fakes.releases import proposed

CASES: dict[str, Any] = tomllib.loads((Path(__file__).parent / "cases/saved_plans.toml").read_text())


def document() -> dict[str, Any]:
    return copy.deepcopy(CASES["plan"])


def changed(path: str, value: Any) -> dict[str, Any]:
    """Return the plan with the value at a dotted *path* (numbers count in lists) set to *value*."""
    made = document()
    *parents, last = path.split(".")
    place: Any = made
    for one in parents:
        place = place[int(one)] if isinstance(place, list) else place[one]
    place[int(last) if isinstance(place, list) else last] = value
    return made


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "plan.json"


def saved(place: Path) -> saved_plan.Saved:
    saved_plan.write(place, document(), clock=FakeClock())
    return saved_plan.read(place)


def test_a_plan_that_is_made_again_holds(place: Path) -> None:
    found = saved(place)
    found.check(document())
    assert (found.environment, found.number, found.dirty, found.irreversible) == ("stg", "12", False, False)


@pytest.mark.parametrize("case", CASES["refused"], ids=lambda case: case["name"])
def test_a_world_that_moved_is_refused_with_what_moved(case: dict[str, Any], place: Path) -> None:
    with pytest.raises(RefusedError, match="no longer holds") as refused:
        saved(place).check(changed(case["path"], case["value"]))
    assert f"  {case['says']}" in str(refused.value).splitlines()
    assert refused.value.exit_code == 3
    assert refused.value.hint == f"inv plan --env stg --save {place}"


@pytest.mark.parametrize("case", CASES["held"], ids=lambda case: case["name"])
def test_names_explanations_and_counts_may_differ(case: dict[str, Any], place: Path) -> None:
    saved(place).check(changed(case["path"], case["value"]))


def test_the_order_of_services_does_not_matter(place: Path) -> None:
    now = document()
    now["services"].reverse()
    saved(place).check(now)


def test_a_service_that_is_new_or_gone_is_told(place: Path) -> None:
    now = document()
    now["services"][1]["service"] = "worker"
    with pytest.raises(RefusedError) as refused:
        saved(place).check(now)
    assert "  services.job: unchanged then, nothing now" in str(refused.value).splitlines()
    assert "  services.worker: nothing then, unchanged now" in str(refused.value).splitlines()


def test_many_differences_are_counted(place: Path) -> None:
    now = document()
    now["images"] = [{"image": f"image-{number}", "action": "build"} for number in range(30)]
    with pytest.raises(RefusedError, match="and 22 more"):
        saved(place).check(now)


def test_the_plan_of_another_environment_is_refused_alone(place: Path) -> None:
    with pytest.raises(RefusedError, match="is for stg, not for prd") as refused:
        saved(place).check(changed("environment", "prd"))
    assert refused.value.hint == f"inv deploy --env stg --plan {place}"


def test_no_saved_plan_holds_for_every_plan() -> None:
    assert saved_plan.read("") is saved_plan.NOTHING
    saved_plan.NOTHING.check(document())
    assert (saved_plan.NOTHING.environment, saved_plan.NOTHING.number) == ("", "")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"version": 2, "plan": {"environment": "stg"}}', '{"version": 1, "plan": {}}']
)
def test_what_is_no_saved_plan_is_refused(text: str, place: Path) -> None:
    place.write_text(text)
    with pytest.raises(ConfigError, match=r"is no saved plan"):
        saved_plan.read(place)


def test_a_file_that_is_not_there_is_a_mistake_of_the_command_line(place: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        saved_plan.read(place)
    with pytest.raises(ConfigError, match="cannot be written"):
        saved_plan.write(place / "below", document())


def test_the_file_says_when_it_was_made(place: Path) -> None:
    saved(place)
    found = json.loads(place.read_text())
    assert found["version"] == 1
    assert found["made_at"].endswith("+00:00")


# Whole plans, of a world that moves


def kept(world: worlds.World, place: Path) -> saved_plan.Saved:
    """Save the plan of the next release."""
    saved_plan.write(place, report.document(proposed(world).plan), clock=world.clock)
    return saved_plan.read(place)


def refusal(found: saved_plan.Saved, world: worlds.World) -> str:
    with pytest.raises(RefusedError) as refused:
        found.check(report.document(proposed(world).plan))
    return str(refused.value)


def test_the_same_world_has_the_same_plan_an_hour_later(place: Path) -> None:
    world = worlds.world()
    found = kept(world, place)
    world.clock.sleep(3600.0)
    world.update("web", desiredCount=4)
    world.settle()
    found.check(report.document(proposed(world).plan))


def test_a_release_of_somebody_else_makes_another_plan(place: Path) -> None:
    world = worlds.world()
    found = kept(world, place)
    world.release("job", 2)
    world.settle()
    said = refusal(found, world)
    assert "services.job.action: update then, unchanged now" in said
    assert "services.web" not in said


def test_a_deployment_under_way_makes_another_plan(place: Path) -> None:
    world = worlds.world()
    found = kept(world, place)
    world.release("job", 2)
    assert "services.job.action: update then, attach now" in refusal(found, world)


def test_another_template_makes_another_plan_although_the_secret_in_it_is_hidden(place: Path) -> None:
    world = worlds.world()
    definition = worlds.template_of(world.specs["web"], world.repository)

    def apply(password: str) -> None:
        for one in definition["containerDefinitions"]:
            one["environment"] = [{"name": "PASSWORD", "value": password}]
        world.apply("web", containerDefinitions=definition["containerDefinitions"])

    apply("hunter2")
    found = kept(world, place)
    apply("hunter3")
    said = refusal(found, world)
    assert "services.web.template: " in said
    assert "hunter" not in said + place.read_text()
