from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deploylib.development import images
from deploylib.errors import AwsError, OutdatedError, RefusedError
from deploylib.images import labels, recipe, upstream
from deploylib.toolchain.engine import Engine
from deploylib.toolchain.engine_api import EngineApi
from tests.development.workshop import CHECKOUT, REPOSITORY, ROLE, account, environment

if TYPE_CHECKING:
    from pathlib import Path

    from deploylib.aws import Account
    from deploylib.config import Environment
    from deploylib.development.images import Images
    from deploylib.images.recipe import Recipe
    from tests.fakes.account import FakeAccount
    from tests.toolchain.fake_engine import FakeEngine
    from tests.toolchain.stage import Stage


def base_of(wanted: Environment) -> Recipe:
    return recipe.base_recipe(wanted, CHECKOUT, upstream.nobody)


def observe(wanted: Environment, fake: FakeEngine, there: FakeAccount) -> Images:
    return images.observe(wanted, CHECKOUT, EngineApi(host=fake.host), sign_in=lambda _: there.account)


def offline(_: Environment) -> Account:
    raise AwsError("stg: Could not connect to the endpoint", code="EndpointConnectionError")


def observe_offline(wanted: Environment, fake: FakeEngine) -> Images:
    return images.observe(wanted, CHECKOUT, EngineApi(host=fake.host), sign_in=offline)


def remarks(found: Images, fake: FakeEngine) -> list[str]:
    return list(images.remarks(found, EngineApi(host=fake.host)))


def edit(wanted: Environment) -> None:
    (wanted.context / "requirements.txt").write_text("flask\nredis\n")


def test_base_of_the_files_here_is_taken_by_digest(tmp_path: Path, fake: FakeEngine) -> None:
    wanted, there = environment(tmp_path), account()
    digest = there.ecr.have("guestbook", base_of(wanted).tags[0])

    found = observe(wanted, fake, there)

    assert found.references == {"base": f"{REPOSITORY}@{digest}"}
    assert remarks(found, fake) == []
    assert there.writes == ()
    images.refuse_stale(found)


def test_without_it_the_newest_in_the_registry_is_taken_and_said_to_be_stale(tmp_path: Path, fake: FakeEngine) -> None:
    wanted, there = environment(tmp_path), account()
    there.ecr.have("guestbook", "base-000000000001", manifest='{"older": 1}', age=90)
    digest = there.ecr.have("guestbook", "base-000000000002", manifest='{"newer": 1}', age=10)

    found = observe(wanted, fake, there)

    assert found.references == {"base": f"{REPOSITORY}@{digest}"}
    said, mend = remarks(found, fake)
    assert said == f"the base image is stale: {digest[7:19]} is not made of the files here"
    assert mend == "  next: inv base.refresh --env stg, then inv dev.up"
    with pytest.raises(OutdatedError) as outdated:
        images.refuse_stale(found)
    assert outdated.value.hint == "inv base.refresh --env stg"


def test_cause_is_named_where_the_engine_has_the_stale_image(tmp_path: Path, fake: FakeEngine) -> None:
    wanted, there = environment(tmp_path), account()
    old = base_of(wanted)
    digest = there.ecr.have("guestbook", old.tags[0])
    fake.add_image(f"{REPOSITORY}@{digest}", labels=old.labels)
    edit(wanted)

    said = remarks(observe(wanted, fake, there), fake)[0]

    assert said.endswith("; changed since: requirements.txt")


def test_registry_without_a_base_is_refused_with_the_command_that_makes_one(tmp_path: Path, fake: FakeEngine) -> None:
    there = account()
    there.ecr.have("guestbook", "web-c000000000001")
    with pytest.raises(RefusedError, match="no base image yet") as refused:
        observe(environment(tmp_path), fake, there)
    assert refused.value.hint == "inv base.refresh --env stg"


