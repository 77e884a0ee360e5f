"""A `docker` that keeps what it was given, says what it is told and ends as it is told."""

from __future__ import annotations

import json
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import pytest

from deploylib.images.ability import Ability
from deploylib.images.docker import Docker
from deploylib.images.parents import Parents
from deploylib.images.supplies import Supplies

if TYPE_CHECKING:
    from pathlib import Path

Kind = Literal["buildx", "buildkit", "podman", "classic"]

PROGRAM = """\
    #!/bin/sh
    record=$(dirname "$0")
    printf '%s\\n' "$*" >> "$record/calls"
    for word in "$@"; do last=$word; done
    case "$1 $2" in
      "--version ") cat "$record/version"; exit ;;
      "buildx version") test -e "$record/buildx"; exit ;;
      "buildx inspect") cat "$record/buildx"; cat "$record/trouble" >&2; test ! -s "$record/trouble"; exit ;;
      "buildx imagetools") test "$3" = inspect && { cat "$record/pushed"; exit; } ;;
      "image inspect")
        case "$4" in *RootFS*) cat "$record/layers"; exit ;; esac
        cat "$record/held-$(echo "$last" | tr / _)" 2> /dev/null; exit ;;
    esac
    printf '%s\\n' "$@" > "$record/argv"
    env > "$record/env"
    for word in "$@"; do
      case $word in --metadata-file=*) cp "$record/facts" "${word#--metadata-file=}" ;; esac
      case $word in --file=*) rm -rf "$record/given"; cp -r "$(dirname "${word#--file=}")" "$record/given" ;; esac
    done
    cat "$record/says"
    exit "$(cat "$record/code")"
"""


@dataclass(frozen=True)
class Program:
    """The program in *folder*, and what was asked of it."""

    folder: Path

    def will(self, *says: str, code: int = 0) -> None:
        """Say and end like that when it builds, pushes, pulls or tags."""
        (self.folder / "says").write_text("".join(f"{line}\n" for line in says))
        (self.folder / "code").write_text(str(code))

    def is_version(self, text: str) -> None:
        (self.folder / "version").write_text(text)

    def has_buildx(self, inspected: str, *, trouble: str = "") -> None:
        (self.folder / "buildx").write_text(inspected)
        (self.folder / "trouble").write_text(trouble)

    def holds(self, name: str, identifier: str, *digests: str) -> None:
        """Have the image *name* in the engine."""
        (self.folder / f"held-{name.replace('/', '_')}").write_text(f"{identifier} {' '.join(digests)}\n")

    def exports(self, digest: str, *, layers: list[str], pushed: dict[str, Any]) -> None:
        """Push by itself as *digest*; the engine has *layers*, the registry then the image configuration *pushed*."""
        (self.folder / "facts").write_text(json.dumps({"containerimage.digest": digest}))
        (self.folder / "layers").write_text(json.dumps(layers))
        (self.folder / "pushed").write_text(json.dumps(pushed))

    def docker(
        self, kind: Kind = "classic", given: Supplies | None = None, *, platform: str = "linux/amd64", **more: Any
    ) -> Docker:
        """Return a builder of that kind by this program."""
        able = Ability(kind=kind, program=self.path, platform=platform, **more)
        return Docker(
            ability=able, variables={}, given=given or Supplies(), parents=Parents(ability=able, variables={})
        )

    @property
    def path(self) -> str:
        return str(self.folder / "docker")

    @property
    def argv(self) -> list[str]:
        return (self.folder / "argv").read_text().splitlines()

    @property
    def environ(self) -> str:
        return (self.folder / "env").read_text()

    @property
    def calls(self) -> list[str]:
        """Every argument list so far, each in one line."""
        file = self.folder / "calls"
        return file.read_text().splitlines() if file.exists() else []

    @property
    def dockerfile(self) -> str:
        return (self.folder / "given/Dockerfile").read_text()


@pytest.fixture
def program(tmp_path: Path) -> Program:
    folder = tmp_path / "program"
    folder.mkdir()
    (folder / "docker").write_text(textwrap.dedent(PROGRAM))
    (folder / "docker").chmod(0o755)
    made = Program(folder)
    made.will()
    return made
