from __future__ import annotations

import json
import shutil
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from deploylib import doctor, permissions, simulation
from deploylib.doctor import Doors, Place, Row
from deploylib.errors import ToolMissingError
from deploylib.images.distribution import RegistryError
from deploylib.localaws.extension.authorization import Where
from deploylib.sign_in import Way
from tests.fakes import world as worlds
from tests.fakes.access import Policy
from tests.toolchain.fake_engine import FakeEngine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploylib.images.distribution import Registries
    from tests.fakes.world import World

DOCKER = """\
    case "$1 $2" in
      "--version ") echo "Docker version 20.10.24, build 1" ;;
      "buildx version") exit 1 ;;
      "compose version") echo 2.30.1 ;;
    esac
"""
COMMON = """\
[app]
name = "guestbook"
path = "."
[images.roles.web]
dockerfile = "Dockerfile"
secrets = { npm = "/guestbook/npm" }
"""
ROOT = Path(__file__).resolve().parents[1]
DEPLOY = "guestbook-stg-deploy"
STAGING = '[account]\nid = "111111111111"\nregion = "ap-northeast-1"\n'


@dataclass
class Lodge:
    """A registry that answers with *status*."""

    status: int = 404
    asked: list[str] = field(default_factory=list)

    def digest(self, name: str) -> str:
        self.asked.append(name)
        raise RegistryError(f"{name}: no", status=self.status, hint="")

    @property
    def registries(self) -> Registries:
        return cast("Registries", self)


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    folder = tmp_path / "programs"
    folder.mkdir()
    return folder


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[FakeEngine]:
    fake = FakeEngine(tmp_path / "docker.sock")
    fake.start()
    yield fake
    fake.stop()


@pytest.fixture
def world() -> World:
    found = worlds.world()
    allowed(found, DEPLOY)
    found.aws.ecr.have("guestbook", "something")
    found.aws.ssm.give("/guestbook/npm", "token", kind="SecureString")
    return found


def allowed(world: World, role: str, *, without: tuple[str, str] = ("", "")) -> None:
    """Have IAM say that *role* may do what a release needs, less one entry of the list."""
    world.aws.sts.arn = f"arn:aws:sts::{worlds.ACCOUNT_ID}:assumed-role/{role}/someone"
    environment, caller = worlds.environment(), world.aws.sts.arn
    given = simulation.given(environment, caller)
    document = permissions.policy(
        permissions.read(ROOT), simulation.values(environment, caller), given, without=without
    )
    where = Where(account=worlds.ACCOUNT_ID, region=worlds.REGION)
    world.aws.iam.simulated[simulation.principal(caller)] = Policy(document=document, where=where)


def place(root: Path, programs: Path, engine: FakeEngine | None = None) -> Place:
    host = engine.host if engine else f"unix://{root}/nothing.sock"
    return Place(root=root, environ={"PATH": str(programs), "DOCKER_HOST": host, "HOME": str(root)})


def program(programs: Path, name: str, script: str) -> None:
    (programs / name).write_text(f"#!/bin/sh\n{textwrap.dedent(script)}")
    (programs / name).chmod(0o755)


def equipped(programs: Path) -> None:
    """Install everything."""
    program(programs, "docker", DOCKER)
    program(programs, "git", 'case "$1" in --version) echo git version 2.39.5 ;; *) echo abc1234 ;; esac\n')
    program(programs, "terraform", """echo '{"terraform_version": "1.11.4"}'\n""")
    (programs / "skopeo").symlink_to(shutil.which("true") or "")


def project(root: Path) -> None:
    (root / "environments").mkdir()
    (root / "environments/common.toml").write_text(COMMON)
    (root / "environments/stg.toml").write_text(STAGING)
    (root / permissions.SOURCE).parent.mkdir(parents=True)
    shutil.copy(ROOT / permissions.SOURCE, root / permissions.SOURCE)


def by_what(rows: tuple[Row, ...]) -> dict[str, Row]:
    return {row.what: row for row in rows}


def there(root: Path, programs: Path, world: World, lodge: Lodge | None = None) -> dict[str, Row]:
    """Return what is found of the environment stg."""
    doors = Doors(sign_in=lambda _: world.account, registries=lambda _: (lodge or Lodge()).registries)
    rows = doctor.examine(place(root, programs), "stg", doors=doors)
    return by_what(tuple(row for row in rows if row.group == "environment stg"))


