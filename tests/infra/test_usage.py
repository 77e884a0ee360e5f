from __future__ import annotations

from dataclasses import replace

import pytest

from deploylib.infra.changes import Action, Change, Changes, Danger
from deploylib.infra.usage import Use, mark, matters, repositories, use, without_empty

ROLE = "arn:aws:iam::111111111111:role/shop-web"
SECRET = "arn:aws:secretsmanager:ap-northeast-1:111111111111:secret:db-AbCdEf"
REPOSITORY = "111111111111.dkr.ecr.ap-northeast-1.amazonaws.com/shop"
REVISION = {
    "taskDefinitionArn": "arn:aws:ecs:ap-northeast-1:111111111111:task-definition/shop-web:7",
    "taskRoleArn": ROLE,
    "containerDefinitions": [
        {
            "name": "web",
            "image": f"{REPOSITORY}@sha256:0123",
            "environment": [{"name": "MODE", "value": "shop"}],
            "secrets": [{"name": "PASSWORD", "valueFrom": f"{SECRET}:password::"}],
            "logConfiguration": {"options": {"awslogs-group": "/shop/web"}},
        }
    ],
}
SERVICE = {
    "serviceName": "shop-web",
    "networkConfiguration": {"awsvpcConfiguration": {"securityGroups": ["sg-1"], "subnets": ["subnet-1"]}},
    "loadBalancers": [{"targetGroupArn": "arn:target"}],
}


@pytest.fixture
def live() -> Use:
    return use(REVISION, SERVICE)


def test_a_scheduled_task_has_no_service() -> None:
    (marked,) = mark(Changes(changes=(change("aws_iam_role", ROLE),)), [use(REVISION)]).changes
    assert marked.used_by == ("shop-web:7",)


def change(kind: str, *identifiers: str, action: Action = Action.DELETE) -> Change:
    return Change(address=f"{kind}.this", type=kind, action=action, identifiers=identifiers)


@pytest.mark.parametrize("action", [Action.DELETE, Action.REPLACE])
@pytest.mark.parametrize(
    ("kind", "identifier"),
    [
        ("aws_iam_role", ROLE),
        ("aws_secretsmanager_secret", SECRET),
        ("aws_cloudwatch_log_group", "/shop/web"),
        ("aws_ecr_repository", REPOSITORY),
        ("aws_security_group", "sg-1"),
        ("aws_subnet", "subnet-1"),
        ("aws_lb_target_group", "arn:target"),
    ],
)
def test_what_a_live_revision_or_its_service_uses_is_marked(
    live: Use, kind: str, identifier: str, action: Action
) -> None:
    (marked,) = mark(Changes(changes=(change(kind, identifier, action=action),)), [live]).changes
    assert marked.dangers == (Danger.USED,)
    assert marked.used_by == ("shop-web:7",)


@pytest.mark.parametrize(
    ("kind", "identifier"),
    [
        ("aws_iam_role", f"{ROLE}-2"),
        ("aws_iam_role", ROLE[:-1]),
        ("aws_cloudwatch_log_group", "/shop"),
        ("aws_ecr_repository", REPOSITORY[:-1]),
        ("aws_security_group", "sg-2"),
    ],
)
def test_what_only_has_a_similar_name_is_not(live: Use, kind: str, identifier: str) -> None:
    (marked,) = mark(Changes(changes=(change(kind, identifier),)), [live]).changes
    assert marked.dangers == ()


@pytest.mark.parametrize("action", [Action.UPDATE, Action.MOVE, Action.CREATE])
def test_what_stays_is_no_danger(live: Use, action: Action) -> None:
    (marked,) = mark(Changes(changes=(change("aws_iam_role", ROLE, action=action),)), [live]).changes
    assert marked.dangers == ()


def test_what_a_service_says_itself_is_terraforms_to_order_when_the_plan_changes_it(live: Use) -> None:
    group, service = change("aws_security_group", "sg-1"), change("aws_ecs_service", "shop-web", action=Action.UPDATE)
    assert mark(Changes(changes=(group, service)), [live]).changes == (group, service)
    other = replace(service, identifiers=("shop-job",))
    assert mark(Changes(changes=(group, other)), [live]).changes[0].used_by == ("shop-web:7",)


def test_what_a_revision_says_is_never_terraforms_to_order(live: Use) -> None:
    role, service = change("aws_iam_role", ROLE), change("aws_ecs_service", "shop-web", action=Action.UPDATE)
    assert mark(Changes(changes=(role, service)), [live]).changes[0].dangers == (Danger.USED,)


def test_every_service_that_uses_it_is_named(live: Use) -> None:
    other = replace(live, service="shop-job", revision="shop-job:3")
    (marked,) = mark(Changes(changes=(change("aws_iam_role", ROLE),)), [live, other]).changes
    assert marked.used_by == ("shop-web:7", "shop-job:3")


def test_a_replaced_service_is_serving_and_not_used(live: Use) -> None:
    service = change("aws_ecs_service", "shop-web", action=Action.REPLACE)
    assert mark(Changes(changes=(service,)), [live]).changes == (service,)


@pytest.mark.parametrize(
    ("kind", "action", "matter"),
    [
        ("aws_iam_role", Action.DELETE, True),
        ("aws_iam_role", Action.UPDATE, False),
        ("aws_ecs_service", Action.REPLACE, False),
    ],
)
def test_aws_is_asked_only_when_something_goes_that_can_be_used(kind: str, action: Action, *, matter: bool) -> None:
    assert matters(Changes(changes=(change(kind, ROLE, action=action),))) is matter


def test_an_empty_repository_holds_no_data() -> None:
    full, empty = (
        replace(change("aws_ecr_repository", url), dangers=(Danger.DATA,))
        for url in (REPOSITORY, f"{REPOSITORY}-cache")
    )
    both = Changes(changes=(full, empty))
    assert repositories(both) == (REPOSITORY, f"{REPOSITORY}-cache")
    assert [one.dangers for one in without_empty(both, [f"{REPOSITORY}-cache"]).changes] == [(Danger.DATA,), ()]
