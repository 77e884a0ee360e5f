from __future__ import annotations

import io
import tarfile
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from deploylib.config import Dependency, ImageTest, Migration, RoleImage
from deploylib.contract import Contract, ServiceContract
from deploylib.errors import ContractError, ImageError
from deploylib.events import Event, ImageTested, ImageTestLogged, ImageTestStarted
from deploylib.images import sandbox, testing
from deploylib.images.sandbox import Container, Sandbox
from deploylib.toolchain.recorded_process import Owner
from tests.fakes.clock import FakeClock
from tests.images.container_engine import ContainerEngine, Program
from tests.images.kitchen import environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from deploylib.images import gate
    from deploylib.images.testing import Suite

DATABASE = Dependency(
    image="local/postgres:15",
    environment={"POSTGRES_PASSWORD": "dummy"},
    health_check=("pg_isready",),
    provides={"DB_HOST": "database", "DB_NAME": "shop"},
    volume="/data",
)
REDIS = Dependency(image="redis:7", provides={"REDIS_URL": "redis://redis"}, command=("redis-server", "--save"))
MIGRATION = Migration(service="web", container="app", command=("migrate", "up"))
REFERENCES = {"web": "localhost:4566/shop:web", "job": "localhost:4566/shop@sha256:job"}


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[ContainerEngine]:
    engine = ContainerEngine(tmp_path / "engine.sock", "local/postgres:15", "redis:7", *REFERENCES.values())
    engine.programs = {
        "local/postgres:15": Program(lines=("ready to accept connections",), endless=True),
        "redis-server --save": Program(endless=True),
        "migrate up": Program(lines=("schema at 2",)),
        "run tests": Program(lines=("1 passed",)),
    }
    engine.start()
    yield engine
    engine.stop()


def suite_of(root: Path, **tests: ImageTest) -> Suite:
    """Return the suite of an application whose migration is in the image `web`."""
    roles = {name: RoleImage(dockerfile="Dockerfile", test=tests.get(name)) for name in ("web", "job")}
    settings = replace(
        environment(root, roles=roles, base=None),
        dependencies={"database": DATABASE, "redis": REDIS},
        migration=MIGRATION,
    )
    return testing.suite(settings, contract())


def contract(container: str = "app") -> Contract:
    service = ServiceContract(
        name="shop-web",
        family="shop-web",
        template="arn",
        desired_count=1,
        containers={container: "web"},
        subnets=(),
        security_groups=(),
    )
    return Contract(
        version=1,
        app="shop",
        environment="stg",
        account_id="111111111111",
        region="ap-northeast-1",
        cluster="shop",
        repository="localhost:4566/shop",
        services={"web": service},
        ledger="shop",
    )


def run(fake: ContainerEngine, suite: Suite, *images: str, clock: FakeClock | None = None) -> list[Event]:
    """Run the tests of *images* one after the other, and return what they say."""
    events: list[Event] = []
    with testing.opened(suite, {}, REFERENCES, images, find=fake.engine, clock=clock or FakeClock()) as tests:
        for image in tests.images:
            tests.run(image, events.append)
    return events


def test_a_command_runs_in_the_image_that_was_built_with_its_needs_beside_it(
    fake: ContainerEngine, tmp_path: Path
) -> None:
    test = ImageTest(commands=(("run", "tests"),), needs=("database", "redis"), environment={"DB_NAME": "other"})
    events = run(fake, suite_of(tmp_path, web=test), "web")
    assert events == [
        ImageTestStarted(image="web", needs=("database", "redis")),
        ImageTestLogged(image="web", line="$ run tests"),
        ImageTestLogged(image="web", line="1 passed"),
        ImageTested(image="web", seconds=0.0),
    ]
    *beside, last = (one.document for one in fake.everything)
    assert {one["Image"] for one in beside} == {"local/postgres:15", "redis:7"}
    assert last["Image"] == "localhost:4566/shop:web"
    assert set(last["Env"]) == {"DB_HOST=database", "DB_NAME=other", "REDIS_URL=redis://redis"}
    assert "Entrypoint" not in last
    assert fake.left == (0, 0)


