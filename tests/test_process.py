"""The door to other programs, with real ones: what they print, how they end, and that nothing is left of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from deploylib import process
from deploylib.errors import DeployError, ProcessError, ToolMissingError

if TYPE_CHECKING:
    from pathlib import Path

TIDY = """
import signal, sys
def tidy(*_):
    print("tidied up", flush=True)
    sys.exit(7)
signal.signal(signal.SIGINT, tidy)
print("ready", flush=True)
signal.pause()
"""
STUBBORN = """
import signal, subprocess
signal.signal(signal.SIGINT, signal.SIG_IGN)
subprocess.Popen(["sleep", "60"])
print("ready", flush=True)
signal.pause()
"""
CARELESS = """
import signal, subprocess, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
subprocess.Popen(["sleep", "60"])
signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
print("ready", flush=True)
signal.pause()
"""
COUNTING = """
import signal, sys
seen = []
signal.signal(signal.SIGINT, lambda *_: seen.append(1))
print("ready", flush=True)
while not seen:
    signal.pause()
signal.sigtimedwait([signal.SIGUSR1], 0.2)  # long enough for a second one
open(sys.argv[1], "w").write(str(len(seen)))
"""
WATCHED = """
import sys
from deploylib import process
try:
    process.stream([sys.executable, "-c", *sys.argv[1:]], lambda line: print(line, flush=True))
except KeyboardInterrupt:
    print("interrupted", flush=True)
    sys.exit(130)
