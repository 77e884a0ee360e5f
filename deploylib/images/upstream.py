"""Which digest each outside image has now."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


def nobody(_: Collection[str]) -> Mapping[str, str]:
    """Know no digest."""
    return {}
