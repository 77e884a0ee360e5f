from __future__ import annotations

from pathlib import Path

import pytest

from deploylib.errors import ConfigError, RefusedError
from deploylib.infra import passthrough
from tests.infra.test_guards import STG


@pytest.mark.parametrize(
    "words",
    [
        "state list",
        "state show module.a",
        "state mv a b",
        "state rm a",
        "import a b",
        "taint a",
        "output url",
        "show",
        "console",
        "version",
        "providers",
        "graph",
    ],
)
def test_what_terraform_can_do_and_we_cannot_is_passed_on(words: str) -> None:
    passthrough.check(words.split(), STG)


@pytest.mark.parametrize(
    ("words", "ours"),
    [
        ("plan", "infra.plan"),
        ("apply -auto-approve", "infra.apply"),
        ("destroy", "infra.destroy"),
        ("init", "infra.init"),
        ("refresh", "infra.drift"),
        ("force-unlock 1", "infra.unlock"),
    ],
)
def test_what_ours_guards_is_refused_with_ours(words: str, ours: str) -> None:
    with pytest.raises(RefusedError) as caught:
        passthrough.check(words.split(), STG)
    assert caught.value.hint.startswith(f"inv {ours} --env stg")


@pytest.mark.parametrize(
    "words", ["state push x", "state", "workspace new x", "login", "-chdir=/ state list", "test-x"]
)
def test_everything_else_is_refused_with_what_is_passed_on(words: str) -> None:
    with pytest.raises(RefusedError, match="is not passed on") as caught:
        passthrough.check(words.split(), STG)
    assert "state list" in caught.value.hint


def test_no_words_are_a_mistake() -> None:
    with pytest.raises(ConfigError) as caught:
        passthrough.check([], STG)
    assert caught.value.hint == "inv infra.tf --env stg -- state list"


@pytest.mark.parametrize(
    "words", ["state pull", "show -json", "output -json", "output --raw password", "output -json=true"]
)
def test_what_prints_secrets_wants_to_be_told_so(words: str) -> None:
    with pytest.raises(RefusedError, match="every secret of stg") as caught:
        passthrough.check(words.split(), STG)
    assert f"--secrets -- {words}" in caught.value.hint
    passthrough.check(words.split(), STG, secrets=True)


@pytest.mark.parametrize(
    ("words", "writes"),
    [
        ("state list", False),
        ("state show rm", False),
        ("output taint", False),
        ("state rm a", True),
        ("state mv a b", True),
        ("taint a", True),
        ("import a b", True),
    ],
)
def test_what_changes_the_state_is_known(words: str, *, writes: bool) -> None:
    assert passthrough.writes(words.split()) is writes


def test_the_words_are_those_of_the_command_line_with_their_quotes_and_blanks() -> None:
    argv = ["inv", "infra.tf", "--env", "stg", "--", "state", "show", 'module.a["b c"].x']
    assert passthrough.given(argv, " ".join(argv[5:])) == argv[5:]


@pytest.mark.parametrize("argv", [["pytest"], ["pytest", "--", "tests"]])
def test_without_a_command_line_of_ours_the_words_are_those_of_invoke(argv: list[str]) -> None:
    assert passthrough.given(argv, "state list") == ["state", "list"]
    assert passthrough.given(argv, "") == []


def test_only_commands_that_read_the_code_get_the_variables() -> None:
    file = Path("/x/variables.json")
    assert passthrough.options(["state", "list"], file) == []
    assert passthrough.options(["console"], file) == ["-var-file=/x/variables.json"]
