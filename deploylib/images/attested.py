"""An image with attestations, pushed by a builder apart from the engine.

Without containerd's image store the engine cannot hold an index, so it gets, and its tests run in, the plain image.
For the push the builder exports the same build once more, from the layers that it has, with the attestations. That
index gets no tag before its image is found to have the very layers of the one that was tested.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deploylib import process
from deploylib.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from deploylib.images.buildlog import Line

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """A build to push: its argument list but for where it goes, what its result is to be called, and its variables."""

    build: tuple[str, ...]
    context: Path
    reference: str
    platform: str
    variables: Mapping[str, str]

    @property
    def program(self) -> str:
        """The engine's client."""
        return self.build[0]

    @property
    def repository(self) -> str:
        """Where it goes to."""
        return self.reference.rpartition(":")[0]


def push(export: Export, facts: Path, line: Line) -> str:
    """Push the build with its attestations and return the digest of the index; *facts* is a file for the builder.

    Raises `ImageError` when its layers are not those of the engine's image, `ProcessError` when a program fails.
    """
    output = f"--output=type=image,name={export.repository},push-by-digest=true,push=true"
    argv = (*export.build, output, f"--metadata-file={facts}", str(export.context))
    process.stream(argv, line, env=export.variables)
    digest = str(json.loads(facts.read_text())["containerimage.digest"])
    exact = f"{export.repository}@{digest}"
    _refuse_other_layers(export, exact)
    tag = (export.program, "buildx", "imagetools", "create", f"--tag={export.reference}", exact)
    process.stream(tag, line, env=export.variables)
    return digest


def _refuse_other_layers(export: Export, exact: str) -> None:
    tested = _answer(export, "image", "inspect", "--format", "{{json .RootFS.Layers}}", export.reference)
    image = _answer(export, "buildx", "imagetools", "inspect", "--format", "{{json .Image}}", exact)
    image = image if "rootfs" in image else image.get(export.platform, {})
    if image.get("rootfs", {}).get("diff_ids") != tested:
        raise ImageError(
            f"{export.reference} was built a second time for its attestations, and came out with other layers than the "
            "one that was tested; it was given no tag",
            hint="repeat the command",
        )


def _answer(export: Export, *words: str) -> Any:
    return json.loads(process.run((export.program, *words), env=export.variables).stdout)
