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
from deploylib.images import ability, attested, buildlog, features
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
    exports: dict[str, tuple[Recipe, str]] = field(default_factory=dict)  # what the builder has to push by itself

    def build(self, recipe: Recipe, reference: str, *, base: str, line: Line, use_cache: bool = True) -> None:
        """Build *recipe*, standing on *base*, as *reference*; hand each line of the log to *line*.

        Raises `ImageError` with the last lines of the log, in which no secret is.
        """
        features.refuse_unknown(recipe, self.ability)
        log = self._log(recipe, line)
        with _refused(f"image {recipe.image} was not built", log), _written(recipe, base) as dockerfile:
            common = self._common(recipe, base, dockerfile, log)
            options = (*self._output, *self._layers(recipe, use_cache=use_cache), f"--tag={reference}")
            process.stream((*common, *options, str(recipe.context)), log, env=self._variables(recipe))
        if self._attestations and not self.ability.loads_attested:
            self.exports[reference] = (recipe, base)

    def push(self, image: str, reference: str) -> str:
        """Push *reference*, and return the digest that the engine tells, if it does.

        Raises `TagTakenError` when the tag is another image's, `ImageError` with the last lines otherwise.
        """
        failed = f"image {image} was not pushed to {reference}"
        if reference in self.exports:
            return self._push_attested(reference, *self.exports[reference], failed=failed)
        told: list[str] = []
        log = Log(line=lambda text: told.extend(_PUSHED.findall(text)))
        with _refused(failed, log):
            process.stream((self.ability.program, "push", reference), log, env=self.variables)
        return told[-1] if told else ""

    def stop(self) -> None:
        """Do nothing: its programs are children of this process, and are stopped as such."""

    def _push_attested(self, reference: str, recipe: Recipe, base: str, *, failed: str) -> str:
        log = self._log(recipe, lambda _: None)
        with _refused(failed, log), _written(recipe, base) as dockerfile:
            export = attested.Export(
                build=(*self._common(recipe, base, dockerfile, log), *self._attestations),
                context=recipe.context,
                reference=reference,
                platform=recipe.ingredients.platform,
                variables=self._variables(recipe),
            )
            return attested.push(export, dockerfile.with_name("facts.json"), log)

    def _log(self, recipe: Recipe, line: Line) -> Log:
        return Log(line=line, secrets=buildlog.maskable(self._secret_variables(recipe).values()))

    def _variables(self, recipe: Recipe) -> dict[str, str]:
        return {**self.variables, **self._secret_variables(recipe)}

    def _secret_variables(self, recipe: Recipe) -> dict[str, str]:
        return {name: self.given.secrets[parameter] for name, (_, parameter) in _secrets(recipe).items()}

    @property
    def _output(self) -> tuple[str, ...]:
        attestations = self._attestations if self.ability.loads_attested else ()
        return {"buildx": ("--load", *attestations), "buildkit": ()}.get(self.ability.kind, ("--force-rm",))

    @property
    def _attestations(self) -> tuple[str, ...]:
        wanted = (("--sbom=true", self.given.sbom), ("--provenance=mode=max", self.given.provenance))
        return tuple(option for option, is_wanted in wanted if is_wanted)

    @property
    def _verb(self) -> tuple[str, ...]:
        return (self.ability.program, *(("buildx",) if self.ability.kind == "buildx" else ()), "build")

    def _common(self, recipe: Recipe, base: str, dockerfile: Path, line: Line) -> tuple[str, ...]:
        """Return the argument list but for what becomes of the result; what it pins has been pulled."""
        pinned = self.parents.pinned(recipe, line)
        return (*self._verb, *self._options(recipe), *pinned, *_arguments(recipe, base), f"--file={dockerfile}")

    def _options(self, recipe: Recipe) -> Iterator[str]:
        yield from ("--progress=plain",) if self.ability.kind in {"buildx", "buildkit"} else ()
        if recipe.ingredients.platform != self.ability.platform:
            yield f"--platform={recipe.ingredients.platform}"
        for variable, (secret, _) in _secrets(recipe).items():
            yield f"--secret=id={secret},env={variable}"

    def _layers(self, recipe: Recipe, *, use_cache: bool) -> Iterator[str]:
        if not use_cache:
            yield "--no-cache"
        if self.given.cache_repository and self.ability.keeps_cache:
            kept = CACHE.format(reference=f"{self.given.cache_repository}:{recipe.image}")
            yield from (f"--cache-from={kept}",) if use_cache else ()
            yield f"--cache-to={kept},{CACHE_OPTIONS}"


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
    with tempfile.TemporaryDirectory(prefix="dockerfile-") as folder:
        dockerfile = Path(folder, "Dockerfile")
        dockerfile.write_text(recipe.written_on(base))
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
            f"images.{wanted.replace(' and ', ' and images.')}: attestations need buildx with a builder of its own, or "
            f"an engine that keeps its images in containerd; here is {able.name}",
            hint="docker buildx create --use" if able.kind == "buildx" else features.BUILDX,
        )
