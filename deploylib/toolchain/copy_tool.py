"""What copies images from registry to registry: skopeo, else docker's buildx, else the engine (pull, tag, push).

The first two move bytes as they are, of every platform. An engine unpacks what it pulls and packs it anew: most images
come out the same, and one that does not is refused afterwards.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from deploylib.errors import DeployError
from deploylib.toolchain import engine as engines
from deploylib.toolchain import machine as machines

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from deploylib.toolchain.machine import Machine

SKOPEO = "skopeo"


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyTool:
    """A program that copies images; `variables` is what it needs in its environment to reach its engine."""

    kind: Literal["skopeo", "buildx", "engine"]
    program: str
    variables: Mapping[str, str] = field(default_factory=dict)


def find(environ: Mapping[str, str] = os.environ) -> CopyTool:
    """Return the best one that is here; raise `ToolMissingError` when there is not even an engine."""
    if skopeo := _skopeo(environ):
        return CopyTool(kind="skopeo", program=skopeo)
    engine = engines.find(environ)
    buildx = engine.name == "docker" and engines.has_buildx(environ)
    return CopyTool(kind="buildx" if buildx else "engine", program=engine.program, variables=engine.environ)


def ensure(machine: Machine, say: Callable[[str], None], *, environ: Mapping[str, str] = os.environ) -> None:
    """Install skopeo where neither it nor buildx is; without it the engine copies, so no setup fails over it."""
    if _skopeo(environ) or engines.has_buildx(environ):
        return
    lacking = "skopeo is not installed: images are promoted through the container engine, which is slower"
    if not machine.can_install:
        say(lacking)
        return
    try:
        machines.install((SKOPEO,), machine, say, otherwise=lacking)
    except DeployError as error:
        say(f"{lacking} ({str(error).splitlines()[0]})")


def _skopeo(environ: Mapping[str, str]) -> str:
    return shutil.which(SKOPEO, path=environ.get("PATH")) or ""
