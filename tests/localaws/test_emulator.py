from __future__ import annotations

import configparser
import dataclasses
import os
import re
import shutil
import signal
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from deploylib.errors import ConfigError, ToolMissingError
from deploylib.localaws import emulator, instance, leftovers
from deploylib.toolchain import recorded_process
from tests.fakes.clock import FakeClock
from tests.localaws.yard import ACCOUNT_ID, ANSWERS

if TYPE_CHECKING:
    from deploylib.localaws.instance import LocalAws
    from tests.localaws.yard import Yard


def kill(local: LocalAws) -> None:
    os.kill(local.pid, signal.SIGKILL)
    while recorded_process.is_alive(local.process):
        os.sched_yield()


def mine(local: LocalAws) -> dict[str, str]:
    return {leftovers.INSTANCE_LABEL: local.instance}


def variables_of(local: LocalAws) -> dict[str, str]:
    with open(f"/proc/{local.pid}/environ", encoding="utf-8") as file:  # noqa: PTH123 - no file that Path is for
        return dict(each.split("=", 1) for each in file.read().split("\0") if each)


def test_up_returns_once_the_emulator_answers(yard: Yard) -> None:
    local = yard.up()

    assert recorded_process.is_alive(local.process)
    with socket.create_connection(("127.0.0.1", local.port), timeout=5):
        pass
    assert instance.read(yard.checkout, "local") == local


def test_up_writes_the_profile_that_every_aws_tool_understands(yard: Yard) -> None:
    local = yard.up()

    config = configparser.ConfigParser()
    config.read(yard.checkout / ".local" / "aws" / "config")
    assert dict(config["profile local"]) == {
        "region": "ap-northeast-1",
        "aws_access_key_id": ACCOUNT_ID,
        "aws_secret_access_key": "local",
        "aws_session_token": f"localaws:{local.instance}",
        "endpoint_url": f"http://127.0.0.1:{local.port}",
    }


def test_a_second_up_is_harmless(yard: Yard) -> None:
    assert yard.up() == yard.up()


