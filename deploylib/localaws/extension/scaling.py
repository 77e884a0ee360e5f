"""Application Auto Scaling, which MiniStack does not have."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ministack import app
from ministack.core.responses import get_account_id, get_region

from deploylib.localaws.extension import patching
from deploylib.localaws.extension.scaling_book import Book, answered

if TYPE_CHECKING:
    from collections.abc import Callable

PREFIX = "AnyScaleFrontendService."


def install() -> None:
    """Answer what goes to Application Auto Scaling."""
    books: dict[str, Book] = {}

    @patching.wrap(app, "_dispatch_service_request(method, path, headers, body, query_params, request_id)")
    async def dispatched(original: Callable[..., Any], method: str, path: str, headers: Any, *rest: Any) -> Any:
        target = headers.get("x-amz-target", "")
        if not target.startswith(PREFIX):
            return await original(method, path, headers, *rest)
        place = f"{get_region()}:{get_account_id()}"
        return answered(books.setdefault(place, Book(place)), target.removeprefix(PREFIX), json.loads(rest[0] or b"{}"))
