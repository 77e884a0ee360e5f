"""What is there is found, what is missing is named with what mends it, what cannot be asked is said."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from deploylib import config, verify
from deploylib.errors import RefusedError
from tests.fakes import world as worlds
from tests.verify.scenery import allow_release, complaints, leaves, published, role_arn, with_template

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from tests.verify.scenery import Scene

SECRET = f"arn:aws:secretsmanager:{worlds.REGION}:{worlds.ACCOUNT_ID}:secret:db-AbCdEf"
PARAMETER = f"arn:aws:ssm:{worlds.REGION}:{worlds.ACCOUNT_ID}:parameter"
MEND = "inv infra.apply --env stg"


def test_where_nothing_is_missing_everything_is_said_to_be_there(scene: Scene) -> None:
    found = scene.examine()
    assert complaints(found) == {}
    assert [one.what for one in found] == [
        *("account", "contract", "cluster", "ledger", "lock", "clock", "permissions", "services", "migration"),
    ]
    told = leaves(found)
    assert told["services · web · port of guestbook-stg-web"].found == "app:8000"
    assert told["services · web · network · way to images · subnet-1"].found == "by nat-1"
    assert told["services · job · roles · may pull"].found == "repository/guestbook"
    digest = worlds.digest("job", 1)
    assert told["services · job · images · worker"].found == f"guestbook@{digest[:19]} for linux/amd64"
    verify.refuse_missing(found, "stg")


def test_the_project_that_builds_is_looked_for_where_codebuild_builds(scene: Scene) -> None:
    elsewhere = replace(worlds.images(), engine="codebuild")
    found = scene.examine(images=elsewhere)
    assert complaints(found) == {
        "builder": 'MISSING images.engine is "codebuild", but the contract names no project that builds'
    }
    place = {"project": "guestbook-stg-build", "bucket": "guestbook-stg-build", "platform": "linux/amd64"}
    document = json.dumps(scene.world.contract_document() | {"remote_build": place})
    scene.world.aws.ssm.give(worlds.PARAMETER, document)
    told = leaves(scene.examine(images=elsewhere))
    assert told["builder"].found == "CodeBuild, project guestbook-stg-build, for linux/amd64"


def test_nothing_is_written_and_no_value_is_read(scene: Scene) -> None:
    with_template(scene.world, "web", secrets=[{"name": "KEY", "valueFrom": SECRET}])
    scene.world.aws.secretsmanager.secrets.add(SECRET)
    scene.examine()
    assert scene.world.aws.wrote == ()
    assert not [one for one in scene.world.aws.log if one.request.get("WithDecryption")]
    assert "secretsmanager:GetSecretValue" not in scene.world.aws.calls


def test_what_several_tasks_name_is_asked_for_once(scene: Scene) -> None:
    scene.examine()
    calls = scene.world.aws.calls
    assert (calls["ec2:DescribeSubnets"], calls["ec2:DescribeRouteTables"]) == (1, 1)
    assert calls["ssm:GetParameters"] == 1
    assert scene.shelf.asked.count("public.ecr.aws/example/metrics:1") == 1
    assert sum(calls.values()) - calls["iam:SimulatePrincipalPolicy"] <= 25


def test_before_the_first_release_there_are_no_images_to_look_for(new_scene: Scene) -> None:
    found = complaints(new_scene.examine())
    assert found == {
        "services · web · images · app": "SKIPPED nothing was released yet",
        "services · web · images · nginx": "SKIPPED nothing was released yet",
        "services · job · images · worker": "SKIPPED nothing was released yet",
    }


def remove_role(scene: Scene) -> None:
    del scene.world.aws.iam.roles["guestbook-stg-web-execution"]


def trust_nobody(scene: Scene) -> None:
    scene.world.aws.iam.roles["guestbook-stg-web-task"] = {"Statement": []}


def lose_log_group(scene: Scene) -> None:
    scene.world.logs.groups.remove("/guestbook/stg/web")


def lose_parameter(scene: Scene) -> None:
    del scene.world.aws.ssm.parameters["/db"]


def name_unknown_secret(scene: Scene) -> None:
    with_template(scene.world, "web", secrets=[{"name": "KEY", "valueFrom": f"{SECRET}:password::"}])


def name_secret_that_goes(scene: Scene) -> None:
    name_unknown_secret(scene)
    scene.world.aws.secretsmanager.going.add(SECRET)


def lose_image(scene: Scene) -> None:
    scene.shelf.gone.add(scene.world.image("web", 1))


def build_for_arm(scene: Scene) -> None:
    scene.shelf.platform["architecture"] = "arm64"


def lose_way_out(scene: Scene) -> None:
    scene.world.aws.ec2.have_network("subnet-1", "subnet-2", way="")


def lose_subnet(scene: Scene) -> None:
    del scene.world.aws.ec2.subnets["subnet-2"]


def lose_security_group(scene: Scene) -> None:
    scene.world.aws.ec2.security_groups.clear()


def let_nothing_out(scene: Scene) -> None:
    scene.world.aws.ec2.have_security_group("sg-1", {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432})


def lose_service(scene: Scene) -> None:
    del scene.world.ecs.services[worlds.JOB]


def rename_container(scene: Scene) -> None:
    with_template(scene.world, "job", name="labourer")


def publish_other_port(scene: Scene) -> None:
    with_template(scene.world, "web", portMappings=[{"containerPort": 9000, "protocol": "tcp"}])


def detach_target_group(scene: Scene) -> None:
    scene.world.aws.elbv2.groups[scene.world.ecs.services[worlds.WEB].target_group] = {"LoadBalancerArns": []}


def forbid_pull(scene: Scene) -> None:
    allowed = {"Effect": "Allow", "Action": ["ecr:GetAuthorizationToken", "ssm:GetParameters"], "Resource": ["*"]}
    logs = {"Effect": "Allow", "Action": ["logs:CreateLogStream", "logs:PutLogEvents"], "Resource": ["*"]}
    scene.give_role("guestbook-stg-job-execution", allowed, logs)


def forbid_release(scene: Scene) -> None:
    name = "guestbook-stg-deploy"
    scene.give_role(name, {"Effect": "Allow", "Action": [], "Resource": ["*"]})


def lose_ledger(scene: Scene) -> None:
    scene.world.aws.dynamodb.tables.clear()


def lose_cluster(scene: Scene) -> None:
    published(scene.world, lambda one: one.update(cluster=one["cluster"].replace("stg", "gone")))


def lose_contract(scene: Scene) -> None:
    del scene.world.aws.ssm.parameters[worlds.PARAMETER]


def sign_in_elsewhere(scene: Scene) -> None:
    scene.world.aws.sts.account_id = "999999999999"


MISSING: dict[Callable[[Any], None], tuple[str, str, str]] = {
    remove_role: ("services · web · roles · role guestbook-stg-web-execution", "is not there", MEND),
    trust_nobody: ("services · web · roles · role guestbook-stg-web-task", "does not trust ecs-tasks", MEND),
    lose_log_group: ("services · web · log groups · /guestbook/stg/web", "without it no container starts", MEND),
    lose_parameter: ("services · web · secrets · parameters", "no /db", "inv params.list --env stg"),
    name_unknown_secret: ("services · web · secrets · db-AbCdEf", "is not there", MEND),
    name_secret_that_goes: (
        "services · web · secrets · db-AbCdEf",
        "is being deleted",
        f"aws secretsmanager restore-secret --secret-id {SECRET}",
    ),
    lose_image: ("services · web · images · app", "is not in its registry", "inv deploy --env stg"),
    build_for_arm: ("services · web · images · app", "is for linux/arm64, but the tasks run on linux/amd64", ""),
    lose_way_out: (
        "services · web · network · way to images · subnet-1",
        "no way out, and no endpoint for ecr.api",
        "",
    ),
    lose_subnet: ("services · web · network · way to images", "of subnet-1, subnet-2 one is gone", MEND),
    lose_security_group: ("services · web · network · security groups", "of sg-1 one is gone", MEND),
    let_nothing_out: (
        "services · web · network · security groups · sg-1",
        "lets nothing out to port 443",
        "let TCP 443",
    ),
    lose_service: ("services · job · service", "guestbook-stg-job is not in the cluster", MEND),
    rename_container: ("services · job · containers", "no worker in guestbook-stg-job-template:2", MEND),
    publish_other_port: (
        "services · web · port of guestbook-stg-web",
        "is 8000, but app publishes 9000",
        MEND,
    ),
    detach_target_group: (
        "services · web · target groups · target group guestbook-stg-web",
        "belongs to no load balancer",
        MEND,
    ),
    forbid_pull: ("services · job · roles · may pull", "may not ecr:BatchGetImage on arn:aws:ecr", MEND),
    forbid_release: ("permissions", "may not dynamodb:", MEND),
    lose_ledger: ("ledger", "there is no table guestbook-stg-releases", MEND),
    lose_cluster: ("cluster", "guestbook-gone is not there", MEND),
    lose_contract: ("contract", "Terraform has not published", MEND),
    sign_in_elsewhere: ("account", "environment stg is account 111111111111", "sign in to 111111111111"),
}


@pytest.mark.parametrize("change", MISSING, ids=lambda one: one.__name__)
def test_what_is_missing_is_named_with_what_mends_it(scene: Scene, change: Callable[[Any], None]) -> None:
    change(scene)
    path, words, mend = MISSING[change]
    found = scene.examine()
    ((where, leaf),) = [
        (one, leaf) for one, leaf in leaves(found).items() if leaf.state == "MISSING" and one.startswith(path)
    ][:1]
    assert words in leaf.found, leaf
    assert leaf.next.startswith(mend)
    with pytest.raises(RefusedError, match="stg: a release would fail") as caught:
        verify.refuse_missing(found, "stg")
    assert where in str(caught.value)


DENIED = {
    ("iam", "get_role"): "roles · role",
    ("iam", "simulate_principal_policy"): "roles · may",
    ("ec2", "describe_subnets"): "network",
    ("ec2", "describe_route_tables"): "network",
    ("ec2", "describe_security_groups"): "network",
    ("logs", "describe_log_groups"): "log groups",
    ("elbv2", "describe_target_groups"): "target groups",
    ("ssm", "get_parameters"): "secrets",
    ("ecs", "describe_clusters"): "cluster",
    ("ecs", "describe_services"): "services",
    ("ecs", "describe_task_definition"): "services",
    ("dynamodb", "query"): "ledger",
    ("dynamodb", "get_item"): "lock",
}


@pytest.mark.parametrize(("client", "operation"), DENIED)
def test_what_may_not_be_asked_is_skipped_and_says_so(scene: Scene, client: str, operation: str) -> None:
    getattr(scene.world.aws, client).refuse(operation, "AccessDenied", times=99)
    found = complaints(scene.examine())
    assert found
    assert all(one.startswith("SKIPPED") for one in found.values()), found
    assert any(DENIED[client, operation] in path and "AccessDenied" in words for path, words in found.items())


def test_a_secret_that_may_not_be_described_is_skipped(scene: Scene) -> None:
    name_unknown_secret(scene)
    scene.world.aws.secretsmanager.refuse("describe_secret", "AccessDeniedException", times=9)
    ((path, words),) = complaints(scene.examine()).items()
    assert path.endswith("secrets · db-AbCdEf")
    assert words.startswith("SKIPPED not allowed to ask: secretsmanager refused DescribeSecret")


def test_a_role_without_any_permission_gets_a_page_that_says_only_what_was_skipped(scene: Scene) -> None:
    for client in ("iam", "ec2", "logs", "elbv2", "secretsmanager", "dynamodb"):
        getattr(scene.world.aws, client).refuse("", "AccessDeniedException", times=999)
    found = scene.examine()
    assert {one.state for one in leaves(found).values()} == {"OK", "SKIPPED"}
    verify.refuse_missing(found, "stg")
    assert any("not allowed to ask" in one for one in verify.notices(found))


def test_without_a_contract_the_rest_is_skipped(scene: Scene) -> None:
    lose_contract(scene)
    found = complaints(scene.examine())
    assert found["services"] == "SKIPPED needs the contract"


def test_a_clock_that_is_off_is_a_warning(scene: Scene) -> None:
    scene.world.aws.dynamodb.ahead_seconds = 45
    (clock,) = [one for one in scene.examine() if one.what == "clock"]
    assert (clock.state, clock.found.partition(" s ")[0]) == ("WARNING", "45")
    assert clock.next == "set this machine's clock: sudo timedatectl set-ntp true"


def test_a_breaker_that_is_off_is_a_warning_and_no_reason_to_refuse() -> None:
    world = worlds.world(worlds.ServiceSpec(key="web", containers={"app": "web"}, tasks=1, breaker=False))
    (found,) = verify.quick(world.account, worlds.environment(), world.live())[:1]
    assert complaints((found,)) == {
        "guestbook-stg-web · circuit breaker": "WARNING off: without a release that watches, ECS tries for ever"
    }
    verify.refuse_missing((found,), "stg")


def test_the_holder_of_the_lock_is_named(scene: Scene) -> None:
    held = {"owner": {"S": "x"}, "by": {"S": "arn:aws:iam::1:user/ada"}, "host": {"S": "laptop"}}
    key = {"kind": {"S": "lock"}, "number": {"N": "0"}}
    renewed = {"renewed": {"N": str(scene.world.clock.time())}, "renewal": {"N": "1"}, "seconds": {"N": "60"}}
    scene.world.aws.dynamodb.tables[worlds.LEDGER]["lock", 0] = {**key, **held, **renewed}
    (lock,) = [one for one in scene.examine() if one.what == "lock"]
    assert lock.state == "OK"


def test_the_account_s_root_may_do_everything(scene: Scene) -> None:
    scene.world.aws.sts.arn = f"arn:aws:iam::{worlds.ACCOUNT_ID}:root"
    assert leaves(scene.examine())["permissions"].found == "the account's root may do everything"


def test_a_scheduled_task_is_looked_at_like_a_service(scene: Scene) -> None:
    def schedule(document: dict[str, Any]) -> None:
        job = document["services"]["job"]
        kept = {key: value for key, value in job.items() if key != "desired_count"}
        document["scheduled_tasks"] = {"nightly": {**kept, "schedule": "guestbook-stg-nightly"}}

    published(scene.world, schedule)
    found = leaves(scene.examine())
    assert found["scheduled tasks · nightly · containers"].state == "OK"
    assert found["scheduled tasks · nightly · log groups · /guestbook/stg/job"].state == "OK"


def test_a_migration_that_names_no_container_is_missing(scene: Scene) -> None:
    other = config.Migration(service="web", container="ap", command=("alembic",))
    found = complaints(scene.examine(migration=other))
    assert found == {"migration": "MISSING web has no container ap, but app, nginx, metrics"}


def test_a_policy_of_the_repository_may_allow_what_the_role_s_do_not(scene: Scene) -> None:
    forbid_pull(scene)
    scene.world.aws.ecr.policies["guestbook"] = "{}"
    found = complaints(scene.examine())
    assert found["services · job · roles · may pull"].startswith("WARNING")
    allow_release(scene.world)
    assert role_arn("guestbook-stg-job-execution").endswith(found["services · job · roles · may pull"].split()[1])
