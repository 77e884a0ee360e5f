"""Images that completed in one environment, brought into the repository of another as they are.

Nothing is built. The digest is the identity: what the other repository has already is not copied, and what was copied
is compared by its digest there. Of a new image only those layers travel that are missing, of an index every image.

A copy arrives without a name and gets its tags last, so an interrupted promotion leaves nothing that anybody takes
for an image, and the next one goes on where it stopped. Images that lack the same layers are copied one after the
other, so that these travel once; the others at the same time.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploylib import ledger, tag_templates
from deploylib.errors import AwsError, ConfigError, ImageError, RefusedError
from deploylib.events import Event, Promoted, PromotionStarted, Tagged
from deploylib.images import building, copying, credentials, distribution, labels, login, registry, tags
from deploylib.images.planning import ImagePlan

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    from deploylib.aws import Account
    from deploylib.clock import Clock
    from deploylib.config import Environment
    from deploylib.contract import Contract
    from deploylib.images.building import Job
    from deploylib.images.copying import Copier
    from deploylib.images.registry import Held, Manifest
    from deploylib.ledger import Entry

COLUMNS = ("image", "action", "why", "tags", "digest")

Connect = Callable[[Mapping[str, str]], "Copier"]
LabelsOf = Callable[[str, str], Mapping[str, str]]  # repository, digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One end of a promotion: an environment, signed in to, and what Terraform published there."""

    account: Account
    environment: Environment
    contract: Contract

    @property
    def name(self) -> str:
        """The environment's name."""
        return self.environment.name

    @property
    def repository(self) -> str:
        """The URI of the app's repository there."""
        return self.contract.repository


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """The images of one release of *source* for *target*; `plans` says what has to be copied."""

    source: Side
    target: Side
    entry: Entry
    plans: tuple[ImagePlan, ...]

    @property
    def nothing_to_do(self) -> bool:
        """Whether the target has every image with all its tags."""
        return all(one.action == "reuse" and not one.missing_tags for one in self.plans)

    @property
    def title(self) -> str:
        """What is promoted, for a person."""
        return f"Release {self.entry.number} of {self.source.name} ({self.entry.commit[:12]}) → {self.target.name}"

    @property
    def rows(self) -> tuple[tuple[str, str, str, str, str], ...]:
        """Image, action, reason, tags and digest."""
        return tuple((one.image, one.action, _reason(one), " ".join(one.tags), one.digest) for one in self.plans)


def source_of(target: Environment, name: str) -> str:
    """Return the environment that *target* takes images from: *name*, else what its file says.

    Raises `ConfigError` when neither says one, when they differ, and when it is *target* itself.
    """
    own = target.promote_from
    if name and own and name != own:
        raise ConfigError(f"{target.name} takes its images from {own}, not from {name}", hint=f"--from {own}")
    if not (name or own):
        raise ConfigError(f"from which environment to {target.name}?", hint="--from stg")
    if (name or own) == target.name:
        raise ConfigError(f"{name} is where the images are to go", hint="--from another environment")
    return name or own


def parse(number: str) -> int:
    """Return the release's number that a person wrote, 0 for none; raise `ConfigError` for anything else."""
    if number and not (number.isascii() and number.isdigit() and int(number)):
        raise ConfigError(
            f"--release {number} is no number of a release", hint="a number such as 12, as a deploy says it"
        )
    return int(number or 0)


