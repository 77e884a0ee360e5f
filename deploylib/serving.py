"""Does the release answer? Requests through the load balancer, as a visitor would make them, and what they have to say.

All of them have to be right in the same look: a release that answers one and then the other is not served yet.
Redirects are answers like any other and not followed; certificates are verified.
"""

from __future__ import annotations

import http.client
import ssl
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol, TypeVar
from urllib.parse import urlsplit

from deploylib import events
from deploylib.config import Request, Serving
from deploylib.errors import NotServingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from deploylib.clock import Clock

POLL_SECONDS = 0.5
NAP_SECONDS = 0.001
REQUEST_SECONDS = 10.0
BODY_BYTES = 1_000_000
LONGEST_EXCERPT = 120
COMMIT = "{commit}"

Asked = TypeVar("Asked", Request, Serving)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an HTTP server answered; the names of *headers* are in small letters."""

    status: int
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


class Fetch(Protocol):
    """Get a URL: its answer, or an OSError."""

    def __call__(self, url: str, /) -> Answer:
        """Return what it answers."""


def fetch(url: str, /, *, timeout_seconds: float = REQUEST_SECONDS) -> Answer:
    """Get *url* once. Names under `localhost` are this machine (RFC 6761), whatever the resolver says.

    Connecting, each part of the answer, and the whole body may take *timeout_seconds*.
    """
    parts = urlsplit(url)
    host = "127.0.0.1" if (parts.hostname or "").endswith("localhost") else parts.hostname or ""
    connection = (
        http.client.HTTPSConnection(host, parts.port, timeout=timeout_seconds, context=ssl.create_default_context())
        if parts.scheme == "https"
        else http.client.HTTPConnection(host, parts.port, timeout=timeout_seconds)
    )
    try:
        target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        connection.request("GET", target, headers={"Host": parts.netloc, "User-Agent": "deploylib"})
        with connection.getresponse() as response:  # it holds the connection open by itself
            return _answer(response, timeout_seconds)
    except http.client.HTTPException as error:
        raise OSError(f"{type(error).__name__} {error}") from error
    finally:
        connection.close()


def _answer(response: http.client.HTTPResponse, timeout_seconds: float) -> Answer:
    headers: dict[str, str] = {}
    for name, value in response.getheaders():
        headers[name.lower()] = ", ".join(filter(None, (headers.get(name.lower()), value)))
    body = _body(response, time.monotonic() + timeout_seconds)
    return Answer(status=response.status, body=body.decode(errors="replace"), headers=headers)


def _body(response: http.client.HTTPResponse, deadline: float) -> bytes:
    """Return the body, of a long one the beginning; raise `TimeoutError` for one that never ends."""
    body = bytearray()
    while len(body) < BODY_BYTES and (part := response.read1(BODY_BYTES)):
        if time.monotonic() > deadline:
            raise TimeoutError("its answer does not end")
        body += part
    return bytes(body)


def address(serving: Serving | None, url: str) -> str:
    """Return what is asked: the configured URL, else *url*, that of the load balancer; nothing without a proof."""
    return (serving.url or url) if serving else ""


def of_any_commit(serving: Serving) -> Serving:
    """Return *serving* without what only one commit answers: of several services each may run another one."""
    return replace(_unbound(serving), also=tuple(_unbound(one) for one in serving.also))


def _unbound(one: Asked) -> Asked:
    headers = {name: value for name, value in one.headers.items() if COMMIT not in value}
    return replace(one, contains="" if COMMIT in one.contains else one.contains, headers=headers)


def prove(
    url: str, serving: Serving, *, commit: str, clock: Clock, get: Fetch = fetch
) -> Iterator[events.Served | events.Noticed]:
    """Make the requests of *serving* until all have the right answer in one look; yield `Served` for each.

    They go to *url* unless *serving* has one of its own. A wrong answer is said once. Raises `NotServingError` with the
    last answers when the time limit is over: the rollout is complete, yet it does not serve.
    """
    requests, at = _requests(serving, commit), address(serving, url).rstrip("/")
    started, said = clock.monotonic(), False
    while True:
        looks = [_look(get, at, one, clock) for one in requests]
        wrong = [f"{one.url} {one.problem}" for one in looks if one.problem]
        seconds = clock.monotonic() - started
        if not wrong:
            yield from (events.Served(url=one.url, status=one.status, seconds=seconds) for one in looks)
            return
        if seconds >= serving.timeout_seconds:
            raise NotServingError(
                f"the rollout is complete, but for {serving.timeout_seconds:g} s {'; '.join(wrong)}",
                hint="look at the service's logs and at the load balancer's rules",
            )
        if not said:
            yield events.Noticed(message=f"{'; '.join(wrong)}; asked again for {serving.timeout_seconds:g} s")
            said = True
        clock.sleep(POLL_SECONDS)


def _requests(serving: Serving, commit: str) -> tuple[Request, ...]:
    """Return every request with the commit filled in, that of the table itself first."""
    first = Request(path=serving.path, status=serving.status, contains=serving.contains, headers=serving.headers)
    return tuple(
        replace(
            one,
            contains=one.contains.replace(COMMIT, commit),
            headers={name: value.replace(COMMIT, commit) for name, value in one.headers.items()},
        )
        for one in (first, *serving.also)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """What one request got, and what is wrong with it (nothing when it is right)."""

    url: str
    status: int = 0
    problem: str = ""


def _look(get: Fetch, at: str, request: Request, clock: Clock) -> _Look:
    url = at + request.path
    clock.sleep(NAP_SECONDS)  # the release's clock keeps the lock alive in its sleep; a request may take long
    try:
        answer = get(url)
    except OSError as error:
        return _Look(url=url, problem=f"does not answer ({error})")
    return _Look(url=url, status=answer.status, problem=_problem(answer, request))


def _problem(answer: Answer, request: Request) -> str:
    if answer.status != request.status:
        wanted = f", not {request.status}" if request.status != http.HTTPStatus.OK else ""
        return f"answers {answer.status}{_place(answer)}{wanted}{_excerpt(answer)}"
    for name, wanted in request.headers.items():
        found = answer.headers.get(name.lower())
        if found is None:
            return f"answers without the header {name}"
        if wanted not in found:
            return f"answers {name}: {found[:LONGEST_EXCERPT]}, not {wanted}"
    return "" if request.contains in answer.body else f"does not show {request.contains!r}{_excerpt(answer)}"


def _place(answer: Answer) -> str:
    """Return where a redirect leads, in words."""
    return f" to {answer.headers['location']}" if "location" in answer.headers else ""


def _excerpt(answer: Answer) -> str:
    """Return the first line of an answer that people can read; a page of HTML says nothing in one."""
    first = answer.body.strip().split("\n", 1)[0].strip()
    return "" if not first or first.startswith("<") else f" ({first[:LONGEST_EXCERPT]})"
