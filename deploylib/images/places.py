"""The other accounts that an app uses: its base image goes to all of them, so that all stand on the same one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploylib import aws, config, contract
from deploylib.errors import AwsError, ConfigError, ContractError, RefusedError
from deploylib.images import recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from deploylib.aws import Account
    from deploylib.checkout import Checkout
    from deploylib.config import Environment

    SignIn = Callable[[Environment], Account]

PARALLEL = 8
ANOTHER_RECIPE = "its base image has another recipe"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An environment's repository, in an account that let us in."""

    environment: str
    account_id: str
    account: Account
    repository: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """An environment whose repository cannot be used from here, or must not be, and why."""

    environment: str
    account_id: str
    reason: str


def here(account: Account, environment: Environment, repository: str) -> Place:
    """Return the place of *environment* itself."""
    return Place(
        environment=environment.name, account_id=environment.account.id, account=account, repository=repository
    )


def others(
    environment: Environment, checkout: Checkout, *, sign_in: SignIn = aws.signed_in
) -> tuple[tuple[Place, ...], tuple[Closed, ...]]:
    """Return the repositories of the same app's other environments, and those that are closed to this base.

    Every account is guarded. Several environments in one account share its repository, which is named once.
    """
    names = [one for one in config.names(environment.root) if one != environment.name]
    with ThreadPoolExecutor(PARALLEL) as pool:
        found = list(pool.map(lambda name: _look(environment, name, checkout, sign_in), names))
    places = [one for one in found if isinstance(one, Place)]
    return _distinct(places, environment.account.id), tuple(one for one in found if isinstance(one, Closed))


def _look(ours: Environment, name: str, checkout: Checkout, sign_in: SignIn) -> Place | Closed | None:
    """Return what *name*'s environment is to *ours*; None for one of another app."""
    try:
        theirs = config.load(ours.root, name, variables={})
    except ConfigError as error:
        return Closed(environment=name, account_id="", reason=_first_line(error))
    if theirs.app.name != ours.app.name or not theirs.images.base:
        return None
    account_id = theirs.account.id
    try:
        if recipe.base_inputs(theirs, checkout) != recipe.base_inputs(ours, checkout):
            return Closed(environment=name, account_id=account_id, reason=ANOTHER_RECIPE)
        account = sign_in(theirs)
        aws.guard(account, theirs)
        repository = contract.of(account.ssm, theirs).repository
    except (ConfigError, ContractError, RefusedError, AwsError) as error:
        return Closed(environment=name, account_id=account_id, reason=_first_line(error))
    return here(account, theirs, repository)


def _distinct(places: Iterable[Place], own: str) -> tuple[Place, ...]:
    """Return each account's repository once; our own account's is known already."""
    by_repository = {(one.account_id, one.repository): one for one in places if one.account_id != own}
    return tuple(by_repository.values())


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
