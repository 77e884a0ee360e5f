"""Is everything here that the commands need? Questions that only read, asked side by side, each answered in one row.

A question never fails the others: what it raises becomes its row, and what cannot be asked without it is skipped.
"""

from __future__ import annotations

import contextlib
import functools
import os
import platform
import shutil
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from deploylib import aws, config, contract, ledger, permissions, process, simulation
from deploylib.errors import AwsError, DeployError, ToolMissingError
from deploylib.images import ability, builders, features, registry, supplies
from deploylib.images.credentials import Credentials
from deploylib.images.distribution import NOT_FOUND, Registries, RegistryError
from deploylib.toolchain import copy_tool, machine, provider_mirror, terraform
from deploylib.toolchain import engine as engines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from deploylib.aws import Account
    from deploylib.config import Environment
    from deploylib.contract import Contract
    from deploylib.images.ability import Ability
    from deploylib.toolchain.engine import Engine
    from deploylib.toolchain.terraform import Terraform

State = Literal["OK", "MISSING", "WARNING", "SKIPPED"]
T = TypeVar("T")

MACHINE = "this machine"
OLDEST_PYTHON = (3, 11)
LEAST_FREE_GB = 5
GB = 10**9
ANSWER_SECONDS = 10
APART = "docker buildx create --use"  # a builder of its own
SOME_TAG = "set-by-deploy"  # asked for to see whether the repository answers; no image has it


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One answer: of which *group*, *what* was asked, what was *found*, and the command that mends it."""

    group: str
    what: str
    state: State
    found: str
    next: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the questions are asked: the project, and the environment that programs are looked for in."""

    root: Path
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """The ways to an account and to a registry; tests have their own."""

    sign_in: Callable[[Environment], Account] = aws.signed_in
    registries: Callable[[Credentials], Registries] = lambda known: Registries(credentials=known)


def examine(place: Place, environment: str = "", *, doors: Doors = Doors()) -> tuple[Row, ...]:
    """Return a row for each thing that is needed here, and, with *environment*, in that environment's account."""
    with ThreadPoolExecutor(max_workers=len(_QUESTIONS) + 4) as threads:
        there = threads.submit(_environment, place, environment, doors) if environment else None
        tools = _Tools(
            place=place,
            engine=threads.submit(_caught, lambda: engines.find(place.environ)),
            terraform=threads.submit(_caught, lambda: terraform.find(place.root, place.environ)),
            idle=threads.submit(_idle, place.root, environment),
        )
        answers = [threads.submit(question, tools) for question in _QUESTIONS]
        return (*(row for one in answers for row in one.result()), *(there.result() if there else ()))


def knock(place: Place, environment: str) -> None:
    """Sign in where a person has to type a code, before anything is displayed; `examine` says what goes wrong."""
    with contextlib.suppress(DeployError):
        found = config.load(place.root, environment, variables={}) if environment else None
        if found and found.account.role and found.account.role.mfa_serial:
            aws.signed_in(found)


def refuse_missing(rows: Iterable[Row], repeat: str) -> None:
    """Raise `ToolMissingError` naming what is missing; *repeat* is the command that asks again."""
    if missing := [row for row in rows if row.state == "MISSING"]:
        raise ToolMissingError(f"missing: {', '.join(row.what for row in missing)}", hint=missing[0].next or repeat)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tools:
    """What several questions are about, looked for once. `idle` says why no engine is needed, if none is."""

    place: Place
    engine: Future[Engine | DeployError]
    terraform: Future[Terraform | DeployError]
    idle: Future[str]


def _idle(root: Path, name: str) -> str:
    """Return why releases to the environment *name* need no container engine here; nothing when they do."""
    environment = _caught(lambda: config.load(root, name, variables={})) if name else None
    if environment is None or isinstance(environment, DeployError) or environment.images.engine == "local":
        return ""
    if any(role.test for role in environment.images.roles.values()):
        return ""
    return f"not needed for {name}, whose images CodeBuild builds; inv local.*, inv dev.* need one"


