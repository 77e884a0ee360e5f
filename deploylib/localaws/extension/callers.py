"""Whose credentials a call carries: a profile of another local AWS is refused as AWS refuses an unknown key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ministack import app
from ministack.core import iam_evaluator

from deploylib.localaws.extension import patching, tokens

if TYPE_CHECKING:
    from collections.abc import Callable


def install(instance: str) -> None:
    """Refuse calls with the session token of another instance."""
    patching.require(app, "detect_service", "_routing_params", "_credential_failure")
    patching.require(iam_evaluator, "_unknown_access_key")

    @patching.wrap(app, "_dispatch_service_request(method, path, headers, body, query_params, request_id)")
    async def dispatched(original: Callable[..., Any], method: str, path: str, headers: Any, *rest: Any) -> Any:
        body, query, request_id = rest
        if not tokens.is_foreign(tokens.token_of(headers, query), instance):
            return await original(method, path, headers, *rest)
        service = app.detect_service(method, path, headers, app._routing_params(method, path, headers, body, query))
        return app._credential_failure(service, "", request_id, iam_evaluator._unknown_access_key(), headers)
