"""Does the release answer? One request through the load balancer, as a visitor would make it."""

from __future__ import annotations

import http.client
import ssl
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from deploylib import events
from deploylib.errors import NotRestoredError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploylib.clock import Clock
    from deploylib.config import Serving

POLL_SECONDS = 0.5
REQUEST_SECONDS = 10.0
BODY_BYTES = 1_000_000
OK = 200


class Fetch(Protocol):
    """Get a URL: its status and body, or an OSError."""

    def __call__(self, url: str, /) -> tuple[int, str]:
        """Return status and body."""


def fetch(url: str, /) -> tuple[int, str]:
    """Get *url* once. Names under `localhost` are this machine (RFC 6761), whatever the resolver says."""
    parts = urlsplit(url)
    host = "127.0.0.1" if (parts.hostname or "").endswith("localhost") else parts.hostname or ""
    connection = (
        http.client.HTTPSConnection(host, parts.port, timeout=REQUEST_SECONDS, context=ssl.create_default_context())
        if parts.scheme == "https"
        else http.client.HTTPConnection(host, parts.port, timeout=REQUEST_SECONDS)
    )
    try:
        target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        connection.request("GET", target, headers={"Host": parts.netloc, "User-Agent": "deploylib"})
        response = connection.getresponse()
        return response.status, response.read(BODY_BYTES).decode(errors="replace")
    except http.client.HTTPException as error:
        raise OSError(f"{type(error).__name__} {error}") from error
    finally:
        connection.close()


def prove(url: str, serving: Serving, *, commit: str, clock: Clock, get: Fetch = fetch) -> Iterator[events.Event]:
    """Ask *url* until it answers 200 with the expected text; yield `Served`.

    Raises `NotRestoredError` when it does not within the time limit: the rollout is complete, yet nobody is served.
    """
    address, wanted = url.rstrip("/") + serving.path, serving.contains.replace("{commit}", commit)
    started = clock.monotonic()
    while True:
        status, problem = _attempt(get, address, wanted)
        seconds = clock.monotonic() - started
        if not problem:
            yield events.Served(url=address, status=status, seconds=seconds)
            return
        if seconds >= serving.timeout_seconds:
            raise NotRestoredError(
                f"the rollout is complete, but {address} {problem} for {serving.timeout_seconds:g} s",
                hint="look at the service's logs and at the load balancer's rules",
            )
        clock.sleep(POLL_SECONDS)


def _attempt(get: Fetch, address: str, wanted: str) -> tuple[int, str]:
    """Return the status, and what is wrong with the answer (nothing when it is right)."""
    try:
        status, body = get(address)
    except OSError as error:
        return 0, f"does not answer ({error})"
    if status != OK:
        return status, f"answers {status}"
    return status, "" if wanted in body else f"does not show {wanted!r}"
