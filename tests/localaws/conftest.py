from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deploylib.localaws import dependency_images, emulator
from deploylib.toolchain import engine as engines
from deploylib.toolchain import machine, os_image, python_environment
from tests.localaws.yard import Yard
from tests.toolchain.fake_engine import FakeEngine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploylib.toolchain.engine import Engine

ROOT = Path(__file__).resolve().parents[2]


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


@pytest.fixture(scope="module")
def docker() -> Engine:
    """Return this machine's container engine, with the operating system's image in it."""
    found = engines.find()
    os_image.ensure(ROOT, found, machine.this(), print)
    return found


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Path]:
    """Yield a folder that a real emulator can be started in; it is down afterwards."""
    root = tmp_path / "shop"
    shutil.copytree(ROOT / "deploylib", root / "deploylib", ignore=shutil.ignore_patterns("__pycache__"))
    python = Path(os.environ.get("LOCALAWS_PYTHON") or python_environment.emulator(ROOT).python)
    python_environment.emulator(root).path.parent.mkdir()
    python_environment.emulator(root).path.symlink_to(python.parents[1])
    yield root
    emulator.down(root)


@pytest.fixture
def local_aws(checkout: Path, docker: Engine) -> Path:
    """Return a folder whose local AWS is up."""
    emulator.up(checkout, engine=docker)
    return checkout
