"""Security group rules, where Terraform would see a difference for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ministack.services import ec2

from deploylib.localaws.extension import patching

if TYPE_CHECKING:
    from collections.abc import Callable

EVERY_PROTOCOL = "-1"


def install() -> None:
    """Make a rule for every protocol a rule for every port, whatever ports are named.

    Terraform takes a new group's outgoing rule away by naming ports 0 to 0. MiniStack found no such rule and kept it,
    and the rule that Terraform then made got neither its description nor its tags.
    """

    @patching.wrap(ec2, "_parse_ip_permissions(params, prefix)")
    def parsed(original: Callable[..., list[dict[str, Any]]], params: Any, prefix: str) -> list[dict[str, Any]]:
        rules = original(params, prefix)
        for rule in rules:
            if rule["IpProtocol"] == EVERY_PROTOCOL:
                rule.pop("FromPort", None)
                rule.pop("ToPort", None)
        return rules
