"""The names of an image in the registry: what it is made of first, then what `images.tags` says.

A content tag is the truth: `base-<fingerprint 12>`, `<role>-c<fingerprint 12>`. The others follow: immutable ones
when an image of a clean commit is pushed, moving ones after each release that completed.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from deploylib import tag_templates
from deploylib.errors import ConfigError
from deploylib.tag_templates import CONTENT, SHORT, TAG

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from deploylib.checkout import Checkout
    from deploylib.config import Environment

BASE = "base"  # the base image's name, and the moving tag of the newest one
KEPT = "kept-"
WAITING = re.compile(r"built-(?P<content>.+)-[0-9a-f]{12}", re.ASCII)  # see `remote`
REFRESHED = re.compile(r"base-[0-9a-f]{12}-(?:refreshed|r\d{8}T\d{6}Z)", re.ASCII)  # see `stock`
BUILD_VARIABLES = (  # the first that is set; one's own wins
    "BUILD_NUMBER",  # Jenkins sets it, and so may anybody
    "GITHUB_RUN_NUMBER",
    "CI_PIPELINE_IID",  # GitLab
    "CIRCLE_BUILD_NUM",
    "CODEBUILD_BUILD_NUMBER",
    "BITBUCKET_BUILD_NUMBER",
)


def build_number(variables: Mapping[str, str] = os.environ) -> str:
    """Return the number of the CI system's run, nothing outside of one; raise `ConfigError` for what fits no tag."""
    name = next((one for one in BUILD_VARIABLES if variables.get(one)), "")
    number = variables.get(name, "")
    if number and not TAG.fullmatch(f"_{number}"):
        raise ConfigError(f"${name} is {number!r}, which fits no image tag", hint=f"unset {name}, or give it a number")
    return number


def content(image: str, fingerprint: str) -> str:
    """Return the tag that says what is in the image."""
    return f"{image}-{fingerprint[:SHORT]}" if image == BASE else f"{image}-c{fingerprint[:SHORT]}"


def is_content(tag: str) -> bool:
    """Whether *tag* says what is in its image."""
    return CONTENT.fullmatch(tag) is not None


def waiting(content: str, identifier: str) -> str:
    """Return the tag of an image that shall be *content* when it has passed its tests.

    *identifier*, of hexadecimal digits, makes it nobody else's.
    """
    return f"built-{content}-{identifier[:SHORT]}"


def waits_for(tag: str) -> str:
    """Return the content tag that *tag*'s image gets when it has passed its tests; nothing for any other tag."""
    found = WAITING.fullmatch(tag)
    content = found["content"] if found else ""
    return content if is_content(content) or REFRESHED.fullmatch(content) else ""


def is_waiting(tag: str) -> bool:
    """Whether *tag* is of an image that has not passed its tests yet."""
    return bool(waits_for(tag))


def all_of(environment: Environment, image: str, fingerprint: str, checkout: Checkout) -> tuple[str, ...]:
    """Return every tag that the image gets when it is pushed, the content tag first.

    A base, and what is made of more than its commit, has that one alone.
    """
    first = content(image, fingerprint)
    if image == BASE or checkout.dirty:
        return (first,)
    return first, *immutable(environment, image, commit=checkout.commit, build=build_number())


def immutable(environment: Environment, role: str, *, commit: str, build: str = "") -> tuple[str, ...]:
    """Return the tags that *role*'s image of *commit* gets once, in *environment*'s registry."""
    values = {"sha": commit, "short": commit[:SHORT], "build": build}
    return _made(environment.images.tags.immutable, environment, role, values)


def moving(environment: Environment, role: str) -> tuple[str, ...]:
    """Return the tags that go to *role*'s image each time that a release of it completed in *environment*."""
    return _made(environment.images.tags.moving, environment, role, {})


def is_moving(environment: Environment, tag: str) -> bool:
    """Whether *tag* is one that moves, in *environment*'s registry."""
    return tag == BASE or any(
        tag_templates.explains(one, tag, environment=environment.name) for one in environment.images.tags.moving
    )


def is_ours(environment: Environment, tag: str) -> bool:
    """Whether this tool gave *tag*, as far as the configuration tells; a person's tag is never ours."""
    templates = (*environment.images.tags.immutable, *tag_templates.DEFAULTS["immutable"])
    return (
        is_content(tag)
        or tag.startswith(KEPT)
        or REFRESHED.fullmatch(tag) is not None
        or is_waiting(tag)
        or is_moving(environment, tag)
        or any(tag_templates.explains(one, tag, environment=environment.name) for one in templates)
    )


def _made(templates: Iterable[str], environment: Environment, role: str, values: Mapping[str, str]) -> tuple[str, ...]:
    given = {"role": role, "environment": environment.name, **values}
    made = (tag_templates.rendered(one, given) for one in templates)
    return tuple(dict.fromkeys(tag for tag in made if tag))
