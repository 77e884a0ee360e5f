"""The compose file, purely: an environment and the images that its containers start from become one document.

It keeps to what docker-compose 1.29 and every later tool understand of the Compose Specification: no `version`, no
`name` (the project's is given on the command line), no optional env_file, long syntax where the short one is ambiguous.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import yaml

from deploylib.config import MIGRATION
from deploylib.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from deploylib.config import Dependency, Development, DevelopmentContainer, Environment

    Document = dict[str, Any]

BASE = "base"
INTERVAL_SECONDS = 2
START_SECONDS = 60.0
READ_ONLY = ":ro"
WIDTH = 1_000
HEADER = """\
# Written by `inv dev.compose --env {environment}`: change the configuration, not this file.
# From environments/common.toml, environments/{environment}.toml and the base image in that environment's registry.
# `inv dev.compose --env {environment} --check` ends with 9 when it is out of date.
"""


def text(environment: Environment, images: Mapping[str, str], folder: Path) -> str:
    """Return the compose file that is to lie in *folder*: the same text for the same configuration and images.

    *images* holds the reference of the base image under `base`, and of each role that a container names.
    """
    body = yaml.dump(_quoted(document(environment, images, folder)), Dumper=_Dumper, sort_keys=False, width=WIDTH)
    return f"{HEADER.format(environment=environment.name)}\n{body}"


def document(environment: Environment, images: Mapping[str, str], folder: Path) -> Document:
    """Return the compose file as a document. Raises `ConfigError` without `[development]` or `[images.base]`."""
    drawing = _Drawing(environment, images, folder)
    development, needed = of(environment), _needed(environment)
    services = {name: drawing.dependency(one) for name, one in needed.items()}
    if migrated := _migrated(environment):
        services[MIGRATION] = drawing.migration(migrated)
    services |= {name: drawing.container(name, one) for name, one in development.containers.items()}
    volumes: Document = {name: {} for name, one in needed.items() if one.volume}
    return {"services": services, **({"volumes": volumes} if volumes else {})}


def of(environment: Environment) -> Development:
    """Return *environment*'s `[development]`; raise `ConfigError` when it has none."""
    if environment.development:
        return environment.development
    raise ConfigError(
        "the configuration has no development environment",
        hint="add [development.containers.NAME] to environments/common.toml: docs/development.md",
    )


def roles(environment: Environment) -> tuple[str, ...]:
    """Return the roles whose images the containers want; `base` for those that start from the base."""
    return tuple(sorted({one.role or BASE for one in of(environment).containers.values()}))


def dependencies(environment: Environment) -> dict[str, str]:
    """Return the image of each dependency that some container needs."""
    return {name: one.image for name, one in _needed(environment).items()}


def published(environment: Environment) -> dict[str, int]:
    """Return the port on this machine of each container that has one."""
    return {name: one.published for name, one in of(environment).containers.items() if one.published}


def _needed(environment: Environment) -> dict[str, Dependency]:
    needs = {need for one in of(environment).containers.values() for need in one.needs}
    return {name: one for name, one in environment.dependencies.items() if name in needs}


def _migrated(environment: Environment) -> DevelopmentContainer | None:
    """Return the container to migrate in: the configuration's check says that it is there."""
    if environment.migration and of(environment).migrate:
        return of(environment).containers[environment.migration.service]
    return None


