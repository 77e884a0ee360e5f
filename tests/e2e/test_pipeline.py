"""The pipeline that Terraform plans, for each source and each way to deploy: what AWS takes, and what our files fit.

Nobody here can make one: the local AWS has no CodePipeline, and Terraform's provider cannot read moto's back. So what
is planned is checked by botocore's own model, handed to moto by boto3, and compared with the files of its build.
"""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import yaml
from botocore.validate import ParamValidator
from moto import mock_aws

from deploylib import process
from deploylib.config import ServiceRelease
from deploylib.pipeline import buildspec, files, parts
from deploylib.toolchain import machine, provider_mirror, terraform
from tests.e2e.project import ROOT
from tests.fakes import world as worlds
from tests.pipeline import scenery

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.e2e

Document = dict[str, Any]

COMBINATIONS = ("git-ecs", "git-codedeploy", "ecr-ecs", "ecr-codedeploy")
MOST_ARTIFACTS = 5

CODE = """
provider "aws" {
  region                      = "ap-northeast-1"
  access_key                  = "x"
  secret_key                  = "x"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}

locals {
  tags = { web = "web-stg", nginx = "nginx-stg", job = "job-stg" }
  app  = { application = "shop-stg", deployment_group = "web" }
}

module "pipeline" {
  source   = "./modules/pipeline"
  for_each = toset(["git-ecs", "git-codedeploy", "ecr-ecs", "ecr-codedeploy"])

  name             = "shop-stg"
  environment      = "stg"
  account_id       = "111111111111"
  region           = "ap-northeast-1"
  source_type      = split("-", each.key)[0]
  images           = one([for tags in [local.tags] : { tags = tags, trigger = "web" } if startswith(each.key, "ecr")])
  cluster_arn      = "arn:aws:ecs:ap-northeast-1:111111111111:cluster/shop-stg"
  contract         = "/shop/stg/contract"
  passed_role_arns = ["arn:aws:iam::111111111111:role/shop-stg-execution"]
  approval         = {}
  build            = { parameters = { LICENCE = "/shop/build/licence" } }

  repository = {
    name           = "acme/shop"
    branch         = "main"
    connection_arn = "arn:aws:codeconnections:ap-northeast-1:111111111111:connection/1"
  }

  image_repository = {
    name      = "shop"
    arn       = "arn:aws:ecr:ap-northeast-1:111111111111:repository/shop"
    cache_arn = "arn:aws:ecr:ap-northeast-1:111111111111:repository/shop-cache"
  }

  services = {
    job = { service = "shop-stg-job", family = "shop-stg-job", containers = { worker = "job" } }
    web = {
      service    = "shop-stg-web"
      family     = "shop-stg-web"
      containers = { app = "web", nginx = "nginx" }
      codedeploy = one([for app in [local.app] : app if endswith(each.key, "codedeploy")])
    }
  }
}
"""


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Document]]:
    """Return what Terraform would make, by combination and type; no account is asked."""
    folder = tmp_path_factory.mktemp("pipeline")
    modules = ("modules", "pipeline")
    shutil.copytree(ROOT.joinpath("terraform", *modules), folder.joinpath(*modules))
    (folder / "main.tf").write_text(CODE, encoding="utf-8")
    program = terraform.find(ROOT)
    variables = provider_mirror.environment(ROOT, machine.this(), program)
    for words in (("init", "-backend=false"), ("plan", "-refresh=false", "-out=plan")):
        process.run([program.program, *words, "-input=false", "-no-color"], cwd=folder, env=variables)
    shown = process.run([program.program, "show", "-json", "plan"], cwd=folder, env=variables).stdout
    children = json.loads(shown)["planned_values"]["root_module"]["child_modules"]
    return {
        one["address"].split('"')[1]: {each["type"]: each.get("values", {}) for each in one["resources"]}
        for one in children
    }


@pytest.fixture
def account() -> Iterator[str]:
    """Yield the ARN of a role that CodePipeline may take, in an account that is not real."""
    with mock_aws():
        trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "codepipeline.amazonaws.com"}}
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        role = _client("iam").create_role(RoleName="pipeline", AssumeRolePolicyDocument=document)
        yield role["Role"]["Arn"]


