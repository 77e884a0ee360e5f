"""The token of a CI job: from its variable, or from a GitHub on this machine that writes down what it is asked."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from deploylib import job_token
from deploylib.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class GitHub:
    """What it answers, one answer after the other, the last one for ever; and what it was asked."""

    url: str = ""
    answers: list[tuple[int, str]] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)
    paused: list[float] = field(default_factory=list)

    def read(self, **more: str) -> str:
        given = {job_token.URL: self.url, job_token.BEARER: "the-bearer", **more}
        return job_token.read("STG_TOKEN", given, pause=self.paused.append)


@pytest.fixture
def github(monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHub]:
    found = GitHub(answers=[(200, json.dumps({"value": "a.b.c"}))])
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked.append((self.path, self.headers.get("Authorization", "")))
            code, body = found.answers.pop(0) if len(found.answers) > 1 else found.answers[0]
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        found.url = f"http://127.0.0.1:{server.server_port}/token?api-version=2.0"
        yield found
        server.shutdown()
        thread.join()


def test_the_variable_counts_before_github_is_asked(github: GitHub) -> None:
    assert github.read(STG_TOKEN="x.y.z") == "x.y.z"
    assert github.asked == []


def test_github_is_asked_for_a_token_for_sts_whenever_one_is_needed(github: GitHub) -> None:
    github.answers = [(200, '{"value": "first"}'), (200, '{"value": "second"}')]
    assert (github.read(), github.read()) == ("first", "second")
    assert github.asked == [("/token?api-version=2.0&audience=sts.amazonaws.com", "bearer the-bearer")] * 2


def test_a_github_that_is_busy_is_asked_again(github: GitHub) -> None:
    github.answers = [(503, ""), (502, ""), (200, '{"value": "a.b.c"}')]
    assert github.read() == "a.b.c"
    assert github.paused == list(job_token.PAUSES_SECONDS)


def test_a_github_that_stays_busy_is_told(github: GitHub) -> None:
    github.answers = [(503, "")]
    with pytest.raises(AwsError, match="no token: 503"):
        github.read()
    assert len(github.asked) == 1 + len(job_token.PAUSES_SECONDS)


@pytest.mark.parametrize(
    ("answer", "why"),
    [((403, ""), "403"), ((200, "{}"), "has none"), ((200, "<html>"), "has none"), ((200, "7"), "none")],
)
def test_what_is_no_token_is_told_at_once(answer: tuple[int, str], why: str, github: GitHub) -> None:
    github.answers = [answer]
    with pytest.raises(AwsError, match=why) as refused:
        github.read()
    assert "id-token: write" in refused.value.hint
    assert (len(github.asked), github.paused) == (1, [])


def test_nobody_listening_is_told_after_the_last_try(github: GitHub) -> None:
    github.url = "http://127.0.0.1:9/token?a=b"
    with pytest.raises(AwsError, match="GitHub gave the job no token"):
        github.read()
    assert github.paused == list(job_token.PAUSES_SECONDS)


def test_the_bearer_goes_to_nothing_but_the_web(github: GitHub) -> None:
    github.url = "file:///etc/hostname?a=b"
    with pytest.raises(AwsError, match="none of the web"):
        github.read()


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"STG_TOKEN": "a"}, "the job's token in STG_TOKEN"),
        ({job_token.URL: "u", job_token.BEARER: "b"}, "the job's token from GitHub"),
        ({job_token.URL: "u"}, ""),
        ({}, ""),
    ],
)
def test_where_it_is_from_is_said_in_words(variables: dict[str, str], said: str) -> None:
    assert job_token.source("STG_TOKEN", variables) == said