def _caught(ask: Callable[[], T]) -> T | DeployError:
    try:
        return ask()
    except DeployError as error:
        return error


def _row(what: str, ask: Callable[[], str], *, group: str = MACHINE, otherwise: State = "MISSING") -> Row:
    """Return OK with what *ask* found, or *otherwise* with its error."""
    found = _caught(ask)
    if isinstance(found, DeployError):
        return _failed(what, found, group=group, state=otherwise)
    return Row(group=group, what=what, state="OK", found=found)


def _failed(what: str, error: DeployError, *, group: str = MACHINE, state: State = "MISSING") -> Row:
    return Row(group=group, what=what, state=state, found=str(error).splitlines()[0], next=error.hint)


def _python(_: _Tools) -> tuple[Row, ...]:
    new_enough = sys.version_info >= OLDEST_PYTHON
    return (
        Row(
            group=MACHINE,
            what="Python",
            state="OK" if new_enough else "MISSING",
            found=f"{platform.python_version()} ({sys.executable})",
            next="" if new_enough else "install Python 3.11 or later, then make setup",
        ),
    )


def _git(tools: _Tools) -> tuple[Row, ...]:
    def version() -> str:
        path = shutil.which("git", path=tools.place.environ.get("PATH"))
        if not path:
            raise ToolMissingError("not installed", hint="sudo apt-get install git, or your system's way")
        commit = _said((path, "-C", str(tools.place.root), "rev-parse", "--short", "HEAD"))
        if not commit:
            raise ToolMissingError(f"{tools.place.root} has no commit", hint="git init && git add . && git commit")
        return f"{_said((path, '--version')).removeprefix('git version ')}, at commit {commit}"

    return (_row("git", version),)


def _engine(tools: _Tools) -> tuple[Row, ...]:
    def about() -> str:
        found = _unwrapped(tools.engine.result())
        info = found.api.get("/info") or {}
        kept = "containerd" if ability.in_containerd(info) else info.get("Driver", "a way of its own")
        return f"{found.name} {found.version} at {found.host.removeprefix('unix://')}, images in {kept}"

    if (idle := tools.idle.result()) and isinstance(tools.engine.result(), DeployError):
        return (Row(group=MACHINE, what="container engine", state="SKIPPED", found=idle),)
    return (_row("container engine", about),)


def _builder(tools: _Tools) -> tuple[Row, ...]:
    engine = tools.engine.result()
    if isinstance(engine, DeployError):
        return (Row(group=MACHINE, what="builder", state="SKIPPED", found="needs a container engine"),)
    able = _caught(lambda: ability.ask(engine, {**engine.environ, "PATH": tools.place.environ.get("PATH", "")}))
    if isinstance(able, DeployError):
        return (_failed("builder", able),)
    return (
        Row(
            group=MACHINE,
            what="builder",
            state="OK" if able.has_secrets else "WARNING",
            found=able.name if able.has_secrets else f"{able.name}: no secrets, no RUN --mount, no here-documents",
            next="" if able.has_secrets else features.BUILDX,
        ),
        _kept_layers(able),
        Row(
            group=MACHINE,
            what="attestations",
            state="OK" if able.attests else "SKIPPED",
            found="possible (images.sbom, images.provenance)"
            if able.attests
            else "not with this builder; only images.sbom, .provenance want it",
        ),
        Row(group=MACHINE, what="platforms", state="OK", found=", ".join(able.platforms) or able.platform),
    )


def _kept_layers(able: Ability) -> Row:
    if able.keeps_cache:
        return Row(group=MACHINE, what="layers in ECR", state="OK", found="read and written (images.cache)")
    return Row(
        group=MACHINE,
        what="layers in ECR",
        state="WARNING",
        found="not with this builder: a fresh machine (CI) builds every layer",
        next=APART if able.kind == "buildx" else f"{features.BUILDX}; then: {APART}",
    )


