"""Roles against the real emulator: a session may do what its policies say, on the resources that they name."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import tarfile
import uuid
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from deploylib import config, permissions, simulation
from tests.fakes import world as worlds
from tests.localaws.extension.emulated import ACCOUNT, REGION, docker, start_emulator, stop_emulator
from tests.localaws.extension.emulated import ROOT as HERE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.localaws.extension.emulated import Emulator

pytestmark = pytest.mark.e2e

ROOT = f"arn:aws:iam::{ACCOUNT}:root"
EXECUTION = f"arn:aws:iam::{ACCOUNT}:role/shop-execution"


def arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


def allow(*actions: str, on: str, **condition: Any) -> dict[str, Any]:
    more = {"Condition": condition} if condition else {}
    return {"Effect": "Allow", "Action": list(actions), "Resource": on, **more}


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    found = start_emulator(tmp_path_factory.mktemp("emulator"))
    yield found
    stop_emulator(found)


class Role:
    """A role of the emulator with these statements, and a session of it."""

    def __init__(self, emulator: Emulator, name: str, *statements: dict[str, Any], **trust: Any) -> None:
        self.emulator, self.name = emulator, name
        statement = {"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "sts:AssumeRole", **trust}
        iam = root(emulator, "iam")
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(statement))
        if statements:
            iam.put_role_policy(RoleName=name, PolicyName="it", PolicyDocument=document(*statements))
        self.arn = f"arn:aws:iam::{ACCOUNT}:role/{name}"
        self._session: dict[str, str] = {}

    def assume(self, **more: str) -> dict[str, Any]:
        sts = root(self.emulator, "sts")
        return dict(sts.assume_role(RoleArn=self.arn, RoleSessionName="tests", **more)["Credentials"])

    def client(self, service: str) -> Any:
        if not self._session:
            found = self.assume()
            self._session = {
                "aws_access_key_id": found["AccessKeyId"],
                "aws_secret_access_key": found["SecretAccessKey"],
                "aws_session_token": found["SessionToken"],
            }
        return client(self.emulator, service, **self._session)


def client(emulator: Emulator, service: str, **keys: str) -> Any:
    return boto3.client(  # type: ignore[call-overload]  # the service's name is data here
        service, endpoint_url=f"http://127.0.0.1:{emulator.port}", region_name=REGION, **keys
    )


def root(emulator: Emulator, service: str) -> Any:
    return client(emulator, service, aws_access_key_id=ACCOUNT, aws_secret_access_key="x")


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def refused(call: Any, **request: Any) -> str:
    with pytest.raises(ClientError) as failure:
        call(**request)
    assert failure.value.response["Error"]["Code"] in {"AccessDenied", "AccessDeniedException"}
    return str(failure.value)


def test_a_role_reads_the_parameter_that_its_policy_names_and_no_other(emulator: Emulator) -> None:
    for name in ("/shop/contract", "/shop/secret"):
        root(emulator, "ssm").put_parameter(Name=name, Value="it", Type="String")
    ssm = Role(emulator, "reader", allow("ssm:GetParameter*", on=arn("ssm", "parameter/shop/contract"))).client("ssm")
    assert ssm.get_parameter(Name="/shop/contract")["Parameter"]["Value"] == "it"
    assert "assumed-role/reader/tests" in refused(ssm.get_parameter, Name="/shop/secret")
    refused(ssm.get_parameters, Names=["/shop/contract", "/shop/secret"])


def test_who_a_role_is_can_always_be_asked(emulator: Emulator) -> None:
    identity = Role(emulator, "nobody").client("sts").get_caller_identity()
    assert identity["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/nobody/tests"


def test_the_root_may_do_everything(emulator: Emulator) -> None:
    assert root(emulator, "ecs").list_clusters()["clusterArns"] == []


def test_the_token_of_a_job_is_let_in_by_the_trust_policy_that_names_its_subject(emulator: Emulator) -> None:
    issuer = f"arn:aws:iam::{ACCOUNT}:oidc-provider/gitlab.com"
    said = {"gitlab.com:aud": "https://gitlab.com", "gitlab.com:sub": "project_path:acme/shop:ref_type:branch:ref:main"}
    trust = {"Principal": {"Federated": issuer}, "Action": "sts:AssumeRoleWithWebIdentity"}
    job = Role(emulator, "job", **trust, Condition={"StringEquals": said})
    sts = root(emulator, "sts")
    asked = {"RoleArn": job.arn, "RoleSessionName": "tests"}
    of = {"aud": said["gitlab.com:aud"], "sub": said["gitlab.com:sub"]}
    found = sts.assume_role_with_web_identity(**asked, WebIdentityToken=token(**of))
    assert found["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/job/tests"
    for other in ({"sub": "project_path:acme/shop:ref_type:branch:ref:other"}, {"aud": "https://elsewhere"}):
        refused(sts.assume_role_with_web_identity, **asked, WebIdentityToken=token(**of | other))
    refused(sts.assume_role_with_web_identity, **asked, WebIdentityToken="no token of anybody")
    refused(sts.assume_role, **asked)


def token(**claims: str) -> str:
    """Return a token of GitLab's, without a signature that anybody could check."""
    parts = ({"alg": "none"}, {"iss": "https://gitlab.com", **claims})
    coded = (base64.urlsafe_b64encode(json.dumps(one).encode()).decode().rstrip("=") for one in parts)
    return ".".join((*coded, ""))


