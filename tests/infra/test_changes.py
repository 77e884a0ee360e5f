from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from deploylib.infra.changes import Action, Changes, Danger, read_changes
from tests.infra.rows import rows

CASES = sorted(Path(__file__).with_name("cases").glob("*.json"))
SECRETS = ("hunter2", "correct-horse")


@pytest.mark.parametrize("case", CASES, ids=[case.stem for case in CASES])
def test_a_real_plan_is_reduced_to_what_a_person_decides_on(case: Path) -> None:
    recorded = json.loads(case.read_text())
    assert rows(read_changes(recorded["plan"])) == recorded["rows"], recorded["about"]


@pytest.mark.parametrize("case", CASES, ids=[case.stem for case in CASES])
def test_no_secret_of_a_plan_gets_into_its_changes(case: Path) -> None:
    found = repr(read_changes(json.loads(case.read_text())["plan"]))
    assert not [secret for secret in SECRETS if secret in found]


def planned(**change: Any) -> Changes:
    """Return the changes of a plan with one object, of an attribute that the code sets."""
    names = {**(change.get("before") or {}), **(change.get("after") or {}), **(change.get("after_unknown") or {})}
    kind = change.pop("type", "aws_thing")
    resource = {"address": f"{kind}.this", "type": kind, "name": "this", **change.pop("resource", {})}
    written = {"type": kind, "name": "this", "expressions": change.pop("written", names)}
    return read_changes(
        {
            "configuration": {"root_module": {"resources": [written]}},
            "resource_changes": [{**resource, "change": {"actions": ["update"], **change}}],
            "resource_drift": [],
        }
    )


def difference(**change: Any) -> list[str]:
    return [row.strip() for row in rows(planned(**change))[1:]]


def test_a_secret_inside_a_block_is_masked_and_its_neighbours_are_not() -> None:
    found = difference(
        before={"user": [{"name": "admin", "password": "old", "level": 1}]},
        after={"user": [{"name": "admin", "password": "new", "level": 2}]},
        before_sensitive={"user": [{"password": True}]},
        after_sensitive={"user": [{"password": True}]},
    )
    assert found == ["user.admin.level: 1 -> 2", "user.admin.password: (sensitive) -> (sensitive)"]


def test_a_value_is_masked_when_only_one_side_is_sensitive() -> None:
    assert difference(before={"a": "open"}, after={"a": "secret"}, after_sensitive={"a": True}) == [
        "a: (sensitive) -> (sensitive)"
    ]


def test_a_value_that_only_becomes_sensitive_is_no_difference() -> None:
    assert difference(before={"a": "same"}, after={"a": "same"}, after_sensitive={"a": True}) == []


def test_a_secret_in_a_block_that_comes_whole_is_masked() -> None:
    found = difference(before={"b": []}, after={"b": [{"x": "hunter2"}]}, after_sensitive={"b": [{"x": True}]})
    assert found == ['b[+]: (none) -> {"x": "(sensitive)"}']


def test_a_secret_that_comes_and_is_not_known_yet_is_unknown() -> None:
    found = difference(
        before={"a": None}, after={}, after_unknown={"a": True}, after_sensitive={"a": True}, before_sensitive={}
    )
    assert found == ["a: (none) -> (known after apply)"]


def test_what_aws_computes_is_left_out_but_what_the_code_sets_is_not() -> None:
    found = difference(
        before={"version": 1, "value": "old"},
        after={},
        after_unknown={"version": True, "value": True},
        written={"value": {}},
    )
    assert found == ['value: "old" -> (known after apply)']


def test_null_and_empty_mean_the_same_outside_a_document() -> None:
    assert difference(before={"a": None, "b": "", "c": []}, after={"a": {}, "b": None, "c": ""}) == []


def test_an_empty_value_inside_a_document_is_a_value() -> None:
    before, after = (json.dumps({"environment": found}) for found in ([], [{"name": "A", "value": ""}]))
    assert difference(before={"d": before}, after={"d": after}) == ['d.environment.A: (none) -> ""']


