"""Which images the containers start from, and whether they are what the files here ask for.

The registry decides, as in a deploy: the image of the content tag, else (it is stale, and that is said) the newest one
there. Where AWS does not answer, such as on a train, the newest copy on this machine does; its labels tell what it was
made of.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from deploylib import aws, contract, process
from deploylib.development import compose
from deploylib.errors import AwsError, ConfigError, ContractError, DeployError, OutdatedError, RefusedError
from deploylib.images import labels, login, pulling, recipe, registry, stock, supplies, upstream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from deploylib.aws import Account
    from deploylib.checkout import Checkout
    from deploylib.config import Environment
    from deploylib.images.labels import Difference
    from deploylib.images.recipe import LookUp, Recipe
    from deploylib.toolchain.engine import Engine
    from deploylib.toolchain.engine_api import EngineApi

    SignIn = Callable[[Environment], Account]

NAMED_CHANGES = 5
SHORT = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image to start containers from. `recipe` is what the files here ask for, and *stale* that it is older."""

    name: str
    reference: str
    recipe: Recipe
    stale: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """The images of an environment; *account* is None where AWS did not answer. `notices` are worth a line."""

    environment: Environment
    images: tuple[Image, ...]
    repository: str = ""
    account: Account | None = None
    notices: tuple[str, ...] = ()

    @property
    def references(self) -> dict[str, str]:
        """The reference of each image by its name."""
        return {one.name: one.reference for one in self.images}

    @property
    def stale(self) -> tuple[Image, ...]:
        """Those that are older than the files here."""
        return tuple(one for one in self.images if one.stale)


def observe(environment: Environment, checkout: Checkout, api: EngineApi, *, sign_in: SignIn = aws.signed_in) -> Images:
    """Return the images that *environment*'s containers start from.

    Raises `RefusedError` when the registry has none yet, and AWS's own error when it does not answer and this machine
    has none either.
    """
    try:
        account = sign_in(environment)
        repository = contract.of(account.ssm, environment).repository
    except (AwsError, ConfigError, ContractError) as error:
        return _of_machine(environment, checkout, api, error)
    return _of_registry(environment, checkout, account, repository)


def fetch(images: Images, engine: Engine, say: Callable[[str], None]) -> None:
    """Pull what the engine lacks of *images* and of the dependencies' images, side by side."""
    names = (*images.references.values(), *compose.dependencies(images.environment).values())
    missing = tuple(dict.fromkeys(name for name in names if _inspected(engine.api, name) is None))
    if not missing:
        return
    with login.logged_in(*_logins(images)) as variables, ThreadPoolExecutor() as threads:
        pending = [threads.submit(pulling.ensure, engine, name, variables) for name in missing]
        try:
            for name, one in zip(missing, pending, strict=True):
                say(f"pulling {name}")
                one.result()
        except BaseException:
            process.stop_all()
            raise


def remarks(images: Images, api: EngineApi) -> Iterator[str]:
    """Yield what a developer should know of *images*: which is stale, since what changed, and what mends that."""
    yield from images.notices
    for one in images.stale:
        changed = _summary(_changes(one, api))
        used = one.reference.partition("@sha256:")[2][:SHORT]
        since = f"; changed since: {changed}" if changed else ""
        yield f"the {_called(one.name)} is stale: {used} is not made of the files here{since}"
        yield f"  next: {_mend(one.name, images.environment)}, then inv dev.up"


def refuse_stale(images: Images) -> None:
    """Raise `OutdatedError` when an image is older than the files here."""
    for one in images.stale:
        raise OutdatedError(f"the {_called(one.name)} is stale", hint=_mend(one.name, images.environment))


def _of_registry(environment: Environment, checkout: Checkout, account: Account, repository: str) -> Images:
    look_up = upstream.of(account, environment, lambda: repository)
    held = stock.take(account.ecr, repository, lambda refreshed: _recipes(environment, checkout, look_up, refreshed))
    wanted = [one for one in held.recipes if one.image in compose.roles(environment)]
    newest: Mapping[str, registry.Held] = {}
    if any(one.tags[0] not in held.present for one in wanted):
        newest = upstream.newest(registry.everything(account.ecr, repository))
    if absent := [one.image for one in wanted if one.tags[0] not in held.present and one.image not in newest]:
        raise RefusedError(f"{repository} has no {_called(absent[0])} yet", hint=_mend(absent[0], environment))

    def image(one: Recipe) -> Image:
        digest = held.present.get(one.tags[0]) or newest[one.image].digest
        stale = one.tags[0] not in held.present
        return Image(name=one.image, reference=f"{repository}@{digest}", recipe=one, stale=stale)

    return Images(
        environment=environment,
        images=tuple(map(image, wanted)),
        repository=repository,
        account=account,
        notices=tuple(look_up.notices),
    )


