"""The command that mends what an environment lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deploylib.config import Environment


TABLE = (
    "aws dynamodb create-table --table-name {name} --billing-mode PAY_PER_REQUEST"
    " --attribute-definitions AttributeName=kind,AttributeType=S AttributeName=number,AttributeType=N"
    " --key-schema AttributeName=kind,KeyType=HASH AttributeName=number,KeyType=RANGE"
)


def table(name: str) -> str:
    """Return the command that makes the table of the ledger and the lock."""
    return TABLE.format(name=name)


def mends(environment: Environment) -> str:
    """Return what to do about infrastructure: our Terraform's is applied, others' is theirs to correct."""
    if environment.contract is not None:
        return "correct it where this service is made, or [contract] in its file"
    return f"inv infra.apply --env {environment.name}"
