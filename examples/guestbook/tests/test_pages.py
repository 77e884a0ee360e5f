from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from guestbook.task import Container, Task
from guestbook.web.application import create_application, source_hash
from guestbook.web.book import BookError, Entry, Page, Worker
from guestbook.web.release import Release, release_from
from guestbook.web.visits import Visits

if TYPE_CHECKING:
    from flask.testing import FlaskClient

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
COMMIT = "8c1f0de27a9b4c38b1d7e6a2905cd81312345678"
TASK = Task(
    task_id="4f1c0de27a9b4c38b1d7e6a2905cd813",
    definition="guestbook-local-web:12",
    containers=(Container(name="app", image="registry/guestbook@sha256:0123456789abcdef"),),
)


@dataclass
class MemoryBook:
    """A guest book that forgets, and closes when it is told to."""

    entries: list[Entry] = field(default_factory=list)
    workers: tuple[Worker, ...] = ()
    trouble: str = ""

    def read(self) -> Page:
        self.revision()
        return Page(
            now=NOW,
            revision="0002",
            rows=len(self.entries),
            stamped=sum(1 for entry in self.entries if entry.stamped_at),
            entries=tuple(reversed(self.entries)),
            workers=self.workers,
        )

    def sign(self, name: str, message: str) -> int:
        self.revision()
        self.entries.append(Entry(entry_id=len(self.entries) + 1, name=name, message=message, signed_at=NOW))
        return len(self.entries)

    def revision(self) -> str:
        if self.trouble:
            raise BookError(self.trouble)
        return "0002"


def client_of(book: MemoryBook, *, task: Task | None = TASK, visits: Visits | None = None) -> FlaskClient:
    release = Release(commit=COMMIT, greeting="Good morning")
    return create_application(book, release, lambda: task, visits=visits).test_client()


def shown_visits(page: str) -> str | None:
    found = re.search(r"<dt>Visits</dt><dd>(.*?)</dd>", page)
    return found[1] if found else None


def test_the_page_shows_what_is_deployed() -> None:
    page = client_of(MemoryBook()).get("/").text
    for fact in (COMMIT, "8c1f0de27a9b", "Good morning", "web", "guestbook-local-web:12", "4f1c0de2", "0002"):
        assert fact in page
    assert "0123456789ab" in page


def test_the_page_does_without_ecs() -> None:
    assert "not on ECS" in client_of(MemoryBook(), task=None).get("/").text


def test_a_signed_entry_is_on_the_page_that_follows() -> None:
    book = MemoryBook()
    answer = client_of(book).post("/", data={"name": "Ada", "message": "Hello"}, follow_redirects=True)
    assert answer.request.path == "/"
    assert answer.request.method == "GET"
    assert "Ada" in answer.text
    assert "waiting for a worker" in answer.text


def test_signing_leads_to_the_entry() -> None:
    answer = client_of(MemoryBook()).post("/", data={"name": "Ada", "message": "Hello"})
    assert (answer.status_code, answer.location) == (303, "/#entry-1")


def test_what_a_guest_writes_is_escaped() -> None:
    book = MemoryBook()
    page = client_of(book).post(
        "/", data={"name": "<b>", "message": "</bdi><script>alert(1)</script>"}, follow_redirects=True
    )
    assert "<script>alert" not in page.text
    assert "&lt;script&gt;alert(1)" in page.text


def test_a_refused_entry_is_not_lost() -> None:
    book = MemoryBook()
    answer = client_of(book).post("/", data={"name": "x" * 41, "message": "a long story"})
    assert answer.status_code == 422
    assert "At most 40 characters, please; these are 41." in answer.text
    assert "a long story" in answer.text
    assert not book.entries


def test_an_entry_keeps_its_first_line_break_in_the_form() -> None:
    answer = client_of(MemoryBook(trouble="away")).post("/", data={"name": "Ada", "message": "one\r\ntwo"})
    assert ">\none\ntwo</textarea>" in answer.text


def test_a_form_that_is_far_too_large_is_not_read() -> None:
    assert client_of(MemoryBook()).post("/", data={"name": "x" * 20_000}).status_code == 413


def test_without_a_database_the_page_says_so_and_still_shows_the_commit() -> None:
    answer = client_of(MemoryBook(trouble="the database does not answer")).get("/")
    assert answer.status_code == 503
    assert "the database does not answer" in answer.text
    assert COMMIT in answer.text


