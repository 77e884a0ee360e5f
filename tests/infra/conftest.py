from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.infra.stand_in import StandIn

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def stand_in(tmp_path: Path) -> StandIn:
    """Return a fake Terraform, with nothing to say yet."""
    return StandIn.install(tmp_path / "bin")
