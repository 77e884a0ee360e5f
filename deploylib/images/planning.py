"""What has to happen for each image of a release, as values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from deploylib.images.recipe import BASE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from deploylib.images.recipe import Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePlan:
    """One image: taken from the registry as it is (`reuse`), built and pushed (`build`), or copied (`promote`).

    `image` is `base` or a role. `tags` are all that it shall have, the content tag first; `missing_tags` those that
    an image to reuse still lacks; `taken_tags` name other content already, and stay there. `digest` is empty until it
    is known. `reason` says why, for a person.
    """

    image: str
    action: Literal["reuse", "build", "promote"]
    reason: str
    tags: tuple[str, ...]
    missing_tags: tuple[str, ...] = ()
    taken_tags: tuple[str, ...] = ()
    digest: str = ""


def tags(recipes: Sequence[Recipe]) -> tuple[str, ...]:
    """Return every tag to ask the registry for."""
    return tuple(tag for recipe in recipes for tag in recipe.tags)


def plan_images(recipes: Sequence[Recipe], present: Mapping[str, str]) -> tuple[ImagePlan, ...]:
    """Return what has to happen for the release of *recipes*, when the registry has the tags *present* (by digest).

    The base is planned when the registry has it, or when a role that stands on it has to be built.
    """
    plans = {one.image: plan_image(one, present) for one in recipes}
    standing = {one.image for one in recipes if one.base and plans[one.image].action == "build"}
    if BASE not in plans or plans[BASE].action == "reuse":
        return tuple(plans.values())
    new_base = {image: replace(plans[image], reason="its base image is new") for image in standing}
    return tuple({**plans, **new_base}[image] for image in plans if image != BASE or standing)


def plan_image(recipe: Recipe, present: Mapping[str, str]) -> ImagePlan:
    """Return what has to happen so that the registry has *recipe*'s image.

    The content tag is the truth. A commit's tag that another image has already stays where it is.
    """
    content = recipe.tags[0]
    digest = present.get(content, "")
    own = (content, *(tag for tag in recipe.tags[1:] if present.get(tag, digest) == digest))
    return ImagePlan(
        image=recipe.image,
        action="reuse" if digest else "build",
        reason="the registry has this very content" if digest else f"the registry has no {content}",
        tags=own,
        missing_tags=tuple(tag for tag in own if digest and tag not in present),
        taken_tags=tuple(tag for tag in recipe.tags if tag not in own),
        digest=digest,
    )
