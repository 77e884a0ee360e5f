"""Python environments made from lock files, and made anew when the lock or the interpreter changes."""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploylib import process
from deploylib.errors import ProcessError, ToolMissingError
from deploylib.toolchain import machine as machines

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from deploylib.toolchain.machine import Machine

STAMP = "made-from"
INSTALL_TIMEOUT_SECONDS = 900


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonEnvironment:
    """A virtual environment at *path* that holds exactly what *lock* names."""

    path: Path
    lock: Path

    @property
    def python(self) -> Path:
        """The environment's own interpreter."""
        return self.path / "bin" / "python"


def development(root: Path) -> PythonEnvironment:
    """Return the environment that the Invoke tasks and the tests run in."""
    return PythonEnvironment(path=root / ".venv", lock=root / "requirements" / "dev.txt")


def emulator(root: Path) -> PythonEnvironment:
    """Return the emulator's environment: it pins botocore exactly, so it cannot share ours."""
    return PythonEnvironment(path=root / ".tools" / "emulator", lock=root / "requirements" / "emulator.txt")


def is_current(environment: PythonEnvironment) -> bool:
    """Return whether the environment is whole and made from this lock by this interpreter.

    The stamp is written last: an interrupted install has none.
    """
    try:
        stamp = (environment.path / STAMP).read_text(encoding="ascii")
    except OSError:
        return False
    return stamp == _fingerprint(environment.lock) and environment.python.exists()


def ensure(
    environment: PythonEnvironment,
    machine: Machine,
    say: Callable[[str], None],
    *,
    has_ensurepip: bool | None = None,
) -> bool:
    """Make the environment when it is missing, half made or out of date; return whether anything was done."""
    if is_current(environment):
        return False
    if not (_has_ensurepip() if has_ensurepip is None else has_ensurepip):
        _install_venv(machine, say)
    say(f"installing {environment.lock.name} into {environment.path.name}")
    shutil.rmtree(environment.path, ignore_errors=True)
    try:
        process.run((_interpreter(), "-m", "venv", str(environment.path)), timeout_seconds=INSTALL_TIMEOUT_SECONDS)
        _install(environment)
    except ProcessError as error:
        raise ToolMissingError(
            f"{environment.lock.name} could not be installed into {environment.path}:\n{error.output}",
            hint="check the connection to the Python package index, then repeat `make setup`",
        ) from error
    (environment.path / STAMP).write_text(_fingerprint(environment.lock), encoding="ascii")
    return True


def _install(environment: PythonEnvironment) -> None:
    pip = (str(environment.python), "-m", "pip", "--disable-pip-version-check", "--no-input")
    process.run(
        (*pip, "install", "--quiet", "--require-hashes", "-r", str(environment.lock)),
        timeout_seconds=INSTALL_TIMEOUT_SECONDS,
    )


def _install_venv(machine: Machine, say: Callable[[str], None]) -> None:
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    sentence = f"Python cannot make virtual environments here: install the package {package}"
    machines.install((package,), machine, say, otherwise=sentence)


def _has_ensurepip() -> bool:
    """Debian splits `ensurepip` off: `venv` is there but cannot make a usable environment."""
    return importlib.util.find_spec("ensurepip") is not None


def _interpreter() -> str:
    """Return the interpreter under any active environment: that one may be the one to be made anew."""
    return str(getattr(sys, "_base_executable", None) or sys.executable)


def _fingerprint(lock: Path) -> str:
    interpreter = f"{sys.implementation.cache_tag} {sys.base_prefix}"
    return hashlib.sha256(lock.read_bytes() + interpreter.encode()).hexdigest()