def chosen(source: Side, number: int = 0) -> Entry:
    """Return the release of *source* with that *number*; without one, the newest that completed.

    Raises `RefusedError` for one that did not complete, or whose images are of no commit.
    """
    dynamodb, table, name = source.account.dynamodb, source.contract.ledger, source.name
    newest = next(iter(ledger.completed(dynamodb, table, limit=1)), None)
    entry = ledger.numbered(dynamodb, table, number) if number else newest
    instead = f"--release {newest.number} is the newest that completed" if newest else f"inv deploy --env {name}"
    if entry is None:
        what = f"{name} has no release {number}" if number else f"no release has completed in {name}"
        raise RefusedError(what, hint=instead)
    if entry.verdict != ledger.COMPLETED:
        what = {"running": "is running, or died on the way", "failed": "failed"}.get(
            entry.verdict, f"was {entry.verdict}"
        )
        reason = f": {entry.reason}" if entry.reason else ""
        raise RefusedError(
            f"release {entry.number} of {name} {what}{reason}; only what completed is promoted", hint=instead
        )
    if entry.dirty:
        raise RefusedError(
            f"release {entry.number} of {name} was built with uncommitted changes: no commit says what is in it",
            hint=f"commit, and inv deploy --env {name}",
        )
    return entry


def plan(source: Side, target: Side, entry: Entry, *, labels_of: LabelsOf | None = None) -> Promotion:
    """Return what has to be copied so that *target* has the images of *entry*; four calls, all reading.

    Raises `RefusedError` for an image that is *source*'s alone, and `ImageError` for one that is gone and for a tag
    that is another image's there.
    """
    _refuse_configured(source, entry)
    digests = tuple(entry.images.values())
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(registry.manifests, target.account.ecr, target.repository, digests)
        described = registry.described(source.account.ecr, source.repository, digests)
        here = asked.result()
    images = {role: (role, described[digest]) for role, digest in entry.images.items()}
    names = {role: _names(source, target, entry, image) for role, image in images.items()}
    origin = f"{source.name}, release {entry.number}"
    taken = registry.present(target.account.ecr, target.repository, [tag for each in names.values() for tag in each])
    plans = tuple(
        (_plan_present if digest in here else _plan_copy)(role, digest, names[role], taken, origin=origin)
        for role, digest in entry.images.items()
    )
    promotion = Promotion(source=source, target=target, entry=entry, plans=plans)
    _refuse_labelled(promotion, labels_of or _labels_of(source))
    return promotion


def carry_out(
    promotion: Promotion, *, clock: Clock = time, connect: Connect = copying.connect
) -> Generator[Event, None, dict[str, str]]:
    """Copy and name what the promotion says; return the digest of every image.

    The program that copies is looked for, and the log-ins are made, only when something has to be copied. Raises
    `ImageError` naming the image; the others are stopped.
    """
    source, target = promotion.source, promotion.target
    work = [one for one in promotion.plans if one.action == "promote"]
    try:
        yield from _name(target, promotion.plans)
        if work:
            logins = (login.to_ecr(side.account.ecr, side.repository) for side in (source, target))
            with login.logged_in(*logins) as variables:
                freight = _Freight(source=source, target=target, copier=connect(variables), clock=clock)
                yield from freight.deliver(work)
    except AwsError as error:
        raise ImageError(str(error), hint=error.hint) from error
    return {one.image: one.digest for one in promotion.plans}


def _names(source: Side, target: Side, entry: Entry, image: tuple[str, Held]) -> tuple[str, ...]:
    """Return the tags that an image (its role, and what the source holds) has in the target.

    The content tag comes first, that of the release's commit last. They are those that this tool gave it, and that
    never move. One with the environment's name in it is made anew.
    """
    role, held = image
    bound = [one for one in source.environment.images.tags.immutable if "{environment}" in one]
    values = {"role": role, "sha": entry.commit, "short": entry.commit[: tag_templates.SHORT]}
    made = (
        [tag_templates.rendered(one, {**values, "environment": side.name}) for side in (source, target)]
        for one in bound
    )
    found = [one for one in held.tags if _goes_along(source.environment, one, bound)]
    found += [there for here, there in made if here in held.tags]
    found.sort(key=lambda one: (not tags.is_content(one), values["short"] in one))
    return tuple(found) or (f"{tags.KEPT}{held.digest.rpartition(':')[2][:12]}",)


def _goes_along(environment: Environment, tag: str, bound: Iterable[str]) -> bool:
    if not tags.is_ours(environment, tag) or tags.is_moving(environment, tag) or tag.startswith(tags.KEPT):
        return False
    return not any(tag_templates.explains(one, tag, environment=environment.name) for one in bound)


