"""Images that have to be on this machine before a container of them can start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploylib import process
from deploylib.errors import ImageError, ProcessError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploylib.toolchain.engine import Engine

MADE_HERE = "local/"
PULL_SECONDS = 900.0


def ensure(engine: Engine, image: str, variables: Mapping[str, str]) -> None:
    """Pull *image* unless the engine has it; *variables* is the environment with the log-ins.

    Raises `ImageError`, also for an image that is made on this machine and is not there: nobody pulls `local/…`.
    """
    if engine.api.get(f"/images/{image}/json") is not None:
        return
    if image.startswith(MADE_HERE):
        raise ImageError(f"the image {image} is made on this machine, and it is not there", hint="inv local.up")
    try:
        argv = (engine.program, "pull", "--quiet", image)
        process.run(argv, env={**engine.environ, **_for(engine, variables)}, timeout_seconds=PULL_SECONDS)
    except ProcessError as error:
        raise ImageError(
            f"the image {image} could not be pulled\n{error.output}".rstrip(),
            hint="does the registry answer, and may these credentials read it? Then repeat the command",
        ) from error


def _for(engine: Engine, variables: Mapping[str, str]) -> dict[str, str]:
    """Return *variables* with the log-ins under the name that podman's own client knows as well."""
    folder = variables.get("DOCKER_CONFIG", "") if engine.name == "podman" else ""
    return {**variables, **({"REGISTRY_AUTH_FILE": f"{folder}/auth.json"} if folder else {})}
