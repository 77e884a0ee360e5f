"""The post: each endpoint has a thread of its own, so that the release goes on whatever an endpoint does.

Only at the end is anything waited for, and for all endpoints together no longer than `BUDGET_SECONDS`. Apprise is
loaded in these threads too. What it logs names hosts and tokens: of that only the status of an answer is told.
"""

from __future__ import annotations

import contextlib
import logging
import re
import threading
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import TYPE_CHECKING, Protocol

from deploylib.events import Noticed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from deploylib.clock import Clock
    from deploylib.notify.messages import Kind, Message

BUDGET_SECONDS = 3.0
LOOK_SECONDS = 0.02
STATUS = re.compile(r"\berror=(\d{3})\b")
COLOURS = {"failed": "failure", "rolled back": "warning", "serving": "success"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One endpoint that is told of *kinds*: an Apprise URL, which is a secret, under a *name* that is none.

    *problem* says why it has no URL.
    """

    name: str
    url: str = field(default="", repr=False)
    kinds: tuple[Kind, ...] = ()
    mention: str = ""
    problem: str = ""


class Send(Protocol):
    """Hand a message to an endpoint."""

    def __call__(self, channel: Channel, message: Message, /) -> str:
        """Return what went wrong, without anything secret; nothing when it was taken."""


def send(channel: Channel, message: Message, /) -> str:
    """Hand *message* to the service that the channel's URL names, in one attempt."""
    import apprise  # noqa: PLC0415  # 0.2 s, and only releases with notifications need it

    with _status() as status:
        who = apprise.AppriseAsset(app_id="deploylib", app_desc="deploylib", app_url="", image_url_mask="")
        endpoint = apprise.Apprise.instantiate(channel.url, asset=who)
        if endpoint is None:
            return "is no Apprise URL"
        endpoint.socket_connect_timeout = endpoint.socket_read_timeout = BUDGET_SECONDS
        mention = channel.mention if message.is_problem else ""
        taken = endpoint.notify(
            title=message.title,
            body=f"{mention} {message.body}".strip(),
            notify_type=apprise.NotifyType(COLOURS.get(message.kind, "info")),
            # declared as text, a mention would be escaped; undeclared, a mail would lose its lines
            body_format=None if mention else apprise.NotifyFormat.TEXT,
        )
    if taken:
        return ""
    return f"answered {status[-1]}" if status else "did not take the message"


@contextlib.contextmanager
def _status() -> Iterator[list[str]]:
    """Collect the HTTP status of answers from what Apprise logs in this thread; nobody else sees its log."""
    log, found = logging.getLogger("apprise"), list[str]()
    log.propagate = False
    listener = _Listener(found)
    log.addHandler(listener)
    try:
        yield found
    finally:
        log.removeHandler(listener)


class _Listener(logging.Handler):
    def __init__(self, found: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._found, self._thread = found, threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:
            self._found += STATUS.findall(record.getMessage())


class Post:
    """The endpoints of one release."""

    def __init__(self, channels: Sequence[Channel], *, clock: Clock, send: Send = send) -> None:
        self._couriers = tuple(_Courier(one, send) for one in channels)
        self._clock = clock
        self._complained: set[str] = set()

    def take(self, message: Message) -> None:
        """Leave *message* to those who want it; this takes no time."""
        for one in self._couriers:
            one.take(message)

    def complaints(self, *, late: bool = False) -> Iterator[Noticed]:
        """Yield, once for each endpoint, what went wrong with it; with *late*, also that it has not answered yet."""
        for one in self._couriers:
            problem = one.problem_so_far if late else one.problem
            if problem and one.channel.name not in self._complained:
                self._complained.add(one.channel.name)
                yield Noticed(
                    message=f"notification by {one.channel.name}: {problem}; the release is not touched by it"
                )

    def problems(self) -> tuple[str, ...]:
        """Return what went wrong with each endpoint, nothing for those that took everything."""
        return tuple(one.problem_so_far for one in self._couriers)

    def wait(self) -> None:
        """Wait until all is sent, `BUDGET_SECONDS` at most; a Ctrl-C ends the waiting and nothing else."""
        deadline = self._clock.monotonic() + BUDGET_SECONDS
        with contextlib.suppress(KeyboardInterrupt):
            while any(one.busy for one in self._couriers) and self._clock.monotonic() < deadline:
                self._clock.sleep(LOOK_SECONDS)

    def close(self) -> None:
        """Let the threads end once they have sent what they have."""
        for one in self._couriers:
            one.close()


class _Courier:
    """What one endpoint is still to be told, and the thread that does; whatever it waits for, the process can end."""

    def __init__(self, channel: Channel, send: Send) -> None:
        self.channel = channel
        self.problem = channel.problem
        self._send = send
        self._given = self._done = 0
        self._waiting: SimpleQueue[Message | None] = SimpleQueue()

    @property
    def busy(self) -> bool:
        """Whether something is still to be sent."""
        return self._done < self._given

    @property
    def problem_so_far(self) -> str:
        """What went wrong, or that there is no answer yet."""
        return self.problem or ("has not answered yet" if self.busy else "")

    def take(self, message: Message) -> None:
        if self.channel.problem or message.kind not in self.channel.kinds:
            return
        if not self._given:
            threading.Thread(target=self._deliver, name=f"notify {self.channel.name}", daemon=True).start()
        self._given += 1
        self._waiting.put(message)

    def close(self) -> None:
        self._waiting.put(None)

    def _deliver(self) -> None:
        while message := self._waiting.get():
            try:
                problem = self._send(self.channel, message)
            except Exception as error:  # noqa: BLE001  # whatever a service's library does, the release goes on
                problem = f"failed ({type(error).__name__})"  # its text may hold the URL
            self.problem = self.problem or problem
            self._done += 1
