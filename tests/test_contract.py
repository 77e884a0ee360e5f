"""The contract: read or refused, with what to do then."""

from __future__ import annotations

import json
from typing import Any

import pytest

from deploylib import contract
from deploylib.errors import AwsError, ContractError
from tests.fakes import world as worlds


def document(**changes: Any) -> dict[str, Any]:
    return {**worlds.world().contract_document(), **changes}


def with_service(**changes: Any) -> dict[str, Any]:
    found = document()
    found["services"]["web"].update(changes)
    return found


def test_a_contract_is_read_from_parameter_store_with_one_call() -> None:
    world = worlds.world()
    found = contract.read(world.account.ssm, worlds.PARAMETER)
    assert (found.account_id, found.cluster, found.repository) == ("111111111111", world.cluster, world.repository)
    web = found.services["web"]
    assert web.containers == {"app": "web", "nginx": "nginx"}
    assert (web.family, web.template, web.desired_count) == (worlds.WEB, world.templates["web"], 2)
    assert web.subnets == ("subnet-1", "subnet-2")
    assert world.aws.calls == {"ssm:GetParameter": 1}


def test_a_contract_that_was_never_published_says_what_to_run() -> None:
    with pytest.raises(ContractError, match="Terraform has not published /guestbook/prd/contract") as refused:
        contract.read(worlds.world().account.ssm, "/guestbook/prd/contract")
    assert (refused.value.hint, refused.value.exit_code) == ("inv infra.apply --env prd", 2)


def test_another_error_of_aws_stays_what_it_is() -> None:
    world = worlds.world()
    world.aws.ssm.refuse("get_parameter", "AccessDeniedException")
    with pytest.raises(AwsError) as refused:
        contract.read(world.account.ssm, worlds.PARAMETER)
    assert refused.value.code == "AccessDeniedException"


APPLY, UPDATE = "inv infra.apply --env stg", "update this tool"


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("", "is not JSON", APPLY),
        ("{", "is not JSON", APPLY),
        ("[]", "has version None", APPLY),
        ("{}", "has version None", APPLY),
        ('{"version": 0}', "has version 0; this tool reads version 1", APPLY),
        ('{"version": "1"}', "has version '1'", APPLY),
        ('{"version": 2}', "has version 2; this tool reads version 1", UPDATE),
    ],
)
def test_what_is_no_contract_of_this_version_is_refused(text: str, message: str, hint: str) -> None:
    with pytest.raises(ContractError) as refused:
        contract.parse(text, worlds.PARAMETER)
    assert f"{worlds.PARAMETER} {message}" in str(refused.value)
    assert refused.value.hint == hint


@pytest.mark.parametrize(
    ("found", "keys"),
    [
        ({key: value for key, value in document().items() if key not in ("cluster", "app")}, "app, cluster"),
        (with_service(desired_count="two", subnets="subnet-1"), "services.web.desired_count, services.web.subnets"),
        (document(services={"web": {}}), "services.web.name, services.web.family"),
    ],
)
def test_every_key_that_is_missing_or_mistyped_is_named(found: dict[str, Any], keys: str) -> None:
    with pytest.raises(ContractError) as refused:
        contract.parse(json.dumps(found), worlds.PARAMETER)
    assert f"lacks or mistypes {keys}" in str(refused.value)
    assert refused.value.hint == APPLY


def test_keys_of_a_later_edition_are_ignored() -> None:
    found = with_service(colour="green")
    assert contract.parse(json.dumps({**found, "queues": []}), "x") == contract.parse(json.dumps(document()), "x")


def test_what_is_optional_may_be_missing() -> None:
    found = with_service()
    for key in ("assign_public_ip", "log_group"):
        del found["services"]["web"][key]
    del found["url"]
    parsed = contract.parse(json.dumps(found), worlds.PARAMETER)
    assert parsed.url == ""
    assert parsed.services["web"].assign_public_ip is False
    assert parsed.services["web"].load_balancer is None
    assert parsed.scheduled_tasks == {}


def test_schedules_and_what_stands_behind_the_load_balancer_are_read() -> None:
    balancer = {"container": "nginx", "port": 8080, "target_groups": ["blue", "green"], "listener": "https"}
    service = document()["services"]["job"]
    schedule = {**service, "family": "guestbook-stg-cleanup", "schedule": "guestbook-stg-cleanup", "enabled": False}
    found = {**with_service(load_balancer=balancer), "scheduled_tasks": {"cleanup": schedule}}

    parsed = contract.parse(json.dumps(found), worlds.PARAMETER)

    web, cleanup = parsed.services["web"].load_balancer, parsed.scheduled_tasks["cleanup"]
    assert web is not None
    assert (web.container, web.port, web.target_groups, web.test_listener) == ("nginx", 8080, ("blue", "green"), "")
    assert (cleanup.schedule, cleanup.enabled) == ("guestbook-stg-cleanup", False)
    assert parsed.families == ("guestbook-stg-cleanup", worlds.JOB, worlds.WEB)
