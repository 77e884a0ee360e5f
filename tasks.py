"""What `inv --list` shows: thin tasks that load, observe, plan, show, confirm, execute. Decisions live in `deploylib`.

Imports stand inside the tasks, so that `inv --list` need not load boto3, pydantic or rich.
"""

from __future__ import annotations

import atexit
import gc
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from invoke import Collection, Context, task

from deploylib.command import command

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from deploylib.aws import Account
    from deploylib.config import Environment
    from deploylib.development.images import Images
    from deploylib.development.stand import Stand
    from deploylib.infra.changes import Changes
    from deploylib.infra.saved import Basis
    from deploylib.infra.stack import SavedPlan, Stack

# What a command has loaded stays until its end: it is not searched for cycles again and again, nor on the way out.
gc.set_threshold(100_000)
atexit.register(gc.freeze)

ROOT = Path(__file__).resolve().parent

ENV = {"env": "environment (else $DEPLOY_ENV, else the default one)"}
ONE = {"env": "only that of this environment"}
OUTPUT = {"output": "text or json"}
CONFIRM = {"yes": "do not ask", "confirm": "with --yes: the name of a protected environment"}
DESTROY = {"allow_destroy": "let Terraform take away what holds data, serves or is used: its address (again for more)"}
KEEP = {"keep": "how many of the newest images of each role stay (else images.keep.images)"}


@task(
    help={
        **ENV,
        **OUTPUT,
        **CONFIRM,
        "dry_run": "stop after showing the plan",
        "allow_dirty": "build uncommitted changes too; such images are tagged by content only",
        "release": "with promote_from: that release, by its number there (else the newest that completed)",
    }
)
@command
def deploy(
    c: Context,
    env: str = "",
    dry_run: bool = False,
    yes: bool = False,
    confirm: str = "",
    allow_dirty: bool = False,
    release: str = "",
    output: str = "text",
) -> None:
    """Release the current commit: build, push, migrate, roll out."""
    from deploylib import aws, checkout, config, report
    from deploylib import release as releases

    environment = config.load(ROOT, env)
    commit = checkout.observe(ROOT, environment.app.path)
    checkout.refuse_dirty(commit, allow=allow_dirty or bool(environment.promote_from))
    account = aws.signed_in(environment)
    with report.waiting(f"Looking at {environment.name}"):
        proposed = releases.propose(environment, account, commit, number=release)
    report.plan(proposed.plan, output=output)
    if dry_run or proposed.plan.nothing_to_do:
        return
    report.confirmed(environment, f"Deploy to {environment.name}", yes=yes, confirm=confirm)
    report.follow(releases.execute(proposed), output=output)


@task(
    help={
        **ENV,
        **OUTPUT,
        **CONFIRM,
        "service": "these, with commas (else those whose settings changed)",
        "all_": "every service, whatever changed",
        "dry_run": "stop after showing the plan",
    }
)
@command
def refresh(
    c: Context,
    env: str = "",
    service: str = "",
    all_: bool = False,
    dry_run: bool = False,
    yes: bool = False,
    confirm: str = "",
    output: str = "text",
) -> None:
    """Restart what runs with settings that have changed since."""
    from deploylib import aws, config, report
    from deploylib import release as releases

    environment = config.load(ROOT, env)
    chosen = tuple(filter(None, service.split(",")))
    with report.waiting(f"Looking at {environment.name}"):
        proposed = releases.propose_restart(environment, aws.signed_in(environment), chosen, every=all_)
    report.plan(proposed.plan, output=output)
    if dry_run or proposed.plan.nothing_to_do:
        return
    report.confirmed(environment, f"Refresh {environment.name}", yes=yes, confirm=confirm)
    report.follow(releases.restart(proposed), output=output)


@task(name="list", help=OUTPUT)
@command
def env_list(c: Context, output: str = "text") -> None:
    """List the environments with their accounts."""
    from deploylib import config, report

    found = [config.load(ROOT, name) for name in config.names(ROOT)]
    rows = [(one.name, one.account.id, one.account.region, one.protected, one.default) for one in found]
    report.table("Environments", ("name", "account", "region", "protected", "default"), rows, output=output)


