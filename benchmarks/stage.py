"""A local AWS with one service of two tasks behind a load balancer, made by API calls as Terraform would make it.

It stands in a copy of this project in a folder of its own, so that nothing here is touched. Commits come in pairs that
differ in their image only, and both images are pushed: to deploy the other one is a rollout and nothing else.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploylib import aws, config, serving, stopped
from tests.e2e.project import ROOT, Project, copy_project

if TYPE_CHECKING:
    from collections.abc import Iterator

APP = "benchmark"
PORT = 8080
TASKS = 2
START = "benchmarks/app/start-seconds"
QUIET_SECONDS = 30.0
SERVED, UNCHECKED = "local", "unchecked"  # two environments of one service: with and without the serving check

COMMON = """\
[app]
name = "benchmark"
path = "benchmarks/app"

[images.roles.web]
dockerfile = "Dockerfile"

[images.roles.web.build_args]
OS_IMAGE = "{os_image}"

[rollout]
timeout_seconds = 120
poll_seconds = {poll_seconds}
"""
ENVIRONMENT = """\
[account]
id = "{account_id}"
region = "{region}"
profile = "local"
config_file = ".local/aws/config"
"""
SERVING = """
[serving]
path = "/"
contains = "{commit}"
"""


# As terraform/modules/service writes it for a service with one container.
TEMPLATE: dict[str, Any] = {
    "family": f"{APP}-template",
    "requiresCompatibilities": ["FARGATE"],
    "networkMode": "awsvpc",
    "cpu": "256",
    "memory": "512",
}
CONTAINER: dict[str, Any] = {
    "name": "web",
    "essential": True,
    "portMappings": [{"containerPort": PORT, "hostPort": PORT, "protocol": "tcp"}],
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A commit whose image is pushed as *image* (by digest)."""

    sha: str
    image: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The copy, its session, and the one service in it."""

    project: Project
    session: Any
    cluster: str
    service: str
    url: str

    @property
    def config_file(self) -> Path:
        """The AWS configuration that both tools sign in with."""
        return self.project.path / ".local/aws/config"

    def containers(self) -> frozenset[str]:
        """Return the containers of the local AWS that exist, running or not."""
        mark = json.loads((self.project.path / ".local/emulators/local/emulator.json").read_text())["instance"]
        words = ["docker", "ps", "--all", "--quiet", "--filter", f"label=deploylib.localaws.instance={mark}"]
        return frozenset(subprocess.run(words, capture_output=True, text=True, check=True).stdout.split())

    def old_tasks(self) -> int:
        """Return how many tasks of another revision than the service's have not stopped."""
        ecs, live = self.session.client("ecs"), self._live()["taskDefinitionArn"]
        arns = [
            arn
            for status in ("RUNNING", "STOPPED")
            for page in ecs.get_paginator("list_tasks").paginate(cluster=self.cluster, desiredStatus=status)
            for arn in page["taskArns"]
        ]
        tasks = stopped.describe_tasks(ecs, self.cluster, arns)
        return sum(one["lastStatus"] != "STOPPED" and one["taskDefinitionArn"] != live for one in tasks)

    def released(self, start_seconds: float) -> tuple[Commit, Commit]:
        """Return two commits of an application that takes *start_seconds* to start; the second one is live."""
        self.project.git("checkout", "--quiet", "main")
        (self.project.path / START).write_text(f"{start_seconds}\n")
        return self._release(), self._release()

    def _release(self) -> Commit:
        self.project.git("add", "--all")
        self.project.git("commit", "--quiet", "--allow-empty", "--message", "A release")
        self.project.inv("deploy", "--env", SERVED, "--yes")
        return Commit(sha=self.project.head, image=self._live()["containerDefinitions"][0]["image"])

    def _live(self) -> dict[str, Any]:
        ecs = self.session.client("ecs")
        found = ecs.describe_services(cluster=self.cluster, services=[self.service])["services"][0]
        definition: dict[str, Any] = ecs.describe_task_definition(taskDefinition=found["taskDefinition"])
        return {**definition["taskDefinition"], "runningCount": found["runningCount"]}

    def check(self, commit: Commit) -> None:
        """Raise when not *commit* is what is served, by as many tasks as it should."""
        live, body = self._live(), serving.fetch(self.url)[1].strip()
        seen = (live["containerDefinitions"][0]["image"], body, live["runningCount"])
        if seen != (commit.image, commit.sha, TASKS):
            raise RuntimeError(f"deployed {commit}, but found {seen}")

    def settle(self, old: frozenset[str]) -> None:
        """Wait until the *old* containers of a rollout are gone: what one tool leaves must not cost the next one."""
        deadline = time.monotonic() + QUIET_SECONDS
        while self.containers() & old or self.old_tasks():
            if time.monotonic() > deadline:
                raise RuntimeError(f"the local AWS is not quiet after {QUIET_SECONDS:g} s")
            time.sleep(0.2)


