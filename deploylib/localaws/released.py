"""What has been released into the local AWS, and where it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploylib import aws, contract
from deploylib.errors import ContractError

if TYPE_CHECKING:
    from deploylib.config import Environment


def render(environment: Environment) -> str:
    """Return, as lines for a person, the address of what runs, or the next command."""
    try:
        found = contract.read(aws.signed_in(environment).ssm, environment.contract_parameter)
    except ContractError as error:
        return f"nothing is released here yet\n  next: {error.hint}"
    return f"{environment.app.name} answers at {found.url}"
