from __future__ import annotations

from deploylib.localaws.leftovers import Removed


def test_what_was_removed_is_counted_in_words() -> None:
    assert str(Removed()) == "nothing"
    assert str(Removed(emulators=1, containers=2, images=1)) == "1 emulator, 2 containers, 1 image"


def test_counts_add_up() -> None:
    assert Removed(containers=1) + Removed(containers=2, volumes=3) == Removed(containers=3, volumes=3)
