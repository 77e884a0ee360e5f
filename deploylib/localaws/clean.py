"""`make clean`: remove what this checkout made on this machine, and nothing else. Runs with any Python 3.11."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from deploylib.errors import DeployError, RefusedError, ToolMissingError
from deploylib.localaws import dependency_images, emulator
from deploylib.toolchain import compose_tool, engine, engine_service, os_image
from deploylib.toolchain.os_image import OsImage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from deploylib.toolchain.compose_tool import Removed

ROOT = Path(__file__).resolve().parents[2]
MADE = (
    *(".local", ".cache", ".tools", ".venv", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".import_linter_cache"),
    *("htmlcov", "junit.xml", ".coverage", ".coverage.*"),
)
MADE_ANYWHERE = ("__pycache__", ".terraform")
SOURCES = ("*.py", "deploylib", "tests", "examples", "benchmarks", "terraform")


def main() -> int:
    """Clean this checkout and say what was removed."""
    try:
        clean(ROOT, _say)
    except DeployError as error:
        sys.stderr.write(f"clean: {error}\n" + (f"  next: {error.hint}\n" if error.hint else ""))
        return error.exit_code
    return 0


def clean(root: Path, say: Callable[[str], None]) -> None:
    """Take down what runs, remove the images and the files made here, stop the engine if setup started it."""
    for name, removed in _remove_development(root):
        say(f"{name}: removed {removed}")
    say(f"local AWS: removed {emulator.down(root, say=say)}")
    for name in _remove_images(root):
        say(f"removed the image {name}")
    engine_service.stop_ours(root, say)
    for path in made(root):
        say(f"removing {path.relative_to(root)}")
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def made(root: Path) -> tuple[Path, ...]:
    """Return the files and folders that tools of this project made in the checkout, topmost only."""

    def found() -> Iterator[Path]:
        for pattern in MADE:
            yield from root.glob(pattern)
        for source in SOURCES:
            for name in MADE_ANYWHERE:
                yield from (root / source).rglob(name)
        yield from root.glob("__pycache__")

    return tuple(sorted(found()))


def _remove_development(root: Path) -> Iterator[tuple[str, Removed]]:
    """Remove this checkout's development environments, and yield what there was of each."""
    try:
        api = engine.find().api
    except (ToolMissingError, RefusedError):
        return
    for project in compose_tool.projects(api, compose_tool.suffix(root)):
        yield project, compose_tool.remove(api, project, volumes=True)


def _remove_images(root: Path) -> tuple[str, ...]:
    try:
        api = engine.find().api
    except (ToolMissingError, RefusedError):
        return ()
    names = (*(image.name for image in dependency_images.ALL), OsImage().name)  # what is built from another first
    return tuple(name for name in names if os_image.remove(api, name, root))


def _say(line: str) -> None:
    sys.stdout.write(f"clean: {line}\n")


if __name__ == "__main__":
    sys.exit(main())
