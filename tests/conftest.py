"""How the end-to-end tests are dealt out to two workers: what shares something slow stays with one of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable

HERE = Path(__file__).parent
WITH_A_PROJECT_OF_THEIR_OWN = ("test_compiled", "test_production_stack", "test_promotion")


def pytest_collection_modifyitems(items: Iterable[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("e2e"):
            item.add_marker(pytest.mark.xdist_group(_group(item.path)))


def _group(path: Path) -> str:
    """Return what the tests of this file share: one project, one local AWS, or nothing with any other file."""
    folder = path.parent.relative_to(HERE)
    shares = path.stem not in WITH_A_PROJECT_OF_THEIR_OWN and folder.parts in {("e2e",), ("localaws", "extension")}
    return str(folder if shares else folder / path.stem)