def test_concurrent_ups_start_one_emulator(yard: Yard) -> None:
    found: list[LocalAws] = []
    threads = [threading.Thread(target=lambda: found.append(yard.up())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 3
    assert len({local.pid for local in found}) == 1


def test_several_accounts_of_one_checkout_run_side_by_side(yard: Yard) -> None:
    one, two = yard.up("stg"), yard.up("prd")

    assert one.port != two.port
    assert one.instance != two.instance
    config = configparser.ConfigParser()
    config.read(yard.checkout / ".local" / "aws" / "config")
    assert config["profile stg"]["endpoint_url"] == one.endpoint
    assert config["profile prd"]["endpoint_url"] == two.endpoint


def test_several_checkouts_run_side_by_side_and_go_down_apart(yard: Yard) -> None:
    other = yard.new_checkout("copy")
    here, there = yard.up(), yard.up(checkout=other)
    for local in (here, there):
        yard.fake.add_container(f"task-of-{local.port}", mine(local))
        yard.fake.add_image(f"{local.registry}/shop:1")

    emulator.down(yard.checkout)

    assert not recorded_process.is_alive(here.process)
    assert recorded_process.is_alive(there.process)
    assert [each["Names"] for each in yard.fake.containers] == [[f"/task-of-{there.port}"]]
    assert f"{there.registry}/shop:1" in yard.fake.names()


def test_the_emulator_does_not_inherit_the_users_aws(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA-OF-A-REAL-ACCOUNT")
    monkeypatch.setenv("LOCALAWS_STEADY_SECONDS", "0.1")

    variables = variables_of(yard.up())

    assert not [name for name in variables if name.startswith("AWS_")]
    assert variables["LOCALAWS_STEADY_SECONDS"] == "0.1"
    assert variables["LOCALAWS_ACCOUNT_ID"] == ACCOUNT_ID
    assert variables["DOCKER_HOST"] == yard.fake.host
    assert variables["PYTHONPATH"] == str(yard.checkout)


def test_another_account_under_the_same_name_is_refused(yard: Yard) -> None:
    yard.up()

    with pytest.raises(ConfigError, match=f"runs as account {ACCOUNT_ID}") as refused:
        emulator.up(yard.checkout, engine=yard.engine, account_id="999999999999")

    assert refused.value.hint.startswith("inv local.down")


def test_one_of_several_goes_down_alone(yard: Yard) -> None:
    one, other = yard.up("prd"), yard.up("prd-2")  # the name of one begins the other's
    for local in (one, other):
        yard.fake.add_container(f"task-of-{local.name}", mine(local))
        yard.fake.add_image(f"{local.registry}/shop:1")

    removed = emulator.down(yard.checkout, "prd")

    assert str(removed) == "1 emulator, 1 container, 1 image"
    assert not recorded_process.is_alive(one.process)
    assert recorded_process.is_alive(other.process)
    assert [each["Names"] for each in yard.fake.containers] == [["/task-of-prd-2"]]
    assert f"{other.registry}/shop:1" in yard.fake.names()
    assert emulator.status(yard.checkout, "prd").state == "absent"
    config = configparser.ConfigParser()
    config.read(yard.checkout / ".local" / "aws" / "config")
    assert config.sections() == ["profile prd-2"]


def test_nothing_is_left_when_the_last_of_several_goes_down(yard: Yard) -> None:
    yard.up("stg")
    yard.up("prd")

    emulator.down(yard.checkout, "stg")
    emulator.down(yard.checkout, "prd")

    assert not (yard.checkout / ".local").exists()


@pytest.mark.parametrize("name", ["", "Local", "../x", "a b", "a-", "x" * 30])
def test_a_name_that_cannot_be_a_folder_and_a_profile_is_refused(yard: Yard, name: str) -> None:
    with pytest.raises(ConfigError, match="cannot name a local AWS"):
        yard.up(name)


def test_an_emulator_that_ends_at_its_start_is_an_error_with_its_last_words(yard: Yard) -> None:
    yard.install_emulator("echo 'the local AWS cannot start: wrong version' >&2; exit 2")

    with pytest.raises(ToolMissingError, match="ended while it started:\nthe local AWS cannot start: wrong version"):
        yard.up()


def test_an_emulator_that_stays_silent_is_an_error_that_names_its_log(yard: Yard) -> None:
    yard.install_emulator("exec sleep 60")

    with pytest.raises(ToolMissingError, match="does not answer at") as silent:
        emulator.up(yard.checkout, engine=yard.engine, clock=FakeClock())

    assert silent.value.hint == f"less {instance.log_file(yard.checkout, 'local')}"


def test_an_emulator_that_is_not_installed_is_an_error_that_says_make_setup(yard: Yard) -> None:
    shutil.rmtree(yard.checkout / ".tools")

    with pytest.raises(ToolMissingError) as missing:
        yard.up()

    assert missing.value.hint == "make setup"


def test_a_port_can_be_chosen(yard: Yard) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        first = int(taken.getsockname()[1])
        environ = {**os.environ, "LOCALAWS_PORT": str(first)}

        local = emulator.up(yard.checkout, engine=yard.engine, account_id=ACCOUNT_ID, environ=environ)

    assert first < local.port < first + 100


@pytest.mark.parametrize("port", ["http", "0", "70000", "-1"])
def test_a_port_that_is_none_is_refused(yard: Yard, port: str) -> None:
    with pytest.raises(ConfigError, match=f"LOCALAWS_PORT={port} is no port"):
        emulator.up(yard.checkout, engine=yard.engine, environ={**os.environ, "LOCALAWS_PORT": port})


def test_status_knows_a_running_emulator(yard: Yard) -> None:
    local = yard.up()
    yard.fake.add_container("web-1", mine(local))

    found = emulator.status(yard.checkout)

    assert (found.state, found.local, found.containers) == ("running", local, ("web-1",))
    assert 0 <= found.uptime_seconds < 60
    assert re.search(rf"process {local.pid}, up for \d+ s\n  containers: web-1", emulator.render(found))


def test_status_of_an_emulator_that_died_shows_its_last_words_and_the_way_on(yard: Yard) -> None:
    local = yard.up()
    kill(local)

    found = emulator.status(yard.checkout)

    assert found.state == "died"
    shown = emulator.render(found, environment="stg").splitlines()
    assert shown[1:] == [f"  | instance {local.instance}", "  next: inv local.up --env stg"]


def test_status_without_an_emulator_says_how_to_get_one(yard: Yard) -> None:
    shown = emulator.render(emulator.status(yard.checkout), environment="stg")
    assert shown.endswith("next: inv local.up --env stg")


def test_up_after_a_kill_starts_anew_on_the_same_port_and_clears_what_was_left(yard: Yard) -> None:
    first = yard.up()
    kill(first)
    yard.fake.add_container("left-over", mine(first))
    yard.fake.add_container("not-ours", {leftovers.INSTANCE_LABEL: "another-local"})

    second = yard.up()

    assert second.pid != first.pid
    assert second.port == first.port
    assert [each["Names"] for each in yard.fake.containers] == [["/not-ours"]]


def test_a_port_that_somebody_took_meanwhile_is_a_clear_error(yard: Yard) -> None:
    local = yard.up()
    kill(local)

    with socket.create_server(("127.0.0.1", local.port)), pytest.raises(ToolMissingError, match="taken by another"):
        yard.up()


def test_down_removes_everything_and_nothing_else(yard: Yard) -> None:
    local = yard.up()
    yard.fake.add_container("web-1", mine(local))
    yard.fake.add_container("mine-too", {})
    yard.fake.networks.append({"Id": "net", "Labels": mine(local)})
    yard.fake.volumes.append({"Name": "data", "Labels": mine(local)})
    yard.fake.add_image(f"{local.registry}/shop:1", f"{local.registry}/shop@sha256:abc")
    yard.fake.add_image(f"{local.registry}/shop:2", "shop:kept")
    yard.fake.add_image("localhost:1/shop:1")

    removed = emulator.down(yard.checkout)

    assert str(removed) == "1 emulator, 1 container, 1 network, 1 volume, 2 images"
    assert not recorded_process.is_alive(local.process)
    assert [each["Names"] for each in yard.fake.containers] == [["/mine-too"]]
    assert (yard.fake.networks, yard.fake.volumes) == ([], [])
    assert {"shop:kept", "localhost:1/shop:1"} < yard.fake.names()
    assert not [name for name in yard.fake.names() if name.startswith(local.registry)]
    assert [path.name for path in yard.checkout.iterdir()] == [".tools"]


def test_down_works_after_the_emulator_was_killed(yard: Yard) -> None:
    local = yard.up()
    kill(local)
    yard.fake.add_container("left-over", mine(local))

    assert emulator.down(yard.checkout).containers == 1
    assert not (yard.checkout / ".local").exists()


def test_down_with_nothing_there_does_nothing(yard: Yard) -> None:
    assert str(emulator.down(yard.checkout)) == "nothing"


def test_down_with_nothing_there_does_not_need_an_engine(yard: Yard) -> None:
    yard.fake.stop()

    assert str(emulator.down(yard.checkout)) == "nothing"


def test_down_without_the_engine_stops_the_process_keeps_the_record_and_says_what_is_left(yard: Yard) -> None:
    local = yard.up()
    yard.fake.add_container("web-1", mine(local))
    yard.fake.stop()

    with pytest.raises(ToolMissingError, match="its containers and images are still there"):
        emulator.down(yard.checkout)

    assert not recorded_process.is_alive(local.process)
    yard.fake.start()
    assert emulator.down(yard.checkout).containers == 1


def test_an_emulator_whose_record_was_deleted_is_still_found(yard: Yard) -> None:
    local = yard.up()
    yard.fake.add_container("web-1", mine(local))
    shutil.rmtree(yard.checkout / ".local")

    assert emulator.down(yard.checkout).containers == 1
    assert not recorded_process.is_alive(local.process)


def test_up_replaces_an_emulator_whose_record_was_deleted(yard: Yard) -> None:
    lost = yard.up()
    shutil.rmtree(yard.checkout / ".local")

    found = yard.up()

    assert not recorded_process.is_alive(lost.process)
    assert recorded_process.is_alive(found.process)


def test_a_process_that_got_the_number_of_a_dead_emulator_is_left_alone(yard: Yard) -> None:
    local = yard.up()
    kill(local)
    instance.write(yard.checkout, dataclasses.replace(local, pid=os.getpid()))

    emulator.down(yard.checkout)  # would end this very process

    assert not (yard.checkout / ".local").exists()


def test_the_emulator_is_started_again_after_its_environment_was_mended(yard: Yard) -> None:
    yard.install_emulator("exit 2")
    with pytest.raises(ToolMissingError):
        yard.up()

    yard.install_emulator(ANSWERS)

    assert recorded_process.is_alive(yard.up().process)
