"""A machine of one's own for a test: its facts, a folder of programs, what they were called with, what was said."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploylib.toolchain.machine import Machine

if TYPE_CHECKING:
    from pathlib import Path


@dataclass
class Stage:
    root: Path
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for folder in (self.bin, self.checkout, self.home):
            folder.mkdir(parents=True, exist_ok=True)

    @property
    def bin(self) -> Path:
        return self.root / "bin"

    @property
    def checkout(self) -> Path:
        return self.root / "co"

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def environ(self) -> dict[str, str]:
        return {"PATH": str(self.bin), "HOME": str(self.home)}

    def machine(
        self, *, is_root: bool = True, has_apt: bool = False, has_systemd: bool = False, system: str = "linux"
    ) -> Machine:
        return Machine(
            system=system,
            architecture="amd64",
            is_root=is_root,
            has_apt=has_apt,
            has_systemd=has_systemd,
            processes=self.root / "proc",
            docker_pid_file=self.root / "docker.pid",
            docker_socket=self.root / "docker.sock",
            podman_socket=self.root / "podman.sock",
            certificates=self.root / "certificates",
        )

    def program(self, name: str, script: str = "", *, folder: Path | None = None) -> Path:
        """Put a program on PATH that notes its arguments and then runs the shell *script*."""
        path = (folder or self.bin) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        note = f'echo "{name} $*" >> {shlex.quote(str(self.root / "calls"))}'
        path.write_text(f"#!/bin/sh\n{note}\n{script}\n", encoding="utf-8")
        path.chmod(0o755)
        return path

    def python_program(self, name: str, *arguments: str) -> None:
        """Put a program on PATH that becomes Python running *arguments*."""
        self.program(name, f"exec {shlex.join((sys.executable, '-I', '-S', *arguments))}")

    @property
    def calls(self) -> list[str]:
        path = self.root / "calls"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    def say(self, line: str) -> None:
        self.said.append(line)
