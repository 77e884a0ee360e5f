"""`inv pipeline.artifacts` for stg and prd from one checkout: what differs is what each account has of its own.

Both accounts are moto's, each with the same application: a web that CodeDeploy moves, a job that ECS rolls out.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from invoke import Context
from invoke.config import Config
from moto import mock_aws

from deploylib.tasks import pipeline
from tests.pipeline import scenery
from tests.pipeline.scenery import PRD, STG, Place

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMMON = """
[app]
name = "shop"
path = "app"
[images.roles.web]
dockerfile = "Dockerfile"
[images.roles.nginx]
dockerfile = "Dockerfile"
[images.roles.job]
dockerfile = "Dockerfile"
[services.web]
strategy = "codedeploy"
[terraform.services.web.codedeploy]
[terraform.services.web.containers.app]
role = "web"
[terraform.services.web.containers.nginx]
role = "nginx"
[terraform.services.job.containers.worker]
role = "job"
"""
FILES = {
    "buildspec.yml",
    "images/nginx/imageDetail.json",
    "images/web/imageDetail.json",
    "job/imagedefinitions.json",
    "web/appspec.yaml",
    "web/taskdef.json",
}


@pytest.fixture
def context(tmp_path: Path) -> Context:
    """Return what Invoke hands to a task of one checkout with two environments, each in an account of its own."""
    (tmp_path / "app").mkdir()
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments/common.toml").write_text(COMMON)
    for place in (STG, PRD):
        account = f'id = "{place.account_id}"\nregion = "ap-northeast-1"\nrole = {{ arn = "{_role(place)}" }}\n'
        (tmp_path / f"environments/{place.environment}.toml").write_text(f"[account]\n{account}")
    return Context(Config(overrides={"root": str(tmp_path)}))


@pytest.fixture
def accounts() -> Iterator[None]:
    """Have the application released in both accounts."""
    with mock_aws():
        for place in (STG, PRD):
            _published(place)
        yield


@pytest.mark.usefixtures("accounts")
def test_from_one_checkout_each_account_gets_the_same_files_with_its_own_facts_in_them(
    context: Context, tmp_path: Path
) -> None:
    staging, production = (_artifacts(context, place, tmp_path) for place in (STG, PRD))
    assert staging.keys() == production.keys() == FILES
    assert staging["buildspec.yml"] == production["buildspec.yml"]
    for name in FILES - {"buildspec.yml"}:
        assert staging[name] != production[name]
        assert _moved(staging[name]) == _without_fingerprint(production[name])
        assert not [fact for fact in STG.facts() if fact in production[name]]
    registered = json.loads(_filled(production["web/taskdef.json"]))
    made = _client(PRD, "ecs").register_task_definition(**registered)["taskDefinition"]
    assert f":{PRD.account_id}:" in made["taskDefinitionArn"]


def _artifacts(context: Context, place: Place, folder: Path) -> dict[str, str]:
    """Return the files that are written for *place*, of images that were pushed there."""
    details = {role: folder / f"{place.environment}-{role}.json" for role in scenery.DIGESTS}
    for role, file in details.items():
        file.write_text(json.dumps({"ImageURI": f"{place.repository}@{scenery.DIGESTS[role]}"}))
    out = folder / place.environment
    images = ",".join(f"{role}={file}" for role, file in details.items())
    pipeline.artifacts(context, env=place.environment, out=str(out), images=images)
    return {str(one.relative_to(out)): one.read_text() for one in out.rglob("*") if one.is_file()}


def _published(place: Place) -> None:
    """Have templates, revisions and services of *place*, and publish its contract."""
    ecs, contract = _client(place, "ecs"), scenery.document(place)
    ecs.create_cluster(clusterName=place.name)
    for key, service in contract["services"].items():
        made = scenery.template(place, key)
        fields = {name: value for name, value in made.items() if name in scenery.writable() and value}
        template = ecs.register_task_definition(**fields)["taskDefinition"]["taskDefinitionArn"]
        images = [{**one, "image": "first"} for one in fields["containerDefinitions"]]
        ecs.register_task_definition(**{**fields, "family": service["family"], "containerDefinitions": images})
        controller = {"type": "CODE_DEPLOY" if "codedeploy" in service else "ECS"}
        ecs.create_service(
            cluster=place.name,
            serviceName=service["name"],
            taskDefinition=service["family"],
            desiredCount=1,
            deploymentController=controller,
        )
        service["template"] = template
    _client(place, "ssm").put_parameter(
        Name=f"/shop/{place.environment}/contract", Type="String", Value=json.dumps(contract)
    )


def _role(place: Place) -> str:
    return f"arn:aws:iam::{place.account_id}:role/{place.name}-deploy"


def _client(place: Place, service: str) -> Any:
    """Return a client that is signed in to the account of *place*."""
    sts = boto3.Session(region_name="ap-northeast-1").client("sts")
    keys = sts.assume_role(RoleArn=_role(place), RoleSessionName="test")["Credentials"]
    session = boto3.Session(
        region_name="ap-northeast-1",
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )
    return session.client(service)  # type: ignore[call-overload]  # the name is data here


def _moved(text: str) -> str:
    """Return *text* of staging with production's facts in their place."""
    for old, new in zip(STG.facts(), PRD.facts(), strict=True):
        text = text.replace(old, new)
    return _without_fingerprint(text)


def _without_fingerprint(text: str) -> str:
    """Return *text* without the digest of a template that is another in each account."""
    return re.sub(r'"[0-9a-f]{64}"', '"…"', text)


def _filled(text: str) -> str:
    """Return *text* with an image in place of each placeholder."""
    return re.sub(r"<IMAGE\d_NAME>", f"{PRD.repository}@{scenery.DIGESTS['web']}", text)
