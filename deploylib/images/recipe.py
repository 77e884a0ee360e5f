"""The recipe of each image: its Dockerfile as it is built, its arguments, what it is made of, its tags."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploylib.config import RoleImage
from deploylib.errors import ConfigError
from deploylib.images import dockerfile, labels, tags, template
from deploylib.images.context import Context
from deploylib.images.fingerprint import SHORT, Ingredients

if TYPE_CHECKING:
    from pathlib import Path

    from deploylib.checkout import Checkout
    from deploylib.clock import Clock
    from deploylib.config import BaseImage, Environment
    from deploylib.images.dockerfile import Dockerfile

BASE = "base"
BASE_NAME = f"base.invalid/{BASE}"
CANONICAL_BASE = f"{BASE_NAME}@sha256:{'0' * 64}"
Pairs = tuple[tuple[str, str], ...]
LookUp = Callable[[Collection[str]], Mapping[str, str]]  # outside images → the digest of each that is known

PREDEFINED = frozenset(  # docker takes these without a declaration, and leaves them out of its cache
    spelled for name in ("HTTP", "HTTPS", "FTP", "NO", "ALL") for spelled in (f"{name}_PROXY", f"{name}_proxy".lower())
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How one image is made.

    `text` and `arguments` hold `base`, a name of the app's base image that is the same everywhere; `standing_on`
    puts its name in a registry there. `parents` are the outside images as written, each with the digest to build
    from (an image that only this machine has: its id). `origin` is the one that the image starts from. `secrets` maps
    the ids of secret mounts to SSM parameters. `onbuild_sources` is what images that start from this one take as well.
    `own_ignore` is the text of the Dockerfile's own ignore file, where it has one. `tags` has the content tag first;
    `revision` is the commit, `-dirty` when the files are not the commit's.
    """

    image: str
    context: Path
    dockerfile: str
    text: str
    arguments: Pairs
    ingredients: Ingredients
    fingerprint: str
    tags: tuple[str, ...]
    revision: str
    parents: Pairs = ()
    origin: str = ""
    secrets: Mapping[str, str] = field(default_factory=dict)
    onbuild_sources: tuple[str, ...] = ()
    own_ignore: str | None = None
    base: str = ""
    about: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def labels(self) -> dict[str, str]:
        """The labels of the image; a base says what it was made of as well."""
        made_of = {labels.INGREDIENTS: labels.written(labels.record(self.ingredients))} if self.image == BASE else {}
        return {**self.about, **made_of}

    def labels_on(self, base: str) -> dict[str, str]:
        """Return the labels of the image when it is built on *base*, `REPOSITORY@DIGEST`."""
        name, digest = self.origin, dict(self.parents).get(self.origin, "")
        if self.base and self.origin == self.base:
            name, _, digest = base.partition("@")
        known = {labels.BASE_NAME: name, labels.BASE_DIGEST: digest}
        return {**self.labels, **{key: value for key, value in known.items() if value}}

    def standing_on(self, base: str) -> tuple[str, Pairs]:
        """Return the Dockerfile and its arguments with *base*, a reference that docker can find."""
        if not self.base:
            return self.text, self.arguments
        return self.text.replace(self.base, base), tuple(
            (name, value.replace(self.base, base)) for name, value in self.arguments
        )

    def written_on(self, base: str) -> str:
        """Return the whole Dockerfile as it is built on *base*, with the image's labels."""
        text, _ = self.standing_on(base)
        return f"{text}\n{labels.instructions(self.labels_on(base), text)}\n"


