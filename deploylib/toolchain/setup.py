"""Everything in order: engine, Terraform and its provider; then the Python environments beside the OS image."""

from __future__ import annotations

import platform
import sys
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploylib.errors import DeployError, RefusedError, ToolMissingError
from deploylib.toolchain import (
    checkout_lock,
    compose_tool,
    copy_tool,
    engine_service,
    machine,
    os_image,
    provider_mirror,
    python_environment,
    terraform,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from deploylib.toolchain.engine import Engine
    from deploylib.toolchain.machine import Machine
    from deploylib.toolchain.terraform import Terraform

ROOT = Path(__file__).resolve().parents[2]
INTERRUPTED = 130
NO_ENGINE = "no container engine, and none is needed: CodeBuild builds the images. inv local.* and inv dev.* need one: \
install and start Docker or podman, then make setup"


@dataclass(frozen=True, slots=True, kw_only=True)
class Toolchain:
    """What was found or made. There may be no engine where CodeBuild builds the images."""

    engine: Engine | None
    terraform: Terraform
    provider_mirror: Path | None


def main() -> int:
    """Set this checkout up and say, in one line, what it will use."""
    started = time.monotonic()
    try:
        tools = ensure(ROOT, machine.this(), _say)
    except DeployError as error:
        sys.stderr.write(f"setup: {error}\n" + (f"  next: {error.hint}\n" if error.hint else ""))
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("setup: interrupted; repeat `make setup` to go on\n")
        return INTERRUPTED
    _say(f"ready after {time.monotonic() - started:.1f} s: {_summary(tools)}")
    return 0


def ensure(root: Path, this: Machine, say: Callable[[str], None]) -> Toolchain:
    """Make sure that all of it is there: first what may be refused, then the slow things side by side."""
    with checkout_lock.locked(root, say), ThreadPoolExecutor() as threads:
        engine = _engine(root, this, say)
        tool = terraform.ensure(root, this, say)
        mirror = provider_mirror.find(root, this, tool)
        environments = (python_environment.development(root), python_environment.emulator(root))
        pending: list[Future[object]] = []
        pending += [threads.submit(python_environment.ensure, each, this, say) for each in environments]
        if engine:
            pending.append(threads.submit(os_image.ensure, root, engine, this, say))
            pending.append(threads.submit(compose_tool.ensure, this, engine, say))
        pending.append(threads.submit(copy_tool.ensure, this, say))
        for each in pending:
            each.result()
    return Toolchain(engine=engine, terraform=tool, provider_mirror=mirror)


def _engine(root: Path, this: Machine, say: Callable[[str], None]) -> Engine | None:
    """Return an engine that answers; where CodeBuild builds the images, none is installed or started for that."""
    if not _builds_elsewhere(root):
        return engine_service.ensure(root, this, say)
    try:
        return engine_service.answering(this)
    except (ToolMissingError, RefusedError):
        say(NO_ENGINE)
        return None


def _builds_elsewhere(root: Path) -> bool:
    """Whether an environment leaves its images to CodeBuild, and no image has tests, which run here."""
    tables = [_images(file) for file in (root / "environments").glob("*.toml")]
    roles = [role for one in tables if isinstance(one.get("roles"), dict) for role in one["roles"].values()]
    tested = any(isinstance(role, dict) and "test" in role for role in roles)
    return not tested and any(one.get("engine") == "codebuild" for one in tables)


def _images(file: Path) -> dict[str, Any]:
    """Return what *file* says of images; of a file that cannot be read, others complain."""
    try:
        found = tomllib.loads(file.read_text(encoding="utf-8")).get("images")
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _summary(tools: Toolchain) -> str:
    provider = f"AWS provider from {tools.provider_mirror or 'the public registry'}"
    engine = f"{tools.engine.name} {tools.engine.version}" if tools.engine else "no container engine"
    return (
        f"Python {platform.python_version()}, {engine}, {tools.terraform.product} {tools.terraform.version}, {provider}"
    )


def _say(line: str) -> None:
    sys.stdout.write(f"setup: {line}\n")
    sys.stdout.flush()
