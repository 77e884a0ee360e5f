"""One image from one registry to another, as it is, by a program that is made for it.

The log-ins to both are in files that only their owner can read and that are gone afterwards, never in an argument
list. Whether the bytes are the same is looked at by whoever asked for the copy.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from deploylib import process
from deploylib.errors import ImageError, ProcessError
from deploylib.images import distribution, reference
from deploylib.images.login import PODMANS_CONFIG
from deploylib.toolchain import copy_tool

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploylib.toolchain.copy_tool import CopyTool

LAST_LINES = 5
POLICIES = (Path("/etc/containers/policy.json"), Path("~/.config/containers/policy.json"))


class Copier(Protocol):
    """What copies an image between registries."""

    def copy(self, source: str, repository: str, *, tag: str) -> None:
        """Copy *source*, a reference by digest, into *repository*, under the same digest or under *tag*.

        Raises `ImageError` with the last lines of what the program said.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Skopeo:
    """skopeo: every platform, every byte, and only the layers that are missing."""

    program: str
    logins: Path

    def copy(self, source: str, repository: str, *, tag: str) -> None:  # noqa: ARG002  # it needs none
        """Copy by digest: the registry itself refuses other bytes, and no name is taken before all are there."""
        digest = source.rpartition("@")[2]
        argv = (
            self.program,
            *_policy(),
            "copy",
            *("--all", "--preserve-digests", "--quiet", "--retry-times=2"),
            f"--src-authfile={self.logins}",
            f"--dest-authfile={self.logins}",
            *(["--src-tls-verify=false"] if _is_local(source) else []),
            *(["--dest-tls-verify=false"] if _is_local(repository) else []),
            f"docker://{source}",
            f"docker://{repository}@{digest}",
        )
        _run(argv, {}, source)


@dataclass(frozen=True, slots=True, kw_only=True)
class Buildx:
    """docker's buildx: every platform, every byte; an image needs a tag to be pushed under."""

    program: str
    variables: Mapping[str, str]

    def copy(self, source: str, repository: str, *, tag: str) -> None:
        """Copy under *tag*."""
        argv = (self.program, "buildx", "imagetools", "create", f"--tag={repository}:{tag}", source)
        _run(argv, self.variables, source)


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """The container engine: it pulls, names and pushes, for its own platform only."""

    program: str
    variables: Mapping[str, str]

    def copy(self, source: str, repository: str, *, tag: str) -> None:
        """Copy under *tag*; what was pulled stays with the engine, the name that was pushed does not."""
        pushed = f"{repository}:{tag}"
        _run((self.program, "pull", "--quiet", source), self.variables, source)
        _run((self.program, "tag", source, pushed), self.variables, source)
        try:
            _run((self.program, "push", pushed), self.variables, source)
        finally:
            _run((self.program, "image", "rm", pushed), self.variables, source)


def connect(login: Mapping[str, str], tool: CopyTool | None = None) -> Copier:
    """Return what copies on this machine, with *login*, the environment that `login.logged_in` yields."""
    tool = tool or copy_tool.find()
    if tool.kind == "skopeo":
        return Skopeo(program=tool.program, logins=Path(login["DOCKER_CONFIG"], PODMANS_CONFIG))
    variables = {**tool.variables, **login}
    if tool.kind == "buildx":
        return Buildx(program=tool.program, variables=variables)
    return Engine(program=tool.program, variables=variables)


def _run(argv: tuple[str, ...], variables: Mapping[str, str], source: str) -> None:
    try:
        process.run(argv, env=variables)
    except ProcessError as error:
        said = "\n".join(error.output.strip().splitlines()[-LAST_LINES:])
        raise ImageError(
            f"{source} was not copied (exit code {error.returncode})\n{said}".rstrip(),
            hint="does the registry answer? Then repeat the command: what has arrived is not copied again",
        ) from error


def _is_local(name: str) -> bool:
    return distribution.is_local(reference.parse(name).domain)


def _policy() -> tuple[str, ...]:
    """Without any signature policy skopeo refuses everything; one that this machine has is honoured."""
    return () if any(one.expanduser().is_file() for one in POLICIES) else ("--insecure-policy",)