def test_the_entry_point_of_the_image_stays_and_is_shown(fake: ContainerEngine, tmp_path: Path) -> None:
    fake.entrypoint = ("/enter.sh",)
    events = run(fake, suite_of(tmp_path, web=ImageTest(commands=(("run", "tests"),))), "web")
    assert events[1] == ImageTestLogged(image="web", line="$ /enter.sh run tests")


def test_a_command_that_names_the_entry_point_again_is_refused(fake: ContainerEngine, tmp_path: Path) -> None:
    fake.entrypoint = ("run",)
    said = "run run tests cannot be run: run is the image's entry point already; leave it out of the command"
    with pytest.raises(ImageError, match=said):
        run(fake, suite_of(tmp_path, web=ImageTest(commands=(("run", "tests"),))), "web")
    assert fake.ran == []


def test_the_migration_runs_first_in_the_image_of_its_own_role(fake: ContainerEngine, tmp_path: Path) -> None:
    test = ImageTest(commands=(("run", "tests"),), needs=("database",), migrate=True)
    events = run(fake, suite_of(tmp_path, job=test), "job")
    assert fake.ran == ["local/postgres:15", "migrate up", "run tests"]
    assert [one.document["Image"] for one in fake.everything[1:]] == [REFERENCES["web"], REFERENCES["job"]]
    assert "DB_HOST=database" in fake.everything[1].document["Env"]
    assert ImageTestLogged(image="job", line="schema at 2") in events


def test_a_test_waits_until_the_health_check_passes(fake: ContainerEngine, tmp_path: Path) -> None:
    fake.checks["local/postgres:15"] = [2, 2, 0]
    clock = FakeClock()
    run(fake, suite_of(tmp_path, web=ImageTest(commands=(("run", "tests"),), needs=("database",))), "web", clock=clock)
    assert fake.checked == [("pg_isready",)] * 3
    assert clock.naps[:2] == [0.1, 0.1]


@pytest.mark.parametrize(
    ("own", "asked"),
    [
        (("CMD", "redis-cli", "ping"), [("redis-cli", "ping")]),
        (("CMD-SHELL", "redis-cli ping || exit 1"), [("/bin/sh", "-c", "redis-cli ping || exit 1")]),
        (("NONE",), []),
    ],
)
def test_without_a_health_check_the_images_own_is_asked(
    fake: ContainerEngine, tmp_path: Path, own: tuple[str, ...], asked: list[tuple[str, ...]]
) -> None:
    fake.health["redis:7"] = own
    run(fake, suite_of(tmp_path, web=ImageTest(commands=(("run", "tests"),), needs=("redis",))), "web")
    assert fake.checked == asked


def test_a_failing_command_is_named_with_its_last_lines_and_those_of_what_it_needs(
    fake: ContainerEngine, tmp_path: Path
) -> None:
    fake.programs["run tests"] = Program(lines=("test_page ... ", "!AssertionError: 500"), code=3)
    test = ImageTest(commands=(("run", "tests"), ("never", "reached")), needs=("database",))
    with pytest.raises(ImageError) as caught:
        run(fake, suite_of(tmp_path, web=test), "web")
    assert str(caught.value) == (
        "image web did not pass its tests: run tests ended with exit code 3\n"
        "test_page ... \nAssertionError: 500\n"
        "the last lines of database:\n  ready to accept connections"
    )
    assert caught.value.hint == "inv image.test --role web --env stg repeats this test alone"
    assert "never reached" not in fake.ran
    assert fake.left == (0, 0)


def test_a_failing_migration_is_a_failed_test(fake: ContainerEngine, tmp_path: Path) -> None:
    fake.programs["migrate up"] = Program(lines=("no such table",), code=1)
    test = ImageTest(commands=(("run", "tests"),), needs=("database",), migrate=True)
    with pytest.raises(ImageError, match="web did not pass its tests: migrate up ended with exit code 1\nno such tab"):
        run(fake, suite_of(tmp_path, web=test), "web")
    assert "run tests" not in fake.ran


