"""A fake Terraform on disk, and what a test wants to know of its calls."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploylib.infra.runner import Terraform

if TYPE_CHECKING:
    from collections.abc import Callable

FAKE = Path(__file__).with_name("fake_terraform.py")
BOX = "╷\n│ Error: {summary}\n│ \n│ {detail}\n╵\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class StandIn:
    """The program, and the file of its answers."""

    program: str
    scenario: Path

    @classmethod
    def install(cls, folder: Path) -> StandIn:
        folder.mkdir()
        program = folder / "terraform"
        program.write_text(
            f"#!{sys.executable} -SE\nimport runpy\nrunpy.run_path({str(FAKE)!r}, run_name='__main__')\n"
        )
        program.chmod(0o755)
        stand_in = cls(program=str(program), scenario=folder / "scenario.json")
        stand_in.answer()
        return stand_in

    @property
    def variables(self) -> dict[str, str]:
        return {"FAKE_TERRAFORM": str(self.scenario)}

    @property
    def calls(self) -> list[dict[str, Any]]:
        record = self.scenario.with_suffix(".calls")
        return [json.loads(line) for line in record.read_text().splitlines()] if record.exists() else []

    @property
    def commands(self) -> list[str]:
        return [call["argv"][0] for call in self.calls]

    def answer(self, **commands: list[dict[str, Any]]) -> None:
        self.scenario.write_text(json.dumps({name.replace("_", "-"): answers for name, answers in commands.items()}))

    def terraform(self, folder: Path, line: Callable[[str], None] = print, **options: Any) -> Terraform:
        return Terraform(folder, program=self.program, variables=self.variables, line=line, **options)


def error(summary: str, detail: str = "", *, code: int = 1) -> dict[str, Any]:
    """Return the answer of a command that fails as Terraform does."""
    boxed = detail.replace("\n", "\n│ ")
    return {"code": code, "stderr": BOX.format(summary=summary, detail=boxed)}