def test_everything_that_is_there_is_named(tmp_path: Path, programs: Path, engine: FakeEngine) -> None:
    equipped(programs)
    found = by_what(doctor.examine(place(tmp_path, programs, engine)))
    assert not [row for row in found.values() if row.state == "MISSING"]
    assert found["git"].found == "2.39.5, at commit abc1234"
    assert found["container engine"].found == f"docker 20.10.24 at {tmp_path}/docker.sock, images in a way of its own"
    assert found["builder"].found == "the BuildKit 0.8 inside the engine"
    assert found["compose tool"].found == "docker compose 2.30.1"
    assert found["copy tool"].found.startswith("skopeo (")
    assert found["Terraform"].found == "terraform 1.11.4 (programs/terraform)"
    assert found["disk space"].state in {"OK", "WARNING"}
    doctor.refuse_missing(found.values(), "")


def test_on_a_machine_without_anything_each_thing_says_what_mends_it(tmp_path: Path, programs: Path) -> None:
    found = by_what(doctor.examine(place(tmp_path, programs)))
    assert {row.what for row in found.values() if row.state == "MISSING"} == {"git", "container engine", "Terraform"}
    assert {row.what for row in found.values() if row.state == "SKIPPED"} == {
        *("builder", "copy tool", "AWS provider", "disk space")
    }
    assert all(row.next for row in found.values() if row.state in {"MISSING", "WARNING"})
    with pytest.raises(ToolMissingError, match=r"^missing: git, container engine, Terraform$") as caught:
        doctor.refuse_missing(found.values(), "inv env.doctor")
    assert (caught.value.exit_code, caught.value.hint) == (2, "sudo apt-get install git, or your system's way")


def test_a_builder_that_cannot_keep_layers_or_secrets_is_a_warning(
    tmp_path: Path, programs: Path, engine: FakeEngine
) -> None:
    equipped(programs)
    engine.version = "19.03.1"
    found = by_what(doctor.examine(place(tmp_path, programs, engine)))
    assert (found["builder"].state, found["layers in ECR"].state) == ("WARNING", "WARNING")
    assert found["builder"].next.startswith("install docker's plug-in buildx")
    assert found["layers in ECR"].next.endswith("docker buildx create --use")
    assert found["attestations"].state == "SKIPPED"


ELSEWHERE = """\
[images]
engine = "codebuild"
[terraform.remote_build]
build_parameters = ["arn:aws:ssm:ap-northeast-1:111111111111:parameter/guestbook/npm"]
"""
TEST = '[images.roles.web.test]\nfolder = "."\ncommands = [["true"]]\n'


def test_no_engine_is_missing_where_codebuild_builds(tmp_path: Path, programs: Path, world: World) -> None:
    project(tmp_path)
    stg = tmp_path / "environments/stg.toml"
    stg.write_text(STAGING + ELSEWHERE)
    doors = Doors(sign_in=lambda _: world.account, registries=lambda _: Lodge().registries)
    found = by_what(doctor.examine(place(tmp_path, programs), "stg", doors=doors))
    engine = found["container engine"]
    assert (engine.state, engine.found.partition(";")[0]) == (
        "SKIPPED",
        "not needed for stg, whose images CodeBuild builds",
    )
    stg.write_text(STAGING + ELSEWHERE + TEST)
    found = by_what(doctor.examine(place(tmp_path, programs), "stg", doors=doors))
    assert found["container engine"].state == "MISSING"


@pytest.mark.parametrize(
    ("platform", "state", "said"),
    [
        ("linux/amd64", "OK", "CodeBuild, project shop-stg-build, for linux/amd64"),
        (
            "linux/arm64",
            "MISSING",
            "images.platform is linux/amd64, but the project shop-stg-build builds for linux/arm64",
        ),
        ("", "MISSING", 'images.engine is "codebuild", but the contract names no project that builds'),
    ],
)
def test_the_project_that_builds_is_looked_for(
    platform: str, state: str, said: str, *, tmp_path: Path, programs: Path, world: World
) -> None:
    project(tmp_path)
    (tmp_path / "environments/stg.toml").write_text(STAGING + ELSEWHERE)
    place = {"project": "shop-stg-build", "bucket": "shop-stg-build", "platform": platform}
    document = world.contract_document() | ({"remote_build": place} if platform else {})
    world.aws.ssm.give(worlds.PARAMETER, json.dumps(document))
    found = there(tmp_path, programs, world)["builder"]
    assert (found.state, found.found) == (state, said)


