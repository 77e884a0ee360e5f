from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from deploylib import process
from deploylib.errors import ImageError
from deploylib.events import (
    BuildLogged,
    BuildStarted,
    Built,
    Event,
    ImageTestLogged,
    Noticed,
    Pushed,
    PushStarted,
    Tagged,
)
from deploylib.images import building, gate, planning, registry
from deploylib.images.docker import TagTakenError
from deploylib.images.recipe import Recipe, recipes
from deploylib.images.upstream import nobody
from tests.fakes.account import FakeAccount
from tests.images.builder import Builder, finish
from tests.images.kitchen import CLEAN, shop

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
    from pathlib import Path

    from deploylib.images.supplies import Supplies

REPOSITORY = "localhost:4566/shop"
ENDLESS = ("sh", "-c", "trap 'exit 130' INT; echo on; while :; do sleep 0.05; done")


@pytest.fixture
def fake() -> FakeAccount:
    account = FakeAccount()
    account.ecr.have("shop", "something-else")
    return account


@pytest.fixture
def menu(tmp_path: Path) -> tuple[Recipe, ...]:
    return recipes(shop(tmp_path), CLEAN, nobody)


@dataclass
class Trials:
    """Tests that do what *doing* says, by image; `references` are the names under which they would find the images."""

    doing: dict[str, Callable[[gate.Emit], None]]
    run_with: list[str] = field(default_factory=list)
    references: dict[str, str] = field(default_factory=dict)
    stops: int = 0
    open: bool = False

    @property
    def images(self) -> tuple[str, ...]:
        return tuple(self.doing)

    def run(self, image: str, emit: gate.Emit) -> None:
        assert self.open
        self.run_with.append(image)
        self.doing[image](emit)

    def stop(self) -> None:
        self.stops += 1

    @contextlib.contextmanager
    def opened(
        self, variables: Mapping[str, str], references: Mapping[str, str], images: Sequence[str]
    ) -> Iterator[Trials]:
        assert variables.keys() == {"DOCKER_CONFIG"}
        self.references, self.open = dict(references), True
        yield self
        self.open = False


def passes(emit: gate.Emit) -> None:
    emit(ImageTestLogged(image="", line="1 passed"))


def fails(_: gate.Emit) -> None:
    raise ImageError("the tests of web failed")


def start(
    fake: FakeAccount,
    menu: tuple[Recipe, ...],
    builder: Builder | None,
    open_tests: gate.OpenTests = gate.without_tests,
) -> Generator[Event, None, dict[str, str]]:
    """Plan *menu* from what the fake registry has, and carry it out with *builder* (None: an engine is not needed)."""

    def connect(given: Supplies) -> Builder:
        assert builder is not None, "nothing is built here, so no engine is needed"
        assert given.variables.keys() == {"DOCKER_CONFIG"}
        return builder

    present = registry.present(fake.account.ecr, REPOSITORY, planning.tags(menu))
    plans = planning.plan_images(menu, present)
    fake.forget_calls()
    return building.carry_out(
        fake.account, REPOSITORY, menu, plans, clock=fake.clock, connect=connect, open_tests=open_tests
    )


def still_running() -> list[str]:
    return [one.name for one in threading.enumerate() if one.name.startswith("image ")]


def test_the_base_is_built_first_and_the_roles_stand_on_its_digest(fake: FakeAccount, menu: tuple[Recipe, ...]) -> None:
    builder = Builder(fake)
    _, digests = finish(start(fake, menu, builder))
    base = fake.ecr.tags["shop"][menu[0].tags[0]]
    assert builder.built[0] == ("base", f"{REPOSITORY}@")
    assert set(builder.built[1:]) == {("web", f"{REPOSITORY}@{base}"), ("job", f"{REPOSITORY}@{base}")}
    assert digests == {one.image: fake.ecr.tags["shop"][one.tags[0]] for one in menu}


def test_the_tag_base_goes_to_a_base_that_was_pushed(fake: FakeAccount, menu: tuple[Recipe, ...]) -> None:
    old = fake.ecr.have("shop", "base-000000000000", "base")
    events, digests = finish(start(fake, menu, Builder(fake)))
    assert fake.ecr.tags["shop"]["base"] == digests["base"]
    assert fake.ecr.tags["shop"]["base-000000000000"] == old
    assert Tagged(image="base", tag="base", moved=True) in events


