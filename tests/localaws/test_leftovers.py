from __future__ import annotations

from deploylib.localaws.leftovers import Removed


def test_what_was_removed_is_counted_in_words() -> None:
    assert str(Removed()) == "nothing"
    assert str(Removed(containers=1, images=2)) == "1 container, 2 images"


def test_counts_add_up() -> None:
    assert Removed(containers=1) + Removed(containers=2, volumes=3) == Removed(containers=3, volumes=3)
