"""What `inv infra.plan` adds to a bare `terraform plan` of the same root, pair by pair; and `--env all` beside one.

    .venv/bin/python benchmarks/infra_plan.py [--runs 5]

The root is this project's own stack, planned for a local AWS that has nothing yet, so that every plan has changes: that
is the dear case, which costs a `terraform show -json` more. The commands take turns. Exit 1 when in the median the
wrapper costs more than one show beside the bare plan, or two environments more than 1.3 times one.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a script is started with its own folder only

from deploylib import aws, config
from deploylib.infra import stack
from deploylib.toolchain import machine, provider_mirror, terraform
from tests.e2e.project import Project, copy_project

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ONE, OTHER = "local", "other"
MOST_TIMES_ONE = 1.3
PLAN, WRAPPED = "terraform plan", "inv infra.plan"
SHOW, BOTH = "terraform show -json", "inv infra.plan --env all (2)"

Samples = dict[str, list[float]]


def main() -> int:
    """Measure, print the table, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="how often each command is measured")
    runs = parser.parse_args().runs
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before", file=sys.stderr)
    with _opened() as project:
        commands = _commands(project)
        samples: Samples = {name: [] for name in commands}
        for run in range(runs + 1):
            for name, command in commands.items():
                seconds = _timed(command)
                if run:  # the first time fills caches, and initialises
                    samples[name].append(seconds)
    return _verdict(samples)


@contextlib.contextmanager
def _opened() -> Iterator[Project]:
    """Yield a copy of this project with a local AWS and two environments in it."""
    with tempfile.TemporaryDirectory(prefix="plan-benchmark-") as folder:
        project = copy_project(Path(folder))
        environments = project.path / config.DIRECTORY
        for name in config.names(project.path):
            if name != ONE:
                (environments / f"{name}.toml").unlink()
        text = (environments / f"{ONE}.toml").read_text().replace("default = true", "default = false")
        (environments / f"{OTHER}.toml").write_text(text)
        project.commit("Two environments")
        try:
            project.inv("local.up", "--env", ONE)
            yield project
        finally:
            project.inv("local.down")


def _commands(project: Project) -> dict[str, Callable[[], object]]:
    """Return what takes turns: ours, and the bare commands in the folder and with the variables that ours left."""
    environment = config.load(project.path, ONE)
    program = terraform.find(project.path)
    mirror = provider_mirror.environment(project.path, machine.this(), program)
    ours = stack.child_variables(environment, aws.child_variables(environment), mirror)
    variables = {name: value for name, value in ours.items() if name not in stack.GO}
    files = stack.folder(environment)
    plan = files / "bare"

    def bare(*words: str) -> None:
        subprocess.run(
            [program.program, *words], cwd=project.path / config.STACK, env=variables, check=True, capture_output=True
        )

    return {
        WRAPPED: lambda: project.inv("infra.plan", "--env", ONE),
        PLAN: lambda: bare("plan", f"-var-file={files / stack.VARIABLES}", f"-out={plan}"),
        SHOW: lambda: bare("show", "-json", str(plan)),
        BOTH: lambda: project.inv("infra.plan", "--env", "all"),
    }


def _timed(command: Callable[[], object]) -> float:
    started = time.monotonic()
    command()
    return time.monotonic() - started


def _verdict(samples: Samples) -> int:
    """Print medians and what they mean; return 1 when a promise is not kept."""
    for name, seconds in samples.items():
        print(f"{name:30} {statistics.median(seconds):6.2f} s  ({min(seconds):.2f}-{max(seconds):.2f})")
    over = statistics.median(a - b for a, b in zip(samples[WRAPPED], samples[PLAN], strict=True))
    beyond = statistics.median(
        a - b - c for a, b, c in zip(samples[WRAPPED], samples[PLAN], samples[SHOW], strict=True)
    )
    times = statistics.median(a / b for a, b in zip(samples[BOTH], samples[WRAPPED], strict=True))
    print(f"over a bare plan {over:.2f} s, that is {beyond:+.2f} s beside one show; two environments {times:.2f} x one")
    return int(beyond > 0 or times > MOST_TIMES_ONE)


if __name__ == "__main__":
    sys.exit(main())
