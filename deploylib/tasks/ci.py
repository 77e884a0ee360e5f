"""The files of CI systems; and what their jobs ask: which environment, does the commit pass once it is merged."""

from __future__ import annotations

import sys

from invoke import Context, task

from deploylib.command import command
from deploylib.tasks.options import OUTPUT
from deploylib.tasks.place import root


@task(name="environment", help=OUTPUT)
@command
def environment(c: Context, output: str = "text") -> None:
    """Print the environment that --env auto means."""
    from dataclasses import asdict

    from deploylib import lineage
    from deploylib.report import lines

    name = lineage.environment(root(c))
    if output == "json":
        lines.write({"event": "Environment", "environment": name, **asdict(lineage.trigger(root(c)))})
    else:
        print(name)


@task(
    name="render",
    help={
        "provider": "circleci, gitlab, github or codebuild",
        "out": "the file (else the one that the CI system reads)",
        "check": "exit 9 when the file is out of date; write nothing",
    },
)
@command
def render(c: Context, provider: str = "", out: str = "", check: bool = False) -> None:
    """Write the file of a CI system."""
    import shlex
    from pathlib import Path

    from deploylib import ci, config, generated, report

    chosen, made = ci.of(provider), ci.pipeline(tuple(config.load(root(c), name) for name in config.names(root(c))))
    file, called = Path(out).resolve() if out else root(c) / chosen.file, out or chosen.file
    text = ci.render(made, provider)
    if check:
        generated.check(file, text, called=called, command=f"{chosen.command}{out and f' --out {shlex.quote(out)}'}")
    changed = not check and generated.write(file, text)
    report.say(f"{called} {'written' if changed else 'is up to date'}")
    if made.advice and not check:
        report.say(made.advice)


@task(
    name="merge-test",
    help={
        "into": "the branch that it is merged into: develop",
        "fetch": "take that branch as this clone knows it, ask no remote",
        "timeout": "how long the command may take: 90s, 30m, 2h",
        **OUTPUT,
    },
)
@command
def merge_test(c: Context, into: str = "", fetch: bool = True, timeout: str = "1h", output: str = "text") -> None:
    """Merge this commit elsewhere, run what is after --."""
    from deploylib import durations, report
    from deploylib import merge_test as merging
    from deploylib.errors import ConfigError
    from deploylib.infra import passthrough

    if not into:
        raise ConfigError("into which branch?", hint="inv ci.merge-test --into develop -- make test")
    order = merging.Order(
        into=into,
        command=tuple(passthrough.given(sys.argv, c.remainder)),
        fetch=fetch,
        timeout_seconds=durations.parse(timeout, "--timeout"),
    )
    report.merge_tested(merging.run(root(c), order), output=output)