def test_role_that_a_container_names_is_looked_up_too(tmp_path: Path, fake: FakeEngine) -> None:
    wanted, there = environment(tmp_path, ROLE), account()
    base, web = recipe.recipes(wanted, CHECKOUT, upstream.nobody)
    first = there.ecr.have("guestbook", base.tags[0], manifest='{"base": 1}')
    second = there.ecr.have("guestbook", web.tags[0], manifest='{"web": 1}')

    found = observe(wanted, fake, there)

    assert found.references == {"base": f"{REPOSITORY}@{first}", "web": f"{REPOSITORY}@{second}"}


def test_stale_role_is_mended_by_a_deploy(tmp_path: Path, fake: FakeEngine) -> None:
    wanted, there = environment(tmp_path, ROLE), account()
    there.ecr.have("guestbook", base_of(wanted).tags[0], manifest='{"base": 1}')
    there.ecr.have("guestbook", "web-c000000000001", manifest='{"web": 1}')

    said, mend = remarks(observe(wanted, fake, there), fake)

    assert said.startswith("the image of the role web is stale")
    assert mend == "  next: inv deploy --env stg, then inv dev.up"


def test_offline_the_newest_copy_on_this_machine_is_taken(tmp_path: Path, fake: FakeEngine) -> None:
    wanted = environment(tmp_path)
    fake.add_image(f"{REPOSITORY}@sha256:1", labels={**base_of(wanted).labels, labels.FINGERPRINT: "older"})
    fake.add_image(f"{REPOSITORY}@sha256:2", labels=base_of(wanted).labels)
    fake.add_image("guestbook:never-pushed", labels=base_of(wanted).labels)

    found = observe_offline(wanted, fake)

    assert found.references == {"base": f"{REPOSITORY}@sha256:2"}
    assert remarks(found, fake) == [
        "stg: Could not connect to the endpoint: going on with what is on this machine",
    ]


def test_offline_a_stale_copy_is_said_with_its_cause(tmp_path: Path, fake: FakeEngine) -> None:
    wanted = environment(tmp_path)
    fake.add_image(f"{REPOSITORY}@sha256:1", labels=base_of(wanted).labels)
    edit(wanted)

    _, said, _ = remarks(observe_offline(wanted, fake), fake)

    assert said.startswith("the base image is stale")
    assert said.endswith("changed since: requirements.txt")


def test_offline_without_a_copy_the_error_of_aws_stays(tmp_path: Path, fake: FakeEngine) -> None:
    with pytest.raises(AwsError, match="Could not connect"):
        observe_offline(environment(tmp_path), fake)


def test_what_the_engine_lacks_is_pulled_and_nothing_else(tmp_path: Path, fake: FakeEngine, stage: Stage) -> None:
    wanted, there = environment(tmp_path / "project"), account()
    digest = there.ecr.have("guestbook", base_of(wanted).tags[0])
    fake.add_image("postgres:15")
    stage.program("docker", f'cat "$DOCKER_CONFIG/config.json" > {stage.root}/login')
    engine = Engine(host=fake.host, program=str(stage.bin / "docker"), name="docker", version="1", bridge_address="")

    images.fetch(observe(wanted, fake, there), engine, stage.say)

    assert stage.said == [f"pulling {REPOSITORY}@{digest}"]
    assert stage.calls == [f"docker pull --quiet {REPOSITORY}@{digest}"]
    assert REPOSITORY.partition("/")[0] in (stage.root / "login").read_text()


def test_nobody_signs_in_when_everything_is_there(tmp_path: Path, fake: FakeEngine, stage: Stage) -> None:
    wanted, there = environment(tmp_path / "project"), account()
    digest = there.ecr.have("guestbook", base_of(wanted).tags[0])
    fake.add_image("postgres:15", f"{REPOSITORY}@{digest}")
    engine = Engine(host=fake.host, program=str(stage.bin / "docker"), name="docker", version="1", bridge_address="")

    images.fetch(observe(wanted, fake, there), engine, stage.say)

    assert stage.said == stage.calls == []
    assert "ecr:GetAuthorizationToken" not in there.calls
