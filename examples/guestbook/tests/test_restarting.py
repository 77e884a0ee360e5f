from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

FILE = Path(__file__).parent.parent / "development/restarting.py"
SPEC = importlib.util.spec_from_file_location("restarting", FILE)
assert SPEC
assert SPEC.loader
restarting = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(restarting)

NOTE = "import sys, time; open(sys.argv[1], 'a').write('x'); time.sleep(60)"


class Script:
    """Waits that are no waits: until the program has started so often, then what a developer does, then the stop."""

    def __init__(self, noted: Path, *steps: object) -> None:
        self.noted = noted
        self.steps = list(steps)
        self.starts = 1

    def __call__(self, _seconds: float) -> bool:
        while not self.noted.exists() or len(self.noted.read_text()) < self.starts:
            pass
        if not self.steps:
            return True
        step = self.steps.pop(0)
        if callable(step):
            step()
            self.starts += 1
            return False
        return False


def run(tmp_path: Path, *steps: object) -> str:
    noted = tmp_path / "noted"
    restarting.run((sys.executable, "-c", NOTE, str(noted)), tmp_path, Script(noted, *steps))
    return noted.read_text()


def test_a_program_runs_until_it_is_told_to_stop(tmp_path: Path) -> None:
    assert run(tmp_path, "look", "look") == "x"


def test_an_edit_starts_it_anew(tmp_path: Path) -> None:
    assert run(tmp_path, "look", (tmp_path / "new.py").touch) == "xx"


def test_only_python_files_count(tmp_path: Path) -> None:
    (tmp_path / "a.py").touch()
    before = restarting.snapshot(tmp_path)
    (tmp_path / "a.txt").touch()
    assert restarting.snapshot(tmp_path) == before
