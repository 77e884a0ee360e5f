"""No value is ever printed: the commands as a user runs them, with every logger talking."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fakes.account import FakeAccount
from tests.settings.endpoint import served

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
CONFIG = """[profile fake]
region = ap-northeast-1
aws_access_key_id = AKIAEXAMPLE
aws_secret_access_key = example
endpoint_url = {url}
"""
COMMON = '[app]\nname = "guestbook"\npath = "."\n[images.roles.web]\ndockerfile = "Dockerfile"\n'
ACCOUNT = '[account]\nid = "111111111111"\nregion = "ap-northeast-1"\nprofile = "fake"\nconfig_file = "aws.ini"\n'
SECRETS = {f"SETTING_{number}": f"s3cret-{number}-{'x' * (number % 40)}" for number in range(198)}
MULTILINE = "-----BEGIN s3cret KEY-----\ns3cret-line\n-----END s3cret KEY-----"
SHOWN = "s3cret"


@dataclass(frozen=True, slots=True)
class Shell:
    """A project in a folder of its own. `said` is all that was printed so far, on both streams."""

    path: Path
    said: list[str]

    def inv(self, *words: str, typed: str = "", expect: int = 0, **variables: str) -> str:
        """Run `inv --debug WORDS`, check its exit code, and return its standard output."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "DEPLOY_", "PYTEST_"))}
        done = subprocess.run(
            [sys.executable, "-m", "invoke", "--debug", *words],
            cwd=self.path,
            env={**kept, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", "AWS_EC2_METADATA_DISABLED": "true", **variables},
            input=typed,
            capture_output=True,
            text=True,
            check=False,
        )
        self.said.append(done.stdout + done.stderr)
        assert done.returncode == expect, self.said[-1]
        return done.stdout


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    with served(FakeAccount()) as url:
        (tmp_path / "environments").mkdir()
        (tmp_path / "aws.ini").write_text(CONFIG.format(url=url))
        (tmp_path / "environments" / "common.toml").write_text(COMMON)
        (tmp_path / "environments" / "stg.toml").write_text("default = true\n" + ACCOUNT)
        (tmp_path / "environments" / "prd.toml").write_text("protected = true\n" + ACCOUNT)
        shutil.copy(ROOT / "tasks.py", tmp_path)
        yield Shell(tmp_path, [])


def test_two_hundred_lines_are_imported_in_one_table_and_no_value_is_ever_printed(shell: Shell) -> None:
    lines = [f"{name}={value}" for name, value in SECRETS.items()]
    (shell.path / ".env").write_text("\n".join([*lines, f'PEM="{MULTILINE}"', "EMPTY="]) + "\n")
    (shell.path / "other").write_text("s3cret-other\n")
    (shell.path / "bad.env").write_text("A=s3cret-a\nB s3cret-b\nC='s3cret-c\nA=s3cret-d\nD=s3cret {{s3cret-e}}\n")

    into_prd = ("params.import", "--env", "prd", "--prefix", "PRD_", "--yes", "--confirm", "prd")
    several = shell.inv(
        *("params.import", "--file", ".env", "--yes"),
        *("params.import", "--file", "-"),
        *("params.list", *into_prd),
        *("params.diff", "--with", "prd", "params.get", "PEM"),
        *("params.set", "PEM", "--file", "other", "params.rm", "PEM", "--allow-used", "--yes"),
        typed=(shell.path / ".env").read_text(),
        PRD_PEM=MULTILINE,
        PRD_SALT="s3cret-salt",
    )
    first, second, listed, prd, compared, shown, changed = (
        part for part in re.split(r"(?m)^(?=\S+ → |Settings of |stg)", several) if part.strip()
    )
    assert first.count("why") == 1, "there is one table"
    assert [line.split()[:2] for line in first.splitlines() if "SETTING_197" in line] == [["SETTING_197", "create"]]
    assert "Plan: 199 to create, 1 to leave out" in first
    assert "199 written" in first
    assert "Plan: 199 to keep, 1 to leave out" in second
    assert "written" not in second
    assert {line.split()[2] for line in listed.splitlines() if "SETTING_" in line} == {"1"}, "nothing is written twice"
    assert "Plan: 2 to create" in prd
    assert [line.split() for line in compared.splitlines() if "PEM" in line] == [["PEM", "equal"]]
    assert "(hidden)" in shown
    assert [line.split()[:3] for line in changed.splitlines() if "PEM" in line] == [["PEM", "update", "other"]]
    assert "removed 1" in changed

    shell.inv("params.import", "--file", "bad.env", expect=2)

    assert not [text for text in shell.said if SHOWN in text.lower()], "a value was printed"
    assert all("invoke" in text.lower() for text in shell.said), "the loggers were silent: this test proves nothing"
