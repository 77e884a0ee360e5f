"""A small application of two services, a migration and a scheduled task, made to go wrong at will.

Its images are two files on the operating system's image: a release takes seconds. `front` answers behind the load
balancer, `back` only runs; a file for each says how it behaves.
"""

from __future__ import annotations

import contextlib
import functools
import re
import shutil
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from deploylib import aws, config, ledger
from deploylib import contract as contracts
from deploylib.toolchain.os_image import OsImage
from tests.e2e.project import Project, copy_project

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from deploylib.aws import Account

APP, ENV = "examples/shop", "trial"
ACCOUNT = "555555555555"
LOCAL = ("--env", ENV)
DEPLOY = ("deploy", *LOCAL, "--yes")
# Whatever a test does beside a slow release is done before that has ended, on a busy machine too.
WELL, CRASH, SICK, SLOW = "well\n", "crash\n", "sick\n", "slow 12\n"
QUICK, LONG = "0 0\n", "20 0\n"
CRASHED = "no such setting: FLUX"

COMMON = f"""
[app]
name = "shop"
path = "{APP}"

[images.base]
dockerfile = "Dockerfile.base"

[images.roles.front]
dockerfile = "Dockerfile.front"

[images.roles.back]
dockerfile = "Dockerfile.back"

[migration]
service = "web"
container = "front"
command = ["perl", "/migrate.pl"]
timeout_seconds = 60

[rollout]
timeout_seconds = 90
poll_seconds = 1.0

[lock]
lease_seconds = 20

[release]
on_interrupt = "detach"

[services.job]
after = ["web"]

[serving]
contains = "{{commit}}"
timeout_seconds = 20

[terraform]
deletion_protection = false
log_retention_days = 1

[terraform.deploy_role]

[terraform.network]
nat_gateways = 0

[terraform.services.web.load_balancer]
container = "front"
grace_period_seconds = 15
deregistration_delay_seconds = 1
health_check = {{ interval_seconds = 5, timeout_seconds = 2 }}

[terraform.services.web.containers.front]
role = "front"
port = 8000

[terraform.services.job.containers.back]
role = "back"
stop_timeout_seconds = 5

[terraform.scheduled_tasks.tidy]
schedule = "cron(0 3 * * ? *)"

[terraform.scheduled_tasks.tidy.containers.tidy]
role = "back"
"""
ENVIRONMENT = f"""
[account]
id = "{ACCOUNT}"
region = "ap-northeast-1"
profile = "{ENV}"
config_file = ".local/aws/config"
"""
FILES = {
    "Dockerfile.base": f"FROM {OsImage().name}\nCOPY behave.pl serve.pl migrate.pl /\n",
    "Dockerfile.front": """
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
ARG COMMIT
COPY front /behaviour
COPY migration /migration
ENV COMMIT=${COMMIT}
CMD ["perl", "/serve.pl"]
""",
    "Dockerfile.back": """
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
COPY back /behaviour
CMD ["perl", "-e", "require '/behave.pl'; behave(); print qq(working\\n); sleep 1 while 1"]
""",
    "behave.pl": f"""
$| = 1;
$SIG{{TERM}} = sub {{ exit 0 }};
sub behave {{
    open my $file, '<', '/behaviour' or die $!;
    my $how = <$file>;
    if ($how =~ /crash/) {{ print "{CRASHED}\\n"; exit 3 }}
    sleep $1 if $how =~ /slow (\\d+)/;
    return $how =~ /sick/ ? '500 Sick' : '200 OK';
}}
1;
""",
    "serve.pl": """
use IO::Socket::INET;
require '/behave.pl';
my $status = behave();
my $server = IO::Socket::INET->new(LocalPort => 8000, Listen => 9, ReuseAddr => 1) or die $!;
while (my $client = $server->accept) {
    while (<$client>) { last if /^\\r?$/ }
    print $client "HTTP/1.0 $status\\r\\nContent-Type: text/plain\\r\\n\\r\\n$ENV{COMMIT}\\n";
    close $client;
}
""",
    # Its own file says how long it takes and how it ends.
    "migrate.pl": """
$| = 1;
open my $file, '<', '/migration' or die $!;
my ($seconds, $code) = split ' ', <$file>;
print "migrating\\n";
sleep $seconds;
print "migrated\\n" unless $code;
exit $code;
""",
    "front": WELL,
    "back": WELL,
    "migration": QUICK,
}


