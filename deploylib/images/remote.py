"""Images built by AWS CodeBuild, for machines without an engine or of another architecture.

One image is one build: an archive goes to S3, the build of the environment's project runs what is in it, its log is
followed. The build pushes its image under a name of its own, `built-…`: the content tag says that an image has passed
its tests, and is put on it here, by ECR alone, when all have. Afterwards the names are taken off again. What a run
that was killed left is nothing that a release could take; the next run takes it as built, tests it, and goes on.
"""

from __future__ import annotations

import contextlib
import json
import shlex
import tempfile
import threading
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from deploylib.errors import AwsError, ImageError
from deploylib.images import archive, buildlog, features, reference, registry, tags
from deploylib.images.buildlog import Log, TagTakenError
from deploylib.images.login import DOCKER_HUB
from deploylib.tasklog import Follower, Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from types_boto3_ecr.client import ECRClient

    from deploylib.aws import Account
    from deploylib.clock import Clock
    from deploylib.config import RegistryLogin
    from deploylib.contract import RemoteBuild
    from deploylib.images.buildlog import Line
    from deploylib.images.recipe import Recipe
    from deploylib.images.registry import Manifest
    from deploylib.images.supplies import Supplies

T = TypeVar("T")

POLL_SECONDS = 2.0
LATE_SECONDS = 3.0  # what a build says last arrives in CloudWatch when it has ended
LAST_LOOKS = 3  # at the log of one that failed: its last lines say why
PATIENCE_SECONDS = 60.0  # so long AWS may be silent, or say that it is asked too much
KEY = "sources/{digest}.zip"
OWN_LINES = "[Container] "  # CodeBuild's, between those of the programs
SECRET, PASSWORD = "BUILD_SECRET_{number}", "REGISTRY_PASSWORD_{number}"  # variables
BUILDKIT = {"DOCKER_BUILDKIT": "1"}  # a docker before 23 has it, and uses it when it is told to
VARIABLES = {"BUILDKIT_PROGRESS": "plain", "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}  # they would make an index of two
ENDED = {
    "TIMED_OUT": "give it longer: remote_build.timeout_minutes in [terraform], then inv infra.apply",
    "STOPPED": "somebody stopped the build; repeat the command",
    "FAULT": "CodeBuild itself failed; repeat the command",
}
REFUSED = {
    "ResourceNotFoundException": "{mended}",
    "NoSuchBucket": "{mended}",
    "AccountLimitExceededException": "the account runs as many builds as it may: repeat the command later, or have AWS "
    "raise its quota (Service Quotas, AWS CodeBuild)",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """An image that a build pushed under its own *tag*."""

    tag: str
    image: Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """The project *place* of an account, as a builder. `built` has what it made, by the name that it shall get.

    *mended* says what helps when the project or its bucket is not there. *left* are the own names of images that an
    earlier run built and did not come to test, by their content tag.
    """

    account: Account
    place: RemoteBuild
    repository: str
    mended: str
    clock: Clock
    registries: Mapping[str, RegistryLogin] = field(default_factory=dict)
    given: Supplies
    built: dict[str, Built]
    left: Mapping[str, str] = field(default_factory=dict)
    halted: threading.Event = field(default_factory=threading.Event)

    def build(self, recipe: Recipe, reference: str, *, base: str, line: Line, use_cache: bool = True) -> None:
        """Build *recipe*, standing on *base*, for *reference*; hand each line of the log to *line*.

        Raises `ImageError` with the last lines of the log, in which no secret is.
        """
        content = reference.rpartition(":")[2]
        if use_cache and content in self.left and (held := self._held(self.left[content])):
            line(f"{self.left[content]} is there: an earlier run built it, and did not come to its end")
            self.built[reference] = held
            return
        try:
            self.built[reference] = self._built(recipe, content, self._there(base), line=line, use_cache=use_cache)
        except AwsError as error:
            hint = REFUSED.get(error.code, "").format(mended=self.mended) or error.hint
            raise ImageError(f"image {recipe.image} was not built: {error}", hint=hint) from error

    def push(self, image: str, reference: str) -> str:
        """Give what was built for *reference* that name, and return its digest.

        Raises `TagTakenError` when the tag is another image's.
        """
        held, tag = self.built[reference].image, reference.rpartition(":")[2]
        if not registry.put_manifest(self.account.ecr, self.repository, tag, held):
            raise TagTakenError(f"image {image} was not pushed to {reference}: the tag is another image's already")
        return held.digest

    def close(self) -> None:
        """Take the builds' own names off what they pushed; an image without another one is gone then."""
        names = [one.tag for one in self.built.values()]
        if names:
            registry.remove_tags(self.account.ecr, self.repository, names)

    def stop(self) -> None:
        """Make every `build` of other threads end soon, and the builds that they follow."""
        self.halted.set()

    def _there(self, base: str) -> str:
        """Return *base* as the build finds it: one that has no name yet, by its digest."""
        held = self.built.get(base)
        return f"{self.repository}@{held.image.digest}" if held else base

    def _held(self, tag: str) -> Built | None:
        """Return the image under *tag*, unless whoever built it took the name off meanwhile."""
        try:
            return Built(tag=tag, image=registry.manifest(self.account.ecr, self.repository, tag))
        except ImageError:
            return None

    def _built(self, recipe: Recipe, content: str, base: str, *, line: Line, use_cache: bool) -> Built:
        tag = tags.waiting(content, uuid.uuid4().hex)
        spec = buildspec(recipe, base, repository=self.repository, registries=self.registries, use_cache=use_cache)
        log = Log(line=line, secrets=buildlog.maskable([self.given.secrets[one] for one in recipe.secrets.values()]))
        build = self._followed(self._start(self._upload(recipe, base, spec), tag), log)
        _refuse_failed(recipe.image, build, log)
        return Built(tag=tag, image=registry.manifest(self.account.ecr, self.repository, tag))

    def _upload(self, recipe: Recipe, base: str, spec: str) -> str:
        with tempfile.TemporaryFile() as packed:
            key = KEY.format(digest=archive.write(packed, recipe, base, buildspec=spec))
            packed.seek(0)
            self.account.s3.put_object(Bucket=self.place.bucket, Key=key, Body=packed)
        return f"{self.place.bucket}/{key}"

    def _start(self, source: str, tag: str) -> str:
        token = uuid.uuid4().hex  # asked twice, CodeBuild starts one build
        answer = self._enduring(
            lambda: self.account.codebuild.start_build(
                projectName=self.place.project,
                idempotencyToken=token,
                sourceTypeOverride="S3",
                sourceLocationOverride=source,
                environmentVariablesOverride=[{"name": "IMAGE", "value": f"{self.repository}:{tag}"}],
            )
        )
        return str(answer["build"]["id"])

    def _followed(self, identifier: str, log: Log) -> Mapping[str, Any]:
        """Return the build when it has ended; whatever ends us before ends it too."""
        try:
            return self._follow(identifier, log)
        except BaseException:
            with contextlib.suppress(AwsError):  # what went wrong first is what counts
                self.account.codebuild.stop_build(id=identifier)
            raise

    def _follow(self, identifier: str, log: Log) -> Mapping[str, Any]:
        follower: Follower | None = None
        while True:
            build = self._enduring(lambda: self._look(identifier))
            follower = follower or self._follower(build)
            if build["buildStatus"] != "IN_PROGRESS":
                break
            self._read(follower, log)
            self.clock.sleep(POLL_SECONDS)
        for _ in range(1 if build["buildStatus"] == "SUCCEEDED" else LAST_LOOKS):
            self.clock.sleep(LATE_SECONDS)
            self._read(follower, log)
        return build

    def _read(self, follower: Follower | None, log: Log) -> None:
        """Hand on what has arrived of the log, but for CodeBuild's own lines."""
        for text in self._enduring(follower.lines) if follower else ():
            if not text.startswith(OWN_LINES):
                log(text)

    def _enduring(self, ask: Callable[[], T]) -> T:
        """Return what *ask* answers, and ask again while AWS is silent or says that it is asked too much."""
        started = self.clock.monotonic()
        while True:
            if self.halted.is_set():
                raise ImageError("the build was stopped")
            try:
                return ask()
            except AwsError as error:
                if not error.transient or self.clock.monotonic() - started >= PATIENCE_SECONDS:
                    raise
            self.clock.sleep(POLL_SECONDS)

    def _look(self, identifier: str) -> Mapping[str, Any]:
        found = self.account.codebuild.batch_get_builds(ids=[identifier]).get("builds")
        if not found:
            raise ImageError(f"CodeBuild does not know the build {identifier} any more", hint="repeat the command")
        one: Mapping[str, Any] = found[0]
        return one

    def _follower(self, build: Mapping[str, Any]) -> Follower | None:
        where = build.get("logs") or {}
        if not where.get("groupName") or not where.get("streamName"):
            return None
        return Follower(logs=self.account.logs, stream=Stream(group=where["groupName"], name=where["streamName"]))


def left_behind(ecr: ECRClient, repository: str) -> dict[str, str]:
    """Return the own names of images that nobody has tested yet, by the content tag that each waits for."""
    everything = registry.everything(ecr, repository)
    return {content: tag for one in everything for tag in one.tags if (content := tags.waits_for(tag))}


def buildspec(
    recipe: Recipe, base: str, *, repository: str, registries: Mapping[str, RegistryLogin], use_cache: bool = True
) -> str:
    """Return what the build runs: log in, pin the parents, build, push to `$IMAGE`. JSON is YAML.

    It takes docker and the AWS CLI, and nothing of docker that only one of its builders has, unless the recipe does.
    What stands under `parameter-store`, CodeBuild hides in its log (CodeBuild's user guide, "Data protection").
    """
    command = shlex.join(_command(recipe, base, use_cache=use_cache))
    phases = {
        "pre_build": {"commands": [*_unpacked(), *_log_ins(repository, registries), *_pins(recipe)]},
        "build": {"commands": [f'{command} --tag="$IMAGE" context', 'docker push --quiet "$IMAGE"']},
    }
    parameters = _parameters(recipe, registries)
    environment = {
        "shell": "bash",
        "variables": VARIABLES | (BUILDKIT if _needs_buildkit(recipe) else {}),
        **({"parameter-store": parameters} if parameters else {}),
    }
    return json.dumps({"version": 0.2, "env": environment, "phases": phases}, indent=2) + "\n"


def _needs_buildkit(recipe: Recipe) -> bool:
    return bool(recipe.secrets) or any(features.wanted(recipe.text))


def _unpacked() -> Iterator[str]:
    yield f"mkdir context && tar -xf {archive.FILES} -C context"


def _log_ins(repository: str, registries: Mapping[str, RegistryLogin]) -> Iterator[str]:
    host = shlex.quote(reference.parse(repository).domain)
    yield f"set -o pipefail; aws ecr get-login-password | docker login --username AWS --password-stdin {host}"
    for number, (name, one) in enumerate(sorted(registries.items())):
        where = "" if name in DOCKER_HUB else f" {shlex.quote(name)}"
        password = PASSWORD.format(number=number)
        user = shlex.quote(one.username)
        yield f'printf %s "${password}" | docker login --username {user} --password-stdin{where}'


def _pins(recipe: Recipe) -> Iterator[str]:
    """Yield what makes each parent's name mean the digest that the fingerprint was taken with."""
    for name, digest in recipe.parents:
        if digest and "@" not in name:
            exact = f"{reference.parse(name).repository}@{digest}"
            yield f"{shlex.join(('docker', 'pull', '--quiet', exact))} && {shlex.join(('docker', 'tag', exact, name))}"


def _command(recipe: Recipe, base: str, *, use_cache: bool) -> Iterator[str]:
    yield from ("docker", "build", f"--file={archive.DOCKERFILE}")
    yield from () if use_cache else ("--no-cache",)
    for number, (identifier, _) in enumerate(sorted(recipe.secrets.items())):
        yield f"--secret=id={identifier},env={SECRET.format(number=number)}"
    yield from (f"--build-arg={name}={value}" for name, value in recipe.standing_on(base)[1])


def _parameters(recipe: Recipe, registries: Mapping[str, RegistryLogin]) -> dict[str, str]:
    """Return the parameter of each variable that CodeBuild itself reads from Parameter Store."""
    secrets = enumerate(sorted(recipe.secrets.items()))
    passwords = enumerate(sorted(registries.items()))
    return {
        **{SECRET.format(number=number): parameter for number, (_, parameter) in secrets},
        **{PASSWORD.format(number=number): one.password_parameter for number, (_, one) in passwords},
    }


def _refuse_failed(image: str, build: Mapping[str, Any], log: Log) -> None:
    status = build["buildStatus"]
    if status == "SUCCEEDED":
        return
    said = (*(buildlog.masked(one, log.secrets) for one in _reasons(build)), *log.last)
    link = (build.get("logs") or {}).get("deepLink", "")
    raise ImageError(
        "\n".join((f"image {image} was not built: CodeBuild's build {build['id']} is {status}", *said)),
        hint=ENDED.get(status) or _hint("\n".join(said)) or (f"the whole log: {link}" if link else ""),
    )


def _hint(said: str) -> str:
    if "ssm:GetParameters" in said:
        return "let builds read it: remote_build.build_parameters in [terraform], then inv infra.apply"
    return buildlog.hint(said)


def _reasons(build: Mapping[str, Any]) -> Iterator[str]:
    """Yield what CodeBuild says of the phases that failed."""
    for phase in build.get("phases", ()):
        if phase.get("phaseStatus", "SUCCEEDED") != "SUCCEEDED":
            contexts = [one["message"] for one in phase.get("contexts", ()) if one.get("message")]
            yield from (f"{phase['phaseType']}: {one}" for one in contexts)
