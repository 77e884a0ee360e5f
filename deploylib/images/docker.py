"""The container engine's command line, for what a deploy needs of it: build one image, push one image.

BuildKit where the client has buildx, the classic builder elsewhere. Both get the context as it is on disk, with its
ignore file, and the rendered Dockerfile from a temporary folder, so that nothing is written into the context.
"""

from __future__ import annotations

import re
import tempfile
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from deploylib import process
from deploylib.errors import ImageError, ProcessError, ToolMissingError
from deploylib.images import labels
from deploylib.toolchain import engine as engines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from deploylib.images.recipe import Recipe
    from deploylib.images.supplies import Supplies
    from deploylib.toolchain.engine import Engine

    Line = Callable[[str], None]

LAST_LINES = 20
ANSWER_SECONDS = 30
OFF = {"BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}  # they would make of every image an index of two

_COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_NOTICE = re.compile(
    r"DEPRECATED: The legacy builder is deprecated|\s+BuildKit is currently disabled|\s+environment-variable\."
    r"|\s+Install the buildx component|\s+https://docs\.docker\.com/go/buildx"
    # what the classic builder says of its own containers and layers
    r"| ---> (?:Using cache|(?:Running in )?[0-9a-f]{12})$|Sending build context "
    r"|Removing intermediate container |Successfully (?:built|tagged) "
    r"|Step \d+/\d+ : LABEL deploylib\."
)
_PUSHED = re.compile(r"digest: (sha256:[0-9a-f]{64})")
_TAKEN = re.compile(r"immutable|cannot be overwritten|tag already exists", re.IGNORECASE)
_HINTS = (
    (r"denied|unauthorized|no basic auth|\b403\b", "these credentials may not use that registry"),
    (
        r"refused|no such host|timeout|\bEOF\b|reset by peer|\b50\d\b",
        "does the registry answer? Then repeat the command",
    ),
    (r"no space left", "docker system prune"),
)


class TagTakenError(ImageError):
    """The tag is another image's, and tags of this repository are immutable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Docker:
    """An engine that was asked what it can: `buildkit`, and the `platform` that it builds for by itself."""

    program: str
    variables: Mapping[str, str]
    buildkit: bool
    platform: str

    def build(self, recipe: Recipe, reference: str, *, base: str, line: Line, use_cache: bool = True) -> None:
        """Build *recipe*, standing on *base*, as *reference*; hand each line of the log to *line*.

        Raises `ImageError` with the last lines of the log.
        """
        if recipe.own_ignore is not None and not self.buildkit:
            raise ImageError(
                f"image {recipe.image}: only BuildKit reads {recipe.dockerfile}.dockerignore, and buildx is missing",
                hint="install docker-buildx, or put the rules into .dockerignore",
            )
        text, arguments = recipe.standing_on(base)
        with tempfile.TemporaryDirectory(prefix="dockerfile-") as folder:
            dockerfile = Path(folder, "Dockerfile")
            dockerfile.write_text(f"{text}\n{labels.instructions(recipe.labels_on(base), text)}\n")
            if recipe.own_ignore is not None:
                Path(folder, "Dockerfile.dockerignore").write_text(recipe.own_ignore)
            given = (f"--build-arg={name}={value}" for name, value in arguments)
            options = (*self._options(recipe), *given, *(() if use_cache else ("--no-cache",)))
            argv = (self.program, "build", *options, f"--file={dockerfile}", f"--tag={reference}", str(recipe.context))
            self._run(argv, line, failed=f"image {recipe.image} was not built")

    def push(self, image: str, reference: str) -> str:
        """Push *reference*, and return the digest that the engine tells, if it does.

        Raises `TagTakenError` when the tag is another image's, `ImageError` with the last lines otherwise.
        """
        told: list[str] = []
        argv = (self.program, "push", reference)
        self._run(
            argv, lambda text: told.extend(_PUSHED.findall(text)), failed=f"image {image} was not pushed to {reference}"
        )
        return told[-1] if told else ""

    def _options(self, recipe: Recipe) -> Iterator[str]:
        yield from ("--progress=plain", "--load") if self.buildkit else ("--force-rm",)
        if recipe.ingredients.platform != self.platform:
            yield f"--platform={recipe.ingredients.platform}"

    def _run(self, argv: tuple[str, ...], line: Line, *, failed: str) -> None:
        log = _Log(line=line)
        try:
            process.stream(argv, log, env=self.variables)
        except ProcessError as error:
            _refuse(failed, tuple(log.last), error)


def connect(given: Supplies) -> Docker:
    """Return the engine of this machine with what it is *given*.

    Raises `ToolMissingError` when none answers.
    """
    return asked(engines.find(), given)


def asked(engine: Engine, given: Supplies) -> Docker:
    """Return *engine* with what it answered about itself."""
    variables = {**engine.environ, **given.variables}
    buildkit = engine.name == "docker" and _has_buildx(engine, variables)
    return Docker(
        program=engine.program,
        variables={**variables, **OFF, "DOCKER_BUILDKIT": str(int(buildkit))},
        buildkit=buildkit,
        platform=_platform(engine, variables),
    )


@dataclass(slots=True, kw_only=True)
class _Log:
    """A log as a person wants it: no colours, no empty lines, no notice of what we know."""

    line: Line
    last: deque[str] = field(default_factory=lambda: deque(maxlen=LAST_LINES))

    def __call__(self, raw: str) -> None:
        text = _COLOUR.sub("", raw).rstrip()
        if text.strip() and not _NOTICE.match(text):
            self.last.append(text)
            self.line(text)


def _refuse(failed: str, last: tuple[str, ...], error: ProcessError) -> NoReturn:
    log = "\n".join(last)
    message = f"{failed} (exit code {error.returncode})\n{log}".rstrip()
    if _TAKEN.search(log):
        raise TagTakenError(
            f"{failed}: the tag is another image's already, and tags there are immutable\n{log}",
            hint="change what the image is made of, so that it gets a tag of its own",
        ) from error
    raise ImageError(message, hint=_hint(log)) from error


def _hint(log: str) -> str:
    return next((hint for pattern, hint in _HINTS if re.search(pattern, log, re.IGNORECASE)), "")


def _has_buildx(engine: Engine, variables: Mapping[str, str]) -> bool:
    any_code = tuple(range(256))
    argv = (engine.program, "buildx", "version")
    return process.run(argv, env=variables, ok=any_code, timeout_seconds=ANSWER_SECONDS).returncode == 0


def _platform(engine: Engine, variables: Mapping[str, str]) -> str:
    """Return what the engine builds for when nobody says: passing that would cost old engines their experiments."""
    argv = (engine.program, "version", "--format", "{{.Server.Os}}/{{.Server.Arch}}")
    try:
        return process.run(argv, env=variables, timeout_seconds=ANSWER_SECONDS).stdout.strip()
    except ProcessError as error:
        raise ToolMissingError(f"the container engine does not answer: {error}", hint="make setup") from error
