from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from deploylib.errors import ImageError
from deploylib.images import sandbox
from deploylib.images.sandbox import Container, Sandbox
from deploylib.toolchain import recorded_process
from deploylib.toolchain.engine_api import EngineTimeoutError
from deploylib.toolchain.recorded_process import Owner, RecordedProcess
from tests.images.container_engine import MADE, ContainerEngine, Program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAY = 24 * 3600.0


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[ContainerEngine]:
    engine = ContainerEngine(tmp_path / "engine.sock", "shop:web")
    engine.start()
    yield engine
    engine.stop()


def box(fake: ContainerEngine, run: str = "run-1", owner: Owner | None = None) -> Sandbox:
    labels = sandbox.labels("shop", run, owner or Owner.this())
    return Sandbox(api=fake.engine().api, name=f"shop-test-{run}", labels=labels)


def dead() -> Owner:
    """Return an owner with the number of this process, but another start: its number was used again."""
    this = Owner.this()
    return replace(this, process=replace(this.process, started=f"{this.process.started}0"))


def test_a_container_is_in_a_network_without_a_way_out_and_has_no_port(fake: ContainerEngine) -> None:
    box(fake).create(Container(name="database", image="shop:web", in_memory=("/data",), environment={"A": "1"}))
    document = fake.inside["c1"].document
    assert fake.networks[0]["Internal"] is True
    assert document["HostConfig"]["NetworkMode"] == "shop-test-run-1"
    assert "PortBindings" not in document["HostConfig"]
    assert document["HostConfig"]["Tmpfs"] == {"/data": ""}
    assert document["NetworkingConfig"]["EndpointsConfig"] == {"shop-test-run-1": {"Aliases": ["database"]}}
    assert document["Env"] == ["A=1"]
    assert {"Cmd", "Entrypoint", "User", "WorkingDir"} & document.keys() == set(), "the image's own"


def test_lines_of_both_streams_come_whole_and_the_exit_code_is_returned(fake: ContainerEngine) -> None:
    fake.programs["run tests"] = Program(lines=("one", "!two", "", "drei €"), code=3)
    here, said = box(fake), list[str]()
    container = here.create(Container(name="test", image="shop:web", command=("run", "tests")))
    here.start(container)
    assert here.follow(container, said.append, timeout_seconds=10) == 3
    assert said == ["one", "two", "", "drei €"]
    assert here.last_lines(container, 2) == ("", "drei €")


def test_what_does_not_end_in_time_is_killed(fake: ContainerEngine) -> None:
    fake.programs["wait"] = Program(lines=("on",), endless=True)
    here, said = box(fake), list[str]()
    container = here.create(Container(name="test", image="shop:web", command=("wait",)))
    here.start(container)
    with pytest.raises(EngineTimeoutError):
        here.follow(container, said.append, timeout_seconds=0.2)
    assert said == ["on"]
    assert not fake.inside[container].running


def test_a_command_that_is_not_in_the_image_is_named_in_the_engines_words(fake: ContainerEngine) -> None:
    here = box(fake)
    container = here.create(Container(name="test", image="shop:web", command=("nonsense",)))
    with pytest.raises(ImageError, match=r'^exec: "nonsense": executable file not found'):
        here.start(container)


def test_an_image_that_the_engine_does_not_have_is_an_image_error(fake: ContainerEngine) -> None:
    with pytest.raises(ImageError, match="No such image: other"):
        box(fake).create(Container(name="test", image="other"))


def test_removing_takes_everything_and_lets_nothing_new_in(fake: ContainerEngine) -> None:
    fake.programs["shop:web"] = Program(endless=True)
    here, other = box(fake), box(fake, "run-2")
    here.start(here.create(Container(name="database", image="shop:web")))
    here.create(Container(name="test", image="shop:web"))
    other.create(Container(name="database", image="shop:web"))
    here.remove()
    assert [one["Labels"][sandbox.LABEL_RUN] for one in fake.containers] == ["run-2"]
    with pytest.raises(ImageError, match="were removed"):
        here.create(Container(name="late", image="shop:web"))
    other.remove()
    here.remove()
    assert fake.left == (0, 0), "the network too, which the engine keeps while a container is in it"


def test_leftovers_of_a_process_that_is_gone_are_removed_and_those_of_one_that_lives_are_not(
    fake: ContainerEngine,
) -> None:
    for run, owner in (("gone", dead()), ("alive", Owner.this())):
        box(fake, run, owner).create(Container(name="database", image="shop:web"))
    assert sandbox.remove_leftovers(fake.engine().api) == 1
    assert {one["Labels"][sandbox.LABEL_RUN] for one in (*fake.containers, *fake.networks)} == {"alive"}


@pytest.mark.parametrize(("age_seconds", "removed"), [(DAY - 60, 0), (DAY + 60, 1)])
def test_leftovers_of_another_machine_are_removed_after_a_day(
    fake: ContainerEngine, age_seconds: float, removed: int
) -> None:
    elsewhere = replace(dead(), space="another kernel pid:[7]")
    here = box(fake, "far", elsewhere)
    here.create(Container(name="database", image="shop:web"))
    fake.containers.clear()  # killed in the very moment in which only the network was there
    made = datetime.fromisoformat(MADE).astimezone(UTC).timestamp()
    assert sandbox.remove_leftovers(fake.engine().api, now=lambda: made + age_seconds) == removed
    assert len(fake.networks) == 1 - removed


def test_what_carries_a_label_that_nobody_understands_is_left_alone(fake: ContainerEngine) -> None:
    fake.add_container("strange", {sandbox.LABEL_RUN: "x", sandbox.LABEL_OWNER: "who knows"})
    assert sandbox.remove_leftovers(fake.engine().api) == 0
    assert len(fake.containers) == 1


def test_an_owner_is_the_same_after_it_was_a_label() -> None:
    owner = Owner(process=RecordedProcess(pid=7, started="boot 123"), space="boot pid:[1]")
    assert Owner.read(str(owner)) == owner


def test_this_process_lives_and_one_of_its_number_with_another_start_does_not() -> None:
    assert not Owner.this().gone(age_seconds=10 * DAY)
    assert dead().gone(age_seconds=0)
    assert Owner.this().process == recorded_process.record(os.getpid())
