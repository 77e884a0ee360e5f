"""Tasks on the real emulator: their containers, their end, and what DescribeTasks and the log say of it."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.localaws.extension.emulated import ACCOUNT, REGION, SERVE, container, docker, until

if TYPE_CHECKING:
    from tests.localaws.extension.emulated import Emulator

pytestmark = pytest.mark.e2e


def logged(prefix: str) -> dict[str, Any]:
    options = {"awslogs-group": "/test", "awslogs-region": REGION, "awslogs-stream-prefix": prefix}
    return {"logDriver": "awslogs", "options": options}


def lines(aws: Emulator, prefix: str) -> list[str]:
    events = aws.client("logs").filter_log_events(logGroupName="/test", logStreamNamePrefix=prefix)["events"]
    return [event["message"] for event in events]


def exit_codes(task: dict[str, Any]) -> dict[str, int | None]:
    return {c["name"]: c.get("exitCode") for c in task["containers"]}


def test_the_fields_of_a_container_reach_the_engine(aws: Emulator, image: str) -> None:
    script = "id -u; pwd; hostname; touch /x || echo read-only; ulimit -n; cat /proc/1/comm; echo $GREETING"
    stays = "trap 'exit 0' TERM; while :; do sleep 0.1; done"
    arn = aws.run(
        "fields",
        {
            "name": "app",
            "image": image,
            "entryPoint": ["sh", "-c"],
            "command": [f"{script}; {stays}"],
            "user": "1234",
            "workingDirectory": "/www",
            "hostname": "somewhere",
            "readonlyRootFilesystem": True,
            "ulimits": [{"name": "nofile", "softLimit": 77, "hardLimit": 99}],
            "memory": 64,
            "environment": [{"name": "GREETING", "value": "hello"}],
            "logConfiguration": logged("fields"),
        },
    )
    until(lambda: len(lines(aws, "fields")) > 6)
    (app,) = docker("ps", "--quiet", "--filter", "name=fields-[0-9]+-app-").split()
    assert docker("inspect", "--format", "{{.HostConfig.Memory}}", app).strip() == str(64 * 1024 * 1024)
    aws.ecs.stop_task(cluster="main", task=arn)
    assert exit_codes(aws.stopped(arn)) == {"app": 0}
    said = lines(aws, "fields")
    assert [line for line in said if "touch" not in line] == [
        "1234",
        "/www",
        "somewhere",
        "read-only",
        "77",
        "sh",
        "hello",
    ]


def test_containers_of_a_task_share_their_addresses_and_its_volumes(aws: Emulator, image: str) -> None:
    mount = [{"sourceVolume": "shared", "containerPath": "/shared"}]
    ask = "while ! wget -qO- http://127.0.0.1:8080/index.html 2>/dev/null; do sleep 0.1; done; cat /shared/note"
    client = container("client", ask, image=image, mountPoints=mount, logConfiguration=logged("local"))
    server = container("server", f"echo ' from server' > /shared/note; {SERVE}", image=image, mountPoints=mount)
    arn = aws.run("local", {**server, "stopTimeout": 2}, client, volumes=[{"name": "shared"}])
    task = aws.stopped(arn)
    assert exit_codes(task) == {"server": 0, "client": 0}
    assert lines(aws, "local") == ["hello from server"]
    addresses = {c["networkInterfaces"][0]["privateIpv4Address"] for c in task["containers"]}
    details = {detail["name"]: detail["value"] for detail in task["attachments"][0]["details"]}
    assert addresses == {details["privateIPv4Address"]}
    assert docker("volume", "ls", "-q", "--filter", f"label=deploylib.localaws.instance={aws.instance}") == ""


def test_the_network_survives_the_container_that_was_first(aws: Emulator, image: str) -> None:
    first = container("first", "true", image=image, essential=False)
    app = container(
        "app",
        "wget -qO- http://127.0.0.1:8080/index.html",
        image=image,
        dependsOn=[
            {"containerName": "first", "condition": "SUCCESS"},
            {"containerName": "web", "condition": "HEALTHY"},
        ],
    )
    check = {"command": ["CMD", "wget", "-qO-", "http://127.0.0.1:8080/index.html"]}
    web = container("web", f"sleep 0.5; {SERVE}", image=image, essential=False, healthCheck=check, stopTimeout=2)
    assert exit_codes(aws.stopped(aws.run("order", first, app, web))) == {"first": 0, "app": 0, "web": 0}


def test_a_dependency_that_failed_fails_the_task(aws: Emulator, image: str) -> None:
    first = container("migrate", "exit 4", image=image, essential=False)
    depends = [{"containerName": "migrate", "condition": "SUCCESS"}]
    task = aws.stopped(aws.run("failing", first, container("app", SERVE, image=image, dependsOn=depends)))
    assert task["stopCode"] == "TaskFailedToStart"
    assert "container app needs migrate to succeed, and it exited with 4" in task["stoppedReason"]
    assert exit_codes(task) == {"migrate": 4, "app": None}


def test_a_stopping_task_tells_the_truth_and_its_real_exit_code(aws: Emulator, image: str) -> None:
    slow = "trap 'echo bye; sleep 1; exit 7' TERM; echo up; while :; do sleep 0.1; done"
    side = container("side", "while :; do sleep 0.1; done", image=image, essential=False, stopTimeout=2)
    arn = aws.run("slow", container("app", slow, image=image, stopTimeout=5, logConfiguration=logged("slow")), side)
    until(lambda: "up" in lines(aws, "slow"))
    answer = aws.ecs.stop_task(cluster="main", task=arn, reason="time is up")["task"]
    assert answer["desiredStatus"] == "STOPPED"
    assert answer["lastStatus"] != "STOPPED", "StopTask does not wait for the containers"
    assert arn in aws.ecs.list_tasks(cluster="main", desiredStatus="STOPPED")["taskArns"]
    seen = set()
    while (task := aws.task(arn))["lastStatus"] != "STOPPED":
        running = docker("ps", "-q", "--filter", f"label=com.amazonaws.ecs.task-arn={arn}").split()
        seen.add((task["lastStatus"], bool(running)))
    assert ("STOPPING", True) in seen
    assert docker("ps", "-aq", "--filter", f"label=com.amazonaws.ecs.task-arn={arn}") == ""
    # `side` ignores SIGTERM and is killed; the last line was written while stopping.
    assert exit_codes(task) == {"app": 7, "side": 137}
    assert (task["stopCode"], task["stoppedReason"]) == ("UserInitiated", "time is up")
    assert lines(aws, "slow") == ["up", "bye"]


def test_a_container_stops_before_the_one_it_depends_on(aws: Emulator, image: str) -> None:
    def stopping(name: str, **fields: Any) -> dict[str, Any]:
        script = f"trap 'echo {name}; exit 0' TERM; echo up; while :; do sleep 0.05; done"
        return container(name, script, image=image, logConfiguration=logged("stops"), stopTimeout=3, **fields)

    depends = [{"containerName": "proxy", "condition": "START"}]
    arn = aws.run("stops", stopping("proxy"), stopping("app", dependsOn=depends))
    until(lambda: lines(aws, "stops").count("up") == 2)  # both traps are set
    aws.ecs.stop_task(cluster="main", task=arn)
    aws.stopped(arn)
    events = aws.client("logs").filter_log_events(logGroupName="/test", logStreamNamePrefix="stops")["events"]
    said = [event["message"] for event in sorted(events, key=lambda event: event["timestamp"])]
    assert said == ["up", "up", "app", "proxy"]


def test_the_last_lines_are_in_the_log_when_the_task_has_stopped(aws: Emulator, image: str) -> None:
    script = "for i in 1 2 3 4 5 6 7 8 9; do echo line $i; done; printf 'no newline'; exit 5"
    task = aws.stopped(aws.run("lines", container("app", script, image=image, logConfiguration=logged("lines"))))
    assert exit_codes(task) == {"app": 5}
    assert lines(aws, "lines") == [*(f"line {i}" for i in range(1, 10)), "no newline"]


def test_a_task_that_cannot_start_says_why(aws: Emulator, image: str) -> None:
    lost = {**logged("lost"), "options": {**logged("lost")["options"], "awslogs-group": "/nowhere"}}
    secret = [{"name": "X", "valueFrom": "/no/such/parameter"}]
    arns = {
        "CannotPullContainerError": aws.run("a", container("app", "true", image=f"localhost:{aws.port}/none:v1")),
        "CannotStartContainerError": aws.run("b", {"name": "app", "image": image, "command": ["/no/such/program"]}),
        "The specified log group does not exist": aws.run(
            "c", container("app", "true", image=image, logConfiguration=lost)
        ),
        "unable to pull secrets or registry auth": aws.run("d", container("app", "true", image=image, secrets=secret)),
    }
    for reason, arn in arns.items():
        task = aws.stopped(arn)
        assert task["stopCode"] == "TaskFailedToStart"
        assert reason in task["stoppedReason"]
        assert exit_codes(task) == {"app": None}


def test_secrets_reach_a_container_decrypted(aws: Emulator, image: str) -> None:
    name = f"/secret/{uuid.uuid4().hex}"
    aws.client("ssm").put_parameter(Name=name, Value="from ssm", Type="SecureString")
    made = aws.client("secretsmanager").create_secret(Name=name, SecretString=json.dumps({"password": "from json"}))
    secrets = [{"name": "A", "valueFrom": name}, {"name": "B", "valueFrom": f"{made['ARN']}:password::"}]
    app = container("app", "echo $A; echo $B", image=image, secrets=secrets, logConfiguration=logged("secret"))
    aws.stopped(aws.run("secret", app))
    assert lines(aws, "secret") == ["from ssm", "from json"]


def test_variables_come_from_files_in_s3_too(aws: Emulator, image: str) -> None:
    bucket, s3 = f"settings-{uuid.uuid4().hex}", aws.client("s3")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket=bucket, Key="stg.env", Body=b"A=from a file\nB=from a file\n")
    files = [{"type": "s3", "value": f"arn:aws:s3:::{bucket}/stg.env"}]
    own = [{"name": "B", "value": "its own"}]
    app = container("app", "echo $A; echo $B", image=image, environmentFiles=files, environment=own)
    aws.stopped(aws.run("files", {**app, "logConfiguration": logged("files")}))
    assert lines(aws, "files") == ["from a file", "its own"]


def test_a_container_knows_its_account_region_and_endpoint(aws: Emulator, image: str) -> None:
    script = 'echo $AWS_ACCESS_KEY_ID $AWS_REGION; wget -qO- "$AWS_ENDPOINT_URL/_ministack/ready" >/dev/null && echo ok'
    aws.stopped(aws.run("platform", container("app", script, image=image, logConfiguration=logged("platform"))))
    assert lines(aws, "platform") == [f"{ACCOUNT} {REGION}", "ok"]
