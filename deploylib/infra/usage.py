"""What runs, and what a plan would take away from it. Pure.

Terraform knows what its own objects need, but not what a live revision names: that is a deploy's, and made from the
template that Terraform is about to replace. Nothing orders "a new revision is live" before "the old role is gone".
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deploylib.infra.changes import Changes, Danger

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from deploylib.infra.changes import Change

SERVICE = "aws_ecs_service"
REPOSITORY = "aws_ecr_repository"
OF_A_SERVICE = ("networkConfiguration", "loadBalancers", "serviceRegistries")
ENDS = ("", ":", "@")  # a secret's ARN goes on with its key, a repository's URL with a digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What runs: every value of its *revision* (`FAMILY:NUMBER`), and of the *service* itself, if it is one."""

    service: str
    revision: str
    of_revision: frozenset[str]
    of_service: frozenset[str] = frozenset()


def use(definition: Mapping[str, Any], service: Mapping[str, Any] | None = None) -> Use:
    """Return what a task definition uses, and the *service* that runs it, both as ECS describes them."""
    described = service or {}
    return Use(
        service=str(described.get("serviceName", "")),
        revision=str(definition["taskDefinitionArn"]).rpartition("/")[2],
        of_revision=frozenset(_texts(definition)),
        of_service=frozenset(_texts({key: described.get(key) for key in OF_A_SERVICE})),
    )


def matters(changes: Changes) -> bool:
    """Whether *changes* take away anything that may be used."""
    return any(one.destroys and one.identifiers and one.type != SERVICE for one in changes.changes)


def mark(changes: Changes, uses: Iterable[Use]) -> Changes:
    """Return *changes* with the danger on each that takes from a live revision, or from a service, what it uses.

    What a service itself says (subnets, security groups, target groups) counts only while the plan leaves the service
    alone: otherwise Terraform changes that first.
    """
    touched = {name for one in changes.changes if one.type == SERVICE for name in one.identifiers}
    found = tuple(uses)
    return dataclasses.replace(changes, changes=tuple(_marked(one, found, touched) for one in changes.changes))


def repositories(changes: Changes) -> tuple[str, ...]:
    """Return the URLs of the image repositories that *changes* take away."""
    return tuple(url for one in changes.changes if one.type == REPOSITORY and one.destroys for url in one.identifiers)


def without_empty(changes: Changes, empty: Collection[str]) -> Changes:
    """Return *changes* where the repositories with the URLs *empty* hold no data."""
    return dataclasses.replace(changes, changes=tuple(_emptied(one, empty) for one in changes.changes))


def _emptied(change: Change, empty: Collection[str]) -> Change:
    if change.type != REPOSITORY or not set(change.identifiers) & set(empty):
        return change
    return dataclasses.replace(change, dangers=tuple(one for one in change.dangers if one is not Danger.DATA))


def _marked(change: Change, uses: tuple[Use, ...], touched: set[str]) -> Change:
    if change.type == SERVICE or not change.destroys:
        return change
    users = tuple(
        one.revision
        for one in uses
        if _is_in(change, one.of_revision) or (one.service not in touched and _is_in(change, one.of_service))
    )
    if not users:
        return change
    return dataclasses.replace(change, used_by=users, dangers=(*change.dangers, Danger.USED))


def _is_in(change: Change, values: frozenset[str]) -> bool:
    return any(_is_named(identifier, value) for identifier in change.identifiers for value in values)


def _is_named(identifier: str, value: str) -> bool:
    return value.startswith(identifier) and value[len(identifier) :][:1] in ENDS


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)
