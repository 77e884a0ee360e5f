"""What starts a pipeline that waits for images: their tags, put on those of a commit.

The registry's tags are immutable, so that nobody's push could renew one that is there: it is moved, as moving tags are
(docs/adr/0017-moving-tags.md). The trigger's comes last, and is put where it is already too, since PutImage is the
push that EventBridge tells of. (ECR, "Event for a completed image push")
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploylib.errors import ConfigError
from deploylib.images import registry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_boto3_ecr import ECRClient

    from deploylib.config import Environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What a pipeline waits for: a tag by image role, of which that of `trigger` starts it."""

    tags: Mapping[str, str]
    trigger: str


def waiting(environment: Environment) -> Waiting:
    """Return what the pipeline of *environment* waits for; raise `ConfigError` when that is no push of images."""
    pipeline, place = environment.terraform.get("pipeline") or {}, f"environments/{environment.name}.toml"
    if pipeline.get("source") != "ecr":
        raise ConfigError(
            f"no pipeline of {environment.name} waits for images: terraform.pipeline.source is not 'ecr'",
            hint="a push to its branch starts it" if pipeline else f"{place}: [terraform.pipeline]",
        )
    images = pipeline.get("images") or {}
    tags, trigger = images.get("tags") or {}, images.get("trigger", "")
    if trigger not in tags or not set(tags) <= set(environment.images.roles):
        raise ConfigError(
            f"terraform.pipeline.images of {environment.name} has tags by image role, and one of these as trigger",
            hint=f"{place}: roles are {', '.join(sorted(environment.images.roles))}",
        )
    return Waiting(tags=tags, trigger=trigger)


def start(ecr: ECRClient, repository: str, waiting: Waiting, digests: Mapping[str, str]) -> None:
    """Put each tag on its role's image in *digests*, whose images have content tags; that of the trigger last.

    Raises `ImageError` for an image that the repository does not have.
    """
    wanted = {tag: digests[role] for role, tag in waiting.tags.items()}
    trigger = waiting.tags[waiting.trigger]
    registry.move_tags(ecr, repository, {tag: digest for tag, digest in wanted.items() if tag != trigger})
    if not registry.move_tag(ecr, repository, trigger, wanted[trigger]):
        registry.remove_tags(ecr, repository, [trigger])
        registry.put_tag(ecr, repository, trigger, digest=wanted[trigger])
