"""Files that a command writes: once, and told when they are out of date."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deploylib import generated
from deploylib.errors import OutdatedError

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_is_written_once_and_checked(tmp_path: Path) -> None:
    file = tmp_path / ".github/workflows/deploy.yml"
    called = ".github/workflows/deploy.yml"
    with pytest.raises(OutdatedError, match=r"\.github/workflows/deploy\.yml is not there") as refused:
        generated.check(file, "one\n", called=called, command="inv ci.render --provider github")
    assert refused.value.hint == "inv ci.render --provider github"
    assert generated.write(file, "one\n")
    assert not generated.write(file, "one\n")
    generated.check(file, "one\n", called=called, command="")
    with pytest.raises(OutdatedError, match="is out of date"):
        generated.check(file, "two\n", called=called, command="")


def test_what_a_difference_means_is_said_in_the_words_of_its_command(tmp_path: Path) -> None:
    file = tmp_path / "schema.json"
    file.write_text("one", encoding="utf-8")
    with pytest.raises(OutdatedError, match=r"^schema\.json is not what it says$"):
        generated.check(file, "two", command="", wrong="is not what it says")
    assert file.read_text(encoding="utf-8") == "one"
