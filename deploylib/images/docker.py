"""The container engine's command line, for what a deploy needs of it: build one image, push one image.

Whatever builds gets the context as it is on disk, with its ignore file, and the rendered Dockerfile from a temporary
folder, so that nothing is written into the context. `ability` says which builder that is.
"""

from __future__ import annotations

import contextlib
import re
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from deploylib import process
from deploylib.errors import ImageError, ProcessError
from deploylib.images import ability, buildlog, features, labels
from deploylib.images.buildlog import Log, TagTakenError
from deploylib.images.parents import Parents
from deploylib.images.supplies import Supplies
from deploylib.toolchain import engine as engines

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from deploylib.images.ability import Ability
    from deploylib.images.buildlog import Line
    from deploylib.images.recipe import Recipe
    from deploylib.toolchain.engine import Engine

__all__ = ["Docker", "TagTakenError", "asked", "connect"]

OFF = {"BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}  # they would make of every image an index of two
CACHE = "type=registry,ref={reference}"
CACHE_OPTIONS = "mode=max,image-manifest=true,oci-mediatypes=true,ignore-error=true"  # as ECR takes it
SECRET = "BUILD_SECRET_{number}"  # noqa: S105  # a variable's name

_PUSHED = re.compile(r"digest: (sha256:[0-9a-f]{64})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Docker:
    """An engine that was asked what it can, and the *given* things that go into builds."""

    ability: Ability
    variables: Mapping[str, str]
    given: Supplies = field(default_factory=Supplies)
    parents: Parents

    def build(self, recipe: Recipe, reference: str, *, base: str, line: Line, use_cache: bool = True) -> None:
        """Build *recipe*, standing on *base*, as *reference*; hand each line of the log to *line*.

        Raises `ImageError` with the last lines of the log, in which no secret is.
        """
        features.refuse_unknown(recipe, self.ability)
        failed = f"image {recipe.image} was not built"
        secrets = {name: self.given.secrets[parameter] for name, (_, parameter) in _secrets(recipe).items()}
        log = Log(line=line, secrets=buildlog.maskable(secrets.values()))
        with _refused(failed, log), _written(recipe, base) as dockerfile:
            pinned = self.parents.pinned(recipe, log)
            options = (*self._options(recipe, use_cache=use_cache), *pinned, *_arguments(recipe, base))
            argv = (*self._verb, *options, f"--file={dockerfile}", f"--tag={reference}", str(recipe.context))
            process.stream(argv, log, env={**self.variables, **secrets})

    def push(self, image: str, reference: str) -> str:
        """Push *reference*, and return the digest that the engine tells, if it does.

        Raises `TagTakenError` when the tag is another image's, `ImageError` with the last lines otherwise.
        """
        told: list[str] = []
        log = Log(line=lambda text: told.extend(_PUSHED.findall(text)))
        with _refused(f"image {image} was not pushed to {reference}", log):
            process.stream((self.ability.program, "push", reference), log, env=self.variables)
        return told[-1] if told else ""

    @property
    def _verb(self) -> tuple[str, ...]:
        return (self.ability.program, *(("buildx",) if self.ability.kind == "buildx" else ()), "build")

    def _options(self, recipe: Recipe, *, use_cache: bool) -> Iterator[str]:
        kind = self.ability.kind
        yield from {"buildx": ("--progress=plain", "--load"), "buildkit": ("--progress=plain",)}.get(
            kind, ("--force-rm",)
        )
        if recipe.ingredients.platform != self.ability.platform:
            yield f"--platform={recipe.ingredients.platform}"
        for variable, (secret, _) in _secrets(recipe).items():
            yield f"--secret=id={secret},env={variable}"
        if not use_cache:
            yield "--no-cache"
        if self.given.cache_repository and self.ability.keeps_cache:
            kept = CACHE.format(reference=f"{self.given.cache_repository}:{recipe.image}")
            yield from (f"--cache-from={kept}",) if use_cache else ()
            yield f"--cache-to={kept},{CACHE_OPTIONS}"
        yield from ("--sbom=true",) if self.given.sbom else ()
        yield from ("--provenance=mode=max",) if self.given.provenance else ()


def connect(given: Supplies) -> Docker:
    """Return the engine of this machine with what it is *given*.

    Raises `ToolMissingError` when none answers, `ImageError` when it cannot hold the attestations that are wanted.
    """
    return asked(engines.find(), given)


def asked(engine: Engine, given: Supplies) -> Docker:
    """Return *engine* with what it answered about itself."""
    variables = {**engine.environ, **given.variables}
    able = ability.ask(engine, variables)
    _refuse_attestations(able, given)
    variables |= {**OFF, "DOCKER_BUILDKIT": str(int(able.kind in {"buildx", "buildkit"}))}
    if able.kind == "podman" and "DOCKER_CONFIG" in variables:
        variables["REGISTRY_AUTH_FILE"] = f"{variables['DOCKER_CONFIG']}/auth.json"
    return Docker(ability=able, variables=variables, given=given, parents=Parents(ability=able, variables=variables))


@contextlib.contextmanager
def _refused(failed: str, log: Log) -> Iterator[None]:
    try:
        yield
    except ProcessError as error:
        buildlog.refuse(failed, log, error)


@contextlib.contextmanager
def _written(recipe: Recipe, base: str) -> Iterator[Path]:
    """Yield the rendered Dockerfile, with its labels, beside its own ignore file."""
    text, _ = recipe.standing_on(base)
    with tempfile.TemporaryDirectory(prefix="dockerfile-") as folder:
        dockerfile = Path(folder, "Dockerfile")
        dockerfile.write_text(f"{text}\n{labels.instructions(recipe.labels_on(base), text)}\n")
        if recipe.own_ignore is not None:
            Path(folder, "Dockerfile.dockerignore").write_text(recipe.own_ignore)
        yield dockerfile


def _arguments(recipe: Recipe, base: str) -> Iterator[str]:
    _, arguments = recipe.standing_on(base)
    yield from (f"--build-arg={name}={value}" for name, value in arguments)


def _secrets(recipe: Recipe) -> dict[str, tuple[str, str]]:
    """Return the id and the parameter of each secret by the variable that takes it to the builder."""
    return {SECRET.format(number=number): pair for number, pair in enumerate(sorted(recipe.secrets.items()))}


def _refuse_attestations(able: Ability, given: Supplies) -> None:
    wanted = " and ".join(name for name in ("sbom", "provenance") if getattr(given, name))
    if wanted and not able.attests:
        raise ImageError(
            f"images.{wanted.replace(' and ', ' and images.')}: attestations need buildx with its driver `docker` and "
            f"an engine that keeps images in containerd; here is {able.name}",
            hint='add {"features": {"containerd-snapshotter": true}} to /etc/docker/daemon.json of Docker 24 or later '
            f"and restart it, or set images.{wanted.split()[0]} = false",
        )
