from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploylib.images.context import Context, ContextFile
from deploylib.images.fingerprint import Ingredients
from deploylib.images.patterns import parse_ignore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BREAD = Ingredients(
    platform="linux/amd64",
    dockerfile="FROM scratch\n",
    arguments=(("A", "1"), ("B", "2")),
    parents=(("debian:12", "sha256:00"),),
    refreshed="2026-01-31T00:00:00Z",
    files=(
        ContextFile(path="a", kind="file", content="00"),
        ContextFile(path="b", kind="link", content="a"),
    ),
)


def test_the_manifest_is_what_the_documentation_says() -> None:
    sha = hashlib.sha256(b"FROM scratch\n").hexdigest()
    assert BREAD.manifest == (
        '["deploylib-fingerprint",2]\n'
        '["platform","linux/amd64"]\n'
        f'["dockerfile","{sha}"]\n'
        '["argument","A","1"]\n'
        '["argument","B","2"]\n'
        '["parent","debian:12","sha256:00"]\n'
        '["refreshed","2026-01-31T00:00:00Z"]\n'
        '["file","file","00","a"]\n'
        '["file","link","a","b"]\n'
    )
    assert BREAD.fingerprint == hashlib.sha256(BREAD.manifest.encode()).hexdigest()


def test_the_fingerprint_of_a_known_image_stays_what_it_was() -> None:
    """Another number here means that every image of every user is built again: only with a new VERSION."""
    assert BREAD.fingerprint == "588c611829aa10404bec3e822f148b539541e0d0a9db084dc7ac87611c3b93ae"


@pytest.mark.parametrize(
    "other",
    [
        replace(BREAD, platform="linux/arm64"),
        replace(BREAD, dockerfile="FROM scratch\n\n"),
        replace(BREAD, arguments=(("A", "1"),)),
        replace(BREAD, arguments=(("A", "2"), ("B", "1"))),
        replace(BREAD, arguments=(("A", "1"), ("B", "2"), ("C", ""))),
        replace(BREAD, parents=(("debian:12", "sha256:01"),)),
        replace(BREAD, parents=()),
        replace(BREAD, refreshed=""),
        replace(BREAD, files=BREAD.files[:1]),
        replace(BREAD, files=(replace(BREAD.files[0], kind="executable"), BREAD.files[1])),
        replace(BREAD, files=(replace(BREAD.files[0], content="01"), BREAD.files[1])),
        replace(BREAD, files=(replace(BREAD.files[0], path="c"), BREAD.files[1])),
        replace(BREAD, files=(BREAD.files[0], replace(BREAD.files[1], kind="file"))),
    ],
)
def test_every_ingredient_counts(other: Ingredients) -> None:
    assert other.fingerprint != BREAD.fingerprint


def test_the_order_of_arguments_does_not_count() -> None:
    assert replace(BREAD, arguments=BREAD.arguments[::-1]).fingerprint == BREAD.fingerprint


@given(st.lists(st.tuples(st.text(), st.text()), max_size=3), st.lists(st.tuples(st.text(), st.text()), max_size=3))
def test_no_text_in_an_argument_looks_like_another_argument(
    one: list[tuple[str, str]], two: list[tuple[str, str]]
) -> None:
    first, second = (replace(BREAD, arguments=tuple(pairs)) for pairs in (one, two))
    assert (first.fingerprint == second.fingerprint) is (sorted(one) == sorted(two))


def scene(root: Path) -> Path:
    root.mkdir()
    for name in ("a.py", "run.sh", "folder/b.py"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(name)
    (root / "run.sh").chmod(0o755)
    (root / "link").symlink_to("a.py")
    return root


def fingerprint(root: Path) -> str:
    files = Context(root).files(["."], parse_ignore(""))
    return Ingredients(platform="linux/amd64", dockerfile="FROM scratch\n", files=files).fingerprint


def test_another_checkout_later_with_other_owner_and_other_modes_has_the_same_fingerprint(tmp_path: Path) -> None:
    one, two = scene(tmp_path / "one"), scene(tmp_path / "elsewhere")
    (two / "a.py").chmod(0o600)
    (two / "run.sh").chmod(0o711)
    os.utime(two / "a.py", (1, 1))
    (two / "empty").mkdir()
    assert fingerprint(one) == fingerprint(two)


def _write(root: Path) -> None:
    (root / "folder/b.py").write_text("folder/b.pY")


def _point_elsewhere(root: Path) -> None:
    (root / "link").unlink()
    (root / "link").symlink_to("run.sh")


@pytest.mark.parametrize(
    "change",
    [
        _write,
        _point_elsewhere,
        lambda root: (root / "a.py").chmod(0o755),
        lambda root: (root / "run.sh").chmod(0o644),
        lambda root: (root / "a.py").rename(root / "c.py"),
        lambda root: (root / "new").touch(),
    ],
)
def test_a_byte_a_bit_a_name_or_a_link_changes_the_fingerprint(tmp_path: Path, change: Callable[[Path], None]) -> None:
    root = scene(tmp_path / "one")
    before = fingerprint(root)
    change(root)
    assert fingerprint(root) != before