def _reason(one: ImagePlan) -> str:
    return f"{one.reason}; gets the tag {', '.join(one.missing_tags)}" if one.missing_tags else one.reason


def _plan_present(
    role: str, digest: str, names: tuple[str, ...], taken: Mapping[str, str], *, origin: str
) -> ImagePlan:
    """Plan an image that is here; a name of it that another image has got here stays where it is."""
    own = tuple(tag for tag in names if taken.get(tag, digest) == digest)
    return ImagePlan(
        image=role,
        action="reuse",
        reason=f"the registry has this image (from {origin})",
        tags=own or names,
        missing_tags=tuple(tag for tag in own if tag not in taken),
        digest=digest,
    )


def _plan_copy(role: str, digest: str, names: tuple[str, ...], taken: Mapping[str, str], *, origin: str) -> ImagePlan:
    if conflict := next((tag for tag in names if tag in taken), ""):
        raise ImageError(
            f"image {role} is {digest} in {origin}, but the registry has another image under {conflict} "
            f"({taken[conflict]}); tags there are immutable, and nothing was changed",
            hint=f"find out who pushed {conflict}; delete it there if nothing runs it, then repeat the command",
        )
    return ImagePlan(image=role, action="promote", reason=f"from {origin}", tags=names, digest=digest)


def _refuse_configured(source: Side, entry: Entry) -> None:
    roles = source.environment.images.roles
    for role in entry.images:
        if role in roles and roles[role].environment_specific:
            raise _bound(role, source.name, f"images.roles.{role}.environment_specific says so")


def _refuse_labelled(promotion: Promotion, labels_of: LabelsOf) -> None:
    """Ask the images themselves that would be copied: they may be older than the configuration."""
    work = [one for one in promotion.plans if one.action == "promote"]
    with ThreadPoolExecutor(max(1, len(work))) as pool:
        found = pool.map(lambda one: labels_of(promotion.source.repository, one.digest), work)
        for one, said in zip(work, found, strict=True):
            if bound := said.get(labels.ENVIRONMENT):
                raise _bound(one.image, promotion.source.name, f"its label {labels.ENVIRONMENT} is {bound}")


def _bound(role: str, name: str, why: str) -> RefusedError:
    return RefusedError(
        f"the image {role} of {name} is made for that environment alone ({why}): it cannot be promoted",
        hint=f"take the environment out of its Dockerfile, and set images.roles.{role}.environment_specific = false",
    )


def _labels_of(source: Side) -> LabelsOf:
    known = credentials.Credentials(
        account=source.account, environment=source.environment, repository=lambda: source.repository
    )
    return distribution.Registries(credentials=known).labels_of


