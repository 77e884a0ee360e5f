from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from rich.cells import cell_len

from deploylib import report
from deploylib.errors import ConfigError, DeployError
from deploylib.infra.changes import Action, Change, Changes, Danger, Difference, Drift
from deploylib.infra.diagnostics import Lock
from deploylib.infra.saved import Basis
from deploylib.infra.state import Position
from deploylib.standing import Standing

if TYPE_CHECKING:
    from collections.abc import Callable

WEB = Standing(
    service="web",
    name="shop-stg-web",
    revision="shop-stg-web:7",
    template="shop-stg-web-template:4",
    commit="a" * 40,
    desired=2,
    running=2,
    released=True,
)
WAITING = Standing(
    service="job",
    name="shop-stg-job",
    revision="shop-stg-job:3",
    template="shop-stg-job-template:5",
    commit="",
    desired=1,
    running=0,
    released=True,
    waits=("cpu", "app.X", "app.Y", "app.Z"),
)
BASIS = Basis(
    environment="stg",
    account_id="111111111111",
    commit="b" * 40,
    configuration="c",
    serial=7,
    lineage="l",
    made_at=1_767_268_800.0,
)
RETENTION = Difference(path="retention_in_days", before=3, after=7)


@pytest.fixture
def shown(screen: Callable[..., Any]) -> Callable[..., list[str]]:
    """Return the lines that a report prints, without blanks at their ends."""

    def show(print_it: Callable[..., None], *args: Any, **options: Any) -> list[str]:
        page = screen(width=100)
        print_it(*args, console=page.console, **options)
        return [line for line in page.lines if line]

    return show