def test_a_command_that_does_not_end_is_killed_after_its_time(fake: ContainerEngine, tmp_path: Path) -> None:
    fake.programs["run tests"] = Program(lines=("on",), endless=True)
    test = ImageTest(commands=(("run", "tests"),), timeout_seconds=0.2)
    with pytest.raises(ImageError, match=r"run tests did not end within 0\.2 s\non"):
        run(fake, suite_of(tmp_path, web=test), "web")
    assert fake.left == (0, 0)


def test_a_command_that_is_not_in_the_image_cannot_be_run(fake: ContainerEngine, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match='pytest -q cannot be run: exec: "nonsense": executable file not found'):
        run(fake, suite_of(tmp_path, web=ImageTest(commands=(("pytest", "-q"),))), "web")


def test_a_dependency_that_ends_is_told_with_its_last_lines(fake: ContainerEngine, tmp_path: Path) -> None:
    fake.programs["local/postgres:15"] = Program(lines=("POSTGRES_PASSWORD: must be set",), code=2)
    with pytest.raises(ImageError) as caught:
        run(fake, suite_of(tmp_path, web=ImageTest(commands=(("run", "tests"),), needs=("database",))), "web")
    assert str(caught.value) == (
        "image web cannot be tested: the dependency database (local/postgres:15) is not ready: "
        "it ended with exit code 2\nthe last lines of database:\n  POSTGRES_PASSWORD: must be set"
    )
    assert "dependencies.database" in caught.value.hint
    assert fake.left == (0, 0)


def test_a_dependency_that_is_never_ready_is_given_up_after_its_time(fake: ContainerEngine, tmp_path: Path) -> None:
    fake.checks["local/postgres:15"] = [2]
    suite = suite_of(tmp_path, web=ImageTest(commands=(("run", "tests"),), needs=("database",)))
    impatient = replace(suite, dependencies={"database": replace(DATABASE, timeout_seconds=2.0)})
    with pytest.raises(ImageError, match=r"its health check still fails after 2 s: ready\?\nthe last lines of"):
        run(fake, impatient, "web")
    assert len(fake.checked) == 21


def test_a_health_check_that_cannot_be_run_is_told_at_once(fake: ContainerEngine, tmp_path: Path) -> None:
    fake.checks["local/postgres:15"] = [126]
    suite = suite_of(tmp_path, web=ImageTest(commands=(("run", "tests"),), needs=("database",)))
    with pytest.raises(ImageError, match="its health check cannot be run"):
        run(fake, suite, "web")
    assert len(fake.checked) == 1


def test_an_image_made_on_this_machine_is_never_pulled(fake: ContainerEngine, tmp_path: Path) -> None:
    fake.images = [one for one in fake.images if "local/postgres:15" not in one["RepoTags"]]
    suite = suite_of(tmp_path, web=ImageTest(commands=(("run", "tests"),), needs=("database",)))
    with pytest.raises(ImageError, match="local/postgres:15 is made on this machine, and it is not there") as caught:
        run(fake, suite, "web")
    assert caught.value.hint == "inv local.up"


def test_an_image_that_is_missing_is_pulled_with_the_log_ins(fake: ContainerEngine, tmp_path: Path) -> None:
    fake.images = [one for one in fake.images if "redis:7" not in one["RepoTags"]]
    fake.program.write_text('#!/bin/sh\necho "$@ $DOCKER_CONFIG" > "$0.said"; echo denied >&2; exit 1\n')
    fake.program.chmod(0o755)
    suite = suite_of(tmp_path, web=ImageTest(commands=(("run", "tests"),), needs=("redis",)))
    opened = testing.opened(
        suite, {"DOCKER_CONFIG": "/log-in"}, REFERENCES, ["web"], find=fake.engine, clock=FakeClock()
    )
    with pytest.raises(ImageError, match="the image redis:7 could not be pulled\ndenied"), opened as tests:
        tests.run("web", lambda _: None)
    assert fake.program.with_suffix(".said").read_text() == "pull --quiet redis:7 /log-in\n"