def test_a_tag_base_that_cannot_move_is_a_notice(fake: FakeAccount, menu: tuple[Recipe, ...]) -> None:
    fake.ecr.have("shop", "base-000000000000", "base")
    happening = start(fake, menu, Builder(fake))
    fake.ecr.refuse("batch_delete_image", "AccessDeniedException")
    events, _ = finish(happening)
    (notice,) = [one.message for one in events if isinstance(one, Noticed)]
    assert notice.startswith("the tag base stays where it was: ")


def test_every_image_gets_all_its_tags_and_only_the_content_is_pushed(
    fake: FakeAccount, menu: tuple[Recipe, ...]
) -> None:
    builder = Builder(fake)
    _, digests = finish(start(fake, menu, builder))
    tags = fake.ecr.tags["shop"]
    assert {tag: tags[tag] for one in menu for tag in one.tags} == {
        tag: digests[one.image] for one in menu for tag in one.tags
    }
    assert sorted(builder.pushed) == sorted(f"{REPOSITORY}:{one.tags[0]}" for one in menu)


def test_the_events_of_an_image_tell_its_story(fake: FakeAccount, menu: tuple[Recipe, ...]) -> None:
    web = menu[1].tags[0]

    def slowly(line: Callable[[str], None]) -> None:
        fake.clock.advance(7)
        line("done")

    happening = start(fake, menu, Builder(fake, building={"web": slowly}))
    told = [one for one in finish(happening)[0] if getattr(one, "image", "") == "web"]
    assert told[0] == BuildStarted(image="web", reason="its base image is new")
    assert told[1] == BuildLogged(image="web", line=f"building {REPOSITORY}:{web}")
    assert told[2] == BuildLogged(image="web", line="done")
    assert told[3] == Built(image="web", seconds=7.0)
    assert told[4] == PushStarted(image="web")
    assert isinstance(told[5], Pushed)
    assert told[5].digest == fake.ecr.tags["shop"][web]
    assert len(told) == 6


def test_roles_are_built_at_the_same_time(fake: FakeAccount, menu: tuple[Recipe, ...]) -> None:
    both = threading.Barrier(2, timeout=10)

    def meet(_: Callable[[str], None]) -> None:
        both.wait()

    finish(start(fake, menu, Builder(fake, building={"web": meet, "job": meet})))


def test_no_role_is_pushed_before_every_role_is_built_and_tested(fake: FakeAccount, menu: tuple[Recipe, ...]) -> None:
    trials = Trials({"web": passes, "job": passes})
    story = [type(one) for one in finish(start(fake, menu, Builder(fake), trials.opened))[0]]
    last_built, first_tested = len(story) - 1 - story[::-1].index(Built), story.index(ImageTestLogged)
    last_tested = len(story) - 1 - story[::-1].index(ImageTestLogged)
    assert last_built < first_tested
    assert PushStarted not in story[first_tested:last_tested]
    assert story[last_tested:].count(Pushed) == 2
    assert not trials.open


def test_tests_find_the_built_images_by_name_and_the_others_by_digest(
    fake: FakeAccount, menu: tuple[Recipe, ...]
) -> None:
    base, job = (fake.ecr.have("shop", *one.tags) for one in (menu[0], menu[2]))
    trials = Trials({"web": passes, "job": fails})
    finish(start(fake, menu, Builder(fake), trials.opened))
    assert trials.run_with == ["web"], "what is in the registry has passed"
    assert trials.references == {
        "base": f"{REPOSITORY}@{base}",
        "job": f"{REPOSITORY}@{job}",
        "web": f"{REPOSITORY}:{menu[1].tags[0]}",
    }


def test_a_failing_test_stops_the_other_tests_and_nothing_of_the_roles_is_pushed(
    fake: FakeAccount, menu: tuple[Recipe, ...]
) -> None:
    job_is_on = threading.Event()

    def wait(_: gate.Emit) -> None:
        process.stream(ENDLESS, lambda _: job_is_on.set())

    def fail_then(emit: gate.Emit) -> None:
        assert job_is_on.wait(10)
        fails(emit)

    builder, trials = Builder(fake), Trials({"web": fail_then, "job": wait})
    with pytest.raises(ImageError, match="the tests of web failed"):
        finish(start(fake, menu, builder, trials.opened))
    assert [reference.rpartition(":")[2] for reference in builder.pushed] == [menu[0].tags[0]]
    assert trials.stops
    assert still_running() == []


