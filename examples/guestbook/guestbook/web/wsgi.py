"""The application as gunicorn loads it, from the environment."""

from __future__ import annotations

import os

from guestbook.database import database_from
from guestbook.task import TaskReader
from guestbook.web.application import create_application
from guestbook.web.postgres import PostgresBook
from guestbook.web.release import release_from
from guestbook.web.visits import visits_from

application = create_application(
    PostgresBook(database_from(os.environ)),
    release_from(os.environ),
    TaskReader(os.environ),
    visits=visits_from(os.environ),
)
