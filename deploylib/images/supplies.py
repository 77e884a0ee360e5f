"""What a builder is given beside the recipes: log-ins, the values of secrets, where its layers are kept.

All of it is asked for when something has to be built, and only for the images that are built: one GetParameters for
ten values, one token for ECR.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploylib.errors import ConfigError
from deploylib.images import login

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from types_boto3_ssm.client import SSMClient

    from deploylib.aws import Account
    from deploylib.config import Environment, RegistryLogin
    from deploylib.images.login import Login
    from deploylib.images.recipe import Recipe

MOST_PARAMETERS_PER_CALL = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the configuration says of building as such. `cache_repository` is empty where no layers are to be kept."""

    registries: Mapping[str, RegistryLogin] = field(default_factory=dict)
    cache_repository: str = ""
    sbom: bool = False
    provenance: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Supplies:
    """`variables` is the environment with the log-ins; `secrets` are values by the parameter that holds them."""

    variables: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    cache_repository: str = ""
    sbom: bool = False
    provenance: bool = False


def wishes(environment: Environment, cache_repository: str) -> Wishes:
    """Return what *environment* wants of the builder; *cache_repository* is the contract's."""
    images = environment.images
    return Wishes(
        registries=environment.registries,
        cache_repository=cache_repository if images.cache else "",
        sbom=images.sbom,
        provenance=images.provenance,
    )


@contextlib.contextmanager
def supplied(account: Account, repository: str, recipes: Sequence[Recipe], wished: Wishes) -> Iterator[Supplies]:
    """Yield what the builder of *recipes* is given; afterwards the log-ins are gone.

    Raises `ConfigError` naming the parameters that are not there.
    """
    of_secrets = {name for one in recipes for name in one.secrets.values()}
    of_registries = {one.password_parameter for one in wished.registries.values()}
    values = parameters(account.ssm, of_secrets | of_registries)
    logins = (login.to_ecr(account.ecr, repository), *_logins(wished.registries, values))
    with login.logged_in(*logins) as variables:
        yield Supplies(
            variables=variables,
            secrets={name: values[name] for name in of_secrets},
            cache_repository=wished.cache_repository,
            sbom=wished.sbom,
            provenance=wished.provenance,
        )


def registry_logins(ssm: SSMClient, registries: Mapping[str, RegistryLogin]) -> tuple[Login, ...]:
    """Return the log-ins of `[registries]`, with their passwords from Parameter Store; no call when there are none."""
    return _logins(registries, parameters(ssm, {one.password_parameter for one in registries.values()}))


def parameters(ssm: SSMClient, names: Iterable[str]) -> dict[str, str]:
    """Return the value of each parameter, decrypted; raise `ConfigError` when some are not there."""
    wanted = sorted(set(names))
    values: dict[str, str] = {}
    for start in range(0, len(wanted), MOST_PARAMETERS_PER_CALL):
        asked = wanted[start : start + MOST_PARAMETERS_PER_CALL]
        for one in ssm.get_parameters(Names=asked, WithDecryption=True)["Parameters"]:
            values |= dict.fromkeys((one["Name"] + one.get("Selector", ""), one.get("ARN", "")), one["Value"])
    if missing := [name for name in wanted if name not in values]:
        raise ConfigError(
            f"Parameter Store of this account has no {', '.join(missing)}",
            hint=f"aws ssm put-parameter --type SecureString --name {missing[0]} --value file://FILE",
        )
    return values


def _logins(registries: Mapping[str, RegistryLogin], values: Mapping[str, str]) -> tuple[Login, ...]:
    return tuple(
        login.with_password(host, one.username, values[one.password_parameter]) for host, one in registries.items()
    )
