"""Is the Terraform code in order? Its format, its validity, and the modules' own tests, without any account."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from deploylib import process
from deploylib.errors import OutdatedError, ProcessError, TerraformError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SOURCE = "terraform"
NOT_COPIED = shutil.ignore_patterns(".terraform", "*.tfstate*")


def check(root: Path, program: str, variables: Mapping[str, str], say: Callable[[str], None]) -> None:
    """Check format, validate each root, run `terraform test` where there are tests.

    Works on a copy, since `init` writes beside the code. Raises `OutdatedError` for the format, `TerraformError` for
    the rest, with Terraform's own text.
    """
    _check_format(root, program)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / SOURCE
        shutil.copytree(root / SOURCE, copy, ignore=NOT_COPIED)
        roots = sorted({path.parent for path in copy.rglob("versions.tf")}, key=_length, reverse=True)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for line in pool.map(
                lambda one: _check_root(one, program, variables, name=str(one.relative_to(copy))), roots
            ):
                say(line)


def reformat(root: Path, program: str) -> None:
    """Write every file in Terraform's own format."""
    process.run([program, "fmt", "-recursive", str(root / SOURCE)])


def _length(root: Path) -> int:
    """Return about how long the tests of *root* take: the longest begins first, so that it does not end alone."""
    return sum(file.stat().st_size for file in root.rglob("*.tftest.hcl"))


def _check_format(root: Path, program: str) -> None:
    done = process.run([program, "fmt", "-check", "-recursive", "-list=true", str(root / SOURCE)], ok=(0, 3))
    if done.returncode:
        raise OutdatedError(f"not in Terraform's format: {' '.join(done.stdout.split())}", hint="inv infra.format")


def _check_root(folder: Path, program: str, variables: Mapping[str, str], *, name: str) -> str:
    started = time.monotonic()
    verb = "test" if any(folder.rglob("*.tftest.hcl")) else "validate"  # a test validates too
    try:
        process.run([program, "init", "-backend=false", "-input=false", "-no-color"], cwd=folder, env=variables)
        done = process.run([program, verb, "-no-color"], cwd=folder, env=variables)
    except ProcessError as error:
        raise TerraformError(f"{SOURCE}/{name}: {error}", hint=f"correct {SOURCE}/{name}") from error
    verdict = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else "done"
    return f"{name}: {verdict} ({time.monotonic() - started:.1f} s)"
