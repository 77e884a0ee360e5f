"""Names: which are possible, which values fit, who asks for which parameter."""

from __future__ import annotations

from typing import Any

import pytest

from deploylib import config
from deploylib.settings import names
from tests.fakes import world as worlds

ENVIRONMENT = worlds.environment()


def test_a_setting_is_the_last_part_of_its_parameter() -> None:
    assert names.parameter(ENVIRONMENT, "SECRET_KEY") == "/guestbook/stg/settings/SECRET_KEY"
    assert names.setting("/guestbook/stg/settings/SECRET_KEY") == "SECRET_KEY"


@pytest.mark.parametrize("name", ["A", "_", "secret_key", "S3_URL", "X" * 255])
def test_a_variable_s_name_is_a_setting_s_name(name: str) -> None:
    assert names.problem_of_name(ENVIRONMENT, name) == ""


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "letters, digits and underscores"),
        ("1A", "starts with no digit"),
        ("A-B", "letters, digits and underscores"),
        ("A.B", "letters, digits and underscores"),
        ("A/B", "letters, digits and underscores"),
        ("Ä", "letters, digits and underscores"),
        ("A\n", "letters, digits and underscores"),
        ("X" * 256, "at most 255 characters, not 256"),
    ],
)
def test_other_names_are_refused_with_the_reason(name: str, why: str) -> None:
    assert why in names.problem_of_name(ENVIRONMENT, name)


@pytest.mark.parametrize("app", ["aws-shop", "ssmith"])
def test_an_app_whose_name_begins_as_aws_keeps_for_itself_can_have_no_settings(app: str) -> None:
    environment = worlds.environment(app=config.App(name=app, path="app"))
    assert f"/{app}" in names.problem_of_name(environment, "A")


@pytest.mark.parametrize("value", ["x", "x" * 8192, "ü" * 4096, "{not: {nested}}", " ", "line\nline\n"])
def test_a_value_of_up_to_eight_kilobytes_fits(value: str) -> None:
    assert names.problem_of_value(value) == ""


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("", "no empty value"),
        ("x" * 8193, "at most 8192 bytes, not 8193"),
        ("ü" * 4097, "at most 8192 bytes, not 8194"),
        ("{{ssm:other}}", "{{…}}"),
        ("a {{\nb }} c", "{{…}}"),
    ],
)
def test_what_parameter_store_would_refuse_is_told_without_the_value(value: str, why: str) -> None:
    problem = names.problem_of_value(value)
    assert why in problem
    assert not value or value not in problem


def test_a_value_over_four_kilobytes_is_an_advanced_parameter() -> None:
    assert [names.is_advanced("x" * size) for size in (4096, 4097)] == [False, True]


def test_what_containers_ask_for_is_read_from_the_configuration() -> None:
    containers = {"app": {"settings": ["B", "A"]}, "nginx": {}}
    environment = worlds.environment(
        terraform={
            "services": {"web": {"containers": containers}, "job": {"containers": {"worker": {"settings": ["A"]}}}},
            "scheduled_tasks": {"clean": {"containers": {"worker": {"settings": ["A"]}}}},
        }
    )
    assert names.declared(environment) == {"A": ("web/app", "job/worker", "clean/worker"), "B": ("web/app",)}


def test_an_environment_without_services_asks_for_nothing() -> None:
    assert names.declared(ENVIRONMENT) == {}


def definition(*values: str) -> dict[str, Any]:
    secrets = [{"name": f"V{number}", "valueFrom": value} for number, value in enumerate(values)]
    return {"containerDefinitions": [{"name": "app", "secrets": secrets}, {"name": "nginx"}]}


@pytest.mark.parametrize(
    "value",
    ["/guestbook/stg/settings/A", "arn:aws:ssm:ap-northeast-1:111111111111:parameter/guestbook/stg/settings/A"],
    ids=["name", "ARN"],
)
def test_a_parameter_is_named_by_its_name_or_its_arn(value: str) -> None:
    (found,) = names.references(definition(value), "guestbook", "stg")
    assert (found.container, found.variable, found.parameter) == ("app", "V0", "/guestbook/stg/settings/A")


@pytest.mark.parametrize(
    "value",
    [
        "arn:aws:secretsmanager:ap-northeast-1:111111111111:secret:guestbook/stg/settings/A-123456:password::",
        "arn:aws:ssm:ap-northeast-1:111111111111:parameter/guestbook/stg2/settings/A",
        "/guestbook/prd/settings/A",
        "A",
        "",
    ],
)
def test_what_is_not_under_the_environment_s_path_is_not_looked_after(value: str) -> None:
    assert names.references(definition(value), "guestbook", "stg") == ()
