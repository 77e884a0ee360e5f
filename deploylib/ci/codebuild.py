"""The steps of a buildspec, which knows neither services nor conditions: containers and a `case` do instead."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploylib.ci.model import CLEAN, INV, REPORTS, WHICH

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploylib.ci.model import Deploy, Pipeline, Service, Suite

NETWORK = "beside"
APPROVED = "DEPLOY_APPROVED"
TOLD = (  # CodeBuild fails a build that has no artifact: here is one
    f"mkdir -p {REPORTS}",
    f'echo "This branch is deployed to: ${{environment:-nothing}}" | tee {REPORTS}/environment.txt',
)
BRANCH = "${CODEBUILD_WEBHOOK_HEAD_REF:-${CODEBUILD_SOURCE_VERSION:-}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """The commands of the phases; each stands for itself, and fails where one of its lines fails."""

    tests: tuple[str, ...]
    stop: str
    deploy: str
    clean: str


def steps(pipeline: Pipeline) -> Steps:
    """Return what the phases of *pipeline*'s buildspec do."""
    test = pipeline.test
    names = " ".join(one.name for one in test.services) if test else ""
    return Steps(
        tests=tuple(_tests(pipeline, test)) if test else (),
        stop=f"docker rm --force {names}; docker network rm {NETWORK}" if names else "",
        deploy=_strictly("\n".join((*WHICH, *TOLD, *_cases(pipeline.deploys)))),
        clean=" && ".join(CLEAN) + " || true # a branch that is deployed nowhere has built nothing",
    )


def _tests(pipeline: Pipeline, test: Suite) -> Iterator[str]:
    if test.services:
        yield _strictly("\n".join((f"docker network create {NETWORK}", *(_start(one) for one in test.services))))
    if waits := tuple(filter(None, (_wait(one) for one in test.services))):
        yield _strictly("\n".join(waits))
    yield _strictly(_beside(test))
    if pipeline.merge_test:
        merge, inner = f"{INV} ci.merge-test --into {shlex.quote(pipeline.merge_into)}", shlex.quote(_beside(test))
        into = shlex.quote(f"refs/heads/{pipeline.merge_into}")
        yield f'test "${{CODEBUILD_WEBHOOK_HEAD_REF:-}}" = {into} || {merge} -- bash -c {inner}'


def _start(one: Service) -> str:
    variables = [f"--env {shlex.quote(f'{key}={value}')}" for key, value in one.variables.items()]
    words = ["docker run --detach", f"--name {one.name} --network {NETWORK}", *variables, shlex.quote(one.image)]
    return " ".join((*words, *((shlex.join(one.command),) if one.command else ())))


def _wait(one: Service) -> str:
    """Return what waits until *one* is well, as its own health check says."""
    look = shlex.quote(f"until docker exec {one.name} {one.health}; do sleep 1; done")
    return f"timeout 60 bash -c {look}" if one.health else ""


def _beside(test: Suite) -> str:
    """Return the tests in a container of their image, in the folder of the commit, beside the services."""
    network = f" --network {NETWORK}" if test.services else ""
    variables = "".join(f" --env {shlex.quote(f'{key}={value}')}" for key, value in test.variables.items())
    inner = shlex.quote("set -euo pipefail\n" + "\n".join(test.script))
    where = '--volume "$PWD:$PWD" --workdir "$PWD" --entrypoint bash'
    return f"docker run --rm{network} {where}{variables} {shlex.quote(test.image)} -c {inner}"


def _cases(deploys: tuple[Deploy, ...]) -> Iterator[str]:
    yield 'case "$environment" in'
    for one in deploys:
        yield f"  {one.environment})"
        yield from (f"    {line}" for line in _gated(one) if line)
        yield "    ;;"
    yield "esac"


def _gated(one: Deploy) -> Iterator[str]:
    if one.gated:
        yield f'if [ "${{{APPROVED}:-}}" != {one.environment} ]; then'
        yield f'  echo "{one.environment} waits for a person, who starts this build again:"'
        again = "aws codebuild start-build --project-name ${CODEBUILD_BUILD_ID%%:*}"
        approved = f"--environment-variables-override name={APPROVED},value={one.environment}"
        yield f'  echo "{again} --source-version {BRANCH} {approved}"'
        yield "  exit 0"
        yield "fi"
    yield from one.whole_script


def _strictly(lines: str) -> str:
    """Return *lines* as one command that ends where a line of it fails: a buildspec looks at the last one alone."""
    return f"(\nset -euo pipefail\n{lines}\n)"