def test_a_role_that_does_not_build_keeps_the_others_from_being_tested_and_pushed(
    fake: FakeAccount, menu: tuple[Recipe, ...]
) -> None:
    def fail(_: Callable[[str], None]) -> None:
        raise ImageError("image web was not built")

    fake.ecr.have("shop", *menu[0].tags)
    builder, trials = Builder(fake, building={"web": fail}), Trials({"job": passes})
    with pytest.raises(ImageError, match="image web was not built"):
        finish(start(fake, menu, builder, trials.opened))
    assert (builder.pushed, trials.run_with, fake.wrote) == ([], [], ())


def test_when_the_registry_has_everything_nothing_is_called_and_no_engine_is_needed(
    fake: FakeAccount, menu: tuple[Recipe, ...]
) -> None:
    finish(start(fake, menu, Builder(fake)))
    events, digests = finish(start(fake, menu, None))
    assert events == []
    assert digests.keys() == {"base", "web", "job"}
    assert fake.calls == {}


def test_a_new_commit_of_the_same_content_is_one_tag_and_no_build(fake: FakeAccount, menu: tuple[Recipe, ...]) -> None:
    for one in menu:
        fake.ecr.have("shop", one.tags[0])
    events, digests = finish(start(fake, menu, None))
    assert events == [Tagged(image="web", tag=menu[1].tags[1]), Tagged(image="job", tag=menu[2].tags[1])]
    assert fake.ecr.tags["shop"][menu[1].tags[1]] == digests["web"]
    assert fake.wrote == ("put_image", "put_image")


def test_only_the_changed_role_is_built_on_the_base_that_is_there(fake: FakeAccount, menu: tuple[Recipe, ...]) -> None:
    base = fake.ecr.have("shop", *menu[0].tags)
    job = fake.ecr.have("shop", *menu[2].tags)
    builder = Builder(fake)
    _, digests = finish(start(fake, menu, builder))
    assert builder.built == [("web", f"{REPOSITORY}@{base}")]
    assert (digests["base"], digests["job"]) == (base, job)


def test_a_failed_image_stops_the_others_and_is_named(fake: FakeAccount, menu: tuple[Recipe, ...]) -> None:
    job_is_on = threading.Event()
    stopped: list[str] = []

    def fail(_: Callable[[str], None]) -> None:
        assert job_is_on.wait(10)
        raise ImageError("image web was not built (exit code 1)")

    def go_on(line: Callable[[str], None]) -> None:
        try:
            process.stream(ENDLESS, report)
        finally:
            stopped.append("job")

    def report(_: str) -> None:
        job_is_on.set()

    builder = Builder(fake, building={"web": fail, "job": go_on})
    with pytest.raises(ImageError, match=r"^image web was not built") as caught:
        finish(start(fake, menu, builder))
    assert caught.value.image == "web"
    assert stopped == ["job"]
    assert still_running() == []
    assert [reference.rpartition(":")[2] for reference in builder.pushed] == [menu[0].tags[0]]


@pytest.mark.parametrize("leave", ["throw", "close"])
def test_ctrl_c_and_closing_stop_every_program_and_tag_nothing(
    fake: FakeAccount, menu: tuple[Recipe, ...], leave: str
) -> None:
    fake.ecr.have("shop", *menu[0].tags)

    def endless(line: Callable[[str], None]) -> None:
        process.stream(ENDLESS, line)

    builder = Builder(fake, building={"web": endless, "job": endless})
    happening = start(fake, menu, builder)
    on: set[str] = set()
    while len(on) < 2:
        event = next(happening)
        if isinstance(event, BuildLogged) and event.line == "on":
            on.add(event.image)
    if leave == "throw":
        with pytest.raises(KeyboardInterrupt):
            happening.throw(KeyboardInterrupt())
    else:
        happening.close()
    assert still_running() == []
    assert builder.pushed == []
    assert fake.wrote == ()


