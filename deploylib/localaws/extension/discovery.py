"""Service discovery: a service whose namespace stands where Terraform writes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ministack.services import servicediscovery

from deploylib.localaws.extension import patching

if TYPE_CHECKING:
    from collections.abc import Callable


def install() -> None:
    """Take a service's namespace from its DNS configuration too, as AWS does."""

    @patching.wrap(servicediscovery, "_create_service(data)")
    def created(original: Callable[..., Any], data: dict[str, Any]) -> Any:
        namespace = data.get("NamespaceId") or (data.get("DnsConfig") or {}).get("NamespaceId")
        return original({**data, "NamespaceId": namespace})
