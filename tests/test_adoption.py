"""An environment from a service that others made: what is written, and that releases go out with it."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploylib import adoption, config, events, ledger, observe, plan, release, verify
from deploylib.errors import ConfigError, RefusedError, RolledBackError
from deploylib.images.planning import ImagePlan
from deploylib.infra import stack
from deploylib.serving import Answer
from tests.fakes import world as worlds
from tests.fakes.releases import ready
from tests.verify.scenery import Shelf

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.fakes.world import World

COMMON = """\
[app]
name = "guestbook"
path = "."
[images.roles.app]
dockerfile = "Dockerfile"
[migration]
service = "web"
container = "app"
command = ["alembic", "upgrade", "head"]
"""
NAME = "adopted"


@pytest.fixture
def world() -> World:
    """A world as somebody else's: nobody has published a contract, and nothing ends in -template that counts."""
    found = worlds.world()
    del found.aws.ssm.parameters[worlds.PARAMETER]
    return found


def asked(**changes: Any) -> adoption.Wanted:
    return adoption.wanted(f"guestbook-stg/{worlds.WEB}", NAME, **{"region": worlds.REGION, **changes})


def drafted(world: World, common: Mapping[str, Any] | None = None, **changes: Any) -> adoption.Draft:
    wanted = asked(**changes)
    return adoption.draft(adoption.look(world.account, wanted, worlds.REGION), wanted, common or {})


def adopted(world: World, root: Path, common: str = COMMON) -> config.Environment:
    (root / "environments").mkdir()
    (root / "environments/common.toml").write_text(common)
    made = drafted(world, tomllib.loads(common), ledger=worlds.LEDGER)
    adoption.write(root, made)
    world.aws.forget_calls()
    return config.load(root, NAME)


def proposed(world: World, environment: config.Environment, number: int) -> release.Release:
    contract = observe.contract(world.account, environment)
    images = tuple(
        ImagePlan(image=role, action="reuse", reason="there", tags=(role,), digest=worlds.digest(role, number))
        for role in environment.images.roles
    )
    made = plan.plan_release(
        environment,
        observe.live(world.account, contract),
        images,
        commit=worlds.COMMITS[number],
        dirty=False,
        release=f"release-{number}",
    )
    return release.Release(
        plan=made,
        environment=environment,
        account=world.account,
        clock=world.clock,
        observed_at=world.clock.monotonic(),
        get=lambda _: Answer(status=200, body=worlds.COMMITS[number]),
        by="arn:aws:iam::111111111111:user/ada",
    )


def run(one: release.Release, number: int = 2) -> list[events.Event]:
    roles = one.environment.images.roles
    return list(release.execute(one, ready({role: worlds.digest(role, number) for role in roles})))


def live(world: World) -> dict[str, Any]:
    (service,) = world.ecs.describe_services(cluster=world.cluster, services=[worlds.WEB])["services"]
    answer = world.ecs.describe_task_definition(taskDefinition=service["taskDefinition"], include=["TAGS"])
    return {
        **answer["taskDefinition"],
        "tags": {one["key"]: one["value"] for one in answer["tags"]},
        "service": service,
    }


def test_the_file_says_what_is_live(world: World) -> None:
    found = tomllib.loads(drafted(world).text)
    assert found["protected"] is True
    assert found["app"] == {"name": "guestbook", "path": "."}
    assert found["account"] == {"id": worlds.ACCOUNT_ID, "region": worlds.REGION}
    assert found["images"]["roles"] == {"app": {"dockerfile": "Dockerfile"}, "nginx": {"dockerfile": "Dockerfile"}}
    assert found["contract"]["cluster"] == world.cluster
    assert found["contract"]["repository"] == world.repository
    assert found["contract"]["ledger"] == "guestbook-adopted-releases"
    assert found["contract"]["url"] == f"http://{worlds.WEB}.elb.example.test"
    assert found["contract"]["services"]["web"] == {
        "name": worlds.WEB,
        "family": worlds.WEB,
        "containers": {"app": "app", "nginx": "nginx"},
        "subnets": ["subnet-1", "subnet-2"],
        "security_groups": ["sg-1"],
        "log_group": "/guestbook/stg/web",
    }


def test_side_cars_of_other_registries_keep_their_images_and_it_is_said(world: World) -> None:
    assert (
        "metrics keeps its image public.ecr.aws/example/metrics:1: it is of no repository of this account"
        in drafted(world).remarks
    )


def test_what_the_project_has_in_common_is_not_written_again(world: World) -> None:
    found = tomllib.loads(drafted(world, tomllib.loads(COMMON)).text)
    assert "app" not in found
    assert found["images"]["roles"] == {"nginx": {"dockerfile": "Dockerfile"}}


TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.one_of(TEXTS, st.booleans(), st.lists(TEXTS), st.dictionaries(TEXTS, TEXTS))


@given(st.dictionaries(TEXTS, VALUES))
def test_whatever_a_service_is_called_the_file_is_toml(values: dict[str, Any]) -> None:
    assert tomllib.loads(adoption._table("contract", values)) == {"contract": values}


