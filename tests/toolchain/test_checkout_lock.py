from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from deploylib.toolchain import checkout_lock

if TYPE_CHECKING:
    from pathlib import Path


def test_a_second_command_says_that_it_waits_and_goes_on_when_the_first_is_done(tmp_path: Path) -> None:
    waits, order = threading.Event(), []

    def second() -> None:
        with checkout_lock.locked(tmp_path, lambda _: waits.set()):
            order.append("second")

    thread = threading.Thread(target=second)
    with checkout_lock.locked(tmp_path, order.append):
        thread.start()
        assert waits.wait(5)
        order.append("first")
    thread.join(5)

    assert order == ["first", "second"]


def test_the_lock_leaves_no_file_and_can_be_taken_again(tmp_path: Path) -> None:
    said: list[str] = []
    for _ in range(2):
        with checkout_lock.locked(tmp_path, said.append):
            pass

    assert list(tmp_path.iterdir()) == []
    assert said == []
