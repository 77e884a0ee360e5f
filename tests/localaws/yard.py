"""Checkouts to start emulators in, with a fake emulator and a fake engine."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from deploylib.localaws import emulator
from deploylib.toolchain import python_environment
from deploylib.toolchain.engine import Engine
from tests.localaws import fake_emulator

if TYPE_CHECKING:
    from deploylib.localaws.instance import LocalAws
    from tests.toolchain.fake_engine import FakeEngine

ANSWERS = shlex.join(("exec", sys.executable, "-I", "-S", str(Path(fake_emulator.__file__)))) + ' "$@"'
ACCOUNT_ID = "111122223333"


class Yard:
    def __init__(self, root: Path, fake: FakeEngine) -> None:
        self.root = root
        self.fake = fake
        self.checkouts: list[Path] = []
        self.checkout = self.new_checkout("shop")

    @property
    def engine(self) -> Engine:
        return Engine(
            host=self.fake.host, program="docker", name="docker", version="20.10.24", bridge_address="172.17.0.1"
        )

    def new_checkout(self, name: str) -> Path:
        checkout = self.root / name
        self.checkouts.append(checkout)
        self.install_emulator(ANSWERS, checkout)
        return checkout

    def install_emulator(self, script: str, checkout: Path | None = None) -> None:
        """Let the emulator's Python be the shell *script*."""
        path = python_environment.emulator(checkout or self.checkout).python
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        path.chmod(0o755)

    def up(self, name: str = emulator.NAME, *, checkout: Path | None = None) -> LocalAws:
        return emulator.up(checkout or self.checkout, engine=self.engine, name=name, account_id=ACCOUNT_ID)
