from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from deploylib.localaws import dependency_images, emulator
from tests.localaws.yard import Yard
from tests.toolchain.fake_engine import FakeEngine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return min(int(server.getsockname()[1]), 65000)


@pytest.fixture
def yard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Yard]:
    """Yield a place with a fake emulator and a fake engine; nothing of it outlives the test."""
    engine = FakeEngine(tmp_path / "docker.sock")
    engine.start()
    for image in dependency_images.ALL:
        engine.add_image(image.name)  # the user's own: never built here
    monkeypatch.setenv("DOCKER_HOST", engine.host)
    monkeypatch.setenv("LOCALAWS_PORT", str(free_port()))  # tests that run beside this one look elsewhere
    made = Yard(tmp_path, engine)
    yield made
    engine.start()
    for checkout in made.checkouts:
        emulator.down(checkout)
    engine.stop()
