"""The emulator as a process, and what it says of itself: names, addresses, the call log, its start and its end."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.localaws.extension.emulated import (
    ACCOUNT,
    LABEL,
    PYTHON,
    REGION,
    ROOT,
    SERVE,
    container,
    docker,
    start_emulator,
    stop_emulator,
    until,
)

if TYPE_CHECKING:
    from tests.localaws.extension.emulated import Balancer, Emulator

pytestmark = pytest.mark.e2e


def start(**settings: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **settings}
    argv = [str(PYTHON), "-m", "deploylib.localaws.extension"]
    return subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=20, check=False)


def test_a_repository_is_pushed_to_by_the_name_that_ecr_tells(aws: Emulator, image: str) -> None:
    ecr = aws.client("ecr")
    made = ecr.create_repository(repositoryName="demo/web", imageTagMutability="IMMUTABLE")["repository"]
    assert made["repositoryUri"] == f"localhost:{aws.port}/demo/web"
    (authorisation,) = ecr.get_authorization_token()["authorizationData"]
    assert authorisation["proxyEndpoint"] == f"http://localhost:{aws.port}"
    assert base64.b64decode(authorisation["authorizationToken"]).startswith(b"AWS:")
    docker("tag", image, f"{made['repositoryUri']}:v1")
    docker("push", "-q", f"{made['repositoryUri']}:v1")
    digest = ecr.batch_get_image(repositoryName="demo/web", imageIds=[{"imageTag": "v1"}])["images"][0]["imageId"]
    (told,) = ecr.describe_images(repositoryName="demo/web", imageIds=[{"imageTag": "v1"}])["imageDetails"]
    assert told["imageSizeInBytes"] > 100_000
    with pytest.raises(ecr.exceptions.ImageNotFoundException):
        ecr.describe_images(repositoryName="demo/web", imageIds=[{"imageTag": "v2"}])
    docker("rmi", f"{made['repositoryUri']}:v1")
    arn = aws.run("pulled", container("app", "exit 0", image=f"{made['repositoryUri']}:v1"))
    (ran,) = aws.stopped(arn)["containers"]
    assert (ran["exitCode"], ran["imageDigest"]) == (0, digest["imageDigest"])
    pushed = {call["action"] for call in aws.calls() if call["kind"] == "registry" and call["write"]}
    assert "PUT /v2/demo/web/manifests/v1" in pushed
    docker("rmi", f"{made['repositoryUri']}@{digest['imageDigest']}")


def test_a_repository_lets_go_of_tags_one_by_one_and_of_an_image_with_its_last(aws: Emulator) -> None:
    ecr, name = aws.client("ecr"), "demo/tags"
    ecr.create_repository(repositoryName=name, imageTagMutability="IMMUTABLE")
    text = '{"schemaVersion": 2}'

    def put(tag: str, text: str = text) -> str:
        return str(
            ecr.put_image(repositoryName=name, imageManifest=text, imageTag=tag)["image"]["imageId"]["imageDigest"]
        )

    def delete(**image: str) -> dict[str, Any]:
        return dict(ecr.batch_delete_image(repositoryName=name, imageIds=[image]))

    def tags() -> list[list[str]]:
        return [one["imageTags"] for one in ecr.describe_images(repositoryName=name)["imageDetails"]]

    digest = put("web-c1")
    with pytest.raises(ecr.exceptions.ImageAlreadyExistsException):
        put("web-c1")
    put("web-latest")
    assert delete(imageTag="web-latest")["imageIds"] == [{"imageDigest": digest, "imageTag": "web-latest"}]
    assert tags() == [["web-c1"]]
    index = put("web-index", json.dumps({"schemaVersion": 2, "manifests": [{"digest": digest}]}))
    assert delete(imageDigest=digest)["failures"][0]["failureCode"] == "ImageReferencedByManifestList"
    delete(imageDigest=index)
    delete(imageTag="web-c1")
    assert tags() == []
    assert delete(imageDigest=digest)["failures"][0]["failureCode"] == "ImageNotFound"
    for number in range(3):
        put(f"web-c{number}", json.dumps({"schemaVersion": 2, "number": number}))
    page = ecr.describe_images(repositoryName=name, maxResults=2)
    rest = ecr.describe_images(repositoryName=name, maxResults=2, nextToken=page["nextToken"])
    assert ([len(one["imageDetails"]) for one in (page, rest)], "nextToken" in rest) == ([2, 1], False)


def test_the_call_log_tells_reads_from_writes_and_leaves_load_balancer_traffic_out(
    aws: Emulator, balancer: Balancer
) -> None:
    before = len(aws.calls())
    aws.client("ssm").put_parameter(Name="/call/log", Value="x", Type="String")
    aws.client("ssm").get_parameter(Name="/call/log")
    aws.client("elbv2").describe_load_balancers(Names=[balancer.name])
    aws.client("s3").create_bucket(Bucket="call-log", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    aws.client("s3").list_objects_v2(Bucket="call-log")
    assert aws.get(balancer.name)[0] == 503
    told = [(c["kind"], c["service"], c["action"], c["status"], c["write"]) for c in aws.calls()[before:]]
    assert told == [
        ("api", "ssm", "PutParameter", 200, True),
        ("api", "ssm", "GetParameter", 200, False),
        ("api", "elasticloadbalancing", "DescribeLoadBalancers", 200, False),
        ("api", "s3", "CreateBucket", 200, True),
        ("api", "s3", "ListObjects", 200, False),
    ]
    assert {call["account"] for call in aws.calls()[before:]} == {ACCOUNT}


def test_a_load_balancer_is_reached_by_the_name_it_tells(aws: Emulator, balancer: Balancer) -> None:
    (told,) = aws.client("elbv2").describe_load_balancers(Names=[balancer.name])["LoadBalancers"]
    assert told["DNSName"] == f"{balancer.name}.alb.localhost:{aws.port}"


def test_it_listens_on_this_machine_and_for_containers_only(aws: Emulator) -> None:
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    listening = {row[1] for row in rows if row[3] == "0A" and row[1].endswith(f":{aws.port:04X}")}
    assert f"0100007F:{aws.port:04X}" in listening
    assert f"00000000:{aws.port:04X}" not in listening


def test_rds_makes_the_password_of_an_instance_and_runs_our_image(tmp_path: Path, image: str) -> None:
    repository, tag = image.split(":")
    docker("tag", image, f"{repository}-{tag}:15")
    aws = start_emulator(tmp_path, POSTGRES_IMAGE=f"{repository}-{tag}:{{major}}")
    try:
        made = aws.client("rds").create_db_instance(
            DBInstanceIdentifier="db",
            DBInstanceClass="db.t4g.micro",
            Engine="postgres",
            EngineVersion="15",
            MasterUsername="owner",
            ManageMasterUserPassword=True,
            AllocatedStorage=20,
        )["DBInstance"]
        secrets = aws.client("secretsmanager")
        value = json.loads(secrets.get_secret_value(SecretId=made["MasterUserSecret"]["SecretArn"])["SecretString"])
        assert value["username"] == "owner"
        assert len(value["password"]) >= 24
        (database,) = aws.containers()
        inspected = json.loads(docker("inspect", database))[0]
        assert inspected["Config"]["Image"] == f"{repository}-{tag}:15"
        assert f"POSTGRES_PASSWORD={value['password']}" in inspected["Config"]["Env"]
        published = inspected["HostConfig"]["PortBindings"]["5432/tcp"]
        assert {binding["HostIp"] for binding in published}.isdisjoint({"", "0.0.0.0"})  # noqa: S104 - the point
        aws.client("rds").delete_db_instance(DBInstanceIdentifier="db", SkipFinalSnapshot=True)
        with pytest.raises(secrets.exceptions.ResourceNotFoundException):
            secrets.get_secret_value(SecretId=made["MasterUserSecret"]["SecretArn"])
    finally:
        stop_emulator(aws)
        docker("rmi", f"{repository}-{tag}:15")


def test_a_start_that_cannot_be_is_one_sentence(aws: Emulator) -> None:
    ended = start(LOCALAWS_PORT=str(aws.port), LOCALAWS_INSTANCE=aws.instance)
    assert ended.returncode == 2
    assert f"the local AWS cannot start: port {aws.port} on 127.0.0.1" in ended.stderr
    assert "Address already in use" in ended.stderr
    lost = start(DOCKER_HOST="unix:///no/such/socket")
    assert (lost.returncode, "the container engine does not answer" in lost.stderr) == (2, True)


def test_a_killed_emulator_is_swept_by_the_next_start_and_a_stopped_one_leaves_nothing(
    tmp_path: Path, image: str
) -> None:
    first = start_emulator(tmp_path)
    try:
        arns = _busy(first, image)
        until(lambda: all(task["lastStatus"] == "RUNNING" for task in map(first.task, arns)))
    finally:
        first.process.kill()
        first.process.wait()
    left = first.containers()
    assert len(left) >= len(arns)
    second = start_emulator(tmp_path, INSTANCE=first.instance)
    second.instance = first.instance
    assert set(second.containers()).isdisjoint(left)
    _busy(second, image)
    until(second.containers)
    stop_emulator(second)
    assert second.containers() == []
    assert docker("volume", "ls", "-q", "--filter", f"label={LABEL}={first.instance}") == ""


def _busy(emulator: Emulator, image: str) -> list[str]:
    """Run a task with two containers and a service that crashes again and again."""
    emulator.ecs.create_cluster(clusterName="main")
    definition = emulator.register("loop", container("app", "exit 1", image=image))
    emulator.ecs.create_service(cluster="main", serviceName="loop", taskDefinition=definition, desiredCount=3)
    both: list[dict[str, Any]] = [container(name, SERVE, image=image) for name in ("app", "side")]
    both[1]["command"][-1] = "while :; do sleep 1; done"
    both[1]["stopTimeout"] = 120  # longer than anybody here waits
    return [emulator.run("both", *both)]


def test_an_interrupt_stops_it_like_a_termination(tmp_path: Path) -> None:
    emulator = start_emulator(tmp_path)
    emulator.process.send_signal(signal.SIGINT)
    assert emulator.process.wait(timeout=60) == 0


def test_a_write_whose_answer_was_lost_is_done_once_and_answered_again(aws: Emulator) -> None:
    iam, invocation = aws.client("iam"), "the first"
    iam.meta.events.register("before-send", lambda request, **_: request.headers.update(named(invocation)))
    trust = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*"}]})
    role: dict[str, Any] = {"RoleName": "lost", "AssumeRolePolicyDocument": trust}
    assert iam.create_role(**role)["Role"] == iam.create_role(**role)["Role"]
    invocation = "the second"
    with pytest.raises(ClientError, match="EntityAlreadyExists"):
        iam.create_role(**role)


def named(invocation: str) -> dict[str, str]:
    """Return the header by which an SDK says that it repeats a call."""
    return {"amz-sdk-invocation-id": invocation}


@pytest.mark.parametrize(
    ("service", "operation", "code"),
    [
        ("ecs", "list_clusters", "UnrecognizedClientException"),
        ("sts", "get_caller_identity", "InvalidClientTokenId"),
        ("s3", "list_buckets", "InvalidAccessKeyId"),
        ("elbv2", "describe_load_balancers", "InvalidClientTokenId"),
        ("ec2", "describe_vpcs", "AuthFailure"),
        ("iam", "list_roles", "InvalidClientTokenId"),
    ],
)
def test_the_token_of_another_local_aws_is_refused_in_the_words_of_each_service(
    service: str, operation: str, code: str, aws: Emulator
) -> None:
    def call(token: str) -> None:
        client = boto3.client(
            service,  # type: ignore[call-overload]  # the service's name is data here
            endpoint_url=f"http://127.0.0.1:{aws.port}",
            region_name=REGION,
            aws_access_key_id=ACCOUNT,
            aws_secret_access_key="local",
            aws_session_token=token,
        )
        getattr(client, operation)()

    call(f"localaws:{aws.instance}")
    call("a session of STS")
    with pytest.raises(ClientError) as refused:
        call("localaws:another")
    assert refused.value.response["Error"]["Code"] == code
