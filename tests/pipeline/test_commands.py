"""`inv pipeline.artifacts` and `inv pipeline.buildspec`, from the command line to the files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from invoke import Context
from invoke.config import Config
from invoke.exceptions import Exit
from moto import mock_aws

from deploylib.tasks import pipeline
from tests.pipeline import scenery

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ACCOUNT = "123456789012"  # moto's
REPOSITORY = f"{ACCOUNT}.dkr.ecr.ap-northeast-1.amazonaws.com/shop"
COMMON = """
[app]
name = "shop"
path = "app"
[images.roles.web]
dockerfile = "Dockerfile"
[images.roles.job]
dockerfile = "Dockerfile"
[terraform.services.web.containers.app]
role = "web"
[terraform.services.job.containers.worker]
role = "job"
"""
STG = f"""
[account]
id = "{ACCOUNT}"
region = "ap-northeast-1"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "app").mkdir()
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments" / "common.toml").write_text(COMMON)
    (tmp_path / "environments" / "stg.toml").write_text(STG)
    return tmp_path


@pytest.fixture
def context(project: Path) -> Context:
    """Return what Invoke hands to a task of *project*."""
    return Context(Config(overrides={"root": str(project)}))


@pytest.fixture
def account() -> Iterator[Any]:
    """Yield ECS, with a web and a job that a release runs in, and the contract published."""
    with mock_aws():
        ecs, ssm = _client("ecs"), _client("ssm")
        ecs.create_cluster(clusterName="shop-stg")
        services = {key: _released(ecs, key, container) for key, container in (("web", "app"), ("job", "worker"))}
        document = {
            "version": 1,
            "app": "shop",
            "environment": "stg",
            "account_id": ACCOUNT,
            "region": "ap-northeast-1",
            "cluster": "shop-stg",
            "repository": REPOSITORY,
            "ledger": "shop-stg-releases",
            "services": services,
        }
        ssm.put_parameter(Name="/shop/stg/contract", Type="String", Value=json.dumps(document))
        yield ecs


@pytest.mark.usefixtures("account")
def test_images_that_were_pushed_are_what_the_deploy_stage_reads(context: Context, tmp_path: Path) -> None:
    out = tmp_path / "out"
    pipeline.artifacts(context, env="stg", out=str(out), images=_pushed(tmp_path, REPOSITORY))
    written = {str(one.relative_to(out)) for one in out.rglob("*") if one.is_file()}
    assert written == {"buildspec.yml", "web/imagedefinitions.json", "job/imagedefinitions.json"}
    (image,) = json.loads((out / "web" / "imagedefinitions.json").read_text())
    assert image == {"name": "app", "imageUri": f"{REPOSITORY}@{scenery.DIGESTS['web']}"}


@pytest.mark.usefixtures("account")
def test_images_of_another_account_end_it_with_exit_code_3_and_no_file(context: Context, tmp_path: Path) -> None:
    other = REPOSITORY.replace(ACCOUNT, "999999999999")
    with pytest.raises(Exit) as ended:
        pipeline.artifacts(context, env="stg", out=str(tmp_path / "out"), images=_pushed(tmp_path, other))
    assert ended.value.code == 3
    assert not (tmp_path / "out").exists()


def test_a_service_on_terraforms_template_ends_it_with_exit_code_3(
    account: Any, context: Context, tmp_path: Path
) -> None:
    account.update_service(cluster="shop-stg", service="shop-stg-web", taskDefinition="shop-stg-web-template:1")
    with pytest.raises(Exit) as ended:
        pipeline.artifacts(context, env="stg", out=str(tmp_path / "out"), images=_pushed(tmp_path, REPOSITORY))
    assert ended.value.code == 3
    assert "inv deploy --env stg" in str(ended.value.message)


def test_buildspec_is_written_and_then_up_to_date_until_another_image_is_run(context: Context, project: Path) -> None:
    file = project / "buildspec.yml"
    pipeline.buildspec(context, env="stg", out=str(file))
    pipeline.buildspec(context, env="stg", out=str(file), check=True)
    renamed = COMMON.replace("images.roles.job", "images.roles.cron").replace('role = "job"', 'role = "cron"')
    (project / "environments" / "common.toml").write_text(renamed)
    with pytest.raises(Exit) as ended:
        pipeline.buildspec(context, env="stg", out=str(file), check=True)
    assert ended.value.code == 9


def _released(ecs: Any, key: str, container: str) -> dict[str, Any]:
    """Register a template and a revision of it, have a service run that one; return what the contract says of it."""
    name = f"shop-stg-{key}"
    for family, tag in ((f"{name}-template", "set-by-deploy"), (name, "first")):
        image = f"{REPOSITORY}:{tag}"
        ecs.register_task_definition(
            family=family, containerDefinitions=[{"name": container, "image": image, "memory": 128, "essential": True}]
        )
    ecs.create_service(cluster="shop-stg", serviceName=name, taskDefinition=name, desiredCount=1)
    return {
        "name": name,
        "family": name,
        "template": f"arn:aws:ecs:ap-northeast-1:{ACCOUNT}:task-definition/{name}-template:1",
        "desired_count": 1,
        "containers": {container: key},
        "subnets": ["subnet-1"],
        "security_groups": ["sg-1"],
    }


def _pushed(folder: Path, repository: str) -> str:
    """Write what ECR's source action tells of a web and a job; return what `--images` is given."""
    files = {role: folder / f"{role}.json" for role in ("web", "job")}
    for role, file in files.items():
        file.write_text(json.dumps({"ImageURI": f"{repository}@{scenery.DIGESTS[role]}"}))
    return ",".join(f"{role}={file}" for role, file in files.items())


def _client(service: str) -> Any:
    return boto3.Session(region_name="ap-northeast-1").client(service)  # type: ignore[call-overload]
