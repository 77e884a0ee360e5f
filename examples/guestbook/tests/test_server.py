from __future__ import annotations

from dataclasses import dataclass, field

from guestbook.web.server import HeldStop, count_connections

TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000 10001        0 5138 1
   1: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 10001        0 5170 1
   2: 030012AC:1F90 010012AC:C350 01 00000000:00000000 00:00000000 00000000 10001        0 5171 1
   3: 0100007F:1F40 0100007F:8C2E 01 00000000:00000000 00:00000000 00000000 10001        0 5172 1
   4: 030012AC:1F90 010012AC:C351 06 00000000:00000000 03:00000000 00000000     0        0 0 3
   5: 0100007F:8C2E 0100007F:1F90 01 00000000:00000000 00:00000000 00000000 10001        0 5173 1
""".splitlines()


@dataclass
class Scene:
    """A server that is asked to stop while nginx is, or is not, at work."""

    busy: bool
    now: float = 100.0
    stops: int = 0
    held: HeldStop = field(init=False)

    def __post_init__(self) -> None:
        self.held = HeldStop(self.stop, is_busy=lambda: self.busy, monotonic=lambda: self.now)

    def stop(self) -> None:
        self.stops += 1


def test_only_open_connections_to_the_port_itself_count() -> None:
    assert count_connections(TABLE, 8080) == 1
    assert count_connections(TABLE, 8000) == 1
    assert count_connections(TABLE, 80) == 0
    assert count_connections([], 8080) == 0


def test_an_idle_server_stops_at_the_first_look() -> None:
    scene = Scene(busy=False)
    scene.held.ask()
    assert scene.stops == 0
    scene.held.look()
    assert scene.stops == 1


def test_a_busy_server_stops_once_nginx_is_idle() -> None:
    scene = Scene(busy=True)
    scene.held.ask()
    scene.held.look()
    assert scene.stops == 0
    scene.busy = False
    scene.held.look()
    assert scene.stops == 1


def test_a_busy_server_is_held_for_ten_seconds_at_most() -> None:
    scene = Scene(busy=True)
    scene.held.ask()
    scene.now += 10.0
    scene.held.look()
    assert scene.stops == 0
    scene.now += 0.1
    scene.held.look()
    assert scene.stops == 1


def test_a_second_request_to_stop_is_not_held() -> None:
    scene = Scene(busy=True)
    scene.held.ask()
    scene.held.ask()
    assert scene.stops == 1


def test_nobody_is_stopped_unasked() -> None:
    scene = Scene(busy=False)
    scene.held.look()
    assert scene.stops == 0
