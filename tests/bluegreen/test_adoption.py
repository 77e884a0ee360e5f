"""Services that others made and that CodeDeploy moves: found, written into a file, released into."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING, Any

import pytest

from deploylib import config, observe, verify
from deploylib.bluegreen import finding
from deploylib.errors import AwsError, ConfigError, RefusedError
from tests import test_adoption as adopting
from tests.bluegreen import scenery
from tests.bluegreen.scenery import JOB, group, revisions
from tests.fakes import world as worlds

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes.world import World

CLUSTER = f"{worlds.APP}-{worlds.ENVIRONMENT}"
LISTENER = "arn:aws:elasticloadbalancing:ap-northeast-1:111111111111:listener/app/shop/1/2"


@pytest.fixture
def world() -> World:
    """A world as somebody else's, whose deployments wait for a person, move traffic by steps, and keep the original."""
    found = scenery.world()
    del found.aws.ssm.parameters[worlds.PARAMETER]
    settings = group(found)
    settings.ready_wait_seconds, settings.termination_wait_seconds = 3600.0, 600.0
    settings.routing = {"type": "TimeBasedCanary", "timeBasedCanary": {"canaryPercentage": 10, "canaryInterval": 9}}
    settings.test_listener = LISTENER
    return found


def written(world: World, **changes: Any) -> dict[str, Any]:
    return tomllib.loads(adopting.drafted(world, **changes).text)


def test_the_file_names_application_and_group_and_what_they_wait_for(world: World) -> None:
    found = written(world)
    assert found["services"] == {"web": {"strategy": "codedeploy"}}
    web = found["contract"]["services"]["web"]
    assert web["load_balancer"] == {"container": "app", "port": 8000, "test_listener": LISTENER}
    assert web["codedeploy"] == {
        "application": "guestbook",
        "deployment_group": "web",
        "ready_wait_minutes": 60,
        "shift_minutes": 9,
        "termination_wait_minutes": 10,
    }
    assert web["subnets"] == ["subnet-1", "subnet-2"]
    assert any("codedeploy.hooks" in one for one in adopting.drafted(world).remarks)


def test_nothing_is_written_in_aws_and_the_groups_are_read_once(world: World) -> None:
    world.aws.forget_calls()
    adopting.drafted(world)
    assert world.aws.wrote == ()
    asked = {name: count for name, count in world.aws.calls.items() if name.startswith("codedeploy:")}
    assert asked == {
        "codedeploy:ListApplications": 1,
        "codedeploy:BatchGetApplications": 1,
        "codedeploy:ListDeploymentGroups": 1,
        "codedeploy:BatchGetDeploymentGroups": 1,
        "codedeploy:GetDeploymentConfig": 1,
    }


def test_applications_of_other_platforms_are_not_looked_into(world: World) -> None:
    world.aws.codedeploy.others.add("machines")
    assert written(world)["contract"]["services"]["web"]["codedeploy"]["application"] == "guestbook"
    asked = [one.request for one in world.aws.log if one.operation == "list_deployment_groups"]
    assert [one["applicationName"] for one in asked] == ["guestbook"]


@pytest.mark.parametrize(
    ("routing", "minutes"),
    [
        ({"type": "AllAtOnce"}, 0),
        ({"type": "TimeBasedLinear", "timeBasedLinear": {"linearPercentage": 10, "linearInterval": 3}}, 27),
        ({"type": "TimeBasedLinear", "timeBasedLinear": {"linearPercentage": 30, "linearInterval": 3}}, 9),
        ({"type": "TimeBasedCanary", "timeBasedCanary": {"canaryPercentage": 10, "canaryInterval": 5}}, 5),
    ],
)
def test_how_long_the_traffic_takes(world: World, routing: dict[str, Any], minutes: float) -> None:
    group(world).routing = routing
    found = finding.group(world.account, CLUSTER, worlds.WEB)
    assert finding.minutes(world.account, found)["shift_minutes"] == minutes


def test_a_deployment_that_goes_on_by_itself_waits_for_nobody(world: World) -> None:
    group(world).at_timeout = "CONTINUE_DEPLOYMENT"
    assert "ready_wait_minutes" not in written(world)["contract"]["services"]["web"]["codedeploy"]


def test_a_group_that_nobody_has_is_asked_for(world: World) -> None:
    group(world).service = "another"
    with pytest.raises(ConfigError, match=f"no deployment group moves {worlds.WEB} of {CLUSTER}") as caught:
        adopting.drafted(world)
    assert caught.value.hint == "say which one: add --codedeploy APPLICATION/GROUP"


def test_of_two_groups_one_has_to_be_named(world: World) -> None:
    other = world.aws.codedeploy.have("guestbook", "again", worlds.WEB, group(world).green_group)
    with pytest.raises(
        ConfigError, match="more than one deployment group moves guestbook-stg-web: guestbook/web, guestbook/again"
    ):
        adopting.drafted(world)
    found = written(world, codedeploy="guestbook/again")
    assert found["contract"]["services"]["web"]["codedeploy"]["deployment_group"] == other.name


def test_without_the_right_to_look_the_name_is_asked_for(world: World) -> None:
    world.aws.codedeploy.refuse("list_applications", "AccessDeniedException")
    with pytest.raises(ConfigError, match="could not be read") as caught:
        adopting.drafted(world)
    assert "--codedeploy APPLICATION/GROUP" in caught.value.hint