def test_a_revision_needs_the_right_to_tag_and_to_pass_its_roles_to_tasks(emulator: Emulator) -> None:
    passed = {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
    created = {"StringEquals": {"ecs:CreateAction": "RegisterTaskDefinition"}}
    ecs = Role(
        emulator,
        "registrar",
        allow("ecs:RegisterTaskDefinition", on="*"),
        allow("ecs:TagResource", on=arn("ecs", "task-definition/shop-*:*"), **created),
        allow("iam:PassRole", on=EXECUTION, **passed),
    ).client("ecs")
    tags = [{"key": "a", "value": "b"}]
    revision: dict[str, Any] = {
        "containerDefinitions": [{"name": "app", "image": "app"}],
        "executionRoleArn": EXECUTION,
    }
    ecs.register_task_definition(family="shop-web", tags=tags, **revision)
    assert "ecs:TagResource" in refused(ecs.register_task_definition, family="bank-web", tags=tags, **revision)
    other = {**revision, "taskRoleArn": f"arn:aws:iam::{ACCOUNT}:role/admin"}
    assert "iam:PassRole" in refused(ecs.register_task_definition, family="shop-web", **other)


def test_tasks_are_listed_in_the_cluster_of_the_condition(emulator: Emulator) -> None:
    for name in ("shop", "bank"):
        root(emulator, "ecs").create_cluster(clusterName=name)
    here = {"ArnEquals": {"ecs:cluster": arn("ecs", "cluster/shop")}}
    ecs = Role(emulator, "watcher", allow("ecs:ListTasks", on="*", **here)).client("ecs")
    assert ecs.list_tasks(cluster="shop")["taskArns"] == []
    refused(ecs.list_tasks, cluster="bank")


def test_a_role_that_is_not_there_or_does_not_trust_is_not_assumed(emulator: Emulator) -> None:
    stranger = Role(emulator, "closed", Principal={"AWS": "arn:aws:iam::999999999999:root"})
    with pytest.raises(ClientError, match="AccessDenied"):
        stranger.assume()
    stranger.arn += "-not-there"
    with pytest.raises(ClientError, match="AccessDenied"):
        stranger.assume()


def test_an_external_id_has_to_be_the_right_one(emulator: Emulator) -> None:
    role = Role(emulator, "external", Condition={"StringEquals": {"sts:ExternalId": "shop-4711"}})
    assert role.assume(ExternalId="shop-4711")
    for wrong in ({}, {"ExternalId": "another"}):
        with pytest.raises(ClientError, match="AccessDenied"):
            role.assume(**wrong)


def test_iam_s_simulation_knows_what_a_role_may_not(emulator: Emulator) -> None:
    environment = worlds.environment(account=config.Account(id=ACCOUNT, region=REGION))
    caller, listed = f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/ada", permissions.read(HERE)
    known = simulation.values(environment, caller), simulation.given(environment, caller)
    policy = permissions.policy(listed, *known, without=("RollOut", "ecs:UpdateService"))
    Role(emulator, "deploy", *policy["Statement"])
    assert simulation.lacking(root(emulator, "iam"), caller, environment, listed) == ("ecs:UpdateService",)


def test_a_bucket_that_takes_only_tls_takes_ours(emulator: Emulator) -> None:
    s3, everything = root(emulator, "s3"), "arn:aws:s3:::shop-state/*"
    s3.create_bucket(Bucket="shop-state", CreateBucketConfiguration={"LocationConstraint": REGION})
    plain = {"Bool": {"aws:SecureTransport": "false"}}
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": everything, "Condition": plain}
    s3.put_bucket_policy(Bucket="shop-state", Policy=document(deny))
    mine = Role(emulator, "writer", allow("s3:PutObject", on=everything)).client("s3")
    mine.put_object(Bucket="shop-state", Key="a", Body=b"it")
    refused(mine.get_object, Bucket="shop-state", Key="a")


PULL = ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
PUSH = (
    *("ecr:BatchCheckLayerAvailability", "ecr:CompleteLayerUpload", "ecr:InitiateLayerUpload"),
    *("ecr:PutImage", "ecr:UploadLayerPart"),
)


@pytest.fixture(scope="module")
def repository(emulator: Emulator) -> str:
    return str(root(emulator, "ecr").create_repository(repositoryName="shop")["repository"]["repositoryUri"])


def engine(emulator: Emulator, name: str, *actions: str) -> Role:
    """Return a role that may sign in to the registry and do *actions* with the repository."""
    token = allow("ecr:GetAuthorizationToken", on="*")
    return Role(emulator, name, token, *([allow(*actions, on=arn("ecr", "repository/shop"))] if actions else []))


@pytest.fixture
def image(repository: str) -> Iterator[str]:
    """An image with a layer that no registry has seen."""
    name, packed = f"{repository}:{uuid.uuid4().hex}", io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        content = uuid.uuid4().bytes
        header = tarfile.TarInfo("it")
        header.size = len(content)
        tar.addfile(header, io.BytesIO(content))
    docker("import", "-", name, stdin=packed.getvalue())
    yield name
    docker("rmi", "--force", name)


def test_the_registry_lets_push_and_pull_whoever_may(emulator: Emulator, image: str, tmp_path: Path) -> None:
    assert docker_as(engine(emulator, "pusher", *PUSH), tmp_path, "push", "-q", image) == ""
    docker("rmi", image)
    assert docker_as(engine(emulator, "puller", *PULL), tmp_path, "pull", "-q", image) == ""


@pytest.mark.parametrize("missing", PUSH)
def test_without_any_one_action_an_image_is_not_pushed(
    missing: str, emulator: Emulator, image: str, tmp_path: Path
) -> None:
    role = engine(emulator, f"pusher-{missing[4:]}", *(one for one in PUSH if one != missing))
    said = docker_as(role, tmp_path, "push", "-q", image)
    nothing_in_the_body = missing == "ecr:BatchCheckLayerAvailability"  # it is a HEAD that is refused
    assert ("HTTP 403" if nothing_in_the_body else f"is not authorized to perform: {missing}") in said


@pytest.mark.parametrize("missing", PULL)
def test_without_any_one_action_an_image_is_not_pulled(
    missing: str, emulator: Emulator, image: str, tmp_path: Path
) -> None:
    docker_as(engine(emulator, f"all-{missing[4:]}", *PUSH), tmp_path, "push", "-q", image)
    docker("rmi", image)
    role = engine(emulator, f"puller-{missing[4:]}", *(one for one in PULL if one != missing))
    said = docker_as(role, tmp_path, "pull", "-q", image)
    assert f"is not authorized to perform: {missing}" in said
    docker("import", "-", image, stdin=b"\0" * 1024)  # so that there is something to remove


def docker_as(role: Role, folder: Path, verb: str, *words: str) -> str:
    """Run docker signed in as *role*; return what it complains of."""
    (found,) = role.client("ecr").get_authorization_token()["authorizationData"]
    assert base64.b64decode(found["authorizationToken"]).startswith(b"AWS:")
    host = words[-1].partition("/")[0]
    (folder / "config.json").write_text(json.dumps({"auths": {host: {"auth": found["authorizationToken"]}}}))
    argv = ["docker", "--config", str(folder), verb, *words]
    return subprocess.run(argv, capture_output=True, text=True, check=False).stderr
