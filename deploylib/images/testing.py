"""The tests of an image, run in containers of the very image that will be pushed.

Each role has a network of its own with its own dependencies, so that roles do not meet in a database. They begin to
start while the images are still being built. Then, one after the other, each in a container of its own: the
migration when the tests ask for it, and the role's commands. A container is what ECS would make of the image: its
user, its working directory, its entry point; only the command is another one, as in a task's override.

`folder` is copied in, not mounted: so it is the same for an engine on another machine and under SELinux, every file
can be read by the image's user, whatever the checkout's permissions are, and a test cannot change the checkout.
"""

from __future__ import annotations

import contextlib
import io
import shlex
import tarfile
import time
import uuid
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from deploylib import process
from deploylib.errors import ContractError, ImageError, ToolMissingError
from deploylib.events import ImageTested, ImageTestLogged, ImageTestStarted
from deploylib.images import dependencies, gate, pulling, sandbox
from deploylib.images.sandbox import Container, Sandbox
from deploylib.toolchain import engine as engines
from deploylib.toolchain.engine_api import EngineTimeoutError
from deploylib.toolchain.os_image import checkout_id
from deploylib.toolchain.recorded_process import Owner

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from pathlib import Path

    from deploylib.clock import Clock
    from deploylib.config import Dependency, Environment, ImageTest
    from deploylib.contract import Contract
    from deploylib.toolchain.engine import Engine

LAST_LINES = 20
STOPPING_SECONDS = 0.05
RUN_LENGTH = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationStep:
    """The migration as a test needs it: the role whose image carries it, its command."""

    role: str
    command: tuple[str, ...]
    timeout_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """Everything that the roles of an environment have to pass."""

    environment: str
    app: str
    checkout: str
    context: Path
    tests: Mapping[str, ImageTest]
    dependencies: Mapping[str, Dependency]
    migration: MigrationStep | None = None

    def needs(self, image: str) -> dict[str, Dependency]:
        """Return what runs beside *image*."""
        return {name: self.dependencies[name] for name in self.tests[image].needs}

    def variables(self, image: str) -> dict[str, str]:
        """Return the variables of *image*'s containers: what its needs provide, and its own over them."""
        provided = {name: value for one in self.needs(image).values() for name, value in one.provides.items()}
        return {**provided, **self.tests[image].environment}


def suite(environment: Environment, contract: Contract) -> Suite:
    """Return what *environment*'s roles have to pass; *contract* says which image carries the migration.

    Raises `ContractError` when the contract does not say it.
    """
    tests = {name: one.test for name, one in environment.images.roles.items() if one.test}
    return Suite(
        environment=environment.name,
        app=environment.app.name,
        checkout=checkout_id(environment.root),
        context=environment.context,
        tests=tests,
        dependencies=environment.dependencies,
        migration=_migration(environment, contract) if any(one.migrate for one in tests.values()) else None,
    )


