"""What this machine is and may do; installing from its distribution."""

from __future__ import annotations

import os
import platform
import shutil
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deploylib import process
from deploylib.errors import ToolMissingError

if TYPE_CHECKING:
    from collections.abc import Callable

INSTALL_TIMEOUT_SECONDS = 600
_one_install_at_a_time = threading.Lock()
_lists_are_fresh = threading.Event()


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The facts that decide what setup may do by itself; tests make their own."""

    system: str
    architecture: str
    is_root: bool
    has_apt: bool
    has_systemd: bool
    processes: Path = Path("/proc")
    docker_pid_file: Path = Path("/run/docker.pid")
    docker_socket: Path = Path("/var/run/docker.sock")
    podman_socket: Path = Path("/run/podman/podman.sock")
    certificates: Path = Path("/usr/local/share/ca-certificates")

    @property
    def can_install(self) -> bool:
        """Whether packages of the distribution can be installed without asking anybody."""
        return self.is_root and self.has_apt


def this() -> Machine:
    """Return the machine that this process runs on."""
    return Machine(
        system=platform.system().lower(),
        architecture={"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine()),
        is_root=os.geteuid() == 0,
        has_apt=shutil.which("apt-get") is not None,
        has_systemd=Path("/run/systemd/system").is_dir(),
    )


def install(
    packages: tuple[str, ...],
    machine: Machine,
    say: Callable[[str], None],
    *,
    otherwise: str,
    if_offered: tuple[str, ...] = (),
) -> None:
    """Install *packages* of the distribution, or raise with the sentence *otherwise* where that is not possible.

    *if_offered* are installed too where the distribution has them: programs move between packages over time.
    """
    if not machine.can_install:
        raise ToolMissingError(otherwise, hint="then repeat `make setup`")
    with _one_install_at_a_time:
        if not _lists_are_fresh.is_set():
            _apt("update")
            _lists_are_fresh.set()
        wanted = (*packages, *filter(_is_offered, if_offered))
        say(f"installing {', '.join(wanted)} from the distribution")
        _apt("install", "-y", "--no-install-recommends", *wanted)


def _apt(*arguments: str) -> None:
    process.run(
        ("apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120", *arguments),
        env={"DEBIAN_FRONTEND": "noninteractive"},
        timeout_seconds=INSTALL_TIMEOUT_SECONDS,
    )


def _is_offered(package: str) -> bool:
    return process.run(("apt-cache", "show", "--no-all-versions", package), ok=(0, 100)).returncode == 0
