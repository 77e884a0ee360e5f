from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from deploylib.localaws.extension.environment_files import MissingFileError, parse, read

if TYPE_CHECKING:
    from collections.abc import Callable

OBJECTS = {("settings", "app/stg.env"): b"A=1\nB=2\n", ("settings", "more.env"): b"B=3\nC=4"}


def stored() -> Callable[[str, str], bytes | None]:
    return lambda bucket, key: OBJECTS.get((bucket, key))


def container(*keys: str) -> dict[str, Any]:
    return {"environmentFiles": [{"type": "s3", "value": f"arn:aws:s3:::settings/{key}"} for key in keys]}


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ("A=1\nB=two words\n", {"A": "1", "B": "two words"}),
        ("# A=1\n\nB=2", {"B": "2"}),
        ('A="1"\nB=$A', {"A": '"1"', "B": "$A"}),
        ("A=b=c\nD=", {"A": "b=c", "D": ""}),
        ("A=1\nA=2", {"A": "1"}),
        ("=1\nnothing", {}),
    ],
)
def test_a_line_is_a_name_and_its_value_as_it_stands(text: str, variables: dict[str, str]) -> None:
    assert parse(text) == variables


def test_of_two_files_the_first_counts() -> None:
    assert read(container("app/stg.env", "more.env"), stored()) == {"A": "1", "B": "2", "C": "4"}


def test_a_container_without_files_reads_none() -> None:
    assert read({"environmentFiles": None}, stored()) == read({}, stored()) == {}


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(MissingFileError, match=r"arn:aws:s3:::settings/none\.env: NoSuchKey"):
        read(container("none.env"), stored())
