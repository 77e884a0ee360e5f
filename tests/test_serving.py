"""The proof that a release serves: which answers are right, that all have to be at once, and what is said of others."""

from __future__ import annotations

import contextlib
import http.server
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from deploylib import config, events, serving
from deploylib.errors import NotServingError
from deploylib.serving import Answer
from tests.fakes.clock import FakeClock

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMIT = "0123456789012345678901234567890123456789"
URL = "http://shop.example.test/"


class Site:
    """Answers by path, each list from its beginning to its last, which stays."""

    def __init__(self, **answers: tuple[Answer | OSError, ...]) -> None:
        self.answers = {f"/{path}": list(found) for path, found in answers.items()}
        self.asked: list[str] = []

    def __call__(self, url: str, /) -> Answer:
        self.asked.append(url)
        found = self.answers["/" + url.rsplit("/", 1)[-1]]
        answer = found.pop(0) if len(found) > 1 else found[0]
        if isinstance(answer, OSError):
            raise answer
        return answer


def proved(site: Site, settings: config.Serving, *, url: str = URL) -> list[events.Event]:
    return list(serving.prove(url, settings, commit=COMMIT, clock=FakeClock(), get=site))


def refused(site: Site, settings: config.Serving) -> str:
    with pytest.raises(NotServingError) as caught:
        proved(site, settings)
    return str(caught.value)


def settings(**table: object) -> config.Serving:
    return config.Serving(path="/version", timeout_seconds=2.0, **table)  # type: ignore[arg-type]  # as a test says it


WRONG: tuple[tuple[str, dict[str, object], Answer | OSError, str], ...] = (
    ("status", {}, Answer(status=503), "answers 503"),
    ("status that is not the usual one", {"status": 204}, Answer(status=200), "answers 200, not 204"),
    (
        "redirect",
        {},
        Answer(status=301, headers={"location": "https://shop.example.test/"}),
        "answers 301 to https://shop.example.test/",
    ),
    ("body of another commit", {"contains": "{commit}"}, Answer(status=200, body="abc"), f"show '{COMMIT}' (abc)"),
    ("no header", {"headers": {"X-Commit": "{commit}"}}, Answer(status=200), "without the header X-Commit"),
    (
        "header of another commit",
        {"headers": {"X-Commit": "{commit}"}},
        Answer(status=200, headers={"x-commit": "abc"}),
        f"answers X-Commit: abc, not {COMMIT}",
    ),
    ("nobody there", {}, ConnectionRefusedError("refused"), "does not answer (refused)"),
    ("what the service says of itself", {}, Answer(status=500, body="no database\nTraceback"), "500 (no database)"),
)


