"""The base image by itself: is what it is made of in the registry, since when, and bringing it there.

The tag says the content, and tags are immutable, so there is nothing to force where the registry has it: whoever wants
newer packages of the distribution under an unchanged Dockerfile changes an ingredient, and everybody gets the new base
by the same commit. `force` therefore only leaves out the layer cache when the image has to be built.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploylib import aws, contract
from deploylib.errors import RefusedError
from deploylib.events import Event, Noticed
from deploylib.images import building, docker, planning, registry, supplies, upstream
from deploylib.images.recipe import base_recipe

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Generator

    from deploylib.aws import Account
    from deploylib.checkout import Checkout
    from deploylib.clock import Clock
    from deploylib.config import Environment
    from deploylib.images.building import Connect


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseStatus:
    """The base image of a checkout, and where the registry stands. `digest` is empty when it is not there."""

    repository: str
    tag: str
    fingerprint: str
    digest: str = ""
    pushed_at: dt.datetime | None = None

    @property
    def rows(self) -> tuple[tuple[str, str], ...]:
        """What and value, for a person."""
        since = (
            self.pushed_at.isoformat(sep=" ", timespec="seconds") if self.pushed_at else "not there: inv base.refresh"
        )
        return (
            ("image", f"{self.repository}:{self.tag}"),
            ("fingerprint", self.fingerprint),
            ("in the registry since", since),
            ("digest", self.digest or "-"),
        )


def status(account: Account, environment: Environment, checkout: Checkout) -> BaseStatus:
    """Return what the base of *checkout* is, and whether *environment*'s registry has it."""
    recipe = base_recipe(environment, checkout, upstream.nobody)
    repository = contract.read(account.ssm, environment.contract_parameter).repository
    tag = recipe.tags[0]
    digest = registry.present(account.ecr, repository, (tag,)).get(tag, "")
    return BaseStatus(
        repository=repository,
        tag=tag,
        fingerprint=recipe.fingerprint,
        digest=digest,
        pushed_at=registry.pushed_at(account.ecr, repository, digest) if digest else None,
    )


def refresh(
    account: Account,
    environment: Environment,
    checkout: Checkout,
    *,
    force: bool = False,
    clock: Clock = time,
    connect: Connect = docker.connect,
) -> Generator[Event, None, dict[str, str]]:
    """Build and push the base image where the registry lacks it; return its digest by its name.

    Raises `RefusedError` in another account than *environment*'s, and when *force* is asked of an image that is there.
    """
    aws.guard(account, environment)
    recipe = base_recipe(environment, checkout, upstream.nobody)
    published = contract.read(account.ssm, environment.contract_parameter)
    repository, wished = published.repository, supplies.wishes(environment, published.cache_repository)
    plan = planning.plan_image(recipe, registry.present(account.ecr, repository, recipe.tags))
    if plan.action == "build":
        build = building.carry_out(
            account, repository, (recipe,), (plan,), clock=clock, wished=wished, connect=connect, use_cache=not force
        )
        return (yield from build)
    if force:
        raise RefusedError(
            f"the registry has {plan.tags[0]} already, and tags there are immutable: "
            "another build of the same content has no place",
            hint='change an ingredient: a build argument like REFRESHED = "2026-01-31" that the Dockerfile declares',
        )
    yield Noticed(message=f"nothing to do: the registry has {plan.tags[0]}")
    return {plan.image: plan.digest}
