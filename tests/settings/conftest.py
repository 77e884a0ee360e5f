from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes import world as worlds
from tests.fakes.account import FakeAccount

if TYPE_CHECKING:
    from deploylib.config import Environment

FOLDER = "/guestbook/stg/settings"


@dataclass(frozen=True, slots=True)
class Place:
    """An account and the environment in it."""

    aws: FakeAccount
    environment: Environment

    def have(self, **values: str) -> None:
        """Have these settings, encrypted."""
        for name, value in values.items():
            self.aws.ssm.give(f"{FOLDER}/{name}", value, kind="SecureString")

    def value(self, name: str) -> str:
        return self.aws.ssm.parameters[f"{FOLDER}/{name}"][-1][1]


def place(**terraform: Any) -> Place:
    return Place(FakeAccount(account_id=worlds.ACCOUNT_ID), worlds.environment(terraform=terraform))


@pytest.fixture
def stg() -> Place:
    return place()
