"""The pages, over any guest book."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, jsonify, redirect, render_template, request

from guestbook.web.book import MESSAGE_LENGTH, NAME_LENGTH, Book, BookError, Draft, draft_from
from guestbook.web.wording import say_age

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask.typing import ResponseReturnValue

    from guestbook.task import Task
    from guestbook.web.release import Release

FORM_BYTES = 16 * 1024
BLANK = Draft(name="", message="", mistakes={})
OK, UNPROCESSABLE, UNAVAILABLE, SEE_OTHER = 200, 422, 503, 303


def create_application(book: Book, release: Release, read_task: Callable[[], Task | None]) -> Flask:
    """Make the WSGI application."""
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = FORM_BYTES
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    style, script = read_text("page.css").replace("HUE", str(release.hue)), read_text("page.js")
    policy = content_policy(style, script)

    def show(draft: Draft, status: int, *, trouble: str = "") -> ResponseReturnValue:
        try:
            page = book.read()
        except BookError as error:
            page, status, trouble = None, UNAVAILABLE, trouble or str(error)
        facts: dict[str, Any] = {"release": release, "task": read_task(), "style": style, "script": script}
        limits = {"name_length": NAME_LENGTH, "message_length": MESSAGE_LENGTH}
        return render_template(
            "page.html", page=page, draft=draft, trouble=trouble, say_age=say_age, **facts, **limits
        ), status

    @app.get("/")
    def read() -> ResponseReturnValue:
        return show(BLANK, OK)

    @app.post("/")
    def sign() -> ResponseReturnValue:
        draft = draft_from(request.form)
        if draft.mistakes:
            return show(draft, UNPROCESSABLE)
        try:
            entry_id = book.sign(draft.name, draft.message)
        except BookError as error:
            return show(draft, UNAVAILABLE, trouble=str(error))
        return redirect(f"/#entry-{entry_id}", SEE_OTHER)

    @app.get("/version")
    def version() -> ResponseReturnValue:
        task = read_task()
        return jsonify(
            commit=release.commit,
            role=release.role,
            task=task.task_id if task else None,
            task_definition=task.definition if task else None,
        )

    @app.get("/healthz")
    def healthz() -> ResponseReturnValue:
        return plain("ok")

    @app.get("/readyz")
    def readyz() -> ResponseReturnValue:
        try:
            return plain(f"ok, schema {book.revision()}")
        except BookError as error:
            return plain(str(error), UNAVAILABLE)

    @app.after_request
    def guard(response: Response) -> Response:
        response.headers["Cache-Control"] = "no-store"
        response.headers["Content-Security-Policy"] = policy
        response.headers["Referrer-Policy"] = "same-origin"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    return app


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
