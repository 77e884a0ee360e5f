"""Hooks, with real executables: what they are told, what they print, how they end, and that nothing is left of them."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deploylib import config, events, hooks
from deploylib.errors import RefusedError, SupersededError
from tests.fakes import world as worlds
from tests.fakes.clock import FakeClock

if TYPE_CHECKING:
    from collections.abc import Iterable

PROJECT = Path(__file__).resolve().parents[1]
CONTEXT = hooks.Context(
    commit=worlds.COMMITS[1],
    release=12,
    images={"web": "registry/guestbook@sha256:abc"},
    services=("web", "worker"),
    url="https://shop.example.test",
    by="arn:aws:iam::111111111111:user/ada",
)


def environment(root: Path, **table: object) -> config.Environment:
    return worlds.environment(root, hooks=config.Hooks(**table))  # type: ignore[arg-type]  # as a test says it


def shell(text: str, *arguments: str) -> tuple[str, ...]:
    return ("sh", "-c", text, *arguments)


def printed(seen: Iterable[events.Event]) -> list[str]:
    return [event.line for event in seen if isinstance(event, events.HookLogged)]


def run(root: Path, **table: object) -> list[events.Event]:
    return list(hooks.run(environment(root, **table), "before_deploy", CONTEXT))


def test_hook_that_is_not_configured_is_nothing(tmp_path: Path) -> None:
    assert list(hooks.run(environment(tmp_path), "before_deploy", CONTEXT)) == []


def test_hook_runs_in_the_projects_folder_and_every_line_is_an_event(tmp_path: Path) -> None:
    executable = tmp_path / "check"
    executable.write_text("#!/bin/sh\npwd\necho problems are told too >&2\n")
    executable.chmod(0o755)
    seen = run(tmp_path, before_deploy=("./check",))
    assert [type(event).__name__ for event in seen] == ["HookStarted", "HookLogged", "HookLogged", "HookEnded"]
    assert printed(seen) == [str(tmp_path.resolve()), "problems are told too"]
    assert seen[0] == events.HookStarted(hook="before_deploy", command=("./check",))


def test_hook_is_told_of_the_release_it_runs_in(tmp_path: Path) -> None:
    (line,) = printed(
        run(tmp_path, before_deploy=shell("echo $DEPLOY_HOOK $DEPLOY_ENV $DEPLOY_RELEASE $DEPLOY_IMAGES"))
    )
    assert line == 'before_deploy stg 12 {"web": "registry/guestbook@sha256:abc"}'
    told = hooks.variables(environment(tmp_path), "after_build", CONTEXT)
    assert json.loads(told["DEPLOY_SERVICES"]) == ["web", "worker"]
    assert (told["DEPLOY_COMMIT"], told["DEPLOY_ACTION"]) == (worlds.COMMITS[1], "release")


def test_documentation_names_every_variable_of_a_hook(tmp_path: Path) -> None:
    text = (PROJECT / "docs/hooks.md").read_text()
    told = hooks.variables(environment(tmp_path), "after_build", CONTEXT)
    assert [name for name in told if f"`{name}`" not in text] == []
    assert not [name for name in told if "AWS" in name]


def test_release_that_has_no_number_yet_is_told_by_an_empty_one(tmp_path: Path) -> None:
    told = hooks.variables(environment(tmp_path), "before_build", hooks.Context(commit="c"))
    assert (told["DEPLOY_RELEASE"], told["DEPLOY_IMAGES"], told["DEPLOY_SERVICES"]) == ("", "{}", "[]")


def test_hook_before_a_step_that_fails_stops_the_release_with_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(RefusedError) as caught:
        run(tmp_path, before_deploy=shell("seq 20; echo tickets are open; exit 3"))
    said = str(caught.value).splitlines()
    assert said[0] == "the hook before_deploy (sh) ended with exit code 3: the release stops here"
    assert (len(said), said[-1]) == (1 + hooks.LAST_LINES, "tickets are open")
    assert caught.value.hint == "inv deploy --env stg, once it passes"


def test_hook_after_a_step_that_fails_is_only_told(tmp_path: Path) -> None:
    seen = list(hooks.run(environment(tmp_path, after_deploy=("false",)), "after_deploy", CONTEXT))
    assert [type(event).__name__ for event in seen] == ["HookStarted", "HookEnded", "Noticed"]
    assert isinstance(seen[1], events.HookEnded)
    assert seen[1].exit_code == 1
    assert "after_deploy (false) ended with exit code 1; that changes nothing" in str(seen[2])


CANNOT = (
    ("missing", "no-such-program", "no-such-program is not installed or not on PATH"),
    ("not executable", "./check", "./check cannot be run: Permission denied"),
)


@pytest.mark.parametrize(("program", "said"), [case[1:] for case in CANNOT], ids=[case[0] for case in CANNOT])
def test_hook_that_cannot_be_run_stops_the_release(tmp_path: Path, program: str, said: str) -> None:
    (tmp_path / "check").write_text("#!/bin/sh\n")
    with pytest.raises(RefusedError, match="could not be run") as caught:
        run(tmp_path, before_deploy=(program,))
    assert said in str(caught.value)


def test_hook_that_does_not_end_in_time_is_stopped(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match=r"did not end within 0.3 s \(hooks.timeout_seconds\)"):
        run(tmp_path, before_deploy=shell("sleep 60 & sleep 60"), timeout_seconds=0.3)


def test_hook_is_stopped_when_nobody_follows_any_more(tmp_path: Path) -> None:
    mark = tmp_path / "tidied"
    script = f"trap 'touch {mark}; exit 1' INT; echo ready; while :; do sleep 0.05; done"
    following = hooks.run(environment(tmp_path, before_deploy=shell(script)), "before_deploy", CONTEXT)
    assert [type(next(following)).__name__ for _ in range(2)] == ["HookStarted", "HookLogged"]
    with pytest.raises(KeyboardInterrupt) as caught:
        following.throw(KeyboardInterrupt())
    assert mark.exists(), caught  # which holds what would else be closed by being forgotten


def test_hook_that_kills_itself_is_told_by_the_signal(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match=f"was ended by signal {signal.SIGKILL:d}"):
        run(tmp_path, before_deploy=shell("kill -KILL $$"))


def test_credentials_that_a_hook_prints_are_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {"AWS_STG_SECRET_ACCESS_KEY": "s3cr3t/key", "CI_JOB_TOKEN": "glcbt-12345", "CHAT": "slack://a/b/c-d"}
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    told = config.Notification(variable="CHAT")
    one = worlds.environment(tmp_path, hooks=config.Hooks(before_deploy=shell("env; exit 1")), notifications=(told,))
    seen: list[events.Event] = []
    with pytest.raises(RefusedError) as caught:
        seen += hooks.run(one, "before_deploy", CONTEXT)
    assert not [value for value in secrets.values() if value in str(seen) or value in str(caught.value)]
    assert "CHAT=***" in printed(seen)


class Keeping(FakeClock):
    """The clock of a release whose lock somebody else takes after a few looks."""

    def sleep(self, seconds: float, /) -> None:
        super().sleep(seconds)
        if len(self.naps) > 3:
            raise SupersededError("the lock is somebody else's")


def test_lock_is_kept_while_a_hook_runs_and_losing_it_stops_the_hook(tmp_path: Path) -> None:
    one, clock = environment(tmp_path, before_deploy=shell("echo $$; sleep 60")), Keeping()
    seen: list[events.Event] = []
    with pytest.raises(SupersededError):
        seen += hooks.run(one, "before_deploy", CONTEXT, clock=clock)
    with pytest.raises(ProcessLookupError):
        os.kill(int(printed(seen)[0]), 0)
