"""The launcher with the real emulator and the real engine: up, killed, up again, down, and nothing is left."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from deploylib import process
from deploylib.localaws import emulator, instance, leftovers
from deploylib.toolchain import engine, machine, os_image, python_environment, recorded_process
from deploylib.toolchain.os_image import OsImage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from deploylib.localaws.instance import LocalAws
    from deploylib.toolchain.engine import Engine

ROOT = Path(__file__).resolve().parents[2]
PYTHON = Path(os.environ.get("LOCALAWS_PYTHON") or python_environment.emulator(ROOT).python)
PATIENCE_SECONDS = 60

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def docker() -> Engine:
    found = engine.find()
    os_image.ensure(ROOT, found, machine.this(), print)
    return found


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Path]:
    root = tmp_path / "shop"
    shutil.copytree(ROOT / "deploylib", root / "deploylib", ignore=shutil.ignore_patterns("__pycache__"))
    python_environment.emulator(root).path.parent.mkdir()
    python_environment.emulator(root).path.symlink_to(PYTHON.parents[1])
    yield root
    emulator.down(root)


def client(root: Path, service: str) -> Any:
    """Return a client as product code gets one: by the shared configuration file and its profile."""
    local = instance.read(root, "local")
    assert local is not None
    session = boto3.Session(aws_access_key_id=local.account_id, aws_secret_access_key="x", region_name=local.region)
    return session.client(service, endpoint_url=local.endpoint)  # type: ignore[call-overload]  # the name is data


def run_service(root: Path) -> None:
    ecs = client(root, "ecs")
    ecs.create_cluster(clusterName="shop")
    ecs.register_task_definition(
        family="web",
        networkMode="awsvpc",
        containerDefinitions=[{"name": "app", "image": OsImage().name, "command": ["sleep", "600"], "memory": 64}],
    )
    network = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}
    ecs.create_service(
        cluster="shop", serviceName="web", taskDefinition="web", desiredCount=2, networkConfiguration=network
    )
    until(lambda: ecs.describe_services(cluster="shop", services=["web"])["services"][0]["runningCount"] == 2)


def until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not reached():
        assert time.monotonic() < deadline, f"not reached within {PATIENCE_SECONDS} s"
        time.sleep(0.1)


def kill(local: LocalAws) -> None:
    os.kill(local.pid, signal.SIGKILL)
    until(lambda: not recorded_process.is_alive(local.process))


def test_nothing_is_left_after_a_kill_and_down(checkout: Path, docker: Engine) -> None:
    first = emulator.up(checkout, engine=docker)
    run_service(checkout)
    assert emulator.up(checkout, engine=docker) == first, "a second up is harmless"
    process.run((docker.program, "tag", OsImage().name, f"{first.registry}/shop:1"), env=docker.environ)

    kill(first)
    assert emulator.status(checkout).state == "died"
    assert len(emulator.status(checkout).containers) >= 2, "a killed emulator leaves its containers"

    second = emulator.up(checkout, engine=docker)
    assert (second.port, emulator.status(checkout).containers) == (first.port, ())
    run_service(checkout)

    removed = emulator.down(checkout)

    assert removed.images == 1
    assert leftovers.instances(docker.api, instance.instance_id(checkout, "")) == ()
    assert docker.api.get(f"/images/{first.registry}/shop:1/json") is None
    assert docker.api.get(f"/images/{OsImage().name}/json") is not None
    assert not recorded_process.is_alive(second.process)
    assert sorted(path.name for path in checkout.iterdir()) == [".tools", "deploylib"]


def test_a_database_of_rds_runs_from_our_image_and_goes_down_with_the_rest(checkout: Path, docker: Engine) -> None:
    emulator.up(checkout, engine=docker)
    rds = client(checkout, "rds")
    rds.create_db_instance(
        DBInstanceIdentifier="shop",
        Engine="postgres",
        EngineVersion="15",
        DBInstanceClass="db.t4g.micro",
        DBName="shop",
        MasterUsername="shop",
        MasterUserPassword="not-a-secret",
        AllocatedStorage=20,
    )

    def status() -> str:
        return str(rds.describe_db_instances(DBInstanceIdentifier="shop")["DBInstances"][0]["DBInstanceStatus"])

    until(lambda: status() == "available")
    assert len(emulator.status(checkout).containers) == 1

    emulator.down(checkout)

    assert leftovers.instances(docker.api, instance.instance_id(checkout, "")) == ()
