"""Which environment a branch is deployed to: `[branches]` of `environments/common.toml`, pattern to environment. Pure.

In a pattern `*` stands for anything but a slash, `**` for anything. A branch's own name counts before every pattern,
and of several patterns the one with the most characters of its own. The environment `*` is the one that is called like
what the pattern's star stands for: with `"deployment/*" = "*"` the branch `deployment/stg` goes to stg.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from deploylib.errors import ConfigError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from deploylib.ci_variables import Trigger

AUTO = "auto"
STAR = "*"
STARS = re.compile(r"\*+")


def problems(table: Mapping[str, Any], environments: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield what is wrong with `[branches]`: its keys, and environments that do not exist."""
    for pattern, environment in table.items():
        path = ("branches", pattern)
        if any(len(one) > len("**") for one in STARS.findall(pattern)):
            yield path, "takes * or **, no more of them"
        if environment == STAR and STARS.findall(pattern) != [STAR]:
            yield path, 'goes to "*", which is what the one * in the pattern stands for'
        elif isinstance(environment, str) and environment not in {STAR, *environments}:
            yield path, f"no environment {environment!r}; there are {', '.join(environments)}"


def expression(pattern: str) -> str:
    """Return the regular expression that a whole branch name matches; CI systems take it too."""
    parts = re.split(r"(\*\*|\*)", pattern)
    return "".join({"*": "[^/]*", "**": ".*"}.get(one, re.escape(one)) for one in parts)


def environment_of(table: Mapping[str, str], branch: str) -> str:
    """Return the environment that *branch* is deployed to, empty for none; `ConfigError` when two patterns contend."""
    found = [(pattern, target) for pattern in table if (target := _target(table, pattern, branch))]
    if not found:
        return ""
    rank = max(_rank(pattern, branch) for pattern, _ in found)
    first = [(pattern, target) for pattern, target in found if _rank(pattern, branch) == rank]
    if len({target for _, target in first}) > 1:
        contending = " and ".join(f"{pattern!r} to {target}" for pattern, target in first)
        raise ConfigError(
            f"[branches] sends {branch} by {contending}", hint=f'write {branch!r} = "{first[0][1]}" beside them'
        )
    return first[0][1]


def patterns_of(table: Mapping[str, str], environment: str) -> tuple[str, ...]:
    """Return the patterns of the branches that are deployed to *environment*, with `*` for it spelled out."""
    spelled = ((pattern.replace(STAR, environment) if to == STAR else pattern, to) for pattern, to in table.items())
    return tuple(
        pattern
        for pattern, to in spelled
        if to == environment or (to == STAR and environment_of(table, pattern) == environment)
    )


def resolve(trigger: Trigger, table: Mapping[str, str], environments: tuple[str, ...]) -> str:
    """Return the environment that `--env auto` means.

    Raises `RefusedError` for a pull request, a tag, and a branch that goes nowhere; `ConfigError` without `[branches]`.
    """
    if not table:
        raise ConfigError(
            "--env auto: no [branches] in environments/common.toml", hint='write there: [branches] main = "stg"'
        )
    if why := _not_a_branch(trigger):
        raise RefusedError(f"--env auto: {trigger.system} {why}", hint=_deployed(table))
    name = environment_of(table, trigger.branch)
    if not name:
        raise RefusedError(f"--env auto: branch {trigger.branch} is not deployed anywhere", hint=_deployed(table))
    if name not in environments:
        there = ", ".join(environments)
        raise RefusedError(f"--env auto: branch {trigger.branch}: no environment {name!r}; there are {there}")
    return name


def _target(table: Mapping[str, str], pattern: str, branch: str) -> str:
    """Return the environment that *pattern* alone has for *branch*, empty when it does not match."""
    if not re.fullmatch(expression(pattern), branch):
        return ""
    if table[pattern] != STAR:
        return table[pattern]
    before, _, after = pattern.partition(STAR)
    return branch[len(before) : len(branch) - len(after)]


def _rank(pattern: str, branch: str) -> tuple[bool, int]:
    return pattern == branch, len(STARS.sub("", pattern))


def _not_a_branch(trigger: Trigger) -> str:
    if trigger.pull_request:
        of_fork = " of a fork" if trigger.of_fork else ""
        return f"runs this for pull request {trigger.pull_request}{of_fork}: a pull request is not deployed"
    if trigger.tag:
        return f"runs this for tag {trigger.tag}: a tag is not deployed"
    return "" if trigger.branch else trigger.reason or "tells no branch"


def _deployed(table: Mapping[str, str]) -> str:
    return f"these branches are deployed: {', '.join(f'{one} to {to}' for one, to in table.items())}"
