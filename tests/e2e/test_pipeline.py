"""The pipeline that Terraform makes, for each source and each way to deploy, in an AWS that only answers.

moto has no CodePipeline that runs, and neither has the local AWS. So what was made is checked by botocore's own models,
compared with the files of its build, and with what else was made: who may do what, what starts it, who is told. What
its build runs is run on the local AWS.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import yaml
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator
from moto import mock_aws
from moto.codebuild import responses as codebuild
from moto.codebuild.models import CodeBuildBackend
from moto.codepipeline.models import CodePipeline

from deploylib import aws, config, contract
from deploylib.config import ServiceRelease
from deploylib.images import registry
from deploylib.pipeline import buildspec, files, parts
from tests.e2e import answering as answers
from tests.e2e.answering import ACCOUNT_ID, REGION
from tests.e2e.test_blue_green_group import surroundings
from tests.fakes import world as worlds
from tests.pipeline import scenery

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from deploylib.aws import Account
    from tests.e2e.answering import Answering
    from tests.e2e.project import Project

pytestmark = pytest.mark.e2e

Document = dict[str, Any]

PAGE = "examples/guestbook/guestbook/web/templates/page.html"
ARTIFACTS = ("pipeline.artifacts", "--env", "local", "--out")
TAGS = {role: f"{role}-waits" for role in ("web", "job", "nginx")}
WAITS = """
[terraform.pipeline]
source = "ecr"
repository = { name = "guestbook", branch = "main" }
images = { tags = { web = "web-waits", job = "job-waits", nginx = "nginx-waits" }, trigger = "web" }
"""
COMBINATIONS = ("git-ecs", "git-codedeploy", "ecr-ecs", "ecr-codedeploy")
MOST_ARTIFACTS = 5
CODE = """
variable "cluster" { type = string }
variable "listener" { type = string }

locals {
  account = "123456789012"
  tags    = { web = "web-stg", nginx = "nginx-stg", job = "job-stg" }
  ecr     = "arn:aws:ecr:ap-northeast-1:${local.account}:repository"
  link    = "arn:aws:codeconnections:ap-northeast-1:${local.account}:connection/1"
  group   = { application = module.blue_green.application, deployment_group = module.blue_green.deployment_group }
}

module "blue_green" {
  source = "./modules/blue_green"

  name               = "shop-stg-web"
  cluster_arn        = var.cluster
  service_name       = "shop-stg-web"
  listener           = var.listener
  target_group_names = ["blue", "green"]
}

module "pipeline" {
  source   = "./modules/pipeline"
  for_each = toset(["git-ecs", "git-codedeploy", "ecr-ecs", "ecr-codedeploy"])

  name             = "shop-${each.key}"
  environment      = "stg"
  account_id       = local.account
  region           = "ap-northeast-1"
  source_type      = split("-", each.key)[0]
  images           = one([for tags in [local.tags] : { tags = tags, trigger = "web" } if startswith(each.key, "ecr")])
  cluster_arn      = var.cluster
  contract         = "/shop/stg/contract"
  passed_role_arns = ["arn:aws:iam::${local.account}:role/shop-stg-execution"]
  approval         = {}
  notifications    = { emails = ["ops@example.com"] }
  build            = { parameters = { LICENCE = "/shop/build/licence" } }
  image_repository = { name = "shop", arn = "${local.ecr}/shop", cache_arn = "${local.ecr}/shop-cache" }

  # One of them is CodeCommit's, the others are behind a connection.
  repository = {
    name           = each.key == "git-codedeploy" ? "shop" : "acme/shop"
    branch         = "main"
    connection_arn = one([for link in [local.link] : link if each.key != "git-codedeploy"])
  }

