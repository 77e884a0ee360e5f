"""Two accounts on one machine: what completed in the first is taken by the second, byte for byte, and never built.

The application here is as small as one can be: a base with a layer that is worth counting, and two roles that sleep.
"""

from __future__ import annotations

import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from deploylib import aws, config
from deploylib import contract as contracts
from deploylib.images import registry
from deploylib.toolchain.os_image import OsImage
from tests.e2e.project import Project, copy_project

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from deploylib.aws import Account

pytestmark = pytest.mark.e2e

APP = "examples/beacon"
LAYER = 3_000_000
SMALL = 200_000
STG, PRD = "teststg", "testprd"
ACCOUNTS = {STG: "333333333333", PRD: "444444444444"}
DEPLOY_PRD = ("deploy", "--env", PRD, "--yes", "--confirm", PRD)

COMMON = f"""
[app]
name = "beacon"
path = "{APP}"

[branches]
main = "{PRD}"

[images.base]
dockerfile = "Dockerfile.base"

[images.roles.red]
dockerfile = "Dockerfile.red"

[images.roles.blue]
dockerfile = "Dockerfile.blue"

[rollout]
timeout_seconds = 120

[serving]
contains = "{{commit}}"

[terraform]
deletion_protection = false
log_retention_days = 1

[terraform.network]
nat_gateways = 0

[terraform.services.lamp.load_balancer]
container = "red"
grace_period_seconds = 15
deregistration_delay_seconds = 1
health_check = {{ interval_seconds = 5, timeout_seconds = 2 }}

[terraform.services.lamp.containers.red]
role = "red"
port = 8000

[terraform.services.lamp.containers.blue]
role = "blue"
"""
PIPELINE = """
[terraform.pipeline]
source = "ecr"
repository = { name = "beacon", branch = "main" }
images = { tags = { red = "red-waits", blue = "blue-waits" }, trigger = "red" }
approval = {}
"""
FILES = {
    "Dockerfile.base": f"FROM {OsImage().name}\nCOPY ballast serve.pl /\n",
    "Dockerfile.red": """
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
ARG COMMIT
COPY red /colour
ENV COMMIT=${COMMIT}
CMD ["perl", "/serve.pl"]
""",
    "Dockerfile.blue": """
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
COPY blue /colour
CMD ["perl", "-e", "$SIG{TERM} = sub { exit }; sleep 1 while 1"]
""",
    "serve.pl": """
use IO::Socket::INET;
$SIG{TERM} = sub { exit };
my $server = IO::Socket::INET->new(LocalPort => 8000, Listen => 9, ReuseAddr => 1) or die $!;
while (my $client = $server->accept) {
    while (<$client>) { last if /^\\r?$/ }
    print $client "HTTP/1.0 200 OK\\r\\nContent-Type: text/plain\\r\\n\\r\\n$ENV{COMMIT}\\n";
    close $client;
}
""",
}


def environment(name: str, more: str = "") -> str:
    return f"""
{more}

[account]
id = "{ACCOUNTS[name]}"
region = "ap-northeast-1"
profile = "{name}"
config_file = ".local/aws/config"
"""


def small_project(path: Path) -> Project:
    """A copy of this project with the small application in it, and two environments."""
    project = copy_project(path)
    shutil.rmtree(project.path / "environments")
    files = {
        "environments/common.toml": COMMON,
        f"environments/{STG}.toml": environment(STG),
        f"environments/{PRD}.toml": environment(PRD, f'promote_from = "{STG}"\nprotected = true'),
        **{f"{APP}/{name}": text for name, text in FILES.items()},
    }
    for name, text in files.items():
        (project.path / name).parent.mkdir(parents=True, exist_ok=True)
        (project.path / name).write_text(text)
    for name, size in (("ballast", LAYER), ("red", SMALL), ("blue", SMALL)):
        paint(project, name, size)
    project.commit("A small application")
    return project


