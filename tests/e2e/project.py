"""A copy of this project in a folder of its own, used as a user would: `inv …`, exit codes, printed lines."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from deploylib import serving

ROOT = Path(__file__).resolve().parents[2]
COMMAND_SECONDS = 600
VERSIONS = "examples/guestbook/migrations/versions"

# Entries are stamped by a worker, and none runs beside the empty database of the image tests.
MIGRATION = '''"""It does nothing in the image tests, and what the test wants where there are data."""

from alembic import op

revision = "9999"
down_revision = "HEAD"
branch_labels = None
depends_on = None


def upgrade():
    if op.get_bind().exec_driver_sql("SELECT count(stamped_at) FROM entry").scalar():
        BODY
'''


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """A command that ended."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """The copy: its folder, and what a user does in it."""

    path: Path

    def inv(self, *words: str, expect: int = 0, typed: str | None = None, **variables: str) -> Ran:
        """Run `inv WORDS` to its end and check its exit code."""
        done = subprocess.run(
            [sys.executable, "-m", "invoke", *words],
            cwd=self.path,
            env=self.variables(variables),
            input=typed if typed is not None else "",
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        ran = Ran(code=done.returncode, out=done.stdout, err=done.stderr)
        assert ran.code == expect, f"inv {' '.join(words)}: exit {ran.code}, expected {expect}\n{ran.text}"
        return ran

    def start(self, *words: str, **variables: str) -> subprocess.Popen[str]:
        """Start `inv WORDS` in a process group of its own, as a shell does."""
        return subprocess.Popen(
            [sys.executable, "-m", "invoke", *words],
            cwd=self.path,
            env=self.variables(variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def variables(self, more: dict[str, str]) -> dict[str, str]:
        """Return the environment of a command: this process's, without what would reach into the project.

        Nor what would make each command slower than a user's: to compile all of it every time.
        """
        apart = ("AWS_", "DEPLOY_", "PYTEST_", "PYTHONDONTWRITEBYTECODE")
        kept = {key: value for key, value in os.environ.items() if not key.startswith(apart)}
        return {**kept, "NO_COLOR": "1", **more}

    def git(self, *words: str) -> str:
        """Run git in the copy."""
        done = subprocess.run(["git", *words], cwd=self.path, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def commit(self, message: str) -> str:
        """Commit everything and return the new commit's SHA-1."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.head

    @property
    def head(self) -> str:
        """The SHA-1 of the commit that is checked out."""
        return self.git("rev-parse", "HEAD")

    def replace(self, file: str, old: str, new: str) -> None:
        """Edit *file*: the text *old* must be there."""
        path = self.path / file
        text = path.read_text()
        assert old in text, f"{old!r} is not in {file}"
        path.write_text(text.replace(old, new))

    def add_migration(self, body: str) -> None:
        """Add the migration 9999, which runs the Python statements *body* where there are data already."""
        folder = self.path / VERSIONS
        head = max(path.stem.split("_")[0] for path in folder.glob("0*.py"))
        (folder / "9999_test.py").write_text(MIGRATION.replace("HEAD", head).replace("BODY", body))

    def api_calls(self) -> list[dict[str, Any]]:
        """Return the AWS API calls that the local AWS has answered so far, oldest first."""
        log = next(iter((self.path / ".local").rglob("calls.jsonl")))
        return [one for line in log.read_text().splitlines() if (one := json.loads(line)).get("kind", "api") == "api"]


def copy_project(path: Path) -> Project:
    """Copy what git tracks (and what is new) into *path*, as one commit; the tools are shared with the original."""
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, path / name)
    for tools in (".venv", ".tools"):
        (path / tools).symlink_to(ROOT / tools)
    project = Project(path=path)
    project.git("init", "--quiet", "--initial-branch", "main")
    project.git("config", "user.name", "Test")
    project.git("config", "user.email", "test@example.com")
    project.commit("The project as it is")
    return project


@dataclass(slots=True)
class Visitor:
    """Somebody who asks the load balancer for a page again and again, and counts what went wrong."""

    url: str
    answers: int = 0
    failures: list[str] = field(default_factory=list)
    bodies: set[str] = field(default_factory=set)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._visit, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread:
            self._thread.join(15)

    def _visit(self) -> None:
        while not self._stop.is_set():
            try:
                answer = serving.fetch(self.url)
            except OSError as error:
                self.failures.append(repr(error))
                continue
            self.answers += 1
            if answer.status != 200:
                self.failures.append(f"{answer.status} {answer.body[:80]}")
            self.bodies.add(answer.body)
