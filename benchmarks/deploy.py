"""Deploy two tasks with the image already pushed: `inv deploy` beside fabfuel's `ecs deploy`, on one local AWS.

    .venv/bin/python benchmarks/deploy.py [--runs 2]

The tools take turns and each deploys the other of two images, so that every run is a real rollout. The time is that of
the whole process; the calls are those that the local AWS has answered. The moment the command returns, what is left of
the old release is counted. Exit 1 when ours was slower, made more calls, or left something.

A tool that looks once a second is lucky when a rollout ends just before its look, and unlucky just after. So it is done
with applications that take from no time to 1.6 s to start: spread evenly over a second, and over what is usual.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import os
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a script is started with its own folder only

from benchmarks import stage as stages
from benchmarks.stage import Commit, Stage
from deploylib.toolchain import machine, python_environment
from tests.e2e.project import ROOT

THEIRS = "ecs deploy"
OURS = "inv deploy"
UNCHECKED = "inv deploy, no serving check"


STARTS_SECONDS = (0.0, 0.4, 0.8, 1.2, 1.6)
IDLE_RUNS = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One run of a command: its time, its calls by name, and what was left of the old release when it returned."""

    seconds: float
    calls: Counter[str]
    old_tasks: int = 0
    old_containers: int = 0
    start_seconds: float = 0.0


Samples = dict[str, list[Sample]]
Tools = dict[str, Callable[[Commit], object]]


def main() -> int:
    """Measure, print the tables, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=2, help="measured deploys of each tool for each application")
    runs = parser.parse_args().runs
    peer = python_environment.PythonEnvironment(root=ROOT, name=".tools/benchmark", lock="benchmark.txt")
    python_environment.ensure(peer, machine.this(), print)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before", file=sys.stderr)
    samples: Samples = {}
    with stages.opened() as stage:
        tools = _tools(stage, peer.path / "bin" / "ecs")
        for start_seconds in STARTS_SECONDS:
            for tool, sample in _deploys(stage, tools, start_seconds, runs):
                samples.setdefault(tool, []).append(sample)
        idle = [_measured(stage, lambda: _inv(stage, stages.SERVED)) for _ in range(IDLE_RUNS)]
        listing = [_measured(stage, lambda: stage.project.inv("--list")) for _ in range(IDLE_RUNS)]
    _print_deploys(samples)
    _print_starts(samples)
    _print_others({"inv deploy, nothing to do": idle, "inv --list": listing})
    _print_calls({**samples, "inv deploy, nothing to do": idle})
    return _verdict(samples)


def _tools(stage: Stage, program: Path) -> Tools:
    return {
        OURS: lambda _: _inv(stage, stages.SERVED),
        THEIRS: lambda commit: _ecs(stage, program, commit),
        UNCHECKED: lambda _: _inv(stage, stages.UNCHECKED),
    }


def _inv(stage: Stage, environment: str) -> None:
    stage.project.inv("deploy", "--env", environment, "--yes")


def _ecs(stage: Stage, program: Path, commit: Commit) -> None:
    words = [str(program), "deploy", stage.cluster.rsplit("/", 1)[-1], stage.service, "--image", "web", commit.image]
    kept = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    variables = {**kept, "AWS_CONFIG_FILE": str(stage.config_file), "AWS_PROFILE": "local"}
    done = subprocess.run(words, env=variables, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{THEIRS}: exit {done.returncode}\n{done.stdout}{done.stderr}")


def _deploys(stage: Stage, tools: Tools, start_seconds: float, runs: int) -> Iterator[tuple[str, Sample]]:
    """Let the tools take turns. Their number is odd, so each deploys both images in turn."""
    commits = itertools.cycle(stage.released(start_seconds))
    for tool in list(tools) * runs:
        commit, old = next(commits), stage.containers()
        stage.project.git("checkout", "--quiet", commit.sha)
        sample = _measured(stage, functools.partial(tools[tool], commit))
        stage.check(commit)
        stage.settle(old)
        print(f"start {start_seconds} s  {tool}: {sample.seconds:.2f} s, {sample.calls.total()} calls", file=sys.stderr)
        yield tool, replace(sample, start_seconds=start_seconds)


def _measured(stage: Stage, run: Callable[[], object]) -> Sample:
    before, old = len(stage.project.api_calls()), stage.containers()
    started = time.monotonic()
    run()
    seconds = time.monotonic() - started
    left = stage.containers() & old
    calls = Counter(f"{one['service']}:{one['action']}" for one in stage.project.api_calls()[before:])
    return Sample(seconds=seconds, calls=calls, old_tasks=stage.old_tasks(), old_containers=len(left))


def _print_deploys(samples: Samples) -> None:
    print("| two tasks, image pushed | seconds: median (min-max), mean | calls: median (min-max), mean | left behind |")
    print("|---|---|---|---|")
    for tool, found in samples.items():
        tasks, containers = sum(one.old_tasks > 0 for one in found), sum(one.old_containers > 0 for one in found)
        left = f"old tasks in {tasks}, old containers in {containers} of {len(found)} runs"
        print(f"| {tool} | {_summary(_seconds(found), '.2f')} | {_summary(_calls(found), '.3g')} | {left} |")


def _print_starts(samples: Samples) -> None:
    print("\n| seconds, calls (medians) when the application starts in | " + " | ".join(samples) + " |")
    print("|---|" + "---|" * len(samples))
    for start_seconds in STARTS_SECONDS:
        rows = [[one for one in found if one.start_seconds == start_seconds] for found in samples.values()]
        cells = [f"{statistics.median(_seconds(row)):.2f}, {statistics.median(_calls(row)):g}" for row in rows]
        print(f"| {start_seconds:.1f} s | {' | '.join(cells)} |")


def _print_others(samples: Samples) -> None:
    print("\n| other commands | seconds: median (min-max), mean | calls: median (min-max), mean |")
    print("|---|---|---|")
    for name, found in samples.items():
        print(f"| {name} | {_summary(_seconds(found), '.2f')} | {_summary(_calls(found), '.3g')} |")


def _print_calls(samples: Samples) -> None:
    for name, found in samples.items():
        mean = sum((one.calls for one in found), Counter[str]())
        listed = (f"{action} {count / len(found):.3g}" for action, count in sorted(mean.items()))
        print(f"\n{name}, calls on average: {', '.join(listed)}")


def _summary(values: Sequence[float], style: str) -> str:
    low, high, mean = min(values), max(values), statistics.mean(values)
    return f"{statistics.median(values):{style}} ({low:{style}}-{high:{style}}), {mean:{style}}"


def _seconds(samples: list[Sample]) -> list[float]:
    return [one.seconds for one in samples]


def _calls(samples: list[Sample]) -> list[float]:
    return [float(one.calls.total()) for one in samples]


def _verdict(samples: Samples) -> int:
    ours, theirs = samples[OURS], samples[THEIRS]
    slower = statistics.median(_seconds(ours)) > statistics.median(_seconds(theirs))
    more = statistics.median(_calls(ours)) > statistics.median(_calls(theirs))
    left = any(one.old_tasks or one.old_containers for one in (*ours, *samples[UNCHECKED]))
    return int(slower or more or left)


if __name__ == "__main__":
    sys.exit(main())