@pytest.mark.parametrize(("table", "answer", "said"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_wrong_answer_is_told_as_it_was(table: dict[str, object], answer: Answer | OSError, said: str) -> None:
    assert f"for 2 s {URL}version" in (found := refused(Site(version=(answer,)), settings(**table)))
    assert said in found


RIGHT: tuple[tuple[str, dict[str, object], Answer], ...] = (
    ("200", {}, Answer(status=200)),
    ("a status that is asked for", {"status": 301}, Answer(status=301, headers={"location": "/"})),
    ("the commit in the body", {"contains": "at {commit}"}, Answer(status=200, body=f"shop at {COMMIT}\n")),
    (
        "the commit in a header",
        {"headers": {"X-Version": "{commit}"}},
        Answer(status=200, headers={"x-version": f"shop/{COMMIT}"}),
    ),
)


@pytest.mark.parametrize(("table", "answer"), [case[1:] for case in RIGHT], ids=[case[0] for case in RIGHT])
def test_right_answer_is_served(table: dict[str, object], answer: Answer) -> None:
    assert proved(Site(version=(answer,)), settings(**table)) == [
        events.Served(url=f"{URL}version", status=answer.status, seconds=serving.NAP_SECONDS)
    ]


def test_all_requests_have_to_be_answered_rightly_in_one_look() -> None:
    good, bad = Answer(status=200), Answer(status=502)
    site = Site(version=(good, bad, good), health=(bad, good))
    seen = proved(site, settings(also=(config.Request(path="/health"),)))
    assert [type(event).__name__ for event in seen] == ["Noticed", "Served", "Served"]
    assert len(site.asked) == 2 * 3
    assert isinstance(seen[-1], events.Served)
    assert seen[-1].seconds == pytest.approx(2 * serving.POLL_SECONDS, abs=0.01)


def test_every_wrong_answer_of_the_last_look_is_told() -> None:
    site = Site(version=(Answer(status=500),), health=(Answer(status=404),))
    said = refused(site, settings(also=(config.Request(path="/health"),)))
    assert "version answers 500; " in said
    assert "health answers 404" in said


def test_wrong_answer_is_said_once_while_it_is_waited_for() -> None:
    site = Site(version=(Answer(status=503), Answer(status=503), Answer(status=200)))
    noticed = [event for event in proved(site, settings()) if isinstance(event, events.Noticed)]
    assert [event.message for event in noticed] == [f"{URL}version answers 503; asked again for 2 s"]


def test_configured_url_is_asked_instead_of_the_load_balancers() -> None:
    site = Site(version=(Answer(status=200),))
    proved(site, settings(url="https://public.example.test/shop/"))
    assert site.asked == ["https://public.example.test/shop/version"]
    assert serving.address(settings(url="https://public.example.test"), "") == "https://public.example.test"
    assert serving.address(None, URL) == ""


def test_proof_of_any_commit_asks_for_none() -> None:
    also = (config.Request(path="/health", contains="{commit}", headers={"X-Commit": "{commit}", "X-App": "shop"}),)
    found = serving.of_any_commit(settings(contains="{commit}", headers={"X-Commit": "{commit}"}, also=also))
    assert (found.contains, found.headers, found.timeout_seconds) == ("", {}, 2.0)
    assert found.also == (config.Request(path="/health", headers={"X-App": "shop"}),)


class Visited(http.server.BaseHTTPRequestHandler):
    """A server that sends everybody elsewhere, and says who asked for what."""

    def do_GET(self) -> None:
        (self._stream if self.path == "/endless" else self._redirect)()

    def _redirect(self) -> None:
        self.send_response(302)
        self.send_header("Location", "/elsewhere")
        self.send_header("X-Asked", self.path)
        self.send_header("X-Asked", self.headers["Host"])
        self.end_headers()

    def _stream(self) -> None:
        self.send_response(200)
        self.end_headers()
        with contextlib.suppress(OSError):  # whoever asked has gone
            while True:
                self.wfile.write(b"." * 1000)

    def log_message(self, *_: object) -> None:  # nothing is printed
        pass


@pytest.fixture
def port() -> Iterator[int]:
    with http.server.HTTPServer(("127.0.0.1", 0), Visited) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_fetch_follows_no_redirect_and_asks_by_the_whole_name(port: int) -> None:
    answer = serving.fetch(f"http://shop.localhost:{port}/version?full=1")
    assert (answer.status, answer.headers["location"]) == (302, "/elsewhere")
    assert answer.headers["x-asked"] == f"/version?full=1, shop.localhost:{port}"


def test_server_that_speaks_no_tls_is_an_error_that_is_told(port: int) -> None:
    with pytest.raises(OSError, match="SSL"):
        serving.fetch(f"https://localhost:{port}/")


def test_answer_that_never_ends_is_read_to_its_limit(port: int) -> None:
    assert len(serving.fetch(f"http://localhost:{port}/endless").body) >= serving.BODY_BYTES


class Endless:
    """The body of an answer that drips."""

    def read1(self, _: int) -> bytes:
        return b"."


def test_answer_that_drips_is_given_up() -> None:
    with pytest.raises(TimeoutError, match="its answer does not end"):
        serving._body(Endless(), time.monotonic() + 0.05)  # type: ignore[arg-type]  # what is used of an answer


def test_server_that_speaks_no_http_is_an_error_that_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        speaking = threading.Thread(target=_greet, args=(held,))
        speaking.start()
        with pytest.raises(OSError, match="BadStatusLine"):
            serving.fetch(f"http://localhost:{held.getsockname()[1]}/")
        speaking.join()


def _greet(held: socket.socket) -> None:
    caller, _ = held.accept()
    with caller:
        caller.recv(1000)
        caller.sendall(b"220 mail.example.test\r\n")