  services = {
    job = { service = "shop-stg-job", family = "shop-stg-job", containers = { worker = "job" } }
    web = {
      service    = "shop-stg-web"
      family     = "shop-stg-web"
      containers = { app = "web", nginx = "nginx" }
      codedeploy = one([for group in [local.group] : group if endswith(each.key, "codedeploy")])
    }
  }
}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What AWS has of one pipeline. By the role's name: `rights` are its statements, `trusted` is who may take it."""

    pipeline: Document
    arn: str
    project: Document
    rules: dict[str, Document]
    rights: dict[str, dict[str, Document]]
    trusted: dict[str, Document]
    topic: str
    tellers: list[Document]

    def role(self, end: str) -> str:
        """Return the name of the role whose name ends in *end*."""
        return next(one for one in self.rights if one.endswith(end))


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """Four pipelines: what was made of them, all that was `there` with them, and what a destroy `left`, by name."""

    made: dict[str, Made]
    there: frozenset[str]
    left: frozenset[str]


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Life:
    """Make four pipelines, with a second plan that is empty, look at them, and destroy them after an execution."""
    folder = tmp_path_factory.mktemp("pipeline")
    with answers.serving() as answering, corrected():
        variables = surroundings(answering)
        before = names(answering)
        answering.apply(folder, CODE, "pipeline", "blue_green", variables=variables)
        made = {one: look(answering, f"shop-{one}") for one in COMBINATIONS}
        there = names(answering) - before
        for one in COMBINATIONS:
            executed(answering, f"shop-{one}")
        # moto deletes no deployment group, which is not the pipeline's.
        gone = ("destroy", "-auto-approve", "-input=false", "-target=module.pipeline")
        answering.terraform(folder, *gone, variables=variables)
        left = frozenset(name for name in names(answering) for one in COMBINATIONS if f"shop-{one}" in name)
        return Life(made=made, there=there, left=left)


@contextlib.contextmanager
def corrected() -> Iterator[None]:
    """Have moto answer as AWS does where it does not, and Terraform's provider could not go on.

    AWS's JSON protocol has seconds since 1970 where moto writes a date, which the provider asks for again and again;
    and a build of a pipeline has no location of its own, since CodePipeline knows it. (CodeBuild, "ProjectArtifacts")
    A project is deleted by its ARN too.
    """
    delete = CodeBuildBackend.delete_project
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CodeBuildBackend, "delete_project", lambda made, name: delete(made, name.rpartition("/")[2]))
        patch.setattr(CodePipeline, "metadata", property(_metadata))
        for kind in ("source", "artifacts"):
            patch.setattr(codebuild, f"_validate_required_params_{kind}", _validated)
        yield


def _metadata(pipeline: Any) -> Document:
    times = {"created": pipeline._created.timestamp(), "updated": pipeline._updated.timestamp()}
    return {"pipelineArn": pipeline._arn, **times}


def _validated(given: Document) -> None:
    assert given["type"] == "CODEPIPELINE"
    assert "location" not in given


def look(answering: Answering, name: str) -> Made:
    """Return what AWS has of the pipeline *name*."""
    events, iam = answering.client("events"), answering.client("iam")
    found = answering.client("codepipeline").get_pipeline(name=name)
    projects = answering.client("codebuild").batch_get_projects(names=[f"{name}-pipeline"])["projects"]
    roles = [one for one in iam.list_roles()["Roles"] if one["RoleName"].startswith(f"{name}-")]
    topic = next(
        one["TopicArn"] for one in answering.client("sns").list_topics()["Topics"] if f":{name}-" in one["TopicArn"]
    )
    policy = answering.client("sns").get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"]
    return Made(
        pipeline=found["pipeline"],
        arn=found["metadata"]["pipelineArn"],
        project=projects[0],
        rules={
            one["Name"].removeprefix(f"{name}-pipeline-"): {
                **one,
                "EventPattern": json.loads(one["EventPattern"]),
                "Targets": events.list_targets_by_rule(Rule=one["Name"])["Targets"],
            }
            for one in events.list_rules(NamePrefix=f"{name}-")["Rules"]
        },
        rights={one["RoleName"]: _rights(iam, one["RoleName"]) for one in roles},
        trusted={one["RoleName"]: one["AssumeRolePolicyDocument"]["Statement"][0] for one in roles},
        topic=topic,
        tellers=json.loads(policy)["Statement"],
    )


