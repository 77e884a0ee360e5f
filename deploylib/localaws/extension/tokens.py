"""Session tokens that name a local AWS.

Every local account may have the same number, and a port goes from an emulator that died to the next one that starts.
So `inv local.up` writes the instance into the profile as a session token, which every tool sends in clear. Calls
without a token of that form (made by hand, by tasks, with STS's own sessions) are nobody else's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

TOKEN = "localaws:"  # noqa: S105 - how the token begins; deploylib/localaws/instance.py writes it
HEADER = "x-amz-security-token"


def token_of(headers: Mapping[str, str], query: Mapping[str, list[str]]) -> str:
    """Return the session token of a call, which a presigned URL has among its parameters; empty without one."""
    signed = next((values[0] for name, values in query.items() if name.lower() == HEADER and values), "")
    return headers.get(HEADER, "") or signed


def is_foreign(token: str, instance: str) -> bool:
    """Say whether *token* is of a local AWS, and of another than *instance*."""
    return token.startswith(TOKEN) and token != TOKEN + instance
