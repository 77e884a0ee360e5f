from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

import pytest

from deploylib.errors import ConfigError, DeployError, OutdatedError
from deploylib.infra import together
from deploylib.infra.changes import Action, Change, Changes

if TYPE_CHECKING:
    from pathlib import Path

    from tests.infra.stand_in import StandIn

CHANGING = Changes(changes=(Change(address="a", type="a", action=Action.CREATE),))
COMMON = '[app]\nname = "shop"\npath = "."\n[images.roles.web]\ndockerfile = "Dockerfile"\n'
ACCOUNT = '[account]\nid = "111111111111"\nregion = "ap-northeast-1"\n'


def test_all_work_at_once_and_the_answers_come_in_order() -> None:
    meeting = threading.Barrier(3, timeout=5)

    def work(name: str) -> str:
        meeting.wait()
        return name.upper()

    assert list(together.each(["c", "a", "b"], work).items()) == [("c", "C"), ("a", "A"), ("b", "B")]


def test_one_that_fails_does_not_stop_the_others() -> None:
    def work(name: str) -> str:
        if name == "a":
            raise ConfigError("no profile")
        return name

    found = together.each(["a", "b"], work)
    assert isinstance(found["a"], ConfigError)
    assert found["b"] == "b"


def test_nothing_to_do_is_done() -> None:
    assert together.each([], str.upper) == {}


def test_a_bug_is_no_answer() -> None:
    def work(name: str) -> str:
        raise ZeroDivisionError(name)

    with pytest.raises(ZeroDivisionError):
        together.each(["a"], work)


def test_ctrl_c_reaches_every_terraform_once_and_none_starts_afterwards(stand_in: StandIn, tmp_path: Path) -> None:
    folders = {name: tmp_path / name for name in ("a", "b")}
    for folder in folders.values():
        folder.mkdir()
        os.mkfifo(folder / "go")
    under_way = threading.Semaphore(0)
    ended: list[str] = []

    def work(name: str) -> None:
        def line(text: str) -> None:
            if text == "holding":
                under_way.release()
            if text == "interrupted":
                (folders[name] / "go").write_text("")  # its state is saved: it may end

        stand_in_of = type(stand_in)(program=stand_in.program, scenario=folders[name] / "scenario.json")
        stand_in_of.answer(apply=[{"hold": str(folders[name])}])
        try:
            stand_in_of.terraform(tmp_path, line).apply("plan", skip_plan=True, streamed=True)
        finally:
            ended.append(name)
            with pytest.raises(KeyboardInterrupt):
                stand_in_of.terraform(tmp_path, line).cmd("output")

    def press() -> None:
        for _ in folders:
            under_way.acquire(timeout=10)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press).start()
    with pytest.raises(KeyboardInterrupt):
        together.each(folders, work)
    assert sorted(ended) == ["a", "b"]
    for folder in folders.values():
        assert not (folder / "lock").exists()
        assert (folder / "interrupts").read_text() == "1"


def test_the_first_error_is_the_one_to_end_with() -> None:
    errors: dict[str, Changes | DeployError] = {"a": CHANGING, "b": ConfigError("first"), "c": ConfigError("second")}
    with pytest.raises(ConfigError, match="first"):
        together.refuse(errors, check=True)


def test_changes_are_an_error_only_when_that_is_checked() -> None:
    together.refuse({"a": CHANGING}, check=False)
    together.refuse({"a": Changes()}, check=True)
    with pytest.raises(OutdatedError, match="b, c: the infrastructure is not what the code says") as caught:
        together.refuse({"a": Changes(), "b": CHANGING, "c": CHANGING}, check=True)
    assert caught.value.hint == "inv infra.apply --env b"


def test_a_local_environment_counts_once_its_local_aws_was_started(tmp_path: Path) -> None:
    folder = tmp_path / "environments"
    folder.mkdir()
    (folder / "common.toml").write_text(COMMON)
    (folder / "stg.toml").write_text(ACCOUNT)
    (folder / "local.toml").write_text(f'{ACCOUNT}profile = "local"\nconfig_file = ".local/aws/config"\n')
    assert together.here(tmp_path) == ["stg"]
    (tmp_path / ".local/aws").mkdir(parents=True)
    (tmp_path / ".local/aws/config").write_text("[profile local]\n")
    assert sorted(together.here(tmp_path)) == ["local", "stg"]