def test_the_first_tags_are_shown_one_by_one() -> None:
    found = difference(before={"tags": None}, after={"tags": {"team": "shop", "cost": "1"}})
    assert found == ['tags.cost: (none) -> "1"', 'tags.team: (none) -> "shop"']


def test_what_aws_adds_to_a_container_is_no_difference() -> None:
    before = json.dumps([{"name": "web", "cpu": 0, "essential": True, "mountPoints": [], "image": "a"}])
    after = json.dumps([{"name": "web", "image": "b"}])
    assert difference(before={"c": before}, after={"c": after}) == ['c.web.image: "a" -> "b"']


def test_things_with_the_same_name_stay_apart() -> None:
    before = json.dumps([{"name": "A", "value": "1"}, {"name": "A", "value": "2"}])
    after = json.dumps([{"name": "A", "value": "1"}, {"name": "A", "value": "3"}])
    assert difference(before={"e": before}, after={"e": after}) == ['e[1].value: "2" -> "3"']


def test_a_block_that_goes_leaves_the_others_out() -> None:
    blocks = [{"port": 80}, {"port": 443}]
    assert difference(before={"ingress": blocks}, after={"ingress": blocks[1:]}) == [
        'ingress[0]: {"port": 80} -> (none)'
    ]


def test_a_single_block_needs_no_index() -> None:
    assert difference(before={"network": [{"public": False}]}, after={"network": [{"public": True}]}) == [
        "network.public: false -> true"
    ]


def test_the_forcing_attribute_inside_a_single_block_is_found() -> None:
    changes = planned(
        actions=["delete", "create"],
        before={"network": [{"vpc": "a"}]},
        after={"network": [{"vpc": "b"}]},
        replace_paths=[["network", 0, "vpc"]],
    )
    assert changes.changes[0].forces == ("network.vpc",)
    assert changes.changes[0].differences[0].forces


def test_text_that_only_looks_like_json_is_text() -> None:
    assert difference(before={"a": "[draft"}, after={"a": "{draft"}) == ['a: "[draft" -> "{draft"']


def test_an_action_that_nobody_knows_yet_is_taken_for_the_strongest() -> None:
    assert planned(actions=["evaporate"], before={}, after={}).changes[0].action is Action.REPLACE


def test_a_deposed_object_is_named_so_and_is_no_danger() -> None:
    (change,) = planned(
        type="aws_ecs_service",
        actions=["delete"],
        before={"desired_count": 2},
        after=None,
        resource={"deposed": "12345678"},
    ).changes
    assert change.address == "aws_ecs_service.this (deposed)"
    assert change.dangers == ()


@pytest.mark.parametrize(("desired", "dangers"), [(0, ()), (2, (Danger.SERVING,)), (None, (Danger.SERVING,))])
def test_replacing_a_service_is_dangerous_unless_nothing_runs(desired: int | None, dangers: tuple[Danger, ...]) -> None:
    (change,) = planned(
        type="aws_ecs_service", actions=["delete", "create"], before={"desired_count": desired}, after={}
    ).changes
    assert change.dangers == dangers


def test_a_plain_parameter_holds_no_data_of_its_own() -> None:
    (change,) = planned(type="aws_ssm_parameter", actions=["delete"], before={"type": "String"}, after=None).changes
    assert not change.holds_data


def test_modules_with_awkward_keys_are_matched_with_their_code() -> None:
    plan = {
        "configuration": {
            "root_module": {
                "module_calls": {
                    "service": {
                        "module": {"resources": [{"type": "aws_thing", "name": "this", "expressions": {"name": {}}}]}
                    }
                }
            }
        },
        "resource_changes": [
            {
                "address": 'module.service["a.b[0]"].aws_thing.this',
                "module_address": 'module.service["a.b[0]"]',
                "type": "aws_thing",
                "name": "this",
                "change": {
                    "actions": ["update"],
                    "before": {"name": "x", "arn": "y"},
                    "after": {},
                    "after_unknown": {"name": True, "arn": True},
                },
            }
        ],
    }
    assert [one.path for one in read_changes(plan).changes[0].differences] == ["name"]


