"""Templates of image tags: every mistake a case, what is made is a tag, and what was made is explained."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploylib import tag_templates
from deploylib.tag_templates import DEFAULTS, TAG

ROLES: dict[str, dict[str, str]] = {"web": {}, "job": {}, "nginx": {}}
SINGLE = {"sha": "a" * 40, "short": "a" * 12, "build": "17"}


def problems(*roles: str, **tags: list[str]) -> list[str]:
    images = {"roles": dict.fromkeys(roles, ROLES["web"]) or ROLES, "tags": tags}
    found = tag_templates.problems(images, "stg")
    return [f"{'.'.join(key)}: {problem}" for key, problem in found]


@pytest.mark.parametrize(
    ("kind", "template", "problem"),
    [
        ("immutable", "{role}-{commit}", "unknown placeholder {commit}; there are {role}, {sha}, {short}, {build}"),
        ("immutable", "{role}-{sha:>50}", "unknown placeholder {sha}"),
        ("immutable", "{role}-{}", "unknown placeholder {}"),
        ("immutable", "{role}-{sha", "is no template: expected '}' before end of string"),
        ("immutable", "{role} {sha}", "makes 'web 0000000000000000000000000000000000000000', which is no tag"),
        ("immutable", "-{role}-{sha}", "which is no tag"),
        ("immutable", "{role}-{sha}-{sha}-{sha}-{sha}", "which is no tag"),
        ("immutable", "{role}-{environment}", "does not change with the commit: add {sha}, {short} or {build}"),
        ("immutable", "{short}", "gives web and job the same tag: add {role}"),
        ("immutable", "{role}-c{short}", "a name that this tool gives by itself"),
        ("immutable", "{role}-c{build}", "a name that this tool gives by itself"),
        ("immutable", "base-{short}", "a name that this tool gives by itself"),
        ("immutable", "kept-{role}-{sha}", "a name that this tool gives by itself"),
        ("immutable", "built-{role}-{sha}", "a name that this tool gives by itself"),
        ("moving", "latest", "gives web and job the same tag: add {role}"),
        ("moving", "base", "a name that this tool gives by itself"),
        ("moving", "{role}-{build}", "names one commit by {build} and cannot move: make it immutable"),
    ],
)
def test_a_template_that_cannot_be_is_told_with_its_key(kind: str, template: str, problem: str) -> None:
    (found,) = problems(**{kind: ["{role}-{short}-x" if kind == "immutable" else "{role}-x", template]})
    assert found.startswith(f"images.tags.{kind}.1: {template!r}")
    assert problem in found


def test_templates_that_make_sense_are_no_mistake() -> None:
    assert problems() == []
    assert problems(immutable=[], moving=[]) == []
    assert problems(immutable=["{role}-{sha}", "{role}.{build}_{environment}"], moving=["{environment}-{role}"]) == []
    assert problems("web", immutable=["{short}"], moving=["latest", "{environment}-latest"]) == []


def test_two_roles_that_meet_by_their_names_are_told_even_of_the_templates_that_nobody_wrote() -> None:
    """`web` in stg moves `web-stg-latest`, and so does a role that is called `web-stg`."""
    (found,) = problems("web", "web-stg")
    assert found == "images.tags.moving: '{role}-latest' gives web and web-stg the same tag"


def test_what_the_schema_refuses_is_not_told_twice() -> None:
    assert tag_templates.problems({"roles": ROLES, "tags": {"moving": "latest", "immutable": [1, ""]}}, "stg") == []
    assert tag_templates.problems({"tags": "none"}, "stg") == []


def test_a_template_without_its_value_makes_no_tag() -> None:
    assert tag_templates.rendered("{role}-{build}", {"role": "web", "build": ""}) == ""
    assert tag_templates.rendered("{role}-{build}", {"role": "web"}) == ""
    assert tag_templates.rendered("{role}-{build}", {"role": "web", "build": "17"}) == "web-17"


def test_the_defaults_are_those_of_the_configuration() -> None:
    from deploylib.config import Tags  # noqa: PLC0415  # the ground floor does not know it

    assert {"immutable": Tags().immutable, "moving": Tags().moving} == DEFAULTS


PIECES = st.lists(st.sampled_from(["{role}", "{environment}", "-", ".", "_", "x", "latest"]), max_size=6)


@given(PIECES.map("".join), st.sampled_from([("immutable", f"-{{{one}}}") for one in SINGLE] + [("moving", "")]))
def test_what_passes_makes_tags_that_its_template_explains_and_that_differ_from_role_to_role(
    pieces: str, kind: tuple[str, str]
) -> None:
    template = pieces + kind[1]
    if not template or problems(**{kind[0]: [template]}):
        return
    made = {one: tag_templates.rendered(template, {"role": one, "environment": "stg", **SINGLE}) for one in ROLES}
    assert all(TAG.fullmatch(tag) for tag in made.values())
    assert len(set(made.values())) == len(ROLES)
    assert tag_templates.explains(template, made["web"], environment="stg")
    assert tag_templates.explains(template, made["web"], roles=("web",), environment="stg")
    assert not tag_templates.explains(template, f"{made['web']} ", environment="stg")