@pytest.mark.parametrize("combination", COMBINATIONS)
def test_what_is_planned_is_a_pipeline_that_aws_takes(
    planned: dict[str, dict[str, Document]], combination: str, account: str
) -> None:
    definition = _definition(planned[combination]["aws_codepipeline"], account)
    report = ParamValidator().validate({"pipeline": definition}, scenery.model("codepipeline", "CreatePipeline"))
    assert not report.has_errors(), report.generate_report()
    client = _client("codepipeline")
    made = client.create_pipeline(pipeline=definition)["pipeline"]
    assert made["stages"] == definition["stages"]
    assert client.start_pipeline_execution(name="shop-stg")["pipelineExecutionId"]


@pytest.mark.parametrize("combination", COMBINATIONS)
def test_each_action_takes_what_an_earlier_stage_has_made(
    planned: dict[str, dict[str, Document]], combination: str
) -> None:
    made: set[str] = set()
    for stage in _definition(planned[combination]["aws_codepipeline"], "role")["stages"]:
        outputs = [each["name"] for one in stage["actions"] for each in one["outputArtifacts"]]
        for action in stage["actions"]:
            inputs = {one["name"] for one in action["inputArtifacts"]}
            assert inputs <= made
            assert max(len(inputs), len(action["outputArtifacts"])) <= MOST_ARTIFACTS
        assert not made.intersection(outputs)
        made.update(outputs)


@pytest.mark.parametrize("combination", COMBINATIONS)
def test_the_deploy_stage_asks_for_files_and_images_that_the_build_makes(
    planned: dict[str, dict[str, Document]], combination: str
) -> None:
    codedeploy = combination.endswith("codedeploy")
    release = scenery.release(scenery.STG, codedeploy=codedeploy)
    there = files.files(release)
    for action in _actions(planned[combination], "Deploy"):
        settings = action["configuration"]
        asked = [settings[key] for key in settings if key == "FileName" or key.endswith("TemplatePath")]
        assert asked
        assert set(asked) <= set(there)
        if action["provider"] == "CodeDeployToECS":
            containers = release.live.contract.services[action["name"]].containers
            expected = {parts.identifier("image", role): name for role, name in parts.placeholders(containers).items()}
            assert _filled_in(settings) == expected


@pytest.mark.parametrize("combination", COMBINATIONS)
def test_the_buildspec_makes_the_artifacts_that_the_build_declares(
    planned: dict[str, dict[str, Document]], combination: str
) -> None:
    policies = {"web": ServiceRelease(strategy="codedeploy")} if combination.endswith("codedeploy") else {}
    services = {
        "web": {"containers": {"app": {"role": "web"}, "nginx": {"role": "nginx"}}},
        "job": {"containers": {"worker": {"role": "job"}}},
    }
    text = buildspec.render(worlds.environment(terraform={"services": services}, services=policies))
    (build,) = _actions(planned[combination], "Build")
    declared = set(build["output_artifacts"])
    assert declared == set(yaml.safe_load(text)["artifacts"].get("secondary-artifacts", {"files": {}}))
    pushed = {one for one in build["input_artifacts"] if one != "source"}
    assert {one for one in pushed if f"$CODEBUILD_SRC_DIR_{one}/imageDetail.json" in text} == pushed


