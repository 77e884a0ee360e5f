"""The families that deploys wrote, after Terraform destroyed the rest."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import Stubber

from deploylib.errors import AwsError
from deploylib.infra import leftovers
from tests.fakes.world import APP, JOB, PARAMETER, REGION, WEB, World, environment, world

if TYPE_CHECKING:
    from pathlib import Path

    from deploylib.config import Environment


def released(*releases: int) -> World:
    """Return a world whose `web` went through *releases* after the first."""
    made = world()
    for number in releases:
        made.register("web", number)
    return made


def destroy(made: World) -> None:
    """Do what Terraform does: the contract, the services and the templates go."""
    made.aws.ssm.parameters.clear()
    for name in tuple(made.ecs.services):
        made.ecs.delete_service(cluster=made.cluster, service=name, force=True)
    for template in made.templates.values():
        made.ecs.deregister_task_definition(taskDefinition=template)
    made.aws.forget_calls()


def note(made: World, of: Environment) -> None:
    leftovers.note(made.account.ssm, of)


def clear(made: World, of: Environment) -> list[str]:
    return list(leftovers.clear(made.account.ecs, of))


def statuses(made: World, family: str) -> set[str]:
    return {one["status"] for one in made.ecs._definitions[family]}


def test_every_revision_that_a_deploy_wrote_is_deregistered_and_deleted(tmp_path: Path) -> None:
    made, of = released(2, 3), environment(tmp_path)
    note(made, of)
    destroy(made)
    assert clear(made, of) == [f"removing 1 revision of {JOB}", f"removing 3 revisions of {WEB}"]
    assert statuses(made, WEB) == statuses(made, JOB) == {"DELETE_IN_PROGRESS"}


def test_nothing_is_written_before_the_destroy_and_terraform_s_families_are_left_to_it(tmp_path: Path) -> None:
    made, of = released(), environment(tmp_path)
    note(made, of)
    assert not made.aws.writes
    clear(made, of)
    assert statuses(made, f"{WEB}-template") == statuses(made, f"{JOB}-template") == {"ACTIVE"}


def test_many_revisions_are_read_by_the_page_and_deleted_by_ten(tmp_path: Path) -> None:
    made, of = world(), environment(tmp_path)
    for _ in range(124):
        made.register("web", 1)
    note(made, of)
    destroy(made)
    clear(made, of)
    assert statuses(made, WEB) == {"DELETE_IN_PROGRESS"}
    deleted = [one.request["taskDefinitions"] for one in made.aws.writes if one.operation == "delete_task_definitions"]
    assert [len(one) for one in deleted] == [1, *[10] * 12, 5]


def test_revisions_that_were_deregistered_by_hand_go_too(tmp_path: Path) -> None:
    made, of = released(2), environment(tmp_path)
    made.ecs.deregister_task_definition(taskDefinition=f"{WEB}:1")
    note(made, of)
    destroy(made)
    assert f"removing 2 revisions of {WEB}" in clear(made, of)
    assert statuses(made, WEB) == {"DELETE_IN_PROGRESS"}
    assert made.aws.wrote.count("deregister_task_definition") == 2


def test_without_a_contract_nothing_is_noted_and_nothing_cleared(tmp_path: Path) -> None:
    made, of = released(), environment(tmp_path)
    made.aws.ssm.parameters.clear()
    note(made, of)
    made.aws.forget_calls()
    assert clear(made, of) == []
    assert not made.aws.log


def test_a_contract_that_this_tool_cannot_read_does_not_stop_a_destroy(tmp_path: Path) -> None:
    made, of = released(), environment(tmp_path)
    made.aws.ssm.give(PARAMETER, '{"version": 99}')
    note(made, of)
    assert clear(made, of) == []


def test_a_contract_that_may_not_be_read_stops_a_destroy_before_it_begins(tmp_path: Path) -> None:
    made, of = released(), environment(tmp_path)
    made.aws.ssm.refuse("get_parameter", "AccessDeniedException")
    with pytest.raises(AwsError, match="AccessDenied"):
        note(made, of)


def test_a_clearing_that_was_refused_goes_on_at_the_next_destroy(tmp_path: Path) -> None:
    made, of = released(2, 3), environment(tmp_path)
    note(made, of)
    destroy(made)
    made.ecs.throttle(1, "deregister_task_definition")
    with pytest.raises(AwsError, match=f"ThrottlingException(.|\n)*{JOB} are left") as refused:
        clear(made, of)
    assert refused.value.hint == "inv infra.destroy --env stg, which goes on here"
    note(made, of)  # the contract is gone by now
    assert clear(made, of) == [f"removing 1 revision of {JOB}", f"removing 3 revisions of {WEB}"]
    assert statuses(made, WEB) == statuses(made, JOB) == {"DELETE_IN_PROGRESS"}
    made.aws.forget_calls()
    assert clear(made, of) == []
    assert not made.aws.log


def test_a_destroy_that_took_the_contract_and_broke_off_still_knows_the_families(tmp_path: Path) -> None:
    made, of = released(), environment(tmp_path)
    note(made, of)
    made.aws.ssm.parameters.clear()
    note(made, of)
    destroy(made)
    assert len(clear(made, of)) == 2


def test_who_may_not_delete_is_told_that_the_revisions_stay_deregistered(tmp_path: Path) -> None:
    made, of = released(2), environment(tmp_path)
    note(made, of)
    destroy(made)
    made.ecs.refuse("delete_task_definitions", "AccessDeniedException", times=2)
    lines = clear(made, of)
    assert statuses(made, WEB) == statuses(made, JOB) == {"INACTIVE"}
    assert [line for line in lines if line.startswith(f"deregistered but not deleted: 2 revisions of {WEB} (")]
    assert "AccessDeniedException" in lines[-1]
    made.aws.forget_calls()
    assert clear(made, of) == []


def test_only_the_family_itself_is_removed_where_a_listing_gives_all_that_begin_like_it(tmp_path: Path) -> None:
    of = environment(tmp_path)
    note(world(), of)
    ecs = boto3.client("ecs", region_name=REGION, aws_access_key_id="x", aws_secret_access_key="x")
    arn = f"arn:aws:ecs:{REGION}:{of.account.id}:task-definition"
    listed: dict[str, Any] = {
        f"{APP}-stg-job": [],
        f"{APP}-stg-web": [f"{arn}/{WEB}:7", f"{arn}/{WEB}-admin:1", f"{arn}/{WEB}-template:2"],
    }
    with Stubber(ecs) as stub:
        for family, active in listed.items():
            for status, found in (("INACTIVE", []), ("ACTIVE", active)):
                expected = {"familyPrefix": family, "status": status}
                stub.add_response("list_task_definitions", {"taskDefinitionArns": found}, expected)
        stub.add_response("deregister_task_definition", {}, {"taskDefinition": f"{arn}/{WEB}:7"})
        failures = {"taskDefinitions": [], "failures": [{"arn": f"{arn}/{WEB}:7", "reason": "in use"}]}
        stub.add_response("delete_task_definitions", failures, {"taskDefinitions": [f"{arn}/{WEB}:7"]})
        assert list(leftovers.clear(ecs, of)) == [
            f"removing 1 revision of {WEB}",
            f"deregistered but not deleted: 1 revision of {WEB} (in use)",
        ]
        stub.assert_no_pending_responses()


def test_the_families_of_scheduled_tasks_go_too(tmp_path: Path) -> None:
    made, of = released(), environment(tmp_path)
    document = made.contract_document()
    schedule = {**document["services"].pop("job"), "schedule": "guestbook-stg-job"}
    made.aws.ssm.give(PARAMETER, json.dumps({**document, "scheduled_tasks": {"job": schedule}}))
    note(made, of)
    destroy(made)
    assert clear(made, of) == [f"removing 1 revision of {JOB}", f"removing 1 revision of {WEB}"]
