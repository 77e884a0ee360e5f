"""What is judged without asking: the corpus of what is no mistake although it looks like one."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from deploylib import config, verify
from deploylib.contract import CodeDeploy, LoadBalancer, ServiceContract
from deploylib.errors import AwsError, ConfigError, RefusedError
from deploylib.verify import check, definitions, images, network, roles, subjects
from tests.verify.scenery import Shelf

if TYPE_CHECKING:
    from collections.abc import Mapping

CASES: Mapping[str, list[dict[str, Any]]] = tomllib.loads((Path(__file__).parent / "cases.toml").read_text())
PLACE = roles.Place(
    partition="aws", region="ap-northeast-1", account_id="111111111111", repository="localhost:4566/app"
)
CONTRACT = ServiceContract(
    name="web",
    family="web",
    template="",
    desired_count=1,
    containers={"app": "web"},
    subnets=("subnet-1",),
    security_groups=("sg-1",),
)


def named(kind: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", CASES[kind], ids=[one["name"] for one in CASES[kind]])


@named("trust")
def test_whom_a_role_trusts(case: Mapping[str, Any]) -> None:
    assert roles.trusts_tasks(json.loads(case["document"]), "111111111111") is case["trusts"]


@named("image")
def test_which_repositories_an_execution_role_pulls_from(case: Mapping[str, Any]) -> None:
    needed = definitions.Needs(images=(("app", case["image"]),))
    asked = [one for one in roles.questions(needed, PLACE) if one.what == "pull"]
    assert [arn for one in asked for arn in one.resources] == case["asked"]


def test_the_app_s_own_repository_is_ecr_s_whatever_its_host_is_called() -> None:
    needed = definitions.Needs(images=(("app", "localhost:4566/app:set-by-deploy"),))
    (pull,) = (one for one in roles.questions(needed, PLACE) if one.what == "pull")
    assert pull.resources == ("arn:aws:ecr:ap-northeast-1:111111111111:repository/app",)


@named("way")
def test_how_a_subnet_reaches_the_images(case: Mapping[str, Any]) -> None:
    table = {
        "RouteTableId": "rtb-1",
        "Associations": [{"SubnetId": "subnet-1"}],
        "Routes": [route(*one) for one in case["routes"]],
    }
    vpc = network.Vpc(route_tables=[table], endpoints=[endpoint(*one) for one in case.get("endpoints", ())])
    found = network.reach("subnet-1", vpc, public=case.get("public", False))
    assert (found.state, case.get("found", found.found)) == (case["state"], found.found)


def route(destination: str, kind: str, target: str, state: str = "active") -> dict[str, Any]:
    key = "DestinationIpv6CidrBlock" if ":" in destination else "DestinationCidrBlock"
    return {key: destination, kind: target, "State": state}


def endpoint(service: str, kind: str, table: str = "rtb-1", names: bool = True) -> dict[str, Any]:  # noqa: FBT001, FBT002  # rows of a table
    known = {"ServiceName": f"com.amazonaws.ap-northeast-1.{service}", "VpcEndpointType": kind, "State": "available"}
    return {**known, **({"RouteTableIds": [table]} if kind == "Gateway" else {"PrivateDnsEnabled": names})}


def test_a_subnet_s_own_route_table_counts_before_the_main_one() -> None:
    main = {"RouteTableId": "rtb-main", "Associations": [{"Main": True}], "Routes": []}
    own = {"RouteTableId": "rtb-own", "Associations": [{"SubnetId": "subnet-1"}], "Routes": []}
    assert network.table_of("subnet-1", [main, own]) is own
    assert network.table_of("subnet-2", [own, main]) is main
    assert network.reach("subnet-2", network.Vpc(route_tables=[own]), public=False).state == "MISSING"


@pytest.mark.parametrize(
    ("rule", "state"),
    [
        ({"IpProtocol": "-1"}, "OK"),
        ({"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443}, "OK"),
        ({"IpProtocol": "tcp", "FromPort": 0, "ToPort": 65535}, "OK"),
        ({"IpProtocol": "udp", "FromPort": 0, "ToPort": 65535}, "MISSING"),
        ({"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80}, "MISSING"),
    ],
)
def test_what_a_security_group_lets_out(rule: dict[str, Any], state: str) -> None:
    assert network.leaves({"GroupId": "sg-1", "IpPermissionsEgress": [rule]}).state == state


@pytest.mark.parametrize(
    ("value_from", "names"),
    [
        ("db", ("db",)),
        ("/guestbook/db", ("/guestbook/db",)),
        ("arn:aws:ssm:ap-northeast-1:111111111111:parameter/guestbook/db", ("/guestbook/db",)),
        ("arn:aws:ssm:ap-northeast-1:111111111111:parameter/db", ("/db", "db")),
    ],
)
def test_by_which_names_a_parameter_may_be_there(value_from: str, names: tuple[str, ...]) -> None:
    assert subjects.spellings(value_from) == names


def container(**changes: Any) -> dict[str, Any]:
    return {"name": "app", "image": "nginx", "portMappings": [{"containerPort": 8000}], **changes}


def definition(*containers: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "family": "web",
        "networkMode": "awsvpc",
        "containerDefinitions": list(containers or (container(),)),
        **changes,
    }


def test_everything_that_a_definition_names_is_needed() -> None:
    manager = "arn:aws:secretsmanager:ap-northeast-1:111111111111:secret:db-AbCdEf"
    first = container(
        secrets=[{"name": "A", "valueFrom": f"{manager}:password::"}, {"name": "B", "valueFrom": f"{manager}:user::"}],
        logConfiguration={
            "logDriver": "awslogs",
            "options": {"awslogs-group": "/web", "awslogs-region": "eu-west-1", "awslogs-create-group": "true"},
            "secretOptions": [{"name": "token", "valueFrom": "/log/token"}],
        },
        environmentFiles=[{"type": "s3", "value": "arn:aws:s3:::bucket/web.env"}],
    )
    second = container(name="side", repositoryCredentials={"credentialsParameter": f"{manager[:-9]}hub-AbCdEf"})
    other = container(name="fire", logConfiguration={"logDriver": "awsfirelens", "options": {"Name": "cloudwatch"}})
    found = definitions.needs(definition(first, second, other, executionRoleArn="e", taskRoleArn=None))
    assert found.secrets == (manager, f"{manager[:-9]}hub-AbCdEf")
    assert found.parameters == ("/log/token",)
    assert found.log_groups == (definitions.LogGroup(name="/web", region="eu-west-1", created=True),)
    assert (found.execution_role, found.task_role) == ("e", "")
    assert found.files == ("arn:aws:s3:::bucket/web.env",)
    assert [one.what for one in roles.questions(found, PLACE)] == [
        "read parameters",
        "read secrets",
        "log",
        "read environment files",
    ]


@pytest.mark.parametrize(
    ("said", "platform"),
    [
        (None, "linux/amd64"),
        ({"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"}, "linux/arm64"),
        ({"operatingSystemFamily": "LINUX"}, "linux/amd64"),
        ({"cpuArchitecture": "X86_64", "operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"}, ""),
    ],
)
def test_what_tasks_run_on(said: Any, platform: str) -> None:
    assert definitions.platform({"runtimePlatform": said}) == platform


@pytest.mark.parametrize(
    ("ports", "state", "found"),
    [
        ([{"containerPort": 8000, "hostPort": 8000}], "OK", "app:8000"),
        ([{"containerPort": 9000}, {"containerPort": 8000}], "OK", "app:8000"),
        ([{"containerPortRange": "7990-8010"}], "OK", "app:8000"),
        ([{"containerPortRange": "9000-9010"}], "MISSING", "is 8000, but app publishes 9000-9010"),
        ([], "MISSING", "is 8000, but app publishes no port"),
    ],
)
def test_the_port_that_a_target_group_s_tasks_publish(ports: list[Any], state: str, found: str) -> None:
    arn = "arn:aws:elasticloadbalancing:ap-northeast-1:111111111111:targetgroup/web/0123"
    description = {"loadBalancers": [{"targetGroupArn": arn, "containerName": "app", "containerPort": 8000}]}
    (one,) = definitions.ports(description, definition(container(portMappings=ports)), "mend")
    assert (one.what, one.state, one.found) == ("port of web", state, found)


def test_a_target_group_of_a_container_that_is_gone() -> None:
    description = {"loadBalancers": [{"targetGroupArn": "x", "containerName": "old", "containerPort": 1}]}
    (one,) = definitions.ports(description, definition(), "mend")
    assert (one.state, one.next) == ("MISSING", "mend")


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, "OK"),
        ({"Port": 12345}, "OK"),  # ECS registers each task with its container's port
        ({"HealthCheckPort": "8000"}, "OK"),
        ({"HealthCheckPort": "9999"}, "WARNING"),  # a side-car may listen there
        ({"TargetType": "instance"}, "MISSING"),
        ({"LoadBalancerArns": []}, "MISSING"),
        ({"HealthCheckPath": None, "HealthCheckProtocol": "TCP"}, "OK"),
    ],
)
def test_what_a_target_group_takes(changes: dict[str, Any], state: str) -> None:
    group = {
        "TargetGroupName": "web",
        "TargetType": "ip",
        "LoadBalancerArns": ["lb"],
        "HealthCheckPort": "traffic-port",
    }
    assert definitions.group({**group, **changes}, definition(), "mend").state == state


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, "OK"),
        ({"status": "DRAINING"}, "MISSING"),
        ({"deploymentController": {"type": "ECS"}}, "OK"),
        ({"deploymentController": {"type": "CODE_DEPLOY"}}, "OK"),
        ({"deploymentController": {"type": "EXTERNAL"}}, "MISSING"),
    ],
)
def test_whether_a_service_takes_a_rollout(changes: dict[str, Any], state: str) -> None:
    assert definitions.service({"serviceName": "web", "status": "ACTIVE", **changes}, "mend").state == state


@pytest.mark.parametrize(
    ("breaker", "state"),
    [({"enable": True, "rollback": True}, "OK"), ({"enable": True}, "WARNING"), ({}, "WARNING"), (None, "WARNING")],
)
def test_whether_ecs_gives_up_by_itself(breaker: Any, state: str) -> None:
    description = {"deploymentConfiguration": {"deploymentCircuitBreaker": breaker}}
    assert definitions.breaker(description, "mend").state == state


CODE_DEPLOY = {"deploymentController": {"type": "CODE_DEPLOY"}}
MOVED = replace(
    CONTRACT,
    load_balancer=LoadBalancer(container="app", port=80, target_groups=("blue", "green"), listener="l"),
    codedeploy=CodeDeploy(application="shop", deployment_group="web"),
)


@pytest.mark.parametrize(
    ("contract", "state", "says"),
    [
        (MOVED, "OK", "shop/web"),
        (replace(MOVED, codedeploy=None), "MISSING", "nobody says in which group"),
        (replace(MOVED, load_balancer=None), "MISSING", "nobody says which port"),
    ],
)
def test_where_codedeploy_moves_a_service_is_asked_in_place_of_the_breaker(
    contract: ServiceContract, state: str, says: str
) -> None:
    found = definitions.ending(CODE_DEPLOY, contract, "mend")
    assert (found.what, found.state) == ("deployment group", state)
    assert says in found.found
    assert definitions.ending({}, contract, "mend").what == "circuit breaker"


@pytest.mark.parametrize(
    ("live", "mode", "subnets", "state"),
    [
        ({"subnets": ["subnet-1"], "securityGroups": ["sg-1"]}, "awsvpc", ("subnet-1",), "OK"),
        ({"subnets": ["subnet-2"], "securityGroups": ["sg-1"]}, "awsvpc", ("subnet-1",), "WARNING"),
        ({}, "awsvpc", (), "MISSING"),
        ({}, "bridge", (), "OK"),
    ],
)
def test_where_one_off_tasks_run(live: dict[str, Any], mode: str, subnets: tuple[str, ...], state: str) -> None:
    description = {"networkConfiguration": {"awsvpcConfiguration": live}}
    contract = replace(CONTRACT, subnets=subnets)
    assert definitions.network(description, contract, definition(networkMode=mode), "mend").state == state


@pytest.mark.parametrize(
    ("service", "name", "state"), [("web", "app", "WARNING"), ("web", "worker", "MISSING"), ("job", "app", "MISSING")]
)
def test_whether_a_migration_could_run(service: str, name: str, state: str) -> None:
    wanted = config.Migration(service=service, container=name, command=("alembic",))
    found = definitions.migration(wanted, definition() if service == "web" else None, "mend")
    assert found.state == state


def wanted(image: str, *, platform: str = "linux/amd64") -> images.Wanted:
    return images.Wanted(container="app", image=image, platform=platform, mend="mend")


@pytest.mark.parametrize(
    ("status", "state"), [(404, "MISSING"), (401, "SKIPPED"), (403, "SKIPPED"), (429, "SKIPPED"), (500, "SKIPPED")]
)
def test_only_a_registry_that_says_so_lacks_an_image(status: int, state: str) -> None:
    shelf = Shelf(closed={"eu-west-1": status})
    found = images.present(shelf, wanted("111111111111.dkr.ecr.eu-west-1.amazonaws.com/a:1"))
    assert found.state == state


@pytest.mark.parametrize("index", [True, False])
@pytest.mark.parametrize(("architecture", "state"), [("amd64", "OK"), ("arm64", "MISSING")])
def test_an_image_is_for_what_its_index_or_its_configuration_says(
    architecture: str, state: str, *, index: bool
) -> None:
    shelf = Shelf(platform={"os": "linux", "architecture": architecture}, index=index)
    assert images.present(shelf, wanted("nginx:1")).state == state
    assert images.present(shelf, wanted("nginx:1", platform="")).state == "OK"  # on Windows nobody knows


def test_an_image_that_is_no_reference_is_not_looked_for() -> None:
    assert images.present(Shelf(), wanted("No:Reference!")).state == "SKIPPED"


def test_a_tree_is_as_bad_as_its_worst_part() -> None:
    parts = (check.ok("a"), check.skipped("b", "why"), check.warning("c", "worse"))
    assert check.together("all", parts).state == "WARNING"
    assert check.together("all", parts[:2]).state == "SKIPPED"
    assert check.together("all", ()).state == "OK"
    assert [path for path, _ in check.together("all", parts).leaves] == [("all", "a"), ("all", "b"), ("all", "c")]


def test_a_question_that_fails_otherwise_is_missing_with_its_hint() -> None:
    def ask() -> verify.Check:
        raise ConfigError("no", hint="do")

    assert (check.asked("x", ask).state, check.asked("x", ask).next) == ("MISSING", "do")


def test_throttling_and_silence_prove_nothing() -> None:
    def ask() -> verify.Check:
        raise AwsError("stg: ecs refused X: ThrottlingException slow down", code="ThrottlingException")

    found = check.asked("x", ask)
    assert (found.state, found.found) == ("SKIPPED", "ecs refused X: ThrottlingException slow down")


def test_a_refusal_names_everything_and_the_first_command() -> None:
    checks = (check.missing("a", "gone"), check.together("b", (check.missing("c", "lost", "mend it"),)))
    with pytest.raises(RefusedError) as caught:
        verify.refuse_missing(checks, "stg")
    assert str(caught.value) == "stg: a release would fail\n  a: gone\n  b · c: lost"
    assert (caught.value.hint, caught.value.exit_code) == ("mend it", 3)
    assert verify.notices((check.warning("x", "worse", "mend"), *checks)) == ("x: worse (mend)",)
