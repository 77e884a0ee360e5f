"""What `[terraform.pipeline]` has to say in an environment that is protected, or that builds nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deploylib import config
from deploylib.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

COMMON = '[app]\nname = "shop"\npath = "app"\n[images.roles.web]\ndockerfile = "Dockerfile"\n'
ACCOUNT = '[account]\nid = "111111111111"\nregion = "ap-northeast-1"\n'
PIPELINE = '[terraform.pipeline]\nrepository = { name = "shop", branch = "main" }\n'
GIT, ECR = 'source = "git"\n', 'source = "ecr"\nimages = { tags = { web = "web-prd" }, trigger = "web" }\n'
APPROVAL = "approval = {}\n"


@pytest.mark.parametrize("text", [GIT, GIT + "notifications = {}\n", ECR])
def test_a_protected_environment_does_not_deploy_without_asking_a_person(tmp_path: Path, text: str) -> None:
    with pytest.raises(
        ConfigError, match=r"prd\.toml: terraform\.pipeline\.approval.*a protected environment asks a person"
    ):
        load(tmp_path, "protected = true\n", text)


@pytest.mark.parametrize(
    ("own", "text"), [("protected = true\n", GIT + APPROVAL), ("protected = true\n", ECR + APPROVAL), ("", GIT)]
)
def test_a_question_is_enough_and_elsewhere_there_need_be_none(tmp_path: Path, own: str, text: str) -> None:
    assert load(tmp_path, own, text).terraform["pipeline"]["source"] in {"git", "ecr"}


def test_an_environment_that_never_builds_is_not_told_to_build(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"terraform\.pipeline\.source.*should be 'ecr'"):
        load(tmp_path, 'promote_from = "stg"\n', GIT)
    assert load(tmp_path, 'promote_from = "stg"\n', ECR).promote_from == "stg"


def test_a_protected_environment_without_a_pipeline_needs_no_question(tmp_path: Path) -> None:
    assert load(tmp_path, "protected = true\n", "").protected


def load(root: Path, own: str, text: str) -> config.Environment:
    """Return the environment prd of a project: *own* is what it says of itself, *text* of its pipeline."""
    (root / "app").mkdir(exist_ok=True)
    (root / config.DIRECTORY).mkdir(exist_ok=True)
    files = {"common": COMMON, "stg": ACCOUNT, "prd": own + ACCOUNT + (PIPELINE + text if text else "")}
    for stem, content in files.items():
        (root / config.DIRECTORY / f"{stem}.toml").write_text(content)
    return config.load(root, "prd", variables={})
