"""Images as planned, step by step: the base is built and pushed; all roles are built, all are tested, all are pushed.

In each step every image has its own thread. A step begins when the one before is done for all, so that a role that
does not build, or fails its tests, leaves nothing of the others in the registry either. Killed in between, what was
pushed stays usable, and the next run makes the rest, mostly from the engine's cache.

Threads only report. What they say comes out of one queue, as events of this generator, so whoever follows it sees one
story, and whoever leaves it (an error, Ctrl-C, a closed generator) stops every program that still runs.

The content tag goes first, with the layers; a commit's tag follows as a second name of the same manifest. Stopped in
between, an image is in the registry as what it is, and the next run adds the missing name.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TYPE_CHECKING, Protocol

from deploylib import process
from deploylib.errors import AwsError, DeployError, ImageError
from deploylib.events import BuildLogged, BuildStarted, Built, Event, Noticed, Pushed, PushStarted, Tagged
from deploylib.images import docker, gate, registry, supplies
from deploylib.images.recipe import BASE
from deploylib.images.supplies import Supplies, Wishes

if TYPE_CHECKING:
    from collections.abc import Collection

    from types_boto3_ecr.client import ECRClient

    from deploylib.aws import Account
    from deploylib.clock import Clock
    from deploylib.images.gate import OpenTests, Tests
    from deploylib.images.planning import ImagePlan
    from deploylib.images.recipe import Recipe

STOPPING_SECONDS = 0.05

Emit = gate.Emit
Job = Callable[[Emit], str]
Steps = Generator[Event, None, None]


class Builder(Protocol):
    """What builds and pushes; `docker.Docker` is one."""

    def build(
        self, recipe: Recipe, reference: str, *, base: str, line: Callable[[str], None], use_cache: bool = True
    ) -> None:
        """Build *recipe* on *base* as *reference*."""

    def push(self, image: str, reference: str) -> str:
        """Push *reference*; return its digest where that is told."""

    def stop(self) -> None:
        """Make every `build` of other threads end soon; what they raise then is of no interest."""


Connect = Callable[[Supplies], Builder]


def carry_out(
    account: Account,
    repository: str,
    recipes: Sequence[Recipe],
    plans: Sequence[ImagePlan],
    *,
    clock: Clock,
    wished: Wishes = Wishes(),  # noqa: B008  # frozen
    connect: Connect = docker.connect,
    open_tests: OpenTests = gate.without_tests,
    use_cache: bool = True,
) -> Generator[Event, None, dict[str, str]]:
    """Build, test, push and tag what *plans* say; return the digest of every planned image.

    The engine is looked for, and the log-in made, only when something has to be built. Raises `ImageError` naming the
    image that failed; the others are stopped.
    """
    digests = {one.image: one.digest for one in plans if one.action == "reuse"}
    work = [one for one in plans if one.action == "build"]
    with _as_image_errors():
        yield from _tag(account.ecr, repository, plans)
        if work:
            tested, references = [one.image for one in work], _references(repository, plans)
            with (
                supplies.supplied(account, repository, _made_by(recipes, work), wished) as given,
                open_tests(given.variables, references, tested) as tests,
            ):
                shop = _Workshop(
                    ecr=account.ecr,
                    repository=repository,
                    recipes=recipes,
                    builder=connect(given),
                    tests=tests,
                    clock=clock,
                    use_cache=use_cache,
                )
                for batch in _batches(work):
                    yield from shop.build(batch, f"{repository}@{digests.get(BASE, '')}")
                    yield from shop.test([one.image for one in batch])
                    digests |= yield from shop.push(batch)
    return digests


def try_out(
    account: Account,
    repository: str,
    recipes: Sequence[Recipe],
    plans: Sequence[ImagePlan],
    *,
    images: Sequence[str],
    clock: Clock,
    wished: Wishes = Wishes(),  # noqa: B008  # frozen
    connect: Connect = docker.connect,
    open_tests: OpenTests,
) -> Steps:
    """Test *images*: what the registry has as it is there, the rest built on this machine. Nothing is pushed.

    Raises `ImageError` naming the image that was not built, or did not pass.
    """
    work, references = [one for one in plans if one.action == "build"], _references(repository, plans)
    with (
        _as_image_errors(),
        supplies.supplied(account, repository, _made_by(recipes, work), wished) as given,
        open_tests(given.variables, references, images) as tests,
    ):
        shop = _Workshop(
            ecr=account.ecr,
            repository=repository,
            recipes=recipes,
            builder=connect(given),
            tests=tests,
            clock=clock,
            use_cache=True,
        )
        for batch in _batches(work):
            yield from shop.build(batch, references.get(BASE, ""))
        yield from shop.test(images)


@contextlib.contextmanager
def _as_image_errors() -> Iterator[None]:
    try:
        yield
    except AwsError as error:
        raise ImageError(str(error), hint=error.hint) from error


def _made_by(recipes: Sequence[Recipe], work: Sequence[ImagePlan]) -> list[Recipe]:
    return [one for one in recipes if one.image in {plan.image for plan in work}]


def _batches(work: Sequence[ImagePlan]) -> tuple[list[ImagePlan], list[ImagePlan]]:
    """Return the base, which the others stand on, and the others."""
    return [one for one in work if one.image == BASE], [one for one in work if one.image != BASE]


def _references(repository: str, plans: Sequence[ImagePlan]) -> dict[str, str]:
    """Return the name of each image: by digest when the registry has it, else the one that it is built under."""
    return {one.image: f"{repository}@{one.digest}" if one.digest else f"{repository}:{one.tags[0]}" for one in plans}


def _tag(ecr: ECRClient, repository: str, plans: Sequence[ImagePlan]) -> Generator[Event, None, None]:
    for plan in plans:
        for tag in plan.missing_tags:
            if registry.put_tag(ecr, repository, tag, digest=plan.digest):
                yield Tagged(image=plan.image, tag=tag)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Workshop:
    """What the making of every image needs."""

    ecr: ECRClient
    repository: str
    recipes: Sequence[Recipe]
    builder: Builder
    tests: Tests
    clock: Clock
    use_cache: bool

    def build(self, work: Sequence[ImagePlan], base: str) -> Steps:
        """Build all of *work*; *base* is the base image as the engine finds it."""
        made_of = {one.image: one for one in self.recipes}
        jobs = {plan.image: self._building(made_of[plan.image], plan, base) for plan in work}
        yield from together(jobs, stop=self.builder.stop)

    def test(self, images: Collection[str]) -> Steps:
        """Test those of *images* that have tests."""
        jobs = {image: self._testing(image) for image in images if image in self.tests.images}
        yield from together(jobs, stop=self.tests.stop)

    def push(self, work: Sequence[ImagePlan]) -> Generator[Event, None, dict[str, str]]:
        """Push all of *work* and return their digests."""
        return (yield from together({plan.image: self._pushing(plan) for plan in work}))

    def _building(self, recipe: Recipe, plan: ImagePlan, base: str) -> Job:
        def build(emit: Emit) -> str:
            started = self.clock.monotonic()
            emit(BuildStarted(image=plan.image, reason=plan.reason))
            self.builder.build(
                recipe,
                f"{self.repository}:{plan.tags[0]}",
                base=base,
                line=lambda text: emit(BuildLogged(image=plan.image, line=text)),
                use_cache=self.use_cache,
            )
            emit(Built(image=plan.image, seconds=self.clock.monotonic() - started))
            return ""

        return build

    def _testing(self, image: str) -> Job:
        def test(emit: Emit) -> str:
            self.tests.run(image, emit)
            return ""

        return test

    def _pushing(self, plan: ImagePlan) -> Job:
        def push(emit: Emit) -> str:
            started = self.clock.monotonic()
            emit(PushStarted(image=plan.image))
            digest = self._push(plan, f"{self.repository}:{plan.tags[0]}", emit)
            emit(Pushed(image=plan.image, digest=digest, seconds=self.clock.monotonic() - started))
            return digest

        return push

    def _push(self, plan: ImagePlan, reference: str, emit: Emit) -> str:
        """Push the image and give it its other tags; return the digest that the registry has.

        When somebody else pushed the same content while we built it, theirs is as good, and it is there.
        """
        content, *others = plan.tags
        told = ""
        try:
            told = self.builder.push(plan.image, reference)
        except docker.TagTakenError:
            emit(Noticed(message=f"{plan.image}: somebody else pushed {content} meanwhile; theirs is used"))
        held = registry.manifest(self.ecr, self.repository, content)
        if told not in {"", held.digest}:
            raise ImageError(f"{plan.image}: {reference} was pushed as {told}, but the registry has {held.digest}")
        for tag in others:
            registry.put_manifest(self.ecr, self.repository, tag, held)
        if plan.image == BASE:
            self._name_newest(held.digest, emit)
        return held.digest

    def _name_newest(self, digest: str, emit: Emit) -> None:
        """Move the tag `base`, for people and for the development environment: no build goes by it."""
        try:
            if registry.move_tag(self.ecr, self.repository, BASE, digest):
                emit(Tagged(image=BASE, tag=BASE, moved=True))
        except DeployError as error:
            emit(Noticed(message=f"the tag {BASE} stays where it was: {error}"))


class _HaltedError(Exception):
    """Another image failed, or nobody follows any more: this thread has nothing to say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ended:
    """What a thread says last."""

    image: str
    digest: str = ""
    error: BaseException | None = None