class _Drawing:
    """One document in the making. Empty keys are left out of it."""

    def __init__(self, environment: Environment, images: Mapping[str, str], folder: Path) -> None:
        self._environment = environment
        self._development = of(environment)
        self._images = images
        self._folder = folder

    def dependency(self, one: Dependency) -> Document:
        """Return a dependency; its volume is called like it."""
        name = next(key for key, value in self._environment.dependencies.items() if value is one)
        volumes = [{"type": "volume", "source": name, "target": one.volume}] if one.volume else []
        return _present(
            image=one.image,
            command=list(one.command),
            environment=dict(one.environment),
            volumes=volumes,
            healthcheck=_health_check(one.health_check, one.timeout_seconds),
        )

    def migration(self, one: DevelopmentContainer) -> Document:
        """Return the one-off service that migrates, made as *one*; the others wait for its end."""
        waited = {need: self._condition(need) for need in one.needs if need in self._environment.dependencies}
        command = self._environment.migration.command if self._environment.migration else ()
        return {**self._process(one, command), **_present(depends_on=waited)}

    def container(self, name: str, one: DevelopmentContainer) -> Document:
        """Return a container of the app."""
        neighbours = {name: one, **self._beside(name)}
        ports = [f"127.0.0.1:{each.published}:{each.port}" for each in neighbours.values() if each.published]
        return {
            **self._process(one, one.command),
            **_present(
                network_mode=f"service:{one.beside}" if one.beside else "",
                ports=[] if one.beside else ports,
                depends_on=self._waited(one),
                healthcheck=_health_check(one.health_check, START_SECONDS),
            ),
        }

    def _process(self, one: DevelopmentContainer, command: tuple[str, ...]) -> Document:
        provided = [self._environment.dependencies[need].provides for need in one.needs if self._is_dependency(need)]
        variables = {key: value for each in (*provided, one.environment) for key, value in each.items()}
        return _present(
            image=self._image(one.role or BASE),
            command=list(command),
            user=one.user,
            working_dir=one.working_directory,
            env_file=[self._path(self._development.env_file, self._environment.root)],
            environment=variables,
            volumes=[self._mount(source, target) for source, target in one.mounts.items()],
        )

    def _image(self, name: str) -> str:
        if name == BASE and not self._environment.images.base:
            raise ConfigError(
                "a container of the development environment starts from the base image, and this app has none",
                hint="name its role: development.containers.NAME.role",
            )
        return self._images[name]

    def _beside(self, name: str) -> dict[str, DevelopmentContainer]:
        return {key: one for key, one in self._development.containers.items() if one.beside == name}

    def _waited(self, one: DevelopmentContainer) -> Document:
        """Return what *one* waits for; the schema too, if it needs a dependency."""
        waited = {need: self._condition(need) for need in one.needs}
        if _migrated(self._environment) and any(map(self._is_dependency, one.needs)):
            waited[MIGRATION] = {"condition": "service_completed_successfully"}
        return waited

    def _condition(self, need: str) -> Document:
        other = self._environment.dependencies.get(need) or self._development.containers[need]
        return {"condition": "service_healthy" if other.health_check else "service_started"}

    def _is_dependency(self, name: str) -> bool:
        return name in self._environment.dependencies

    def _mount(self, source: str, target: str) -> Document:
        bind = {"type": "bind", "source": self._path(source, self._environment.context)}
        read_only = target.endswith(READ_ONLY)
        return {**bind, "target": target.removesuffix(READ_ONLY), **({"read_only": True} if read_only else {})}

    def _path(self, path: str, start: Path) -> str:
        """Return *path*, relative to *start*, as seen from the compose file; without a dot it would name a volume."""
        relative = os.path.relpath(start / path, self._folder)
        return relative if relative.startswith("..") else os.path.join(".", relative)  # noqa: PTH118 - Path drops the dot


def _present(**keys: Any) -> Document:
    return {key: value for key, value in keys.items() if value}


def _health_check(command: tuple[str, ...], seconds: float) -> Document:
    """Return a health check that gives up, at the earliest, after *seconds*."""
    if not command:
        return {}
    retries = max(1, round(seconds / INTERVAL_SECONDS))
    return {"test": ["CMD", *command], "interval": f"{INTERVAL_SECONDS}s", "timeout": "5s", "retries": retries}


class _Text(str):
    """A text that stands in quotes: YAML's readers disagree on what `on`, `1e3` and `22:22` are without them."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    """A dumper that indents lists and knows no anchors: the same value twice is written twice."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: FBT001, FBT002, ARG002 - PyYAML's
        super().increase_indent(flow, indentless=False)

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's
        return True


def _represent_text(dumper: yaml.SafeDumper, value: _Text) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", str(value), style='"')


def _represent_list(dumper: yaml.SafeDumper, value: list[Any]) -> yaml.Node:
    """Put a command into one line."""
    one_line = all(isinstance(each, str) for each in value)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=one_line)


_Dumper.add_representer(_Text, _represent_text)
_Dumper.add_representer(list, _represent_list)


def _quoted(value: Any) -> Any:
    """Return *value* with its texts quoted, and with every `$` doubled: compose would look for a variable there."""
    if isinstance(value, dict):
        return {key: _quoted(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_quoted(each) for each in value]
    return _Text(value.replace("$", "$$")) if isinstance(value, str) else value
