"""Durations as people type them: `90s`, `10m`, `2h`, `1h30m`, `3d`; a bare number is seconds."""

from __future__ import annotations

import re

from deploylib.errors import ConfigError

SECONDS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
WHOLE = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s?)?", re.ASCII)


def parse(text: str, option: str) -> float:
    """Return the seconds that *text* says; raise `ConfigError` that names *option* when it says none."""
    found = WHOLE.fullmatch(text.strip())
    if not text.strip() or found is None:
        raise ConfigError(
            f"{option} takes a duration, not {text!r}", hint=f"{option} 90s, {option} 10m, {option} 1h30m"
        )
    parts = zip(SECONDS.values(), found.groups(), strict=True)
    return sum(float(number) * seconds for seconds, number in parts if number)