def test_each_role_has_a_network_and_a_database_of_its_own(fake: ContainerEngine, tmp_path: Path) -> None:
    test = ImageTest(commands=(("run", "tests"),), needs=("database",))
    run(fake, suite_of(tmp_path, web=test, job=test), "web", "job")
    networks = [one.document["HostConfig"]["NetworkMode"] for one in fake.everything]
    assert len(networks) == 4
    assert len(set(networks)) == 2


def test_stopping_ends_a_test_that_runs_and_leaves_nothing(fake: ContainerEngine, tmp_path: Path) -> None:
    fake.programs["run tests"] = Program(lines=("on",), endless=True)
    suite = suite_of(tmp_path, web=ImageTest(commands=(("run", "tests"),), needs=("database",)))
    on, ended = threading.Event(), list[str]()

    def emit(event: Event) -> None:
        if isinstance(event, ImageTestLogged) and event.line == "on":
            on.set()

    def test(tests: gate.Tests) -> None:
        with pytest.raises(ImageError):
            tests.run("web", emit)
        ended.append("web")

    with testing.opened(suite, {}, REFERENCES, ["web"], find=fake.engine) as tests:
        thread = threading.Thread(target=test, args=(tests,))
        thread.start()
        assert on.wait(10)
        tests.stop()
        thread.join(10)
    assert ended == ["web"]
    assert fake.left == (0, 0)


def test_leaving_while_a_dependency_starts_leaves_nothing(fake: ContainerEngine, tmp_path: Path) -> None:
    fake.checks["local/postgres:15"] = [2]
    suite = suite_of(tmp_path, web=ImageTest(commands=(("run", "tests"),), needs=("database",)))
    opened = testing.opened(suite, {}, REFERENCES, ["web"], find=fake.engine)
    with pytest.raises(KeyboardInterrupt), opened:
        raise KeyboardInterrupt
    assert fake.left == (0, 0)


def test_no_engine_is_asked_when_no_image_has_tests(tmp_path: Path) -> None:
    def nobody() -> object:
        raise AssertionError("there is nothing to test")

    with testing.opened(suite_of(tmp_path), {}, REFERENCES, ["web"], find=nobody) as tests:  # type: ignore[arg-type]  # never called
        assert not tests.images


def test_what_a_killed_run_left_is_gone_afterwards(fake: ContainerEngine, tmp_path: Path) -> None:
    this = Owner.this()
    dead = replace(this, process=replace(this.process, started="before"))
    left = Sandbox(api=fake.engine().api, name="left", labels=sandbox.labels("shop", "left", dead))
    left.create(Container(name="database", image="local/postgres:15"))
    run(fake, suite_of(tmp_path, web=ImageTest(commands=(("run", "tests"),))), "web")
    assert fake.left == (0, 0)


def test_the_folder_is_in_the_container_for_everybody_to_read(fake: ContainerEngine, tmp_path: Path) -> None:
    (tmp_path / "tests/image").mkdir(parents=True)
    (tmp_path / "tests/image/test.sh").write_text("exit 0")
    (tmp_path / "tests/image/test.sh").chmod(0o700)
    (tmp_path / "tests/image/data").write_text("secret")
    (tmp_path / "tests/image/data").chmod(0o600)
    test = ImageTest(commands=(("run", "tests"),), folder="tests/image", mount="/opt/tests")
    run(fake, suite_of(tmp_path, web=test), "web")
    with tarfile.open(fileobj=io.BytesIO(fake.everything[-1].files)) as archive:
        found = {one.name: (oct(one.mode), one.uid, one.uname) for one in archive}
    assert found == {
        "opt/tests": ("0o755", 0, ""),
        "opt/tests/test.sh": ("0o755", 0, ""),
        "opt/tests/data": ("0o644", 0, ""),
    }


def test_a_contract_without_the_migrations_container_says_what_mends_it(tmp_path: Path) -> None:
    test = ImageTest(commands=(("run", "tests"),), migrate=True)
    settings = replace(
        environment(tmp_path, roles={"web": RoleImage(dockerfile="Dockerfile", test=test)}, base=None),
        migration=MIGRATION,
    )
    with pytest.raises(ContractError, match="no container 'app' in a service 'web'") as caught:
        testing.suite(settings, contract(container="other"))
    assert caught.value.hint == "inv infra.apply --env stg"
