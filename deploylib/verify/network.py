"""How a subnet reaches what a task needs before it starts: purely, from its routes and the endpoints of its VPC."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from deploylib.verify.check import Check, missing, ok, warning

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

EVERYWHERE = frozenset({"0.0.0.0/0", "0.0.0.0/1"})  # the second is a half, as VPNs have it
EVERYWHERE_6 = "::/0"
BLACK_HOLE = "blackhole"
INTERNET = "igw-"
WAYS = (
    *("NatGatewayId", "TransitGatewayId", "VpcPeeringConnectionId", "NetworkInterfaceId", "InstanceId"),
    *("GatewayId", "LocalGatewayId", "CarrierGatewayId", "CoreNetworkArn", "EgressOnlyInternetGatewayId"),
)
S3 = "s3"
HTTPS, EVERY_PROTOCOL = 443, "-1"
IMAGES = ("ecr.api", "ecr.dkr", S3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vpc:
    """What EC2 says of a VPC: its route tables and its endpoints, as DescribeRouteTables and DescribeVpcEndpoints."""

    route_tables: Sequence[Mapping[str, Any]] = ()
    endpoints: Sequence[Mapping[str, Any]] = field(default=())


def reach(subnet: str, vpc: Vpc, *, public: bool, services: Iterable[str] = IMAGES) -> Check:
    """Return whether a task in *subnet* reaches *services* (ends of their endpoints' names).

    *public*: the task gets a public address. A proxy, or a registry that is inside, is nothing that a route tells.
    """
    table = table_of(subnet, vpc.route_tables)
    if table is None:
        return missing(subnet, "no route table is associated with it")
    lacking = [one for one in services if not _inside(one, table, vpc.endpoints)]
    if not lacking:
        return ok(subnet, "by endpoints of its VPC")
    route = _default(table, EVERYWHERE)
    if route is None:
        return _without(subnet, table, lacking)
    way = _way(route)
    if route.get("State") == BLACK_HOLE:
        return missing(subnet, f"its way out, {way}, is gone", "inv infra.plan")
    if way.startswith(INTERNET) and not public:
        return missing(
            subnet, f"leads to {way}, but its tasks get no public address", "assign_public_ip, or a NAT gateway"
        )
    return ok(subnet, f"by {way}")


def _without(subnet: str, table: Mapping[str, Any], lacking: Sequence[str]) -> Check:
    """A network of IPv6 alone may reach all of it, by names that only AWS knows to answer."""
    if _default(table, frozenset({EVERYWHERE_6})):
        return warning(subnet, "has a way out for IPv6 alone")
    return missing(subnet, f"no way out, and no endpoint for {', '.join(lacking)}", "a NAT gateway, or the endpoints")


def leaves(group: Mapping[str, Any]) -> Check:
    """Return whether the security group lets a task ask for anything over HTTPS, wherever that is."""
    what = str(group.get("GroupId"))
    if any(_lets_out(one) for one in group.get("IpPermissionsEgress") or ()):
        return ok(what, str(group.get("GroupName") or ""))
    return missing(what, f"lets nothing out to port {HTTPS}: no image, no secret, no log", "let TCP 443 out")


def _lets_out(rule: Mapping[str, Any]) -> bool:
    if rule.get("IpProtocol") == EVERY_PROTOCOL:
        return True
    first, last = int(rule.get("FromPort", 0)), int(rule.get("ToPort", 0))
    return rule.get("IpProtocol") == "tcp" and first <= HTTPS <= last


def table_of(subnet: str, tables: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return the route table that counts for *subnet*: its own, else the main one of the VPC."""
    main = None
    for table in tables:
        for one in table.get("Associations") or ():
            if one.get("SubnetId") == subnet:
                return table
            main = table if one.get("Main") else main
    return main


def _default(table: Mapping[str, Any], wanted: frozenset[str]) -> Mapping[str, Any] | None:
    routes = table.get("Routes") or ()
    found = (one for one in routes if {one.get("DestinationCidrBlock"), one.get("DestinationIpv6CidrBlock")} & wanted)
    return next(found, None)


def _way(route: Mapping[str, Any]) -> str:
    return next((str(route[key]) for key in WAYS if route.get(key)), "an unknown way")


def _inside(service: str, table: Mapping[str, Any], endpoints: Iterable[Mapping[str, Any]]) -> bool:
    """Whether an endpoint of the VPC leads to *service*: S3 by a gateway in the route table, others by their names."""
    for one in endpoints:
        name = str(one.get("ServiceName", ""))
        if not name.endswith(f".{service}") or str(one.get("State", "")).lower() != "available":
            continue
        if one.get("VpcEndpointType") == "Gateway":
            if table.get("RouteTableId") in (one.get("RouteTableIds") or ()):
                return True
        elif one.get("PrivateDnsEnabled") or service == S3:
            return True
    return False
