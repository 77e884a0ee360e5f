"""What the deploy role may do, and why: read from the one list that Terraform makes the role's policy of.

The list is `terraform/modules/deploy_role/permissions.json`. `docs/iam.md` is written from it, `inv env.doctor` asks
for each of its actions, and the tests deploy with a policy made of it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deploylib import generated

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

SOURCE = "terraform/modules/deploy_role/permissions.json"
DOCUMENT = "docs/iam.md"
COMMAND = "inv infra.iam"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Some resources: patterns of ARNs with placeholders, or what Terraform is *given*."""

    name: str
    what: str
    resources: tuple[str, ...] = ()
    given: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement of the policy: *actions* with the reason for each, on a scope, under a condition of IAM."""

    sid: str
    scope: Scope
    actions: Mapping[str, str]
    condition: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Permissions:
    """The whole list; *placeholders* says what each of them stands for."""

    statements: tuple[Statement, ...]
    placeholders: Mapping[str, str]

    @property
    def entries(self) -> tuple[tuple[str, str], ...]:
        """Every action with the statement that it is in, as (sid, action)."""
        return tuple((one.sid, action) for one in self.statements for action in one.actions)


def read(root: Path) -> Permissions:
    """Return the list of the project at *root*."""
    document = json.loads((root / SOURCE).read_text(encoding="utf-8"))
    scopes = {name: _scope(name, one) for name, one in document["scopes"].items()}
    return Permissions(
        placeholders=document["placeholders"],
        statements=tuple(
            Statement(
                sid=one["sid"],
                scope=scopes[one["scope"]],
                actions=one["actions"],
                condition=one.get("condition", {}),
            )
            for one in document["statements"]
        ),
    )


def _scope(name: str, written: Mapping[str, Any]) -> Scope:
    resources = tuple(written.get("resources", ()))
    return Scope(name=name, what=written["what"], resources=resources, given=written.get("given", False))


def policy(
    permissions: Permissions,
    values: Mapping[str, str],
    given: Mapping[str, Sequence[str]],
    *,
    without: tuple[str, str] = ("", ""),
) -> dict[str, Any]:
    """Return the policy as IAM takes it, with *values* for the placeholders; it lacks the entry *without*."""
    return {"Version": "2012-10-17", "Statement": _statements(permissions, values, given, without)}


def _statements(
    permissions: Permissions, values: Mapping[str, str], given: Mapping[str, Sequence[str]], without: tuple[str, str]
) -> list[dict[str, Any]]:
    found = []
    for one in permissions.statements:
        actions = sorted(action for action in one.actions if (one.sid, action) != without)
        resources = list(given.get(one.scope.name, ())) if one.scope.given else _filled(one.scope.resources, values)
        if not (actions and resources):
            continue
        statement = {"Sid": one.sid, "Effect": "Allow", "Action": actions, "Resource": resources}
        found.append({**statement, **({"Condition": _condition(one, values)} if one.condition else {})})
    return found


def _condition(statement: Statement, values: Mapping[str, str]) -> dict[str, dict[str, str]]:
    return {
        operator: {key: _fill(value, values) for key, value in keys.items()}
        for operator, keys in statement.condition.items()
    }


def _filled(patterns: Sequence[str], values: Mapping[str, str]) -> list[str]:
    return [_fill(one, values) for one in patterns]


def _fill(pattern: str, values: Mapping[str, str]) -> str:
    """Replace each placeholder; a condition's own braces stay."""
    for name, value in values.items():
        pattern = pattern.replace(f"{{{name}}}", value)
    return pattern


def check(root: Path) -> None:
    """Raise `OutdatedError` when the document is not what the list says."""
    wrong = f"is not what {SOURCE} says"
    generated.check(root / DOCUMENT, render(read(root)), command=COMMAND, called=DOCUMENT, wrong=wrong)


def write(root: Path) -> None:
    """Write the document."""
    generated.write(root / DOCUMENT, render(read(root)))


INTRODUCTION = f"""\
# What the deploy role may do

Written by `{COMMAND}` from [permissions.json](../{SOURCE}), of which Terraform makes
the policy and the role `APP-ENVIRONMENT-deploy` (`[terraform.deploy_role]`). It is what a release needs, no more: one
test deploys as this role with access control enforced, others take one action after the other away and see what breaks.

"""


def render(permissions: Permissions) -> str:
    """Return the document."""
    rows = [row for one in permissions.statements for row in _rows(one)]
    scopes = {one.scope.name: one.scope for one in permissions.statements}
    return "".join(
        (
            INTRODUCTION,
            "## Actions\n\n| action | what for | on | statement |\n|---|---|---|---|\n",
            *(f"| {' | '.join(row)} |\n" for row in rows),
            "\n## Resources\n\n| | what | ARNs |\n|---|---|---|\n",
            *(f"| {one.name} | {one.what} | {_arns(one)} |\n" for one in scopes.values()),
            "\n| placeholder | stands for |\n|---|---|\n",
            *(f"| `{{{name}}}` | {what} |\n" for name, what in permissions.placeholders.items()),
        )
    )


def _rows(statement: Statement) -> list[tuple[str, str, str, str]]:
    where = statement.scope.name + _limits(statement)
    return [(f"`{action}`", why, where, statement.sid) for action, why in sorted(statement.actions.items())]


def _limits(statement: Statement) -> str:
    """Return the condition in words."""
    limits = [f"`{key}` is `{value}`" for keys in statement.condition.values() for key, value in keys.items()]
    return f", where {' and '.join(limits)}" if limits else ""


def _arns(scope: Scope) -> str:
    return "<br>".join(f"`{one}`" for one in scope.resources) or "given to the module"
