"""Forwards of load balancers: by weight to several target groups, which MiniStack cannot, and from one to another."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from ministack.services import alb

from deploylib.localaws.extension import patching

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

Action = dict[str, Any]
Weights = dict[str, int]


def install() -> None:
    """Keep, tell and follow the weights of a forward to several target groups."""
    patching.require(alb, "_p", "_tgs", "_listeners", "_rules")

    @patching.wrap(alb, "_parse_actions(params, prefix)")
    def parsed(original: Callable[..., list[Action]], params: Any, prefix: str = "DefaultActions") -> list[Action]:
        return [
            {**action, **_asked(params, f"{prefix}.member.{number}.ForwardConfig")}
            for number, action in enumerate(original(params, prefix), start=1)
        ]

    @patching.wrap(alb, "_action_xml(a)")
    def told(original: Callable[..., str], action: Action) -> str:
        groups = (action.get("ForwardConfig") or {}).get("TargetGroups", ())
        listed = "".join(
            f"<member><TargetGroupArn>{one['TargetGroupArn']}</TargetGroupArn><Weight>{one['Weight']}</Weight></member>"
            for one in groups
        )
        more = f"<ForwardConfig><TargetGroups>{listed}</TargetGroups></ForwardConfig>" if listed else ""
        return original(action).removesuffix("</member>") + f"{more}</member>"

    @patching.wrap(
        alb,
        "_execute_actions(actions, method, path, headers, body, query_params, listener_port, lb_arn, target_host, "
        "raw_query_string, raw_path)",
    )
    async def executed(original: Callable[..., Any], actions: list[Action], *args: Any, **more: Any) -> Any:
        return await original([_chosen(action) for action in actions], *args, **more)


def _asked(params: Any, prefix: str) -> Action:
    """Return what of an action says where it forwards to, as far as that is not one `TargetGroupArn`."""
    groups: list[Action] = []
    while arn := alb._p(params, f"{prefix}.TargetGroups.member.{len(groups) + 1}.TargetGroupArn"):
        weight = alb._p(params, f"{prefix}.TargetGroups.member.{len(groups) + 1}.Weight", "1")
        groups.append({"TargetGroupArn": arn, "Weight": int(weight)})
    return _forward({one["TargetGroupArn"]: one["Weight"] for one in groups}) if groups else {}


def _forward(weights: Mapping[str, int]) -> Action:
    """Return a forward: plain to one target group, else with the weight of each."""
    if len(weights) == 1:
        return {"Type": "forward", "TargetGroupArn": next(iter(weights))}
    groups = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in weights.items()]
    return {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}


def _chosen(action: Action) -> Action:
    """Return a forward to the one target group that takes this request."""
    groups = (action.get("ForwardConfig") or {}).get("TargetGroups")
    if not groups:
        return action
    (group,) = random.choices(groups, weights=[one["Weight"] for one in groups])  # noqa: S311 - traffic, no secret
    return {**action, "TargetGroupArn": group["TargetGroupArn"]}


def point(listeners: Iterable[str], weights: Weights, *, among: Iterable[str]) -> None:
    """Let whatever in *listeners* forwards to one of the target groups *among* do it by *weights* from now on."""
    for arn in weights:
        alb._tgs[arn]["LoadBalancerArns"] = list({*alb._tgs[arn]["LoadBalancerArns"], *_balancers(listeners)})
    swapped = set(among)
    for rule in [one for one in alb._rules.values() if one["ListenerArn"] in set(listeners)]:
        rule["Actions"] = [_pointed(action, weights, swapped) for action in rule["Actions"]]
        if rule.get("IsDefault"):
            alb._listeners[rule["ListenerArn"]]["DefaultActions"] = rule["Actions"]


def _balancers(listeners: Iterable[str]) -> Iterator[str]:
    return (alb._listeners[arn]["LoadBalancerArn"] for arn in listeners if arn in alb._listeners)


def _pointed(action: Action, weights: Weights, among: set[str]) -> Action:
    groups = (action.get("ForwardConfig") or {}).get("TargetGroups", ())
    now = {action.get("TargetGroupArn", ""), *(one["TargetGroupArn"] for one in groups)}
    return {"Order": action.get("Order", 1), **_forward(weights)} if now & among else action
