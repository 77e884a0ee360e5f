"""The recipe of each image: its Dockerfile as it is built, its arguments, what it is made of, its tags."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploylib.errors import ConfigError
from deploylib.images import dockerfile, template
from deploylib.images.context import Context
from deploylib.images.fingerprint import SHORT, Ingredients

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from deploylib.checkout import Checkout
    from deploylib.config import BaseImage, Environment, RoleImage

BASE = "base"
Pairs = tuple[tuple[str, str], ...]

PREDEFINED = frozenset(  # docker takes these without a declaration, and leaves them out of its cache
    spelled for name in ("HTTP", "HTTPS", "FTP", "NO", "ALL") for spelled in (f"{name}_PROXY", f"{name}_proxy".lower())
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How one image is made.

    `text` and `arguments` hold `base`, a name of the app's base image that is the same everywhere; `standing_on`
    puts its name in a registry there. `parents` are the outside images. `onbuild_sources` is what images that start
    from this one take as well. `own_ignore` is the text of the Dockerfile's own ignore file, where it has one.
    `tags` has the content tag first; `revision` is the commit, `-dirty` when the files are not the commit's.
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
    parents: tuple[str, ...] = ()
    onbuild_sources: tuple[str, ...] = ()
    own_ignore: str | None = None
    base: str = ""

    def standing_on(self, base: str) -> tuple[str, Pairs]:
        """Return the Dockerfile and its arguments with *base*, a reference that docker can find."""
        if not self.base:
            return self.text, self.arguments
        return self.text.replace(self.base, base), tuple(
            (name, value.replace(self.base, base)) for name, value in self.arguments
        )


def recipes(environment: Environment, checkout: Checkout) -> tuple[Recipe, ...]:
    """Return the recipe of every image of the app: the base first, where there is one, then the roles.

    Raises `ConfigError` for a Dockerfile that cannot be rendered and for build arguments that it does not declare.
    """
    kitchen, images = _kitchen(environment, checkout), environment.images
    base = kitchen.recipe(BASE, images.base, None) if images.base else None
    if BASE in images.roles:
        raise ConfigError(f"images.roles.{BASE}: this name is the base image's", hint="rename the role")
    roles = (kitchen.recipe(name, settings, base) for name, settings in images.roles.items())
    return (*((base,) if base else ()), *roles)


def base_recipe(environment: Environment, checkout: Checkout) -> Recipe:
    """Return the recipe of the base image alone; raise `ConfigError` when the app has none."""
    if not environment.images.base:
        raise ConfigError("this app has no base image", hint="add [images.base] to environments/common.toml")
    return _kitchen(environment, checkout).recipe(BASE, environment.images.base, None)


def _kitchen(environment: Environment, checkout: Checkout) -> _Kitchen:
    return _Kitchen(context=Context(environment.context), checkout=checkout, platform=environment.images.platform)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kitchen:
    """What every recipe of an environment is made with."""

    context: Context
    checkout: Checkout
    platform: str

    def recipe(self, image: str, settings: BaseImage | RoleImage, base: Recipe | None) -> Recipe:
        canonical = canonical_base(base.fingerprint) if base else ""
        text = template.render(self.context.root / settings.dockerfile, _names(image, canonical))
        given = {**self._automatic(canonical), **settings.build_args}
        taken = dockerfile.read(text, given)
        _refuse_undeclared(image, settings, taken.arguments)
        onbuild_sources = base.onbuild_sources if base and canonical in taken.parents else ()
        arguments = tuple(sorted((name, given[name]) for name in taken.arguments if name in given))
        ingredients = Ingredients(
            platform=self.platform,
            dockerfile=text,
            arguments=arguments,
            files=self.context.files((*taken.sources, *onbuild_sources), self.context.ignore(settings.dockerfile)),
        )
        fingerprint = ingredients.fingerprint
        return Recipe(
            image=image,
            context=self.context.root,
            dockerfile=settings.dockerfile,
            text=text,
            arguments=(*arguments, *_proxies(settings.build_args)),
            ingredients=ingredients,
            fingerprint=fingerprint,
            tags=_tags(image, fingerprint, self.checkout),
            revision=self.checkout.revision,
            parents=tuple(one for one in taken.parents if one != canonical),
            onbuild_sources=taken.onbuild_sources,
            own_ignore=self.context.own_ignore(settings.dockerfile),
            base=canonical if canonical in taken.parents else "",
        )

    def _automatic(self, base: str) -> dict[str, str]:
        """Return the arguments that every Dockerfile is given which declares them."""
        system, architecture = self.platform.split("/")
        platform = {"TARGETPLATFORM": self.platform, "TARGETOS": system, "TARGETARCH": architecture}
        return {"COMMIT": self.checkout.revision, **platform, **({"BASE_IMAGE": base} if base else {})}


def canonical_base(fingerprint: str) -> str:
    """Return the name that the base has in a fingerprint: the same in every registry."""
    return f"base.invalid/{BASE}@sha256:{fingerprint}"


def content_tag(image: str, fingerprint: str) -> str:
    """Return the tag that says what is in the image."""
    return f"{image}-{fingerprint[:SHORT]}" if image == BASE else f"{image}-c{fingerprint[:SHORT]}"


def _tags(image: str, fingerprint: str, checkout: Checkout) -> tuple[str, ...]:
    """Return the content tag, and for a role that is made of nothing but a commit, that commit's tag."""
    content = content_tag(image, fingerprint)
    return (content,) if image == BASE or checkout.dirty else (content, f"{image}-{checkout.commit[:SHORT]}")


def _names(image: str, base: str) -> dict[str, str]:
    """Return what a template may use; the base is made of no role."""
    role = {} if image == BASE else {"role": image}
    return {**role, "base_image": base} if base else role


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