def _rights(iam: Any, role: str) -> dict[str, Document]:
    documents = [
        iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        for name in iam.list_role_policies(RoleName=role)["PolicyNames"]
    ]
    return {one["Sid"]: one for document in documents for one in document["Statement"]}


def executed(answering: Answering, name: str) -> None:
    """Leave behind what an execution does: it began, and something lies in its bucket, which wants TLS."""
    assert answering.client("codepipeline").start_pipeline_execution(name=name)["pipelineExecutionId"]
    bucket, s3 = f"{name}-pipeline-{ACCOUNT_ID}", answering.client("s3")
    with pytest.raises(ClientError, match="403"):
        s3.put_object(Bucket=bucket, Key="files", Body=b"")
    s3.delete_bucket_policy(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="files", Body=b"")


def names(answering: Answering) -> frozenset[str]:
    """Return the name of all that there is, of the kinds that the module makes."""
    asked = {
        "codepipeline": ("list_pipelines", "pipelines", "name"),
        "codebuild": ("list_projects", "projects", ""),
        "codedeploy": ("list_applications", "applications", ""),
        "events": ("list_rules", "Rules", "Name"),
        "iam": ("list_roles", "Roles", "RoleName"),
        "logs": ("describe_log_groups", "logGroups", "logGroupName"),
        "s3": ("list_buckets", "Buckets", "Name"),
        "sns": ("list_topics", "Topics", "TopicArn"),
    }
    return frozenset(
        f"{service} {one[name] if name else one}"
        for service, (operation, key, name) in asked.items()
        for one in getattr(answering.client(service), operation)()[key]
    )


@pytest.fixture
def account() -> Iterator[str]:
    """Yield the ARN of a role that CodePipeline may take, in an account that is not real."""
    with mock_aws():
        trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "codepipeline.amazonaws.com"}}
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        role = _client("iam").create_role(RoleName="pipeline", AssumeRolePolicyDocument=document)
        yield role["Role"]["Arn"]


def pushed(tag: str) -> Document:
    """Return the event of a push. (ECR, "Events for completed image pushes")"""
    detail = {"result": "SUCCESS", "repository-name": "shop", "image-digest": "sha256:…", "action-type": "PUSH"}
    return {"source": "aws.ecr", "detail-type": "ECR Image Action", "detail": {**detail, "image-tag": tag}}


def committed(branch: str) -> Document:
    """Return the event of a push. (CodeCommit, "referenceUpdated event")"""
    return {
        "source": "aws.codecommit",
        "detail-type": "CodeCommit Repository State Change",
        "resources": [f"arn:aws:codecommit:{REGION}:{ACCOUNT_ID}:shop"],
        "detail": {"event": "referenceUpdated", "referenceType": "branch", "referenceName": branch},
    }


def test_all_that_is_made_is_gone_after_a_destroy_whatever_lies_in_the_bucket(life: Life) -> None:
    for one in COMBINATIONS:
        name = f"shop-{one}"
        expected = {
            f"codepipeline {name}",
            f"codebuild {name}-pipeline",
            f"iam {name}-pipeline",
            f"iam {name}-pipeline-build",
            f"logs /codebuild/{name}-pipeline",
            f"s3 {name}-pipeline-{ACCOUNT_ID}",
            f"sns arn:aws:sns:{REGION}:{ACCOUNT_ID}:{name}-pipeline",
            f"events {name}-pipeline-tell",
        }
        assert expected <= life.there
    assert life.left == frozenset()


@pytest.mark.parametrize("combination", COMBINATIONS)
def test_what_is_made_is_a_pipeline_that_aws_takes(life: Life, combination: str, account: str) -> None:
    definition = {**life.made[combination].pipeline, "roleArn": account}
    report = ParamValidator().validate({"pipeline": definition}, scenery.model("codepipeline", "CreatePipeline"))
    assert not report.has_errors(), report.generate_report()
    made = _client("codepipeline").create_pipeline(pipeline=definition)["pipeline"]
    assert made["stages"] == definition["stages"]
    assert (definition["pipelineType"], definition["executionMode"]) == ("V2", "SUPERSEDED")


