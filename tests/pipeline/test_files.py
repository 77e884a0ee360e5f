"""What the deploy stage of a pipeline reads, against what it has to look like, in two accounts."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.validate import ParamValidator

from deploylib import taskdef
from deploylib.config import Migration
from deploylib.contract import ScheduledTask
from deploylib.errors import RefusedError
from deploylib.pipeline import files
from tests.fakes import world as worlds
from tests.pipeline import scenery
from tests.pipeline.scenery import DIGESTS, PRD, STG

GOLDEN = Path(__file__).parent / "golden"
PATHS = {
    "web/taskdef.json",
    "web/appspec.yaml",
    "job/imagedefinitions.json",
    "images/web/imageDetail.json",
    "images/nginx/imageDetail.json",
}


def test_each_service_gets_the_files_of_whoever_moves_it() -> None:
    assert set(files.files(scenery.release(STG))) == PATHS


def test_a_pipeline_of_ecs_alone_gets_image_definitions_alone() -> None:
    found = files.files(scenery.release(STG, codedeploy=False))
    assert set(found) == {"web/imagedefinitions.json", "job/imagedefinitions.json"}
    assert json.loads(found["web/imagedefinitions.json"]) == [
        {"name": "app", "imageUri": f"{STG.repository}@{DIGESTS['web']}"},
        {"name": "nginx", "imageUri": f"{STG.repository}@{DIGESTS['nginx']}"},
    ]


@pytest.mark.parametrize("path", sorted(PATHS))
def test_files_are_those_that_were_looked_at(path: str) -> None:
    golden = (GOLDEN / path.replace("/", "-")).read_text(encoding="utf-8")
    assert files.files(scenery.release(STG))[path] == golden


def test_from_one_checkout_the_files_of_two_accounts_differ_by_facts_of_the_account_alone() -> None:
    staging, production = files.files(scenery.release(STG)), files.files(scenery.release(PRD))
    assert staging.keys() == production.keys()
    for path, text in staging.items():
        assert _without_fingerprint(_moved(text)) == _without_fingerprint(production[path])
        assert not [fact for fact in STG.facts() if fact in production[path]]


def test_the_fingerprint_is_that_of_the_template_in_each_account() -> None:
    for place in (STG, PRD):
        document = json.loads(files.files(scenery.release(place))["web/taskdef.json"])
        expected = taskdef.fingerprint(scenery.template(place, "web"), ("app", "nginx"))
        assert taskdef.tag(document, taskdef.TAG_FINGERPRINT) == expected


def test_taskdef_is_what_register_task_definition_takes() -> None:
    document = json.loads(files.files(scenery.release(STG))["web/taskdef.json"])
    report = ParamValidator().validate(document, scenery.model("ecs", "RegisterTaskDefinition"))
    assert not report.has_errors(), report.generate_report()


def test_what_the_pipeline_registers_is_known_as_an_untouched_copy_of_the_template() -> None:
    registered = _filled(json.loads(files.files(scenery.release(STG))["web/taskdef.json"]))
    found = taskdef.template_of(registered, scenery.template(STG, "web")["taskDefinitionArn"], ("app", "nginx"))
    assert found is not None


def test_taskdef_and_appspec_have_the_placeholders_that_codedeploy_fills_in() -> None:
    found = files.files(scenery.release(STG))
    images = {one["name"]: one["image"] for one in json.loads(found["web/taskdef.json"])["containerDefinitions"]}
    assert images == {"app": "<IMAGE1_NAME>", "nginx": "<IMAGE2_NAME>", "agent": "public.ecr.aws/acme/agent:1"}
    resource = yaml.safe_load(found["web/appspec.yaml"])["Resources"][0]["TargetService"]
    assert resource["Properties"]["TaskDefinition"] == "<TASK_DEFINITION>"
    assert json.loads(found["images/web/imageDetail.json"]) == {"ImageURI": f"{STG.repository}@{DIGESTS['web']}"}


def test_a_commit_that_nobody_knows_is_not_written_down() -> None:
    found = files.files(replace(scenery.release(STG), commit=""))
    assert taskdef.tag(json.loads(found["web/taskdef.json"]), taskdef.TAG_COMMIT) == ""


@pytest.mark.parametrize("codedeploy", [True, False])
def test_the_first_release_is_refused_with_what_does_it(*, codedeploy: bool) -> None:
    with pytest.raises(RefusedError, match="nothing was released into it yet") as refused:
        files.files(scenery.release(STG, codedeploy=codedeploy, released=False))
    assert refused.value.hint == "inv deploy --env stg, the first time"


def test_a_template_that_waits_is_said_of_services_that_ecs_rolls_out() -> None:
    release = scenery.release(STG)
    assert list(_notices(release)) == []
    waiting = [replace(one, template={**one.template, "cpu": "512"}) for one in release.live.services]
    found = _notices(replace(release, live=replace(release.live, services=tuple(waiting))))
    assert [one.partition(":")[0] for one in found] == ["job"]


def test_what_a_pipeline_does_not_do_is_said() -> None:
    release = scenery.release(STG)
    task = ScheduledTask(name="c", family="c", template="t", containers={}, subnets=(), security_groups=())
    live = replace(release.live, contract=replace(release.live.contract, scheduled_tasks={"cleanup": task}))
    migration = Migration(service="web", container="app", command=("alembic", "upgrade", "head"))
    found = _notices(replace(release, live=live), migration=migration)
    assert found == [
        "a pipeline runs no migration: alembic upgrade head is not among what it does",
        "scheduled tasks stay on their revision: cleanup",
    ]


def _notices(release: files.Release, **changes: Any) -> list[str]:
    return list(files.notices(release, worlds.environment(**{"migration": None, **changes})))


def _moved(text: str) -> str:
    """Return *text* of staging with production's facts in their place."""
    for old, new in zip(STG.facts(), PRD.facts(), strict=True):
        text = text.replace(old, new)
    return text


def _without_fingerprint(text: str) -> str:
    """Return *text* without the digest of a template that is another in each account."""
    return re.sub(r'"[0-9a-f]{64}"', '"…"', text)


def _filled(document: dict[str, Any]) -> dict[str, Any]:
    """Return what CodeDeploy's action registers, as ECS describes it."""
    containers = [
        {**one, "image": f"{STG.repository}@{DIGESTS['web']}"} if one["image"].startswith("<") else one
        for one in document["containerDefinitions"]
    ]
    return {**document, "containerDefinitions": containers}
