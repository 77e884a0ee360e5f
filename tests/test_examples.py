"""The examples' own environments: complete, valid, and laid over nothing of another application."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploylib import config

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def clock(tmp_path: Path) -> Path:
    """Return a project as the README of the compiled example has it made."""
    for folder in ("examples", "terraform"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    (tmp_path / "environments").symlink_to(ROOT / "examples" / "clock" / "environments")
    return tmp_path


def test_the_environments_of_the_compiled_example_have_no_mistakes(clock: Path) -> None:
    config.validate(clock)


def test_the_compiled_example_replaces_every_environment_of_the_project(clock: Path) -> None:
    """One that was left would be laid over another application's common.toml."""
    assert set(config.names(clock)) == set(config.names(ROOT))


def test_the_compiled_example_has_neither_base_nor_database_nor_migration(clock: Path) -> None:
    for name in config.names(clock):
        environment = config.load(clock, name)
        assert environment.images.base is None
        assert "database" not in environment.terraform
        assert environment.migration is None