@contextlib.contextmanager
def opened() -> Iterator[Stage]:
    """Yield the stage, with nothing released; remove everything afterwards."""
    with tempfile.TemporaryDirectory(prefix="deploy-benchmark-") as folder:
        project = copy_project(Path(folder))
        _configure(project)
        try:
            project.inv("local.up", "--env", SERVED)
            yield _furnished(project)
        finally:
            project.inv("local.down")


def _configure(project: Project) -> None:
    """Write the environments: the product's own settings for a local AWS, and this application."""
    shutil.rmtree(project.path / "terraform")  # its variables would be asked for
    own = config.load(ROOT, "local")
    folder = project.path / config.DIRECTORY
    for file in folder.glob("*.toml"):
        file.unlink()
    base = own.images.base
    os_image = base.build_args["OS_IMAGE"] if base else "debian:bookworm-slim"
    (folder / "common.toml").write_text(COMMON.format(os_image=os_image, poll_seconds=own.rollout.poll_seconds))
    account = ENVIRONMENT.format(account_id=own.account.id, region=own.account.region)
    (folder / f"{SERVED}.toml").write_text(f"default = true\n\n{account}{SERVING}")
    (folder / f"{UNCHECKED}.toml").write_text(account)
    project.commit("The benchmark's own configuration")


def _furnished(project: Project) -> Stage:
    """Make what Terraform would make, and publish the contract for both environments."""
    environment = config.load(project.path, SERVED)
    session = aws.session(environment)
    ecs, logs = session.client("ecs"), session.client("logs")
    subnets = [one["SubnetId"] for one in session.client("ec2").describe_subnets()["Subnets"]][:2]
    repository = session.client("ecr").create_repository(repositoryName=APP, imageTagMutability="IMMUTABLE")
    uri = repository["repository"]["repositoryUri"]
    logs.create_log_group(logGroupName=f"/{APP}")
    cluster = ecs.create_cluster(clusterName=APP)["cluster"]["clusterArn"]
    options = {"awslogs-group": f"/{APP}", "awslogs-region": environment.account.region, "awslogs-stream-prefix": "ecs"}
    container = {
        **CONTAINER,
        "image": f"{uri}:set-by-deploy",
        "logConfiguration": {"logDriver": "awslogs", "options": options},
    }
    template = ecs.register_task_definition(**TEMPLATE, containerDefinitions=[container])["taskDefinition"]
    group, url = _load_balancer(session, subnets)
    stage = Stage(project=project, session=session, cluster=cluster, service=APP, url=url)
    _service(stage, template["taskDefinitionArn"], group, subnets)
    for name in (SERVED, UNCHECKED):
        document = _contract(stage, name, repository=uri, template=template["taskDefinitionArn"], subnets=subnets)
        session.client("ssm").put_parameter(Name=f"/{APP}/{name}/contract", Type="String", Value=json.dumps(document))
    return stage


def _load_balancer(session: Any, subnets: list[str]) -> tuple[str, str]:
    """Return the target group and the URL, with the times that environments/local.toml gives the example."""
    elb = session.client("elbv2")
    balancer = elb.create_load_balancer(Name=APP, Subnets=subnets)["LoadBalancers"][0]
    group = elb.create_target_group(
        Name=APP,
        VpcId=balancer["VpcId"],
        TargetType="ip",
        Protocol="HTTP",
        Port=PORT,
        HealthCheckPath="/",
        HealthCheckIntervalSeconds=5,
        HealthCheckTimeoutSeconds=2,
        HealthyThresholdCount=2,
    )["TargetGroups"][0]["TargetGroupArn"]
    elb.modify_target_group_attributes(
        TargetGroupArn=group, Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "1"}]
    )
    elb.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"],
        Protocol="HTTP",
        Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
    )
    return group, f"http://{balancer['DNSName']}"


def _service(stage: Stage, template: str, group: str, subnets: list[str]) -> None:
    stage.session.client("ecs").create_service(
        cluster=stage.cluster,
        serviceName=stage.service,
        launchType="FARGATE",
        taskDefinition=template,
        desiredCount=0,
        deploymentConfiguration={
            "minimumHealthyPercent": 100,
            "maximumPercent": 200,
            "deploymentCircuitBreaker": {"enable": True, "rollback": True},
        },
        healthCheckGracePeriodSeconds=5,
        networkConfiguration={"awsvpcConfiguration": {"subnets": subnets, "assignPublicIp": "DISABLED"}},
        loadBalancers=[{"targetGroupArn": group, "containerName": "web", "containerPort": PORT}],
        propagateTags="SERVICE",
    )


def _contract(stage: Stage, environment: str, *, repository: str, template: str, subnets: list[str]) -> dict[str, Any]:
    account = config.load(stage.project.path, environment).account
    return {
        "version": 1,
        "app": APP,
        "environment": environment,
        "account_id": account.id,
        "region": account.region,
        "cluster": stage.cluster,
        "repository": repository,
        "url": stage.url,
        "services": {
            "web": {
                "name": stage.service,
                "family": APP,
                "template": template,
                "desired_count": TASKS,
                "containers": {"web": "web"},
                "subnets": subnets,
                "security_groups": [],
                "log_group": f"/{APP}",
            }
        },
    }
