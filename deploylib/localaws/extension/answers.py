"""Answers by the call that they are of, so that one which was lost on its way can be given again (pure).

An SDK that asks again for the same call says so: its `amz-sdk-invocation-id` is the one of before. (botocore,
`handlers.add_retry_headers`; the SDK for Go, `aws/retry`)
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    Answer = tuple[int, dict[str, str], bytes]

INVOCATION = "amz-sdk-invocation-id"
KEPT = 256
REFUSED = 400


class Answers:
    """The answers to the newest writes that succeeded; a refusal may be another one when it is asked again."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._found: OrderedDict[str, Answer] = OrderedDict()

    def of(self, headers: Mapping[str, str]) -> Answer | None:
        """Return the answer that this very call got before."""
        return self._found.get(headers.get(INVOCATION, ""))

    def keep(self, headers: Mapping[str, str], answer: Any) -> None:
        """Remember the answer to a write."""
        invocation = headers.get(INVOCATION, "")
        if invocation and answer[0] < REFUSED:
            self._found[invocation] = answer
            while len(self._found) > self._kept:
                self._found.popitem(last=False)