@task(name="show", help={**ENV, **OUTPUT})
@command
def env_show(c: Context, env: str = "", output: str = "text") -> None:
    """Show an environment: every key, its value and its file."""
    from deploylib import config, report

    name = config.load(ROOT, env).name
    rows = [(key, value, file) for key, (value, file) in config.origins(ROOT, name).items()]
    report.table(f"Environment {name}", ("key", "value", "file"), rows, output=output)


@task(name="validate", help=ENV)
@command
def env_validate(c: Context, env: str = "") -> None:
    """Check the files of one environment, or of all."""
    from deploylib import config, report

    config.validate(ROOT, env)
    report.say(f"{env or ', '.join(config.names(ROOT))}: no mistakes")


@task(name="doctor", help={"env": "look into this environment's account too", **OUTPUT})
@command
def env_doctor(c: Context, env: str = "", output: str = "text") -> None:
    """Check that everything is here that the commands need."""
    from deploylib import doctor, report

    doctor.knock(doctor.Place(root=ROOT), env)
    with report.waiting("Looking around"):
        rows = doctor.examine(doctor.Place(root=ROOT), env)
    report.health(rows, output=output)
    doctor.refuse_missing(rows, repeat=f"inv env.doctor --env {env}" if env else "inv env.doctor")


@task(name="init", help=ENV)
@command
def infra_init(c: Context, env: str = "") -> None:
    """Make the state's bucket and initialise Terraform."""
    from deploylib import config

    _stack(config.load(ROOT, env)).init(always=True)


@task(name="bootstrap", help={**ENV, **OUTPUT})
@command
def infra_bootstrap(c: Context, env: str = "", output: str = "text") -> None:
    """Make or complete the bucket of the state."""
    from deploylib import config, report

    environment = config.load(ROOT, env)
    rows = [(one.what, "now" if one.done else "before") for one in _stack(environment).bootstrap()]
    report.table(environment.state_bucket, ("property", "set"), rows, output=output)


@task(name="plan", help={**ENV, **OUTPUT, "check": "exit 9 when there are changes; save nothing"})
@command
def infra_plan(c: Context, env: str = "", check: bool = False, output: str = "text") -> None:
    """Show and save what Terraform would change."""
    from deploylib import config, report
    from deploylib.infra import together

    if env == "all":
        every = together.each(together.here(ROOT), lambda name: _planned(config.load(ROOT, name), keep=not check)[0])
        report.side_by_side(every, output=output)
        together.refuse(every, check=check)
        return
    environment = config.load(ROOT, env)
    changes, basis = _planned(environment, keep=not check)
    report.changes(changes, environment=environment.name, basis=basis, output=output)
    together.refuse({environment.name: changes}, check=check)


@task(name="drift", help={**ENV, **OUTPUT, "check": "exit 9 when there is drift"})
@command
def infra_drift(c: Context, env: str = "", check: bool = False, output: str = "text") -> None:
    """Show what changed behind Terraform's back."""
    from deploylib import config, report
    from deploylib.errors import OutdatedError

    with _stack(config.load(ROOT, env)).plan(refresh_only=True) as found:
        report.drift(found.changes, environment=found.environment, output=output)
    if check and found.changes.drift:
        hint = f"inv infra.plan --env {found.environment}, which shows how Terraform would undo it"
        raise OutdatedError(f"{found.environment}: somebody changed what Terraform made", hint=hint)


@task(
    name="apply",
    help={**ENV, **OUTPUT, **CONFIRM, **DESTROY, "anew": "plan anew instead of taking the plan that was saved"},
    iterable=["allow_destroy"],
    positional=[],
)
@command
def infra_apply(
    c: Context,
    allow_destroy: list[str],
    env: str = "",
    yes: bool = False,
    confirm: str = "",
    anew: bool = False,
    output: str = "text",
) -> None:
    """Apply the saved plan, or a new one."""
    from deploylib import config, report, standing

    environment = config.load(ROOT, env)
    stack = _stack(environment)
    with stack.ready(anew=anew) as plan:
        if _shown(environment, stack.account, plan, allowed=allow_destroy, output=output):
            report.confirmed(environment, f"Apply to {environment.name}", yes=yes, confirm=confirm)
            stack.apply(plan)
    report.pending(environment.name, standing.pending(stack.account, environment), output=output)


