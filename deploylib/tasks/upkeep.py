"""What one does with what runs, between releases: its tasks, their logs, a command or a shell in it."""

from __future__ import annotations

import sys

from invoke import Context, task

from deploylib.command import command
from deploylib.tasks.options import CONFIRM, ENV, OUTPUT
from deploylib.tasks.place import load

WHERE = {
    "service": "the service or scheduled task (else that of the migration)",
    "container": "the container (else the migration's, or the first)",
}


@task(help={**ENV, **OUTPUT, "stopped": "those too that have stopped, as long as ECS knows them (an hour)"})
@command
def tasks(c: Context, env: str = "", stopped: bool = False, output: str = "text") -> None:
    """Show the tasks that run: of which release, how they are."""
    from deploylib import aws, report
    from deploylib.upkeep import tasks as found

    environment = load(c, env)
    with report.waiting(f"Looking at {environment.name}"):
        rows = found.observed(aws.signed_in(environment), environment, stopped=stopped)
    cells = [one.cells(whole=output == "json") for one in rows]
    report.table(f"Tasks of {environment.name}", found.COLUMNS, cells, output=output)


@task(
    help={
        **ENV,
        **OUTPUT,
        "service": "the services and scheduled tasks, with commas (else all services)",
        "container": "this container alone",
        "since": "how far back: 90s, 10m, 2h, 1d",
        "follow": "go on with what comes, until Ctrl-C",
    }
)
@command
def logs(
    c: Context,
    env: str = "",
    service: str = "",
    container: str = "",
    since: str = "10m",
    follow: bool = False,
    output: str = "text",
) -> None:
    """Show what the containers print, of all their tasks."""
    from deploylib import aws, durations, report
    from deploylib.upkeep import logs as written

    environment, seconds = load(c, env), durations.parse(since, "--since")
    account = aws.signed_in(environment)
    chosen = tuple(filter(None, service.split(",")))
    sources = written.sources(account, environment, chosen, container=container)
    read = written.follow if follow else written.read
    report.log(read(account, sources, since_seconds=seconds), output=output)


@task(name="run", help={**ENV, **OUTPUT, **CONFIRM, **WHERE})
@command
def run_(
    c: Context,
    env: str = "",
    service: str = "",
    container: str = "",
    yes: bool = False,
    confirm: str = "",
    output: str = "text",
) -> None:
    """Run a command, given after --, in the released image."""
    from deploylib import aws, report
    from deploylib.infra import passthrough
    from deploylib.upkeep import command as commands
    from deploylib.upkeep import places

    environment = load(c, env)
    words = commands.check(passthrough.given(sys.argv, c.remainder), environment.name)
    account = aws.signed_in(environment)
    place = places.find(account, environment, key=service, container=container)
    if environment.protected:
        report.confirmed(environment, f"Run {' '.join(words)} in {environment.name}", yes=yes, confirm=confirm)
    report.ran(commands.run(account, place, words), output=output)


@task(name="exec", help={**ENV, **CONFIRM, **WHERE, "task": "the task whose id begins so (else the newest)"})
@command
def exec_(
    c: Context,
    env: str = "",
    service: str = "",
    container: str = "",
    task: str = "",
    yes: bool = False,
    confirm: str = "",
) -> None:
    """Open a shell, or run what is after --, in a task."""
    from deploylib import aws, report
    from deploylib.infra import passthrough
    from deploylib.upkeep import places, shell

    environment = load(c, env)
    shell.check_plugin()
    account = aws.signed_in(environment)
    place = places.find(account, environment, key=service, container=container)
    room = shell.find(account, place, task=task)
    if environment.protected:
        report.confirmed(environment, f"Enter {place.key} in {environment.name}", yes=yes, confirm=confirm)
    shell.enter(account, place, room, passthrough.given(sys.argv, c.remainder) or shell.SHELL)