def test_the_way_to_sign_in_is_kept(world: World) -> None:
    found = tomllib.loads(drafted(world, profile="mine", config_file=".local/aws/config").text)
    assert found["account"]["profile"] == "mine"
    assert found["account"]["config_file"] == ".local/aws/config"


def test_nothing_is_written_in_aws(world: World) -> None:
    world.aws.forget_calls()
    drafted(world)
    assert world.aws.wrote == ()
    assert sum(world.aws.calls.values()) == 7  # two repositories, of which one is ours


def test_the_written_file_is_an_environment_without_mistakes(world: World, tmp_path: Path) -> None:
    environment = adopted(world, tmp_path)
    contract = observe.contract(world.account, environment)
    assert (contract.account_id, contract.environment) == (worlds.ACCOUNT_ID, NAME)
    assert contract.services["web"].template == ""
    assert "ssm:GetParameter" not in world.aws.calls


def test_a_release_changes_the_images_and_nothing_else(world: World, tmp_path: Path) -> None:
    environment, before = adopted(world, tmp_path), live(world)
    one = proposed(world, environment, 2)
    (service,) = one.plan.services
    assert (service.action, service.reason, service.desired_count) == ("update", "new image", None)
    seen = run(one)
    assert isinstance(seen[-1], events.Completed)
    after = live(world)
    assert after["family"] == before["family"]
    images = {each["name"]: each["image"] for each in after["containerDefinitions"]}
    assert images["app"] == f"{world.repository}@{worlds.digest('app', 2)}"
    assert images["metrics"] == "public.ecr.aws/example/metrics:1"
    assert {each.path for each in service.differences} == {
        "containerDefinitions.app.image",
        "containerDefinitions.nginx.image",
    }
    assert after["tags"]["cost-centre"] == "42"
    updates = [each.request for each in world.aws.writes if each.operation == "update_service"]
    assert [sorted(each) for each in updates] == [["cluster", "service", "taskDefinition"]]


def test_the_same_images_again_are_nothing_to_do(world: World, tmp_path: Path) -> None:
    environment = adopted(world, tmp_path)
    run(proposed(world, environment, 2))
    world.settle()
    assert proposed(world, environment, 2).plan.moving == ()


def test_what_others_changed_in_the_live_revision_stays(world: World, tmp_path: Path) -> None:
    environment = adopted(world, tmp_path)
    run(proposed(world, environment, 2))
    world.settle()
    theirs = {key: value for key, value in live(world).items() if key in worlds.writable(world.ecs) and key != "tags"}
    other = world.ecs.register_task_definition(**{**theirs, "cpu": "1024"})["taskDefinition"]["taskDefinitionArn"]
    world.update("web", taskDefinition=other)
    world.settle()
    one = proposed(world, environment, 3)
    assert [each.reason for each in one.plan.services] == ["new image"]
    run(one, 3)
    assert live(world)["cpu"] == "1024"


def test_a_release_that_fails_goes_back(world: World, tmp_path: Path) -> None:
    environment, before = adopted(world, tmp_path), live(world)["taskDefinitionArn"]
    world.ecs.behave(image=worlds.digest("nginx", 2), exits=1, after_seconds=2)
    with pytest.raises(RolledBackError, match="web"):
        run(proposed(world, environment, 2))
    world.settle()
    assert live(world)["taskDefinitionArn"] == before
    (entry,) = ledger.entries(world.account.dynamodb, worlds.LEDGER, limit=1)
    assert entry.verdict == "rolled back"


def test_a_ledger_that_is_not_there_is_mended_by_the_command_that_makes_it(world: World, tmp_path: Path) -> None:
    environment = adopted(world, tmp_path)
    world.aws.dynamodb.tables.clear()
    doors = verify.Doors(registries=lambda _: Shelf(), clock=world.clock)
    found = {one.what: one for one in verify.examine(world.account, environment, doors=doors)}
    assert found["contract"].found == "[contract] of environments/adopted.toml"
    assert found["ledger"].next.startswith(f"aws dynamodb create-table --table-name {worlds.LEDGER}")


def test_verify_looks_at_the_live_revision(world: World, tmp_path: Path) -> None:
    environment = adopted(world, tmp_path)
    found = verify.quick(
        world.account, environment, observe.live(world.account, observe.contract(world.account, environment))
    )
    assert {leaf.state for one in found for _, leaf in one.leaves} == {"OK"}
    world.logs.groups.clear()
    found = verify.quick(
        world.account, environment, observe.live(world.account, observe.contract(world.account, environment))
    )
    with pytest.raises(RefusedError) as caught:
        verify.refuse_missing(found, NAME)
    assert caught.value.hint == "correct it where this service is made, or [contract] in its file"


def test_terraform_is_refused_where_others_make_the_infrastructure(world: World, tmp_path: Path) -> None:
    environment = adopted(world, tmp_path)
    with pytest.raises(RefusedError, match=r"environment adopted has a \[contract\]"):
        stack.open_stack(environment, world.account, program="terraform", variables={}, line=print)
    assert world.aws.log == []