@task(name="destroy", help={**ENV, **OUTPUT, **CONFIRM, **DESTROY}, iterable=["allow_destroy"], positional=[])
@command
def infra_destroy(
    c: Context,
    allow_destroy: list[str],
    env: str = "",
    yes: bool = False,
    confirm: str = "",
    output: str = "text",
) -> None:
    """Remove the whole infrastructure of an environment."""
    from deploylib import config, report
    from deploylib.infra import leftovers

    environment = config.load(ROOT, env)
    stack = _stack(environment)
    with stack.plan(destroy=True) as plan:
        if _shown(environment, stack.account, plan, allowed=allow_destroy, output=output):
            report.confirmed(environment, f"Destroy {environment.name}", yes=yes, confirm=confirm)
            leftovers.note(stack.account.ssm, environment)
            stack.apply(plan)
    for line in leftovers.clear(stack.account.ecs, environment):
        report.say(line, output=output)


@task(name="output", help={**ENV, **OUTPUT, "secrets": "show sensitive values too"})
@command
def infra_output(c: Context, env: str = "", secrets: bool = False, output: str = "text") -> None:
    """Show Terraform's outputs."""
    from deploylib import config, report

    rows = list(_stack(config.load(ROOT, env)).output(secrets=secrets).items())
    report.table("Outputs", ("name", "value"), rows, output=output)


@task(name="status", help={**ENV, **OUTPUT, "check": "exit 9 when a template waits for a deploy"})
@command
def infra_status(c: Context, env: str = "", check: bool = False, output: str = "text") -> None:
    """Show the state, its lock, and what waits for a deploy."""
    from deploylib import config, report, standing
    from deploylib.infra import state

    environment = config.load(ROOT, env)
    stack = _stack(environment)
    account = stack.account
    services = standing.observed(account, environment)
    position, lock = state.position(account.s3, environment), state.lock(account.s3, environment)
    report.status(environment.name, services, position, lock=lock, waiting=stack.waiting, output=output)
    if check:
        standing.refuse_pending(environment, services)


@task(name="tf", help={**ENV, **CONFIRM, "secrets": "let it print secrets"})
@command
def infra_tf(c: Context, env: str = "", secrets: bool = False, yes: bool = False, confirm: str = "") -> None:
    """Run another command of Terraform, given after --."""
    from deploylib import config, report
    from deploylib.infra import passthrough

    environment, words = config.load(ROOT, env), passthrough.given(sys.argv, c.remainder)
    passthrough.check(words, environment, secrets=secrets)
    if passthrough.writes(words):
        report.confirmed(environment, f"terraform {' '.join(words)} in {environment.name}", yes=yes, confirm=confirm)
    _stack(environment, line=print).run(words, secrets=secrets)


@task(name="unlock", help={**ENV, "lock": "the lock's id, as the error shows it"})
@command
def infra_unlock(c: Context, lock: str, env: str = "") -> None:
    """Release a lock on the state that a dead run left behind."""
    from deploylib import config

    _stack(config.load(ROOT, env)).unlock(lock)


@task(name="check")
@command
def infra_check(c: Context) -> None:
    """Check the Terraform code: format, tests, policy."""
    from concurrent.futures import ThreadPoolExecutor

    from deploylib.infra import policy, quality
    from deploylib.toolchain import machine, provider_mirror, python_environment, terraform

    this, program, judge = machine.this(), terraform.find(ROOT), python_environment.policy(ROOT)
    with ThreadPoolExecutor() as threads:
        made = threads.submit(python_environment.ensure, judge, this, print)  # most of it is waiting
        quality.check(ROOT, program.program, provider_mirror.environment(ROOT, this, program), print)
        made.result()
    policy.check(ROOT, str(judge.path / "bin" / "checkov"), print)


@task(name="iam", help={"check": "exit 9 when the document is out of date; write nothing"})
@command
def infra_iam(c: Context, check: bool = False) -> None:
    """Write docs/iam.md: what the deploy role may do, and why."""
    from deploylib import permissions

    (permissions.check if check else permissions.write)(ROOT)


@task(name="docs", help={"check": "exit 9 when a page is out of date; write nothing"})
@command
def infra_docs(c: Context, check: bool = False) -> None:
    """Write the README of every Terraform module."""
    from deploylib import report
    from deploylib.infra import module_docs

    if check:
        module_docs.check(ROOT)
    else:
        report.say(f"written: {', '.join(module_docs.write(ROOT)) or 'nothing, all of them are up to date'}")