def documents(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def changes(**actions: Action) -> Changes:
    found = (
        Change(address=f"module.{name}.x.y", module=f"module.{name}", type="x", action=one)
        for name, one in actions.items()
    )
    return Changes(changes=tuple(found))


def test_drift_is_told_apart_from_what_deploys_own(shown: Callable[..., list[str]]) -> None:
    found = Changes(
        drift=(Drift(address="aws_log.web", differences=(RETENTION,)), Drift(address="aws_bucket.files")),
        deployed=(
            Drift(address="aws_service.web", differences=(Difference(path="desired_count", before=0, after=2),)),
        ),
    )
    assert shown(report.drift, found, environment="stg") == [
        "Changed behind Terraform's back",
        "    aws_log.web",
        "      ~ retention_in_days  3 → 7",
        "    aws_bucket.files  (deleted)",
        "Changed by deploys and scaling, as it should be",
        "    aws_service.web",
        "      ~ desired_count  0 → 2",
        "Drift: 2 objects",
    ]


def test_what_deploys_did_alone_is_no_drift(shown: Callable[..., list[str]]) -> None:
    lines = shown(report.drift, Changes(deployed=(Drift(address="a", differences=(RETENTION,)),)), environment="stg")
    assert lines[-1] == "No drift: what is there is what Terraform made"


def test_a_machine_gets_the_drift_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    report.drift(Changes(drift=(Drift(address="a", differences=(RETENTION,)),)), environment="stg", output="json")
    (document,) = documents(capsys)
    assert (document["event"], document["environment"], document["deployed"]) == ("DriftFound", "stg", [])
    assert document["drift"][0]["differences"][0]["after"] == 7


def test_environments_are_side_by_side_with_what_is_destroyed_first(shown: Callable[..., list[str]]) -> None:
    found = {
        "stg": changes(a=Action.CREATE, b=Action.REPLACE),
        "prd": changes(a=Action.CREATE, c=Action.DELETE),
        "dev": ConfigError("dev: no AWS profile 'dev'", hint="aws configure"),
    }
    lines = [line.split() for line in shown(report.side_by_side, found)]
    assert lines[0] == ["stg", "prd", "dev"]
    assert lines[2:5] == [
        ["module.b.x.y", "replace", "·", "failed"],
        ["module.c.x.y", "·", "delete", "failed"],
        ["module.a.x.y", "create", "create", "failed"],
    ]
    assert lines[5:9] == [
        ["to", "create", "1", "1", "failed"],
        ["to", "change", "·", "·", "failed"],
        ["to", "replace", "1", "·", "failed"],
        ["to", "delete", "·", "1", "failed"],
    ]
    assert " ".join(lines[-1]) == "dev: no AWS profile 'dev'"


def test_side_by_side_fits_onto_the_page(shown: Callable[..., list[str]]) -> None:
    found = dict.fromkeys(("staging", "production", "development"), changes(**{"m" * 200: Action.CREATE}))
    assert max(cell_len(line) for line in shown(report.side_by_side, found)) <= 100


def test_a_machine_gets_a_line_for_each_environment(capsys: pytest.CaptureFixture[str]) -> None:
    found: dict[str, Changes | DeployError] = {"stg": changes(a=Action.CREATE), "prd": ConfigError("no", hint="do")}
    report.side_by_side(found, output="json")
    plan, failure = documents(capsys)
    assert (plan["event"], plan["environment"], plan["counts"]["create"]) == ("InfrastructurePlanned", "stg", 1)
    assert failure == {
        "event": "PlanFailed",
        "environment": "prd",
        "error": "ConfigError",
        "message": "no",
        "hint": "do",
    }


def test_status_says_what_runs_what_waits_and_who_works_on_it(shown: Callable[..., list[str]]) -> None:
    lock = Lock(id="1", who="ann@laptop", created="2026-01-31T10:00:00Z", operation="apply")
    position = Position(serial=7, lineage="l", written="2026-01-31T09:00:00+00:00")
    lines = shown(report.status, "stg", [WEB, WAITING], position, lock=lock, waiting=BASIS)
    assert [line.split() for line in lines[2:4]] == [
        ["web", "2/2", "aaaaaaaaaaaa", "shop-stg-web:7", "shop-stg-web-template:4"],
        ["job", "0/1", "-", "shop-stg-job:3", "shop-stg-job-template:5", "(waits)"],
    ]
    assert lines[4:] == [
        "State: serial 7, written 2026-01-31T09:00:00+00:00",
        "Locked by ann@laptop since 2026-01-31T10:00:00Z (apply)",
        "only when that run is dead: inv infra.unlock --env stg --lock 1",
        "The plan of 2026-01-01 12:00 UTC waits: inv infra.apply --env stg",
        "job: shop-stg-job-template:5 waits for a deploy (cpu, app.X, app.Y, 1 more)",
        "the running tasks get it with: inv deploy --env stg",
    ]


def test_status_before_anything_is_short(shown: Callable[..., list[str]]) -> None:
    assert shown(report.status, "stg", [WEB], Position())[-1] == "State: serial 0, written never"


def test_a_machine_gets_the_status_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    report.status("stg", [WEB, WAITING], Position(serial=7), waiting=BASIS, output="json")
    (document,) = documents(capsys)
    assert document["event"] == "InfrastructureStatus"
    assert document["lock"] is None
    assert document["saved"]["commit"] == "b" * 40
    assert [one["waits"] for one in document["services"]] == [[], list(WAITING.waits)]


def test_nothing_is_said_when_nothing_waits(
    shown: Callable[..., list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert shown(report.pending, "stg", [WEB]) == []
    report.pending("stg", [], output="json")
    assert documents(capsys) == []


def test_a_machine_is_told_what_waits(capsys: pytest.CaptureFixture[str]) -> None:
    report.pending("stg", [WAITING], output="json")
    (document,) = documents(capsys)
    assert (document["event"], document["services"][0]["service"]) == ("TemplatesWait", "job")


def test_a_plan_that_is_saved_says_so_and_counts_by_module(shown: Callable[..., list[str]]) -> None:
    both = changes(network=Action.CREATE, database=Action.REPLACE)
    lines = shown(report.changes, both, environment="stg", basis=BASIS)
    assert [line.split() for line in lines if "·" in line] == [["database", "·", "1"], ["network", "1", "·"]]
    assert lines[0].split()[:3] == ["±", "replace", "module.database.x.y"]
    assert lines[-2:] == [
        "Plan: 1 to create, 0 to change, 1 to replace, 0 to delete",
        "Saved for inv infra.apply at 2026-01-01 12:00 UTC",
    ]


def test_who_uses_what_goes_is_said_beside_it(shown: Callable[..., list[str]]) -> None:
    role = Change(
        address="aws_iam_role.web",
        type="aws_iam_role",
        action=Action.DELETE,
        dangers=(Danger.USED,),
        used_by=("web:7",),
    )
    assert (
        shown(report.changes, Changes(changes=(role,)))[0] == "  - delete  aws_iam_role.web  !! IS USED  used by web:7"
    )


def test_a_machine_gets_modules_and_what_the_plan_was_made_for(capsys: pytest.CaptureFixture[str]) -> None:
    report.changes(changes(network=Action.CREATE), environment="stg", basis=BASIS, output="json")
    (document,) = documents(capsys)
    assert document["modules"]["module.network"]["create"] == 1
    assert document["saved"] == {"made": "2026-01-01 12:00 UTC", "commit": "b" * 40, "account_id": "111111111111"}