def paint(project: Project, name: str, size: int = SMALL) -> None:
    """Give *name* other bytes, which no compression makes fewer."""
    (project.path / APP / name).write_bytes(os.urandom(size))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Both accounts with their infrastructure, and a release that completed in the first."""
    project = small_project(tmp_path_factory.mktemp("promotion"))
    try:
        for name in ACCOUNTS:
            project.inv("local.up", "--env", name)
        with ThreadPoolExecutor() as pool:  # Terraform waits more than it works
            other = pool.submit(project.inv, "infra.apply", "--env", PRD, "--yes", "--confirm", PRD)
            project.inv("infra.apply", "--env", STG, "--yes")
            project.inv("deploy", "--env", STG, "--yes")
            other.result()
        yield project
    finally:
        project.inv("local.down")


def account(project: Project, name: str) -> Account:
    return aws.signed_in(config.load(project.path, name))


def contract(project: Project, name: str) -> contracts.Contract:
    return contracts.read(account(project, name).ssm, f"/beacon/{name}/contract")


def running(project: Project, name: str) -> dict[str, str]:
    """Return the digest that each container of the service is set to."""
    ecs, found = account(project, name).ecs, contract(project, name)
    service = ecs.describe_services(cluster=found.cluster, services=[found.services["lamp"].name])["services"][0]
    definition = ecs.describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]
    return {one["name"]: one["image"].partition("@")[2] for one in definition["containerDefinitions"]}


def manifests(project: Project, name: str, digests: dict[str, str]) -> dict[str, str]:
    """Return the bytes of each manifest as the registry holds them."""
    found = registry.manifests(account(project, name).ecr, contract(project, name).repository, digests.values())
    return {digest: one.text for digest, one in found.items()}


def registry_calls(project: Project, name: str) -> list[dict[str, Any]]:
    """Return what the registry of *name* was asked, by its calls' account."""
    logs = (project.path / ".local").rglob("calls.jsonl")
    calls = [json.loads(line) for log in logs for line in log.read_text().splitlines()]
    return [one for one in calls if one["kind"] == "registry" and one["account"] == ACCOUNTS[name]]


def blobs(calls: list[dict[str, Any]], method: str) -> list[str]:
    """Return the blobs that were read or written (an upload ends with its PUT)."""
    return [one["action"] for one in calls if one["action"].startswith(f"{method} ") and "/blobs/" in one["action"]]


def events(text: str, kind: str) -> list[dict[str, Any]]:
    documents = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return [one for one in documents if one.get("event") == kind]


def test_what_completed_in_one_account_is_released_in_the_other_without_a_build(project: Project) -> None:
    before = len(registry_calls(project, PRD))
    planned = project.inv("deploy", "--env", PRD, "--dry-run")
    assert f"from {STG}, release 1" in planned.out
    assert registry_calls(project, PRD)[before:] == [], "a dry run writes nothing"
    ran = project.inv(*DEPLOY_PRD, "--output", "json", DOCKER_HOST="unix:///nonexistent/docker.sock")
    assert events(ran.out, "BuildStarted") == []
    promoted = {one["image"]: one for one in events(ran.out, "Promoted")}
    assert set(promoted) == {"red", "blue"}
    assert running(project, PRD) == running(project, STG)
    theirs = manifests(project, STG, running(project, STG))
    assert manifests(project, PRD, running(project, PRD)) == theirs
    told = sum(one["size"] for one in promoted.values())
    moved = sum(one["received"] for one in registry_calls(project, PRD)[before:])
    assert LAYER < told <= moved < told + 50_000, "the layers that both share travelled once"


def test_second_deploy_of_the_same_release_finds_nothing_to_do(project: Project) -> None:
    ran = project.inv(*DEPLOY_PRD)
    assert "nothing to do" in ran.out.lower()


def test_files_of_a_pipeline_are_the_same_in_both_accounts_but_for_the_registry(
    project: Project, tmp_path: Path
) -> None:
    for name in ACCOUNTS:
        project.inv("pipeline.artifacts", "--env", name, "--out", str(tmp_path / name))
    definitions = [(tmp_path / name / "lamp/imagedefinitions.json").read_text() for name in ACCOUNTS]
    here, there = (contract(project, name).repository for name in ACCOUNTS)
    assert here in definitions[0]
    assert definitions[0].replace(here, there) == definitions[1]
    assert len({(tmp_path / name / "buildspec.yml").read_text() for name in ACCOUNTS}) == 1