def _migration(environment: Environment, contract: Contract) -> MigrationStep | None:
    migration = environment.migration
    if migration is None:
        return None
    service = contract.services.get(migration.service)
    role = service.containers.get(migration.container, "") if service else ""
    if not role:
        raise ContractError(
            f"the contract has no container {migration.container!r} in a service {migration.service!r}, "
            "which the migration before the image tests runs in",
            hint=f"inv infra.apply --env {environment.name}",
        )
    return MigrationStep(role=role, command=migration.command, timeout_seconds=migration.timeout_seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """One command in a container of its own."""

    name: str
    image: str
    command: tuple[str, ...]
    timeout_seconds: float
    files: bytes = b""


@dataclass(slots=True, kw_only=True)
class Tests:
    """Tests that are going on. `references` is how the engine finds each image."""

    suite: Suite
    engine: Engine
    variables: Mapping[str, str]
    references: Mapping[str, str]
    sandboxes: Mapping[str, Sandbox]
    clock: Clock
    _threads: ThreadPoolExecutor
    _ready: dict[str, Future[dict[str, str]]] = field(default_factory=dict)
    _others: list[Future[Any]] = field(default_factory=list)

    @property
    def images(self) -> Collection[str]:
        """The images that have tests."""
        return self.sandboxes.keys()

    def begin(self) -> None:
        """Start what the tests need, and remove what a run left that was killed; all of it beside the builds."""
        self._others.append(self._threads.submit(sandbox.remove_leftovers, self.engine.api))
        for image, box in self.sandboxes.items():
            needs = self.suite.needs(image)
            self._ready[image] = self._threads.submit(
                dependencies.start, box, needs, ensure=self._ensure, clock=self.clock
            )

    def run(self, image: str, emit: gate.Emit) -> None:
        """Test *image*; raise `ImageError` with the last lines of the test and of what ran beside it."""
        started = self.clock.monotonic()
        emit(ImageTestStarted(image=image, needs=self.suite.tests[image].needs))
        beside = self._beside(image)
        for step in self._steps(image):
            self._run(image, step, beside, emit)
        emit(ImageTested(image=image, seconds=self.clock.monotonic() - started))
        self._others.append(self._threads.submit(self.sandboxes[image].remove))

    def stop(self) -> None:
        """Remove every container: what waits for one ends."""
        list(self._threads.map(Sandbox.remove, self.sandboxes.values()))

    def close(self) -> None:
        """Remove all that was made. A second Ctrl-C does not keep the threads from it: Python waits for them."""
        removing = [self._threads.submit(one.remove) for one in self.sandboxes.values()]
        waited_for: list[Future[Any]] = [*removing, *self._ready.values(), *self._others]
        while not all(one.done() for one in waited_for):
            with contextlib.suppress(ProcessLookupError):  # it ended in this very moment
                process.stop_all()  # a pull
            self.clock.sleep(STOPPING_SECONDS)
        self._threads.shutdown()
        for one in removing:
            one.result()

    def _beside(self, image: str) -> Mapping[str, str]:
        """Return the containers of what *image* needs when all are ready."""
        try:
            return self._ready[image].result()
        except ImageError as error:
            raise ImageError(f"image {image} cannot be tested: {error}", hint=error.hint) from error

    def _steps(self, image: str) -> Iterator[_Step]:
        test, migration = self.suite.tests[image], self.suite.migration
        if test.migrate and migration:
            reference = self.references[migration.role]
            self._ensure(reference)
            yield _Step(
                name="migration",
                image=reference,
                command=migration.command,
                timeout_seconds=migration.timeout_seconds,
            )
        files = packed(self.suite.context / test.folder, test.mount) if test.folder else b""
        self._ensure(self.references[image])
        for number, command in enumerate(test.commands, 1):
            yield _Step(
                name=f"test-{number}",
                image=self.references[image],
                command=command,
                timeout_seconds=test.timeout_seconds,
                files=files,
            )

    def _run(self, image: str, step: _Step, beside: Mapping[str, str], emit: gate.Emit) -> None:
        last: deque[str] = deque(maxlen=LAST_LINES)

        def line(text: str) -> None:
            last.append(text)
            emit(ImageTestLogged(image=image, line=text))

        box, shown = self.sandboxes[image], shlex.join(step.command)
        try:
            container = box.create(self._container(image, step))
            runs = box.command_of(container)
            shown = shlex.join(runs)
            _refuse_doubled(runs, step.command)
            emit(ImageTestLogged(image=image, line=f"$ {shown}"))
            box.start(container)
            code = box.follow(container, line, timeout_seconds=step.timeout_seconds)
            how = f"ended with exit code {code}" if code else ""
        except EngineTimeoutError:
            how = f"did not end within {step.timeout_seconds:g} s"
        except ImageError as error:
            how = f"cannot be run: {error}"
        if how:
            self._refuse(image, f"{shown} {how}", tuple(last), beside)

    def _container(self, image: str, step: _Step) -> Container:
        return Container(
            name=step.name,
            image=step.image,
            command=step.command,
            environment=self.suite.variables(image),
            files=step.files,
        )

    def _refuse(self, image: str, what: str, last: tuple[str, ...], beside: Mapping[str, str]) -> NoReturn:
        words = dependencies.last_words(self.sandboxes[image], beside)
        raise ImageError(
            "\n".join(filter(None, (f"image {image} did not pass its tests: {what}", *last, words))),
            hint=f"inv image.test --role {image} --env {self.suite.environment} repeats this test alone",
        )

    def _ensure(self, image: str) -> None:
        pulling.ensure(self.engine, image, self.variables)


def _refuse_doubled(runs: tuple[str, ...], command: tuple[str, ...]) -> None:
    """Refuse a command that begins with the program that the entry point ends with: it would start as its argument."""
    entry_point = runs[: len(runs) - len(command)]
    if entry_point and entry_point[-1] == command[0]:
        raise ImageError(f"{command[0]} is the image's entry point already; leave it out of the command")


@contextlib.contextmanager
def opened(
    suite: Suite,
    variables: Mapping[str, str],
    references: Mapping[str, str],
    images: Collection[str],
    *,
    find: Callable[[], Engine] = engines.find,
    clock: Clock = time,
) -> Iterator[gate.Tests]:
    """Yield the tests of those of *images* that have any; afterwards nothing of them is left in the engine."""
    tested = [image for image in images if image in suite.tests]
    if not tested:
        yield gate.NoTests()
        return
    engine, owner, run = find(), Owner.this(), uuid.uuid4().hex[:RUN_LENGTH]
    names = {image: f"{suite.app}-test-{run}-{image}" for image in tested}
    tests = Tests(
        suite=suite,
        engine=engine,
        variables=variables,
        references=references,
        sandboxes={
            image: Sandbox(
                api=engine.api, name=name, labels=sandbox.labels(suite.app, name, owner, checkout=suite.checkout)
            )
            for image, name in names.items()
        },
        clock=clock,
        _threads=ThreadPoolExecutor(3 * len(tested) + 1, thread_name_prefix="image tests"),
    )
    try:
        tests.begin()
        yield tests
    except BaseException:
        with contextlib.suppress(ToolMissingError):  # an engine that is gone is not what went wrong first
            tests.close()
        raise
    tests.close()


def packed(folder: Path, target: str) -> bytes:
    """Return *folder* as an archive in which it is *target*: of root, for everybody to read, executable as it is."""

    def plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = ""
        entry.mode = 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644
        return entry

    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.add(folder, arcname=target.strip("/"), filter=plain)
    return archive.getvalue()
