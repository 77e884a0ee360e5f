"""The base image by itself: brought to every account that the app uses, built once and only when something changed.

An image that is in one of the accounts is copied to the others, so that all have the same digest. `force` makes the
base anew although nothing changed that a fingerprint can see, such as the packages of the distribution: the time of
that is one more ingredient (see `stock`), so content tags keep their promise, and every role is built again on it.
"""

from __future__ import annotations

import datetime as dt
import functools
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from deploylib import aws, contract
from deploylib.errors import AwsError, ImageError
from deploylib.events import Event, Noticed, Tagged
from deploylib.images import (
    builders,
    building,
    copying,
    docker,
    login,
    places,
    planning,
    registry,
    stock,
    supplies,
    upstream,
)
from deploylib.images.recipe import BASE, base_recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping

    from deploylib.aws import Account
    from deploylib.checkout import Checkout
    from deploylib.clock import Clock
    from deploylib.config import Environment
    from deploylib.contract import Contract
    from deploylib.images.building import Connect
    from deploylib.images.copying import Copier
    from deploylib.images.places import Place
    from deploylib.images.recipe import LookUp, Recipe

    ConnectCopier = Callable[[Mapping[str, str]], Copier]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What is beyond this account and checkout; tests have a small world of their own."""

    connect: Connect = docker.connect
    connect_copier: ConnectCopier = copying.connect
    sign_in: places.SignIn = aws.signed_in
    look_up: LookUp | None = None


def refresh(
    account: Account,
    environment: Environment,
    checkout: Checkout,
    *,
    force: bool = False,
    clock: Clock = time,
    outside: Outside = Outside(),  # frozen
) -> Generator[Event, None, dict[str, str]]:
    """Bring the base image to every account that lacks it; return its digest by its name.

    An account that cannot be used from here is named and changes nothing. Raises `RefusedError` when *environment*'s
    own is another account, `ImageError` when an image was not built or copied.
    """
    with ThreadPoolExecutor() as pool:
        guarded = pool.submit(aws.guard, account, environment)
        reading = pool.submit(contract.of, account.ssm, environment)
        looking = pool.submit(places.others, environment, checkout, sign_in=outside.sign_in)
        look_up = outside.look_up or upstream.of(account, environment, lambda: reading.result().repository)
        write = functools.partial(_recipe, environment, checkout, look_up, clock)
        written = pool.submit(write, "")
        guarded.result()
        found = reading.result()
        held = stock.take(account.ecr, found.repository, lambda at: write(at) if at else written.result())
        others, closed = looking.result()
    if isinstance(look_up, upstream.Upstream):
        yield from (Noticed(message=one) for one in look_up.notices)
    ours = places.here(account, environment, found.repository)
    recipe = held.recipes[0]
    if force and any(_has(one, recipe.tags[0]) for one in (ours, *others)):
        recipe = write(_now(clock))[0]
    run = _Refresh(recipe=recipe, plain=held.plain, clock=clock, outside=outside, places=(ours, *others))
    yield from (Noticed(message=f"{one.environment} is left out: {one.reason}") for one in closed)
    digest = yield from run.bring(environment, found, force=force)
    return {BASE: digest}


def _recipe(
    environment: Environment, checkout: Checkout, look_up: LookUp, clock: Clock, refreshed: str
) -> tuple[Recipe]:
    return (base_recipe(environment, checkout, look_up, refreshed=refreshed, clock=clock),)


def _has(place: Place, tag: str) -> bool:
    return bool(registry.present(place.account.ecr, place.repository, (tag,)))


def _now(clock: Clock) -> str:
    return f"{dt.datetime.fromtimestamp(clock.time(), dt.UTC):%Y-%m-%dT%H:%M:%SZ}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Refresh:
    """One base on its way to several places; the first is the one that was asked for."""

    recipe: Recipe
    plain: str
    clock: Clock
    outside: Outside
    places: tuple[Place, ...]

    @property
    def tag(self) -> str:
        """The content tag."""
        return self.recipe.tags[0]

    def bring(self, environment: Environment, found: Contract, *, force: bool) -> Generator[Event, None, str]:
        """Build what nobody has, copy what somebody has, name it; return the digest in the first place."""
        ours = self.places[0]
        with ThreadPoolExecutor() as pool:
            found_tags = pool.map(self._present, self.places)
            present = {one.environment: tags for one, tags in zip(self.places, found_tags, strict=True)}
        source = next((one for one in self.places if self.tag in present[one.environment]), None)
        if source is None:
            digest = yield from self._build(environment, found, force=force)
            source, present[ours.environment] = ours, self._present(ours)
        else:
            digest = present[source.environment][self.tag]
            if source is ours:
                yield Noticed(message=f"nothing to build: the registry has {self.tag}")
        lacking = [one for one in self.places if self.tag not in present[one.environment]]
        problems = []
        for one in lacking:
            problems += yield from self._copied(source, one, digest)
        for one in self.places:
            there = present[one.environment] if one not in lacking else self._present(one)
            yield from self._named(one, there, digest)
        if problems:
            raise ImageError("\n".join(problems), hint="repeat the command: what is there stays there")
        return present[ours.environment].get(self.tag, digest)

    def _present(self, place: Place) -> Mapping[str, str]:
        return registry.present(place.account.ecr, place.repository, (self.tag, *self._names))

    @property
    def _names(self) -> tuple[str, ...]:
        """The other names of the image; the last two move."""
        refreshed = self.recipe.ingredients.refreshed
        if not refreshed:
            return (BASE,)
        return stock.tag_of_time(self.plain, refreshed), f"{self.plain}{stock.REFRESHED}", BASE

    def _build(self, environment: Environment, found: Contract, *, force: bool) -> Generator[Event, None, str]:
        plan = planning.plan_image(self.recipe, {})
        if self.recipe.ingredients.refreshed:
            plan = replace(plan, reason="nothing changed, but it was asked for (--force)")
        account = self.places[0].account
        with builders.opened(account, environment, found, connect=self.outside.connect, clock=self.clock) as way:
            digests = yield from building.carry_out(
                account,
                found.repository,
                (self.recipe,),
                (plan,),
                clock=self.clock,
                wished=supplies.wishes(environment, found.cache_repository),
                connect=way.connect,
                use_cache=not force,
            )
        return digests[BASE]

    def _copied(self, source: Place, place: Place, digest: str) -> Generator[Event, None, list[str]]:
        """Copy the image into *place*; return what went wrong, nothing when it is there."""
        yield Noticed(message=f"{place.environment}: {self.tag} is copied from {source.environment}")
        try:
            logins = (login.to_ecr(one.account.ecr, one.repository) for one in (source, place))
            with login.logged_in(*logins) as variables:
                copier = self.outside.connect_copier(variables)
                copier.copy(f"{source.repository}@{digest}", place.repository, tag=self.tag)
            registry.put_tag(place.account.ecr, place.repository, self.tag, digest=digest)
        except (AwsError, ImageError) as error:
            return [f"{place.environment} does not have {self.tag}: {error}"]
        return []

    def _named(self, place: Place, there: Mapping[str, str], digest: str) -> Iterator[Event]:
        """Give the image of *place* its other names, where it has another one or none."""
        held = there.get(self.tag, "")
        if not held:
            return
        if held != digest:
            yield Noticed(message=f"{place.environment} has a build of its own of {self.tag}: {held}")
        wanted = dict.fromkeys(self._names, held)
        if any(there.get(name) != held for name in wanted):
            for tag in registry.move_tags(place.account.ecr, place.repository, wanted):
                yield Tagged(image=BASE, tag=tag, moved=tag in there)
