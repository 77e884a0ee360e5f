from __future__ import annotations

import socket
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from deploylib.config import DevelopmentContainer
from deploylib.development import stand
from deploylib.development.stand import Stand
from deploylib.errors import ConfigError, DeployError, MigrationError, OutdatedError
from deploylib.toolchain import compose_tool
from deploylib.toolchain.engine import Engine
from tests.development.workshop import environment
from tests.fakes.clock import FakeClock

if TYPE_CHECKING:
    from tests.toolchain.fake_engine import FakeEngine
    from tests.toolchain.stage import Stage

IMAGES = {"base": "registry/guestbook@sha256:1"}
HEALTHY = {"Status": "running", "Health": {"Status": "healthy"}}
STARTING = {"Status": "running", "Health": {"Status": "starting"}}
UNHEALTHY = {"Status": "running", "Health": {"Status": "unhealthy"}}
DONE = {"Status": "exited", "ExitCode": 0}
FAILED = {"Status": "exited", "ExitCode": 3}
Round = dict[str, dict[str, Any]]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@dataclass
class Scene:
    """A checkout, an engine, and what its containers will be at each look."""

    stage: Stage
    fake: FakeEngine
    rounds: list[Round] = field(default_factory=list)
    port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        self.stage.program("docker-compose")
        wanted = environment(self.stage.checkout)
        assert wanted.development
        web = replace(wanted.development.containers["web"], published=self.port)
        wanted = replace(wanted, development=replace(wanted.development, containers={"web": web}))
        program = str(self.stage.bin / "docker")
        engine = Engine(host=self.fake.host, program=program, name="docker", version="1", bridge_address="")
        self.stand = Stand(environment=wanted, engine=engine, tool=(str(self.stage.bin / "docker-compose"),))

    def show(self, **states: Any) -> None:
        """Let the engine have these containers, by service, and no others."""
        self.fake.containers.clear()
        for service, state in states.items():
            labels = {compose_tool.PROJECT_LABEL: self.stand.project, compose_tool.SERVICE_LABEL: service}
            self.fake.add_container(service, labels, state=state)

    def up(self, *rounds: Round) -> list[str]:
        """Bring it up while its containers change from look to look; return what was said."""
        self.rounds = list(rounds)
        stand.up(self.stand, IMAGES, self.stage.say, clock=Turns(self))
        return self.stage.said


class Turns(FakeClock):
    """A clock whose every sleep is the next round. The last one stays."""

    def __init__(self, scene: Scene, *, pace: float = 1) -> None:
        super().__init__()
        self.scene = scene
        self.pace = pace

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds * self.pace)
        if self.scene.rounds:
            self.scene.show(**self.scene.rounds.pop(0))


@pytest.fixture
def scene(stage: Stage, fake: FakeEngine) -> Scene:
    return Scene(stage, fake)


def test_up_says_each_change_until_all_is_healthy(scene: Scene) -> None:
    scene.show(database=STARTING)
    said = scene.up(
        {"database": HEALTHY, "migration": STARTING},
        {"database": HEALTHY, "migration": DONE, "web": STARTING},
        {"database": HEALTHY, "migration": DONE, "web": HEALTHY},
    )
    assert said == [
        "database: starting",
        "database: healthy",
        "migration: starting",
        "migration: done",
        "web: starting",
        "web: healthy",
    ]


def test_up_starts_the_project_of_this_checkout_from_its_file(scene: Scene) -> None:
    scene.show(web=HEALTHY)
    scene.up()
    (call,) = scene.stage.calls
    assert call == (
        f"docker-compose --project-name {scene.stand.project} --file {scene.stand.file} up --detach --remove-orphans"
    )
    assert scene.stand.project.startswith("guestbook-dev-co-")
    assert IMAGES["base"] in scene.stand.file.read_text()


def test_two_checkouts_have_two_projects(scene: Scene, stage: Stage) -> None:
    other = replace(scene.stand.environment, root=stage.root / "another")
    assert stand.project(other) != scene.stand.project


def test_container_that_ended_is_told_with_its_log(scene: Scene) -> None:
    scene.stage.program("docker", "echo no such setting: FLUX >&2")
    scene.show(database=HEALTHY, web=FAILED)
    with pytest.raises(DeployError) as failed:
        scene.up()
    assert str(failed.value) == "web: ended with exit code 3\n  web | no such setting: FLUX"
    assert "inv dev.up" in failed.value.hint
    assert scene.stage.calls[-1] == "docker logs --tail 20 id-web"


def test_log_of_what_a_container_is_beside_is_told_too(scene: Scene) -> None:
    scene.stage.program("docker", 'case $* in *id-web) echo SyntaxError;; *id-nginx) echo "GET /healthz 500";; esac')
    wanted = scene.stand.environment
    assert wanted.development
    containers = {**wanted.development.containers, "nginx": DevelopmentContainer(beside="web")}
    wanted = replace(wanted, development=replace(wanted.development, containers=containers))
    scene.stand = replace(scene.stand, environment=wanted)
    scene.show(web=HEALTHY, nginx=UNHEALTHY)
    with pytest.raises(DeployError) as failed:
        scene.up()
    assert str(failed.value).splitlines()[1:] == ["  web | SyntaxError", "  nginx | GET /healthz 500"]