@pytest.mark.parametrize(
    ("kind", "actions", "waits"),
    [
        ("aws_ecs_task_definition", ["create", "delete"], True),
        ("aws_ecs_task_definition", ["create"], False),
        ("aws_ecs_service", ["update"], False),
    ],
)
def test_a_changed_template_waits_for_the_next_deploy(kind: str, actions: list[str], *, waits: bool) -> None:
    changes = planned(type=kind, actions=actions, before={"cpu": "256"}, after={"cpu": "512"})
    assert changes.waits_for_deploy is waits


def resource(address: str, kind: str, **change: Any) -> dict[str, Any]:
    module, _, _ = address.rpartition(f".{kind}")
    fields = {"before": {}, "after": None, **change}
    return {"address": address, "module_address": module, "type": kind, "name": "this", "change": fields}


def test_actions_are_counted_by_module() -> None:
    plan = {
        "resource_changes": [
            resource('module.service["web"].aws_thing.this', "aws_thing", actions=["create"]),
            resource("module.network.aws_thing.this", "aws_thing", actions=["delete", "create"]),
            resource("module.network.aws_other.this", "aws_other", actions=["create"]),
            resource("aws_thing.this", "aws_thing", actions=["delete"]) | {"module_address": ""},
        ]
    }
    assert {name: dict(counts) for name, counts in read_changes(plan).modules.items()} == {
        "": {Action.DELETE: 1},
        "module.network": {Action.REPLACE: 1, Action.CREATE: 1},
        'module.service["web"]': {Action.CREATE: 1},
    }


@pytest.mark.parametrize(
    ("kind", "before", "identifiers"),
    [
        ("aws_iam_role", {"arn": "arn:role", "name": "role"}, ("arn:role",)),
        ("aws_ssm_parameter", {"arn": "arn:p", "name": "/p"}, ("arn:p", "/p")),
        ("aws_security_group", {"id": "sg-1", "name": "x"}, ("sg-1",)),
        ("aws_security_group", {"id": None}, ()),
        ("aws_thing", {"id": "1", "arn": "arn:x", "name": "x"}, ()),
    ],
)
def test_an_object_is_known_by_what_others_call_it(kind: str, before: dict[str, Any], identifiers: tuple[str]) -> None:
    (change,) = planned(type=kind, actions=["delete"], before=before, after=None).changes
    assert change.identifiers == identifiers


@pytest.mark.parametrize(
    ("kind", "attribute", "old", "new"),
    [
        ("aws_ecs_service", "desired_count", 0, 2),
        ("aws_ecs_service", "task_definition", "web-template:1", "web:7"),
        (
            "aws_lb_listener",
            "default_action",
            [{"type": "forward", "target_group_arn": "a"}],
            [{"type": "forward", "target_group_arn": "b"}],
        ),
    ],
)
def test_what_deploys_and_scaling_did_is_no_drift_but_told(kind: str, attribute: str, old: Any, new: Any) -> None:
    one = resource(f"{kind}.this", kind, actions=["update"], before={attribute: old}, after={attribute: new})
    written = {
        "root_module": {"resources": [{"type": kind, "name": "this", "expressions": {attribute: {}, "tags": {}}}]}
    }
    found = read_changes({"resource_drift": [one | {"module_address": ""}], "configuration": written})
    assert found.drift == ()
    assert [drift.address for drift in found.deployed] == [f"{kind}.this"]


def test_a_service_that_somebody_deleted_is_drift() -> None:
    one = resource("aws_ecs_service.this", "aws_ecs_service", actions=["delete"], before={"desired_count": 2})
    found = read_changes({"resource_drift": [one | {"module_address": ""}]})
    assert [drift.address for drift in found.drift] == ["aws_ecs_service.this"]
    assert found.deployed == ()
