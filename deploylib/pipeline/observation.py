"""What a pipeline's files are made from; with fewer rights than a deploy has, since nothing is released here."""

from __future__ import annotations

import functools
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploylib import aws, observe, refusals
from deploylib.errors import RefusedError
from deploylib.images import builders, building, docker, planning, recipe, stock, supplies, testing, upstream
from deploylib.pipeline.files import Release

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from deploylib.aws import Account
    from deploylib.checkout import Checkout
    from deploylib.clock import Clock
    from deploylib.config import Environment
    from deploylib.contract import Contract
    from deploylib.events import Event
    from deploylib.images.building import Connect
    from deploylib.images.planning import ImagePlan
    from deploylib.images.recipe import Recipe
    from deploylib.plan import Live


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """The images of a checkout: how they are made, and which of them the registry of *contract* has."""

    contract: Contract
    recipes: tuple[Recipe, ...]
    plans: tuple[ImagePlan, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        """Those that have to be built."""
        return tuple(one.image for one in self.plans if one.action == "build")

    @property
    def digests(self) -> dict[str, str]:
        """The digest of each that is there, by role."""
        return {one.image: one.digest for one in self.plans if one.digest}


def live(account: Account, environment: Environment) -> Live:
    """Return what is live; raise `RefusedError` in the wrong account, and where ECS and CodeDeploy are mixed up."""
    aws.guard(account, environment)
    found = observe.live(account, observe.contract(account, environment))
    refusals.refuse_other_way(environment, found)
    return found


def roles(live: Live) -> frozenset[str]:
    """Return every image role that a service of *live* runs."""
    return frozenset(role for one in live.services for role in one.contract.containers.values())


def images(account: Account, environment: Environment, contract: Contract, commit: Checkout) -> Images:
    """Return the images of *commit*, each with what has to happen for it."""
    outside = upstream.of(account, environment, lambda: contract.repository)
    held = stock.take(
        account.ecr,
        contract.repository,
        lambda refreshed: recipe.recipes(environment, commit, outside, refreshed=refreshed),
    )
    return Images(contract=contract, recipes=held.recipes, plans=planning.plan_images(held.recipes, held.present))


def refuse_missing(environment: Environment, found: Images, *, build: bool) -> None:
    """Raise `RefusedError` when an image is not there, unless we are to *build* it and *environment* may."""
    if not found.missing or (build and not environment.promote_from):
        return
    lacking = ", ".join(found.missing)
    raise RefusedError(
        f"{found.contract.repository} lacks this commit's image of {lacking}",
        hint=f"inv image.promote --env {environment.name}" if environment.promote_from else "add --build",
    )


def built(
    account: Account,
    environment: Environment,
    found: Images,
    *,
    clock: Clock = time,
    connect: Connect = docker.connect,
) -> Generator[Event, None, dict[str, str]]:
    """Build, test and push what is missing, as a deploy does; return every digest. Raises `ImageError`."""
    tests = functools.partial(testing.opened, testing.suite(environment, found.contract), clock=clock)
    with builders.opened(account, environment, found.contract, connect=connect, open_tests=tests, clock=clock) as way:
        return (
            yield from building.carry_out(
                account,
                found.contract.repository,
                found.recipes,
                found.plans,
                clock=clock,
                wished=supplies.wishes(environment, found.contract.cache_repository),
                connect=way.connect,
                open_tests=way.open_tests,
            )
        )


def release(account: Account, live: Live, digests: Mapping[str, str], commit: str = "") -> Release:
    """Return what `files` makes the files from."""
    shape = account.ecs.meta.service_model.operation_model("RegisterTaskDefinition").input_shape
    writable = frozenset(shape.members) if shape else frozenset()  # always there; botocore's types do not know
    return Release(live=live, digests=digests, writable=writable, commit=commit)
