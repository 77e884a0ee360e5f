"""The command that mends what an environment lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deploylib.config import Environment


def mends(environment: Environment) -> str:
    """Return what to do about infrastructure: our Terraform's is applied, others' is theirs to correct."""
    if environment.contract is not None:
        return "correct it where this service is made, or [contract] in its file"
    return f"inv infra.apply --env {environment.name}"
