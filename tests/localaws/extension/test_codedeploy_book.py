from __future__ import annotations

from typing import Any

import pytest

from deploylib.localaws.extension.codedeploy_book import PREDEFINED, Book, RefusedError, steps

PLACE = "ap-northeast-1:111111111111"
NAMES = {"applicationName": "shop", "deploymentGroupName": "web"}
PAIR = {
    "targetGroups": [{"name": "blue"}, {"name": "green"}],
    "prodTrafficRoute": {"listenerArns": ["arn:listener"]},
}
GROUP = {
    **NAMES,
    "serviceRoleArn": "arn:role",
    "ecsServices": [{"clusterName": "shop", "serviceName": "web"}],
    "loadBalancerInfo": {"targetGroupPairInfoList": [PAIR]},
    "blueGreenDeploymentConfiguration": {"deploymentReadyOption": {"actionOnTimeout": "CONTINUE_DEPLOYMENT"}},
}
CANARY = {"type": "TimeBasedCanary", "timeBasedCanary": {"canaryPercentage": 20, "canaryInterval": 5}}


@pytest.fixture
def book() -> Book:
    made = Book(PLACE)
    ask(made, "CreateApplication", applicationName="shop", computePlatform="ECS")
    return made


def ask(book: Book, action: str, **asked: Any) -> dict[str, Any]:
    return book.verbs[action](asked)


def refused(book: Book, action: str, **asked: Any) -> str:
    with pytest.raises(RefusedError) as caught:
        ask(book, action, **asked)
    return caught.value.code


def test_a_group_is_told_back_as_it_was_made_with_what_aws_adds(book: Book) -> None:
    made = ask(book, "CreateDeploymentGroup", **GROUP)
    found = ask(book, "GetDeploymentGroup", **NAMES)["deploymentGroupInfo"]
    assert {**GROUP, "deploymentGroupId": made["deploymentGroupId"]}.items() <= found.items()
    assert (found["deploymentConfigName"], found["computePlatform"]) == ("CodeDeployDefault.ECSAllAtOnce", "ECS")


def test_an_update_changes_what_it_names_and_may_give_the_group_another_name(book: Book) -> None:
    ask(book, "CreateDeploymentGroup", **GROUP)
    update = {"currentDeploymentGroupName": "web", "newDeploymentGroupName": "front", "serviceRoleArn": "arn:other"}
    ask(book, "UpdateDeploymentGroup", applicationName="shop", **update)
    found = ask(book, "GetDeploymentGroup", applicationName="shop", deploymentGroupName="front")["deploymentGroupInfo"]
    assert (found["serviceRoleArn"], found["ecsServices"]) == ("arn:other", GROUP["ecsServices"])
    assert ask(book, "ListDeploymentGroups", applicationName="shop")["deploymentGroups"] == ["front"]


def test_a_group_that_could_move_nothing_is_refused(book: Book) -> None:
    lame = {"loadBalancerInfo": {"targetGroupPairInfoList": [{**PAIR, "targetGroups": [{"name": "blue"}]}]}}
    assert refused(book, "CreateDeploymentGroup", **{**GROUP, **lame}) == "InvalidTargetGroupPairException"
    assert refused(book, "CreateDeploymentGroup", **{**GROUP, "ecsServices": []}) == "InvalidECSServiceException"
    unknown = {**GROUP, "deploymentConfigName": "nobody-made-it"}
    assert refused(book, "CreateDeploymentGroup", **unknown) == "DeploymentConfigDoesNotExistException"


def test_what_is_not_there_has_the_names_that_terraform_looks_for(book: Book) -> None:
    assert refused(book, "GetApplication", applicationName="other") == "ApplicationDoesNotExistException"
    assert refused(book, "GetDeploymentGroup", **NAMES) == "DeploymentGroupDoesNotExistException"
    assert refused(book, "GetDeploymentConfig", deploymentConfigName="x") == "DeploymentConfigDoesNotExistException"


def test_an_application_of_another_platform_is_refused(book: Book) -> None:
    code = refused(book, "CreateApplication", applicationName="functions", computePlatform="Lambda")
    assert code == "InvalidComputePlatformException"


def test_a_deleted_application_takes_its_groups_along(book: Book) -> None:
    ask(book, "CreateDeploymentGroup", **GROUP)
    ask(book, "DeleteApplication", applicationName="shop")
    ask(book, "CreateApplication", applicationName="shop", computePlatform="ECS")
    assert ask(book, "ListDeploymentGroups", applicationName="shop")["deploymentGroups"] == []


def test_a_configuration_in_use_stays(book: Book) -> None:
    ask(book, "CreateDeploymentConfig", deploymentConfigName="c", computePlatform="ECS", trafficRoutingConfig=CANARY)
    ask(book, "CreateDeploymentGroup", **{**GROUP, "deploymentConfigName": "c"})
    assert refused(book, "DeleteDeploymentConfig", deploymentConfigName="c") == "DeploymentConfigInUseException"
    ask(book, "DeleteDeploymentGroup", **NAMES)
    ask(book, "DeleteDeploymentConfig", deploymentConfigName="c")
    assert refused(book, "GetDeploymentConfig", deploymentConfigName="c") == "DeploymentConfigDoesNotExistException"


def test_tags_are_kept_by_the_arn_that_terraform_makes(book: Book) -> None:
    tags = [{"Key": "App", "Value": "shop"}]
    ask(book, "CreateDeploymentGroup", **GROUP, tags=tags)
    arn = f"arn:aws:codedeploy:{PLACE}:deploymentgroup:shop/web"
    assert ask(book, "ListTagsForResource", ResourceArn=arn)["Tags"] == tags
    ask(book, "UntagResource", ResourceArn=arn, TagKeys=["App"])
    assert ask(book, "ListTagsForResource", ResourceArn=arn)["Tags"] == []


@pytest.mark.parametrize(
    ("routing", "wanted"),
    [
        ({"type": "AllAtOnce"}, ((100, 0),)),
        (CANARY, ((20, 5), (100, 0))),
        (
            {"type": "TimeBasedLinear", "timeBasedLinear": {"linearPercentage": 30, "linearInterval": 2}},
            ((30, 2), (60, 2), (90, 2), (100, 0)),
        ),
        (PREDEFINED["CodeDeployDefault.ECSCanary10Percent15Minutes"], ((10, 15), (100, 0))),
    ],
)
def test_traffic_moves_in_the_steps_of_its_configuration(
    routing: dict[str, Any], wanted: tuple[tuple[int, int], ...]
) -> None:
    assert steps(routing) == wanted
