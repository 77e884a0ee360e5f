"""Moving tags and the clean-up of a repository against the local AWS's own ECR, ECS, EventBridge and DynamoDB."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from deploylib import config, ledger
from deploylib.aws import Account
from deploylib.images import registry
from deploylib.retention import repository
from tests.fakes import world as worlds
from tests.fakes.clock import FakeClock
from tests.localaws.extension.emulated import ACCOUNT, REGION, start_emulator, stop_emulator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.localaws.extension.emulated import Emulator

pytestmark = pytest.mark.e2e

ROLE = f"arn:aws:iam::{ACCOUNT}:role/starter"


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    started = start_emulator(tmp_path_factory.mktemp("emulator"))
    yield started
    stop_emulator(started)


@pytest.fixture
def account(emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Account:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{emulator.port}")
    session = boto3.Session("test", "test", region_name=REGION)
    return Account(session, environment="stg")


def environment() -> config.Environment:
    made = worlds.images("{role}-latest")
    images = config.Images(roles=made.roles, tags=made.tags, keep=config.Retention(images=1, releases=2, hours=0))
    return worlds.environment(images=images, account=config.Account(id=ACCOUNT, region=REGION))


def push(account: Account, *tags: str, **manifest: Any) -> str:
    """Put a manifest that is made of its first tag under all of them."""
    text = json.dumps({"schemaVersion": 2, "annotations": {"tag": tags[0]}, **manifest})
    media_type = manifest.get("mediaType", "application/vnd.oci.image.manifest.v1+json")
    for tag in tags:
        answer = account.ecr.put_image(
            repositoryName="shop", imageManifest=text, imageTag=tag, imageManifestMediaType=media_type
        )
    return answer["image"]["imageId"]["imageDigest"]


def define(account: Account, family: str, image: str) -> str:
    answer = account.ecs.register_task_definition(
        family=family, containerDefinitions=[{"name": "app", "image": image, "essential": True}]
    )
    return answer["taskDefinition"]["taskDefinitionArn"]


def starting(cluster: str, definition: str, **more: str) -> Any:
    """Return a target that starts a task of *definition*."""
    return {"Arn": cluster, "RoleArn": ROLE, "EcsParameters": {"TaskDefinitionArn": definition}, **more}


def publish(account: Account, cluster: str, uri: str) -> None:
    """Do what Terraform does for a release: the contract and the ledger."""
    contract = {
        "version": 1,
        "app": worlds.APP,
        "environment": worlds.ENVIRONMENT,
        "account_id": ACCOUNT,
        "region": REGION,
        "cluster": cluster,
        "repository": uri,
        "ledger": worlds.LEDGER,
        "services": {},
    }
    account.ssm.put_parameter(Name=worlds.PARAMETER, Value=json.dumps(contract), Type="String")
    account.dynamodb.create_table(
        TableName=worlds.LEDGER,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": "kind", "AttributeType": "S"},
            {"AttributeName": "number", "AttributeType": "N"},
        ],
        KeySchema=[
            {"AttributeName": "kind", "KeyType": "HASH"},
            {"AttributeName": "number", "KeyType": "RANGE"},
        ],
    )


def test_only_what_nobody_needs_goes(account: Account) -> None:
    made = account.ecr.create_repository(repositoryName="shop", imageTagMutability="IMMUTABLE")["repository"]
    uri, cluster = made["repositoryUri"], account.ecs.create_cluster(clusterName="main")["cluster"]["clusterArn"]
    publish(account, cluster, uri)
    digests = {name: push(account, f"web-c{number:012d}") for number, name in enumerate(NAMES)}
    child = push(account, "temporary")
    index = push(
        account,
        "web-caaaaaaaaaaaa",
        mediaType="application/vnd.oci.image.index.v1+json",
        manifests=[{"digest": child, "size": 1}],
    )
    registry.move_tag(account.ecr, uri, "web-latest", digests["moved from"])
    registry.move_tag(account.ecr, uri, "web-latest", digests["moving tag"])
    account.ecs.create_service(
        cluster=cluster,
        serviceName="web",
        taskDefinition=define(account, "web", f"{uri}@{digests['service']}"),
        desiredCount=0,
    )
    nightly = define(account, "nightly", f"{uri}:web-c{NAMES.index('schedule'):012d}")
    account.scheduler.create_schedule(
        Name="nightly",
        ScheduleExpression="rate(1 day)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target=starting(cluster, nightly),
    )
    account.events.put_rule(Name="hourly", ScheduleExpression="rate(1 hour)")
    hourly = define(account, "hourly", f"{uri}@{digests['rule']}")
    account.events.put_targets(Rule="hourly", Targets=[starting(cluster, hourly, Id="1")])
    entry = ledger.Entry(release="r", commit="c", environment="stg", images={"web": digests["release"]})
    begun = ledger.begin(account.dynamodb, worlds.LEDGER, entry, clock=FakeClock())
    ledger.finish(account.dynamodb, worlds.LEDGER, _completed(begun), clock=FakeClock())

    prune = repository.propose(account, environment())
    reasons = {one.image.digest: one.reasons for one in prune.fates if one.stays}
    assert reasons[digests["service"]][0] == "service web"
    assert reasons[digests["schedule"]][0] == "schedule nightly"
    assert reasons[digests["rule"]][0] == "rule hourly"
    assert reasons[digests["release"]][0] == "release 1"
    assert reasons[digests["moving tag"]][0] == "is web-latest"
    assert {one.digest for one in prune.going} & {digests["old"], digests["moved from"]}
    done = repository.execute(account, environment(), prune)
    left = {one.digest for one in registry.everything(account.ecr, uri)}
    assert left == {one.image.digest for one in prune.fates if one.stays}
    assert {one.digest for one in done.removed}.isdisjoint(left)
    assert {index, child} <= left  # a person's tag, and what it is part of


NAMES = ("old", "moved from", "service", "schedule", "rule", "release", "moving tag")


def _completed(entry: ledger.Entry) -> ledger.Entry:
    fields = {one: getattr(entry, one) for one in ledger.Entry.__dataclass_fields__}
    return ledger.Entry(**{**fields, "verdict": "completed"})
