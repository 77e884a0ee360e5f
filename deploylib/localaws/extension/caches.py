"""Settings of ElastiCache, where Terraform would see a difference for ever."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ministack.services import elasticache

from deploylib.localaws.extension import patching

if TYPE_CHECKING:
    from collections.abc import Callable

PARAMETER = re.compile(rb"<Parameter>.*?</Parameter>")


def install() -> None:
    """Answer DescribeCacheParameters for the *Source* that was asked for.

    Terraform asks for what a user has set. MiniStack told it the engine's own too: it wanted to take them away.
    """
    patching.require(elasticache, "_p")

    @patching.wrap(elasticache, "_describe_cache_parameters(p)")
    def described(original: Callable[..., Any], params: dict[str, Any]) -> Any:
        status, headers, body = original(params)
        if not (source := elasticache._p(params, "Source")):
            return status, headers, body
        mark = f"<Source>{source}</Source>".encode()
        return status, headers, PARAMETER.sub(lambda one: one[0] if mark in one[0] else b"", body)
