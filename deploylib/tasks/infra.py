"""Terraform: plan, apply, the state, and the documents of the modules."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from invoke import Context, task

from deploylib.command import command
from deploylib.tasks.options import CONFIRM, ENV, OUTPUT
from deploylib.tasks.place import load, root

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from deploylib.aws import Account
    from deploylib.config import Environment
    from deploylib.infra.changes import Changes
    from deploylib.infra.saved import Basis
    from deploylib.infra.stack import SavedPlan, Stack

DESTROY = {"allow_destroy": "let Terraform take away what holds data, serves or is used: its address (again for more)"}


@task(name="init", help=ENV)
@command
def init(c: Context, env: str = "") -> None:
    """Make the state's bucket and initialise Terraform."""
    _stack(load(c, env)).init(always=True)


@task(name="bootstrap", help={**ENV, **OUTPUT})
@command
def bootstrap(c: Context, env: str = "", output: str = "text") -> None:
    """Make or complete the bucket of the state."""
    from deploylib import report

    environment = load(c, env)
    rows = [(one.what, "now" if one.done else "before") for one in _stack(environment).bootstrap()]
    report.table(environment.state_bucket, ("property", "set"), rows, output=output)


@task(name="plan", help={**ENV, **OUTPUT, "check": "exit 9 when there are changes; save nothing"})
@command
def plan(c: Context, env: str = "", check: bool = False, output: str = "text") -> None:
    """Show and save what Terraform would change."""
    from deploylib import config, report
    from deploylib.infra import together

    if env == "all":
        every = together.each(
            together.here(root(c)), lambda name: _planned(config.load(root(c), name), keep=not check)[0]
        )
        report.side_by_side(every, output=output)
        together.refuse(every, check=check)
        return
    environment = load(c, env)
    changes, basis = _planned(environment, keep=not check)
    report.changes(changes, environment=environment.name, basis=basis, output=output)
    together.refuse({environment.name: changes}, check=check)


@task(name="drift", help={**ENV, **OUTPUT, "check": "exit 9 when there is drift"})
@command
def drift(c: Context, env: str = "", check: bool = False, output: str = "text") -> None:
    """Show what changed behind Terraform's back."""
    from deploylib import report
    from deploylib.errors import OutdatedError

    with _stack(load(c, env)).plan(refresh_only=True) as found:
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
def apply(
    c: Context,
    allow_destroy: list[str],
    env: str = "",
    yes: bool = False,
    confirm: str = "",
    anew: bool = False,
    output: str = "text",
) -> None:
    """Apply the saved plan, or a new one."""
    from deploylib import report, standing

    environment = load(c, env)
    stack = _stack(environment)
    with stack.ready(anew=anew) as plan:
        if _shown(environment, stack.account, plan, allowed=allow_destroy, output=output):
            report.confirmed(environment, f"Apply to {environment.name}", yes=yes, confirm=confirm)
            stack.apply(plan)
    report.pending(environment.name, standing.pending(stack.account, environment), output=output)


@task(name="destroy", help={**ENV, **OUTPUT, **CONFIRM, **DESTROY}, iterable=["allow_destroy"], positional=[])
@command
def destroy(
    c: Context,
    allow_destroy: list[str],
    env: str = "",
    yes: bool = False,
    confirm: str = "",
    output: str = "text",
) -> None:
    """Remove the whole infrastructure of an environment."""
    from deploylib import report
    from deploylib.infra import leftovers

    environment = load(c, env)
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
def output(c: Context, env: str = "", secrets: bool = False, output: str = "text") -> None:
    """Show Terraform's outputs."""
    from deploylib import report

    rows = list(_stack(load(c, env)).output(secrets=secrets).items())
    report.table("Outputs", ("name", "value"), rows, output=output)


@task(name="status", help={**ENV, **OUTPUT, "check": "exit 9 when a template waits for a deploy"})
@command
def status(c: Context, env: str = "", check: bool = False, output: str = "text") -> None:
    """Show the state, its lock, and what waits for a deploy."""
    from deploylib import report, standing
    from deploylib.infra import state

    environment = load(c, env)
    stack = _stack(environment)
    account = stack.account
    services = standing.observed(account, environment)
    position, lock = state.position(account.s3, environment), state.lock(account.s3, environment)
    report.status(environment.name, services, position, lock=lock, waiting=stack.waiting, output=output)
    if check:
        standing.refuse_pending(environment, services)


@task(name="tf", help={**ENV, **CONFIRM, "secrets": "let it print secrets"})
@command
def tf(c: Context, env: str = "", secrets: bool = False, yes: bool = False, confirm: str = "") -> None:
    """Run another command of Terraform, given after --."""
    from deploylib import report
    from deploylib.infra import passthrough

    environment, words = load(c, env), passthrough.given(sys.argv, c.remainder)
    passthrough.check(words, environment, secrets=secrets)
    if passthrough.writes(words):
        report.confirmed(environment, f"terraform {' '.join(words)} in {environment.name}", yes=yes, confirm=confirm)
    _stack(environment, line=print).run(words, secrets=secrets)


@task(name="unlock", help={**ENV, "lock": "the lock's id, as the error shows it"})
@command
def unlock(c: Context, lock: str, env: str = "") -> None:
    """Release a lock on the state that a dead run left behind."""
    _stack(load(c, env)).unlock(lock)


@task(name="check")
@command
def check(c: Context) -> None:
    """Check the Terraform code: format, tests, policy."""
    from concurrent.futures import ThreadPoolExecutor

    from deploylib.infra import policy, quality
    from deploylib.toolchain import machine, provider_mirror, python_environment, terraform

    this, program, judge = machine.this(), terraform.find(root(c)), python_environment.policy(root(c))
    with ThreadPoolExecutor() as threads:
        made = threads.submit(python_environment.ensure, judge, this, print)  # most of it is waiting
        quality.check(root(c), program.program, provider_mirror.environment(root(c), this, program), print)
        made.result()
    policy.check(root(c), str(judge.path / "bin" / "checkov"), print)


@task(name="iam", help={"check": "exit 9 when the document is out of date; write nothing"})
@command
def iam(c: Context, check: bool = False) -> None:
    """Write docs/iam.md: what the deploy role may do, and why."""
    from deploylib import permissions

    (permissions.check if check else permissions.write)(root(c))


@task(name="docs", help={"check": "exit 9 when a page is out of date; write nothing"})
@command
def docs(c: Context, check: bool = False) -> None:
    """Write the README of every Terraform module."""
    from deploylib import report
    from deploylib.infra import module_docs

    if check:
        module_docs.check(root(c))
    else:
        report.say(f"written: {', '.join(module_docs.write(root(c))) or 'nothing, all of them are up to date'}")


@task(name="format")
@command
def format_(c: Context) -> None:
    """Format the Terraform code."""
    from deploylib.infra import quality
    from deploylib.toolchain import terraform

    quality.reformat(root(c), terraform.find(root(c)).program)


def _stack(
    environment: Environment, *, line: Callable[[str], None] = lambda line: print(line, file=sys.stderr)
) -> Stack:
    from deploylib import aws
    from deploylib.infra import stack
    from deploylib.toolchain import machine, provider_mirror, terraform

    program = terraform.find(environment.root)
    variables = provider_mirror.environment(environment.root, machine.this(), program)
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
