"""The clean-up of an environment's repository: observe, plan, and remove what two plans agree on.

Between the plan that a person agreed to and the removal the world may move: a task starts, a tag moves, a release
begins. So everything is read once more right before, and only what may go by both plans goes, by digest.
"""

from __future__ import annotations

import datetime as dt
import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploylib import aws, observe
from deploylib.errors import AwsError, ConfigError
from deploylib.images import distribution, labels, registry, tags
from deploylib.images.credentials import Credentials
from deploylib.images.tags import BASE
from deploylib.retention import plan, usage
from deploylib.retention.plan import Image, Prune, Rules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from deploylib.aws import Account
    from deploylib.clock import Clock
    from deploylib.config import Environment
    from deploylib.contract import Contract
    from deploylib.images.registry import Held

    LabelsOf = Callable[[str, str], Mapping[str, str]]

PARALLEL = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What was removed, and what was not although it was planned: digest → why."""

    removed: tuple[Image, ...]
    spared: Mapping[str, str]

    @property
    def size(self) -> int:
        """The bytes of what was removed, as ECR counts them."""
        return sum(one.size for one in self.removed)


def chosen(environment: Environment, keep: int) -> int:
    """Return how many images of each role stay: *keep*, or what the configuration says when it is 0."""
    if keep < 0:
        raise ConfigError(f"--keep is how many images of each role stay, not {keep}", hint="--keep 5")
    return keep or environment.images.keep.images


def propose(
    account: Account,
    environment: Environment,
    *,
    keep: int = 0,
    clock: Clock = time,
    labels_of: LabelsOf | None = None,
) -> Prune:
    """Return what would be removed from *environment*'s repository, keeping the newest *keep* images of each role.

    Raises `RefusedError` in another account, and for an image in use that cannot be told.
    """
    aws.guard(account, environment)
    return _plan(account, environment, chosen(environment, keep), clock=clock, labels_of=labels_of)


def execute(
    account: Account,
    environment: Environment,
    prune: Prune,
    *,
    keep: int = 0,
    clock: Clock = time,
    labels_of: LabelsOf | None = None,
) -> Pruned:
    """Remove what *prune* says and what is still nobody's; indexes first: ECR keeps the children of one that is there.

    Raises `AwsError` when ECR keeps something, with what it said of each.
    """
    aws.guard(account, environment)
    now = _plan(account, environment, chosen(environment, keep), clock=clock, labels_of=labels_of)
    kept = {one.image.digest: ", ".join(one.reasons) for one in now.fates if one.stays}
    agreed = {one.digest for one in prune.going} & {one.digest for one in now.going}
    going = [one for one in now.going if one.digest in agreed]
    refused: dict[str, str] = {}
    for wave in ([one for one in going if one.children], [one for one in going if not one.children]):
        refused |= registry.delete(account.ecr, prune.repository, [one.digest for one in wave])
    if refused:
        told = "\n".join(f"  {digest}: {why}" for digest, why in refused.items())
        removed = len(going) - len(refused)
        raise AwsError(
            f"{prune.repository}: {removed} removed, but ECR keeps {len(refused)}\n{told}",
            hint=f"inv image.prune --env {environment.name} --dry-run",
        )
    spared = {one.digest: kept[one.digest] for one in prune.going if one.digest in kept}
    return Pruned(removed=tuple(going), spared=spared)


def _plan(account: Account, environment: Environment, keep: int, *, clock: Clock, labels_of: LabelsOf | None) -> Prune:
    contract = observe.contract(account, environment)
    with ThreadPoolExecutor(1) as pool:
        using = pool.submit(usage.observe, account, contract, releases=environment.images.keep.releases)
        images = _images(account, contract.repository, registry.everything(account.ecr, contract.repository))
        needed = usage.uses(
            using.result(), contract.repository, {tag: one.digest for one in images for tag in one.tags}
        )
    settings = environment.images.keep
    rules = Rules(
        newest=keep,
        young=dt.timedelta(hours=settings.hours),
        now=dt.datetime.fromtimestamp(clock.time(), dt.UTC),
    )
    fates = plan.plan(environment, images, needed, rules)
    if any(one.image.role == BASE and not one.stays for one in fates):
        staying = [one.image for one in fates if one.stays and one.image.role not in {"", BASE}]
        stands_on = _bases(staying, contract, labels_of or _labels_of(account, environment, contract))
        fates = plan.plan(environment, images, needed, rules, stands_on=stands_on)
    there = {one.digest for one in images}
    lost = tuple(f"{one.why}: {one.digest} is not in the repository" for one in needed if one.digest not in there)
    return Prune(environment=environment.name, repository=contract.repository, fates=fates, notices=lost)


def _images(account: Account, repository: str, held: Sequence[Held]) -> tuple[Image, ...]:
    """Return *held* with the children of each index: their manifests are read."""
    indexes = [one.digest for one in held if one.media_type in distribution.INDEXES]
    children = {
        digest: tuple(one["digest"] for one in json.loads(manifest.text).get("manifests", ()))
        for digest, manifest in registry.manifests(account.ecr, repository, indexes).items()
    }
    return tuple(
        Image(
            digest=one.digest,
            tags=one.tags,
            pushed_at=one.pushed_at,
            size=one.size,
            children=children.get(one.digest, ()),
        )
        for one in held
    )


def _bases(images: Iterable[Image], contract: Contract, labels_of: LabelsOf) -> dict[str, str]:
    """Return the content tag of the base that each of *images* stands on, as its labels say."""
    with ThreadPoolExecutor(PARALLEL) as pool:
        digests = [one.digest for one in images]
        found = zip(digests, pool.map(lambda one: labels_of(contract.repository, one), digests), strict=True)
        return {digest: tags.content(BASE, said[labels.BASE]) for digest, said in found if said.get(labels.BASE)}


def _labels_of(account: Account, environment: Environment, contract: Contract) -> LabelsOf:
    known = Credentials(account=account, environment=environment, repository=lambda: contract.repository)
    return distribution.Registries(credentials=known).labels_of
