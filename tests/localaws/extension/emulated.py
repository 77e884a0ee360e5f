"""A real emulator on a free port, and what tests ask of it."""

from __future__ import annotations

import json
import os
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

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[3]
PYTHON = Path(os.environ.get("LOCALAWS_PYTHON") or ROOT / ".tools/emulator/bin/python")
ACCOUNT, REGION = "111122223333", "eu-central-1"
LABEL = "deploylib.localaws.instance"
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

    def get(self, balancer: str, path: str = "/cgi-bin/version", *, port: int | None = None) -> tuple[int, str]:
        """Ask a load balancer's listener: the one on port 80, or on *port*."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}")
        request.add_header("Host", f"{balancer}.alb.localhost:{port or self.port}")
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


def until(condition: Callable[[], Any], *, timeout: float = 60, interval: float = 0.05) -> None:
    """Wait for *condition*."""
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > timeout:
            raise AssertionError(f"not within {timeout} s")
        time.sleep(interval)


def container(name: str, command: str, *, image: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "image": image, "essential": True, "command": ["sh", "-c", command], **fields}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_emulator(folder: Path, **settings: str) -> Emulator:
    port, instance = free_port(), f"test-{uuid.uuid4().hex[:8]}"
    calls_file, log_file = folder / "calls.jsonl", folder / "emulator.log"
    given = {"PORT": port, "INSTANCE": instance, "ACCOUNT_ID": ACCOUNT, "REGION": REGION, "CALLS_FILE": calls_file}
    environment = {f"LOCALAWS_{name}": str(value) for name, value in {**given, **settings}.items()}
    with log_file.open("ab") as log:
        process = subprocess.Popen(
            [str(PYTHON), "-m", "deploylib.localaws.extension"],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    emulator = Emulator(port=port, instance=instance, calls_file=calls_file, log_file=log_file, process=process)
    until(lambda: process.poll() is not None or _answers(port), interval=0.02)
    assert process.poll() is None, log_file.read_text()
    return emulator


def stop_emulator(emulator: Emulator) -> None:
    emulator.process.send_signal(signal.SIGTERM)
    assert emulator.process.wait(timeout=60) == 0, emulator.log_file.read_text()[-4000:]


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/_ministack/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Balancer:
    """A load balancer with one target group behind it."""

    name: str
    group: str