def test_a_pipeline_that_waits_for_images_is_started_with_those_that_were_promoted(project: Project) -> None:
    settings = project.path / f"environments/{PRD}.toml"
    before = settings.read_text()
    settings.write_text(before + PIPELINE)
    try:
        project.inv("pipeline.start", "--env", PRD, "--yes", expect=3)
        project.inv("pipeline.start", "--env", PRD, "--yes", "--confirm", PRD)
    finally:
        settings.write_text(before)
    there = registry.present(account(project, PRD).ecr, contract(project, PRD).repository, ("red-waits", "blue-waits"))
    assert {tag.removesuffix("-waits"): digest for tag, digest in there.items()} == running(project, PRD)


def test_commit_that_is_not_on_the_branch_of_a_protected_environment_stays_out(project: Project) -> None:
    project.git("branch", "--move", "main", "other")
    try:
        ran = project.inv("deploy", "--env", PRD, "--dry-run", expect=3)
        assert f"{PRD} is protected, and commit {project.head[:12]} is not on main" in ran.err
        ran = project.inv("plan", "--env", PRD, "--output", "json", expect=3)
        assert [json.loads(line)["event"] for line in ran.out.splitlines()] == ["Failed"]
    finally:
        project.git("branch", "--move", "other", "main")


def test_only_the_layer_that_changed_travels(project: Project) -> None:
    paint(project, "red")
    project.commit("Another red")
    project.inv("deploy", "--env", STG, "--yes")
    writes, reads = len(registry_calls(project, PRD)), len(registry_calls(project, STG))
    ran = project.inv("image.promote", "--env", PRD, "--from", STG, "--yes", "--confirm", PRD, "--output", "json")
    (promoted,) = events(ran.out, "Promoted")
    assert (promoted["image"], promoted["layers"]) == ("red", 2), "the layer, and the image's own document"
    moved = sum(one["received"] for one in registry_calls(project, PRD)[writes:])
    assert SMALL < moved < SMALL + 50_000
    fetched = sum(one["sent"] for one in registry_calls(project, STG)[reads:])
    assert fetched < SMALL + 100_000
    assert running(project, PRD) != running(project, STG), "the images only: nothing was released"
    project.inv(*DEPLOY_PRD)
    assert running(project, PRD) == running(project, STG)


def test_earlier_release_is_taken_by_its_number(project: Project) -> None:
    newest = running(project, PRD)
    project.inv(*DEPLOY_PRD, "--release", "1")
    assert running(project, PRD)["red"] != newest["red"]
    assert running(project, PRD)["blue"] == newest["blue"]


def test_release_that_did_not_complete_is_refused_with_its_verdict(project: Project) -> None:
    project.replace(f"{APP}/Dockerfile.blue", "CMD [", 'CMD ["false"] #')
    project.commit("A lamp that does not burn")
    project.inv("deploy", "--env", STG, "--yes", expect=6)
    ran = project.inv(*DEPLOY_PRD, "--release", "3", expect=3)
    assert "release 3 of teststg was rolled back" in ran.err
    assert "--release 2" in ran.err
    project.git("revert", "--no-edit", "HEAD")


def test_tag_that_another_image_has_there_is_an_error_and_nothing_is_changed(project: Project) -> None:
    paint(project, "blue")
    project.commit("Another blue")
    project.inv("deploy", "--env", STG, "--yes")
    prd, repository = account(project, PRD), contract(project, PRD).repository
    wanted = running(project, STG)["blue"]
    theirs = registry.tags_of(account(project, STG).ecr, contract(project, STG).repository, wanted)
    content = next(one for one in theirs if one.startswith("blue-c"))
    assert registry.put_tag(prd.ecr, repository, content, digest=running(project, PRD)["red"])
    before = registry.everything(prd.ecr, repository)
    ran = project.inv(*DEPLOY_PRD, expect=4)
    assert content in ran.err
    assert registry.everything(prd.ecr, repository) == before


def test_release_of_another_environment_makes_no_sense_where_images_are_built(project: Project) -> None:
    ran = project.inv("deploy", "--env", STG, "--yes", "--release", "1", expect=2)
    assert "promote_from" in ran.err
