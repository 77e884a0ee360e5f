"""Everything in order: engine, Terraform and its provider; then the Python environments beside the OS image."""

from __future__ import annotations

import platform
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deploylib.errors import DeployError
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Toolchain:
    """What was found or made."""

    engine: Engine
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
        engine = engine_service.ensure(root, this, say)
        tool = terraform.ensure(root, this, say)
        mirror = provider_mirror.find(root, this, tool)
        environments = (python_environment.development(root), python_environment.emulator(root))
        pending: list[Future[object]] = []
        pending += [threads.submit(python_environment.ensure, each, this, say) for each in environments]
        pending.append(threads.submit(os_image.ensure, root, engine, this, say))
        pending.append(threads.submit(compose_tool.ensure, this, engine, say))
        pending.append(threads.submit(copy_tool.ensure, this, say))
        for each in pending:
            each.result()
    return Toolchain(engine=engine, terraform=tool, provider_mirror=mirror)


def _summary(tools: Toolchain) -> str:
    provider = f"AWS provider from {tools.provider_mirror or 'the public registry'}"
    engine = f"{tools.engine.name} {tools.engine.version}"
    return (
        f"Python {platform.python_version()}, {engine}, {tools.terraform.product} {tools.terraform.version}, {provider}"
    )


def _say(line: str) -> None:
    sys.stdout.write(f"setup: {line}\n")
    sys.stdout.flush()
