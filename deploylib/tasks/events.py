"""What machines read of a command."""

from __future__ import annotations

import sys

from invoke import Context, task

from deploylib.command import command
from deploylib.tasks.place import root


@task(
    name="schema",
    help={
        "write": "write it to docs/events.schema.json",
        "check": "exit 9 when that file is out of date; write nothing",
    },
)
@command
def schema(c: Context, write: bool = False, check: bool = False) -> None:
    """Print the JSON Schema of a line of --output json."""
    from deploylib.report import schema as lines

    if write or check:
        (lines.check if check else lines.write)(root(c))
        return
    sys.stdout.write(lines.render())
