from __future__ import annotations

import hashlib
import os
import socket
from typing import TYPE_CHECKING

import pytest

from deploylib.errors import ConfigError
from deploylib.images.context import Context, ContextFile
from deploylib.images.patterns import parse_ignore

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("a.py", "b.py", "lib/c.py", "lib/deep/d.txt", "lib/deep/e.py", "other/f.py"):
        path = tmp_path / "context" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path / "context"


def taken(root: Path, *sources: str, ignore: str = "") -> list[str]:
    return [one.path for one in Context(root).files(sources, parse_ignore(ignore))]


def test_a_file_has_its_content_and_its_executable_bit(root: Path) -> None:
    (root / "b.py").chmod(0o750)
    first, second = Context(root).files(["a.py", "b.py"], parse_ignore(""))
    assert first == ContextFile(path="a.py", kind="file", content=hashlib.sha256(b"a.py").hexdigest())
    assert (second.path, second.kind) == ("b.py", "executable")


def test_folders_are_taken_whole_and_patterns_by_their_level(root: Path) -> None:
    assert taken(root, "lib") == ["lib/c.py", "lib/deep/d.txt", "lib/deep/e.py"]
    assert taken(root, "*.py") == ["a.py", "b.py"]
    assert taken(root, "lib/*") == ["lib/c.py", "lib/deep/d.txt", "lib/deep/e.py"]
    assert taken(root, "lib/*.py", "o*/f.??") == ["lib/c.py", "other/f.py"]
    assert len(taken(root, ".")) == 6


def test_each_file_is_there_once_sorted_by_the_bytes_of_its_path(root: Path) -> None:
    for name in ("Z.py", "ä.py", "lib-x.py"):
        (root / name).write_text("")
    assert taken(root, "lib", ".", "*.py", "lib/c.py") == [
        "Z.py", "a.py", "b.py", "lib-x.py", "lib/c.py", "lib/deep/d.txt", "lib/deep/e.py", "other/f.py", "ä.py"
    ]  # fmt: skip


def test_what_is_ignored_is_not_taken_even_when_it_is_named(root: Path) -> None:
    assert taken(root, ".", "lib/c.py", ignore="lib\na.*\n!lib/deep/e.py\n") == ["b.py", "lib/deep/e.py", "other/f.py"]


def test_a_source_that_is_not_there_takes_nothing(root: Path) -> None:
    assert taken(root, "missing", "a.py/below", "miss*", "lib/missing/x") == []


def test_a_name_with_a_newline_or_without_encoding_is_taken(root: Path) -> None:
    odd = (b"new\nline.py", b"\xff.py")
    for name in odd:
        (root / os.fsdecode(name)).write_text("")
    assert set(map(os.fsdecode, odd)) <= set(taken(root, "*.py"))


def test_links_inside_a_folder_stay_links(root: Path) -> None:
    (root / "lib/link.py").symlink_to("../a.py")
    (root / "lib/folder").symlink_to("../other")
    found = {one.path: one for one in Context(root).files(["lib"], parse_ignore(""))}
    assert found["lib/link.py"] == ContextFile(path="lib/link.py", kind="link", content="../a.py")
    assert found["lib/folder"].kind == "link"
    assert "a.py" not in found
    assert "lib/folder/f.py" not in found


def test_a_link_that_is_named_brings_what_it_points_to(root: Path) -> None:
    (root / "link").symlink_to("other")
    (root / "link.py").symlink_to("link2.py")
    (root / "link2.py").symlink_to("lib/c.py")
    assert taken(root, "link") == ["link", "other/f.py"]
    assert taken(root, "link.*") == ["lib/c.py", "link.py"]
    assert taken(root, "link/*.py", "link/f.py") == ["link/f.py"]


def test_a_link_that_leads_out_of_the_context_or_nowhere_is_only_a_link(root: Path) -> None:
    (root.parent / "secret").write_text("secret")
    (root / "out").symlink_to("../secret")
    (root / "broken").symlink_to("nowhere")
    assert taken(root, "out", "broken") == ["broken", "out"]


def test_sockets_and_pipes_are_left_alone(root: Path) -> None:
    os.mkfifo(root / "lib/pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "lib/socket"))
        assert taken(root, "lib", "lib/pipe") == ["lib/c.py", "lib/deep/d.txt", "lib/deep/e.py"]


def test_the_own_ignore_file_of_a_dockerfile_wins_over_the_common_one(root: Path) -> None:
    (root / ".dockerignore").write_text("a.py\n")
    (root / "docker").mkdir()
    (root / "docker/Dockerfile.dockerignore").write_text("b.py\n")
    context = Context(root)
    assert context.ignore("docker/Dockerfile").leaves_out("b.py")
    assert not context.ignore("docker/Dockerfile").leaves_out("a.py")
    assert context.ignore("Dockerfile").leaves_out("a.py")
    assert context.own_ignore("Dockerfile") is None


def test_a_folder_nobody_may_look_into_is_an_error_that_names_it(root: Path) -> None:
    (root / "loop").symlink_to("loop")
    assert taken(root, "loop") == ["loop"]
    with pytest.raises(ConfigError, match=r"a\.py: "):
        _without_access(root).files(["lib", "a.py"], parse_ignore(""))


def _without_access(root: Path) -> Context:
    """Return a context in which a file vanishes between the listing and the reading (root may read everything)."""

    class Vanishing(Context):
        def _remember(self, path: str) -> ContextFile:
            (self.root / "a.py").unlink(missing_ok=True)
            return super()._remember(path)

    return Vanishing(root)
