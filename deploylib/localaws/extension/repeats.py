"""Writes that are asked for twice because the first answer was lost: they are done once.

AWS would refuse the second one as a duplicate, which is rare there. Here everything shares one busy machine, and a
refused duplicate would end an apply that has done nothing wrong.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from ministack import app

from deploylib.localaws.extension import patching
from deploylib.localaws.extension.answers import Answers
from deploylib.localaws.extension.calls import is_write
from deploylib.localaws.extension.observation import routed

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger("localaws")


def install() -> None:
    """Answer a repeated write as it was answered before."""
    answers = Answers()

    @patching.wrap(app, "_dispatch_service_request(method, path, headers, body, query_params, request_id)")
    async def dispatched(original: Callable[..., Any], method: str, path: str, headers: Any, *rest: Any) -> Any:
        if former := answers.of(headers):
            logger.warning("%s %s is asked again, and answered as before", *routed(method, path, headers, *rest[:2]))
            return former
        answer = await original(method, path, headers, *rest)
        if is_write(*routed(method, path, headers, *rest[:2])):
            answers.keep(headers, answer)
        return answer
