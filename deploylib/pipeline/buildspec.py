"""buildspec.yml: what the build of a pipeline runs. It names no account, so every account reads the same one (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploylib.pipeline import parts

if TYPE_CHECKING:
    from deploylib.config import Environment

FILE = "buildspec.yml"
OUT = "artifacts"
IMAGES = "images"  # the folder of what is known of each image
DETAIL = "imageDetail.json"  # CodePipeline's name for it, at the top of an artifact

HEAD = """\
# Written by inv pipeline.buildspec (--check: exit 9 when it is out of date), and the same for every account: what
# differs is in the contract that Terraform publishes there. DEPLOY_ENV and PIPELINE_SOURCE are variables of the
# CodeBuild project, made by Terraform.
version: 0.2

phases:
  install:
    runtime-versions:
      python: "3.11"
    commands:
      - make setup

  build:
    commands:
      - |
        if [ "$PIPELINE_SOURCE" = ecr ]; then # others built the images: take exactly those that started this
          .venv/bin/inv pipeline.artifacts --env "$DEPLOY_ENV" --out {out} --images "{given}"
        else # build, test and push what the registry lacks of this commit
          .venv/bin/inv pipeline.artifacts --env "$DEPLOY_ENV" --out {out} --build
        fi

# What the deploy stage reads: imagedefinitions.json of services that ECS rolls out; taskdef.json and appspec.yaml of
# those that CodeDeploy moves, and for these each image as an artifact of its own.
artifacts:
  base-directory: {out}
  files:
    - "**/*"
"""
SECONDARY = """\
  secondary-artifacts:
    {files}:
      base-directory: {out}
      files:
        - "**/*"
"""
IMAGE = """\
    {identifier}:
      base-directory: {out}/{images}/{role}
      files:
        - {detail}
"""
TAIL = """\

cache:
  paths:
    - ".venv/**/*"
"""


def render(environment: Environment) -> str:
    """Return the text for *environment*; raise `ConfigError` where a build could not hand on all that is needed."""
    handed_on = parts.handed_on(environment)
    given = ",".join(f"{role}=${_folder(role)}/{DETAIL}" for role in parts.roles(environment))
    secondary = SECONDARY.format(files=parts.FILES, out=OUT) if handed_on else ""
    return "".join([HEAD.format(out=OUT, given=given), secondary, *map(_image, handed_on), TAIL])


def _folder(role: str) -> str:
    """Return the variable in which CodeBuild says where the artifact is that a push to ECR made."""
    return f"CODEBUILD_SRC_DIR_{parts.identifier('pushed', role)}"


def _image(role: str) -> str:
    identifier = parts.identifier("image", role)
    return IMAGE.format(identifier=identifier, out=OUT, images=IMAGES, role=role, detail=DETAIL)
