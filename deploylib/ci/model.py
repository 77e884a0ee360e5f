"""What a pipeline does, whatever the system: tests beside services, the merge test, a deploy for each environment.

Pure: environments become one frozen value. Commands are lines of bash, because that is what every CI system takes.
"""

from __future__ import annotations

import math
import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from deploylib import branches
from deploylib.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from deploylib.config import CiTest, Dependency, Environment

REPORTS = "reports"
PYTHON = "3.11"
REQUIREMENTS = "requirements/runtime.txt"
INV = ".venv/bin/inv"
INSTALL = (
    "python3 -m venv .venv",
    f".venv/bin/pip install --quiet --require-hashes --requirement {REQUIREMENTS}",
)
CLEAN = (f"{INV} image.clean --env auto",)
WHICH = (  # exit code 3: this branch is deployed nowhere
    f'environment=$({INV} ci.environment) || {{ code=$?; [ "$code" -eq 3 ] || exit "$code"; environment=; }}',
)
NAMED_PORT = re.compile(r"(.*)HOST", re.ASCII)
MARGIN_MINUTES = 45  # on top of what the configuration lets a rollout, a migration and the image tests take
KEYS = ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN")


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A container beside the tests; *name* is its host name, *ports* are those that the tests wait for."""

    name: str
    image: str
    variables: Mapping[str, str]
    command: tuple[str, ...]
    health: str
    ports: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """The tests of every push: *commands* in a container of *image*, with *services* beside it."""

    image: str
    commands: tuple[str, ...]
    services: tuple[Service, ...]
    variables: Mapping[str, str]
    minutes: int

    @property
    def script(self) -> tuple[str, ...]:
        """All commands, once a folder for reports is there."""
        return (f"mkdir -p {REPORTS}", *self.commands)

    @property
    def waits(self) -> tuple[str, ...]:
        """Commands that end when every service listens, for systems that do not look at health checks themselves."""
        return tuple(
            f"timeout 60 bash -c 'until (: </dev/tcp/{one.name}/{port}) 2>/dev/null; do sleep 1; done'"
            for one in self.services
            for port in one.ports
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """How a deploy job signs in to one account: by the token that it puts into *token_variable*, else by *keys*.

    *keys* are the variables that the CI system keeps as secrets.
    """

    environment: str
    region: str
    token_variable: str = ""
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Deploy:
    """The deploy to one environment, from the branches that match one of *only* and none of *never*.

    Both are patterns of `[branches]`. *gated*: a person lets it go on.
    """

    environment: str
    only: tuple[str, ...]
    never: tuple[str, ...]
    gated: bool
    tests_images: bool
    identities: tuple[Identity, ...]
    minutes: int

    @property
    def tokens(self) -> tuple[str, ...]:
        """The variables that want the job's OIDC token."""
        return tuple(dict.fromkeys(one.token_variable for one in self.identities if one.token_variable))

    @property
    def keys(self) -> tuple[str, ...]:
        """The secrets that it needs."""
        return tuple(dict.fromkeys(key for one in self.identities for key in one.keys))

    @property
    def image_tests(self) -> tuple[str, ...]:
        """Build the images and test them beside their databases; nothing where they come from another environment."""
        return _kept(f"{INV} image.test --env auto", "image-tests") if self.tests_images else ()

    @property
    def script(self) -> tuple[str, ...]:
        """Deploy; the report of a failure is kept too."""
        confirmed = f" --confirm {self.environment}" if self.gated else ""
        return _kept(f"{INV} deploy --env auto --yes{confirmed} --wait-lock 30m", "deploy")

    @property
    def whole_script(self) -> tuple[str, ...]:
        """All of it, for systems where one script is the whole job."""
        return tuple(dict.fromkeys((*self.image_tests, *self.script)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """Everything that one file of a CI system says. Without `[ci.test]` nothing is tested but the images."""

    app: str
    test: Suite | None
    merge_into: str
    deploys: tuple[Deploy, ...]
    platform: str

    @property
    def advice(self) -> str:
        """What is missing of a whole pipeline, and what to write; nothing where nothing is."""
        return (
            ""
            if self.test
            else "Nothing is tested but the images: write [ci.test] into environments/common.toml (docs/ci.md)"
        )

    @property
    def merge_test(self) -> tuple[str, ...]:
        """The tests on the commit merged with *merge_into*, or nothing."""
        return self._merge_test("")

    @property
    def merge_test_in_whole_clone(self) -> tuple[str, ...]:
        """The same where the clone knows every branch already, and has no right to fetch."""
        return self._merge_test(" --no-fetch")

    def _merge_test(self, flags: str) -> tuple[str, ...]:
        if not self.test or not self.merge_into:
            return ()
        inner = shlex.quote("set -euo pipefail\n" + "\n".join(self.test.script))
        return (f"{INV} ci.merge-test --into {shlex.quote(self.merge_into)}{flags} -- bash -c {inner}",)


def pipeline(environments: tuple[Environment, ...]) -> Pipeline:
    """Return what the pipeline of a project does whose environments these are.

    Raises `ConfigError` when there are none, or `[branches]` sends nothing to any of them.
    """
    if not environments:
        raise ConfigError("no environment in environments/", hint="write environments/stg.toml (docs/environments.md)")
    by_name = {one.name: one for one in environments}
    found = tuple(_deploys(by_name))
    if not found:
        suggested = next((one.name for one in environments if not one.account.is_local), environments[0].name)
        raise ConfigError(
            "no branch is deployed anywhere, so there is no pipeline",
            hint=f'write into environments/common.toml, under [branches]: main = "{suggested}" (docs/branches.md)',
        )
    first = by_name[found[0].environment]
    return Pipeline(
        app=first.app.name,
        test=_test(first.ci.test, first.dependencies) if first.ci.test else None,
        merge_into=first.ci.merge_into,
        deploys=found,
        platform=first.images.platform,
    )


def _kept(command: str, log: str) -> tuple[str, ...]:
    """Return *command* with all that it says in a file too.

    Who cancels a job signals all of it: what keeps the lines outlives the command, which has more to say then.
    """
    return (f"mkdir -p {REPORTS}", f"{command} 2>&1 | {{ trap '' INT TERM; tee {REPORTS}/{log}.log; }}")


def _deploys(environments: Mapping[str, Environment]) -> Iterator[Deploy]:
    """Yield a deploy for each environment that a branch goes to: those named in `[branches]` first, in its order.

    What `*` stands for is no local AWS: that one is on somebody's machine.
    """
    table = next(iter(environments.values())).branches if environments else {}
    named = [to for to in table.values() if to != branches.STAR]
    spread = [name for name, one in environments.items() if not one.account.is_local] if "*" in table.values() else []
    for name in dict.fromkeys((*named, *spread)):
        if name in environments and (only := branches.patterns_of(table, name)):
            yield _deploy(environments[name], environments, only)


def _deploy(environment: Environment, environments: Mapping[str, Environment], only: tuple[str, ...]) -> Deploy:
    sources = (environment, *(environments[one] for one in (environment.promote_from,) if one in environments))
    roles = environment.images.roles.values()
    return Deploy(
        environment=environment.name,
        only=only,
        never=_elsewhere(environments, environment.name, only),
        gated=environment.protected,
        tests_images=not environment.promote_from and any(one.test for one in roles),
        identities=tuple(_identity(one) for one in sources),
        minutes=_minutes(environment),
    )


def _elsewhere(environments: Mapping[str, Environment], name: str, only: tuple[str, ...]) -> tuple[str, ...]:
    """Return the patterns of other environments that count before one of ours, where a branch may match both."""
    others = (one for one in environments.values() if one.name != name)
    patterns = (pattern for one in others for pattern in branches.patterns_of(one.branches, one.name))
    return tuple(dict.fromkeys(one for one in patterns if any(_counts_before(one, ours) for ours in only)))


def _counts_before(one: str, other: str) -> bool:
    """Whether a branch that matches both patterns goes where *one* says."""
    if branches.STAR not in other:
        return False
    if branches.STAR not in one:
        return bool(re.fullmatch(branches.expression(other), one))
    return len(branches.STARS.sub("", one)) > len(branches.STARS.sub("", other))


def _identity(environment: Environment) -> Identity:
    account = environment.account
    if account.web_identity:
        variable = account.web_identity.token_variable
        return Identity(environment=environment.name, region=account.region, token_variable=variable)
    prefix = account.variables_prefix or "AWS_"
    keys = tuple(f"{prefix}{key}" for key in KEYS[:2])
    return Identity(environment=environment.name, region=account.region, keys=() if account.is_local else keys)


def _test(test: CiTest, dependencies: Mapping[str, Dependency]) -> Suite:
    needed = {name: dependencies[name] for name in test.needs}
    provided = {key: value for one in needed.values() for key, value in one.provides.items()}
    return Suite(
        image=test.image,
        commands=test.commands,
        services=tuple(_service(name, one) for name, one in needed.items()),
        variables={**provided, **test.environment},
        minutes=math.ceil(test.timeout_seconds / 60),
    )


def _service(name: str, one: Dependency) -> Service:
    return Service(
        name=name,
        image=one.image,
        variables=one.environment,
        command=one.command,
        health=shlex.join(one.health_check),
        ports=tuple(dict.fromkeys(_ports(name, one.provides))),
    )


def _ports(name: str, provides: Mapping[str, str]) -> Iterator[int]:
    """Yield the ports of a service, as far as the variables that it provides tell: an address, or HOST beside PORT."""
    for key, value in provides.items():
        if "://" in value and (address := urlsplit(value)).hostname == name and address.port:
            yield address.port
        found = NAMED_PORT.fullmatch(key)
        port = provides.get(f"{found[1]}PORT", "") if found and value == name else ""
        if port.isascii() and port.isdigit():
            yield int(port)


def _minutes(environment: Environment) -> int:
    """Return how long a deploy job may take: a job that is killed by its CI system leaves a release half done."""
    rollout = environment.rollout.timeout_seconds or 1800.0
    migration = environment.migration.timeout_seconds if environment.migration else 0.0
    tests = sum(
        len(one.test.commands) * one.test.timeout_seconds for one in environment.images.roles.values() if one.test
    )
    return MARGIN_MINUTES + math.ceil((2 * rollout + migration + tests) / 60)
