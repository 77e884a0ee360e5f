"""Alarms of CloudWatch as the Query protocol puts and tells them: both ways by the same names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Mapping

MEMBER = re.compile(r"<member><AlarmName>(?P<name>.*?)</AlarmName>.*?</member>", re.DOTALL)
KEPT = "_asked"
NOT_TOLD = re.compile(r"Action|Version|AlarmName|Tags[.].*")
Tree = dict[str, Any]


def kept(asked: Mapping[str, str]) -> dict[str, str]:
    """Return the fields of PutMetricAlarm that DescribeAlarms tells."""
    return {name: value for name, value in asked.items() if not NOT_TOLD.fullmatch(name)}


def told(document: str, alarms: Any) -> str:
    """Return the *document* of DescribeAlarms with every field that was put of each of *alarms*, by name."""
    return MEMBER.sub(lambda member: _member(member, alarms.get(member["name"]) or {}), document)


def _member(member: re.Match[str], alarm: Mapping[str, Any]) -> str:
    if KEPT not in alarm:
        return member[0]
    ours = {"AlarmName": alarm["AlarmName"], "AlarmArn": alarm["AlarmArn"], "StateValue": alarm["StateValue"]}
    return f"<member>{rendered(tree({**ours, **alarm[KEPT]}))}</member>"


def tree(fields: Mapping[str, str]) -> Tree:
    """Return *fields* of the Query protocol, `Dimensions.member.1.Name`, as what they stand for."""
    root: Tree = {}
    for name, value in fields.items():
        *way, last = name.split(".")
        branch = root
        for step in way:
            branch = branch.setdefault(step, {})
        branch[last] = value
    return root


def rendered(branch: Tree) -> str:
    """Return *branch* as XML; the numbers below `member` are places in a list."""
    return "".join(f"<{name}>{_content(value)}</{name}>" for name, one in branch.items() for value in _each(name, one))


def _each(name: str, value: Any) -> list[Any]:
    return [value[place] for place in sorted(value, key=int)] if name == "member" else [value]


def _content(value: Any) -> str:
    return rendered(value) if isinstance(value, dict) else escape(str(value))