def test_a_thread_that_was_halted_between_two_programs_starts_no_other(
    fake: FakeAccount, menu: tuple[Recipe, ...]
) -> None:
    fake.ecr.have("shop", *menu[0].tags)
    halted = threading.Event()

    def between(_: Callable[[str], None]) -> None:
        assert halted.wait(10)

    builder = Builder(fake, building={"web": between, "job": between})
    happening = start(fake, menu, builder)
    next(happening)
    closing = threading.Thread(target=happening.close)
    closing.start()
    halted.set()
    closing.join(10)
    assert still_running() == []
    assert builder.pushed == []


def test_an_image_that_somebody_else_pushed_meanwhile_is_taken_as_it_is(
    fake: FakeAccount, menu: tuple[Recipe, ...]
) -> None:
    theirs: list[str] = []

    def race() -> str:
        theirs.append(fake.ecr.have("shop", *menu[1].tags, manifest='{"theirs": true}'))
        raise TagTakenError("the tag is another image's already")

    events, digests = finish(start(fake, menu, Builder(fake, pushing={"web": race})))
    assert digests["web"] == theirs[0]
    assert Noticed(message=f"web: somebody else pushed {menu[1].tags[0]} meanwhile; theirs is used") in events


def test_a_registry_that_has_another_digest_than_was_pushed_is_an_error(
    fake: FakeAccount, menu: tuple[Recipe, ...]
) -> None:
    def other() -> str:
        fake.ecr.have("shop", menu[1].tags[0])
        return f"sha256:{'0' * 64}"

    with pytest.raises(ImageError, match=r"web: .* was pushed as sha256:0+, but the registry has sha256:"):
        finish(start(fake, menu, Builder(fake, pushing={"web": other})))
    assert menu[1].tags[1] not in fake.ecr.tags["shop"]


def test_a_push_that_tells_no_digest_is_believed_to_the_registry(fake: FakeAccount, menu: tuple[Recipe, ...]) -> None:
    def silent() -> str:
        fake.ecr.have("shop", menu[1].tags[0])
        return ""

    _, digests = finish(start(fake, menu, Builder(fake, pushing={"web": silent})))
    assert digests["web"] == fake.ecr.tags["shop"][menu[1].tags[0]]


@pytest.mark.parametrize("operation", ["get_authorization_token", "put_image", "batch_get_image"])
def test_a_registry_that_refuses_is_an_image_error(fake: FakeAccount, menu: tuple[Recipe, ...], operation: str) -> None:
    happening = start(fake, menu, Builder(fake))
    fake.ecr.refuse(
        operation, "AccessDeniedException", times=2
    )  # the first refusal of a tag may be that of `base`, which may fail
    with pytest.raises(ImageError, match="AccessDeniedException") as caught:
        finish(happening)
    assert caught.value.exit_code == 4
    assert still_running() == []


def test_a_refused_tag_of_an_image_to_reuse_is_an_image_error(fake: FakeAccount, menu: tuple[Recipe, ...]) -> None:
    for one in menu:
        fake.ecr.have("shop", one.tags[0])
    happening = start(fake, menu, None)
    fake.ecr.refuse("put_image", "AccessDeniedException")
    with pytest.raises(ImageError, match="AccessDeniedException"):
        finish(happening)


def test_a_bug_in_a_thread_keeps_its_own_error(fake: FakeAccount, menu: tuple[Recipe, ...]) -> None:
    def bug(_: Callable[[str], None]) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        finish(start(fake, menu, Builder(fake, building={"base": bug})))


def test_interrupted_between_content_and_commit_the_next_run_adds_the_missing_tag(
    fake: FakeAccount, menu: tuple[Recipe, ...]
) -> None:
    happening = start(fake, menu, Builder(fake))
    fake.ecr.refuse("put_image", "ServerException", times=2)
    with contextlib.suppress(ImageError):
        finish(happening)
    builder = Builder(fake)
    _, digests = finish(start(fake, menu, builder))
    assert "base" not in [image for image, _ in builder.built]
    assert all(fake.ecr.tags["shop"][tag] == digests[one.image] for one in menu for tag in one.tags)