def _compose(tools: _Tools) -> tuple[Row, ...]:
    def version() -> str:
        for argv in (("docker", "compose"), ("docker-compose",), ("podman-compose",)):
            program = shutil.which(argv[0], path=tools.place.environ.get("PATH"))
            if program and (said := _said((program, *argv[1:], "version", "--short"))):
                return f"{' '.join(argv)} {said}"
        raise ToolMissingError("only inv dev.* needs one: docker compose, or docker-compose", hint="make setup")

    return (_row("compose tool", version, otherwise="WARNING"),)


def _copying(tools: _Tools) -> tuple[Row, ...]:
    found = _caught(lambda: copy_tool.find(tools.place.environ))
    if isinstance(found, DeployError):
        return (Row(group=MACHINE, what="copy tool", state="SKIPPED", found="needs skopeo or a container engine"),)
    words = {"skopeo": "skopeo", "buildx": "docker buildx imagetools", "engine": "the engine pulls, tags and pushes"}
    slow = found.kind == "engine"
    return (
        Row(
            group=MACHINE,
            what="copy tool",
            state="WARNING" if slow else "OK",
            found=f"{words[found.kind]}: slower, and of one platform"
            if slow
            else f"{words[found.kind]} ({found.program})",
            next="sudo apt-get install skopeo" if slow else "",
        ),
    )


def _terraform(tools: _Tools) -> tuple[Row, ...]:
    def version() -> str:
        found = _unwrapped(tools.terraform.result())
        return f"{found.product} {found.version} ({found.program.removeprefix(f'{tools.place.root}/')})"

    return (_row("Terraform", version),)


def _provider(tools: _Tools) -> tuple[Row, ...]:
    program = tools.terraform.result()
    if isinstance(program, DeployError):
        return (Row(group=MACHINE, what="AWS provider", state="SKIPPED", found="needs Terraform"),)

    def source() -> str:
        mirror = provider_mirror.find(tools.place.root, machine.this(), program, environ=tools.place.environ)
        return f"mirror {mirror}" if mirror else "the public registry"

    return (_row("AWS provider", source),)


def _space(tools: _Tools) -> tuple[Row, ...]:
    engine = tools.engine.result()
    folder = "" if isinstance(engine, DeployError) else str((engine.api.get("/info") or {}).get("DockerRootDir", ""))
    if not folder or not Path(folder).is_dir():
        return (
            Row(group=MACHINE, what="disk space", state="SKIPPED", found="the engine's disk is not this machine's"),
        )
    free = shutil.disk_usage(folder).free / GB
    return (
        Row(
            group=MACHINE,
            what="disk space",
            state="OK" if free >= LEAST_FREE_GB else "WARNING",
            found=f"{free:.0f} GB free for the engine's images in {folder}",
            next="" if free >= LEAST_FREE_GB else "inv image.clean; docker builder prune",
        ),
    )


_QUESTIONS: tuple[Callable[[_Tools], tuple[Row, ...]], ...] = (
    *(_python, _git, _engine, _builder, _compose, _copying, _terraform, _provider, _space),
)


def _environment(place: Place, name: str, doors: Doors) -> tuple[Row, ...]:
    """Ask one after the other: each answer is what the next question is about."""
    rows: list[Row] = []
    group = f"environment {name}"
    try:
        environment = config.load(place.root, name, variables={})
        rows.append(Row(group=group, what="configuration", state="OK", found="no mistakes"))
        account = doors.sign_in(environment)
        caller = aws.guard(account, environment)
        signed = f"{caller}, by {account.way}" if account.way else caller
        rows.append(Row(group=group, what="credentials", state="OK", found=signed))
        where = f"{environment.account.id}, {environment.account.region}"
        rows.append(Row(group=group, what="account, region", state="OK", found=where))
        published = contract.of(account.ssm, environment)
        rows.append(Row(group=group, what="contract", state="OK", found=environment.contract_source))
    except DeployError as error:
        return (*rows, *_given_up(len(rows), error, group))
    here = _There(account=account, environment=environment, contract=published, doors=doors)
    found = (_row("registry", here.registry, group=group), _row("ledger", here.ledger, group=group))
    builder = () if environment.images.engine == "local" else (_row("builder", here.builder, group=group),)
    secrets = (_row("secrets", here.secrets, group=group),) if here.parameters else ()
    return (*rows, *found, *builder, *secrets, _allowance(place, here, caller))