def _of_machine(environment: Environment, checkout: Checkout, api: EngineApi, error: DeployError) -> Images:
    """Return the newest copies on this machine; raise *error* when there is not one of each."""
    copies = {name: _newest_copy(environment, api, name) for name in compose.roles(environment)}
    if not all(copies.values()):
        raise error
    known = {name: digest for one in copies.values() for name, digest in labels.parents(_labels(one)).items()}
    records = {name: labels.read(_labels(one).get(labels.INGREDIENTS, "")) for name, one in copies.items()}
    base = records.get(compose.BASE)
    asked = _recipes(environment, checkout, lambda _: known, base.refreshed if base else "")
    return Images(
        environment=environment,
        images=tuple(
            Image(
                name=one.image,
                reference=_reference(copies[one.image]),
                recipe=one,
                stale=_labels(copies[one.image]).get(labels.FINGERPRINT) != one.fingerprint,
            )
            for one in asked
            if one.image in copies
        ),
        notices=(f"{_first_line(error)}: going on with what is on this machine",),
    )


def _recipes(environment: Environment, checkout: Checkout, look_up: LookUp, refreshed: str) -> tuple[Recipe, ...]:
    """Return the recipes that are wanted; those of the roles are made only where a container starts from one."""
    if compose.roles(environment) == (compose.BASE,):
        return (recipe.base_recipe(environment, checkout, look_up, refreshed=refreshed),)
    return recipe.recipes(environment, checkout, look_up, refreshed=refreshed)


def _newest_copy(environment: Environment, api: EngineApi, name: str) -> Any:
    wanted = {"label": [f"{labels.APP}={environment.app.name}", f"{labels.IMAGE}={name}"]}
    found = [one for one in api.get(f"/images/json?filters={quote(json.dumps(wanted))}") if one.get("RepoDigests")]
    return max(found, key=lambda one: one["Created"], default=None)


def _reference(copy: Any) -> str:
    return str(min(copy["RepoDigests"]))


def _labels(copy: Any) -> dict[str, str]:
    return dict(copy.get("Labels") or {})


def _inspected(api: EngineApi, name: str) -> Any:
    return api.get(f"/images/{quote(name, safe='/:@')}/json")


def _changes(one: Image, api: EngineApi) -> tuple[Difference, ...]:
    """Return what changed since the image was made: a base tells what it was made of."""
    found = ((_inspected(api, one.reference) or {}).get("Config") or {}).get("Labels") or {}
    record = labels.read(found.get(labels.INGREDIENTS, ""))
    return labels.differences(record, one.recipe.ingredients, one.recipe.dockerfile) if record else ()


def _summary(changes: tuple[Difference, ...]) -> str:
    named = [_said(one) for one in changes[:NAMED_CHANGES]]
    return ", ".join([*named, *([f"and {len(changes) - NAMED_CHANGES} more"] if len(changes) > NAMED_CHANGES else [])])


def _said(one: Difference) -> str:
    what = one.name if one.kind in ("file", "folder", "Dockerfile") else f"{one.kind} {one.name}".rstrip()
    return what if one.change == "changed" else f"{what} ({one.change})"


def _logins(images: Images) -> tuple[login.Login, ...]:
    if images.account is None:
        return ()
    registries = supplies.registry_logins(images.account.ssm, images.environment.registries)
    return (login.to_ecr(images.account.ecr, images.repository), *registries)


def _called(name: str) -> str:
    return "base image" if name == compose.BASE else f"image of the role {name}"


def _mend(name: str, environment: Environment) -> str:
    return f"inv {'base.refresh' if name == compose.BASE else 'deploy'} --env {environment.name}"


def _first_line(error: DeployError) -> str:
    return str(error).splitlines()[0]
