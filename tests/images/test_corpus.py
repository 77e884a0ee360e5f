"""Dockerfiles of every kind: what changes their fingerprint, and what must not."""

from __future__ import annotations

import os
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from deploylib.config import RoleImage
from deploylib.images.recipe import recipes
from deploylib.images.upstream import nobody
from tests.images.kitchen import CLEAN, environment

if TYPE_CHECKING:
    from collections.abc import Callable

CASES: dict[str, Any] = tomllib.loads((Path(__file__).parents[1] / "cases/fingerprints.toml").read_text())
FILES = (
    *("a.txt", "b.txt", "run.sh", "with space.txt", "dirt.txt"),
    *("dir/c.txt", "dir/e.txt", "dir/deep/d.txt", "dir/deep/other.txt"),
)


def context(root: Path, case: dict[str, Any]) -> Path:
    for name in FILES:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{name}\n")
    (root / "run.sh").chmod(0o755)
    (root / "link").symlink_to("dir/c.txt")
    (root / "Dockerfile").write_text(case["dockerfile"])
    if "ignore" in case:
        (root / ".dockerignore").write_text(case["ignore"])
    return root


def fingerprint(root: Path, **build_args: str) -> str:
    role = RoleImage(dockerfile="Dockerfile", build_args=build_args)
    return recipes(environment(root, base=None, roles={"app": role}), CLEAN, nobody)[0].fingerprint


def each(what: str) -> list[tuple[str, str]]:
    return [(case, name) for case, found in CASES.items() for name in found[what]]


def one_byte_more(root: Path, name: str) -> None:
    with (root / name).open("a") as file:
        file.write("\n")


@pytest.mark.parametrize(("case", "name"), each("changes"))
def test_a_byte_of_what_is_taken_changes_it(tmp_path: Path, case: str, name: str) -> None:
    before = fingerprint(context(tmp_path, CASES[case]))
    one_byte_more(tmp_path, name)
    assert fingerprint(tmp_path) != before


@pytest.mark.parametrize(("case", "name"), each("keeps"))
def test_a_byte_of_anything_else_does_not(tmp_path: Path, case: str, name: str) -> None:
    before = fingerprint(context(tmp_path, CASES[case]))
    one_byte_more(tmp_path, name)
    assert fingerprint(tmp_path) == before


@pytest.mark.parametrize("case", CASES)
def test_another_path_other_times_modes_and_order_of_files_do_not(tmp_path: Path, case: str) -> None:
    one, two = tmp_path / "one", tmp_path / "another/place"
    context(one, CASES[case])
    shutil.copytree(one, two, symlinks=True)
    for path in sorted(two.rglob("*"), reverse=True):  # made again last to first: the file system lists them otherwise
        if path.is_file() and not path.is_symlink():
            text, mode = path.read_bytes(), path.stat().st_mode
            path.unlink()
            path.write_bytes(text)
            path.chmod(mode & 0o700)
            os.utime(path, (1, 1))
    (two / "empty folder").mkdir()
    assert fingerprint(one) == fingerprint(two)


def test_another_owner_does_not(tmp_path: Path) -> None:
    before = fingerprint(context(tmp_path, CASES["a file"]))
    given_to = 1234 if os.geteuid() == 0 else -1  # only root may give files away
    os.chown(tmp_path / "a.txt", given_to, given_to)
    assert fingerprint(tmp_path) == before


def test_a_clone_has_the_fingerprint_of_its_origin(tmp_path: Path) -> None:
    origin = context(tmp_path / "origin", CASES["the whole context, the Dockerfile in it"])
    (origin / ".dockerignore").write_text(".git\n")

    def git(*words: str) -> None:
        person = ("-c", "user.name=a", "-c", "user.email=a@example.com")
        subprocess.run(["git", *person, *words], cwd=origin, check=True, capture_output=True)

    git("init")
    git("add", ".")
    git("commit", "-m", "all")
    git("clone", ".", str(tmp_path / "clone"))
    assert fingerprint(tmp_path / "clone") == fingerprint(origin)


def _executable(root: Path) -> None:
    (root / "a.txt").chmod(0o755)


def _no_longer_executable(root: Path) -> None:
    (root / "run.sh").chmod(0o644)


def _pointing_elsewhere(root: Path) -> None:
    (root / "link").unlink()
    (root / "link").symlink_to("a.txt")


def _a_comment_more(root: Path) -> None:
    one_byte_more(root, "Dockerfile")


@pytest.mark.parametrize("change", [_executable, _no_longer_executable, _pointing_elsewhere, _a_comment_more])
def test_the_executable_bit_a_link_and_the_dockerfile_change_it(tmp_path: Path, change: Callable[[Path], None]) -> None:
    before = fingerprint(context(tmp_path, CASES["the whole context, the Dockerfile in it"]))
    change(tmp_path)
    assert fingerprint(tmp_path) != before


def test_a_build_argument_changes_it_and_also_what_it_is_in(tmp_path: Path) -> None:
    context(tmp_path, CASES["a variable in FROM and one in COPY"])
    values = [fingerprint(tmp_path), fingerprint(tmp_path, TAG="2"), fingerprint(tmp_path, WHAT="dir/deep")]
    assert len(set(values)) == 3
