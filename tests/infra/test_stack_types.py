"""What the stack's variables say twice, because Terraform has no names for types, is the same both times."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploylib import config
from deploylib.variables import Collection, Constraint, Object, read

ROOT = Path(__file__).parents[2]
MODULES = ROOT / "terraform" / "modules"
OURS = {"database", "cache", "settings"}  # the stack turns them into variables and secrets


def declared(folder: Path) -> Object:
    return read((folder / "variables.tf").read_text(encoding="utf-8"))


def element(found: Object, *path: str) -> Object:
    """Return the object that is each element of the collection at *path*."""
    constraint: Constraint = found
    for name in path:
        assert isinstance(constraint, Object)
        constraint = constraint.attributes[name]
        if isinstance(constraint, Collection):
            constraint = constraint.element
    assert isinstance(constraint, Object)
    return constraint


STACK = declared(ROOT / config.STACK)


def test_a_container_of_a_schedule_is_one_of_a_service() -> None:
    assert element(STACK, "scheduled_tasks", "containers") == element(STACK, "services", "containers")


def test_the_stack_offers_every_key_of_a_container() -> None:
    offered, taken = element(STACK, "services", "containers"), element(declared(MODULES / "task"), "containers")
    assert {key: one for key, one in offered.attributes.items() if key not in OURS} == taken.attributes


@pytest.mark.parametrize("key", ["deployment", "capacity", "scaling"])
def test_the_stack_offers_every_key_of_a_service(key: str) -> None:
    assert element(STACK, "services", key) == element(declared(MODULES / "service"), key)


@pytest.mark.parametrize("kind", ["services", "scheduled_tasks"])
def test_permissions_are_those_of_the_roles(kind: str) -> None:
    assert element(STACK, kind, "permissions") == element(declared(MODULES / "roles"), "tasks", "permissions")
