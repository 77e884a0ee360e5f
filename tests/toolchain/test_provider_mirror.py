from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deploylib import process
from deploylib.errors import ConfigError
from deploylib.toolchain import machine, provider_mirror, terraform
from deploylib.toolchain.terraform import Terraform

if TYPE_CHECKING:
    from tests.toolchain.stage import Stage

TERRAFORM = Terraform(program="terraform", product="terraform", version="1.11.4")
TOFU = Terraform(program="tofu", product="tofu", version="1.11.2")


def unpacked(mirror: Path, version: str = "5.100.0", registry: str = "registry.terraform.io") -> Path:
    (mirror / registry / "hashicorp" / "aws" / version / "linux_amd64").mkdir(parents=True)
    return mirror


def packed(mirror: Path, version: str = "5.100.0") -> Path:
    folder = mirror / "registry.terraform.io" / "hashicorp" / "aws"
    folder.mkdir(parents=True)
    (folder / f"terraform-provider-aws_{version}_linux_amd64.zip").touch()
    return mirror


def lock(stage: Stage, version: str) -> None:
    path = stage.checkout / "terraform" / "stack" / ".terraform.lock.hcl"
    path.parent.mkdir(parents=True)
    path.write_text(f'provider "registry.terraform.io/hashicorp/aws" {{\n  version     = "{version}"\n}}\n')


def find(stage: Stage, terraform: Terraform = TERRAFORM, **environ: str) -> Path | None:
    return provider_mirror.find(
        stage.checkout, stage.machine(), terraform, environ={**stage.environ, **environ}, top=stage.root / "top"
    )


def environment(stage: Stage, **environ: str) -> dict[str, str]:
    return provider_mirror.environment(
        stage.checkout, stage.machine(), TERRAFORM, environ={**stage.environ, **environ}, top=stage.root / "top"
    )


@pytest.mark.parametrize("layout", [unpacked, packed])
@pytest.mark.parametrize("place", ["opt/providers", "usr/local/share/terraform", "srv"])
def test_a_mirror_in_a_usual_place_is_found_in_both_layouts(stage: Stage, layout: object, place: str) -> None:
    assert callable(layout)
    mirror = layout(stage.root / "top" / place)

    assert find(stage) == mirror


def test_a_mirror_in_terraforms_own_directory_comes_first(stage: Stage) -> None:
    own = unpacked(stage.home / ".terraform.d" / "plugins")
    unpacked(stage.root / "top" / "opt" / "providers")

    assert find(stage) == own


def test_a_configured_mirror_comes_before_all(stage: Stage) -> None:
    unpacked(stage.home / ".terraform.d" / "plugins")
    chosen = packed(stage.root / "chosen")

    assert find(stage, DEPLOY_PROVIDER_MIRROR=str(chosen)) == chosen


def test_a_configured_mirror_without_the_provider_is_an_error(stage: Stage) -> None:
    lock(stage, "5.101.0")
    chosen = unpacked(stage.root / "chosen", "5.100.0")

    with pytest.raises(ConfigError, match=r"holds no hashicorp/aws 5\.101\.0 for linux_amd64"):
        find(stage, DEPLOY_PROVIDER_MIRROR=str(chosen))


def test_a_mirror_without_the_locked_version_is_passed_by(stage: Stage) -> None:
    lock(stage, "5.101.0")
    unpacked(stage.root / "top" / "opt" / "older", "5.100.0")

    assert find(stage) is None

    newer = unpacked(stage.root / "top" / "opt" / "right", "5.101.0")

    assert find(stage) == newer


def test_a_mirror_for_another_platform_is_passed_by(stage: Stage) -> None:
    (stage.root / "top/opt/m/registry.terraform.io/hashicorp/aws/5.100.0/darwin_arm64").mkdir(parents=True)

    assert find(stage) is None


def test_opentofu_has_its_own_registry(stage: Stage) -> None:
    unpacked(stage.root / "top" / "opt" / "for-terraform")
    theirs = unpacked(stage.root / "top" / "opt" / "for-tofu", registry="registry.opentofu.org")

    assert find(stage, TOFU) == theirs


def test_a_found_mirror_is_configured_for_the_provider_and_the_registry_for_the_rest(stage: Stage) -> None:
    mirror = unpacked(stage.root / "top" / "opt" / "providers")

    variables = environment(stage, TF_CLI_CONFIG_FILE="/missing")

    text = Path(variables["TF_CLI_CONFIG_FILE"]).read_text()
    assert f'path    = "{mirror}"' in text
    assert 'include = ["registry.terraform.io/hashicorp/aws"]' in text
    assert 'exclude = ["registry.terraform.io/hashicorp/aws"]' in text


def test_without_a_mirror_terraform_is_left_its_own_ways(stage: Stage) -> None:
    text = Path(environment(stage)["TF_CLI_CONFIG_FILE"]).read_text()

    assert "provider_installation" not in text


def test_a_configuration_that_the_user_named_is_left_alone(stage: Stage) -> None:
    own = stage.root / "mine.tfrc"
    own.touch()
    unpacked(stage.root / "top" / "opt" / "providers")

    assert environment(stage, TF_CLI_CONFIG_FILE=str(own)) == {}


def test_a_configuration_at_home_is_left_alone(stage: Stage) -> None:
    (stage.home / ".terraformrc").touch()

    assert environment(stage) == {}


def test_a_configuration_at_home_replaces_a_variable_that_names_a_missing_file(stage: Stage) -> None:
    own = stage.home / ".terraformrc"
    own.touch()

    assert environment(stage, TF_CLI_CONFIG_FILE="/missing") == {"TF_CLI_CONFIG_FILE": str(own)}


def test_the_configuration_is_not_written_again_when_nothing_changed(stage: Stage) -> None:
    path = Path(environment(stage)["TF_CLI_CONFIG_FILE"])
    os.utime(path, (1, 1))

    environment(stage)

    assert path.stat().st_mtime == 1
    assert [each.name for each in path.parent.iterdir()] == [path.name]


@pytest.mark.e2e
def test_terraform_initialises_from_what_was_found_without_a_warning(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text(
        'terraform {\n  required_providers {\n    aws = { source = "hashicorp/aws" }\n  }\n}\n'
    )
    tool = terraform.find(tmp_path)
    variables = provider_mirror.environment(tmp_path, machine.this(), tool)

    initialise = (tool.program, "init", "-no-color", "-input=false")
    process.run(initialise, cwd=tmp_path, env=variables)  # makes the lock file, which a checkout has

    done = process.run(initialise, cwd=tmp_path, env=variables)

    assert "successfully initialized" in done.stdout
    assert "Warning" not in done.stdout + done.stderr