def recipes(
    environment: Environment, checkout: Checkout, look_up: LookUp, *, refreshed: str = "", clock: Clock = time
) -> tuple[Recipe, ...]:
    """Return the recipe of every image of the app: the base first, where there is one, then the roles.

    *look_up* is asked once, for all outside images. *refreshed* is when the base was made anew with nothing changed.
    Raises `ConfigError` for a Dockerfile that cannot be rendered and for build arguments that it does not declare.
    """
    images = environment.images
    if BASE in images.roles:
        raise ConfigError(f"images.roles.{BASE}: this name is the base image's", hint="rename the role")
    kitchen = _kitchen(environment, checkout, clock)
    drafts = [kitchen.draft(BASE, images.base)] if images.base else []
    drafts += [kitchen.draft(role, settings) for role, settings in images.roles.items()]
    digests = look_up(_outside(drafts))
    base = kitchen.finish(drafts[0], digests, None, refreshed=refreshed) if images.base else None
    roles = (kitchen.finish(one, digests, base) for one in drafts if one.image != BASE)
    return (*((base,) if base else ()), *roles)


def base_recipe(
    environment: Environment, checkout: Checkout, look_up: LookUp, *, refreshed: str = "", clock: Clock = time
) -> Recipe:
    """Return the recipe of the base image alone; raise `ConfigError` when the app has none."""
    if not environment.images.base:
        raise ConfigError("this app has no base image", hint="add [images.base] to environments/common.toml")
    kitchen = _kitchen(environment, checkout, clock)
    draft = kitchen.draft(BASE, environment.images.base)
    return kitchen.finish(draft, look_up(_outside([draft])), None, refreshed=refreshed)


def base_inputs(environment: Environment, checkout: Checkout) -> tuple[object, ...]:
    """Return what *environment* makes its base from, without asking anybody: two that are equal make the same base."""
    if not environment.images.base:
        return ()
    draft = _kitchen(environment, checkout, time).draft(BASE, environment.images.base)
    settings = environment.images.base
    return environment.context, environment.images.platform, settings.dockerfile, draft.text, draft.arguments


