"""A build started in the project of CodeBuild that Terraform made, against moto's server.

moto runs nothing, keeps nothing of what a build is told, and says at once that it succeeded. What is proved is that the
module can be applied, that its bucket and its project take what we send, and that its role may read it. What the build
does then is run for real in tests/images/test_real_engine.py.
"""

from __future__ import annotations

import io
import json
import zipfile
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import pytest

from deploylib.config import RoleImage
from deploylib.contract import RemoteBuild
from deploylib.errors import ImageError
from deploylib.images import tags
from deploylib.images.recipe import recipes
from deploylib.images.remote import Remote
from deploylib.images.supplies import Supplies
from deploylib.images.upstream import nobody
from tests.e2e.answering import ACCOUNT_ID, REGION
from tests.fakes.clock import FakeClock
from tests.images.kitchen import CLEAN, environment, write

if TYPE_CHECKING:
    from pathlib import Path

    from deploylib.aws import Account
    from deploylib.images.recipe import Recipe
    from tests.e2e.answering import Answering

pytestmark = pytest.mark.e2e

Document = dict[str, Any]

TOKEN = f"arn:aws:ssm:{REGION}:{ACCOUNT_ID}:parameter/shop/build/token"
CODE = f"""
variable "repository" {{ type = string }}

module "remote_build" {{
  source = "./modules/remote_build"

  name             = "shop-stg"
  account_id       = "{ACCOUNT_ID}"
  region           = "{REGION}"
  repository_arn   = var.repository
  log_prefix       = "/shop/stg"
  architecture     = "ARM64"
  timeout_minutes  = 60
  build_parameters = ["{TOKEN}"]
}}

output "contract" {{ value = module.remote_build.contract }}
output "project_arn" {{ value = module.remote_build.project_arn }}
"""
MANIFEST = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "layers": []})


def test_terraforms_project_builds_what_we_bring(answering: Answering, tmp_path: Path) -> None:
    repository = answering.client("ecr").create_repository(repositoryName="shop")["repository"]
    made = answering.apply(tmp_path, CODE, "remote_build", variables={"repository": repository["repositoryArn"]})
    project = _project(answering, made["contract"]["project"])
    assert project["arn"] == made["project_arn"]
    account, place = answering.account("stg"), RemoteBuild(**made["contract"])
    answering.client("s3").delete_bucket_policy(Bucket=place.bucket)  # it refuses whatever comes without TLS, as here
    started = _pushing(account)
    remote = _remote(account, place, repository["repositoryUri"])
    recipe = _recipe(tmp_path / "app")
    reference = f"{repository['repositoryUri']}:{recipe.tags[0]}"
    remote.build(recipe, reference, base="", line=lambda _: None)
    (request,) = started
    assert request["projectName"] == place.project
    with zipfile.ZipFile(io.BytesIO(_source(answering, project, request["sourceLocationOverride"]))) as packed:
        read = json.loads(packed.read("buildspec.yml"))["env"]["parameter-store"]
    assert {f"arn:aws:ssm:{REGION}:{ACCOUNT_ID}:parameter{name}" for name in read.values()} == {TOKEN}
    assert _may(answering, project, "ssm:GetParameters", TOKEN)
    digest = remote.push("app", reference)
    remote.close()
    assert _tags(answering) == {recipe.tags[0]: digest}


def test_a_project_that_nobody_made_is_refused_with_what_makes_it(answering: Answering, tmp_path: Path) -> None:
    repository = answering.client("ecr").create_repository(repositoryName="shop")["repository"]["repositoryUri"]
    place = RemoteBuild(project="shop-stg-build", bucket="shop-stg-build", platform="linux/arm64")
    location = {"LocationConstraint": REGION}
    answering.client("s3").create_bucket(Bucket=place.bucket, CreateBucketConfiguration=location)
    with pytest.raises(ImageError, match="Project cannot be found") as caught:
        _remote(answering.account("stg"), place, repository).build(
            _recipe(tmp_path), f"{repository}:app-c0123456789ab", base="", line=lambda _: None
        )
    assert caught.value.hint == "inv infra.apply --env stg"


def _remote(account: Account, place: RemoteBuild, repository: str) -> Remote:
    return Remote(
        account=account,
        place=place,
        repository=repository,
        mended="inv infra.apply --env stg",
        clock=FakeClock(),
        given=Supplies(secrets={"/shop/build/token": "a-token"}),
        built={},
    )


def _recipe(root: Path) -> Recipe:
    write(root, Dockerfile="FROM scratch\nRUN --mount=type=secret,id=token true\nCOPY page.py /\n", page_py="1\n")
    role = RoleImage(dockerfile="Dockerfile", secrets={"token": "/shop/build/token"})
    return recipes(environment(root, base=None, roles={"app": role}), CLEAN, nobody)[0]


def _pushing(account: Account) -> list[Document]:
    """Have each build push an image under the name that it is told; return the requests that start one."""
    started: list[Document] = []

    def push(params: Document, **_: Any) -> None:
        started.append(params)
        told = {one["name"]: one["value"] for one in params["environmentVariablesOverride"]}
        tag = told["IMAGE"].rpartition(":")[2]
        assert tags.is_waiting(tag)
        account.ecr.put_image(repositoryName="shop", imageManifest=MANIFEST, imageTag=tag)

    account.codebuild.meta.events.register("provide-client-params.codebuild.StartBuild", push)
    return started


def _project(answering: Answering, name: str) -> Document:
    (project,) = answering.client("codebuild").batch_get_projects(names=[name])["projects"]
    assert (project["source"]["type"], project["artifacts"]["type"]) == ("S3", "NO_ARTIFACTS")
    assert project["environment"]["type"] == "ARM_CONTAINER"
    assert project["environment"]["privilegedMode"]
    assert (project["timeoutInMinutes"], project["queuedTimeoutInMinutes"]) == (60, 60)
    return dict(project)


def _source(answering: Answering, project: Document, location: str) -> bytes:
    """Return what lies at *location*, which the project's role may read."""
    bucket, _, key = location.partition("/")
    assert _may(answering, project, "s3:GetObject", f"arn:aws:s3:::{location}")
    assert answering.client("s3").get_public_access_block(Bucket=bucket)
    return bytes(answering.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())


def _may(answering: Answering, project: Document, action: str, resource: str) -> bool:
    """Whether a statement of the role's own policy allows it."""
    role = project["serviceRole"].rpartition("/")[2]
    document = answering.client("iam").get_role_policy(RoleName=role, PolicyName="build")["PolicyDocument"]
    return any(
        action in one["Action"] and any(fnmatchcase(resource, pattern) for pattern in _listed(one["Resource"]))
        for one in document["Statement"]
    )


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _tags(answering: Answering) -> dict[str, str]:
    found = answering.client("ecr").describe_images(repositoryName="shop")["imageDetails"]
    return {tag: one["imageDigest"] for one in found for tag in one.get("imageTags", ())}
