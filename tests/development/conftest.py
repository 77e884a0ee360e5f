from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.toolchain.fake_engine import FakeEngine
from tests.toolchain.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeEngine]:
    made = FakeEngine(tmp_path / "docker.sock")
    made.start()
    yield made
    made.stop()
