"""gunicorn's settings in development: production's, but what is edited is served a second later."""

from __future__ import annotations

from pathlib import Path

from guestbook.web.server import *  # noqa: F403  a settings file is its module's names

WEB = Path("guestbook/web")

preload_app = False  # what is loaded before the fork cannot be loaded again
reload = True
reload_extra_files = sorted(str(path) for kind in ("html", "css", "js") for path in WEB.rglob(f"*.{kind}"))
graceful_timeout = 1
loglevel = "info"
