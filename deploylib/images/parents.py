"""Outside images at the digest that the fingerprint was taken with, whatever their tag names by now.

A builder that can be told what a name means (BuildKit's named contexts) is told. For the others the engine's own tag is
made to name that digest: pulled and tagged, unless it does already. An image that only this machine has is left alone.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

from deploylib import process
from deploylib.errors import ImageError
from deploylib.images import reference

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from deploylib.images.ability import Ability
    from deploylib.images.buildlog import Line
    from deploylib.images.recipe import Recipe

ANSWER_SECONDS = 30
NO_SUCH_IMAGE = (1, 125)  # of docker, of podman


@dataclass(frozen=True, slots=True, kw_only=True)
class Parents:
    """What makes the names in a recipe mean one digest each; the images of a release share it."""

    ability: Ability
    variables: Mapping[str, str]
    one_at_a_time: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def pinned(self, recipe: Recipe, line: Line) -> tuple[str, ...]:
        """Return the builder's arguments that pin the parents of *recipe*, after what had to be pulled for it."""
        wanted = [(name, digest) for name, digest in recipe.parents if digest and "@" not in name]
        return tuple(one for name, digest in wanted for one in self._pinned(recipe, name, digest, line))

    def _pinned(self, recipe: Recipe, name: str, digest: str, line: Line) -> Iterator[str]:
        exact = f"{reference.parse(name).repository}@{digest}"
        with self.one_at_a_time:
            identifier, digests = self._held(name)
            if identifier == digest and not self.ability.is_apart:
                return
            if identifier == digest and digest not in digests:
                self._refuse_unseen(recipe, name)
            if self.ability.pins:
                yield f"--build-context={name}=docker-image://{exact}"
            elif digest not in digests:
                self._pull(exact, recipe.ingredients.platform, line)
                process.run((self.ability.program, "tag", exact, name), env=self.variables)

    def _held(self, name: str) -> tuple[str, tuple[str, ...]]:
        """Return the id of the engine's own image *name*, and the digests that it has in registries."""
        shown = "{{.Id}} {{range .RepoDigests}}{{.}} {{end}}"
        argv = (self.ability.program, "image", "inspect", "--format", shown, name)
        answer = process.run(argv, env=self.variables, ok=(0, *NO_SUCH_IMAGE), timeout_seconds=ANSWER_SECONDS)
        identifier, *digests = answer.stdout.split() if answer.returncode == 0 else [""]
        named = identifier if ":" in identifier else f"sha256:{identifier}"  # podman leaves it out
        return named, tuple(one.partition("@")[2] for one in digests)

    def _pull(self, exact: str, platform: str, line: Line) -> None:
        option = () if platform == self.ability.platform else (f"--platform={platform}",)
        process.stream((self.ability.program, "pull", *option, exact), line, env=self.variables)

    def _refuse_unseen(self, recipe: Recipe, name: str) -> NoReturn:
        raise ImageError(
            f"image {recipe.image}: only this machine's engine has {name}, and {self.ability.name} does not see it",
            hint="docker buildx use default",
        )