@task(name="format")
@command
def infra_format(c: Context) -> None:
    """Format the Terraform code."""
    from deploylib.infra import quality
    from deploylib.toolchain import terraform

    quality.reformat(ROOT, terraform.find(ROOT).program)


@task(name="refresh", help={**ENV, **OUTPUT, "force": "build it anew although nothing changed, without layer cache"})
@command
def base_refresh(c: Context, env: str = "", force: bool = False, output: str = "text") -> None:
    """Build the base image if it changed, for every account."""
    from deploylib import aws, checkout, config, report
    from deploylib.images import base

    environment = config.load(ROOT, env)
    commit = checkout.observe(ROOT, environment.app.path)
    report.follow(base.refresh(aws.signed_in(environment), environment, commit, force=force), output=output)


@task(name="status", help={**ENV, **OUTPUT, "check": "exit 9 when the registry does not have it, with what changed"})
@command
def base_status(c: Context, env: str = "", check: bool = False, output: str = "text") -> None:
    """Show where the base image is, and what changed since."""
    from deploylib import aws, checkout, config, report, staleness

    environment = config.load(ROOT, env)
    commit = checkout.observe(ROOT, environment.app.path)
    account = aws.signed_in(environment)
    with report.waiting(f"Looking at {environment.name}"):
        found = staleness.look(account, environment, commit)
    report.base(found, output=output)
    if check:
        staleness.refuse_stale(found)


@task(
    name="promote",
    help={
        **ENV,
        **OUTPUT,
        **CONFIRM,
        "from_": "the environment that it completed in (else promote_from of the other one)",
        "release": "by its number there (else the newest that completed)",
        "dry_run": "stop after showing what would be copied",
    },
)
@command
def image_promote(
    c: Context,
    env: str = "",
    from_: str = "",
    release: str = "",
    dry_run: bool = False,
    yes: bool = False,
    confirm: str = "",
    output: str = "text",
) -> None:
    """Copy the images of a release to another environment."""
    from deploylib import aws, config, observe, report
    from deploylib.images import promotion

    target = config.load(ROOT, env)
    source = config.load(ROOT, promotion.source_of(target, from_))
    ends = (aws.signed_in(source), source), (aws.signed_in(target), target)
    with report.waiting(f"Looking at {source.name} and {target.name}"):
        found, _ = observe.promotion(*ends, number=promotion.parse(release))
    report.table(found.title, promotion.COLUMNS, found.rows, output=output)
    if dry_run or found.nothing_to_do:
        return
    report.confirmed(target, f"Promote to {target.name}", yes=yes, confirm=confirm)
    report.follow(promotion.carry_out(found), output=output)


@task(
    name="test",
    help={
        **ENV,
        **OUTPUT,
        "role": "test this role alone",
        "allow_dirty": "test uncommitted changes too",
    },
)
@command
def image_test(c: Context, env: str = "", role: str = "", allow_dirty: bool = False, output: str = "text") -> None:
    """Test the images of this commit here; nothing is pushed."""
    from deploylib import aws, checkout, config, observe, report
    from deploylib.images import trial

    environment = config.load(ROOT, env)
    trial.roles_to_test(environment, role)
    commit = checkout.observe(ROOT, environment.app.path)
    checkout.refuse_dirty(commit, allow=allow_dirty)
    account = aws.signed_in(environment)
    with report.waiting(f"Looking at {environment.name}"):
        found = observe.everything(account, environment, commit)
    happening = trial.carry_out(account, environment, found.live.contract, found.recipes, found.present, role=role)
    report.follow(happening, output=output)


@task(name="prune", help={**ENV, **OUTPUT, **CONFIRM, **KEEP, "dry_run": "stop after showing what would go, and why"})
@command
def image_prune(
    c: Context,
    env: str = "",
    keep: int = 0,
    dry_run: bool = False,
    yes: bool = False,
    confirm: str = "",
    output: str = "text",
) -> None:
    """Remove old images from ECR; nothing in use."""
    from deploylib import aws, config, report
    from deploylib.retention import repository

    environment = config.load(ROOT, env)
    account = aws.signed_in(environment)
    with report.waiting(f"Looking at {environment.name}"):
        found = repository.propose(account, environment, keep=keep)
    report.prune(found, output=output)
    if dry_run or not found.going:
        return
    report.confirmed(environment, f"Remove from {environment.name}", yes=yes, confirm=confirm)
    report.pruned(repository.execute(account, environment, found, keep=keep), output=output)