@pytest.mark.parametrize("combination", COMBINATIONS)
def test_the_build_is_a_project_that_aws_takes(planned: dict[str, dict[str, Document]], combination: str) -> None:
    values = planned[combination]["aws_codebuild_project"]
    (machine_,), (cache,) = values["environment"], values["cache"]
    variables = [
        {key: one[key] for key in ("name", "value", "type") if one.get(key)} for one in machine_["environment_variable"]
    ]
    document = {
        "name": values["name"],
        "serviceRole": "arn:aws:iam::111111111111:role/build",
        "source": {"type": values["source"][0]["type"], "buildspec": values["source"][0]["buildspec"]},
        "artifacts": {"type": values["artifacts"][0]["type"]},
        "cache": {"type": cache["type"], "modes": cache["modes"]},
        "environment": {
            "type": machine_["type"],
            "image": machine_["image"],
            "computeType": machine_["compute_type"],
            "privilegedMode": machine_["privileged_mode"],
            "environmentVariables": variables,
        },
        "timeoutInMinutes": values["build_timeout"],
    }
    shape = scenery.model("codebuild", "CreateProject")
    report = ParamValidator().validate(document, shape)
    assert not report.has_errors(), report.generate_report()
    members = shape.members
    assert document["cache"]["type"] in members["cache"].members["type"].enum
    assert set(cache["modes"]) <= set(members["cache"].members["modes"].member.enum)
    assert machine_["type"] in members["environment"].members["type"].enum
    assert machine_["compute_type"] in members["environment"].members["computeType"].enum
    assert machine_["privileged_mode"]
    assert {"name": "LICENCE", "value": "/shop/build/licence", "type": "PARAMETER_STORE"} in variables


@pytest.mark.parametrize(("source", "rules"), [("git", 0), ("ecr", 1)])
def test_a_push_to_ecr_starts_the_pipeline_and_another_tag_does_not(
    planned: dict[str, dict[str, Document]], source: str, rules: int
) -> None:
    found = [one for kind, one in planned[f"{source}-ecs"].items() if kind == "aws_cloudwatch_event_rule"]
    assert len(found) == rules
    with mock_aws():
        client = _client("events")
        for rule in found:
            client.put_rule(Name=rule["name"], EventPattern=rule["event_pattern"])
            assert _matches(json.loads(rule["event_pattern"]), _push("web-stg"))
            assert not _matches(json.loads(rule["event_pattern"]), _push("job-stg"))


def _client(service: str) -> Any:
    session = boto3.Session(region_name="ap-northeast-1", aws_access_key_id="x", aws_secret_access_key="x")
    return session.client(service)  # type: ignore[call-overload]  # no package of types knows it


def _matches(pattern: Document, event: Document) -> bool:
    """Whether *event* is what *pattern*, of lists of equal values, describes. (EventBridge, "Event patterns")"""
    return all(
        _matches(wanted, event.get(key, {})) if isinstance(wanted, dict) else event.get(key) in wanted
        for key, wanted in pattern.items()
    )


def _push(tag: str) -> Document:
    """Return the event of a push. (ECR, "Events for completed image pushes")"""
    detail = {"result": "SUCCESS", "repository-name": "shop", "image-digest": "sha256:…", "action-type": "PUSH"}
    return {"source": "aws.ecr", "detail-type": "ECR Image Action", "detail": {**detail, "image-tag": tag}}


def _actions(values: dict[str, Document], stage: str) -> list[Document]:
    return [action for one in values["aws_codepipeline"]["stage"] if one["name"] == stage for action in one["action"]]


def _filled_in(settings: Document) -> dict[str, str]:
    """Return the placeholder by the artifact whose image takes its place."""
    numbers = [key.removeprefix("Image").removesuffix("ArtifactName") for key in settings if key.endswith("tName")]
    return {
        settings[f"Image{number}ArtifactName"]: f"<{settings[f'Image{number}ContainerName']}>"
        for number in numbers
        if number.isdigit()
    }


def _definition(values: Document, role: str) -> Document:
    """Return what Terraform's provider sends to CreatePipeline."""
    return {
        "name": values["name"],
        "roleArn": role,
        "pipelineType": values["pipeline_type"],
        "executionMode": values["execution_mode"],
        "artifactStore": {key: values["artifact_store"][0][key] for key in ("type", "location")},
        "stages": [
            {"name": one["name"], "actions": [_action(each) for each in one["action"]]} for one in values["stage"]
        ],
    }


def _action(values: Document) -> Document:
    return {
        "name": values["name"],
        "actionTypeId": {key: values[key] for key in ("category", "owner", "provider", "version")},
        "runOrder": values.get("run_order") or 1,
        "configuration": values["configuration"],
        "inputArtifacts": [{"name": name} for name in values["input_artifacts"] or ()],
        "outputArtifacts": [{"name": name} for name in values["output_artifacts"] or ()],
    }
