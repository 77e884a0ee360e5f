"""A pipeline in the words of each CI system: one template for each, and the file that it is written to."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2

from deploylib import branches
from deploylib.ci import codebuild, model
from deploylib.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deploylib.ci.model import Pipeline

TEMPLATES = Path(__file__).parent / "templates"
PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./-]*(:[A-Za-z0-9_.-]+)?", re.ASCII)
BARE = re.compile(r"([A-Za-z]|\.[a-z]+/).*", re.ASCII)
RUNNERS = {"linux/amd64": "ubuntu-24.04", "linux/arm64": "ubuntu-24.04-arm"}  # GitHub's, by platform of the images
ACTIONS = {  # GitHub's own, by the commit of a release: a tag can be moved
    "checkout": "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1",
    "setup_python": "actions/setup-python@5fda3b95a4ea91299a34e894583c3862153e4b97 # v7.0.0",
    "upload_artifact": "actions/upload-artifact@043fb46d1a93c77aae656e7c1c64a875d1fc6a0a # v7.0.1",
}
WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})  # YAML's own, in any case


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A CI system: what we call it, and the file that it reads."""

    name: str
    file: str

    @property
    def command(self) -> str:
        """The command that writes the file."""
        return f"inv ci.render --provider {self.name}"


PROVIDERS = {
    one.name: one
    for one in (
        Provider(name="circleci", file=".circleci/config.yml"),
        Provider(name="gitlab", file=".gitlab-ci.yml"),
        Provider(name="github", file=".github/workflows/deploy.yml"),
        Provider(name="codebuild", file="buildspec.ci.yml"),
    )
}


def of(name: str) -> Provider:
    """Return the CI system called *name*; raise `ConfigError` with those that there are."""
    if name in PROVIDERS:
        return PROVIDERS[name]
    known, given = ", ".join(PROVIDERS), f"no CI system {name!r}; there are" if name else "which CI system? There are"
    raise ConfigError(f"{given} {known}", hint=next(iter(PROVIDERS.values())).command)


def render(pipeline: Pipeline, name: str) -> str:
    """Return the file of the CI system *name*: the same text for the same pipeline."""
    provider = of(name)
    steps = codebuild.steps(pipeline) if provider.name == "codebuild" else None
    text = (
        _templates()
        .get_template(f"{name}.yml.j2")
        .render(
            pipeline=pipeline,
            provider=provider,
            steps=steps,
            install=model.INSTALL,
            clean=model.CLEAN,
            which=model.WHICH,
            python=model.PYTHON,
            requirements=model.REQUIREMENTS,
            reports=model.REPORTS,
            actions=ACTIONS,
            runner=RUNNERS[pipeline.platform],
            arm=pipeline.platform == "linux/arm64",
        )
    )
    return text.rstrip() + "\n"


def _templates() -> jinja2.Environment:
    """Return the templates; their marks are none that YAML, bash or a CI system use."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        block_start_string="<%",
        block_end_string="%>",
        variable_start_string="<[",
        variable_end_string="]>",
        comment_start_string="<#",
        comment_end_string="#>",
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701  # YAML is no HTML
    )
    made.filters |= {
        "words": shlex.join,
        "scalar": scalar,
        "text": text,
        "block": block,
        "argument": argument,
        "expression": expression,
        "github_value": github_value,
        "gitlab_value": gitlab_value,
        "circleci": circleci,
        "circleci_branch": circleci_branch,
        "gitlab_branch": gitlab_branch,
    }
    return made


def text(value: str) -> str:
    """Return *value* as a quoted scalar of YAML: as it is between single quotes, else as JSON, which is YAML too."""
    if '"' in value and "'" not in value and value.isprintable():
        return f"'{value}'"
    quoted = json.dumps(value, ensure_ascii=False)
    return "".join(one if one.isprintable() else f"\\U{ord(one):08x}" for one in quoted)


def scalar(value: str) -> str:
    """Return *value* as a scalar of YAML, without quotes where nobody could take it for something else."""
    return value if PLAIN.fullmatch(value) and value.lower() not in WORDS else text(value)


def block(lines: Iterable[str] | str, indent: int) -> str:
    """Return *lines* as a scalar of YAML; several of them, or what needs quotes, as a block *indent* deep."""
    body = (lines if isinstance(lines, str) else "\n".join(lines)).strip()
    if BARE.fullmatch(body) and not re.search(r": |#|:$", body) and body.lower() not in WORDS:
        return body
    return "|\n" + "\n".join(" " * indent + line if line else "" for line in body.split("\n"))


def argument(value: str) -> str:
    """Return *value* as one argument of the options that Docker gets from GitHub."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def expression(value: str) -> str:
    """Return *value* as a string in an expression of GitHub."""
    doubled = value.replace("'", "''")
    return f"'{doubled}'"


def github_value(value: str) -> str:
    """Return the *value* of a variable with `${{`, which begins an expression there, as itself."""
    return value.replace("${{", "${{ '${{' }}")


def gitlab_value(value: str) -> str:
    """Return the *value* of a variable with `$`, which begins another variable there, as itself."""
    return value.replace("$", "$$")


def circleci(lines: Iterable[str]) -> tuple[str, ...]:
    """Return *lines* with `<<`, which begins a parameter there, as itself."""
    return tuple(line.replace("<<", "\\<<") for line in lines)


def circleci_branch(pattern: str) -> str:
    """Return a pattern of `[branches]` as a filter there: a name, or an expression that the whole name matches."""
    return f"/{_expression(pattern)}/" if branches.STAR in pattern else pattern


def gitlab_branch(pattern: str) -> str:
    """Return a pattern of `[branches]` as a condition there, in YAML."""
    if branches.STAR not in pattern:
        return text(f'$CI_COMMIT_BRANCH == "{pattern}"')
    return text(f"$CI_COMMIT_BRANCH =~ /^{_expression(pattern)}$/")


def _expression(pattern: str) -> str:
    return branches.expression(pattern).replace("/", "\\/")
