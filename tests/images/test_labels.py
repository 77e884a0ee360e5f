from __future__ import annotations

import json
import re
import shlex
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploylib.images import labels
from deploylib.images.context import ContextFile
from deploylib.images.fingerprint import Ingredients

MADE_OF = Ingredients(
    platform="linux/amd64",
    dockerfile="FROM debian:12\n",
    arguments=(("A", "1"), ("B", "2")),
    parents=(("debian:12", "sha256:" + "0" * 64),),
    files=(
        ContextFile(path="app/a.py", kind="file", content="a"),
        ContextFile(path="app/sub/b.py", kind="executable", content="b"),
        ContextFile(path="c.txt", kind="file", content="c"),
    ),
)


def many(count: int, changed: str = "") -> Ingredients:
    files = tuple(
        ContextFile(path=path, kind="file", content="other" if path == changed else path)
        for path in sorted(f"source/package{number // 50}/module_{number}.py" for number in range(count))
    )
    return replace(MADE_OF, files=files)


def told(before: Ingredients, after: Ingredients) -> list[tuple[str, str, str]]:
    kept = labels.read(labels.written(labels.record(before)))
    assert kept is not None
    return [(one.kind, one.name, one.change) for one in labels.differences(kept, after, "Dockerfile.base")]


def test_a_record_is_read_back_as_it_was_written() -> None:
    found = labels.record(MADE_OF)
    assert labels.read(labels.written(found)) == found


@pytest.mark.parametrize("text", ["", "nonsense", "[]", '{"format": 99}'])
def test_what_is_no_record_says_nothing(text: str) -> None:
    assert labels.read(text) is None


def test_nothing_changed_is_no_difference() -> None:
    assert told(MADE_OF, MADE_OF) == []


CHANGES = {
    "a file": (
        replace(MADE_OF, files=(*MADE_OF.files[:2], replace(MADE_OF.files[2], content="d"))),
        ("file", "c.txt", "changed"),
    ),
    "the executable bit": (
        replace(MADE_OF, files=(*MADE_OF.files[:2], replace(MADE_OF.files[2], kind="executable"))),
        ("file", "c.txt", "changed"),
    ),
    "a file that went": (replace(MADE_OF, files=MADE_OF.files[:2]), ("file", "c.txt", "removed")),
    "a build argument": (replace(MADE_OF, arguments=(("A", "1"), ("B", "3"))), ("build argument", "B", "changed")),
    "a build argument more": (
        replace(MADE_OF, arguments=(*MADE_OF.arguments, ("C", ""))),
        ("build argument", "C", "added"),
    ),
    "the Dockerfile": (replace(MADE_OF, dockerfile="FROM debian:13\n"), ("Dockerfile", "Dockerfile.base", "changed")),
    "the platform": (replace(MADE_OF, platform="linux/arm64"), ("platform", "", "changed")),
    "made anew": (
        replace(MADE_OF, refreshed="2026-01-31T00:00:00Z"),
        ("refreshed", "by base.refresh --force", "added"),
    ),
}


@pytest.mark.parametrize("case", CHANGES)
def test_each_ingredient_that_changed_is_named(case: str) -> None:
    after, expected = CHANGES[case]
    assert told(MADE_OF, after) == [expected]


def test_a_parent_that_moved_is_named_with_both_digests() -> None:
    after = replace(MADE_OF, parents=(("debian:12", "sha256:" + "1" * 64),))
    (found,) = labels.differences(labels.record(MADE_OF), after, "Dockerfile.base")
    assert (found.name, found.old, found.new) == ("debian:12", "sha256:" + "0" * 64, "sha256:" + "1" * 64)


def test_the_value_of_a_build_argument_is_in_no_record() -> None:
    secretive = replace(MADE_OF, arguments=(("TOKEN", "hunter2-hunter2"),))
    assert "hunter2" not in labels.written(labels.record(secretive))


def test_a_record_of_five_thousand_files_is_bounded_and_names_folders() -> None:
    text = labels.written(labels.record(many(5000)))
    assert len(text) <= labels.LONGEST_RECORD
    assert told(many(5000), many(5000)) == []
    ((kind, name, change),) = told(many(5000), many(5000, changed="source/package7/module_363.py"))
    assert (kind, change) in {("folder", "changed"), ("file", "changed")}
    assert "source/package7/module_363.py".startswith(name)


def test_names_that_need_escapes_are_bounded_too() -> None:
    files = tuple(ContextFile(path=f"d{n // 50}/it's {n}.py", kind="file", content="") for n in range(5000))
    assert len(labels.written(labels.record(replace(MADE_OF, files=files)))) <= labels.LONGEST_RECORD


