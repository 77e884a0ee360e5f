from __future__ import annotations

import pytest

from tests.fakes import world as worlds
from tests.verify.scenery import ROOT, Scene, make_scene


@pytest.fixture
def scene() -> Scene:
    return make_scene(worlds.world(), ROOT)


@pytest.fixture
def new_scene() -> Scene:
    """A world as Terraform leaves it."""
    return make_scene(worlds.world(released=False), ROOT)