"""


def python(text: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-c", text, *arguments)


def started(text: str) -> subprocess.Popen[str]:
    """Start a program as `process` does, and wait until it is ready."""
    program = subprocess.Popen(python(text), stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert program.stdout
    assert program.stdout.readline() == "ready\n"
    return program


def read_to_the_end(program: subprocess.Popen[str]) -> str:
    """Return the rest of the output; it only ends when nobody is left who could write to it."""
    assert program.stdout
    with program.stdout as output:
        return output.read()


# Running to the end


def test_run_returns_what_was_printed_with_both_streams_apart() -> None:
    done = process.run(("sh", "-c", "echo out; echo err >&2"))
    assert done == process.Finished(returncode=0, stdout="out\n", stderr="err\n")


def test_run_adds_to_the_environment_and_works_in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAREWELL", "bye")
    done = process.run(("sh", "-c", "echo $GREETING $FAREWELL; pwd"), cwd=tmp_path, env={"GREETING": "hello"})
    assert done.stdout.split() == ["hello", "bye", str(tmp_path.resolve())]
    assert "GREETING" not in os.environ


def test_arguments_are_never_seen_by_a_shell() -> None:
    assert process.run(("echo", "$HOME; `id`")).stdout == "$HOME; `id`\n"


def test_a_secret_goes_by_standard_input() -> None:
    assert process.run(("cat",), stdin="secret").stdout == "secret"
    seen: list[str] = []
    process.stream(("cat",), seen.append, stdin="one\ntwo")
    assert seen == ["one", "two"]


def test_without_input_a_program_reads_nothing_instead_of_waiting() -> None:
    assert process.run(("cat",)).stdout == ""


def test_output_that_is_no_text_does_not_break_anything() -> None:
    assert process.run(("printf", r"\377ok")).stdout == "\ufffdok"


def test_an_exit_code_that_was_not_expected_is_told_with_the_last_lines() -> None:
    with pytest.raises(ProcessError) as failed:
        process.run(("sh", "-c", "seq 100; echo no space >&2; exit 3"))
    assert failed.value.returncode == 3
    assert failed.value.exit_code == 1
    lines = failed.value.output.splitlines()
    assert (len(lines), lines[0], lines[-1]) == (40, "62", "no space")
    assert str(failed.value).startswith("sh ended with exit code 3\n")


def test_an_exit_code_that_was_expected_is_returned() -> None:
    assert process.run(("sh", "-c", "exit 3"), ok=(0, 3)).returncode == 3


@pytest.mark.parametrize("start", [process.run, lambda argv: process.stream(argv, print)])
def test_a_program_that_is_missing_says_how_to_get_it(start: object) -> None:
    assert callable(start)
    with pytest.raises(ToolMissingError, match="no-such-program is not installed or not on PATH") as failed:
        start(("no-such-program", "--version"))
    assert (failed.value.hint, failed.value.exit_code) == ("make setup", 2)


def test_a_file_that_may_not_be_executed_is_not_called_missing(tmp_path: Path) -> None:
    (tmp_path / "tool").write_text("#!/bin/sh\n")
    with pytest.raises(ToolMissingError, match="cannot be run: Permission denied"):
        process.run((str(tmp_path / "tool"),))


def test_a_folder_that_is_missing_is_not_taken_for_a_missing_program(tmp_path: Path) -> None:
    with pytest.raises(DeployError, match=r"true cannot run in .*nowhere: no such folder") as failed:
        process.run(("true",), cwd=tmp_path / "nowhere")
    assert not isinstance(failed.value, ToolMissingError)


# Streaming


def test_stream_hands_on_each_line_of_both_streams_in_order() -> None:
    seen: list[str] = []
    process.stream(("sh", "-c", "echo one; echo two >&2; printf three"), seen.append)
    assert seen == ["one", "two", "three"]


def test_stream_hands_on_a_line_before_the_program_ends() -> None:
    seen: list[str] = []

    def answer(line: str) -> None:
        seen.append(line)
        if line == "ready":
            process.stop_all()

    with pytest.raises(ProcessError):
        process.stream(python(TIDY), answer)
    assert seen == ["ready", "tidied up"]


def test_stream_tells_a_failure_with_the_last_lines() -> None:
    with pytest.raises(ProcessError, match="sh ended with exit code 5") as failed:
        process.stream(("sh", "-c", "seq 100; exit 5"), lambda _: None)
    assert (failed.value.returncode, failed.value.output.splitlines()[0]) == (5, "61")


def test_a_program_that_ends_without_reading_its_input_is_told_by_what_it_printed() -> None:
    seen: list[str] = []
    with pytest.raises(ProcessError) as failed:
        process.stream(("sh", "-c", "exec <&-; echo denied; exit 1"), seen.append, stdin="secret" * 100_000)
    assert (seen, failed.value.output) == (["denied"], "denied")


# Being interrupted


def test_an_interrupt_lets_the_program_tidy_up_and_passes_on(tmp_path: Path) -> None:
    mark = tmp_path / "tidied"

    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    script = TIDY.replace('print("tidied up", flush=True)', f"open({str(mark)!r}, 'a').write('x')")
    with pytest.raises(KeyboardInterrupt):
        process.stream(python(script), interrupt)
    assert mark.read_text() == "x"


def test_a_failing_listener_leaves_no_program_behind() -> None:
    pids: list[int] = []

    def fail(line: str) -> None:
        pids.append(int(line))
        raise ValueError("the listener failed")

    with pytest.raises(ValueError, match="the listener failed"):
        process.stream(("sh", "-c", "echo $$; exec sleep 60"), fail)
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


def test_ctrl_c_at_the_terminal_reaches_the_program_exactly_once(tmp_path: Path) -> None:
    count = tmp_path / "count"
    argv = python(WATCHED, COUNTING, str(count))
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, start_new_session=True) as person:
        assert person.stdout
        assert person.stdout.readline() == "ready\n"
        os.killpg(person.pid, signal.SIGINT)
        assert read_to_the_end(person) == "interrupted\n"
    assert person.returncode == 130
    assert count.read_text() == "1"


@pytest.mark.parametrize(("script", "code"), [(STUBBORN, -signal.SIGKILL), (CARELESS, 0)])
def test_stop_leaves_neither_a_stubborn_program_nor_the_children_of_a_careless_one(script: str, code: int) -> None:
    program = started(script)
    process.stop(program, patience_seconds=5 if code == 0 else 0.1)
    assert program.returncode == code
    assert read_to_the_end(program) == ""


def test_stopping_what_has_ended_already_does_nothing() -> None:
    with subprocess.Popen(("true",), text=True) as program:
        program.wait()
    process.stop(program)
    assert program.returncode == 0


def test_stop_all_stops_the_programs_of_every_thread() -> None:
    ready, failures = threading.Barrier(3, timeout=10), []

    def wait(line: str) -> None:
        if line == "ready":
            ready.wait()

    def work() -> None:
        try:
            process.stream(python(TIDY), wait)
        except ProcessError as failure:
            failures.append((failure.returncode, failure.output))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    ready.wait()
    process.stop_all()
    for thread in threads:
        thread.join(10)
    assert failures == [(7, "ready\ntidied up")] * 2
    assert not process._running


# Time limits


def test_a_program_over_its_time_limit_is_stopped_with_what_it_printed() -> None:
    with pytest.raises(ProcessError, match=r"no end within 0\.5 s\nthinking") as failed:
        process.run(("sh", "-c", "echo thinking; exec sleep 60"), timeout_seconds=0.5)
    assert failed.value.returncode == -signal.SIGINT


def test_a_time_limit_holds_for_the_children_of_the_program_too() -> None:
    with pytest.raises(ProcessError, match="started"):  # an empty output: somebody still holds it open
        process.run(("sh", "-c", "sleep 60 & echo started; wait"), timeout_seconds=0.5)


# Line by line, for whoever yields them


def test_lines_yields_each_line_of_both_streams_and_returns_the_exit_code() -> None:
    words = "echo one; echo two >&2; printf thr\\\\377e; exit 5"
    lines, seen = process.lines(("sh", "-c", words), timeout_seconds=30), list[str]()
    with pytest.raises(StopIteration) as ended:
        while True:
            seen.append(next(lines))
    assert (seen, ended.value.value) == (["one", "two", "thr\ufffde"], 5)


def test_lines_does_not_wait_for_a_daemon_that_holds_the_output_open() -> None:
    left = "import subprocess; print(subprocess.Popen(['sleep', '20'], start_new_session=True).pid)"
    (pid,) = process.lines(python(left), timeout_seconds=10)
    os.kill(int(pid), signal.SIGKILL)


def test_lines_stops_a_program_that_closed_its_output_and_goes_on() -> None:
    with pytest.raises(ProcessError, match=r"no end within 0.2 s"):
        list(process.lines(("sh", "-c", "exec >&- 2>&-; sleep 60"), timeout_seconds=0.2))


# With this terminal


def test_what_is_typed_is_for_the_program_and_this_process_is_deaf_to_it_meanwhile() -> None:
    before = signal.getsignal(signal.SIGINT)
    assert process.attached(["sh", "-c", "kill -INT $PPID; exit 5"]) == 5
    assert signal.getsignal(signal.SIGINT) is before


def test_the_program_itself_hears_ctrl_c() -> None:
    assert process.attached(["sh", "-c", "trap 'exit 9' INT; kill -INT $$; exit 1"]) == 9


def test_a_variable_is_added_for_the_program_alone() -> None:
    assert process.attached(["sh", "-c", 'test "$TOKEN" = it && test -n "$PATH"'], env={"TOKEN": "it"}) == 0
    assert "TOKEN" not in os.environ


def test_a_program_that_is_not_there_is_said() -> None:
    with pytest.raises(ToolMissingError, match="no-such-program is not installed"):
        process.attached(["no-such-program"])
