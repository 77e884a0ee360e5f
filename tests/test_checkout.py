from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from deploylib import checkout
from deploylib.checkout import Checkout
from deploylib.errors import ConfigError, RefusedError

if TYPE_CHECKING:
    from pathlib import Path


def git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "--quiet")
    for name in ("app/page.py", "app/.gitignore", "docs/notes.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("*.log\n")
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "--message", "first")
    return tmp_path


def test_a_clean_checkout_is_its_commit_with_author_and_time(repository: Path) -> None:
    found = checkout.observe(repository, "app")
    assert found.commit == git(repository, "rev-parse", "HEAD")
    assert found.author == "Ada"
    assert found.time == git(repository, "log", "-1", "--format=%cI")
    assert found.dirty == ()
    assert found.revision == found.commit


def test_changed_staged_deleted_and_untracked_files_under_the_path_are_dirty(repository: Path) -> None:
    (repository / "app/page.py").unlink()
    (repository / "app/.gitignore").write_text("*.tmp\n")
    git(repository, "add", "app/.gitignore")
    (repository / "app/new folder").mkdir()
    (repository / "app/new folder/an ö.py").write_text("")
    found = checkout.observe(repository, "app")
    assert found.dirty == ("app/.gitignore", "app/new folder/an ö.py", "app/page.py")
    assert found.revision == f"{found.commit}-dirty"


def test_a_renamed_file_counts_under_both_names(repository: Path) -> None:
    git(repository, "mv", "app/page.py", "app/site.py")
    assert checkout.observe(repository, "app").dirty == ("app/page.py", "app/site.py")


def test_a_conflict_is_dirty(repository: Path) -> None:
    git(repository, "checkout", "--quiet", "-b", "other")
    (repository / "app/page.py").write_text("other\n")
    git(repository, "commit", "--quiet", "--all", "--message", "other")
    git(repository, "checkout", "--quiet", "-")
    (repository / "app/page.py").write_text("mine\n")
    git(repository, "commit", "--quiet", "--all", "--message", "mine")
    with pytest.raises(subprocess.CalledProcessError):
        git(repository, "merge", "other")
    assert checkout.observe(repository, "app").dirty == ("app/page.py",)


def test_what_lies_outside_the_path_or_is_ignored_is_not_dirty(repository: Path) -> None:
    (repository / "docs/notes.md").write_text("changed\n")
    (repository / "app/debug.log").write_text("ignored\n")
    assert checkout.observe(repository, "app").dirty == ()


def test_the_commit_is_that_of_the_repository_the_application_lies_in(repository: Path) -> None:
    git(repository / "app", "init", "--quiet")
    git(repository / "app", "add", "--all")
    git(repository / "app", "commit", "--quiet", "--message", "an application in a repository of its own")
    assert checkout.observe(repository, "app").commit == git(repository / "app", "rev-parse", "HEAD")


def test_looking_does_not_write_the_index(repository: Path) -> None:
    index = repository / ".git/index"
    (repository / "app/page.py").touch()
    before = index.stat().st_mtime_ns
    checkout.observe(repository, "app")
    assert index.stat().st_mtime_ns == before


def test_a_folder_without_repository_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not a git repository") as caught:
        checkout.observe(tmp_path, ".")
    assert "git commit" in caught.value.hint


def test_a_repository_without_commit_is_a_configuration_error(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    with pytest.raises(ConfigError, match="does not have any commits"):
        checkout.observe(tmp_path, ".")


def test_a_dirty_tree_is_refused_with_five_names_and_the_way_out() -> None:
    seven = Checkout(commit="a" * 40, dirty=tuple(f"app/{number}.py" for number in range(7)))
    with pytest.raises(RefusedError) as caught:
        checkout.refuse_dirty(seven, allow=False)
    assert str(caught.value) == (
        "7 files differ from commit aaaaaaaaaaaa: app/0.py, app/1.py, app/2.py, app/3.py, app/4.py, and 2 more"
    )
    assert caught.value.hint == "commit, or add --allow-dirty"
    assert caught.value.exit_code == 3


def test_one_dirty_file_is_named_in_the_singular() -> None:
    with pytest.raises(RefusedError, match=r"^1 file differs from commit aaaaaaaaaaaa: app/0\.py$"):
        checkout.refuse_dirty(Checkout(commit="a" * 40, dirty=("app/0.py",)), allow=False)


def test_a_dirty_tree_passes_when_allowed_and_a_clean_one_always() -> None:
    checkout.refuse_dirty(Checkout(commit="a" * 40, dirty=("app/0.py",)), allow=True)
    checkout.refuse_dirty(Checkout(commit="a" * 40), allow=False)
