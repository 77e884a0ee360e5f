"""A builder that needs no engine: what it pushes is in the fake ECR."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

    from deploylib.events import Event
    from deploylib.images.recipe import Recipe
    from tests.fakes.account import FakeAccount

Act = Callable[[Callable[[str], None]], None]


@dataclass
class Builder:
    """Builds nothing and pushes into the fake ECR; *building* and *pushing* say what else happens, by image."""

    fake: FakeAccount
    building: dict[str, Act] = field(default_factory=dict)
    pushing: dict[str, Callable[[], str]] = field(default_factory=dict)
    built: list[tuple[str, str]] = field(default_factory=list)
    pushed: list[str] = field(default_factory=list)
    caching: set[bool] = field(default_factory=set)

    def build(
        self, recipe: Recipe, reference: str, *, base: str, line: Callable[[str], None], use_cache: bool = True
    ) -> None:
        self.built.append((recipe.image, base))
        self.caching.add(use_cache)
        line(f"building {reference}")
        if recipe.image in self.building:
            self.building[recipe.image](line)

    def push(self, image: str, reference: str) -> str:
        self.pushed.append(reference)
        tag = reference.rpartition(":")[2]
        return self.pushing[image]() if image in self.pushing else self.fake.ecr.have("shop", tag)

    def stop(self) -> None:
        """There is nothing to stop."""


def finish(happening: Generator[Event, None, dict[str, str]]) -> tuple[list[Event], dict[str, str]]:
    events = []
    while True:
        try:
            events.append(next(happening))
        except StopIteration as end:
            return events, end.value
