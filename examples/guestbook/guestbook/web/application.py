"""The pages, over any guest book."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from typing import TYPE_CHECKING

from flask import Flask, Response, jsonify, redirect, render_template, request

from guestbook.web.book import MESSAGE_LENGTH, NAME_LENGTH, BookError, Draft, draft_from
from guestbook.web.wording import say_age

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask.typing import ResponseReturnValue

    from guestbook.task import Task
    from guestbook.web.book import Book, Page
    from guestbook.web.release import Release
    from guestbook.web.visits import Visits

FORM_BYTES = 16 * 1024
BLANK = Draft(name="", message="", mistakes={})
OK, UNPROCESSABLE, UNAVAILABLE, SEE_OTHER = 200, 422, 503, 303


def create_application(
    book: Book, release: Release, read_task: Callable[[], Task | None], *, visits: Visits | None = None
) -> Flask:
    """Make the WSGI application; without *visits* nobody counts."""
    site = Site(book, release, read_task, visits)
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = FORM_BYTES
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    app.get("/")(site.read)
    app.post("/")(site.sign)
    app.get("/version")(site.version)
    app.get("/healthz")(site.healthz)
    app.get("/readyz")(site.readyz)
    app.after_request(site.guard)
    return app


class Site:
    """The pages over one guest book."""

    def __init__(
        self, book: Book, release: Release, read_task: Callable[[], Task | None], visits: Visits | None
    ) -> None:
        self._book = book
        self._release = release
        self._read_task = read_task
        self._visits = visits
        self._style = read_text("page.css").replace("HUE", str(release.hue))
        self._script = read_text("page.js")
        self._policy = content_policy(self._style, self._script)

    def read(self) -> ResponseReturnValue:
        """Show the book."""
        return self._show(BLANK, OK)

    def sign(self) -> ResponseReturnValue:
        """Write an entry and lead to it, so that a reload does not write it again."""
        draft = draft_from(request.form)
        if draft.mistakes:
            return self._show(draft, UNPROCESSABLE)
        try:
            entry_id = self._book.sign(draft.name, draft.message)
        except BookError as error:
            return self._show(draft, UNAVAILABLE, trouble=str(error))
        return redirect(f"/#entry-{entry_id}", SEE_OTHER)

    def version(self) -> ResponseReturnValue:
        """Tell a machine which release answers."""
        task = self._read_task()
        return jsonify(
            commit=self._release.commit,
            role=self._release.role,
            task=task.task_id if task else None,
            task_definition=task.definition if task else None,
        )

    def healthz(self) -> ResponseReturnValue:
        """Tell that this process answers, whatever the database does."""
        return plain("ok")

    def readyz(self) -> ResponseReturnValue:
        """Tell whether the book can be opened."""
        try:
            return plain(f"ok, schema {self._book.revision()}")
        except BookError as error:
            return plain(str(error), UNAVAILABLE)

    def guard(self, response: Response) -> Response:
        """Let a browser keep nothing and run nothing but what the page brings."""
        response.headers["Cache-Control"] = "no-store"
        response.headers["Content-Security-Policy"] = self._policy
        response.headers["Referrer-Policy"] = "same-origin"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    def _show(self, draft: Draft, status: int, *, trouble: str = "") -> ResponseReturnValue:
        page, status, trouble = self._open(status, trouble)
        text = render_template(
            "page.html",
            page=page,
            draft=draft,
            trouble=trouble,
            release=self._release,
            task=self._read_task(),
            visits=self._count(),
            style=self._style,
            script=self._script,
            say_age=say_age,
            name_length=NAME_LENGTH,
            message_length=MESSAGE_LENGTH,
        )
        return text, status

    def _count(self) -> int | None:
        """Count a visit, but not the page's own looking again."""
        if self._visits is None:
            return None
        by_script = request.headers.get("Sec-Fetch-Dest") == "empty"
        return self._visits.so_far() if by_script or request.method != "GET" else self._visits.add()

    def _open(self, status: int, trouble: str) -> tuple[Page | None, int, str]:
        try:
            return self._book.read(), status, trouble
        except BookError as error:
            return None, UNAVAILABLE, trouble or str(error)


def plain(text: str, status: int = OK) -> Response:
    """Answer with one line of text."""
    return Response(f"{text}\n", status, mimetype="text/plain")


def read_text(name: str) -> str:
    """Read a file of this package."""
    return (files(__package__) / name).read_text(encoding="utf-8")


def content_policy(style: str, script: str) -> str:
    """Allow the page its own style and script, by hash, and nothing from elsewhere."""
    return (
        f"default-src 'none'; style-src {source_hash(style)}; script-src {source_hash(script)}; connect-src 'self'; "
        "img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


def source_hash(text: str) -> str:
    """Name an inline source by its hash, as a content security policy wants it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
