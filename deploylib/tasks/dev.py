"""The application on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from invoke import Context, task

from deploylib.command import command
from deploylib.tasks.options import ENV, OUTPUT
from deploylib.tasks.place import load, root

if TYPE_CHECKING:
    from deploylib.development.images import Images
    from deploylib.development.stand import Stand


@task(
    name="compose",
    help={**ENV, "out": "the file (else compose.yaml)", "check": "exit 9 when the file is out of date; write nothing"},
)
@command
def compose(c: Context, env: str = "", out: str = "compose.yaml", check: bool = False) -> None:
    """Write the compose file of the development environment."""
    from deploylib import report
    from deploylib.development import images, stand

    place, found = _stand(c, env)
    for line in images.remarks(found, place.engine.api):
        report.say(line)
    if check:
        stand.check(place.environment, found.references, Path(out).resolve())
    changed = not check and stand.write(place.environment, found.references, Path(out).resolve())
    report.say(f"{out} {'written' if changed else 'is up to date'}")


@task(name="up", help=ENV)
@command
def up(c: Context, env: str = "") -> None:
    """Start the app here: its base image, your source."""
    from deploylib import report
    from deploylib.development import images, stand

    place, found = _stand(c, env, starting=True)
    images.fetch(found, place.engine, report.say)
    for line in images.remarks(found, place.engine.api):
        report.say(line)
    stand.up(place, found.references, report.say)
    for line in (f"{place.project} is up", *stand.summary(place)):
        report.say(line)


@task(name="status", help={**ENV, **OUTPUT, "check": "exit 9 when an image is stale"})
@command
def status(c: Context, env: str = "", check: bool = False, output: str = "text") -> None:
    """Show the app here: its containers, and what is stale."""
    from deploylib import report
    from deploylib.development import images

    place, found = _stand(c, env)
    rows = [(one.service, one.state, one.exit_code) for one in place.containers]
    report.table(place.project, ("container", "state", "exit code"), rows, output=output)
    for line in images.remarks(found, place.engine.api):
        report.say(line, output=output)
    if check:
        images.refuse_stale(found)


@task(name="down", help={**ENV, "volumes": "remove the data too"})
@command
def down(c: Context, env: str = "", volumes: bool = False) -> None:
    """Stop the app here and remove its containers; data stays."""
    from deploylib import report
    from deploylib.development import stand
    from deploylib.toolchain import engine

    removed = stand.down(load(c, env), engine.find().api, volumes=volumes)
    report.say(f"removed {removed}" + ("" if volumes else "; the data is kept (--volumes removes it)"))


def _stand(c: Context, env: str, *, starting: bool = False) -> tuple[Stand, Images]:
    from deploylib import checkout
    from deploylib.development import images
    from deploylib.development.stand import Stand
    from deploylib.toolchain import compose_tool, engine

    environment, found = load(c, env), engine.find()
    tool = compose_tool.find(found) if starting else ()
    commit = checkout.observe(root(c), environment.app.path)
    return Stand(environment=environment, engine=found, tool=tool), images.observe(environment, commit, found.api)
