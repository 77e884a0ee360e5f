"""Python environments made from lock files, and made anew when the lock or the interpreter changes."""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import sys
import threading
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
_one_look_at_a_time = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonEnvironment:
    """A virtual environment in the folder *name* of the checkout that holds exactly what *lock* names."""

    root: Path
    name: str
    lock: str

    @property
    def path(self) -> Path:
        """The environment's folder."""
        return self.root / self.name

    @property
    def lock_file(self) -> Path:
        """The file with the exact versions and their hashes."""
        return self.root / "requirements" / self.lock

    @property
    def python(self) -> Path:
        """The environment's own interpreter."""
        return self.path / "bin" / "python"


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """The Python that environments are made with."""

    program: str
    has_ensurepip: Callable[[], bool]


def this_interpreter() -> Interpreter:
    """Return the interpreter under any active environment: that one may be the one to be made anew."""
    return Interpreter(
        program=str(getattr(sys, "_base_executable", None) or sys.executable),
        has_ensurepip=lambda: importlib.util.find_spec("ensurepip") is not None,
    )


def development(root: Path) -> PythonEnvironment:
    """Return the environment that the Invoke tasks and the tests run in."""
    return PythonEnvironment(root=root, name=".venv", lock="dev.txt")


def emulator(root: Path) -> PythonEnvironment:
    """Return the emulator's environment: it pins botocore exactly, so it cannot share ours."""
    return PythonEnvironment(root=root, name=".tools/emulator", lock="emulator.txt")


def policy(root: Path) -> PythonEnvironment:
    """Return the environment of what judges the Terraform code: large, and made only when that is asked for."""
    return PythonEnvironment(root=root, name=".tools/policy", lock="policy.txt")


def is_current(environment: PythonEnvironment) -> bool:
    """Return whether the environment is whole and made from this lock by this interpreter.

    The stamp is written last: an interrupted install has none.
    """
    try:
        stamp = (environment.path / STAMP).read_text(encoding="ascii")
    except OSError:
        return False
    return stamp == fingerprint(environment.lock_file) and environment.python.exists()


def ensure(
    environment: PythonEnvironment,
    machine: Machine,
    say: Callable[[str], None],
    *,
    interpreter: Interpreter | None = None,
) -> bool:
    """Make the environment when it is missing, half made or out of date; return whether anything was done."""
    if is_current(environment):
        return False
    interpreter = interpreter or this_interpreter()
    _ensure_venv(interpreter, machine, say)
    say(f"installing {environment.lock} into {environment.name}")
    shutil.rmtree(environment.path, ignore_errors=True)
    try:
        process.run((interpreter.program, "-m", "venv", str(environment.path)), timeout_seconds=INSTALL_TIMEOUT_SECONDS)
        _install(environment)
    except ProcessError as error:
        raise ToolMissingError(
            f"{environment.lock} could not be installed into {environment.path}:\n{error.output}",
            hint="check the connection to the Python package index, then repeat `make setup`",
        ) from error
    (environment.path / STAMP).write_text(fingerprint(environment.lock_file), encoding="ascii")
    return True


def _install(environment: PythonEnvironment) -> None:
    pip = (str(environment.python), "-m", "pip", "--disable-pip-version-check", "--no-input")
    process.run(
        (*pip, "install", "--quiet", "--require-hashes", "-r", str(environment.lock_file)),
        timeout_seconds=INSTALL_TIMEOUT_SECONDS,
    )


def _ensure_venv(interpreter: Interpreter, machine: Machine, say: Callable[[str], None]) -> None:
    """Debian splits `ensurepip` off: `venv` is there but cannot make a usable environment."""
    with _one_look_at_a_time:
        importlib.invalidate_caches()
        if not interpreter.has_ensurepip():
            package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
            sentence = f"Python cannot make virtual environments here: install the package {package}"
            machines.install((package,), machine, say, otherwise=sentence)


def fingerprint(lock: Path) -> str:
    """Return what changes when the environment has to be made anew."""
    interpreter = f"{sys.implementation.cache_tag} {sys.base_prefix}"
    return hashlib.sha256(lock.read_bytes() + interpreter.encode()).hexdigest()
