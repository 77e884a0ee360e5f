"""Durations as people type them."""

from __future__ import annotations

import pytest

from deploylib import durations
from deploylib.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("10m", 600), ("2h", 7200), ("1h30m", 5400), ("3d", 259200), ("45", 45), ("0", 0), ("1.5s", 1.5)],
)
def test_durations_are_seconds(text: str, seconds: float) -> None:
    assert durations.parse(text, "--wait-lock") == seconds


@pytest.mark.parametrize("text", ["", " ", "soon", "-5m", "10 minutes", "m", "5m1h", "1.5m", "٣m"])
def test_anything_else_names_the_option(text: str) -> None:
    with pytest.raises(ConfigError, match="--wait-lock takes a duration"):
        durations.parse(text, "--wait-lock")
