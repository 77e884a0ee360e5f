"""EC2, as much as says how a subnet reaches the outside: subnets, route tables, endpoints.

`subnets` maps each subnet to its VPC; a new one has none. `route_tables` and `endpoints` are what EC2 answers.
"""

from __future__ import annotations

from typing import Any, ClassVar

from tests.fakes.door import FakeClient, Refused, Response, operation


class FakeEc2(FakeClient):
    """The `ec2` client of one account."""

    service: ClassVar[str] = "ec2"

    def __init__(self, clock: Any, **shared: Any) -> None:
        super().__init__(clock, **shared)
        self.subnets: dict[str, str] = {}
        self.route_tables: list[dict[str, Any]] = []
        self.endpoints: list[dict[str, Any]] = []
        self.security_groups: dict[str, dict[str, Any]] = {}

    def have_network(self, *subnets: str, way: str = "nat-1", vpc: str = "vpc-1") -> None:
        """Have subnets in a VPC whose main route table leads out by *way* (empty: nowhere)."""
        self.subnets |= dict.fromkeys(subnets, vpc)
        key = "NatGatewayId" if way.startswith("nat-") else "GatewayId"
        routes = [{"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local", "State": "active"}]
        out = [{"DestinationCidrBlock": "0.0.0.0/0", key: way, "State": "active"}] if way else []
        associations = [{"Main": True, "RouteTableId": "rtb-1"}]
        self.route_tables = [
            {"RouteTableId": "rtb-1", "VpcId": vpc, "Routes": [*routes, *out], "Associations": associations}
        ]

    def have_security_group(self, name: str, *rules: dict[str, Any]) -> None:
        """Have a security group with these rules for what goes out, or that lets out everything."""
        egress = list(rules) or [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
        self.security_groups[name] = {"GroupId": name, "GroupName": f"{name}-tasks", "IpPermissionsEgress": egress}

    @operation
    def describe_subnets(self, **request: Any) -> Response:
        if gone := [one for one in request["SubnetIds"] if one not in self.subnets]:
            raise Refused("InvalidSubnetID.NotFound", f"The subnet ID '{gone[0]}' does not exist")
        return {"Subnets": [{"SubnetId": one, "VpcId": self.subnets[one]} for one in request["SubnetIds"]]}

    @operation
    def describe_security_groups(self, **request: Any) -> Response:
        if gone := [one for one in request["GroupIds"] if one not in self.security_groups]:
            raise Refused("InvalidGroup.NotFound", f"The security group '{gone[0]}' does not exist")
        return {"SecurityGroups": [self.security_groups[one] for one in request["GroupIds"]]}

    @operation
    def describe_route_tables(self, **request: Any) -> Response:
        return {"RouteTables": [one for one in self.route_tables if one["VpcId"] in _vpcs(request)]}

    @operation
    def describe_vpc_endpoints(self, **request: Any) -> Response:
        return {"VpcEndpoints": [one for one in self.endpoints if one["VpcId"] in _vpcs(request)]}


def _vpcs(request: dict[str, Any]) -> list[str]:
    (wanted,) = request["Filters"]
    assert wanted["Name"] == "vpc-id"
    return list(wanted["Values"])