@pytest.mark.parametrize("combination", COMBINATIONS)
def test_each_action_takes_what_an_earlier_stage_has_made(life: Life, combination: str) -> None:
    made: set[str] = set()
    for stage in life.made[combination].pipeline["stages"]:
        outputs = [each["name"] for one in stage["actions"] for each in one["outputArtifacts"]]
        for action in stage["actions"]:
            inputs = {one["name"] for one in action["inputArtifacts"]}
            assert inputs <= made
            assert max(len(inputs), len(action["outputArtifacts"])) <= MOST_ARTIFACTS
        assert not made.intersection(outputs)
        made.update(outputs)


@pytest.mark.parametrize("combination", COMBINATIONS)
def test_the_deploy_stage_asks_for_files_and_images_that_the_build_makes(life: Life, combination: str) -> None:
    release = scenery.release(scenery.STG, codedeploy=combination.endswith("codedeploy"))
    there = files.files(release)
    for action in _actions(life.made[combination], "Deploy"):
        settings = action["configuration"]
        asked = [settings[key] for key in settings if key == "FileName" or key.endswith("TemplatePath")]
        assert asked
        assert set(asked) <= set(there)
        if action["actionTypeId"]["provider"] == "CodeDeployToECS":
            containers = release.live.contract.services[action["name"]].containers
            expected = {parts.identifier("image", role): name for role, name in parts.placeholders(containers).items()}
            assert _filled_in(settings) == expected


@pytest.mark.parametrize("combination", COMBINATIONS)
def test_the_buildspec_makes_the_artifacts_that_the_build_declares(life: Life, combination: str) -> None:
    policies = {"web": ServiceRelease(strategy="codedeploy")} if combination.endswith("codedeploy") else {}
    services = {
        "web": {"containers": {"app": {"role": "web"}, "nginx": {"role": "nginx"}}},
        "job": {"containers": {"worker": {"role": "job"}}},
    }
    text = buildspec.render(worlds.environment(terraform={"services": services}, services=policies))
    (build,) = _actions(life.made[combination], "Build")
    declared = {one["name"] for one in build["outputArtifacts"]}
    assert declared == set(yaml.safe_load(text)["artifacts"].get("secondary-artifacts", {"files": {}}))
    pushed = {one["name"] for one in build["inputArtifacts"]} - {"source"}
    assert {one for one in pushed if f"$CODEBUILD_SRC_DIR_{one}/imageDetail.json" in text} == pushed
    assert build["configuration"]["ProjectName"] == life.made[combination].project["name"]


@pytest.mark.parametrize("combination", COMBINATIONS)
def test_the_build_is_a_project_that_aws_takes(life: Life, combination: str) -> None:
    project = life.made[combination].project
    shape = scenery.model("codebuild", "CreateProject")
    document = {key: value for key, value in project.items() if key in shape.members and key not in {"badge", "tags"}}
    report = ParamValidator().validate(document, shape)
    assert not report.has_errors(), report.generate_report()
    environment, cache = project["environment"], project["cache"]
    of_environment = shape.members["environment"].members
    assert cache["type"] in shape.members["cache"].members["type"].enum
    assert set(cache["modes"]) <= set(shape.members["cache"].members["modes"].member.enum)
    assert environment["type"] in of_environment["type"].enum
    assert environment["computeType"] in of_environment["computeType"].enum
    assert environment["privilegedMode"]
    assert {"name": "LICENCE", "value": "/shop/build/licence", "type": "PARAMETER_STORE"} in environment[
        "environmentVariables"
    ]


