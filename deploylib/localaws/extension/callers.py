"""Whose credentials a call carries: a profile of another local AWS is refused as AWS refuses an unknown key.

Every local account may have the same number, and a port goes from an emulator that died to the next one that starts.
So `inv local.up` writes the instance into the profile as a session token, which every tool sends in clear. Calls
without a token of that form (made by hand, by tasks, with STS's own sessions) are nobody else's, and are answered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from deploylib.localaws.extension import patching

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TOKEN = "localaws:"  # noqa: S105 - how the token begins; deploylib/localaws/instance.py writes it
HEADER = "x-amz-security-token"


def install(instance: str) -> None:
    """Refuse calls with the session token of another instance."""
    from ministack import app
    from ministack.core import iam_evaluator

    patching.require(app, "detect_service", "_routing_params", "_credential_failure")
    patching.require(iam_evaluator, "_unknown_access_key")

    @patching.wrap(app, "_dispatch_service_request(method, path, headers, body, query_params, request_id)")
    async def dispatched(original: Callable[..., Any], method: str, path: str, headers: Any, *rest: Any) -> Any:
        body, query, request_id = rest
        if not is_foreign(token_of(headers, query), instance):
            return await original(method, path, headers, *rest)
        service = app.detect_service(method, path, headers, app._routing_params(method, path, headers, body, query))
        return app._credential_failure(service, "", request_id, iam_evaluator._unknown_access_key(), headers)


def token_of(headers: Mapping[str, str], query: Mapping[str, list[str]]) -> str:
    """Return the session token of a call, which a presigned URL has among its parameters; empty without one."""
    signed = next((values[0] for name, values in query.items() if name.lower() == HEADER and values), "")
    return headers.get(HEADER, "") or signed


def is_foreign(token: str, instance: str) -> bool:
    """Say whether *token* is of a local AWS, and of another than *instance*."""
    return token.startswith(TOKEN) and token != TOKEN + instance
