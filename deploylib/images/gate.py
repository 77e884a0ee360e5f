"""What images pass between their build and their push, as the builder sees it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from deploylib.events import Event

if TYPE_CHECKING:
    from collections.abc import Collection
    from contextlib import AbstractContextManager

Emit = Callable[[Event], None]


class Tests(Protocol):
    """The tests of images that are about to be pushed; `testing.Tests` is one."""

    @property
    def images(self) -> Collection[str]:
        """The images that have any."""

    def run(self, image: str, emit: Emit) -> None:
        """Test *image*; raise `ImageError` when it does not pass."""

    def stop(self) -> None:
        """Make every `run` of other threads end soon; what they raise then is of no interest."""


# With the environment in which the engine may pull, the engine's name of each image, and the images to test.
OpenTests = Callable[[Mapping[str, str], Mapping[str, str], Sequence[str]], "AbstractContextManager[Tests]"]


class NoTests:
    """Images that have nothing to pass."""

    images: tuple[str, ...] = ()

    def run(self, image: str, emit: Emit) -> None:
        """Test nothing."""

    def stop(self) -> None:
        """Stop nothing."""


def without_tests(
    _variables: Mapping[str, str], _references: Mapping[str, str], _images: Sequence[str]
) -> AbstractContextManager[Tests]:
    """Open no tests."""
    return contextlib.nullcontext(NoTests())