def _kitchen(environment: Environment, checkout: Checkout, clock: Clock) -> _Kitchen:
    return _Kitchen(
        context=Context(environment.context),
        checkout=checkout,
        environment=environment,
        now=dt.datetime.fromtimestamp(clock.time(), dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
    )


def _outside(drafts: Collection[_Draft]) -> tuple[str, ...]:
    return tuple(sorted({one for draft in drafts for one in draft.taken.parents if one != CANONICAL_BASE}))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draft:
    """One image as far as it is known without asking anybody."""

    image: str
    settings: BaseImage | RoleImage
    text: str
    given: Mapping[str, str]
    taken: Dockerfile

    @property
    def arguments(self) -> Pairs:
        """The arguments that are declared and given."""
        return tuple(sorted((name, self.given[name]) for name in self.taken.arguments if name in self.given))

    @property
    def names_base(self) -> bool:
        """Whether the app's base is anywhere in what the image is built with."""
        return CANONICAL_BASE in self.text or any(CANONICAL_BASE in value for _, value in self.arguments)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kitchen:
    """What every recipe of an environment is made with; `now` is RFC 3339."""

    context: Context
    checkout: Checkout
    environment: Environment
    now: str

    def draft(self, image: str, settings: BaseImage | RoleImage) -> _Draft:
        canonical = CANONICAL_BASE if image != BASE and self.environment.images.base else ""
        text = self._rendered(image, settings, canonical)
        given = {**self._automatic(canonical), **settings.build_args}
        taken = dockerfile.read(text, given)
        _refuse_undeclared(image, settings, taken.arguments)
        return _Draft(image=image, settings=settings, text=text, given=given, taken=taken)

    def finish(self, draft: _Draft, digests: Mapping[str, str], base: Recipe | None, *, refreshed: str = "") -> Recipe:
        image, settings, taken = draft.image, draft.settings, draft.taken
        stands = CANONICAL_BASE in taken.parents
        onbuild_sources = base.onbuild_sources if base and stands else ()
        parents = tuple((one, digests.get(one, "")) for one in taken.parents if one != CANONICAL_BASE)
        ours = ((BASE_NAME, f"sha256:{base.fingerprint}"),) if base and draft.names_base else ()
        ingredients = Ingredients(
            platform=self.environment.images.platform,
            dockerfile=draft.text,
            arguments=draft.arguments,
            parents=(*ours, *(pair for pair in parents if pair[1])),
            files=self.context.files((*taken.sources, *onbuild_sources), self.context.ignore(settings.dockerfile)),
            refreshed=refreshed,
        )
        fingerprint = ingredients.fingerprint
        return Recipe(
            image=image,
            context=self.context.root,
            dockerfile=settings.dockerfile,
            text=draft.text,
            arguments=(*draft.arguments, *_proxies(settings.build_args)),
            ingredients=ingredients,
            fingerprint=fingerprint,
            tags=tags.all_of(self.environment, image, fingerprint, self.checkout),
            revision=self.checkout.revision,
            parents=parents,
            origin=taken.origin,
            secrets=settings.secrets if isinstance(settings, RoleImage) else {},
            onbuild_sources=taken.onbuild_sources,
            own_ignore=self.context.own_ignore(settings.dockerfile),
            base=CANONICAL_BASE if stands else "",
            about=self._about(image, settings, ingredients, base if stands else None),
        )

    def _rendered(self, image: str, settings: BaseImage | RoleImage, base: str) -> str:
        """Return the Dockerfile; the environment's name is in it only when its configuration says so."""
        specific = isinstance(settings, RoleImage) and settings.environment_specific
        names = {
            **({"role": image} if image != BASE else {}),
            "settings": template.Settings(**self.environment.images.settings),
            **({"base_image": base} if base else {}),
            **({"environment": self.environment.name} if specific else {}),
        }
        withheld = {} if specific else {"environment": _how_to_be_specific(image)}
        return template.render(self.context.root / settings.dockerfile, names, withheld=withheld)

    def _automatic(self, base: str) -> dict[str, str]:
        """Return the arguments that every Dockerfile is given which declares them."""
        target = self.environment.images.platform
        system, architecture = target.split("/")
        platform = {"TARGETPLATFORM": target, "TARGETOS": system, "TARGETARCH": architecture}
        return {"COMMIT": self.checkout.revision, **platform, **({"BASE_IMAGE": base} if base else {})}

    def _about(
        self, image: str, settings: BaseImage | RoleImage, ingredients: Ingredients, base: Recipe | None
    ) -> dict[str, str]:
        """Return what the labels say of the image."""
        checkout, app = self.checkout, self.environment.app.name
        specific = isinstance(settings, RoleImage) and settings.environment_specific
        outside = [pair for pair in ingredients.parents if pair[0] != BASE_NAME]
        found = {
            labels.FINGERPRINT: ingredients.fingerprint,
            labels.IMAGE: image,
            labels.APP: app,
            labels.BASE: base.fingerprint if base else "",
            labels.ENVIRONMENT: self.environment.name if specific else "",
            labels.PARENTS: labels.of_parents(outside) if outside else "",
            labels.REFRESHED: ingredients.refreshed,
            labels.MADE_BY: labels.maker(checkout.author),
            labels.AUTHORS: checkout.author,
            labels.CREATED: self.now,
            labels.REVISION: checkout.revision,
            labels.VERSION: checkout.revision[:SHORT],
            labels.TITLE: f"{app} {image}",
        }
        return {name: value for name, value in found.items() if value}


def _how_to_be_specific(image: str) -> str:
    if image == BASE:
        return "the base is the same in every environment: use the name in a role's Dockerfile"
    flag = f"images.roles.{image}.environment_specific = true"
    return f"such an image cannot be promoted; if it has to depend on its environment: {flag}"


def _refuse_undeclared(image: str, settings: BaseImage | RoleImage, declared: tuple[str, ...]) -> None:
    unknown = sorted(set(settings.build_args) - set(declared) - PREDEFINED)
    if unknown:
        table = "images.base" if image == BASE else f"images.roles.{image}"
        raise ConfigError(
            f"{table}.build_args.{unknown[0]}: {settings.dockerfile} declares no ARG {unknown[0]}",
            hint=f"it declares {', '.join(declared)}" if declared else "it declares none",
        )


def _proxies(build_args: Mapping[str, str]) -> Pairs:
    return tuple((name, value) for name, value in sorted(build_args.items()) if name in PREDEFINED)
