"""The tests of the images of a checkout by themselves: `inv image.test`. Nothing is pushed, nothing is released."""

from __future__ import annotations

import functools
import time
from typing import TYPE_CHECKING

from deploylib.errors import ConfigError
from deploylib.events import Event, Noticed
from deploylib.images import builders, building, docker, planning, supplies, testing
from deploylib.images.recipe import BASE

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from deploylib.aws import Account
    from deploylib.clock import Clock
    from deploylib.config import Environment
    from deploylib.contract import Contract
    from deploylib.images.building import Connect
    from deploylib.images.gate import OpenTests
    from deploylib.images.recipe import Recipe
    from deploylib.images.testing import Suite


def roles_to_test(environment: Environment, role: str = "") -> tuple[str, ...]:
    """Return the roles that have tests, of *role* alone when it is named.

    Raises `ConfigError` with the roles that there are when *role* is none of them.
    """
    roles = environment.images.roles
    if role and role not in roles:
        raise ConfigError(
            f"no role {role!r}; there are {', '.join(roles)}", hint=f"inv image.test --role {next(iter(roles))}"
        )
    return tuple(name for name, one in roles.items() if one.test and role in ("", name))


def carry_out(
    account: Account,
    environment: Environment,
    contract: Contract,
    recipes: Sequence[Recipe],
    present: Mapping[str, str],
    *,
    role: str = "",
    clock: Clock = time,
    connect: Connect = docker.connect,
    open_tests: OpenTests | None = None,
) -> Generator[Event, None, None]:
    """Test the images that *recipes* make: those that are *present* in the registry as they are there.

    Raises `ImageError` when one does not pass.
    """
    images = roles_to_test(environment, role)
    if not images:
        yield Noticed(message=_nothing(role))
        return
    suite = testing.suite(environment, contract)
    wanted = _with_migration(suite, images)
    made = [one for one in recipes if one.image == BASE or one.image in wanted]
    with builders.opened(
        account,
        environment,
        contract,
        connect=connect,
        open_tests=open_tests or functools.partial(testing.opened, suite),
        clock=clock,
    ) as way:
        yield from building.try_out(
            account,
            contract.repository,
            made,
            planning.plan_images(made, present),
            images=images,
            clock=clock,
            # what is not pushed keeps no layers in ECR either
            wished=supplies.Wishes(registries=environment.registries),
            connect=way.connect,
            open_tests=way.open_tests,
        )


def _with_migration(suite: Suite, images: Sequence[str]) -> set[str]:
    """Return *images*, and the one that carries their migration."""
    migrates = suite.migration and any(suite.tests[image].migrate for image in images)
    return {*images, *((suite.migration.role,) if suite.migration and migrates else ())}


def _nothing(role: str) -> str:
    what = f"the role {role} has no tests" if role else "no role has tests"
    return f"nothing to test: {what} (images.roles.{role or 'ROLE'}.test)"
