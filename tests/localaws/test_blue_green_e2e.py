"""Two target groups with real containers behind them, and a visitor who does not notice which of them serves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.project import Visitor
from tests.localaws import real

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


def test_a_visitor_sees_no_failed_request_when_a_listener_is_switched_and_the_old_tasks_go(local_aws: Path) -> None:
    switch, ecs = real.switch(local_aws), real.client(local_aws, "ecs")
    real.service(local_aws, "before", real.revision(local_aws, "one"), switch.blue)
    real.service(local_aws, "after", real.revision(local_aws, "two"), switch.green)
    for group in (switch.blue, switch.green):
        real.until(lambda group=group: real.healthy(local_aws, group) == 2)  # type: ignore[misc]

    with Visitor(switch.url) as visitor:
        real.until(lambda: visitor.answers > 20)
        assert visitor.bodies == {"one"}
        actions = [{"Type": "forward", "TargetGroupArn": switch.green}]
        real.client(local_aws, "elbv2").modify_listener(ListenerArn=switch.listener, DefaultActions=actions)
        real.until(lambda: visitor.bodies == {"one", "two"})
        ecs.update_service(cluster=real.CLUSTER, service="before", desiredCount=0)
        real.until(lambda: not ecs.list_tasks(cluster=real.CLUSTER, serviceName="before")["taskArns"])
        visitor.bodies.clear()
        real.until(lambda: "two" in visitor.bodies)

    assert visitor.failures == []
    assert visitor.bodies == {"two"}