def shop(path: Path, *, more: str = "") -> Project:
    """A copy of this project with the small application in it, and one environment; *more* is for all environments."""
    project = copy_project(path)
    shutil.rmtree(project.path / "environments")
    write(project, "environments/common.toml", COMMON + more)
    write(project, f"environments/{ENV}.toml", ENVIRONMENT)
    for name, text in FILES.items():
        write(project, f"{APP}/{name}", text)
    project.commit("A small application")
    return project


def write(project: Project, name: str, text: str) -> None:
    """Give a file of the project another text."""
    (project.path / name).parent.mkdir(parents=True, exist_ok=True)
    (project.path / name).write_text(text)


def change(project: Project, *, front: str = WELL, migration: str = QUICK, **behaviours: str) -> str:
    """Commit how `front`, `back` and `migration` behave from now on, and a front that is not the one before."""
    for name, text in {**behaviours, "migration": migration, "front": f"{front}after {project.head}\n"}.items():
        write(project, f"{APP}/{name}", text)
    return project.commit(f"Behaves: {behaviours}")


def behaves(project: Project) -> bool:
    """Whether everything in the checkout would come up well, if slowly."""
    texts = [(project.path / APP / name).read_text() for name in ("front", "back", "migration")]
    return not any(bad in texts[0] + texts[1] for bad in (CRASH, SICK)) and texts[2].endswith(" 0\n")


@contextlib.contextmanager
def said(project: Project, more: str) -> Iterator[None]:
    """Say *more* in the environment's own file, for as long as the context lasts."""
    name = f"environments/{ENV}.toml"
    write(project, name, f"{ENVIRONMENT}\n{more}\n")
    try:
        yield
    finally:
        write(project, name, ENVIRONMENT)


def account(project: Project) -> Account:
    return aws.signed_in(config.load(project.path, ENV, variables={}))


def contract(project: Project) -> contracts.Contract:
    return contracts.read(account(project).ssm, f"/shop/{ENV}/contract")


@functools.cache
def address(project: Project) -> str:
    """Return where the application answers."""
    (found,) = re.findall(r"http://\S+\.alb\.localhost:\d+", project.inv("local.status").out)
    return str(found)


def calls(project: Project, action: str, since: int = 0) -> list[dict[str, Any]]:
    """Return the calls of an *action* that were answered with success, from the call number *since* on."""
    return [one for one in project.api_calls()[since:] if one["action"] == action and one["status"] == 200]


def live(project: Project) -> dict[str, dict[str, Any]]:
    """Return what ECS says of each service, by its key."""
    ecs, found = account(project).ecs, contract(project)
    names = {service.name: key for key, service in found.services.items()}
    told = ecs.describe_services(cluster=found.cluster, services=list(names))["services"]
    return {names[one["serviceName"]]: dict(one) for one in told}


def revisions(project: Project) -> dict[str, str]:
    """Return the revision that each service and each schedule is set to."""
    found = contract(project)
    scheduler: Any = aws.session(config.load(project.path, ENV, variables={})).client("scheduler")
    schedules = {
        key: scheduler.get_schedule(Name=task.schedule)["Target"]["EcsParameters"]["TaskDefinitionArn"]
        for key, task in found.scheduled_tasks.items()
    }
    return {key: one["taskDefinition"] for key, one in live(project).items()} | schedules


def history(project: Project, limit: int) -> list[dict[str, Any]]:
    """Return the newest releases as the ledger has them, the newest first."""
    found = ledger.entries(account(project).dynamodb, contract(project).ledger, limit=limit)
    return [asdict(one) for one in found]