def test_a_fault_of_aws_is_no_missing_right(world: World) -> None:
    world.aws.codedeploy.refuse("list_applications", "InternalFailure")
    with pytest.raises(AwsError):
        adopting.drafted(world)


@pytest.mark.parametrize(
    ("named", "says"),
    [
        ("guestbook", "is no APPLICATION/GROUP"),
        ("guestbook/nobody", "there is no deployment group guestbook/nobody"),
        ("nobody/web", "there is no deployment group nobody/web"),
        ("guestbook/job", f"does not move {worlds.WEB}"),
    ],
)
def test_a_name_that_leads_nowhere(world: World, named: str, says: str) -> None:
    world.aws.codedeploy.groups["job"] = scenery_group(world)
    with pytest.raises(ConfigError, match=says):
        adopting.drafted(world, codedeploy=named)


def scenery_group(world: World) -> Any:
    """Return the group of another service."""
    web = group(world)
    return type(web)(application=web.application, name="job", service=worlds.JOB, green_group=web.green_group)


def test_where_a_third_party_makes_the_deployments_nothing_is_written(world: World) -> None:
    world.ecs.services[worlds.WEB].attributes["deploymentController"] = {"type": "EXTERNAL"}
    with pytest.raises(ConfigError, match="EXTERNAL makes the deployments") as caught:
        adopting.drafted(world)
    assert caught.value.hint == "give the service the deployment controller ECS or CODE_DEPLOY first"


def test_a_release_into_it_is_a_deployment_of_its_group(world: World, tmp_path: Path) -> None:
    environment = adopting.adopted(world, tmp_path)
    settings = group(world)
    settings.ready_wait_seconds = settings.termination_wait_seconds = 0.0
    contract = observe.contract(world.account, environment)
    checks = verify.quick(world.account, environment, observe.live(world.account, contract))
    assert {leaf.state for one in checks for _, leaf in one.leaves} == {"OK"}
    adopting.run(adopting.proposed(world, environment, 2))
    (request,) = [one.request for one in world.aws.writes if one.operation == "create_deployment"]
    assert (request["applicationName"], request["deploymentGroupName"]) == ("guestbook", "web")
    properties = json.loads(request["revision"]["appSpecContent"]["content"])["Resources"][0]["TargetService"]
    assert properties["Properties"]["LoadBalancerInfo"] == {"ContainerName": "app", "ContainerPort": 8000}
    network = properties["Properties"]["NetworkConfiguration"]["AwsvpcConfiguration"]
    assert (network["Subnets"], network["SecurityGroups"]) == (["subnet-1", "subnet-2"], ["sg-1"])
    world.settle()
    assert revisions(world) == {f"{worlds.WEB}:2"}


def test_shares_of_capacity_providers_and_hooks_reach_the_appspec(world: World, tmp_path: Path) -> None:
    adopting.adopted(world, tmp_path)
    path = tmp_path / "environments/adopted.toml"
    more = (
        'capacity = [{ provider = "FARGATE_SPOT", weight = 3 }]\nhooks = { AfterAllowTraffic = "smoke" }\n'
        'platform_version = "1.4.0"\n'
    )
    text = path.read_text().replace("codedeploy = {", "codedeploy = { " + more.strip().replace("\n", ", ") + ", ")
    path.write_text(text)
    found = observe.contract(world.account, config.load(tmp_path, adopting.NAME)).services["web"].codedeploy
    assert found is not None
    assert [(one.provider, one.base, one.weight) for one in found.capacity] == [("FARGATE_SPOT", 0, 3)]
    assert (found.hooks, found.platform_version) == ({"AfterAllowTraffic": "smoke"}, "1.4.0")
    assert found.course[0] == "calls hooks at AfterAllowTraffic"


@pytest.mark.parametrize(
    ("old", "new", "mistake"),
    [
        ('strategy = "codedeploy"', 'strategy = "ecs"', "[contract.services.web.codedeploy] is there"),
        ("load_balancer = {", "# {", "contract.services.web.load_balancer: is missing: CodeDeploy has to switch one"),
        ("port = 8000", "port = 0", "contract.services.web.load_balancer.port"),
        ("shift_minutes = 9", "shift_minutes = -1", "contract.services.web.codedeploy.shift_minutes"),
        ("shift_minutes = 9", "minutes = 9", "contract.services.web.codedeploy.minutes: unknown key"),
        ("shift_minutes = 9", 'hooks = { Install = "f" }', "contract.services.web.codedeploy.hooks"),
        ("codedeploy = {", "# {", "is 'codedeploy', but [contract.services.web.codedeploy] is missing"),
    ],
)
def test_mistakes_are_told_with_their_place(world: World, tmp_path: Path, old: str, new: str, mistake: str) -> None:
    adopting.adopted(world, tmp_path)
    path = tmp_path / "environments/adopted.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(ConfigError) as caught:
        config.load(tmp_path, adopting.NAME)
    assert mistake in str(caught.value)


def test_a_service_that_its_maker_gave_back_to_ecs_is_refused(world: World, tmp_path: Path) -> None:
    environment = adopting.adopted(world, tmp_path)
    other = worlds.world(worlds.ServiceSpec(key="web", containers={"app": "web"}, tasks=2, balanced=True), JOB)
    with pytest.raises(RefusedError, match="strategy is codedeploy, but the live service is under ECS") as caught:
        adopting.proposed(other, environment, 2)
    assert caught.value.hint == "correct environments/adopted.toml"
