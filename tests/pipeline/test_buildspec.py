"""What the build of a pipeline runs: one file for every account."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploylib import config
from deploylib.config import ServiceRelease
from deploylib.errors import ConfigError
from deploylib.pipeline import buildspec, parts
from tests.fakes import world as worlds

GOLDEN = Path(__file__).parent / "golden" / "buildspec.yml"
ROOT = Path(__file__).parents[2]
ARGUMENTS = 'echo "$@" >> calls'


def test_the_buildspec_is_the_one_that_was_looked_at() -> None:
    assert buildspec.render(_environment(codedeploy=("web",))) == GOLDEN.read_text(encoding="utf-8")


def test_two_accounts_have_the_same_one() -> None:
    assert buildspec.render(config.load(ROOT, "stg")) == buildspec.render(config.load(ROOT, "prd"))


def test_each_image_that_codedeploy_fills_in_is_an_artifact_of_its_own() -> None:
    document = yaml.safe_load(buildspec.render(_environment(codedeploy=("web",))))
    found = document["artifacts"]["secondary-artifacts"]
    assert list(found) == ["files", "image_nginx", "image_web"]
    assert found["image_web"] == {"base-directory": "artifacts/images/web", "files": ["imageDetail.json"]}


def test_services_of_ecs_alone_need_no_second_artifact() -> None:
    document = yaml.safe_load(buildspec.render(_environment()))
    assert "secondary-artifacts" not in document["artifacts"]


def test_more_images_than_a_build_can_hand_on_are_refused() -> None:
    containers = {f"c{number}": {"role": f"role-{number}"} for number in range(5)}
    with pytest.raises(ConfigError, match="run 5 images"):
        buildspec.render(_environment({"web": {"containers": containers}}, codedeploy=("web",)))


def test_two_containers_of_one_role_are_one_placeholder() -> None:
    found = parts.placeholders({"proxy": "nginx", "app": "web", "edge": "nginx"})
    assert found == {"web": "<IMAGE1_NAME>", "nginx": "<IMAGE2_NAME>"}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("git", "pipeline.artifacts --env stg --out artifacts --build"),
        (
            "ecr",
            (
                "pipeline.artifacts --env stg --out artifacts --images "
                "job=/s/job/imageDetail.json,nginx=/s/nginx/imageDetail.json,web=/s/web/imageDetail.json"
            ),
        ),
    ],
)
def test_the_commands_do_what_the_source_of_the_pipeline_asks_for(source: str, expected: str, tmp_path: Path) -> None:
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    program = tmp_path / ".venv" / "bin" / "inv"
    program.write_text(f"#!/bin/sh\n{ARGUMENTS}\n")
    program.chmod(0o755)
    folders = {f"CODEBUILD_SRC_DIR_pushed_{role}": f"/s/{role}" for role in ("web", "job", "nginx")}
    variables = {"PATH": os.environ["PATH"], "DEPLOY_ENV": "stg", "PIPELINE_SOURCE": source, **folders}
    for command in yaml.safe_load(buildspec.render(_environment()))["phases"]["build"]["commands"]:
        subprocess.run(["sh", "-c", command], cwd=tmp_path, env=variables, check=True)
    assert (tmp_path / "calls").read_text().splitlines() == [expected]


def test_a_build_that_fails_ends_the_command(tmp_path: Path) -> None:
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    program = tmp_path / ".venv" / "bin" / "inv"
    program.write_text("#!/bin/sh\nexit 4\n")
    program.chmod(0o755)
    command = yaml.safe_load(buildspec.render(_environment()))["phases"]["build"]["commands"][0]
    variables = {"PATH": os.environ["PATH"], "DEPLOY_ENV": "stg", "PIPELINE_SOURCE": "git"}
    assert subprocess.run(["sh", "-c", command], cwd=tmp_path, env=variables, check=False).returncode == 4


def _environment(services: dict[str, Any] | None = None, *, codedeploy: tuple[str, ...] = ()) -> config.Environment:
    usual = {
        "web": {"containers": {"nginx": {"role": "nginx"}, "app": {"role": "web"}, "agent": {"image": "agent:1"}}},
        "job": {"containers": {"worker": {"role": "job"}}},
    }
    policies = {name: ServiceRelease(strategy="codedeploy") for name in codedeploy}
    return worlds.environment(terraform={"services": services or usual}, services=policies)
