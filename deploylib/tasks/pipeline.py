"""What CodePipeline is given: the files of its deploy stage, and what its build runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from invoke import Context, task

from deploylib.command import command
from deploylib.tasks.options import ENV
from deploylib.tasks.place import load, root

if TYPE_CHECKING:
    from deploylib.aws import Account
    from deploylib.config import Environment
    from deploylib.pipeline.files import Release


@task(
    name="artifacts",
    help={
        **ENV,
        "out": "the folder that they are written to",
        "images": "release these, told by files of ECR's source action: web=imageDetail.json,job=…",
        "build": "build, test and push what the registry lacks of this commit",
        "allow_dirty": "with uncommitted changes",
    },
)
@command
def artifacts(
    c: Context, env: str = "", out: str = "artifacts", images: str = "", build: bool = False, allow_dirty: bool = False
) -> None:
    """Write what CodePipeline's deploy stage reads."""
    from deploylib import aws, report
    from deploylib.pipeline import buildspec, files, writing

    environment = load(c, env)
    account = aws.signed_in(environment)
    if images:
        release = _given(account, environment, images)
    else:
        release = _of_checkout(c, account, environment, build=build, allow_dirty=allow_dirty)
    made = files.files(release) | {buildspec.FILE: buildspec.render(environment)}
    for path in writing.write(Path(out), made):
        report.say(f"{path} written")
    for notice in files.notices(release, environment):
        report.say(f"note: {notice}")


@task(
    name="buildspec",
    help={**ENV, "out": "the file (else buildspec.yml)", "check": "exit 9 when the file is out of date; write nothing"},
)
@command
def buildspec(c: Context, env: str = "", out: str = "buildspec.yml", check: bool = False) -> None:
    """Write what CodePipeline's build runs."""
    from deploylib import report
    from deploylib.pipeline import buildspec as specs
    from deploylib.pipeline import writing

    path, text = Path(out).resolve(), specs.render(load(c, env))
    if check:
        writing.check(path, text, hint=f"inv pipeline.buildspec --out {out}")
    else:
        writing.write(path.parent, {path.name: text})
    report.say(f"{out} {'is up to date' if check else 'written'}")


def _given(account: Account, environment: Environment, images: str) -> Release:
    """Return the release of images that others pushed."""
    from deploylib import report
    from deploylib.pipeline import given, observation

    named = given.parse(images)
    with report.waiting(f"Looking at {environment.name}"):
        live = observation.live(account, environment)
    digests = given.digests(named, live.contract.repository, observation.roles(live))
    return observation.release(account, live, digests)


def _of_checkout(c: Context, account: Account, environment: Environment, *, build: bool, allow_dirty: bool) -> Release:
    """Return the release of this commit's images, built where they are not there and may be."""
    from deploylib import checkout, lineage, report
    from deploylib.pipeline import observation

    commit = checkout.observe(root(c), environment.app.path)
    checkout.refuse_dirty(commit, allow=allow_dirty)
    lineage.refuse_elsewhere(environment, commit.commit, dirty=bool(commit.dirty))
    with report.waiting(f"Looking at {environment.name}"):
        live = observation.live(account, environment)
        found = observation.images(account, environment, live.contract, commit)
    observation.refuse_missing(environment, found, build=build)
    digests = report.follow(observation.built(account, environment, found)) if build else found.digests
    return observation.release(account, live, digests, commit.commit)
