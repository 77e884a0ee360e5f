"""The fast form, at the start of each deploy: what is known anyway, and two calls."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from deploylib.errors import AwsError
from deploylib.patience import groups_of
from deploylib.verify import definitions
from deploylib.verify.check import Check, asked, missing, ok, skipped, together
from deploylib.verify.mending import mends

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from deploylib.aws import Account
    from deploylib.config import Environment
    from deploylib.plan import Live

NO_GROUP = frozenset({"TargetGroupNotFound", "TargetGroupNotFoundException"})
LISTED = 50  # DescribeLogGroups has no larger page


def quick(account: Account, environment: Environment, live: Live) -> tuple[Check, ...]:
    """Return what would make a release into *live* fail that can be seen at once.

    At most two calls, side by side: one DescribeLogGroups, one DescribeTargetGroups where a service has any.
    """
    with ThreadPoolExecutor(2) as pool:
        groups = pool.submit(target_groups, account, environment, live)
        logs = pool.submit(log_groups, account, environment, live)
        mend = mends(environment)
        fitting = [definitions.fitting(one.description, one.contract, one.template, mend) for one in live.services]
        return (*fitting, *_migration(environment, live), *groups.result(), *logs.result())


def _migration(environment: Environment, live: Live) -> tuple[Check, ...]:
    wanted = environment.migration
    if wanted is None:
        return ()
    found = next((one.template for one in live.services if one.key == wanted.service), None)
    return (definitions.migration(wanted, found, mends(environment)),)


def target_groups(account: Account, environment: Environment, live: Live) -> tuple[Check, ...]:
    """Return whether the target groups of the services take their tasks; one call, none without target groups."""
    used = {arn: one.template for one in live.services for arn in groups_of(one.description)}
    if not used:
        return ()
    return (asked("target groups", lambda: judged_groups(account, environment, used)),)


def judged_groups(account: Account, environment: Environment, used: Mapping[str, Any]) -> Check:
    """Return whether each target group (by its ARN) takes the tasks of its definition; one call."""
    try:
        found = account.elbv2.describe_target_groups(TargetGroupArns=sorted(used))["TargetGroups"]
    except AwsError as error:
        if error.code not in NO_GROUP:
            raise
        named = ", ".join(definitions.group_name(one) for one in sorted(used))
        return missing("target groups", f"of {named} one is gone", mends(environment))
    return together(
        "target groups",
        (definitions.group(one, used[one["TargetGroupArn"]], mends(environment)) for one in found),
    )


def log_groups(account: Account, environment: Environment, live: Live) -> tuple[Check, ...]:
    """Return whether the log groups are there: without its own a container does not start. One call."""
    wanted = {
        group.name
        for one in live.services
        for group in definitions.needs(one.template).log_groups
        if not group.created and group.region in {"", environment.account.region}
    }
    return (asked("log groups", lambda: _log_groups(account, environment, sorted(wanted))),) if wanted else ()


def _log_groups(account: Account, environment: Environment, wanted: Sequence[str]) -> Check:
    start = os.path.commonprefix(list(wanted))  # noqa: RUF071  # a beginning of names is what CloudWatch takes
    request: dict[str, Any] = {"logGroupNamePrefix": start} if start else {}
    answer = account.logs.describe_log_groups(**request, limit=LISTED)
    there = {one["logGroupName"] for one in answer["logGroups"]}
    gone = [one for one in wanted if one not in there]
    if gone and answer.get("nextToken"):
        return skipped("log groups", f"there are more than {LISTED} whose names begin with {start!r}")
    if gone:
        return missing("log groups", f"no {', '.join(gone)}", mends(environment))
    return ok("log groups", ", ".join(wanted))
