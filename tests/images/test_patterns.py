from __future__ import annotations

import pytest

from deploylib.images.patterns import compiled, fixed_part, parse_ignore

MATCHES = [
    ("a", "a", True), ("a", "ab", False), ("a", "b/a", False), ("a/b", "a/b", True), ("a.b", "axb", False),
    ("*", "a", True), ("*", "a/b", False), ("*.py", ".py", True), ("a*/b", "axy/b", True), ("a*b", "a/b", False),
    ("?", "a", True), ("?", "", False), ("a?b", "a/b", False), ("[a-c]x", "bx", True), ("[a-c]x", "dx", False),
    ("[^a-c]x", "dx", True), ("[^a-c]x", "ax", False), ("[!a]", "!", True), ("[[]x", "[x", True), (r"[\]]", "]", True),
    (r"[a\-c]", "b", False), ("[&~|]", "~", True), (r"\*", "*", True), (r"\*", "a", False), ("a[", "a[", True),
    ("[z-a]", "[z-a]", True), ("(a|b)+", "(a|b)+", True), ("a b", "a b", True), ("*", "a\nb", True),
    ("**", "a/b/c", True), ("**/c", "c", True), ("**/c", "a/b/c", True), ("**/c", "a/bc", False),
    ("a/**", "a/b/c", True),
    ("a/**/c", "a/c", True), ("a/**/c", "a/b/b/c", True), ("a/**/*.py", "a/x/b.py", True), ("**/*.py", "a.pyc", False),
]  # fmt: skip


@pytest.mark.parametrize(("pattern", "path", "expected"), MATCHES)
def test_a_pattern_matches_as_docker_reads_it(pattern: str, path: str, expected: bool) -> None:  # noqa: FBT001  # a column
    assert bool(compiled(pattern, descendants=False).fullmatch(path)) is expected


def test_a_folder_matches_with_everything_below_it_and_nothing_beside_it() -> None:
    pattern = compiled("a*", descendants=True)
    assert all(pattern.fullmatch(path) for path in ("a", "ab", "a/b", "ab/c/d"))
    assert not any(pattern.fullmatch(path) for path in ("b", "b/a"))


IGNORED = {
    "nothing": ("", ["a", ".git/x"], []),
    "names at the root alone": ("a\nb/c\n", ["x/a", "b/d", "ab"], ["a", "a/x", "b/c", "b/c/d"]),
    "any depth": ("**/*.pyc\n", ["a.py"], ["a.pyc", "b/c/a.pyc"]),
    "comments, spaces, slashes": ("# a\n  b  \n/c/\n./d/../e\n\n #f\n", ["a", "d", "#"], ["b", "c", "e", "#f"]),
    "the root is not left out": (".\n/\n", ["a"], []),
    "brought back": ("*\n!a\n!b/c\n", ["a", "a/x", "b/c", "b/c/d"], ["x", "b/d"]),
    "the last rule wins": ("a\n!a\na/b\n", ["a/c"], ["a/b", "a/b/c"]),
    "below what is left out": ("a\n!a/b/c\n", ["a/b/c", "a/b/c/d"], ["a/x", "a/b/x"]),
    "a pattern brings back": ("**\n!**/*.py\n**/test_*\n", ["a.py", "b/a.py"], ["a.c", "test_a.py", "b/test_a.py"]),
    "a space after the bang": ("*\n! a\n", ["a"], ["b"]),
    "a byte order mark": ("\ufeffa\n", ["b"], ["a"]),
    "Windows line ends": ("a\r\n!a/b\r\n", ["a/b"], ["a", "a/c"]),
}


@pytest.mark.parametrize("case", IGNORED)
def test_ignore_files_leave_out_what_docker_leaves_out(case: str) -> None:
    text, kept, left_out = IGNORED[case]
    ignore = parse_ignore(text)
    assert [path for path in kept if ignore.leaves_out(path)] == []
    assert [path for path in left_out if not ignore.leaves_out(path)] == []


def test_a_folder_is_skipped_only_when_nothing_below_it_can_come_back() -> None:
    ignore = parse_ignore("*\n!a/b/*.py\n!c\n!x/**/y\n")
    assert ignore.leaves_out_all_of("node_modules")
    assert ignore.leaves_out_all_of("a/z")
    assert not any(ignore.leaves_out_all_of(folder) for folder in ("a", "a/b", "c", "c/d", "x", "x/any/depth"))


@pytest.mark.parametrize(
    ("pattern", "start"), [("a/b", "a/b"), ("a/b*/c", "a"), ("*", ""), ("a/[b]/c", "a"), (r"a\*", ""), ("a/?", "a")]
)
def test_the_fixed_part_ends_before_the_first_wildcard(pattern: str, start: str) -> None:
    assert fixed_part(pattern) == start
