"""What tasks name, each asked for by itself: parameters, secrets, log groups, the way out of their subnets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploylib.errors import AwsError
from deploylib.settings import store
from deploylib.verify import network
from deploylib.verify.check import Check, missing, ok, skipped, together

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from deploylib.verify.definitions import LogGroup, Needs
    from deploylib.verify.whole import Here

NO_SECRET, NO_SUBNET = "ResourceNotFoundException", "InvalidSubnetID.NotFound"
NO_GROUP = "InvalidGroup.NotFound"
WAY, GROUPS = "way to images", "security groups"
ARN_PARTS = 6


def parameters(here: Here, wanted: Sequence[str]) -> Check:
    """Ask whether the parameters are there, by any name that a container may know one by; nothing is decrypted."""
    near = {one: spellings(one) for one in wanted if _is_here(here, one)}
    names = [name for several in near.values() for name in several]
    there = store.read(here.account.ssm, names, store.Pace(), values=False) if names else {}
    if gone := [several[0] for several in near.values() if not any(name in there for name in several)]:
        return missing("parameters", f"no {', '.join(gone)}", f"inv params.list --env {here.environment.name}")
    if far := len(wanted) - len(near):
        return skipped("parameters", f"{len(near)} are there; {far} in another region were not looked for")
    return ok("parameters", f"{len(near)} {'is' if len(near) == 1 else 'are'} there")


def secret(here: Here, arn: str) -> Check:
    """Ask whether the secret is there; its value is not read."""
    what = name_of(arn)
    if not _is_here(here, arn):
        return skipped(what, f"is in {arn.split(':')[3]}")
    try:
        found = here.account.secretsmanager.describe_secret(SecretId=arn)
    except AwsError as error:
        if error.code != NO_SECRET:
            raise
        return missing(what, "is not there", here.mend)
    if found.get("DeletedDate"):
        return missing(what, "is being deleted", f"aws secretsmanager restore-secret --secret-id {arn}")
    return ok(what, "is there")


def log_group(here: Here, wanted: LogGroup) -> Check:
    """Ask whether the log group is there; names come in order, so that the shortest one is the first."""
    if wanted.region not in {"", here.environment.account.region}:
        return skipped(wanted.name, f"is in {wanted.region}")
    if wanted.created:
        return ok(wanted.name, "its first line creates it")
    answer = here.account.logs.describe_log_groups(logGroupNamePrefix=wanted.name, limit=1)
    if wanted.name not in {one["logGroupName"] for one in answer["logGroups"]}:
        return missing(wanted.name, "is not there, and without it no container starts", here.mend)
    return ok(wanted.name, "is there")


def way_out(here: Here, subnets: Sequence[str], services: Sequence[str], public: bool) -> Check:  # noqa: FBT001  # positional for the pool
    """Ask EC2 how the subnets reach *services*: three calls."""
    ec2 = here.account.ec2
    try:
        found = ec2.describe_subnets(SubnetIds=list(subnets))["Subnets"]
    except AwsError as error:
        if error.code != NO_SUBNET:
            raise
        return missing(WAY, f"of {', '.join(subnets)} one is gone", here.mend)
    filters = [{"Name": "vpc-id", "Values": sorted({one["VpcId"] for one in found})}]
    vpc = network.Vpc(
        route_tables=ec2.describe_route_tables(Filters=filters)["RouteTables"],
        endpoints=ec2.describe_vpc_endpoints(Filters=filters)["VpcEndpoints"],
    )
    return together(WAY, (network.reach(one, vpc, public=public, services=services) for one in subnets))


def security_groups(here: Here, wanted: Sequence[str]) -> Check:
    """Ask whether the security groups are there and let a task reach what it needs; one call."""
    try:
        found = here.account.ec2.describe_security_groups(GroupIds=list(wanted))["SecurityGroups"]
    except AwsError as error:
        if error.code != NO_GROUP:
            raise
        return missing(GROUPS, f"of {', '.join(wanted)} one is gone", here.mend)
    checks = [network.leaves(one) for one in found]
    if any(one.state == "OK" for one in checks):  # what one of them allows is allowed
        return ok(GROUPS, ", ".join(one.what for one in checks))
    return together(GROUPS, checks)


def services_of(needed: Needs) -> Iterator[str]:
    """Yield the services that a task talks to before it starts, as the names of endpoints end."""
    yield from network.IMAGES
    yield from (["logs"] if needed.log_groups else [])
    yield from (["ssm"] if needed.parameters else [])
    yield from (["secretsmanager"] if needed.secrets else [])


def spellings(value_from: str) -> tuple[str, ...]:
    """Return the names that a parameter may have which a container knows as *value_from*.

    The ARN of `/name` and of `name` is the same.
    """
    if not value_from.startswith("arn:"):
        return (value_from,)
    name = value_from.split(":", ARN_PARTS - 1)[-1].removeprefix("parameter/")
    return (f"/{name}",) if "/" in name else (f"/{name}", name)


def name_of(arn: str) -> str:
    """Return the name in a secret's ARN: its seventh part."""
    parts = arn.split(":")
    return parts[ARN_PARTS] if len(parts) > ARN_PARTS else arn


def _is_here(here: Here, value_from: str) -> bool:
    """Whether it is in our region; a bare name is."""
    return not value_from.startswith("arn:") or value_from.split(":")[3] in {"", here.environment.account.region}
