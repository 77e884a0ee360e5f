"""Task definitions, purely: the next one from Terraform's template, and what differs between two.

A definition is an opaque mapping as DescribeTaskDefinition returns it, with its `tags` beside. Only the keys that we
own are named here, so a field that AWS invents tomorrow is carried over untouched.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from deploylib import canonical
from deploylib.errors import ConfigError

Definition = Mapping[str, Any]

SENTINEL = ":set-by-deploy"
TAG_TEMPLATE, TAG_COMMIT, TAG_RELEASE = "deploy:template", "deploy:commit", "deploy:release"
TAG_FINGERPRINT, TAG_ENABLED = "deploy:template-sha256", "deploy:enabled"
OURS = frozenset({TAG_TEMPLATE, TAG_COMMIT, TAG_RELEASE, TAG_FINGERPRINT, TAG_ENABLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One value that differs, under a dotted path such as `containerDefinitions.app.environment.GREETING`."""

    path: str
    old: Any
    new: Any


def managed_containers(template: Definition) -> tuple[str, ...]:
    """Return the containers whose image a deploy fills in: those that carry Terraform's sentinel tag."""
    return tuple(one["name"] for one in template["containerDefinitions"] if one.get("image", "").endswith(SENTINEL))


def next_definition(
    template: Definition, images: Mapping[str, str], *, family: str, tags: Mapping[str, str], writable: Collection[str]
) -> dict[str, Any]:
    """Return what to register: *template* in *family*, with the image of each container in *images* (by name).

    Every other field is kept, side-cars' images too. *writable* are the fields that RegisterTaskDefinition takes
    (botocore's model says). Raises `ConfigError` for a container that the template does not have, and for a managed
    container that got no image.
    """
    _refuse_unknown(template, images)
    containers = [{**one, "image": images.get(one["name"], one["image"])} for one in template["containerDefinitions"]]
    if left := [one["name"] for one in containers if one["image"].endswith(SENTINEL)]:
        raise ConfigError(f"no image for container {left[0]!r} of {family}", hint="add its role to images.roles")
    kept = {key: value for key, value in template.items() if key in writable and value not in (None, "", [])}
    return {**kept, "family": family, "containerDefinitions": containers, "tags": _tags(template, tags)}


def fingerprint(template: Definition, managed: Collection[str]) -> str:
    """Return the SHA-256 of *template* but for the images of its *managed* containers; its copies have the same."""
    text = json.dumps(canonical.form(_unfilled(template, managed)), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def template_of(revision: Definition, template: str, managed: Collection[str]) -> Definition | None:
    """Return the template with the ARN *template*, if *revision* is a copy of it where only images were filled in.

    A revision never changes, so its copy need not be read again. (Tags do: those of the copy count.) Returns None when
    *revision* was made from another template, was changed by somebody, or does not say.
    """
    untouched = tag(revision, TAG_FINGERPRINT) == fingerprint(revision, managed)
    if not untouched or tag(revision, TAG_TEMPLATE) != template:
        return None
    tags = [one for one in revision["tags"] if one["key"] not in OURS]
    return {**_unfilled(revision, managed), "taskDefinitionArn": template, "family": family(template), "tags": tags}


def own_template(revision: Definition) -> Definition:
    """Return the template where no Terraform of ours makes one: what is live, for whatever comes next.

    Its ARN is that of the revision which the first release found.
    """
    return {**revision, "taskDefinitionArn": tag(revision, TAG_TEMPLATE) or revision["taskDefinitionArn"]}


def differences(old: Definition, new: Definition) -> tuple[Difference, ...]:
    """Return what differs between two definitions; bookkeeping, tags, order and what ECS fills in do not count."""
    home = canonical.home(old) or canonical.home(new)
    return tuple(_walk(canonical.form(old, home=home), canonical.form(new, home=home), ""))


def tag(definition: Definition, key: str) -> str:
    """Return the value of *definition*'s tag *key*, or nothing."""
    return next((str(one["value"]) for one in definition.get("tags", ()) if one.get("key") == key), "")


def short(arn: str) -> str:
    """Return FAMILY:REVISION of a task definition's ARN; what is none stays as it is."""
    return arn.rpartition("/")[2]


def family(arn: str) -> str:
    """Return the family in a task definition's ARN."""
    return short(arn).rpartition(":")[0]


def _unfilled(definition: Definition, managed: Collection[str]) -> Definition:
    containers = [
        {**one, "image": SENTINEL} if one["name"] in managed else one for one in definition["containerDefinitions"]
    ]
    return {**definition, "containerDefinitions": containers}


def _refuse_unknown(template: Definition, images: Mapping[str, str]) -> None:
    names = {one["name"] for one in template["containerDefinitions"]}
    if unknown := sorted(set(images) - names):
        raise ConfigError(
            f"no container {unknown[0]!r} in {template.get('family')}", hint=f"it has {', '.join(sorted(names))}"
        )


def _tags(template: Definition, tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Return the template's own tags (cost centres and so on) with ours on top; AWS's reserved ones left out."""
    kept = {one["key"]: one["value"] for one in template.get("tags", ()) if not one["key"].startswith("aws:")}
    return [{"key": key, "value": value} for key, value in sorted({**kept, **tags}.items())]


def _walk(old: Any, new: Any, path: str) -> list[Difference]:
    if isinstance(old, dict) and isinstance(new, dict):
        return [
            found
            for key in sorted({**old, **new})
            for found in _walk(old.get(key), new.get(key), f"{path}.{key}" if path else key)
        ]
    return [] if old == new else [Difference(path=path, old=old, new=new)]
