"""A real emulator with a real container engine, and an image made without a registry."""

from __future__ import annotations

import shutil
import subprocess
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.localaws.extension.emulated import Balancer, docker, start_emulator, stop_emulator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.localaws.extension.emulated import Emulator

APPLETS = ("sh", "sleep", "httpd", "wget", "cat", "echo", "id", "pwd", "hostname", "touch", "true", "test", "mv")
CGI = {
    "version": '#!/bin/sh\nprintf "Content-Type: text/plain\\n\\n$VERSION"\n',
    "slow": '#!/bin/sh\nsleep 1\nprintf "Content-Type: text/plain\\n\\nslow $VERSION"\n',
    "status": '#!/bin/sh\nprintf "Status: 500 Oops\\nContent-Type: text/plain\\n\\nno"\n',
}


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Import an image with a static busybox, a web root and three programs in it."""
    root = tmp_path_factory.mktemp("image")
    (root / "bin").mkdir()
    shutil.copy(_busybox(tmp_path_factory.mktemp("busybox")), root / "bin/busybox")
    for applet in APPLETS:
        (root / "bin" / applet).symlink_to("busybox")
    for name, text in CGI.items():
        program = root / "www/cgi-bin" / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(text)
        program.chmod(0o755)
    (root / "www/index.html").write_text("hello")
    (root / "tmp").mkdir()
    packed = subprocess.run(["tar", "-C", str(root), "-c", "."], capture_output=True, check=True).stdout
    name = f"localaws-test:{uuid.uuid4().hex[:8]}"
    docker("import", "--change", "ENV PATH=/bin", "-", name, stdin=packed)
    yield name
    docker("rmi", "-f", name)


def _busybox(folder: Path) -> Path:
    """Return a static busybox: this machine's, or the distribution's package unpacked in *folder*."""
    installed = shutil.which("busybox")
    if installed and not any(loader in Path(installed).read_bytes() for loader in (b"/ld-linux", b"/ld-musl")):
        return Path(installed)
    subprocess.run(["apt-get", "download", "-qq", "busybox-static"], cwd=folder, check=True, capture_output=True)
    package = next(folder.glob("*.deb"))
    subprocess.run(["dpkg-deb", "-x", str(package), str(folder)], check=True)
    return folder / "bin/busybox"


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """Start one emulator for all tests; at the end it must leave nothing and have logged no traceback."""
    settings = {"HEALTH_PATIENCE_SECONDS": "1.5", "FAILED_KEPT_SECONDS": "4"}
    emulator = start_emulator(tmp_path_factory.mktemp("emulator"), **settings)
    emulator.ecs.create_cluster(clusterName="main")
    emulator.client("logs").create_log_group(logGroupName="/test")
    yield emulator
    stop_emulator(emulator)
    assert emulator.containers() == []
    assert "Traceback" not in emulator.log_file.read_text()


@pytest.fixture
def balancer(aws: Emulator) -> Balancer:
    elb, name = aws.client("elbv2"), f"lb-{uuid.uuid4().hex[:8]}"
    arn = elb.create_load_balancer(Name=name, Subnets=["subnet-1"])["LoadBalancers"][0]["LoadBalancerArn"]
    made = elb.create_target_group(
        Name=name, Protocol="HTTP", Port=8080, VpcId="vpc-1", TargetType="ip", HealthCheckPath="/index.html"
    )
    group = made["TargetGroups"][0]["TargetGroupArn"]
    forward = [{"Type": "forward", "TargetGroupArn": group}]
    elb.create_listener(LoadBalancerArn=arn, Protocol="HTTP", Port=80, DefaultActions=forward)
    return Balancer(name=name, group=group)


@pytest.fixture
def service(aws: Emulator, balancer: Balancer, image: str) -> Iterator[Callable[..., str]]:
    """Create services behind the balancer, and delete them afterwards."""
    made: list[str] = []

    def create(
        definition: str, *, desired: int = 2, balanced: bool = True, rollback: bool = True, **fields: Any
    ) -> str:
        name = f"svc-{uuid.uuid4().hex[:8]}"
        breaker = {"enable": True, "rollback": rollback}
        balancers = [{"targetGroupArn": balancer.group, "containerName": "web", "containerPort": 8080}]
        given = {
            "deploymentConfiguration": {"deploymentCircuitBreaker": breaker},
            "loadBalancers": balancers if balanced else [],
            **fields,
        }
        network = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}
        aws.ecs.create_service(
            cluster="main",
            serviceName=name,
            taskDefinition=definition,
            desiredCount=desired,
            launchType="FARGATE",
            networkConfiguration=network,
            **given,
        )
        made.append(name)
        return name

    yield create
    for name in made:
        aws.ecs.delete_service(cluster="main", service=name, force=True)
