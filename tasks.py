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
    from deploylib.development.images import Images
    from deploylib.development.stand import Stand
    from deploylib.infra.stack import Stack

# What a command has loaded stays until its end: it is not searched for cycles again and again, nor on the way out.
gc.set_threshold(100_000)
atexit.register(gc.freeze)

ROOT = Path(__file__).resolve().parent

ENV = {"env": "environment (else $DEPLOY_ENV, else the default one)"}
ONE = {"env": "only that of this environment"}
OUTPUT = {"output": "text or json"}
CONFIRM = {"yes": "do not ask", "confirm": "with --yes: the name of a protected environment"}
REPLACE = {"allow_replace": "let Terraform replace a service that serves"}
DELETE = {"allow_delete": "let Terraform delete what holds data, in a protected environment"}
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
    with report.waiting(f"Looking at {environment.name}"):
        proposed = releases.propose(environment, aws.signed_in(environment), commit, number=release)
    report.plan(proposed.plan, output=output)
    if dry_run or proposed.plan.nothing_to_do:
        return
    report.confirmed(environment, f"Deploy to {environment.name}", yes=yes, confirm=confirm)
    report.follow(releases.execute(proposed), output=output)


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

    with report.waiting("Looking around"):
        rows = doctor.examine(doctor.Place(root=ROOT), env)
    report.health(rows, output=output)
    doctor.refuse_missing(rows, repeat=f"inv env.doctor --env {env}" if env else "inv env.doctor")


@task(name="init", help=ENV)
@command
def infra_init(c: Context, env: str = "") -> None:
    """Make the state's bucket and initialise Terraform."""
    _stack(env).init(always=True)


@task(name="plan", help={**ENV, **OUTPUT, "check": "exit 9 when there are changes"})
@command
def infra_plan(c: Context, env: str = "", check: bool = False, output: str = "text") -> None:
    """Show what Terraform would change."""
    from deploylib import report
    from deploylib.errors import OutdatedError

    with _stack(env).plan() as saved:
        report.changes(saved.changes, output=output)
        if check and saved.changes:
            hint = f"inv infra.apply --env {saved.environment}"
            raise OutdatedError(f"{saved.environment}: the infrastructure is not what the code says", hint=hint)


@task(name="apply", help={**ENV, **OUTPUT, **CONFIRM, **REPLACE, **DELETE})
@command
def infra_apply(
    c: Context,
    env: str = "",
    yes: bool = False,
    confirm: str = "",
    allow_replace: bool = False,
    allow_delete: bool = False,
    output: str = "text",
) -> None:
    """Show what Terraform would change, and apply just that."""
    _apply(env, destroy=False, yes=yes, confirm=confirm, replace=allow_replace, delete=allow_delete, output=output)


@task(name="destroy", help={**ENV, **OUTPUT, **CONFIRM, **DELETE})
@command
def infra_destroy(
    c: Context, env: str = "", yes: bool = False, confirm: str = "", allow_delete: bool = False, output: str = "text"
) -> None:
    """Remove the whole infrastructure of an environment."""
    _apply(env, destroy=True, yes=yes, confirm=confirm, replace=True, delete=allow_delete, output=output)


@task(name="output", help={**ENV, **OUTPUT, "secrets": "show sensitive values too"})
@command
def infra_output(c: Context, env: str = "", secrets: bool = False, output: str = "text") -> None:
    """Show Terraform's outputs."""
    from deploylib import report

    rows = list(_stack(env).output(secrets=secrets).items())
    report.table("Outputs", ("name", "value"), rows, output=output)


@task(name="unlock", help={**ENV, "lock": "the lock's id, as the error shows it"})
@command
def infra_unlock(c: Context, lock: str, env: str = "") -> None:
    """Release a lock on the state that a dead run left behind."""
    _stack(env).unlock(lock)


@task(name="check")
@command
def infra_check(c: Context) -> None:
    """Check the Terraform code: format, validity, its own tests."""
    from deploylib.infra import quality
    from deploylib.toolchain import machine, provider_mirror, terraform

    program = terraform.find(ROOT)
    quality.check(ROOT, program.program, provider_mirror.environment(ROOT, machine.this(), program), print)


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
    with report.waiting(f"Looking at {environment.name}"):
        found = staleness.look(aws.signed_in(environment), environment, commit)
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


def _stack(env: str) -> Stack:
    from deploylib import aws, config
    from deploylib.infra import stack
    from deploylib.toolchain import machine, provider_mirror, terraform

    environment, program = config.load(ROOT, env), terraform.find(ROOT)
    variables = provider_mirror.environment(ROOT, machine.this(), program)
    account = aws.signed_in(environment)
    return stack.open_stack(
        environment,
        account,
        program=program.program,
        variables=variables,
        line=lambda line: print(line, file=sys.stderr),
        colours=sys.stderr.isatty(),
    )


def _apply(env: str, *, destroy: bool, yes: bool, confirm: str, replace: bool, delete: bool, output: str) -> None:
    from deploylib import aws, config, report
    from deploylib.infra import guards, leftovers

    environment, stack = config.load(ROOT, env), _stack(env)
    account, verb = aws.signed_in(environment), "Destroy" if destroy else "Apply to"
    with stack.plan(destroy=destroy) as saved:
        report.changes(saved.changes, output=output)
        if saved.changes:
            guards.check_dangers(
                saved.changes, environment, destroying=destroy, allow_replace=replace, allow_delete=delete
            )
            report.confirmed(environment, f"{verb} {environment.name}", yes=yes, confirm=confirm)
            if destroy:
                leftovers.note(account.ssm, environment)
            stack.apply(saved)
            if saved.changes.waits_for_deploy and not destroy:
                report.say(f"the running tasks get it with: inv deploy --env {environment.name}", output=output)
    for line in leftovers.clear(account.ecs, environment) if destroy else ():
        report.say(line, output=output)


namespace = Collection(deploy)
for name, tasks in {
    "env": (env_list, env_show, env_validate, env_doctor),
    "infra": (
        *(infra_init, infra_plan, infra_apply, infra_output, infra_destroy),
        *(infra_unlock, infra_check, infra_format),
    ),
    "base": (base_refresh, base_status),
    "image": (image_promote, image_test, image_prune, image_clean),
    "dev": (dev_compose, dev_up, dev_status, dev_down),
    "local": (local_up, local_status, local_down),
}.items():
    namespace.add_collection(Collection(name, *tasks))