def test_an_environment_in_order(tmp_path: Path, programs: Path, world: World) -> None:
    project(tmp_path)
    lodge = Lodge()
    found = there(tmp_path, programs, world, lodge)
    assert {row.state for row in found.values()} == {"OK"}
    assert found["credentials"].found == f"arn:aws:sts::111111111111:assumed-role/{DEPLOY}/someone"
    assert found["account, region"].found == "111111111111, ap-northeast-1"
    assert found["contract"].found == "/guestbook/stg/contract"
    assert found["ledger"].found.startswith("guestbook-stg-releases, ")
    assert found["permissions"].found == f"all {len(permissions.read(ROOT).entries)} that a release needs"
    assert found["secrets"].found == "1 for builds and log-ins can be read"
    assert [name.rpartition(":")[2] for name in lodge.asked] == ["set-by-deploy"]
    assert world.aws.writes == ()


def test_what_cannot_be_asked_without_something_else_is_skipped(tmp_path: Path, programs: Path, world: World) -> None:
    project(tmp_path)
    world.aws.ssm.parameters.clear()
    found = there(tmp_path, programs, world)
    assert (found["contract"].state, found["contract"].next) == ("MISSING", "inv infra.apply --env stg")
    assert (found["registry"].state, found["registry"].found) == ("SKIPPED", "needs contract")
    assert found["ledger"].state == "SKIPPED"


def test_credentials_of_another_account_are_missing_credentials(tmp_path: Path, programs: Path) -> None:
    project(tmp_path)
    file = tmp_path / "environments/stg.toml"
    file.write_text(file.read_text().replace("111111111111", "333333333333"))
    found = there(tmp_path, programs, worlds.world())
    assert found["credentials"].state == "MISSING"
    assert "is account 333333333333, but these credentials are of account 111111111111" in found["credentials"].found
    assert found["contract"].found == "needs credentials"


def test_a_mistake_in_the_configuration_is_the_first_thing_missing(tmp_path: Path, programs: Path) -> None:
    project(tmp_path)
    (tmp_path / "environments/stg.toml").write_text("[account]\n")
    found = there(tmp_path, programs, worlds.world())
    assert found["configuration"].state == "MISSING"
    assert {row.state for row in found.values() if row.what != "configuration"} == {"SKIPPED"}


def test_a_registry_that_lets_nobody_in_and_a_secret_that_is_not_there(
    tmp_path: Path, programs: Path, world: World
) -> None:
    project(tmp_path)
    del world.aws.ssm.parameters["/guestbook/npm"]
    found = there(tmp_path, programs, world, Lodge(status=403))
    assert (found["registry"].state, found["secrets"].state) == ("MISSING", "MISSING")
    assert "--name /guestbook/npm" in found["secrets"].next


def test_how_the_environment_is_signed_in_to_is_said(tmp_path: Path, programs: Path, world: World) -> None:
    project(tmp_path)
    world.aws.way = Way(kind="profile", source="profile stg", profile="stg", role="arn:aws:iam::111111111111:role/it")
    said = there(tmp_path, programs, world)["credentials"].found
    assert said.endswith(f"/{DEPLOY}/someone, by profile stg, then role arn:aws:iam::111111111111:role/it")


@pytest.mark.parametrize(
    ("role", "mended"),
    [
        (
            "somebody",
            'set account.role.arn = "arn:aws:iam::111111111111:role/guestbook-stg-deploy" in environments/stg.toml',
        ),
        (DEPLOY, "inv infra.apply --env stg"),
    ],
)
def test_what_is_not_allowed_is_named_with_what_mends_it(
    role: str, mended: str, tmp_path: Path, programs: Path, world: World
) -> None:
    project(tmp_path)
    allowed(world, role, without=("RollOut", "ecs:UpdateService"))
    found = there(tmp_path, programs, world)["permissions"]
    assert (found.state, found.found, found.next) == ("MISSING", "not allowed: ecs:UpdateService", mended)


def test_who_may_not_ask_iam_is_told_so(tmp_path: Path, programs: Path, world: World) -> None:
    project(tmp_path)
    world.aws.iam.refuse("simulate_principal_policy", "AccessDenied", times=50)
    found = there(tmp_path, programs, world)["permissions"]
    assert found.state == "SKIPPED"
    assert found.found == "IAM does not tell: AccessDenied of SimulatePrincipalPolicy"


def test_the_account_s_root_is_not_asked_about(tmp_path: Path, programs: Path, world: World) -> None:
    project(tmp_path)
    world.aws.sts.arn = "arn:aws:iam::111111111111:root"
    assert there(tmp_path, programs, world)["permissions"].found == "the account's root may do everything"
    assert "iam:SimulatePrincipalPolicy" not in world.aws.calls


def test_a_project_with_a_stack_of_its_own_has_no_list(tmp_path: Path, programs: Path, world: World) -> None:
    project(tmp_path)
    (tmp_path / permissions.SOURCE).unlink()
    assert there(tmp_path, programs, world)["permissions"].state == "SKIPPED"
