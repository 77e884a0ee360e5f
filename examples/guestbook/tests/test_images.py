"""The images' recipe: what goes into a role, and that nothing else does."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import jinja2
import pytest

ROOT = Path(__file__).parent.parent
ROLES = ("web", "job", "nginx")
SHARED = {"guestbook/__init__.py", "guestbook/database.py", "guestbook/task.py"}


def render(role: str) -> str:
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)  # noqa: S701  no HTML
    template = environment.from_string((ROOT / "Dockerfile.j2").read_text(encoding="utf-8"))
    return template.render(role=role, base_image="base@sha256:00")


def sources(role: str) -> set[str]:
    copies = re.findall(r"^COPY (.+) \S+$", render(role), re.MULTILINE)
    return {source for copy in copies for source in copy.split()}


def python_files(role: str) -> set[Path]:
    found = {path for source in sources(role) for path in ((ROOT / source), *(ROOT / source).rglob("*"))}
    return {path for path in found if path.suffix == ".py"}


def imported_modules(path: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    return {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}


def file_of(module: str) -> Path:
    path = ROOT / module.replace(".", "/")
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@pytest.mark.parametrize("role", ROLES)
def test_a_role_copies_files_that_exist(role: str) -> None:
    assert sources(role)
    assert [source for source in sources(role) if not (ROOT / source).exists()] == []


@pytest.mark.parametrize("role", ["web", "job"])
def test_a_role_has_every_module_that_it_imports(role: str) -> None:
    files = python_files(role)
    wanted = {file_of(m) for path in files for m in imported_modules(path) if m.split(".")[0] == "guestbook"}
    assert wanted
    assert wanted <= files


def test_a_role_shares_with_another_only_what_is_meant_to_be_shared() -> None:
    assert sources("web") & sources("job") == SHARED
    assert not sources("nginx") & (sources("web") | sources("job"))


def test_only_the_role_that_shows_the_commit_depends_on_it() -> None:
    assert [role for role in ROLES if "ARG COMMIT" in render(role)] == ["web"]
    assert render("web").rstrip().endswith("ARG COMMIT\nENV COMMIT=${COMMIT}")


@pytest.mark.parametrize("role", ROLES)
def test_no_role_runs_as_root(role: str) -> None:
    assert "\nUSER guestbook\n" in render(role)


def test_an_unknown_role_is_refused() -> None:
    with pytest.raises(jinja2.UndefinedError):
        render("cron")


def test_the_base_takes_locked_packages_only() -> None:
    lock = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    assert "://" not in lock
    pins = re.findall(r"^[a-z0-9-]+==\S+", lock, re.MULTILINE)
    assert {pin.split("==")[0] for pin in pins} >= {"alembic", "flask", "gunicorn", "psycopg", "psycopg-pool", "redis"}
