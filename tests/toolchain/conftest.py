from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.toolchain.fake_engine import FakeEngine
from tests.toolchain.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A stage whose programs come first on PATH, before what the shell itself needs."""
    made = Stage(tmp_path)
    monkeypatch.setenv("PATH", f"{made.bin}:/usr/bin:/bin")
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DEPLOY_TERRAFORM", "DEBIAN_MIRROR"):
        monkeypatch.delenv(name, raising=False)
    return made


@pytest.fixture
def engine_at() -> Iterator[Callable[..., FakeEngine]]:
    """Make fake engines that answer until the test is over."""
    made: list[FakeEngine] = []

    def start(socket: Path, *, podman: bool = False, bridge: dict[str, object] | None = None) -> FakeEngine:
        made.append(FakeEngine(socket, podman=podman, bridge=bridge))
        made[-1].start()
        return made[-1]

    yield start
    for engine in made:
        engine.stop()