@task(name="clean", help={**ENV, **OUTPUT, **KEEP, "dry_run": "stop after showing what would go, and why"})
@command
def image_clean(c: Context, env: str = "", keep: int = 0, dry_run: bool = False, output: str = "text") -> None:
    """Remove old images from this machine."""
    from deploylib import config, report
    from deploylib.retention import local, repository
    from deploylib.toolchain import engine

    environment = config.load(ROOT, env)
    api, app = engine.find().api, environment.app.name
    fates = local.plan(app, *local.observe(api, app), keep=repository.chosen(environment, keep))
    report.clean(app, fates, output=output)
    if not dry_run and any(not one.stays for one in fates):
        report.cleaned_up(local.remove(api, fates), output=output)


@task(name="list", help={**ENV, **OUTPUT, "check": "exit 9 when a container asks for one that is not there"})
@command
def params_list(c: Context, env: str = "", check: bool = False, output: str = "text") -> None:
    """List the settings: who reads them, what is missing."""
    from deploylib import aws, config, report
    from deploylib.settings import inventory

    environment = config.load(ROOT, env)
    with report.waiting(f"Looking at {environment.name}"):
        lines = inventory.listing(aws.signed_in(environment), environment)
    report.table(f"Settings of {environment.name}", inventory.COLUMNS, lines, output=output)
    if check:
        inventory.refuse_missing(environment, lines)


@task(name="get", help={**ENV, **OUTPUT, "reveal": "print the value, and nothing else"})
@command
def params_get(c: Context, name: str, env: str = "", reveal: bool = False, output: str = "text") -> None:
    """Show a setting; its value with --reveal only."""
    from deploylib import aws, config, report
    from deploylib.settings import inventory

    environment = config.load(ROOT, env)
    found = inventory.one(aws.signed_in(environment), environment, name, values=reveal)
    if reveal:
        sys.stdout.write(found.value + "\n")
        return
    row = (name, "(hidden)", found.kind, found.version, found.modified.isoformat(timespec="seconds"))
    report.table(environment.name, ("setting", "value", "type", "version", "changed"), [row], output=output)


@task(
    name="set",
    help={**ENV, **OUTPUT, **CONFIRM, "name": "the variable", "file": "read the value from it (else standard input)"},
)
@command
def params_set(
    c: Context, name: str, env: str = "", file: str = "", yes: bool = False, confirm: str = "", output: str = "text"
) -> None:
    """Set one setting: value from standard input or a file."""
    from deploylib import aws, config, report
    from deploylib.settings import importing, sources

    environment = config.load(ROOT, env)
    account = aws.signed_in(environment)
    value = None if file else report.typed(name)
    value = sources.one_value(file, sys.stdin) if value is None else value
    given = sources.Given(name=name, value=value, place=file or "standard input")
    found = importing.propose_one(account, environment, given)
    report.table(f"Settings of {environment.name}", importing.COLUMNS, found.rows, output=output)
    if found.writes and environment.protected:
        report.confirmed(environment, f"Set {name} in {environment.name}", yes=yes, confirm=confirm)
    if importing.carry_out(account, found):
        report.say(f"running tasks get it with: inv refresh --env {environment.name}", output=output)


@task(
    name="import",
    help={
        **ENV,
        **OUTPUT,
        **CONFIRM,
        "file": "a .env file; - is standard input",
        "prefix": "variables of this process that start so, without it: STG_",
        "suffix": "variables of this process that end so, without it: _PRODUCTION",
        "s3": "an environment file of ECS: s3://BUCKET/KEY",
        "dry_run": "stop after showing what would be written",
    },
)
@command
def params_import(
    c: Context,
    env: str = "",
    file: str = "",
    prefix: str = "",
    suffix: str = "",
    s3: str = "",
    dry_run: bool = False,
    yes: bool = False,
    confirm: str = "",
    output: str = "text",
) -> None:
    """Take settings over from a file, from variables, from S3."""
    from deploylib import aws, config, report
    from deploylib.settings import importing, sources

    environment = config.load(ROOT, env)
    source = sources.check(sources.Source(file=file, prefix=prefix, suffix=suffix, s3=s3))
    account = aws.signed_in(environment)
    given = sources.read(source, lambda: account.s3, stdin=sys.stdin)
    with report.waiting(f"Comparing with {environment.name}"):
        found = importing.propose(account, environment, given, str(source))
    report.table(f"{source} → {environment.name}", importing.COLUMNS, found.rows, output=output)
    report.say(found.summary, output=output)
    if dry_run or not found.writes:
        return
    report.confirmed(environment, f"Import into {environment.name}", yes=yes, confirm=confirm)
    with report.waiting(f"Writing {len(found.writes)} settings"):
        written = importing.carry_out(account, found)
    report.say(f"{written} written; running tasks get them with: inv refresh --env {environment.name}", output=output)


