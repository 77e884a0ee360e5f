"""Two target groups with real containers behind them, and a visitor who does not notice which of them serves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from deploylib import serving
from tests.e2e.project import Visitor
from tests.localaws import real

if TYPE_CHECKING:
    from pathlib import Path

    from tests.localaws.real import Switch

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


def test_a_visitor_sees_no_failed_request_when_a_listener_is_switched_by_halves_and_the_old_tasks_go(
    local_aws: Path,
) -> None:
    switch, ecs, elb = real.switch(local_aws), real.client(local_aws, "ecs"), real.client(local_aws, "elbv2")
    real.service(local_aws, "before", real.revision(local_aws, "one"), switch.blue)
    real.service(local_aws, "after", real.revision(local_aws, "two"), switch.green)
    for group in (switch.blue, switch.green):
        real.until(lambda group=group: real.healthy(local_aws, group) == 2)  # type: ignore[misc]

    with Visitor(switch.url) as visitor:
        real.until(lambda: visitor.answers > 20)
        assert visitor.bodies == {"one"}
        halves = [{"TargetGroupArn": group, "Weight": 50} for group in (switch.blue, switch.green)]
        shared = [{"Type": "forward", "ForwardConfig": {"TargetGroups": halves}}]
        elb.modify_listener(ListenerArn=switch.listener, DefaultActions=shared)
        real.until(lambda: visitor.bodies == {"one", "two"})
        (listener,) = elb.describe_listeners(ListenerArns=[switch.listener])["Listeners"]
        assert listener["DefaultActions"][0]["ForwardConfig"]["TargetGroups"] == halves
        whole = [{"Type": "forward", "TargetGroupArn": switch.green}]
        elb.modify_listener(ListenerArn=switch.listener, DefaultActions=whole)
        ecs.update_service(cluster=real.CLUSTER, service="before", desiredCount=0)
        real.until(lambda: not ecs.list_tasks(cluster=real.CLUSTER, serviceName="before")["taskArns"])
        visitor.bodies.clear()
        real.until(lambda: "two" in visitor.bodies)

    assert visitor.failures == []
    assert visitor.bodies == {"two"}


@pytest.fixture
def switch(local_aws: Path) -> Switch:
    """Return a load balancer with a service of CodeDeploy behind it, which serves version one."""
    made = real.switch(local_aws)
    real.service(local_aws, "web", real.revision(local_aws, "one"), made.blue, **real.CODE_DEPLOY)
    real.until(lambda: real.healthy(local_aws, made.blue) == 2)
    return made


def test_codedeploy_moves_a_service_under_a_visitor_and_ends_with_the_original_tasks_gone(
    local_aws: Path, switch: Switch
) -> None:
    group, two = real.deployment_group(local_aws, switch, "web"), real.revision(local_aws, "two")

    with Visitor(switch.url) as visitor:
        made = real.deploy(local_aws, group, two)
        real.until(lambda: real.status(local_aws, made) == "Succeeded")
        real.until(lambda: real.task_sets(local_aws, "web") == {"PRIMARY": two})
        visitor.bodies.clear()
        real.until(lambda: "two" in visitor.bodies)

    assert visitor.failures == []
    assert visitor.bodies == {"two"}
    told = real.target(local_aws, made, "web")
    assert {one["status"] for one in told["lifecycleEvents"]} == {"Succeeded"}
    (left,) = told["taskSetsInfo"]
    shares = (left["taskSetLabel"], left["trafficWeight"], left["runningCount"], left["targetGroup"]["name"])
    assert shares == ("Green", 100.0, 2, "green")
    assert real.healthy(local_aws, switch.blue) == 0


def test_a_canary_gets_its_share_and_an_alarm_brings_the_traffic_back(local_aws: Path, switch: Switch) -> None:
    codedeploy, alarms = real.client(local_aws, "codedeploy"), real.client(local_aws, "cloudwatch")
    canary = {"type": "TimeBasedCanary", "timeBasedCanary": {"canaryPercentage": 30, "canaryInterval": 600}}
    codedeploy.create_deployment_config(
        deploymentConfigName="slowly", computePlatform="ECS", trafficRoutingConfig=canary
    )
    watched = {"enabled": True, "alarms": [{"name": "errors"}]}
    more = {"deploymentConfigName": "slowly", "alarmConfiguration": watched}
    group = real.deployment_group(local_aws, switch, "web", **more)

    with Visitor(switch.url) as visitor:
        made = real.deploy(local_aws, group, real.revision(local_aws, "two"))
        real.until(lambda: visitor.bodies == {"one", "two"})
        shares = {
            one["taskSetLabel"]: one["trafficWeight"] for one in real.target(local_aws, made, "web")["taskSetsInfo"]
        }
        assert shares == {"Blue": 70.0, "Green": 30.0}
        metric = {"MetricName": "Errors", "Namespace": "shop", "ComparisonOperator": "GreaterThanThreshold"}
        alarms.put_metric_alarm(
            AlarmName="errors", EvaluationPeriods=1, Period=60, Statistic="Sum", Threshold=1.0, **metric
        )
        alarms.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="a test")
        real.until(lambda: list(real.task_sets(local_aws, "web")) == ["PRIMARY"])
        visitor.bodies.clear()
        real.until(lambda: "one" in visitor.bodies)

    assert visitor.failures == []
    assert visitor.bodies == {"one"}
    info = real.info(local_aws, made)
    assert (info["status"], info["errorInformation"]["code"]) == ("Stopped", "ALARM_ACTIVE")
    back = real.info(local_aws, info["rollbackInfo"]["rollbackDeploymentId"])
    assert (back["status"], back["creator"]) == ("Succeeded", "codeDeployRollback")


def test_what_waits_for_a_person_is_on_the_test_listener_and_goes_on_when_told(local_aws: Path, switch: Switch) -> None:
    codedeploy = real.client(local_aws, "codedeploy")
    waits = {"blueGreenDeploymentConfiguration": real.WAITS_FOR_A_PERSON}
    group, two = real.deployment_group(local_aws, switch, "web", **waits), real.revision(local_aws, "two")

    made = real.deploy(local_aws, group, two)
    real.until(lambda: real.status(local_aws, made) == "Ready")
    assert (real.shown(local_aws, switch), serving.fetch(switch.url).body) == ("two", "one")
    with pytest.raises(ClientError, match="DeploymentLimitExceededException"):
        real.deploy(local_aws, group, two)
    codedeploy.continue_deployment(deploymentId=made, deploymentWaitType="READY_WAIT")
    real.until(lambda: bool(real.info(local_aws, made)["instanceTerminationWaitTimeStarted"]))
    assert serving.fetch(switch.url).body == "two"
    assert set(real.task_sets(local_aws, "web")) == {"PRIMARY", "ACTIVE"}
    codedeploy.continue_deployment(deploymentId=made, deploymentWaitType="TERMINATION_WAIT")

    real.until(lambda: real.task_sets(local_aws, "web") == {"PRIMARY": two})
    assert real.status(local_aws, made) == "Succeeded"


def test_a_deployment_whose_tasks_never_come_up_is_stopped_and_nobody_saw_it(local_aws: Path, switch: Switch) -> None:
    codedeploy = real.client(local_aws, "codedeploy")
    group = real.deployment_group(local_aws, switch, "web")
    one = real.task_sets(local_aws, "web")["PRIMARY"]

    with Visitor(switch.url) as visitor:
        made = real.deploy(local_aws, group, real.revision(local_aws, "two", command=["false"]))
        real.until(lambda: "ACTIVE" in real.task_sets(local_aws, "web"))
        events = {
            each["lifecycleEventName"]: each["status"]
            for each in real.target(local_aws, made, "web")["lifecycleEvents"]
        }
        assert (events["Install"], events["AllowTraffic"]) == ("InProgress", "Pending")
        codedeploy.stop_deployment(deploymentId=made, autoRollbackEnabled=True)
        real.until(lambda: real.task_sets(local_aws, "web") == {"PRIMARY": one})

    assert (visitor.failures, visitor.bodies) == ([], {"one"})
    assert real.info(local_aws, made)["errorInformation"]["code"] == "MANUAL_STOP"


def test_a_function_that_says_no_keeps_the_new_version_from_everybody(local_aws: Path, switch: Switch) -> None:
    functions = real.client(local_aws, "lambda")
    yes, no = (real.hook(functions, name, said) for name, said in (("yes", "Succeeded"), ("no", "Failed")))
    group = real.deployment_group(local_aws, switch, "web")
    one = real.task_sets(local_aws, "web")["PRIMARY"]

    with Visitor(switch.url) as visitor:
        made = real.deploy(
            local_aws, group, real.revision(local_aws, "two"), AfterInstall=yes, AfterAllowTestTraffic=no
        )
        real.until(lambda: real.status(local_aws, made) == "Failed")
        real.until(lambda: real.task_sets(local_aws, "web") == {"PRIMARY": one})

    assert (visitor.failures, visitor.bodies) == ([], {"one"})
    assert real.info(local_aws, made)["errorInformation"]["code"] == "HOOK_EXECUTION_FAILURE"
    told = {each["lifecycleEventName"]: each for each in real.target(local_aws, made, "web")["lifecycleEvents"]}
    assert (told["AfterInstall"]["status"], told["AfterAllowTestTraffic"]["status"]) == ("Succeeded", "Failed")
    assert "said Failed" in told["AfterAllowTestTraffic"]["diagnostics"]["message"]


def test_nobody_but_codedeploy_gives_such_a_service_another_revision(local_aws: Path, switch: Switch) -> None:
    ecs = real.client(local_aws, "ecs")
    with pytest.raises(ClientError, match="CODE_DEPLOY deployment controller"):
        ecs.update_service(cluster=real.CLUSTER, service="web", taskDefinition=real.revision(local_aws, "two"))
    ecs.update_service(cluster=real.CLUSTER, service="web", desiredCount=3)
    real.until(lambda: real.healthy(local_aws, switch.blue) == 3)
