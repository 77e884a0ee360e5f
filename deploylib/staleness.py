"""Is the app's base image what the checkout says? Where it is, what changed since the last one, who stands on which.

Only reads. Stale is a base that the environment's registry does not have; services and this machine's copy are told,
as they follow by the next deploy and the next pull.
"""

from __future__ import annotations

import functools
import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from deploylib import aws, observe
from deploylib.errors import AwsError, ContractError, OutdatedError, RefusedError, ToolMissingError
from deploylib.images import labels, places, recipe, reference, registry, stock, tags, upstream
from deploylib.images.credentials import Credentials
from deploylib.images.distribution import Registries, RegistryError
from deploylib.toolchain import engine as engines

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Mapping

    from deploylib.aws import Account
    from deploylib.checkout import Checkout
    from deploylib.clock import Clock
    from deploylib.config import Environment
    from deploylib.contract import Contract
    from deploylib.images.labels import Difference
    from deploylib.images.places import Closed, Place, SignIn
    from deploylib.images.recipe import LookUp, Recipe
    from deploylib.images.registry import Held
    from deploylib.plan import Live

    ReadLabels = Callable[[str, str], Mapping[str, str]]  # repository and digest → labels
    ReadEngine = Callable[[str], Any]  # path → document

PARALLEL = 8
NAMED_REASONS = 5
State = Literal["current", "older", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Whereabouts:
    """One account's repository: the digest of the base there, since when; or why nobody could look."""

    environment: str
    account_id: str
    repository: str = ""
    digest: str = ""
    since: dt.datetime | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A container of a service, and the base that its running image stands on (its content tag, where it is known)."""

    service: str
    container: str
    role: str
    base: str
    state: State


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseStatus:
    """The base image of a checkout.

    `since` are the differences to `compared_with`, the last other base; None when that does not say what it was made
    of. `local` is this machine's newest copy; empty when there is none.
    """

    app: str
    environment: str
    tag: str
    fingerprint: str
    whereabouts: tuple[Whereabouts, ...]
    compared_with: str
    since: tuple[Difference, ...] | None
    services: tuple[Standing, ...]
    local: str
    local_state: State
    notices: tuple[str, ...] = ()

    @property
    def present(self) -> bool:
        """Whether the environment's own registry has it."""
        return bool(self.whereabouts[0].digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where facts come from beside AWS; tests have their own."""

    look_up: LookUp | None = None
    read_labels: ReadLabels | None = None
    read_engine: ReadEngine | None = None
    sign_in: SignIn = aws.signed_in
    clock: Clock = time


DEFAULT = Sources()


def look(
    account: Account,
    environment: Environment,
    checkout: Checkout,
    *,
    sources: Sources = DEFAULT,
) -> BaseStatus:
    """Return how the base of *checkout* stands; the account guard runs beside the first reads."""
    with ThreadPoolExecutor(PARALLEL) as pool:
        guarded = pool.submit(aws.guard, account, environment)
        reading = pool.submit(observe.contract, account, environment)
        others = pool.submit(places.others, environment, checkout, sign_in=sources.sign_in)
        outside = sources.look_up or upstream.of(account, environment, lambda: reading.result().repository)
        write = functools.partial(_recipe, environment, checkout, outside, sources.clock)
        written = pool.submit(write, "")
        local = pool.submit(_local_copies, environment.app.name, sources.read_engine or _engine)
        guarded.result()
        contract = reading.result()
        held = pool.submit(registry.everything, account.ecr, contract.repository)
        live = pool.submit(observe.live, account, contract)
        stocked = stock.take(account.ecr, contract.repository, lambda at: write(at) if at else written.result())
        base = stocked.recipes[0]
        read = sources.read_labels or _labels(account, environment, contract)
        standing = pool.submit(_standing, live.result(), base, read)
        last = _last(held.result(), base.tags[0])
        changed = pool.submit(_since, last, contract.repository, base, read)
        ours = places.here(account, environment, contract.repository)
        return BaseStatus(
            app=environment.app.name,
            environment=environment.name,
            tag=base.tags[0],
            fingerprint=base.fingerprint,
            whereabouts=_everywhere(ours, *others.result(), tag=base.tags[0]),
            compared_with=_content_tag(last),
            since=changed.result(),
            services=standing.result(),
            notices=tuple(outside.notices) if isinstance(outside, upstream.Upstream) else (),
            **_local(local.result(), base),
        )


def refuse_stale(status: BaseStatus) -> None:
    """Raise `OutdatedError`, with what changed, unless the registry has the base."""
    if status.present:
        return
    reasons = [described(one) for one in status.since or ()]
    more = f" and {len(reasons) - NAMED_REASONS} more" if len(reasons) > NAMED_REASONS else ""
    why = f": {', '.join(reasons[:NAMED_REASONS])}{more}" if reasons else ""
    raise OutdatedError(
        f"the registry of {status.environment} has no {status.tag}{why}",
        hint=f"inv base.refresh --env {status.environment}",
    )


def described(difference: Difference) -> str:
    """Return *difference* in words, on one line."""
    if difference.kind == "refreshed":
        at = f"at {difference.new}" if difference.new else f"no more (it was at {difference.old})"
        return f"made anew {difference.name} {at}"
    name = " ".join(filter(None, ("" if difference.kind == "file" else difference.kind, difference.name)))
    if difference.old and difference.new:
        return f"{name} {_short(difference.old)} → {_short(difference.new)}"
    value = difference.old or difference.new
    return " ".join(filter(None, (name, difference.change, _short(value))))


def _recipe(
    environment: Environment, checkout: Checkout, look_up: LookUp, clock: Clock, refreshed: str
) -> tuple[Recipe]:
    return (recipe.base_recipe(environment, checkout, look_up, refreshed=refreshed, clock=clock),)


def _everywhere(
    ours: Place, others: tuple[Place, ...], closed: tuple[Closed, ...], *, tag: str
) -> tuple[Whereabouts, ...]:
    with ThreadPoolExecutor(PARALLEL) as pool:
        found = pool.map(lambda one: _whereabouts(one, tag), (ours, *others))
        return (*found, *map(_closed, closed))


def _whereabouts(place: Place, tag: str) -> Whereabouts:
    known = Whereabouts(environment=place.environment, account_id=place.account_id, repository=place.repository)
    try:
        digest = registry.present(place.account.ecr, place.repository, (tag,)).get(tag, "")
        since = registry.pushed_at(place.account.ecr, place.repository, digest) if digest else None
    except (AwsError, ContractError) as error:
        return replace(known, problem=str(error).splitlines()[0])
    return replace(known, digest=digest, since=since)


def _closed(place: Closed) -> Whereabouts:
    return Whereabouts(environment=place.environment, account_id=place.account_id, problem=place.reason)


def _last(held: Iterable[Held], tag: str) -> Held | None:
    """Return the newest base other than the one with *tag*."""
    return upstream.newest(one for one in held if tag not in one.tags).get(recipe.BASE)


def _content_tag(held: Held | None) -> str:
    return next((one for one in held.tags if tags.is_content(one)), "") if held else ""


def _since(last: Held | None, repository: str, base: Recipe, read: ReadLabels) -> tuple[Difference, ...] | None:
    """Return what changed since the base *last*; None when it does not say what it was made of."""
    if last is None:
        return ()
    before = labels.read(read(repository, last.digest).get(labels.INGREDIENTS, ""))
    return labels.differences(before, base.ingredients, base.dockerfile) if before else None


def _standing(live: Live, base: Recipe, read: ReadLabels) -> tuple[Standing, ...]:
    """Return which base each managed container's image stands on; those that stand on none are left out."""
    running = [
        (service.key, container["name"], service.contract.containers[container["name"]], container["image"])
        for service in live.services
        for container in service.definition["containerDefinitions"]
        if container["name"] in service.contract.containers and "@" in container["image"]
    ]
    images = tuple(dict.fromkeys(image for *_, image in running))
    with ThreadPoolExecutor(PARALLEL) as pool:
        found = dict(zip(images, pool.map(lambda image: _base_of(image, read), images), strict=True))
    return tuple(
        Standing(
            service=key,
            container=container,
            role=role,
            base=tags.content(recipe.BASE, theirs) if theirs else "",
            state="unknown" if not theirs else "current" if theirs == base.fingerprint else "older",
        )
        for key, container, role, image in running
        if (theirs := found[image]) is not None
    )


def _base_of(image: str, read: ReadLabels) -> str | None:
    """Return the fingerprint of the base of *image*, empty when it does not tell; None when it stands on none."""
    parsed = reference.parse(image)
    found = read(parsed.repository, parsed.digest)
    return None if labels.APP in found and labels.BASE not in found else found.get(labels.BASE, "")


def _labels(account: Account, environment: Environment, contract: Contract) -> ReadLabels:
    registries = Registries(
        credentials=Credentials(account=account, environment=environment, repository=lambda: contract.repository)
    )

    def read(repository: str, digest: str) -> Mapping[str, str]:
        try:
            return registries.labels_of(repository, digest)
        except RegistryError:  # an image that is gone, or of another registry: nothing is known of it
            return {}

    return read


def _engine(path: str) -> Any:
    try:
        return engines.find().api.get(path)
    except (ToolMissingError, RefusedError):
        return None


def _local_copies(app: str, read: ReadEngine) -> tuple[Mapping[str, Any], ...]:
    """Return what the engine on this machine has of the app's base, newest first."""
    wanted = {"label": [f"{labels.IMAGE}={recipe.BASE}", f"{labels.APP}={app}"]}
    found = read(f"/images/json?filters={quote(json.dumps(wanted))}") or ()
    return tuple(sorted(found, key=lambda one: one.get("Created", 0), reverse=True))


def _local(copies: Iterable[Mapping[str, Any]], base: Recipe) -> dict[str, Any]:
    fingerprints = [(one.get("Labels") or {}).get(labels.FINGERPRINT, "") for one in copies]
    if not fingerprints:
        return {"local": "", "local_state": "unknown"}
    current = base.fingerprint in fingerprints
    newest = base.fingerprint if current else fingerprints[0]
    return {"local": tags.content(recipe.BASE, newest), "local_state": "current" if current else "older"}


def _short(value: str) -> str:
    return value[: len("sha256:") + labels.SHORT] if value.startswith("sha256:") else value