def test_an_entry_that_could_not_be_written_stays_in_the_form() -> None:
    answer = client_of(MemoryBook(trouble="the database does not answer")).post(
        "/", data={"name": "Ada", "message": "keep me"}
    )
    assert answer.status_code == 503
    assert "keep me" in answer.text


def test_liveness_does_not_ask_the_database_and_readiness_does() -> None:
    client = client_of(MemoryBook(trouble="the database does not answer"))
    assert (client.get("/healthz").status_code, client.get("/healthz").text) == (200, "ok\n")
    assert (client.get("/readyz").status_code, client.get("/readyz").text) == (503, "the database does not answer\n")
    assert client_of(MemoryBook()).get("/readyz").text == "ok, schema 0002\n"


def test_version_tells_the_full_commit() -> None:
    assert client_of(MemoryBook(trouble="away")).get("/version").json == {
        "commit": COMMIT,
        "role": "web",
        "task": TASK.task_id,
        "task_definition": "guestbook-local-web:12",
    }


def test_a_stamp_tells_who_gave_it_and_after_how_long() -> None:
    stamped = Entry(
        entry_id=7,
        name="Ada",
        message="one two",
        signed_at=NOW - timedelta(minutes=3),
        words=2,
        stamped_by="0a1b2c3d",
        stamped_at=NOW - timedelta(minutes=3) + timedelta(seconds=0.42),
    )
    page = client_of(MemoryBook(entries=[stamped])).get("/").text
    assert "<b>2</b> words" in page
    assert "stamped by <code>0a1b2c3d</code> after 0.4 s" in page
    assert "3 min ago" in page


@pytest.mark.parametrize(
    ("silent_seconds", "stopped", "state"),
    [(1, False, "at work"), (30, False, "lost"), (30, True, "stopped")],
)
def test_a_worker_that_left_is_told_from_one_that_was_lost(silent_seconds: int, stopped: bool, state: str) -> None:  # noqa: FBT001  a case
    beat_at = NOW - timedelta(seconds=silent_seconds)
    worker = Worker(
        name="0a1b2c3d", definition="job:3", stamped=5, beat_at=beat_at, stopped_at=beat_at if stopped else None
    )
    assert f'data-state="{state}"' in client_of(MemoryBook(workers=(worker,))).get("/").text


def test_the_browser_may_run_only_the_style_and_the_script_of_the_page() -> None:
    answer = client_of(MemoryBook()).get("/")
    policy = answer.headers["Content-Security-Policy"]
    for element in ("style", "script"):
        (source,) = re.findall(rf"<{element}>(.*?)</{element}>", answer.text, re.DOTALL)
        assert f"{element}-src {source_hash(source)};" in policy
    assert "unsafe" not in policy


def test_every_live_part_can_be_found_again() -> None:
    page = client_of(MemoryBook()).get("/").text
    live = re.findall(r"<[^>]*data-live[^>]*>", page)
    assert len(live) == 6
    assert all(re.search(r'\bid="\w+"', tag) for tag in live)


class Clicker:
    """Counts in memory, as Redis would."""

    def __init__(self) -> None:
        self.count = 0

    def incr(self, name: str) -> int:
        self.count += 1
        return self.count

    def get(self, name: str) -> bytes | None:
        return str(self.count).encode()


def test_visits_are_counted_where_somebody_counts() -> None:
    client = client_of(MemoryBook(), visits=Visits(Clicker()))
    assert [shown_visits(client.get("/").text) for _ in range(2)] == ["1", "2"]


def test_the_page_that_looks_again_is_no_visit() -> None:
    client = client_of(MemoryBook(), visits=Visits(Clicker()))
    client.get("/")
    assert shown_visits(client.get("/", headers={"Sec-Fetch-Dest": "empty"}).text) == "1"


def test_without_a_counter_no_number_is_shown() -> None:
    assert shown_visits(client_of(MemoryBook()).get("/").text) is None


def test_two_commits_have_two_colours() -> None:
    hues = {Release(commit=commit, greeting="").hue for commit in ("a" * 40, "b" * 40, COMMIT)}
    assert len(hues) == 3


def test_an_image_without_a_commit_says_so() -> None:
    assert release_from({"COMMIT": ""}).short_commit == "uncommitted"