@task(name="diff", help={**ENV, **OUTPUT, "with_": "the other environment", "check": "exit 9 when something differs"})
@command
def params_diff(c: Context, with_: str, env: str = "", check: bool = False, output: str = "text") -> None:
    """Compare two environments' settings; no value is shown."""
    from deploylib import aws, config, report
    from deploylib.settings import inventory

    both = config.load(ROOT, env), config.load(ROOT, with_)
    with report.waiting(f"Looking at {both[0].name} and {both[1].name}"):
        rows = inventory.differences(*((aws.signed_in(one), one) for one in both))
    report.table(f"{both[0].name} and {both[1].name}", inventory.DIFFERENCE_COLUMNS, rows, output=output)
    if check:
        inventory.refuse_different(both[0], both[1], rows)


@task(name="rm", help={**ENV, **CONFIRM, "name": "one, or several with commas", "allow_used": "even if tasks read it"})
@command
def params_rm(
    c: Context, name: str, env: str = "", yes: bool = False, confirm: str = "", allow_used: bool = False
) -> None:
    """Remove settings that no container reads."""
    from deploylib import aws, config, observe, report
    from deploylib.settings import inventory

    environment, wanted = config.load(ROOT, env), tuple(filter(None, name.split(",")))
    account = aws.signed_in(environment)
    if not allow_used:
        inventory.refuse_used(environment, wanted, observe.readers(account, environment))
    report.confirmed(environment, f"Remove {', '.join(wanted)} from {environment.name}", yes=yes, confirm=confirm)
    report.say(f"removed {inventory.remove(account, environment, wanted)}")


@task(name="up", help=ENV)
@command
def local_up(c: Context, env: str = "") -> None:
    """Start an environment's local AWS; tasks run as containers."""
    from deploylib import report
    from deploylib.localaws import accounts, emulator
    from deploylib.toolchain import engine

    environment = accounts.load(ROOT, env)
    name, account_id, region = (environment.account.profile, environment.account.id, environment.account.region)
    emulator.up(ROOT, engine=engine.find(), name=name, account_id=account_id, region=region, say=report.say)
    report.say(emulator.render(emulator.status(ROOT, name), environment=environment.name))


@task(name="status", help=ONE)
@command
def local_status(c: Context, env: str = "") -> None:
    """Show every local AWS, and where the application answers."""
    from deploylib import report
    from deploylib.localaws import accounts

    report.say(accounts.render(ROOT, env))


@task(name="down", help=ONE)
@command
def local_down(c: Context, env: str = "") -> None:
    """Stop every local AWS and remove everything that it made."""
    from deploylib import report
    from deploylib.localaws import accounts, emulator

    name = accounts.load(ROOT, env).account.profile if env else ""
    report.say(f"removed {emulator.down(ROOT, name, say=report.say)}")


@task(
    name="compose",
    help={**ENV, "out": "the file (else compose.yaml)", "check": "exit 9 when the file is out of date; write nothing"},
)
@command
def dev_compose(c: Context, env: str = "", out: str = "compose.yaml", check: bool = False) -> None:
    """Write the compose file of the development environment."""
    from deploylib import report
    from deploylib.development import images, stand

    place, found = _stand(env)
    for line in images.remarks(found, place.engine.api):
        report.say(line)
    if check:
        stand.check(place.environment, found.references, Path(out).resolve())
    changed = not check and stand.write(place.environment, found.references, Path(out).resolve())
    report.say(f"{out} {'written' if changed else 'is up to date'}")


@task(name="up", help=ENV)
@command
def dev_up(c: Context, env: str = "") -> None:
    """Start the app here: its base image, your source."""
    from deploylib import report
    from deploylib.development import images, stand

    place, found = _stand(env, starting=True)
    images.fetch(found, place.engine, report.say)
    for line in images.remarks(found, place.engine.api):
        report.say(line)
    stand.up(place, found.references, report.say)
    for line in (f"{place.project} is up", *stand.summary(place)):
        report.say(line)


