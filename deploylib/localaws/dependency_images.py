"""The images that applications need beside them here: PostgreSQL (the emulator's RDS runs it too) and Redis.

From the public registry, or made from the distribution's packages where that cannot be reached.
"""

from __future__ import annotations

import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deploylib import process
from deploylib.toolchain import os_image

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploylib.toolchain.engine import Engine

ANY_POSTGRES = "local/postgres:{major}"  # the emulator fills in the major version that RDS was asked for
HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class DependencyImage:
    """A server of the *major* version that the distribution of the image *built_from* has."""

    name: str
    major: int
    registry_name: str
    folder: str
    built_from: str = "local/debian:bookworm"

    @property
    def source(self) -> Path:
        """The build context for where the public registry cannot be reached."""
        return HERE / self.folder


POSTGRES = DependencyImage(name="local/postgres:15", major=15, registry_name="postgres:15", folder="postgres")
REDIS = DependencyImage(name="local/redis:7", major=7, registry_name="redis:7", folder="redis")
ALL = (POSTGRES, REDIS)


def ensure_all(
    root: Path, engine: Engine, say: Callable[[str], None], *, images: tuple[DependencyImage, ...] = ALL
) -> None:
    """Make, side by side, each of *images* that is missing or whose recipe changed."""
    with ThreadPoolExecutor() as threads:
        pending = [threads.submit(ensure, root, engine, say, image=image) for image in images]
        try:
            for each in pending:
                each.result()
        except BaseException:
            process.stop_all()
            raise


def ensure(root: Path, engine: Engine, say: Callable[[str], None], *, image: DependencyImage) -> bool:
    """Make the image when it is missing or its recipe changed; return whether anything was done."""
    files = sorted(path for path in image.source.iterdir() if path.is_file())
    contents = [path.read_text(encoding="utf-8") for path in files]
    labels = os_image.labels_of(image.name, root, str(image.major), image.built_from, *contents)
    if os_image.is_current(engine, image.name, labels):
        return False
    with tempfile.TemporaryDirectory() as folder, os_image.pulled(engine, image.registry_name) as is_there:
        context = Path(folder)
        if is_there:
            say(f"making the image {image.name} from {image.registry_name}")
            (context / "Dockerfile").write_text(f"FROM {image.registry_name}\n", encoding="utf-8")
        else:
            say(f"building the image {image.name} from the distribution's packages")
            shutil.copytree(image.source, context, dirs_exist_ok=True)
        arguments = {} if is_there else {"OS_IMAGE": image.built_from, "MAJOR": str(image.major)}
        os_image.build(engine, image.name, context, labels, arguments=arguments)
    return True