@pytest.mark.parametrize("combination", COMBINATIONS)
def test_the_pipeline_may_use_what_was_made_for_it_and_is_what_its_roles_are_for(life: Life, combination: str) -> None:
    made, bucket = life.made[combination], f"arn:aws:s3:::shop-{combination}-pipeline-{ACCOUNT_ID}"
    pipeline, build = made.role("-pipeline"), made.role("-build")
    assert made.pipeline["roleArn"].endswith(f"/{pipeline}")
    assert made.project["serviceRole"].endswith(f"/{build}")
    assert made.pipeline["artifactStore"]["location"] == bucket.rpartition(":")[2]
    assert made.rights[pipeline]["Build"]["Resource"] == made.project["arn"]
    assert made.rights[pipeline]["Ask"]["Resource"] == made.topic
    for role in (pipeline, build):
        assert made.rights[role]["Artifacts"]["Resource"] == f"{bucket}/*"
    assert made.rights[build]["Log"]["Resource"].endswith(f":{_log_group(made)}:*")
    assert _taken(made, pipeline) == ("codepipeline.amazonaws.com", made.arn)
    assert _taken(made, build) == ("codebuild.amazonaws.com", made.project["arn"])


@pytest.mark.parametrize("combination", ["git-codedeploy", "ecr-codedeploy"])
def test_a_pipeline_by_codedeploy_may_deploy_to_terraforms_group_and_no_other(life: Life, combination: str) -> None:
    made = life.made[combination]
    settings = next(one["configuration"] for one in _actions(made, "Deploy") if one["name"] == "web")
    application, group = settings["ApplicationName"], settings["DeploymentGroupName"]
    assert f"codedeploy {application}" in life.there
    prefix = f"arn:aws:codedeploy:{REGION}:{ACCOUNT_ID}"
    assert made.rights[made.role("-pipeline")]["Switch"]["Resource"] == [
        f"{prefix}:application:{application}",
        f"{prefix}:deploymentgroup:{application}/{group}",
        f"{prefix}:deploymentconfig:*",
    ]


def test_a_connection_starts_the_pipeline_itself(life: Life) -> None:
    assert set(life.made["git-ecs"].rules) == {"tell"}
    (source,) = _actions(life.made["git-ecs"], "Source")
    assert source["configuration"]["DetectChanges"] == "true"


@pytest.mark.parametrize(
    ("combination", "event", "other"),
    [
        ("git-codedeploy", committed("main"), committed("develop")),
        ("ecr-ecs", pushed("web-stg"), pushed("job-stg")),
        ("ecr-codedeploy", pushed("web-stg"), pushed("job-stg")),
    ],
)
def test_a_push_starts_the_pipeline_and_another_one_does_not(
    life: Life, combination: str, event: Document, other: Document
) -> None:
    made = life.made[combination]
    rule = made.rules["start"]
    assert _matches(rule["EventPattern"], event)
    assert not _matches(rule["EventPattern"], other)
    (target,) = rule["Targets"]
    assert target["Arn"] == made.arn
    role = target["RoleArn"].rpartition("/")[2]
    assert made.rights[role]["Start"]["Resource"] == made.arn
    service, rules = _taken(made, role)
    assert service == "events.amazonaws.com"
    assert rule["Arn"].startswith(rules.removesuffix("*"))


@pytest.mark.parametrize("combination", COMBINATIONS)
def test_who_is_told_is_who_is_asked(life: Life, combination: str) -> None:
    made = life.made[combination]
    (target,) = made.rules["tell"]["Targets"]
    assert target["Arn"] == made.topic
    detail = {"pipeline": f"shop-{combination}", "state": "FAILED"}
    told = {"source": "aws.codepipeline", "detail-type": "CodePipeline Pipeline Execution State Change"}
    assert _matches(made.rules["tell"]["EventPattern"], {**told, "detail": detail})
    assert not _matches(made.rules["tell"]["EventPattern"], {**told, "detail": {**detail, "pipeline": "other"}})
    assert not _matches(made.rules["tell"]["EventPattern"], {**told, "detail": {**detail, "state": "STARTED"}})
    (teller,) = made.tellers
    assert (teller["Principal"], teller["Resource"]) == ({"Service": "events.amazonaws.com"}, made.topic)
    assert "Condition" not in teller  # none ever holds. (EventBridge, "Amazon SNS permissions")
    (question,) = _actions(made, "Approve")
    assert question["configuration"]["NotificationArn"] == made.topic