def _allowance(place: Place, here: _There, caller: str) -> Row:
    """Ask IAM for each action of a release; who may not ask has at least read what the other rows say."""
    row = functools.partial(Row, group=f"environment {here.environment.name}", what="permissions")
    if simulation.is_root(caller):
        return row(state="OK", found="the account's root may do everything")
    if not (place.root / permissions.SOURCE).is_file():
        return row(state="SKIPPED", found=f"no {permissions.SOURCE} here")
    listed = permissions.read(place.root)
    try:
        missing = simulation.lacking(here.account.iam, caller, here.environment, listed)
    except AwsError as error:
        return row(state="SKIPPED", found=f"IAM does not tell: {error.code} of SimulatePrincipalPolicy")
    if missing:
        return row(state="MISSING", found=f"not allowed: {', '.join(missing)}", next=_mended(here.environment, caller))
    return row(state="OK", found=f"all {len(listed.entries)} that a release needs")


def _mended(environment: Environment, caller: str) -> str:
    """Return how the permissions come: the role's policy is Terraform's, others take the role."""
    deploy = f"{environment.app.name}-{environment.name}-deploy"
    if simulation.principal(caller).endswith(f":role/{deploy}"):
        return f"inv infra.apply --env {environment.name}"
    arn = f"arn:{caller.split(':')[1]}:iam::{environment.account.id}:role/{deploy}"
    return f'set account.role.arn = "{arn}" in environments/{environment.name}.toml'


STEPS = ("configuration", "credentials", "account, region", "contract", "registry", "ledger")


def _given_up(done: int, error: DeployError, group: str) -> tuple[Row, ...]:
    rest = (Row(group=group, what=what, state="SKIPPED", found=f"needs {STEPS[done]}") for what in STEPS[done + 1 :])
    return (_failed(STEPS[done], error, group=group), *rest)


@dataclass(frozen=True, slots=True, kw_only=True)
class _There:
    """An account that lets us in, with its contract."""

    account: Account
    environment: Environment
    contract: Contract
    doors: Doors

    def registry(self) -> str:
        """Ask ECR, and then its registry, for a tag that is not there: it says so to whom it lets in."""
        repository = self.contract.repository
        registry.present(self.account.ecr, repository, (SOME_TAG,))
        known = Credentials(account=self.account, environment=self.environment, repository=lambda: repository)
        try:
            self.doors.registries(known).digest(f"{repository}:{SOME_TAG}")
        except RegistryError as error:
            if error.status != NOT_FOUND:
                raise
        return f"{repository} lets us in"

    def builder(self) -> str:
        """Look for CodeBuild's project in the contract."""
        return builders.described(self.environment, self.contract)

    def ledger(self) -> str:
        """Read the newest release."""
        newest = ledger.entries(self.account.dynamodb, self.contract.ledger, limit=1)
        return f"{self.contract.ledger}, " + (f"newest release {newest[0].number}" if newest else "no release yet")

    @property
    def parameters(self) -> tuple[str, ...]:
        """What builds and log-ins read of Parameter Store."""
        of_roles = (name for role in self.environment.images.roles.values() for name in role.secrets.values())
        of_registries = (one.password_parameter for one in self.environment.registries.values())
        return tuple(sorted({*of_roles, *of_registries}))

    def secrets(self) -> str:
        """Read them."""
        supplies.parameters(self.account.ssm, self.parameters)
        return f"{len(self.parameters)} for builds and log-ins can be read"


def _unwrapped(found: T | DeployError) -> T:
    if isinstance(found, DeployError):
        raise found
    return found


def _said(argv: tuple[str, ...]) -> str:
    """Return the first line that the program says; nothing when it does not end with 0."""
    answer = process.run(argv, ok=tuple(range(256)), timeout_seconds=ANSWER_SECONDS)
    return answer.stdout.strip().split("\n")[0] if answer.returncode == 0 else ""
