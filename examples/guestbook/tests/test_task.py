from __future__ import annotations

import http.server
import json
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from guestbook.task import Container, Task, TaskReader, fetch_task, process_name, task_from

if TYPE_CHECKING:
    from collections.abc import Iterator

URI = "ECS_CONTAINER_METADATA_URI_V4"
DOCUMENT = {
    "TaskARN": "arn:aws:ecs:ap-northeast-1:111111111111:task/guestbook-prd/4f1c0de27a9b4c38b1d7e6a2905cd813",
    "Family": "guestbook-prd-web",
    "Revision": "12",
    "Containers": [
        {"Name": "nginx", "Image": "registry/guestbook:nginx-1"},
        {"Name": "app", "Image": "registry/guestbook@sha256:0123456789abcdef"},
    ],
}
TASK = task_from(DOCUMENT)


@contextmanager
def endpoint(status: int, body: bytes) -> Iterator[str]:
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/v4/token/task" else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            """Stay quiet."""

    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/v4/token"
        thread.join()


def test_the_metadata_document_is_read() -> None:
    assert task_from(DOCUMENT) == Task(
        task_id="4f1c0de27a9b4c38b1d7e6a2905cd813",
        definition="guestbook-prd-web:12",
        containers=(
            Container(name="app", image="registry/guestbook@sha256:0123456789abcdef"),
            Container(name="nginx", image="registry/guestbook:nginx-1"),
        ),
    )


def test_images_are_shortened_to_digest_or_tag() -> None:
    assert [container.short_image for container in TASK.containers] == ["0123456789ab", "guestbook:nginx-1"]


def test_the_endpoint_is_asked_for_its_task() -> None:
    with endpoint(200, json.dumps(DOCUMENT).encode()) as uri:
        assert fetch_task(uri) == TASK


@pytest.mark.parametrize("body", [b"", b"not json", b"{}"])
def test_an_endpoint_that_talks_nonsense_is_no_endpoint(body: bytes) -> None:
    with endpoint(200, body) as uri:
        assert fetch_task(uri) is None


def test_an_endpoint_that_is_gone_is_no_endpoint() -> None:
    with endpoint(200, b"{}") as uri:
        fetch_task(uri)
    assert fetch_task(uri) is None


def test_outside_of_ecs_nobody_is_asked() -> None:
    asked: list[str] = []
    assert TaskReader({}, fetch=asked.append, monotonic=lambda: 0.0)() is None
    assert asked == []


def test_a_known_task_is_not_asked_for_again() -> None:
    asked: list[str] = []

    def fetch(uri: str) -> Task:
        asked.append(uri)
        return TASK

    read = TaskReader({URI: "http://endpoint/v4/token"}, fetch=fetch, monotonic=lambda: 0.0)
    assert (read(), read()) == (TASK, TASK)
    assert asked == ["http://endpoint/v4/token"]


def test_a_failure_is_not_repeated_for_every_page() -> None:
    answers: list[Task | None] = [None, TASK]
    times = iter((0.0, 9.9, 10.0))
    read = TaskReader(
        {URI: "http://endpoint/v4/token"}, fetch=lambda _uri: answers.pop(0), monotonic=lambda: next(times)
    )
    assert [read(), read(), read()] == [None, None, TASK]


def test_a_process_is_named_after_its_task() -> None:
    assert process_name(TASK) == "4f1c0de2"
    assert process_name(None)