def test_a_build_writes_what_the_deploy_stage_reads_and_changes_nothing_that_runs(
    project: Project, tmp_path: Path
) -> None:
    before = running(project)
    ran = project.inv(*ARTIFACTS, str(tmp_path))
    assert written(tmp_path) == {"buildspec.yml", "web/imagedefinitions.json", "job/imagedefinitions.json"}
    assert "note: a pipeline runs no migration: alembic upgrade head" in ran.out
    for key, definition in before.items():
        images = read(tmp_path, key)
        assert images, "the images of this commit, which was deployed"
        assert images.items() <= {one["name"]: one["image"] for one in definition["containerDefinitions"]}.items()
        assert all("@sha256:" in one for one in images.values())
        copied(project, definition, images)
    assert running(project) == before


def test_what_the_registry_lacks_is_built_once_and_the_tags_that_a_pipeline_waits_for_are_put_on_it(
    project: Project, tmp_path: Path
) -> None:
    settings = project.path / "environments/local.toml"
    text, before = settings.read_text(), running(project)
    project.replace(PAGE, "</h1>", " from a pipeline</h1>")
    project.commit("The page of a pipeline")
    try:
        refused = project.inv(*ARTIFACTS, str(tmp_path / "none"), expect=3)
        assert "lacks this commit's image of web" in refused.err
        assert not (tmp_path / "none").exists()
        settings.write_text(text + WAITS)
        project.inv("pipeline.start", "--env", "local", "--yes", expect=3)
        started = project.inv("pipeline.start", "--env", "local", "--build", "--yes")
        assert "image web: built" in started.text
        told = {role: told_of(project, tag, tmp_path / f"{role}.json") for role, tag in TAGS.items()}
        project.inv(*ARTIFACTS, str(tmp_path / "pushed"), "--images", ",".join(f"{r}={f}" for r, f in told.items()))
        project.inv(*ARTIFACTS, str(tmp_path / "built"), "--build")
        for name in written(tmp_path / "built"):
            assert (tmp_path / "pushed" / name).read_text() == (tmp_path / "built" / name).read_text()
        (web,) = (one["image"] for one in before["web"]["containerDefinitions"] if one["name"] == "app")
        assert read(tmp_path / "built", "web")["app"] != web
        assert running(project) == before
    finally:
        settings.write_text(text)
        project.git("reset", "--hard", "--quiet", "HEAD~1")


