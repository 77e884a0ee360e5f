"""How long the fingerprint of a large build context takes: the part of every deploy that grows with the application.

.venv/bin/python benchmarks/fingerprint.py [FILES]
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

from deploylib.images.context import Context
from deploylib.images.fingerprint import Ingredients

RUNS = 5
PER_FOLDER = 100


def main(count: int) -> None:
    """Make a context of *count* small files, and print what its fingerprint costs."""
    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder), count)
        seconds = [measure(Path(folder)) for _ in range(RUNS)]
    median, least, most = statistics.median(seconds), min(seconds), max(seconds)
    print(f"{count} files: {median:.2f} s ({least:.2f}-{most:.2f}) of processor time, {RUNS} runs")


def fill(root: Path, count: int) -> None:
    """Write *count* files of about a kilobyte."""
    for number in range(count):
        path = root / str(number // PER_FOLDER) / f"{number}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"{number}\n" * 200)


def measure(root: Path) -> float:
    """Return the processor time of one fingerprint, in seconds."""
    started = time.process_time()
    context = Context(root)
    files = context.files((".",), context.ignore("Dockerfile"))
    _ = Ingredients(platform="linux/amd64", dockerfile="", arguments=(), files=files).fingerprint
    return time.process_time() - started


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5000)
