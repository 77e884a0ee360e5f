"""A service that CodeDeploy moves, on the local AWS: real containers, a real switch between two target groups.

The scenarios run in the order of the file: the one behind the load balancer is CodeDeploy's, the other one ECS's.
"""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from deploylib import aws, config, serving
from tests.e2e import shop
from tests.e2e.following import documents, follow
from tests.e2e.project import Visitor
from tests.e2e.shop import CRASH, CRASHED, DEPLOY, LOCAL, change
from tests.localaws.extension import switched

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.project import Project, Ran

pytestmark = pytest.mark.e2e

TEST_PORT = 8443
SWITCHED = f"""
[services.web]
strategy = "codedeploy"

[terraform.services.web.codedeploy]
termination_wait_minutes = 1

[terraform.services.web.deployment]
errors_per_minute = 10

[terraform.load_balancer]
test_listener = {{ port = {TEST_PORT}, clients = ["10.0.0.0/8"] }}
"""
WAITS = """
[terraform.services.web.codedeploy]
ready_wait_minutes = 30
traffic = { shift = "canary", percent = 20, interval_minutes = 1 }

[terraform.services.web.load_balancer]
grace_period_seconds = 20
"""
HOOKED = '[terraform.services.web.codedeploy]\nhooks = {{ AfterAllowTestTraffic = "{function}" }}'
GROUP = dict.fromkeys(("applicationName", "deploymentGroupName"), f"shop-{shop.ENV}-web")
WAITING = "waits for inv continue"
ROLE = f'[account.role]\narn = "arn:aws:iam::{shop.ACCOUNT}:role/shop-{shop.ENV}-deploy"'


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The shop with its infrastructure and its first release, `web` under CodeDeploy."""
    project = shop.shop(tmp_path_factory.mktemp("shop"), more=SWITCHED)
    try:
        project.inv("local.up", *LOCAL)
        project.inv("infra.apply", *LOCAL, "--yes")
        project.inv(*DEPLOY)
        yield project
    finally:
        project.inv("local.down")


def client(project: Project, service: str) -> Any:
    made: Any = aws.session(config.load(project.path, shop.ENV, variables={}))
    return made.client(service)


def served(project: Project) -> str:
    return serving.fetch(shop.address(project)).body.strip()


def shown(project: Project) -> str:
    """Return what the test listener shows: on the local AWS one names it in the request."""
    address = urlsplit(shop.address(project))
    connection = http.client.HTTPConnection("127.0.0.1", address.port or 80, timeout=10)
    connection.request("GET", "/", headers={"Host": f"{address.hostname}:{TEST_PORT}"})
    with connection.getresponse() as answer:
        body = answer.read().decode().strip()
    connection.close()
    return body


def task_sets(project: Project) -> list[dict[str, Any]]:
    return list(shop.live(project)["web"]["taskSets"])


def standings(ran: Ran) -> list[dict[str, Any]]:
    """Return where the service was, look after look."""
    told = [one for each in documents(ran, "Progressed") for one in each["services"]]
    return [one for one in told if one["service"] == "web"]


def test_the_first_release_serves_and_terraform_wants_nothing_back(project: Project) -> None:
    assert served(project) == project.head
    (only,) = task_sets(project)
    assert (only["status"], only["startedBy"], only["runningCount"]) == ("PRIMARY", "CODE_DEPLOY", 1)
    project.inv("infra.plan", *LOCAL, "--check")
    project.inv("infra.drift", *LOCAL, "--check")


def test_a_deploy_moves_the_listener_under_a_visitor_and_ends_with_the_original_task_set_gone(
    project: Project,
) -> None:
    before, (original,) = project.head, task_sets(project)
    commit = change(project)

    with Visitor(shop.address(project)) as visitor:
        ran = project.inv(*DEPLOY, "--output", "json")

    assert visitor.failures == []
    assert visitor.answers > 20
    assert {one.strip() for one in visitor.bodies} == {before, commit}
    assert served(project) == commit
    (only,) = task_sets(project)
    assert only["id"] != original["id"]
    assert only["loadBalancers"] != original["loadBalancers"], "the other target group serves"
    seen = standings(ran)
    assert {"install", "termination wait"} <= {one["state"] for one in seen}
    assert "100 % of the traffic is on the new tasks" in {one["message"] for one in seen}
    assert shown(project) == commit
    assert "CodeDeploy" in project.inv("status", *LOCAL).out
    assert "blue/green by CodeDeploy" in project.inv("verify", *LOCAL).out


def test_terraform_wants_nothing_back_after_the_target_groups_were_swapped(project: Project) -> None:
    project.inv("infra.plan", *LOCAL, "--check")


def test_a_broken_image_is_rolled_back_and_nobody_sees_it(project: Project) -> None:
    good, (original,) = served(project), task_sets(project)
    change(project, front=CRASH)

    with Visitor(shop.address(project)) as visitor:
        ran = project.inv(*DEPLOY, "--output", "json", expect=6)

    assert visitor.failures == []
    assert {one.strip() for one in visitor.bodies} == {good}
    assert "the previous release is serving" in ran.err
    (failed,) = documents(ran, "RolloutFailed")
    assert any(CRASHED in line for task in failed["tasks"] for line in task["log"])
    (only,) = task_sets(project)
    assert only["id"] == original["id"]
    assert (served(project), shown(project)) == (good, good)


def test_a_rollback_goes_back_by_another_deployment(project: Project) -> None:
    change(project)
    project.inv(*DEPLOY)
    commit, since = served(project), len(project.api_calls())

    with Visitor(shop.address(project)) as visitor:
        project.inv("rollback", *LOCAL, "--yes")

    assert visitor.failures == []
    assert served(project) != commit
    assert len(shop.calls(project, "CreateDeployment", since)) == 1
    assert len(task_sets(project)) == 1


def test_the_deploy_role_may_all_that_codedeploy_asks_of_a_release(project: Project) -> None:
    commit = change(project)
    with shop.said(project, ROLE):
        project.inv(*DEPLOY)
        change(project, front=CRASH)
        ran = project.inv(*DEPLOY, expect=6)
    assert "AccessDenied" not in ran.text
    assert served(project) == commit


def test_a_hook_that_says_no_ends_the_release_before_anybody_sees_it(project: Project) -> None:
    function = switched.hook(client(project, "lambda"), "smoke", "Failed")
    good = served(project)

    with shop.said(project, HOOKED.format(function=function)):
        project.inv("infra.apply", *LOCAL, "--yes")
        commit = change(project)
        with Visitor(shop.address(project)) as visitor:
            ran = project.inv(*DEPLOY, "--output", "json", expect=6)

    assert (visitor.failures, {one.strip() for one in visitor.bodies}) == ([], {good})
    (failed,) = documents(ran, "RolloutFailed")
    assert "HOOK_EXECUTION_FAILURE" in failed["reason"]
    assert "AfterAllowTestTraffic: " in failed["reason"]
    assert (served(project), shown(project)) == (good, good) != (commit, commit)


@pytest.fixture(scope="module")
def waits(project: Project) -> Iterator[None]:
    """From here on a new version waits on the test listener for a person, and its traffic moves in two shares.

    The grace period is the service's own: Terraform changes it in place.
    """
    with shop.said(project, WAITS):
        project.inv("infra.apply", *LOCAL, "--yes")
        yield


def alarm(project: Project, state: str) -> None:
    named = {"AlarmName": f"shop-{shop.ENV}-web-deployment-errors", "StateReason": "a test"}
    client(project, "cloudwatch").set_alarm_state(**named, StateValue=state)


def stop(project: Project) -> None:
    """Stop the deployment that is under way, as a person does in the console."""
    codedeploy = client(project, "codedeploy")
    (found,) = codedeploy.list_deployments(**GROUP, includeOnlyStatuses=["Ready"])["deployments"]
    codedeploy.stop_deployment(deploymentId=found, autoRollbackEnabled=True)


@pytest.mark.parametrize("code", ["ALARM_ACTIVE", "MANUAL_STOP"])
@pytest.mark.usefixtures("waits")
def test_what_others_end_is_told_and_goes_back(project: Project, code: str) -> None:
    good = served(project)
    commit = change(project)

    with follow(project, *DEPLOY) as running:
        running.until_one(lambda one: WAITING in str(one), "the wait for a person")
        assert (shown(project), served(project)) == (commit, good)
        alarm(project, "ALARM") if code == "ALARM_ACTIVE" else stop(project)
        ran = running.end(expect=6)

    alarm(project, "OK")
    (failed,) = documents(ran, "RolloutFailed")
    assert (failed["verdict"], code in failed["reason"]) == ("rolled back", True)
    assert (served(project), shown(project)) == (good, good)


@pytest.mark.usefixtures("waits")
def test_what_waits_for_a_person_is_on_the_test_listener_and_goes_on_by_its_shares(project: Project) -> None:
    before, commit = served(project), change(project)

    with follow(project, *DEPLOY) as running:
        running.until_one(lambda one: WAITING in str(one), "the wait for a person")
        assert (shown(project), served(project)) == (commit, before)
        said = project.inv("continue", *LOCAL, "--service", "web", "--yes")
        ran = running.end(expect=0)

    assert "its new version is on the test listener" in said.text
    shares = {one["message"] for one in standings(ran)}
    assert {f"{share} % of the traffic is on the new tasks" for share in (20, 100)} <= shares
    assert served(project) == commit
    assert len(task_sets(project)) == 1


def test_terraform_takes_all_of_it_away(project: Project) -> None:
    """Comes last."""
    project.inv("infra.destroy", *LOCAL, "--yes")
    assert client(project, "codedeploy").list_applications()["applications"] == []
    assert client(project, "elbv2").describe_target_groups()["TargetGroups"] == []
