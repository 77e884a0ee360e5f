"""The environments whose account is a local AWS of this checkout: one emulator for each profile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploylib import config
from deploylib.errors import ConfigError
from deploylib.localaws import emulator, instance, released

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from deploylib.config import Environment


def load(root: Path, name: str = "") -> Environment:
    """Return the environment *name*, or the default one. Raises `ConfigError` when its account is no local AWS."""
    environment = config.load(root, name)
    if not environment.account.is_local:
        raise ConfigError(
            f"environment {environment.name} is no local AWS: its account.config_file is not {config.LOCAL_CONFIG!r}",
            hint=_way(config.load(root, one) for one in config.names(root)),
        )
    if not environment.account.profile:
        raise ConfigError(
            f"environment {environment.name} has no account.profile: its local AWS gets its name from that",
            hint=f"set account.profile in environments/{environment.name}.toml",
        )
    return environment


def render(root: Path, name: str = "") -> str:
    """Return, as lines for a person, every local AWS (or that of the environment *name*) and where it serves."""
    chosen = (load(root, name),) if name else tuple(_local(root))
    profiles = dict.fromkeys(environment.account.profile for environment in chosen)
    forgotten = () if name else tuple(one.name for one in instance.read_all(root) if one.name not in profiles)
    parts = [
        *(_one(root, profile, [one for one in chosen if one.account.profile == profile]) for profile in profiles),
        *(emulator.render(emulator.status(root, profile)) for profile in forgotten),
    ]
    return "\n".join(parts) or "no environment here is a local AWS"


def _local(root: Path) -> Iterator[Environment]:
    for name in config.names(root):
        environment = config.load(root, name)
        if environment.account.is_local and environment.account.profile:
            yield environment


def _one(root: Path, profile: str, environments: list[Environment]) -> str:
    found = emulator.status(root, profile)
    lines = [emulator.render(found, environment=environments[0].name)]
    if found.state == "running":
        lines += [f"  {line}" for one in environments for line in released.render(one).splitlines()]
    return "\n".join(lines)


def _way(environments: Iterator[Environment]) -> str:
    """Return the commands that would start one."""
    names = [one.name for one in environments if one.account.is_local]
    return " or ".join(f"inv local.up --env {name}" for name in names) or "see docs/local-aws.md"
