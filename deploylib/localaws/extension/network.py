"""The network, where Terraform would see a difference for ever: rules, flow logs, endpoints."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ministack.services import ec2

from deploylib.localaws.extension import patching

if TYPE_CHECKING:
    from collections.abc import Callable

EVERY_PROTOCOL = "-1"
NEW_FLOW_LOG = re.compile(r"<item>(fl-.*?)</item>")
FLOW_LOG = re.compile(r"<flowLogId>(.*?)</flowLogId>")
ENDPOINT = re.compile(r"<vpcEndpointId>(.*?)</vpcEndpointId>")
USUAL_SECONDS = "600"


def install() -> None:
    """Mend what EC2 says of the network."""
    patching.require(ec2, "_p", "_flow_logs", "_vpc_endpoints", "_parse_tag_specs", "_parse_member_list")
    _install_rules()
    _install_flow_logs()
    _install_endpoints()


def _install_rules() -> None:
    """Make a rule for every protocol a rule for every port, whatever ports are named.

    Terraform takes a new group's outgoing rule away by naming ports 0 to 0. MiniStack found no such rule and kept it,
    and the rule that Terraform then made got neither its description nor its tags.
    """

    @patching.wrap(ec2, "_parse_ip_permissions(params, prefix)")
    def parsed(original: Callable[..., list[dict[str, Any]]], params: Any, prefix: str) -> list[dict[str, Any]]:
        rules = original(params, prefix)
        for rule in rules:
            if rule["IpProtocol"] == EVERY_PROTOCOL:
                rule.pop("FromPort", None)
                rule.pop("ToPort", None)
        return rules


def _install_flow_logs() -> None:
    """Keep a flow log's role, its interval and its tags: MiniStack forgot them, and Terraform would replace it."""

    @patching.wrap(ec2, "_create_flow_logs(params)")
    def created(original: Callable[..., Any], params: Any) -> Any:
        answer = original(params)
        for one in NEW_FLOW_LOG.findall(_text(answer)):
            ec2._flow_logs[one]["Told"] = {
                "deliverLogsPermissionArn": ec2._p(params, "DeliverLogsPermissionArn"),
                "maxAggregationInterval": ec2._p(params, "MaxAggregationInterval") or USUAL_SECONDS,
            }
            ec2._parse_tag_specs(params, "vpc-flow-log", one)
        return answer

    @patching.wrap(ec2, "_describe_flow_logs(params)")
    def described(original: Callable[..., Any], params: Any) -> Any:
        status, headers, _ = answer = original(params)
        return status, headers, FLOW_LOG.sub(_with_flow_log, _text(answer)).encode()


def _with_flow_log(found: re.Match[str]) -> str:
    told = ec2._flow_logs[found[1]].get("Told", {})
    return found[0] + "".join(f"<{name}>{value}</{name}>" for name, value in told.items() if value)


def _install_endpoints() -> None:
    """Keep the security groups of an interface endpoint, and whether it has the service's own name."""

    @patching.wrap(ec2, "_create_vpc_endpoint(p)")
    def created(original: Callable[..., Any], params: Any) -> Any:
        answer = original(params)
        for one in ENDPOINT.findall(_text(answer)):
            ec2._vpc_endpoints[one]["Groups"] = ec2._parse_member_list(params, "SecurityGroupId")
            ec2._vpc_endpoints[one]["PrivateDnsEnabled"] = ec2._p(params, "PrivateDnsEnabled") or "false"
        return answer

    @patching.wrap(ec2, "_vpce_fields_xml(ep, tag)")
    def fields(original: Callable[..., str], endpoint: dict[str, Any], tag: str = "item") -> str:
        return ENDPOINT.sub(lambda found: found[0] + _of_endpoint(endpoint), original(endpoint, tag))


def _of_endpoint(endpoint: dict[str, Any]) -> str:
    groups = "".join(f"<item><groupId>{group}</groupId></item>" for group in endpoint.get("Groups", []))
    private = endpoint.get("PrivateDnsEnabled", "false")
    return f"<groupSet>{groups}</groupSet><privateDnsEnabled>{private}</privateDnsEnabled>"


def _text(answer: Any) -> str:
    """Return the document of an answer (status, headers, body)."""
    body = answer[2]
    return str(body.decode() if isinstance(body, bytes) else body)
