"""What a build elsewhere is given."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from deploylib.config import RoleImage
from deploylib.errors import ImageError
from deploylib.images import archive
from deploylib.images.recipe import Recipe, recipes
from deploylib.images.upstream import nobody
from tests.images.kitchen import CLEAN, environment, write

if TYPE_CHECKING:
    from pathlib import Path

BASE = "localhost:4566/shop@sha256:" + "ab" * 32


def recipe(root: Path, page: str = "print()\n") -> Recipe:
    write(root, Dockerfile="FROM scratch\nCOPY bin lib /srv/\n", notes_txt="nobody copies this\n")
    write(root, bin__run="#!/bin/sh\n", bin__page_py=page, lib__deep__er__one_py="1\n")
    (root / "bin/run").chmod(0o700)
    (root / "bin/page.py").chmod(0o600)
    if not (root / "lib/link").is_symlink():
        (root / "lib/link").symlink_to("deep/er/one.py")
    return recipes(environment(root, base=None, roles={"app": RoleImage(dockerfile="Dockerfile")}), CLEAN, nobody)[0]


def written(one: Recipe, buildspec: str = "version: 0.2\n") -> tuple[bytes, str]:
    target = io.BytesIO()
    digest = archive.write(target, one, BASE, buildspec=buildspec)
    return target.getvalue(), digest


def test_it_holds_the_files_that_the_image_takes_and_no_others(tmp_path: Path) -> None:
    content, _ = written(recipe(tmp_path))
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        assert packed.namelist() == ["buildspec.yml", "Dockerfile", "Dockerfile.dockerignore", "context.tar"]
        assert packed.read("buildspec.yml") == b"version: 0.2\n"
        with tarfile.open(fileobj=io.BytesIO(packed.read("context.tar"))) as tar:
            found = {one.name: (one.mode, one.linkname) for one in tar}
    assert found == {
        "bin/page.py": (0o644, ""),
        "bin/run": (0o755, ""),
        "lib/deep/er/one.py": (0o644, ""),
        "lib/link": (0o777, "deep/er/one.py"),
    }


def test_the_dockerfile_is_the_one_that_is_built_here_with_its_labels(tmp_path: Path) -> None:
    one = recipe(tmp_path)
    content, _ = written(one)
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        text = packed.read("Dockerfile").decode()
    assert text == one.written_on(BASE)
    assert f"deploylib.fingerprint={one.fingerprint}" in text.replace('"', "")


def test_the_same_files_make_the_same_bytes_wherever_they_are_and_however_old(tmp_path: Path) -> None:
    first, second = recipe(tmp_path / "a"), recipe(tmp_path / "b")
    os.utime(tmp_path / "b/bin/run", (1, 1))
    about = {key: value for key, value in first.about.items() if "created" not in key}
    same = [written(Recipe(**{**fields(one), "about": about})) for one in (first, second)]
    assert same[0] == same[1]


def fields(one: Recipe) -> dict[str, Any]:
    return {name: getattr(one, name) for name in one.__dataclass_fields__}


def test_another_content_is_another_archive(tmp_path: Path) -> None:
    assert written(recipe(tmp_path / "a"))[1] != written(recipe(tmp_path / "b", page="print(2)\n"))[1]


def test_a_file_that_changes_meanwhile_is_refused(tmp_path: Path) -> None:
    one = recipe(tmp_path)
    write(tmp_path, bin__page_py="print(2)\n")
    with pytest.raises(ImageError, match=r"bin/page\.py was changed while"):
        written(one)