def test_as_many_files_as_fit_keep_their_names() -> None:
    files = labels.record(many(900)).files
    assert any(name.endswith(".py") for name in files)
    assert any(name.endswith("/") for name in files)


def test_a_new_file_in_a_folded_folder_changes_the_folder() -> None:
    more = many(5000)
    extra = ContextFile(path="source/package7/new.py", kind="file", content="new")
    after = replace(more, files=tuple(sorted((*more.files, extra), key=lambda one: one.path)))
    found = told(more, after)
    assert len(found) == 1
    assert "source/package7/new.py".startswith(found[0][1])


def test_a_flat_context_of_many_files_is_one_entry() -> None:
    flat = replace(
        MADE_OF,
        files=tuple(ContextFile(path=f"{number:06}.txt", kind="file", content=str(number)) for number in range(3000)),
    )
    assert set(labels.record(flat).files) == {"/"}
    gone = replace(flat, files=flat.files[1:])
    assert told(flat, gone) == [("folder", "/", "changed")]


paths = st.lists(
    st.lists(st.text("ab'é\"$\\ ", min_size=1, max_size=3), min_size=1, max_size=3).map("/".join),
    unique=True,
    max_size=8,
)


@given(paths, st.integers(0, 400))
def test_whatever_is_folded_nothing_unchanged_is_a_difference(names: list[str], room: int) -> None:
    made_of = replace(MADE_OF, files=tuple(ContextFile(path=one, kind="file", content=one) for one in sorted(names)))
    kept = labels.record(made_of, longest=room)
    assert labels.differences(kept, made_of, "Dockerfile") == ()


def values_of(instructions: str) -> dict[str, str]:
    """Read LABEL instructions as a shell reads words, which is what the builders do (without variables)."""
    words = [word for line in instructions.splitlines() for word in shlex.split(line.removeprefix("LABEL "))]
    return dict(word.split("=", 1) for word in words)


@given(
    st.dictionaries(
        st.from_regex(r"[a-z][a-z.-]{0,20}", fullmatch=True),
        st.text(max_size=30).filter(lambda text: "$" not in text),
        max_size=5,
    )
)
def test_a_value_reaches_the_image_as_it_is_but_for_control_characters(wanted: dict[str, str]) -> None:
    text = labels.instructions(wanted, "FROM x\n")
    flat = {name: re.sub(r"[\x00-\x1f\x7f\u0085\u2028\u2029]+", " ", value) for name, value in wanted.items()}
    assert values_of(text) == flat


def test_a_dollar_is_no_variable() -> None:
    assert labels.instructions({"a": "it's $HOME"}, "FROM x") == 'LABEL a="it\'s \\$HOME"'


def test_a_dockerfile_with_another_escape_character_gets_that() -> None:
    text = labels.instructions({"a": 'it\'s \\ "$HOME"'}, "# escape=`\nFROM x")
    assert text == 'LABEL a="it\'s \\ `"`$HOME`""'


def test_no_line_is_longer_than_older_parsers_take() -> None:
    long = {"a": "x y" * 10_000, "b": "z w" * 10_000, "c": "1"}
    lines = labels.instructions(long, "FROM x").splitlines()
    assert len(lines) == 2
    assert all(len(line) < 64 * 1024 for line in lines)


def test_the_parents_of_an_image_are_read_back() -> None:
    pairs = (("debian:12", "sha256:00"),)
    assert labels.parents({labels.PARENTS: labels.of_parents(pairs)}) == dict(pairs)
    assert labels.parents({}) == {}
    assert labels.parents({labels.PARENTS: "broken"}) == {}


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, "Ada"),
        (
            {
                "GITHUB_ACTIONS": "true",
                "GITHUB_SERVER_URL": "https://git.example",
                "GITHUB_REPOSITORY": "a/b",
                "GITHUB_RUN_ID": "7",
            },
            "https://git.example/a/b/actions/runs/7",
        ),
        ({"CI_JOB_URL": "https://ci.example/7"}, "https://ci.example/7"),
    ],
)
def test_an_image_says_who_made_it(variables: dict[str, str], expected: str) -> None:
    assert labels.maker("Ada", variables) == expected


def test_the_record_is_a_label_that_needs_no_escapes() -> None:
    text = labels.written(labels.record(replace(MADE_OF, parents=(("it's:1", "sha256:00"),))))
    assert "'" not in text
    assert json.loads(text)["parents"] == {"it's:1": "sha256:00"}
