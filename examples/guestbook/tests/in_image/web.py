"""What the `web` image has to pass before it is pushed: the application as it is in there, over a real database."""

from __future__ import annotations

import unittest
from http import HTTPStatus

from guestbook.web.wsgi import application


class WebTest(unittest.TestCase):
    """Nothing but the standard library: what only tests need is not in the image."""

    def setUp(self) -> None:
        self.guest = application.test_client()

    def test_what_a_guest_writes_is_on_the_page(self) -> None:
        answer = self.guest.post("/", data={"name": "Ada", "message": "Written by a test."}, follow_redirects=True)
        assert answer.status_code == HTTPStatus.OK, answer.status
        assert "Written by a test." in answer.text

    def test_the_schema_is_there(self) -> None:
        answer = self.guest.get("/readyz")
        assert answer.status_code == HTTPStatus.OK, answer.text
