"""Which images of a repository stay, and why; which go. Pure: from what was observed.

An image goes only when this tool made it (it has a content tag, and no tag that nobody here knows), nothing uses it,
and there are enough newer ones of its role. Everything else stays. Of a multi-platform image the index and its children
are one: a child that is used keeps its index, an index that stays keeps its children.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploylib.images import tags
from deploylib.images.tags import BASE

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from deploylib.config import Environment

SHORT = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image of the repository; `children` are the digests of the images that it is an index of."""

    digest: str
    tags: tuple[str, ...]
    pushed_at: dt.datetime
    size: int
    children: tuple[str, ...] = ()

    @property
    def content(self) -> str:
        """The tag that says what is in it, if it has one."""
        return next((tag for tag in self.tags if tags.is_content(tag)), "")

    @property
    def waits(self) -> bool:
        """Whether it was built elsewhere for a command that was killed: nothing but that command could use it."""
        return bool(self.tags) and all(tags.is_waiting(tag) for tag in self.tags)

    @property
    def role(self) -> str:
        """`base`, a role, or nothing when nobody knows."""
        return self.content.rpartition("-")[0]

    @property
    def name(self) -> str:
        """What a person calls it."""
        return self.content or next(iter(self.tags), "") or self.digest.rpartition(":")[2][:SHORT]


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A reason to keep the image *digest*: who needs it, and for what."""

    digest: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How much stays beside what is used: the *newest* images of each role, and what is younger than *young*."""

    newest: int
    young: dt.timedelta
    now: dt.datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What becomes of one image, and every reason for it."""

    image: Image
    stays: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prune:
    """What becomes of every image of a repository. `notices` are for a person to know."""

    environment: str
    repository: str
    fates: tuple[Fate, ...]
    notices: tuple[str, ...] = ()

    @property
    def going(self) -> tuple[Image, ...]:
        """The images that are to be removed."""
        return tuple(one.image for one in self.fates if not one.stays)

    @property
    def size(self) -> int:
        """The bytes of what goes, as ECR counts them: layers that others share are in it."""
        return sum(one.size for one in self.going)


def plan(
    environment: Environment,
    images: Sequence[Image],
    uses: Iterable[Use],
    rules: Rules,
    *,
    stands_on: Mapping[str, str] | None = None,
) -> tuple[Fate, ...]:
    """Return what becomes of each of *images*, those that stay first.

    *stands_on* has the content tag of the base image, for each role image (digest) where that is known.
    """
    reasons = _Reasons(images=images)
    for use in uses:
        reasons.add(use.digest, use.why)
    for image in images:
        for why in _own_reasons(environment, image, rules):
            reasons.add(image.digest, why)
    for image in _nameless(images):
        reasons.add(image.digest, "has no tag: the lifecycle rule of the repository removes it")
    for why, image in _newest(images, rules.newest):
        reasons.add(image.digest, why)
    reasons.keep_indexes()
    reasons.keep_bases(stands_on or {})
    reasons.keep_children()
    indexes = {child: one.name for one in images for child in one.children}
    fates = [reasons.fate(image, rules.newest, indexes.get(image.digest, "")) for image in images]
    return tuple(sorted(fates, key=lambda one: (not one.stays, one.image.role, -one.image.pushed_at.timestamp())))


def _own_reasons(environment: Environment, image: Image, rules: Rules) -> Iterator[str]:
    """Yield the reasons to keep *image* that it carries itself."""
    for tag in image.tags:
        if tags.is_moving(environment, tag):
            yield f"is {tag}"
        elif not tags.is_ours(environment, tag):
            yield f"{tag} is somebody's own tag"
    if image.tags and not image.content and not image.waits:
        yield "has no content tag: nobody knows what it is"
    age = rules.now - image.pushed_at
    if age < rules.young:
        yield f"pushed {max(0, round(age.total_seconds() / 60))} min ago"


def _nameless(images: Sequence[Image]) -> Iterator[Image]:
    """Yield what has no tag and is part of nothing."""
    parts = {child for image in images for child in image.children}
    yield from (image for image in images if not image.tags and image.digest not in parts)


def _newest(images: Iterable[Image], count: int) -> Iterator[tuple[str, Image]]:
    """Yield the newest *count* images of each role."""
    ranks: dict[str, int] = {}
    for image in sorted(images, key=lambda one: (one.pushed_at, one.digest), reverse=True):
        if image.role:
            ranks[image.role] = rank = ranks.get(image.role, 0) + 1
            if rank <= count:
                yield f"number {rank} of the newest {count} of {image.role}", image


@dataclass(slots=True, kw_only=True)
class _Reasons:
    """The reasons to keep each image, growing: what one reason leads to is another."""

    images: Sequence[Image]
    found: dict[str, dict[str, None]] = field(default_factory=dict)

    def add(self, digest: str, why: str) -> None:
        self.found.setdefault(digest, {})[why] = None

    def keep_indexes(self) -> None:
        """Keep the index of each child that is used: a child alone would lose its name, and then expire."""
        changed = True
        while changed:
            changed = False
            for index in self.images:
                used = [one for one in index.children if one in self.found]
                if used and index.digest not in self.found:
                    self.add(index.digest, f"holds {_short(used[0])}: {next(iter(self.found[used[0]]))}")
                    changed = True

    def keep_bases(self, stands_on: Mapping[str, str]) -> None:
        """Keep the base of each role image that stays."""
        bases = {one.content: one for one in self.images if one.role == BASE}
        for image in self.images:
            base = bases.get(stands_on.get(image.digest, ""))
            if base and image.digest in self.found:
                self.add(base.digest, f"{image.name} stands on it")

    def keep_children(self) -> None:
        """Keep what an index that stays is made of, at any depth."""
        known = {one.digest: one for one in self.images}
        waiting = [one for one in self.images if one.digest in self.found]
        while waiting:
            index = waiting.pop()
            for child in index.children:
                if child in known and child not in self.found:
                    waiting.append(known[child])
                self.add(child, f"part of {index.name}")

    def fate(self, image: Image, newest: int, index: str) -> Fate:
        if why := self.found.get(image.digest):
            return Fate(image=image, stays=True, reasons=tuple(why))
        if image.waits:
            return Fate(image=image, stays=False, reasons=("left over by a build",))
        if image.role:
            return Fate(image=image, stays=False, reasons=(f"unused, {newest} newer of {image.role}",))
        return Fate(image=image, stays=False, reasons=(f"part of {index}, which goes",))


def _short(digest: str) -> str:
    return digest.rpartition(":")[2][:SHORT]
