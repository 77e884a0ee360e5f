"""Two target groups with real containers behind them, and a visitor who does not notice which of them serves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from deploylib import serving
from tests.e2e.project import Visitor
from tests.localaws.extension import switched
from tests.localaws.extension.emulated import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.localaws.extension.emulated import Emulator
    from tests.localaws.extension.switched import Switch

pytestmark = pytest.mark.e2e

SECONDS = 60


@pytest.fixture
def empty(aws: Emulator, image: str) -> Iterator[Switch]:
    """A load balancer with two target groups and nothing in them."""
    made = switched.switch(aws, image)
    yield made
    for arn in aws.ecs.list_services(cluster="main")["serviceArns"]:
        if made.name in arn:
            aws.ecs.delete_service(cluster="main", service=arn, force=True)


@pytest.fixture
def switch(empty: Switch) -> Switch:
    """The same with a service of CodeDeploy behind it, which serves version one."""
    empty.service(empty.name, empty.revision("one"), empty.blue, **switched.CODE_DEPLOY)
    return empty


def wait(reached: Any) -> None:
    until(reached, timeout=SECONDS)


def test_a_visitor_sees_no_failed_request_when_a_listener_is_switched_by_halves_and_the_old_tasks_go(
    aws: Emulator, empty: Switch
) -> None:
    elb = aws.client("elbv2")
    before, after = f"{empty.name}-before", f"{empty.name}-after"
    empty.service(before, empty.revision("one"), empty.blue)
    empty.service(after, empty.revision("two"), empty.green)

    with Visitor(empty.url) as visitor:
        wait(lambda: visitor.answers > 20)
        assert visitor.bodies == {"one"}
        halves = [{"TargetGroupArn": group, "Weight": 50} for group in (empty.blue, empty.green)]
        shared = [{"Type": "forward", "ForwardConfig": {"TargetGroups": halves}}]
        elb.modify_listener(ListenerArn=empty.listener, DefaultActions=shared)
        wait(lambda: visitor.bodies == {"one", "two"})
        (listener,) = elb.describe_listeners(ListenerArns=[empty.listener])["Listeners"]
        assert listener["DefaultActions"][0]["ForwardConfig"]["TargetGroups"] == halves
        whole = [{"Type": "forward", "TargetGroupArn": empty.green}]
        elb.modify_listener(ListenerArn=empty.listener, DefaultActions=whole)
        aws.ecs.update_service(cluster="main", service=before, desiredCount=0)
        wait(lambda: not aws.tasks(before))
        visitor.bodies.clear()
        wait(lambda: "two" in visitor.bodies)

    assert visitor.failures == []
    assert visitor.bodies == {"two"}


def test_codedeploy_moves_a_service_under_a_visitor_and_ends_with_the_original_tasks_gone(switch: Switch) -> None:
    switch.deployment_group()
    two = switch.revision("two")

    with Visitor(switch.url) as visitor:
        made = switch.deploy(two)
        wait(lambda: switch.status(made) == "Succeeded")
        wait(lambda: switch.task_sets() == {"PRIMARY": two})
        visitor.bodies.clear()
        wait(lambda: "two" in visitor.bodies)

    assert visitor.failures == []
    assert visitor.bodies == {"two"}
    told = switch.target(made)
    assert {one["status"] for one in told["lifecycleEvents"]} == {"Succeeded"}
    (left,) = told["taskSetsInfo"]
    shares = (left["taskSetLabel"], left["trafficWeight"], left["runningCount"], left["targetGroup"]["name"])
    assert shares == ("Green", 100.0, 2, f"{switch.name}-green")
    assert switch.healthy(switch.blue) == 0


def test_a_canary_gets_its_share_and_an_alarm_brings_the_traffic_back(aws: Emulator, switch: Switch) -> None:
    codedeploy, alarms = aws.client("codedeploy"), aws.client("cloudwatch")
    canary = {"type": "TimeBasedCanary", "timeBasedCanary": {"canaryPercentage": 30, "canaryInterval": 600}}
    codedeploy.create_deployment_config(
        deploymentConfigName=switch.name, computePlatform="ECS", trafficRoutingConfig=canary
    )
    watched = {"enabled": True, "alarms": [{"name": switch.name}]}
    switch.deployment_group(deploymentConfigName=switch.name, alarmConfiguration=watched)

    with Visitor(switch.url) as visitor:
        made = switch.deploy(switch.revision("two"))
        wait(lambda: visitor.bodies == {"one", "two"})
        shares = {one["taskSetLabel"]: one["trafficWeight"] for one in switch.target(made)["taskSetsInfo"]}
        assert shares == {"Blue": 70.0, "Green": 30.0}
        metric = {"MetricName": "Errors", "Namespace": "shop", "ComparisonOperator": "GreaterThanThreshold"}
        alarms.put_metric_alarm(
            AlarmName=switch.name, EvaluationPeriods=1, Period=60, Statistic="Sum", Threshold=1.0, **metric
        )
        alarms.set_alarm_state(AlarmName=switch.name, StateValue="ALARM", StateReason="a test")
        wait(lambda: list(switch.task_sets()) == ["PRIMARY"])
        visitor.bodies.clear()
        wait(lambda: "one" in visitor.bodies)

    assert visitor.failures == []
    assert visitor.bodies == {"one"}
    info = switch.info(made)
    assert (info["status"], info["errorInformation"]["code"]) == ("Stopped", "ALARM_ACTIVE")
    back = switch.info(info["rollbackInfo"]["rollbackDeploymentId"])
    assert (back["status"], back["creator"]) == ("Succeeded", "codeDeployRollback")


def test_what_waits_for_a_person_is_on_the_test_listener_and_goes_on_when_told(aws: Emulator, switch: Switch) -> None:
    codedeploy, two = aws.client("codedeploy"), switch.revision("two")
    switch.deployment_group(blueGreenDeploymentConfiguration=switched.WAITS_FOR_A_PERSON)

    made = switch.deploy(two)
    wait(lambda: switch.status(made) == "Ready")
    assert (switch.shown(), serving.fetch(switch.url).body) == ("two", "one")
    with pytest.raises(ClientError, match="DeploymentLimitExceededException"):
        switch.deploy(two)
    codedeploy.continue_deployment(deploymentId=made, deploymentWaitType="READY_WAIT")
    wait(lambda: switch.info(made)["instanceTerminationWaitTimeStarted"])
    assert serving.fetch(switch.url).body == "two"
    assert set(switch.task_sets()) == {"PRIMARY", "ACTIVE"}
    codedeploy.continue_deployment(deploymentId=made, deploymentWaitType="TERMINATION_WAIT")

    wait(lambda: switch.task_sets() == {"PRIMARY": two})
    assert switch.status(made) == "Succeeded"


def test_a_deployment_whose_tasks_never_come_up_is_stopped_and_nobody_saw_it(aws: Emulator, switch: Switch) -> None:
    switch.deployment_group()
    one = switch.task_sets()["PRIMARY"]

    with Visitor(switch.url) as visitor:
        made = switch.deploy(switch.revision("two", command="exit 1"))
        wait(lambda: "ACTIVE" in switch.task_sets())
        events = {each["lifecycleEventName"]: each["status"] for each in switch.target(made)["lifecycleEvents"]}
        assert (events["Install"], events["AllowTraffic"]) == ("InProgress", "Pending")
        aws.client("codedeploy").stop_deployment(deploymentId=made, autoRollbackEnabled=True)
        wait(lambda: switch.task_sets() == {"PRIMARY": one})

    assert (visitor.failures, visitor.bodies) == ([], {"one"})
    assert switch.info(made)["errorInformation"]["code"] == "MANUAL_STOP"


def test_a_function_that_says_no_keeps_the_new_version_from_everybody(aws: Emulator, switch: Switch) -> None:
    functions = aws.client("lambda")
    yes, no = (switched.hook(functions, f"{switch.name}-{said}", said) for said in ("Succeeded", "Failed"))
    switch.deployment_group()
    one = switch.task_sets()["PRIMARY"]

    with Visitor(switch.url) as visitor:
        made = switch.deploy(switch.revision("two"), AfterInstall=yes, AfterAllowTestTraffic=no)
        wait(lambda: switch.status(made) == "Failed")
        wait(lambda: switch.task_sets() == {"PRIMARY": one})

    assert (visitor.failures, visitor.bodies) == ([], {"one"})
    assert switch.info(made)["errorInformation"]["code"] == "HOOK_EXECUTION_FAILURE"
    told = {each["lifecycleEventName"]: each for each in switch.target(made)["lifecycleEvents"]}
    assert (told["AfterInstall"]["status"], told["AfterAllowTestTraffic"]["status"]) == ("Succeeded", "Failed")
    assert "said Failed" in told["AfterAllowTestTraffic"]["diagnostics"]["message"]


def test_nobody_but_codedeploy_gives_such_a_service_another_revision(aws: Emulator, switch: Switch) -> None:
    with pytest.raises(ClientError, match="CODE_DEPLOY deployment controller"):
        aws.update(switch.name, switch.revision("two"))
    aws.ecs.update_service(cluster="main", service=switch.name, desiredCount=3, forceNewDeployment=False)
    wait(lambda: switch.healthy(switch.blue) == 3)
