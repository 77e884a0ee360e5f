"""The clean-up of this machine with the real engine, on images of a few bytes under a label of their own."""

from __future__ import annotations

import subprocess
import uuid
from typing import TYPE_CHECKING

import pytest

from deploylib.retention import local
from deploylib.toolchain import engine as engines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e


def docker(*words: str) -> str:
    return subprocess.run(["docker", *words], capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def app() -> Iterator[str]:
    """An app that nobody else on this machine has; what is left of it goes at the end."""
    name = f"clean-{uuid.uuid4().hex[:8]}"
    yield name
    for kind, remove in (("ps -aq", "rm"), ("images -aq", "rmi")):
        if left := docker(*kind.split(), "--filter", f"label=deploylib.app={name}").split():
            docker(remove, "-f", *dict.fromkeys(left))


@pytest.fixture
def build(app: str, tmp_path: Path) -> Callable[..., str]:
    """Build an image from nothing; return its id."""

    def made(role: str, content: str, *tags: str) -> str:
        (tmp_path / "content").write_text(content)
        text = f'FROM scratch\nCOPY content /\nCMD ["/content"]\nLABEL deploylib.app={app} deploylib.image={role}\n'
        (tmp_path / "Dockerfile").write_text(text)
        docker("build", "-q", *(f"--tag={app}:{tag}" for tag in tags), str(tmp_path))
        return docker("image", "inspect", "--format", "{{.Id}}", f"{app}:{tags[0]}")

    return made


def test_old_images_and_left_overs_go_and_what_a_container_uses_stays(app: str, build: Callable[..., str]) -> None:
    used, old, left = build("web", "1", "web-1"), build("web", "2", "web-2", "web-latest"), build("web", "3", "web-3")
    newest = build("web", "x" * 100_000, "web-3")  # it takes the name of the one before
    docker("create", "--label", f"deploylib.app={app}", used)
    api = engines.find().api
    fates = local.plan(app, *local.observe(api, app), keep=1)
    assert {one.image.id for one in fates if one.stays} == {used, newest}
    assert {one.image.id for one in fates if not one.stays} == {old, left}
    done = local.remove(api, fates)
    assert (set(done.removed), done.spared) == ({old, left}, ())
    assert {one.id for one in local.observe(api, app)[0]} == {used, newest}