def test_the_table_of_the_ledger_is_made_by_a_command_that_is_told(world: World, tmp_path: Path) -> None:
    adopted(world, tmp_path)
    made = drafted(world, ledger=worlds.LEDGER)
    assert adoption.steps(tmp_path, made, lambda _: world.account) == (
        "inv verify --env adopted",
        "inv deploy --env adopted --dry-run",
    )
    del world.aws.dynamodb.tables[worlds.LEDGER]
    first, *_ = adoption.steps(tmp_path, made, lambda _: world.account)
    assert f"aws dynamodb create-table --table-name {worlds.LEDGER}" in first


def test_the_mistakes_of_the_file_are_told_at_once(world: World, tmp_path: Path) -> None:
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments/common.toml").write_text(COMMON.replace('service = "web"', 'service = "wbe"'))
    made = drafted(world, tomllib.loads(COMMON))
    adoption.write(tmp_path, made)
    told, following = adoption.steps(tmp_path, made)
    assert "no service 'wbe' in contract.services" in told
    assert following == "correct it, then: inv env.validate --env adopted"


def test_an_environment_that_is_there_is_not_overwritten(world: World, tmp_path: Path) -> None:
    adopted(world, tmp_path)
    with pytest.raises(ConfigError, match=r"environments/adopted\.toml is there already"):
        adoption.write(tmp_path, drafted(world))


@pytest.mark.parametrize("name", ["common", "Web", "9", "a" * 32])
def test_not_everything_is_a_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="is no name of an environment"):
        adoption.refuse_existing(tmp_path, name)


@pytest.mark.parametrize("place", ["", "web", "/web", "cluster/"])
def test_not_everything_is_a_service(place: str) -> None:
    with pytest.raises(ConfigError, match="is no CLUSTER/SERVICE"):
        adoption.wanted(place, "")


@pytest.mark.parametrize(
    ("place", "key"),
    [
        ("shop/shop-web", "web"),
        ("shop/web", "web"),
        ("shop/shop_web", "web"),
        ("shop/shop", "shop"),
        ("a/b/b-web", "web"),
    ],
)
def test_a_service_is_called_without_the_name_of_its_cluster(place: str, key: str) -> None:
    assert adoption.key_of(adoption.wanted(place, "")) == key


@pytest.mark.parametrize(
    ("text", "name"), [("Web_App", "web-app"), ("0-web", "web"), ("___", "app"), ("a" * 40, "a" * 31), ("w.1", "w-1")]
)
def test_names_become_names(text: str, name: str) -> None:
    assert adoption.named(text) == name


def test_a_service_that_is_not_there(world: World) -> None:
    wanted = adoption.wanted("guestbook-stg/nobody", "", region=worlds.REGION)
    with pytest.raises(ConfigError, match="has no active service nobody") as caught:
        adoption.look(world.account, wanted, worlds.REGION)
    assert caught.value.hint == "aws ecs list-services --cluster guestbook-stg"


def test_a_service_without_an_image_of_ours_cannot_be_released_into(world: World) -> None:
    world.aws.ecr.images.clear()
    with pytest.raises(ConfigError, match="runs an image of this account's ECR"):
        drafted(world)


@pytest.mark.parametrize(
    ("given", "variables", "found"),
    [
        ("eu-west-1", {"AWS_REGION": "us-east-1"}, "eu-west-1"),
        ("", {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-west-2"}, "us-east-1"),
        ("", {"AWS_DEFAULT_REGION": "us-west-2"}, "us-west-2"),
    ],
)
def test_where_the_region_is_from(given: str, variables: dict[str, str], found: str) -> None:
    assert adoption.region(asked(region=given), variables) == found


def test_a_region_that_nobody_says() -> None:
    with pytest.raises(ConfigError, match="which region") as caught:
        adoption.region(asked(region=""), {})
    assert caught.value.hint.startswith("add --region")


def test_signing_in_calls_nobody(tmp_path: Path) -> None:
    account = adoption.sign_in(tmp_path, asked(), {})
    assert account.calls.total() == 0


@pytest.mark.parametrize(
    ("change", "mistake"),
    [
        ({"cluster": "guestbook"}, "contract.cluster: should be the ARN of a cluster"),
        (
            {"cluster": "arn:aws:ecs:eu-west-1:111111111111:cluster/x"},
            "contract.cluster: is of another account or region",
        ),
        ({"services": {}}, "contract.services: is empty"),
        ({"url": "example.test"}, "contract.url: "),
        ({"table": "x"}, "contract.table: unknown key"),
    ],
)
def test_mistakes_of_a_contract_in_a_file(world: World, tmp_path: Path, change: dict[str, Any], mistake: str) -> None:
    adopted(world, tmp_path)
    path = tmp_path / "environments/adopted.toml"
    found = tomllib.loads(path.read_text())
    contract = {**found["contract"], **change}
    inner = ", ".join(f"{adoption.key(name)} = {adoption._toml(value)}" for name, value in contract.items())
    path.write_text(f'contract = {{ {inner} }}\n[account]\nid = "111111111111"\nregion = "ap-northeast-1"\n')
    with pytest.raises(ConfigError) as caught:
        config.load(tmp_path, NAME)
    assert mistake in str(caught.value)
