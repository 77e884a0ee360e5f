"""What CodePipeline is given: the files of its deploy stage, and what its build runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from invoke import Context, task

from deploylib.command import command
from deploylib.tasks.options import CONFIRM, ENV
from deploylib.tasks.place import load, root

if TYPE_CHECKING:
    from deploylib.aws import Account
    from deploylib.checkout import Checkout
    from deploylib.config import Environment
    from deploylib.pipeline.files import Release
    from deploylib.pipeline.observation import Images
    from deploylib.plan import Live

BUILD = {"build": "build, test and push what the registry lacks of this commit"}


@task(
    name="artifacts",
    help={
        **ENV,
        "out": "the folder that they are written to",
        "images": "release these, told by files of ECR's source action: web=imageDetail.json,job=…",
        **BUILD,
        "allow_dirty": "with uncommitted changes",
    },
)
@command
def artifacts(
    c: Context, env: str = "", out: str = "artifacts", images: str = "", build: bool = False, allow_dirty: bool = False
) -> None:
    """Write what CodePipeline's deploy stage reads."""
    from deploylib import aws, generated, report
    from deploylib.pipeline import buildspec, files

    environment = load(c, env)
    account = aws.signed_in(environment)
    if images:
        release = _given(account, environment, images)
    else:
        release = _of_checkout(c, account, environment, build=build, allow_dirty=allow_dirty)
    made = files.files(release) | {buildspec.FILE: buildspec.render(environment)}
    for name, text in sorted(made.items()):
        changed = generated.write(Path(out, name), text)
        report.say(f"{Path(out, name)} {'written' if changed else 'is up to date'}")
    for notice in files.notices(release, environment):
        report.say(f"note: {notice}")


@task(
    name="buildspec",
    help={**ENV, "out": "the file (else buildspec.yml)", "check": "exit 9 when the file is out of date; write nothing"},
)
@command
def buildspec(c: Context, env: str = "", out: str = "buildspec.yml", check: bool = False) -> None:
    """Write what CodePipeline's build runs."""
    from deploylib import generated, report
    from deploylib.pipeline import buildspec as specs

    path, text = Path(out).resolve(), specs.render(load(c, env))
    if check:
        generated.check(path, text, called=out, command=f"inv pipeline.buildspec --out {out}")
    changed = not check and generated.write(path, text)
    report.say(f"{out} {'written' if changed else 'is up to date'}")


@task(name="start", help={**ENV, **CONFIRM, **BUILD})
@command
def start(c: Context, env: str = "", build: bool = False, yes: bool = False, confirm: str = "") -> None:
    """Let the pipeline that waits release this commit."""
    from deploylib import aws, report
    from deploylib.pipeline import starting

    environment = load(c, env)
    waiting = starting.waiting(environment)
    account = aws.signed_in(environment)
    _, live, found = _looked_at(c, account, environment, build=build)
    report.confirmed(environment, f"Start the pipeline of {environment.name}", yes=yes, confirm=confirm)
    digests = _made(account, environment, found) if build else found.digests
    starting.start(account.ecr, live.contract.repository, waiting, digests)
    for role, tag in sorted(waiting.tags.items()):
        report.say(f"{tag} is {digests[role]}")
    report.say(f"{waiting.tags[waiting.trigger]} was pushed: that starts the pipeline of {environment.name}")


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
    from deploylib.pipeline import observation

    commit, live, found = _looked_at(c, account, environment, build=build, allow_dirty=allow_dirty)
    digests = _made(account, environment, found) if build else found.digests
    return observation.release(account, live, digests, commit.commit)


def _looked_at(
    c: Context, account: Account, environment: Environment, *, build: bool, allow_dirty: bool = False
) -> tuple[Checkout, Live, Images]:
    """Return this commit, what is live, and the commit's images, none of which is missing unless we are to *build*."""
    from deploylib import checkout, lineage, report
    from deploylib.pipeline import observation

    commit = checkout.observe(root(c), environment.app.path)
    checkout.refuse_dirty(commit, allow=allow_dirty)
    lineage.refuse_elsewhere(environment, commit.commit, dirty=bool(commit.dirty))
    with report.waiting(f"Looking at {environment.name}"):
        live = observation.live(account, environment)
        found = observation.images(account, environment, live.contract, commit)
    observation.refuse_missing(environment, found, build=build)
    return commit, live, found


def _made(account: Account, environment: Environment, found: Images) -> dict[str, str]:
    """Build what is missing; return every digest."""
    from deploylib import report
    from deploylib.pipeline import observation

    return report.follow(observation.built(account, environment, found))
