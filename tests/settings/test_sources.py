"""Sources: every value as it is written, every mistake at once, no value in any of them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest

from deploylib.errors import AwsError, ConfigError
from deploylib.settings import sources

if TYPE_CHECKING:
    from pathlib import Path

NOBODY = io.StringIO()


def given(text: str) -> dict[str, str]:
    return {one.name: one.value for one in sources.dotenv(text, ".env")}


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=plain", "plain"),
        ("export A=exported", "exported"),
        ("  A = spaced  ", "spaced"),
        ("A=with=equals", "with=equals"),
        ("A=p#ssword", "p#ssword"),
        ("A=word # a comment", "word"),
        ("A='#not a comment'", "#not a comment"),
        ('A="two\\nlines"', "two\nlines"),
        ('A="two\nlines"', "two\nlines"),
        ("A='single\\nquotes'", "single\\nquotes"),
        ("A=$B and ${HOME}", "$B and ${HOME}"),
        ('A="${B:-x}$(id)`id`"', "${B:-x}$(id)`id`"),
        ("A=", ""),
        ("A=''", ""),
        ("A=日本", "日本"),
        ("\ufeffA=after a byte order mark", "after a byte order mark"),
        ("A=windows\r\n", "windows"),
    ],
)
def test_a_value_is_what_stands_there_and_nothing_is_put_into_it(line: str, value: str) -> None:
    assert given(f"# a comment\n\n{line}\n" if not line.startswith("\ufeff") else line) == {"A": value}


def test_each_setting_says_where_it_stands() -> None:
    assert [(one.name, one.place) for one in sources.dotenv("A=1\n\n# no\nB=2\n", ".env")] == [
        ("A", "line 1"),
        ("B", "line 4"),
    ]


def test_a_name_twice_with_one_value_counts_once() -> None:
    assert given("A=1\nA='1'\n") == {"A": "1"}


def test_every_mistake_of_a_file_is_told_at_once_and_no_value_in_it() -> None:
    text = "A=first-value\nB\nC='unfinished-value\n=no-name-value\nA=second-value\n"
    with pytest.raises(ConfigError, match=r"^4 mistakes in \.env; nothing was written\n") as refused:
        sources.dotenv(text, ".env")
    assert str(refused.value).splitlines()[1:] == [
        "  line 2: B has no =",
        "  line 3: is not NAME=VALUE",
        "  line 4: is not NAME=VALUE",
        "  line 5: A has another value than in line 1",
    ]


def test_a_file_that_sets_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="nothing is set in standard input"):
        sources.dotenv("# nothing\n", "-")


def test_no_representation_shows_a_value() -> None:
    assert "s3cret" not in repr(sources.dotenv("A=s3cret", ".env"))


def test_an_environment_file_of_ecs_keeps_quotes_and_hashes() -> None:
    text = '# a comment\nA="quoted"\nB= spaced \nC=x # no comment\n\nD=\n'
    assert [(one.name, one.value) for one in sources.environment_file(text, "s3://b/k")] == [
        ("A", '"quoted"'),
        ("B", " spaced "),
        ("C", "x # no comment"),
        ("D", ""),
    ]


def test_a_line_of_an_environment_file_without_a_value_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match="line 2: is not NAME=VALUE"):
        sources.environment_file("A=1\nexport B\n", "s3://b/k")


VARIABLES = {"STG_A": "1", "STG_B_C": "2", "STG_": "3", "OTHER": "4", "A_PRODUCTION": "5", "_PRODUCTION": "6"}


@pytest.mark.parametrize(
    ("how", "found"),
    [
        ({"prefix": "STG_"}, {"A": ("1", "$STG_A"), "B_C": ("2", "$STG_B_C")}),
        ({"suffix": "_PRODUCTION"}, {"A": ("5", "$A_PRODUCTION")}),
    ],
)
def test_variables_are_chosen_by_prefix_or_suffix_and_lose_it(how: dict[str, str], found: dict[str, Any]) -> None:
    read = sources.read(sources.Source(**how), no_s3, stdin=NOBODY, variables=VARIABLES)
    assert {one.name: (one.value, one.place) for one in read} == found


def test_no_such_variable_is_refused() -> None:
    with pytest.raises(ConfigError, match="no variable of this process ends with _LIVE"):
        sources.read(sources.Source(suffix="_LIVE"), no_s3, stdin=NOBODY, variables=VARIABLES)


def no_s3() -> Any:
    raise AssertionError("S3 is not asked")


class Bucket:
    """An S3 that has one object, or refuses."""

    def __init__(self, body: bytes, *, code: str = "", size: int | None = None) -> None:
        self.body, self.code, self.size = body, code, size

    def get_object(self, **request: str) -> dict[str, Any]:
        assert request == {"Bucket": "bucket", "Key": "path/stg.env"}
        if self.code:
            raise AwsError("refused", code=self.code)
        return {"ContentLength": self.size or len(self.body), "Body": io.BytesIO(self.body)}


def from_s3(bucket: Any, address: str = "s3://bucket/path/stg.env") -> tuple[sources.Given, ...]:
    return sources.read(sources.Source(s3=address), lambda: bucket, stdin=NOBODY, variables={})


def test_an_environment_file_is_read_from_s3() -> None:
    assert [(one.name, one.value) for one in from_s3(Bucket(b"A='1'\n"))] == [("A", "'1'")]


@pytest.mark.parametrize(
    ("bucket", "said"),
    [
        (Bucket(b"", code="NoSuchKey"), "there is no s3://bucket/path/stg.env"),
        (Bucket(b"\xff"), "is not UTF-8"),
        (Bucket(b"A=1", size=2_000_000), "it has 2000000 bytes"),
    ],
)
def test_what_is_no_environment_file_in_s3_is_refused(bucket: Bucket, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        from_s3(bucket)


def test_another_refusal_of_s3_stays_what_it_is() -> None:
    with pytest.raises(AwsError, match="refused"):
        from_s3(Bucket(b"", code="AccessDenied"))


@pytest.mark.parametrize("address", ["bucket/key", "https://bucket/key", "s3://bucket", "s3:///key"])
def test_an_address_that_is_none_of_s3_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match=r"--s3 is s3://BUCKET/KEY"):
        from_s3(Bucket(b""), address)


@pytest.mark.parametrize("how", [{}, {"file": ".env", "prefix": "A"}, {"prefix": "A", "suffix": "B"}])
def test_an_import_has_one_source(how: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="one source") as refused:
        sources.check(sources.Source(**how))
    assert refused.value.hint == "--file .env, --prefix STG_, --suffix _PRODUCTION or --s3 s3://BUCKET/KEY"


def test_a_file_or_standard_input_is_read(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=file\n")
    for file, value in ((str(tmp_path / ".env"), "file"), ("-", "typed")):
        (one,) = sources.read(sources.Source(file=file), no_s3, stdin=io.StringIO("A=typed"), variables={})
        assert one.value == value


@pytest.mark.parametrize(("body", "said"), [(None, "No such file"), (b"A=\xff", "is not UTF-8")])
def test_a_file_that_cannot_be_read_is_refused(body: bytes | None, said: str, tmp_path: Path) -> None:
    file = tmp_path / ".env"
    if body is not None:
        file.write_bytes(body)
    with pytest.raises(ConfigError, match=said):
        sources.read(sources.Source(file=str(file)), no_s3, stdin=NOBODY, variables={})


@pytest.mark.parametrize(
    ("text", "value"), [("x", "x"), ("x\n", "x"), ("x\r\n", "x"), ("x\n\n", "x\n"), ("a\nb\n", "a\nb"), ("", "")]
)
def test_one_value_is_the_text_without_the_line_break_at_its_end(text: str, value: str, tmp_path: Path) -> None:
    (tmp_path / "value").write_text(text, newline="")
    assert sources.one_value("", io.StringIO(text, newline="")) == value
    assert sources.one_value(str(tmp_path / "value"), NOBODY) == value


def test_a_source_says_what_it_is() -> None:
    made = sources.Source
    assert [str(one) for one in (made(file=".env"), made(prefix="STG_"), made(suffix="_PRD"), made(s3="s3://b/k"))] == [
        ".env",
        "$STG_…",
        "$…_PRD",
        "s3://b/k",
    ]