def test_what_makes_no_sense_ends_it_before_anything_is_written(project: Project, tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text(json.dumps({"ImageURI": f"elsewhere/guestbook@sha256:{'0' * 64}"}))
    others = ",".join(f"{role}={tmp_path / 'other.json'}" for role in TAGS)
    out = (*ARTIFACTS, str(tmp_path / "out"))
    project.inv(*out, "--images", others, expect=3)
    project.inv(*out, "--images", "web", expect=2)
    project.inv(*out, "--images", f"web={tmp_path / 'nothing.json'}", expect=2)
    project.inv("pipeline.artifacts", "--env", "nowhere", "--out", str(tmp_path / "out"), expect=2)
    refused = project.inv("pipeline.start", "--env", "local", "--yes", expect=2)
    assert "no pipeline of local waits for images" in refused.err
    assert not (tmp_path / "out").exists()


def test_the_buildspec_of_a_repository_is_out_of_date_until_it_is_written(project: Project, tmp_path: Path) -> None:
    words = ("pipeline.buildspec", "--env", "local", "--out", str(tmp_path / "buildspec.yml"))
    assert f"inv pipeline.buildspec --out {tmp_path}" in project.inv(*words, "--check", expect=9).err
    project.inv(*words)
    project.inv(*words, "--check")
    project.inv(*ARTIFACTS, str(tmp_path / "out"))
    assert (tmp_path / "out/buildspec.yml").read_text() == (tmp_path / "buildspec.yml").read_text()


def local(project: Project) -> Account:
    return aws.signed_in(config.load(project.path, "local", variables={}))


def repository(project: Project) -> str:
    return contract.read(local(project).ssm, config.load(project.path, "local").contract_parameter).repository


def running(project: Project) -> dict[str, Document]:
    """Return the revision that each service is set to."""
    ecs = local(project).ecs
    found = contract.read(local(project).ssm, config.load(project.path, "local").contract_parameter)
    names = {one.name: key for key, one in found.services.items()}
    services = ecs.describe_services(cluster=found.cluster, services=list(names))["services"]
    return {
        names[one["serviceName"]]: dict(
            ecs.describe_task_definition(taskDefinition=one["taskDefinition"])["taskDefinition"]
        )
        for one in services
    }


def copied(project: Project, definition: Document, images: dict[str, str]) -> None:
    """Register what ECS's action would: a copy of the revision that runs, with the images of the file."""
    fields = {key: value for key, value in definition.items() if key in scenery.writable()}
    containers = [{**one, "image": images.get(one["name"], one["image"])} for one in definition["containerDefinitions"]]
    copy: Document = {**fields, "family": f"{fields['family']}-copied", "containerDefinitions": containers}
    made = local(project).ecs.register_task_definition(**copy)["taskDefinition"]
    assert [one["image"] for one in made["containerDefinitions"]] == [one["image"] for one in containers]


def told_of(project: Project, tag: str, file: Path) -> Path:
    """Write what ECR's source action tells of the image that has *tag*."""
    there = repository(project)
    digest = registry.present(local(project).ecr, there, (tag,))[tag]
    file.write_text(json.dumps({"ImageURI": f"{there}@{digest}", "ImageTags": [tag]}))
    return file


def written(folder: Path) -> set[str]:
    return {str(one.relative_to(folder)) for one in folder.rglob("*") if one.is_file()}


def read(folder: Path, service: str) -> dict[str, str]:
    """Return the image of each container in the file of *service*."""
    return {
        one["name"]: one["imageUri"] for one in json.loads((folder / service / "imagedefinitions.json").read_text())
    }


def _client(service: str) -> Any:
    session = boto3.Session(region_name=REGION, aws_access_key_id="x", aws_secret_access_key="x")
    return session.client(service)  # type: ignore[call-overload]  # no package of types knows it


def _taken(made: Made, role: str) -> tuple[str, str]:
    """Return the service that may take *role*, and for what."""
    trust = made.trusted[role]
    assert trust["Condition"]["StringEquals"] == {"aws:SourceAccount": ACCOUNT_ID}
    return trust["Principal"]["Service"], trust["Condition"]["ArnLike"]["aws:SourceArn"]


def _log_group(made: Made) -> str:
    return str(made.project["logsConfig"]["cloudWatchLogs"]["groupName"])


def _matches(pattern: Document, event: Document) -> bool:
    """Whether *event* is what *pattern*, of lists of equal values, describes. (EventBridge, "Event patterns")"""
    return all(
        _matches(wanted, event.get(key, {})) if isinstance(wanted, dict) else _among(event.get(key), wanted)
        for key, wanted in pattern.items()
    )


def _among(found: Any, wanted: list[str]) -> bool:
    """Whether *found*, or one of several, is wanted."""
    return bool(set(found).intersection(wanted)) if isinstance(found, list) else found in wanted


def _actions(made: Made, stage: str) -> list[Document]:
    return [action for one in made.pipeline["stages"] if one["name"] == stage for action in one["actions"]]


def _filled_in(settings: Document) -> dict[str, str]:
    """Return the placeholder by the artifact whose image takes its place."""
    numbers = [key.removeprefix("Image").removesuffix("ArtifactName") for key in settings if key.endswith("tName")]
    return {
        settings[f"Image{number}ArtifactName"]: f"<{settings[f'Image{number}ContainerName']}>"
        for number in numbers
        if number.isdigit()
    }
