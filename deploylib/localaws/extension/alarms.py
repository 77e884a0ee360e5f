"""Alarms of CloudWatch, told back as they were put."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from ministack.services import cloudwatch

from deploylib.localaws.extension import patching

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MEMBER = re.compile(r"<member><AlarmName>(?P<name>.*?)</AlarmName>.*?</member>", re.DOTALL)
KEPT = "_asked"
NOT_TOLD = re.compile(r"Action|Version|AlarmName|Tags[.].*")
Tree = dict[str, Any]


def install() -> None:
    """Keep every field of PutMetricAlarm: what goes in and what DescribeAlarms tells have the same names.

    MiniStack told a third of them to clients of the Query protocol: Terraform wanted to put the others again for ever.
    """
    patching.require(cloudwatch, "_alarms")

    @patching.wrap(cloudwatch, "_put_metric_alarm(params, cbor_data, is_cbor, is_json)")
    def put(original: Callable[..., Any], params: Any, *rest: Any) -> Any:
        answer = original(params, *rest)
        asked = {name: value[0] if isinstance(value, list) else value for name, value in params.items()}
        if alarm := cloudwatch._alarms.get(asked.get("AlarmName", "")):
            alarm[KEPT] = {name: value for name, value in asked.items() if not NOT_TOLD.fullmatch(name)}
        return answer

    @patching.wrap(cloudwatch, "_describe_alarms(params, cbor_data, is_cbor, is_json)")
    def described(original: Callable[..., Any], *args: Any) -> Any:
        status, headers, body = original(*args)
        if b"<DescribeAlarmsResult>" not in body:
            return status, headers, body
        return status, headers, MEMBER.sub(_told, body.decode()).encode()


def _told(member: re.Match[str]) -> str:
    alarm = cloudwatch._alarms.get(member["name"]) or {}
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
