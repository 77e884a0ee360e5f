"""The network between the commands and the local AWS: a cable that a test pulls out and puts back."""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PIECE = 65_536
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing is a reset


@dataclass(slots=True)
class Cable:
    """Pass on what comes to `port` to *target*, a port of this machine, while it is `whole`."""

    target: int
    port: int = 0
    refused: int = 0
    _listener: socket.socket = field(default_factory=socket.socket)
    _ends: set[socket.socket] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _whole: bool = True

    def __enter__(self) -> Self:
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """Break every connection, and each new one at once."""
        with self._lock:
            self._whole = False
            for end in self._ends:
                _reset(end)
            self._ends.clear()

    def mend(self) -> None:
        """Let connections through again."""
        with self._lock:
            self._whole = True

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                self._connect(self._listener.accept()[0])

    def _connect(self, near: socket.socket) -> None:
        with self._lock:
            if not self._whole:
                self.refused += 1
                _reset(near)
                return
            far = socket.create_connection(("127.0.0.1", self.target))
            self._ends |= {near, far}
        for pair in ((near, far), (far, near)):
            threading.Thread(target=self._pass_on, args=pair, daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(PIECE):
                sink.sendall(piece)
        with self._lock:
            for end in (source, sink):
                if end in self._ends:
                    self._ends.discard(end)
                    _reset(end)


def _reset(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        end.shutdown(socket.SHUT_RDWR)
    end.close()


@contextlib.contextmanager
def cable(config_file: Path) -> Iterator[Cable]:
    """Lead all calls of the profiles in an AWS *config_file* through a cable, for as long as the context lasts."""
    text = config_file.read_text()
    (target,) = set(re.findall(r"^endpoint_url\s*=\s*\S+:(\d+)\s*$", text, re.MULTILINE))
    with Cable(int(target)) as laid:
        config_file.write_text(re.sub(rf"^(endpoint_url.*:){target}\b", rf"\g<1>{laid.port}", text, flags=re.MULTILINE))
        try:
            yield laid
        finally:
            config_file.write_text(text)