def _name(target: Side, plans: Sequence[ImagePlan]) -> Generator[Event, None, None]:
    """Give what is here already the names that it lacks."""
    for one in plans:
        for tag in one.missing_tags:
            if registry.put_tag(target.account.ecr, target.repository, tag, digest=one.digest):
                yield Tagged(image=one.image, tag=tag)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cargo:
    """An image that is to be copied: its manifest, and the blobs of it (digest → bytes) that have to travel."""

    plan: ImagePlan
    manifest: Manifest
    blobs: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Freight:
    """What every copy needs."""

    source: Side
    target: Side
    copier: Copier
    clock: Clock

    def deliver(self, work: Sequence[ImagePlan]) -> Generator[Event, None, None]:
        """Copy all of *work*, in rounds of images that lack no layer in common."""
        waiting = self._load(work)
        while waiting:
            lacking = self._lacking(waiting)
            together = _apart([_without(one, lacking) for one in waiting])
            yield from building.together({one.plan.image: self._copying(one) for one in together})
            done = {one.plan.image for one in together}
            waiting = [one for one in waiting if one.plan.image not in done]

    def _load(self, work: Sequence[ImagePlan]) -> list[_Cargo]:
        """Return each image with all its blobs; of an index, with those of its images."""
        held = self._manifests([one.digest for one in work])
        children = self._manifests([child for one in held.values() for child in _children(one)])
        found = {**held, **children}
        return [
            _Cargo(
                plan=one,
                manifest=found[one.digest],
                blobs={
                    blob: size
                    for digest in (one.digest, *_children(found[one.digest]))
                    for blob, size in _blobs(found[digest])
                },
            )
            for one in work
        ]

    def _manifests(self, digests: Sequence[str]) -> dict[str, Manifest]:
        found = registry.manifests(self.source.account.ecr, self.source.repository, digests)
        if gone := [one for one in digests if one not in found]:
            raise ImageError(f"{self.source.repository}@{gone[0]} is gone from {self.source.name}'s registry")
        return found

    def _lacking(self, waiting: Sequence[_Cargo]) -> frozenset[str]:
        blobs = tuple(dict.fromkeys(blob for one in waiting for blob in one.blobs))
        return registry.lacking(self.target.account.ecr, self.target.repository, blobs)

    def _copying(self, cargo: _Cargo) -> Job:
        """Return what copies one image, compares it and names it."""

        def copy(emit: building.Emit) -> str:
            one, started = cargo.plan, self.clock.monotonic()
            emit(PromotionStarted(image=one.image, source=self.source.name))
            self.copier.copy(f"{self.source.repository}@{one.digest}", self.target.repository, tag=one.tags[0])
            self._compare(cargo)
            self._name(cargo)
            emit(
                Promoted(
                    image=one.image,
                    digest=one.digest,
                    seconds=self.clock.monotonic() - started,
                    layers=len(cargo.blobs),
                    size=sum(cargo.blobs.values()),
                )
            )
            return one.digest

        return copy

    def _compare(self, cargo: _Cargo) -> None:
        """Raise `ImageError` unless the target has the very manifest; take away what came instead of it."""
        ecr, repository, one = self.target.account.ecr, self.target.repository, cargo.plan
        arrived = registry.manifests(ecr, repository, [one.digest]).get(one.digest)
        if arrived and arrived.text == cargo.manifest.text:
            return
        other = registry.present(ecr, repository, one.tags[:1]).get(one.tags[0], "")
        if other and registry.tags_of(ecr, repository, other) == one.tags[:1]:
            registry.delete(ecr, repository, [other])
        raise ImageError(
            f"image {one.image} is {one.digest} in {self.source.name}, but arrived as {other or 'nothing'}: "
            "what copied it packed it anew",
            hint="install skopeo, which moves images as they are (make setup), then repeat the command",
        )

    def _name(self, cargo: _Cargo) -> None:
        for tag in cargo.plan.tags:
            if not registry.put_manifest(self.target.account.ecr, self.target.repository, tag, cargo.manifest):
                raise ImageError(
                    f"image {cargo.plan.image}: somebody else pushed another image as {tag} meanwhile",
                    hint="repeat the command: it says which",
                )


def _without(cargo: _Cargo, lacking: frozenset[str]) -> _Cargo:
    """Return *cargo* with those blobs only that have to travel."""
    blobs = {blob: size for blob, size in cargo.blobs.items() if blob in lacking}
    return _Cargo(plan=cargo.plan, manifest=cargo.manifest, blobs=blobs)


def _apart(cargoes: Sequence[_Cargo]) -> list[_Cargo]:
    """Return the first of *cargoes*, and every other that has no blob in common with those before it."""
    taken: set[str] = set()
    found: list[_Cargo] = []
    for one in cargoes:
        if taken.isdisjoint(one.blobs):
            taken.update(one.blobs)
            found.append(one)
    return found


def _children(manifest: Manifest) -> tuple[str, ...]:
    return tuple(str(one["digest"]) for one in json.loads(manifest.text).get("manifests", ()))


def _blobs(manifest: Manifest) -> list[tuple[str, int]]:
    document = json.loads(manifest.text)
    parts = [*([document["config"]] if "config" in document else []), *document.get("layers", ())]
    return [(str(one["digest"]), int(one.get("size", 0))) for one in parts]
