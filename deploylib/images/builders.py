"""Who builds the images of an environment: this machine's engine, or CodeBuild (`images.engine`)."""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploylib import process
from deploylib.errors import AwsError, ConfigError, ContractError, ToolMissingError
from deploylib.images import docker, gate, pulling, remote
from deploylib.images.remote import Remote
from deploylib.toolchain import engine as engines

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from deploylib.aws import Account
    from deploylib.clock import Clock
    from deploylib.config import Environment
    from deploylib.contract import Contract, RemoteBuild
    from deploylib.images.building import Builder, Connect
    from deploylib.images.gate import Emit, OpenTests, Tests
    from deploylib.images.planning import ImagePlan
    from deploylib.images.remote import Built
    from deploylib.images.supplies import Supplies
    from deploylib.toolchain.engine import Engine


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How images are built, and how they are tested then."""

    connect: Connect
    open_tests: OpenTests


@contextlib.contextmanager
def opened(
    account: Account,
    environment: Environment,
    contract: Contract,
    *,
    connect: Connect = docker.connect,
    open_tests: OpenTests = gate.without_tests,
    find: Callable[[], Engine] = engines.find,
    clock: Clock = time,
) -> Iterator[Way]:
    """Yield how *environment* builds: by *connect*, unless it says CodeBuild.

    Images that were built elsewhere are pulled before they are tested. Its `connect` raises `ContractError` when the
    contract has no project for them, or one for another platform.
    """
    if environment.images.engine == "local":
        yield Way(connect=connect, open_tests=open_tests)
        return
    built: dict[str, Built] = {}
    remotes: list[Remote] = []

    def begin(given: Supplies) -> Builder:
        _refuse_attestations(given)
        there = place(environment, contract)
        remotes.append(
            Remote(
                account=account,
                place=there,
                repository=contract.repository,
                mended=_mended(environment),
                registries=environment.registries,
                clock=clock,
                given=given,
                built=built,
                left=remote.left_behind(account.ecr, contract.repository),
            )
        )
        return remotes[-1]

    fetching = _Fetching(environment=environment, contract=contract, built=built, inner=open_tests, find=find)
    try:
        yield Way(connect=begin, open_tests=fetching.opened)
    finally:
        for one in remotes:
            with contextlib.suppress(AwsError):  # a name too many harms nobody: `inv image.prune` takes it for ours
                one.close()


def place(environment: Environment, contract: Contract) -> RemoteBuild:
    """Return where CodeBuild builds for *environment*; raise `ContractError` when that is nowhere, or not for it."""
    found, wanted = contract.remote_build, environment.images.platform
    if found is None:
        asked = "" if environment.contract else "remote_build = {} in [terraform], then "
        raise ContractError(
            'images.engine is "codebuild", but the contract names no project that builds',
            hint=f"{asked}{_mended(environment)}",
        )
    if found.platform != wanted:
        raise ContractError(
            f"images.platform is {wanted}, but the project {found.project} builds for {found.platform}",
            hint=_mended(environment),
        )
    return found


def described(environment: Environment, contract: Contract) -> str:
    """Return who builds for *environment*, in words; raise as `place` does."""
    if environment.images.engine == "local":
        return "this machine's engine"
    there = place(environment, contract)
    return f"CodeBuild, project {there.project}, for {there.platform}"


def refuse_nowhere(environment: Environment, contract: Contract, plans: Sequence[ImagePlan]) -> None:
    """Raise `ContractError` when something of *plans* is to be built elsewhere, and the contract does not say where."""
    if environment.images.engine != "local" and any(one.action == "build" for one in plans):
        place(environment, contract)


def _mended(environment: Environment) -> str:
    """Return what makes the project as the configuration has it."""
    if environment.contract:
        return f"correct [contract.remote_build] in environments/{environment.name}.toml"
    return f"inv infra.apply --env {environment.name}"


def _refuse_attestations(given: Supplies) -> None:
    if wanted := [name for name in ("sbom", "provenance") if getattr(given, name)]:
        raise ConfigError(
            f'images.{wanted[0]}: with images.engine = "codebuild" nothing is attested',
            hint=f'images.{wanted[0]} = false, or images.engine = "local"',
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fetching:
    """Opens tests of images that are not on this machine yet."""

    environment: Environment
    contract: Contract
    built: Mapping[str, Built]
    inner: OpenTests
    find: Callable[[], Engine]

    @contextlib.contextmanager
    def opened(
        self, variables: Mapping[str, str], references: Mapping[str, str], images: Sequence[str]
    ) -> Iterator[Tests]:
        with contextlib.ExitStack() as stack:
            try:
                tests = stack.enter_context(self.inner(variables, references, images))
            except ToolMissingError as error:
                error.add_note("image tests run on this machine, wherever the images are built")
                raise
            if not tests.images:
                yield tests
                return
            yield _Fetched(
                tests=tests,
                engine=self.find(),
                variables=variables,
                references={name: references[name] for name in self._needed(tests.images) if name in references},
                repository=self.contract.repository,
                built=self.built,
            )

    def _needed(self, images: Collection[str]) -> set[str]:
        """Return *images*, and the one that carries the migration."""
        migration = self.environment.migration
        service = self.contract.services.get(migration.service) if migration else None
        role = service.containers.get(migration.container, "") if service and migration else ""
        return {*images, role}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fetched:
    """Tests that first pull what was built elsewhere, and call it by the name that it would have here."""

    tests: Tests
    engine: Engine
    variables: Mapping[str, str]
    references: Mapping[str, str]
    repository: str
    built: Mapping[str, Built]
    fetched: set[str] = field(default_factory=set)
    one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    @property
    def images(self) -> Collection[str]:
        """The images that have tests."""
        return self.tests.images

    def run(self, image: str, emit: Emit) -> None:
        """Test *image*; raise `ImageError` when it does not pass, or cannot be pulled."""
        with self.one_at_a_time:
            for reference in self.references.values():
                if reference in self.built and reference not in self.fetched:
                    self._fetch(reference)
                    self.fetched.add(reference)
        self.tests.run(image, emit)

    def stop(self) -> None:
        """Make every `run` of other threads end soon."""
        self.tests.stop()

    def _fetch(self, reference: str) -> None:
        exact = f"{self.repository}@{self.built[reference].image.digest}"
        pulling.ensure(self.engine, exact, self.variables)
        process.run((self.engine.program, "tag", exact, reference), env={**self.engine.environ, **self.variables})