@task(name="status", help={**ENV, **OUTPUT, "check": "exit 9 when an image is stale"})
@command
def dev_status(c: Context, env: str = "", check: bool = False, output: str = "text") -> None:
    """Show the app here: its containers, and what is stale."""
    from deploylib import report
    from deploylib.development import images

    place, found = _stand(env)
    rows = [(one.service, one.state, one.exit_code) for one in place.containers]
    report.table(place.project, ("container", "state", "exit code"), rows, output=output)
    for line in images.remarks(found, place.engine.api):
        report.say(line, output=output)
    if check:
        images.refuse_stale(found)


@task(name="down", help={**ENV, "volumes": "remove the data too"})
@command
def dev_down(c: Context, env: str = "", volumes: bool = False) -> None:
    """Stop the app here and remove its containers; data stays."""
    from deploylib import config, report
    from deploylib.development import stand
    from deploylib.toolchain import engine

    removed = stand.down(config.load(ROOT, env), engine.find().api, volumes=volumes)
    report.say(f"removed {removed}" + ("" if volumes else "; the data is kept (--volumes removes it)"))


def _stand(env: str, *, starting: bool = False) -> tuple[Stand, Images]:
    from deploylib import checkout, config
    from deploylib.development import images
    from deploylib.development.stand import Stand
    from deploylib.toolchain import compose_tool, engine

    environment, found = config.load(ROOT, env), engine.find()
    tool = compose_tool.find(found) if starting else ()
    commit = checkout.observe(ROOT, environment.app.path)
    return Stand(environment=environment, engine=found, tool=tool), images.observe(environment, commit, found.api)


def _stack(
    environment: Environment, *, line: Callable[[str], None] = lambda line: print(line, file=sys.stderr)
) -> Stack:
    from deploylib import aws
    from deploylib.infra import stack
    from deploylib.toolchain import machine, provider_mirror, terraform

    program = terraform.find(ROOT)
    variables = provider_mirror.environment(ROOT, machine.this(), program)
    account = aws.signed_in(environment)
    return stack.open_stack(
        environment,
        account,
        program=program.program,
        variables=variables,
        line=line,
        colours=sys.stderr.isatty(),
    )


def _planned(environment: Environment, *, keep: bool) -> tuple[Changes, Basis | None]:
    """Return what a plan of *environment* changes, and what it was made for when it is saved."""
    stack = _stack(environment)
    with stack.plan(meanwhile=_load_what_shows) as plan:
        from deploylib import standing

        if keep:
            stack.keep(plan)
        return standing.marked(plan.changes, stack.account, environment), plan.basis if keep else None


def _load_what_shows() -> None:
    """Load what is needed once Terraform has planned: that takes as long as a part of its own work."""
    from deploylib import report, standing  # noqa: F401  # loaded for later

    _ = report.changes


def _shown(
    environment: Environment, account: Account, plan: SavedPlan, *, allowed: Sequence[str], output: str
) -> Changes:
    """Show *plan* and return what it does, unless that is refused."""
    from deploylib import report, standing
    from deploylib.infra import guards

    changes = plan.changes if plan.destroying else standing.marked(plan.changes, account, environment)
    if plan.kept:
        report.say(f"The plan of {plan.basis.made}, saved by inv infra.plan", output=output)
    report.changes(changes, environment=environment.name, output=output)
    guards.check_dangers(changes, environment, destroying=plan.destroying, allowed=allowed)
    return changes


namespace = Collection(deploy, refresh)
for name, tasks in {
    "env": (env_list, env_show, env_validate, env_doctor),
    "infra": (
        *(infra_bootstrap, infra_init, infra_plan, infra_apply, infra_destroy, infra_drift),
        *(infra_status, infra_output, infra_tf, infra_unlock, infra_check, infra_iam, infra_docs, infra_format),
    ),
    "base": (base_refresh, base_status),
    "image": (image_promote, image_test, image_prune, image_clean),
    "params": (params_list, params_get, params_set, params_import, params_diff, params_rm),
    "dev": (dev_compose, dev_up, dev_status, dev_down),
    "local": (local_up, local_status, local_down),
}.items():
    namespace.add_collection(Collection(name, *tasks))
