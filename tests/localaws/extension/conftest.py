"""A real emulator on a free port, with a real container engine and an image made without a registry."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[3]
PYTHON = Path(os.environ.get("LOCALAWS_PYTHON") or ROOT / ".tools/emulator/bin/python")
ACCOUNT, REGION = "111122223333", "eu-central-1"
LABEL = "deploylib.localaws.instance"
APPLETS = (
    "sh",
    "sleep",
    "httpd",
    "wget",
    "cat",
    "echo",
    "mkdir",
    "id",
    "pwd",
    "hostname",
    "touch",
    "true",
    "false",
    "ls",
)
CGI = {
    "version": '#!/bin/sh\nprintf "Content-Type: text/plain\\n\\n$VERSION"\n',
    "slow": '#!/bin/sh\nsleep 1\nprintf "Content-Type: text/plain\\n\\nslow $VERSION"\n',
    "status": '#!/bin/sh\nprintf "Status: 500 Oops\\nContent-Type: text/plain\\n\\nno"\n',
}
SERVE = "trap 'exit 0' TERM; httpd -f -p 8080 -h /www & wait"


@dataclass(slots=True, kw_only=True)
class Emulator:
    """A running emulator and its clients."""

    port: int
    instance: str
    calls_file: Path
    log_file: Path
    process: subprocess.Popen[bytes]
    clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        if service not in self.clients:
            self.clients[service] = boto3.client(
                service,  # type: ignore[call-overload]  # the service's name is data here
                endpoint_url=f"http://127.0.0.1:{self.port}",
                region_name=REGION,
                aws_access_key_id="test",
                aws_secret_access_key="test",
            )
        return self.clients[service]

    @property
    def ecs(self) -> Any:
        return self.client("ecs")

    def calls(self, action: str = "") -> list[dict[str, Any]]:
        lines = self.calls_file.read_text().splitlines()
        return [call for call in map(json.loads, lines) if not action or call["action"] == action]

    def containers(self, *, everything: bool = True) -> list[str]:
        options = ["-a"] if everything else []
        return docker("ps", "-q", *options, "--filter", f"label={LABEL}={self.instance}").split()

    def get(self, balancer: str, path: str = "/cgi-bin/version") -> tuple[int, str]:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}")
        request.add_header("Host", f"{balancer}.alb.localhost:{self.port}")
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - the same
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def deployments(self, service: str) -> list[dict[str, Any]]:
        found = self.ecs.describe_services(cluster="main", services=[service])["services"][0]["deployments"]
        return list(found)

    def deployment(self, service: str, identifier: str) -> dict[str, Any]:
        return next((d for d in self.deployments(service) if d["id"] == identifier), {})

    def tasks(self, service: str = "", **filters: Any) -> list[dict[str, Any]]:
        if service:
            filters["serviceName"] = service
        arns = self.ecs.list_tasks(cluster="main", **filters)["taskArns"]
        return list(self.ecs.describe_tasks(cluster="main", tasks=arns)["tasks"]) if arns else []

    def task(self, arn: str) -> dict[str, Any]:
        return dict(self.ecs.describe_tasks(cluster="main", tasks=[arn])["tasks"][0])

    def stopped(self, arn: str, *, timeout: float = 15) -> dict[str, Any]:
        until(lambda: self.task(arn)["lastStatus"] == "STOPPED", timeout=timeout)
        return self.task(arn)

    def register(self, family: str, *containers: dict[str, Any], **fields: Any) -> str:
        definition = self.ecs.register_task_definition(
            family=family,
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            containerDefinitions=list(containers),
            **fields,
        )
        return str(definition["taskDefinition"]["taskDefinitionArn"])

    def run(self, family: str, *containers: dict[str, Any], **fields: Any) -> str:
        definition = self.register(family, *containers, **fields)
        network = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}
        started = self.ecs.run_task(
            cluster="main", taskDefinition=definition, launchType="FARGATE", networkConfiguration=network
        )
        return str(started["tasks"][0]["taskArn"])

    def update(self, service: str, definition: str, **fields: Any) -> str:
        answer = self.ecs.update_service(cluster="main", service=service, taskDefinition=definition, **fields)
        return str(answer["service"]["deployments"][0]["id"])

    def settled(self, service: str, identifier: str, *, timeout: float = 15) -> dict[str, Any]:
        until(lambda: self.deployment(service, identifier).get("rolloutState") != "IN_PROGRESS", timeout=timeout)
        return self.deployment(service, identifier)


def docker(*arguments: str, stdin: bytes | None = None) -> str:
    ended = subprocess.run(["docker", *arguments], input=stdin, capture_output=True, check=True)
    return ended.stdout.decode()


def until(condition: Callable[[], Any], *, timeout: float = 15, interval: float = 0.05) -> float:
    """Wait for *condition* and return how long it took."""
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > timeout:
            raise AssertionError(f"not within {timeout} s")
        time.sleep(interval)
    return time.monotonic() - started


def container(name: str, command: str, *, image: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "image": image, "essential": True, "command": ["sh", "-c", command], **fields}


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
    installed = shutil.which("busybox")
    if installed and "statically linked" in subprocess.run(
        ["file", "-L", installed], capture_output=True, check=False
    ).stdout.decode(errors="replace"):
        return Path(installed)
    subprocess.run(["apt-get", "download", "-qq", "busybox-static"], cwd=folder, check=True, capture_output=True)
    package = next(folder.glob("*.deb"))
    subprocess.run(["dpkg-deb", "-x", str(package), str(folder)], check=True)
    return folder / "bin/busybox"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_emulator(folder: Path, **settings: str) -> Emulator:
    port, instance = free_port(), f"test-{uuid.uuid4().hex[:8]}"
    calls_file, log_file = folder / "calls.jsonl", folder / "emulator.log"
    given = {"PORT": port, "INSTANCE": instance, "ACCOUNT_ID": ACCOUNT, "REGION": REGION, "CALLS_FILE": calls_file}
    environment = {f"LOCALAWS_{name}": str(value) for name, value in {**given, **settings}.items()}
    process = subprocess.Popen(
        [str(PYTHON), "-m", "deploylib.localaws.extension"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment},
        stdout=log_file.open("wb"),
        stderr=subprocess.STDOUT,
    )
    emulator = Emulator(port=port, instance=instance, calls_file=calls_file, log_file=log_file, process=process)
    until(lambda: process.poll() is not None or _answers(port), timeout=10, interval=0.02)
    assert process.poll() is None, log_file.read_text()
    return emulator


def stop_emulator(emulator: Emulator) -> float:
    started = time.monotonic()
    emulator.process.send_signal(signal.SIGTERM)
    assert emulator.process.wait(timeout=30) == 0, emulator.log_file.read_text()[-4000:]
    return time.monotonic() - started


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/_ministack/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """Start one emulator for all tests; at the end it must leave nothing and have logged no traceback."""
    settings = {"HEALTH_PATIENCE_SECONDS": "1.5", "FAILED_KEPT_SECONDS": "5"}
    emulator = start_emulator(tmp_path_factory.mktemp("emulator"), **settings)
    emulator.ecs.create_cluster(clusterName="main")
    emulator.client("logs").create_log_group(logGroupName="/test")
    yield emulator
    stop_emulator(emulator)
    assert emulator.containers() == []
    assert "Traceback" not in emulator.log_file.read_text()


@dataclass(frozen=True, slots=True, kw_only=True)
class Balancer:
    """A load balancer with one target group behind it."""

    name: str
    group: str


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