def together(
    jobs: Mapping[str, Job], *, stop: Callable[[], None] = lambda: None
) -> Generator[Event, None, dict[str, str]]:
    """Run *jobs* at once and yield what they say; the first that fails stops the others, with the help of *stop*."""
    news: SimpleQueue[Event | _Ended] = SimpleQueue()
    halted = threading.Event()
    threads = [
        threading.Thread(target=_work, args=(image, job, news, halted), name=f"image {image}", daemon=True)
        for image, job in jobs.items()
    ]
    digests: dict[str, str] = {}
    try:
        for thread in threads:
            thread.start()
        while len(digests) < len(jobs):
            said = news.get()
            if isinstance(said, Event):
                yield said
            elif said.error:
                if isinstance(said.error, ImageError):
                    said.error.image = said.image
                raise said.error
            else:
                digests[said.image] = said.digest
    finally:
        _stop(threads, halted, stop)
    return digests


def _work(image: str, job: Job, news: SimpleQueue[Event | _Ended], halted: threading.Event) -> None:
    def emit(event: Event) -> None:
        if halted.is_set():
            raise _HaltedError
        news.put(event)

    try:
        news.put(_Ended(image=image, digest=job(emit)))
    except BaseException as error:  # noqa: BLE001  # it is raised again where somebody listens
        news.put(_Ended(image=image, error=error))


def _stop(threads: Sequence[threading.Thread], halted: threading.Event, stop: Callable[[], None]) -> None:
    """Stop what still runs, again and again: a thread may be just about to start its next program."""
    halted.set()
    for thread in threads:
        while thread.is_alive():
            stop()
            with contextlib.suppress(ProcessLookupError):  # it ended in this very moment
                process.stop_all()
            thread.join(STOPPING_SECONDS)
