"""What the environment variables `LOCALAWS_…` say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "LOCALAWS_"
LABEL = "deploylib.localaws.instance"
FIRST_PORT = 4566
FIRST_DATABASE_PORT, DATABASE_PORTS, EMULATORS = 15432, 10, 1000


class SettingsError(Exception):
    """A variable that cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One emulator's settings. Times are seconds; `docs/local-aws.md` has the table."""

    instance: str = "localaws"
    port: int = FIRST_PORT
    bind: tuple[str, ...] = ()
    account_id: str = "000000000000"
    region: str = "us-east-1"
    log_level: str = "INFO"
    calls_file: Path | None = None
    state_dir: Path | None = None
    postgres_image: str = ""
    steady_seconds: float = 0.3
    health_interval_seconds: float = 0.25
    health_patience_seconds: float = 8.0
    drain_max_seconds: float = 10.0
    failed_kept_seconds: float = 6.0
    restart_delay_max_seconds: float = 5.0
    codedeploy_minute_seconds: float = 5.0
    docker_timeout_seconds: float = 60.0

    @property
    def labels(self) -> dict[str, str]:
        """Return the labels that every container, network and volume of this emulator carries."""
        return {LABEL: self.instance}

    @property
    def database_port(self) -> int:
        """Return where to look for free ports of databases: two emulators that look at once must not find the same."""
        return FIRST_DATABASE_PORT + (self.port - FIRST_PORT) % EMULATORS * DATABASE_PORTS


def read(environ: Mapping[str, str]) -> Settings:
    """Return the settings in *environ*; what is absent or empty keeps its default."""
    given = {
        name: _parsed(name, environ[PREFIX + name.upper()])
        for name in Settings.__dataclass_fields__
        if environ.get(PREFIX + name.upper())
    }
    return Settings(**given)  # type: ignore[arg-type]  # _parsed gives each field its own type


def _parsed(name: str, text: str) -> object:
    default = Settings.__dataclass_fields__[name].default
    try:
        if isinstance(default, float):
            return float(text)
        if isinstance(default, int):
            return int(text)
    except ValueError:
        raise SettingsError(f"{PREFIX}{name.upper()} must be a number, not {text!r}") from None
    if isinstance(default, tuple):
        return tuple(part.strip() for part in text.split(",") if part.strip())
    return Path(text) if default is None else text
