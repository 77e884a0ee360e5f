"""The PostgreSQL image that the emulator's RDS runs: from the public registry, or made from the distribution's."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deploylib.toolchain import os_image

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploylib.toolchain.engine import Engine

ANY_MAJOR = "local/postgres:{major}"  # the emulator fills in the major version that RDS was asked for
SOURCE = Path(__file__).parent / "postgres"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseImage:
    """PostgreSQL of a major version that the distribution of the image *built_from* has."""

    name: str = "local/postgres:15"
    major: int = 15
    registry_name: str = "postgres:15"
    built_from: str = "local/debian:bookworm"


def ensure(root: Path, engine: Engine, say: Callable[[str], None], *, image: DatabaseImage = DatabaseImage()) -> bool:
    """Make the image when it is missing or its recipe changed; return whether anything was done."""
    files = sorted(path for path in SOURCE.iterdir() if path.is_file())
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
            shutil.copytree(SOURCE, context, dirs_exist_ok=True)
        arguments = {} if is_there else {"OS_IMAGE": image.built_from, "MAJOR": str(image.major)}
        os_image.build(engine, image.name, context, labels, arguments=arguments)
    return True
