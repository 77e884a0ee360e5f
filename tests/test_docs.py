"""The documentation says what is: its links lead somewhere, its commands and keys exist."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from deploylib import config, errors

ROOT = Path(__file__).resolve().parents[1]
PAGES = (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("README.md"))


def page_id(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.fixture(scope="module")
def tasks() -> set[str]:
    """What `inv --list` names."""
    done = subprocess.run(
        [sys.executable, "-m", "invoke", "--list"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(re.findall(r"^  (\S+)", done.stdout, re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if not link.startswith(("http://", "https://", "mailto:")):
            assert (page.parent / link).exists(), link


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_command_exists(page: Path, tasks: set[str]) -> None:
    named = set(re.findall(r"\binv ([a-z]+(?:\.[a-z]+(?:-[a-z]+)*)?)\b", page.read_text()))
    assert named <= tasks, named - tasks


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_make_target_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z][a-z0-9-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z][a-z0-9-]*)", page.read_text()))
    assert named <= targets, named - targets


def test_every_task_has_a_description_of_one_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "invoke", "--list"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()[2:]
    assert [line for line in lines if line.strip() and not re.match(r"^  \S+ +\S", line)] == []


def test_list_does_not_load_what_only_a_command_needs() -> None:
    code = (
        "import sys; sys.argv = ['inv', '--list']\n"
        "from invoke.main import program\n"
        "try:\n    program.run()\n"
        "finally:\n    print(sorted({'boto3', 'botocore', 'pydantic', 'rich', 'jinja2'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == "[]"


def test_exit_codes_in_the_architecture_are_those_of_the_errors() -> None:
    text = (ROOT / "docs/architecture.md").read_text()
    section = text.split("## Exit codes", 1)[1]
    documented = {int(code) for code in re.findall(r"(?:^|· )\n?(\d+) ", section, re.MULTILINE)}
    leaves: list[type[errors.DeployError]] = [errors.DeployError, *errors.DeployError.__subclasses__()]
    assert {leaf.exit_code for leaf in leaves} <= documented | {1}


def test_every_key_of_an_environment_is_documented() -> None:
    text = (ROOT / "docs/environments.md").read_text()
    for name in config.names(ROOT):
        for key in config.origins(ROOT, name):
            first, _, rest = key.partition(".")
            if first != "terraform":
                assert re.search(rf"`{first}\.|`{first}`", text), key
                assert rest.split(".")[0] in text, key
