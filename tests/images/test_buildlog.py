from __future__ import annotations

import pytest

from deploylib.images import buildlog
from deploylib.images.buildlog import Log


@pytest.mark.parametrize(
    ("value", "said", "shown"),
    [
        ("token-1", "it is token-1!", "it is ***!"),
        ("abc", "xabcx", "x***x"),
        ("token\n", "a token here", "a *** here"),
        ("first line\nsecond line\n}", "second line }", "*** }"),
        ("", "nothing to hide", "nothing to hide"),
        ("  ", "a  b", "a  b"),
    ],
)
def test_what_is_secret_is_hidden(value: str, said: str, shown: str) -> None:
    assert buildlog.masked(said, buildlog.maskable([value])) == shown


def test_the_longer_secret_is_hidden_first() -> None:
    assert buildlog.masked("abc-def", buildlog.maskable(["abc", "abc-def"])) == "***"


def test_a_colour_inside_of_a_secret_does_not_save_it() -> None:
    lines: list[str] = []
    Log(line=lines.append, secrets=("secret",))("\x1b[1msec\x1b[0mret")
    assert lines == ["***"]


def test_buildkits_own_numbers_are_left_out() -> None:
    lines: list[str] = []
    log = Log(line=lines.append)
    for line in (f"#5 sha256:{'0a' * 32}", '#0 building with "default" instance using docker driver', "#5 0.1 make"):
        log(line)
    assert lines == ["#5 0.1 make"]


def test_what_a_log_in_says_of_itself_is_left_out() -> None:
    lines: list[str] = []
    log = Log(line=lines.append)
    for line in (
        "WARNING! Your password will be stored unencrypted in /root/.docker/config.json.",
        "Configure a credential helper to remove this warning. See",
        "https://docs.docker.com/engine/reference/commandline/login/#credentials-store",
        "Login Succeeded",
        "Error response from daemon: login attempt failed with status: 401 Unauthorized",
    ):
        log(line)
    assert lines == ["Error response from daemon: login attempt failed with status: 401 Unauthorized"]


def test_a_log_does_not_print_its_secrets() -> None:
    assert "hush" not in repr(Log(line=lambda _: None, secrets=("hush",)))
