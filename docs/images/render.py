"""Draw a recorded deploy as the terminal shows it: an SVG for the README.

inv deploy --env local --yes --output json > docs/images/deploy.jsonl
PYTHONPATH=. python docs/images/render.py docs/images/deploy.jsonl docs/images/deploy.svg
"""  # noqa: INP001  # a script

from __future__ import annotations

import argparse
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from deploylib.events import Event
from deploylib.report import lines, plans, progress
from deploylib.report.console import page
from deploylib.report.documents import Planned

if TYPE_CHECKING:
    from rich.console import Console

WEB_FONTS = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)


def main() -> None:
    """Read a recording, write a picture."""
    arguments = _arguments()
    console = page(io.StringIO(), width=arguments.width, terminal=True, record=True)
    _print(console, arguments.recording.read_text().splitlines(), arguments.until)
    svg = console.export_svg(title=arguments.title, unique_id="deploy")
    arguments.picture.write_text(WEB_FONTS.sub("", svg))  # the page that shows it loads no fonts anyway


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("recording", type=Path, help="JSON lines of inv deploy --output json")
    parser.add_argument("picture", type=Path, help="the SVG to write")
    parser.add_argument("--until", type=float, help="show the moment so many seconds after the start")
    parser.add_argument("--width", type=int, default=92, help="columns")
    parser.add_argument("--title", default="inv deploy", help="what the window is called")
    return parser.parse_args()


def _print(console: Console, recording: list[str], until: float | None) -> None:
    found = [lines.parse(line) for line in recording if line]
    for one in found:
        if isinstance(one, Planned):
            console.print(plans.page(one, console.width))
            console.print(Text())
    happened = (one for one in found if isinstance(one, Event))
    console.print(progress.transcript(happened, until_seconds=until, width=console.width))


if __name__ == "__main__":
    main()
