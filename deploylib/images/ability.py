"""What builds on this machine, and what it can do: asked once for each command that has something to build.

Four builders, the best that is there (docs/adr/0012-builders.md):

* `buildx`: BuildKit by its own client, docker's plug-in. What it can do depends on its *driver*: the engine's own
  BuildKit (`docker`), or one of its own elsewhere.
* `buildkit`: the BuildKit inside an engine, by a docker client before 23 and `DOCKER_BUILDKIT=1`.
* `podman`: podman's own command line.
* `classic`: the builder that every docker engine has, and the only one of a newer client without its plug-in.
"""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from deploylib import process
from deploylib.errors import ToolMissingError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploylib.toolchain.engine import Engine

    Version = tuple[int, int]

ANSWER_SECONDS = 30
ANY_CODE = tuple(range(256))
CONTAINERD = "io.containerd.snapshotter.v1"
NAMED_CONTEXTS = (0, 10)  # BuildKit's version, also below
LAST_WITH_BUILDKIT_INSIDE = 22  # the docker client's major version; newer ones need the plug-in
FIRST_WITH_SECRETS = (20, 10)  # of client and engine
OF_ENGINES = ((27, (0, 14)), (26, (0, 13)), (25, (0, 12)), (24, (0, 11)), (23, (0, 10)), (20, (0, 8)))

_FIELD = re.compile(
    r"^(Name|Driver|BuildKit(?: version)?|Platforms):[ \t]*(\S.*?)[ \t]*$", re.MULTILINE | re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ability:
    """One builder. `platform` is what it builds for when nobody says.

    `buildkit` is BuildKit's version, None where there is none or it is not known (it starts with the build).
    `builder` and `driver` are buildx's names; `containerd` says that the engine keeps its images in containerd, where
    an image can be an index with attestations.
    """

    kind: Literal["buildx", "buildkit", "podman", "classic"]
    program: str
    platform: str
    buildkit: Version | None = None
    builder: str = ""
    driver: str = ""
    containerd: bool = False
    platforms: tuple[str, ...] = ()

    @property
    def has_secrets(self) -> bool:
        """Whether a build can be given secrets that no layer keeps."""
        return self.kind != "classic"

    @property
    def is_apart(self) -> bool:
        """Whether it is not the engine's: it sees no image that only the engine has."""
        return self.kind == "buildx" and self.driver not in {"", "docker"}

    @property
    def keeps_cache(self) -> bool:
        """Whether it can keep its layers in a registry."""
        return self.kind == "buildx" and (self.is_apart or self.containerd)

    @property
    def attests(self) -> bool:
        """Whether it makes attestations that can be pushed with the image."""
        return self.kind == "buildx" and (self.containerd or self.is_apart)

    @property
    def loads_attested(self) -> bool:
        """Whether the engine holds an image with its attestations; a builder apart has to push it by itself."""
        return self.attests and not self.is_apart

    @property
    def pins(self) -> bool:
        """Whether it can be told which digest a name in a Dockerfile means."""
        return self.kind == "buildx" and self.reads(NAMED_CONTEXTS)

    @property
    def name(self) -> str:
        """The builder, as a person says it."""
        version = f" {'.'.join(map(str, self.buildkit))}" if self.buildkit else ""
        return {
            "buildx": f"BuildKit{version} by buildx ({self.builder or 'default'}, driver {self.driver or 'unknown'})",
            "buildkit": f"the BuildKit{version} inside the engine",
            "podman": "podman",
            "classic": "docker's classic builder",
        }[self.kind]

    def reads(self, version: Version) -> bool:
        """Whether the Dockerfile reader of BuildKit *version* is there, as far as is known."""
        return self.kind == "podman" or (self.kind != "classic" and (self.buildkit is None or self.buildkit >= version))


def ask(engine: Engine, variables: Mapping[str, str]) -> Ability:
    """Return what builds with *engine*; a few milliseconds, and three short programs at most.

    Raises `ToolMissingError` when the engine, or the chosen builder, does not answer.
    """
    server: dict[str, Any] = engine.api.get("/version") or {}
    platform = f"{server.get('Os', 'linux')}/{server.get('Arch', 'amd64')}"
    if engine.name == "podman" and (own := _podman(engine, variables)):
        return Ability(kind="podman", program=own, platform=platform)
    if engine.name == "docker" and _succeeds((engine.program, "buildx", "version"), variables):
        return _buildx(engine, variables, platform)
    inside = engine.name == "docker" and _has_buildkit_inside(engine, variables)
    return Ability(
        kind="buildkit" if inside else "classic",
        program=engine.program,
        platform=platform,
        buildkit=_of_engine(engine.version) if inside else None,
    )


def _podman(engine: Engine, variables: Mapping[str, str]) -> str:
    """Return podman's own command line where it works on the same images as the engine's socket."""
    here = urlsplit(engine.host).scheme == "unix"
    return (shutil.which("podman", path=variables.get("PATH", os.environ.get("PATH"))) or "") if here else ""


def _buildx(engine: Engine, variables: Mapping[str, str], platform: str) -> Ability:
    argv = (engine.program, "buildx", "inspect")
    answer = process.run(argv, env=variables, ok=ANY_CODE, timeout_seconds=ANSWER_SECONDS)
    if answer.returncode:
        raise ToolMissingError(
            f"the chosen builder does not answer: {answer.stderr.strip()}", hint="docker buildx use default"
        )
    found: dict[str, str] = {}
    for key, value in _FIELD.findall(answer.stdout):  # the builder's own name comes before its nodes'
        found.setdefault(key.lower().removesuffix(" version"), value)
    return Ability(
        kind="buildx",
        program=engine.program,
        platform=platform,
        buildkit=_released(version_of(found.get("buildkit", ""))),
        builder=found.get("name", ""),
        driver=found.get("driver", ""),
        containerd=in_containerd(engine.api.get("/info") or {}),
        platforms=tuple(one.strip("* ") for one in found.get("platforms", "").split(",") if one.strip("* ")),
    )


def in_containerd(info: Mapping[str, Any]) -> bool:
    """Whether the engine that says *info* of itself keeps its images in containerd."""
    return any(CONTAINERD in pair for pair in info.get("DriverStatus") or ())


def _has_buildkit_inside(engine: Engine, variables: Mapping[str, str]) -> bool:
    argv = (engine.program, "--version")  # asks no engine
    client = version_of(process.run(argv, env=variables, timeout_seconds=ANSWER_SECONDS).stdout)
    server = version_of(engine.version)
    if client is None or server is None or client[0] > LAST_WITH_BUILDKIT_INSIDE:
        return False
    return min(client, server) >= FIRST_WITH_SECRETS


def _of_engine(version: str) -> Version:
    """Return the version of the BuildKit inside the engine *version*, at least."""
    major = (version_of(version) or (0, 0))[0]
    return next((buildkit for engine, buildkit in OF_ENGINES if major >= engine), (0, 8))


def version_of(text: str) -> Version | None:
    """Return major and minor of the first version in *text*."""
    found = re.search(r"(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else None


def _released(version: Version | None) -> Version | None:
    """Return *version*, or None for one that was built from a branch: it says 0.0."""
    return version if version and any(version) else None


def _succeeds(argv: tuple[str, ...], variables: Mapping[str, str]) -> bool:
    return process.run(argv, env=variables, ok=ANY_CODE, timeout_seconds=ANSWER_SECONDS).returncode == 0