def test_container_that_becomes_unhealthy_is_told(scene: Scene) -> None:
    scene.stage.program("docker")
    scene.show(web=STARTING)
    with pytest.raises(DeployError, match="web: unhealthy"):
        scene.up({"web": UNHEALTHY})


def test_migration_that_fails_is_a_migration_error(scene: Scene) -> None:
    scene.stage.program("docker", "echo column FLUX is missing")
    scene.stage.program("docker-compose", "exit 1")
    scene.show(database=HEALTHY, migration=FAILED)
    with pytest.raises(MigrationError, match="column FLUX is missing"):
        scene.up()


def test_what_the_tool_says_is_told_when_no_container_explains_it(scene: Scene) -> None:
    scene.stage.program("docker-compose", "echo pull access denied; exit 1")
    with pytest.raises(DeployError, match="pull access denied") as failed:
        scene.up()
    assert scene.stand.project in str(failed.value)


def test_what_failed_before_is_not_judged_while_the_tool_works(scene: Scene) -> None:
    gate = scene.stage.root / "gate"
    scene.stage.program("docker-compose", f"until [ -e {gate} ]; do :; done")
    scene.show(web=FAILED)

    def corrected(line: str) -> None:
        scene.stage.say(line)
        scene.show(web=HEALTHY)
        gate.touch()

    stand.up(scene.stand, IMAGES, corrected, clock=Turns(scene))

    assert scene.stage.said == ["web: ended with exit code 3", "web: healthy"]


def test_nothing_waits_for_ever(scene: Scene) -> None:
    scene.show(web=STARTING)
    with pytest.raises(DeployError, match="not healthy after 600 s"):
        stand.up(scene.stand, IMAGES, scene.stage.say, clock=Turns(scene, pace=20))


def test_interruption_says_how_to_go_on(scene: Scene) -> None:
    def interrupted(_: str) -> None:
        raise KeyboardInterrupt

    scene.show(web=STARTING)
    with pytest.raises(KeyboardInterrupt) as stopped:
        stand.up(scene.stand, IMAGES, interrupted, clock=Turns(scene))
    assert stopped.value.__notes__ == ["inv dev.up goes on from here, inv dev.down removes what is there"]


def test_taken_port_is_told_with_its_key_before_anything_starts(scene: Scene) -> None:
    with socket.create_server(("127.0.0.1", scene.port)), pytest.raises(ConfigError) as taken:
        scene.up()
    assert f"port {scene.port}" in str(taken.value)
    assert "development.containers.web.published in environments/common.toml" in taken.value.hint
    assert scene.stage.calls == []


def test_port_that_is_its_own_is_not_taken(scene: Scene) -> None:
    scene.show(web=HEALTHY)
    scene.fake.containers[0]["NetworkSettings"] = {"Ports": {"80/tcp": [{"HostPort": str(scene.port)}]}}
    with socket.create_server(("127.0.0.1", scene.port)):
        assert scene.up() == ["web: healthy"]


def test_mount_that_does_not_exist_is_told_before_the_engine_makes_a_folder_of_it(scene: Scene) -> None:
    scene.stand.environment.context.rename(scene.stage.root / "moved")
    with pytest.raises(ConfigError, match=r"development\.containers\.web\.mounts: app does not exist"):
        scene.up()


def test_summary_tells_addresses_mounts_and_logs(scene: Scene) -> None:
    address, mount, logs = stand.summary(scene.stand)
    assert address == f"  web: http://127.0.0.1:{scene.port}"
    assert mount == "  app is /srv in web"
    assert logs == f"  logs: docker-compose -p {scene.stand.project} -f .cache/development/compose.yaml logs -f"


def test_file_is_written_once_and_then_up_to_date(scene: Scene) -> None:
    wanted, file = scene.stand.environment, scene.stage.checkout / "compose.yaml"
    with pytest.raises(OutdatedError) as missing:
        stand.check(wanted, IMAGES, file)
    assert missing.value.hint == "inv dev.compose --env stg"
    assert stand.write(wanted, IMAGES, file)
    assert not stand.write(wanted, IMAGES, file)
    stand.check(wanted, IMAGES, file)
    with pytest.raises(OutdatedError):
        stand.check(wanted, {"base": "another"}, file)


def test_own_variables_are_kept_and_their_file_is_made_where_there_is_none(scene: Scene) -> None:
    wanted, own = scene.stand.environment, scene.stage.checkout / ".env"
    stand.write(wanted, IMAGES, scene.stand.file)
    assert own.read_text().startswith("#")
    assert own.stat().st_mode & 0o777 == 0o600
    own.write_text("DEBUG=1\n")
    stand.write(wanted, {"base": "another"}, scene.stand.file)
    assert own.read_text() == "DEBUG=1\n"


def test_down_removes_what_the_project_has(scene: Scene) -> None:
    scene.show(web=HEALTHY, migration=DONE)
    removed = stand.down(scene.stand.environment, scene.stand.engine.api, volumes=False)
    assert str(removed) == "2 containers"
    assert set(scene.fake.stopped) == {"id-web", "id-migration"}
