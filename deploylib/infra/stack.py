"""One environment's infrastructure: plan, keep the plan, apply exactly that one, read drift and outputs.

Every Terraform command that loads the AWS provider costs two to three seconds, so there are few: `init` only when
something that it depends on changed, `plan` once, `show` only when there is something to show, `apply` of the file.
Whatever belongs to one environment is in `.cache/terraform/ENVIRONMENT`, so that environments never meet: with one data
directory for two, a plan can run against the other one's state.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploylib import aws, config
from deploylib.errors import RefusedError, TerraformError
from deploylib.infra import backend, passthrough, private, saved, state
from deploylib.infra.changes import Changes, read_changes
from deploylib.infra.diagnostics import CommandError, explain, read
from deploylib.infra.runner import Flag, Terraform

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from deploylib.clock import Clock
    from deploylib.config import Environment
    from deploylib.infra.backend import Step
    from deploylib.infra.saved import Basis

CHANGED = 2
HIDDEN = "(sensitive)"
VARIABLES = "variables.tfvars.json"
INIT_RELEVANT = re.compile(r"^\s*(?:module|source|version|required_version|backend)\b.*$", re.MULTILINE)

# Terraform and its provider are Go programs that live for seconds and make much that stays: collecting garbage at a
# fifth heap of new data instead of at a second one saves a fifth of a plan's processor time, for 0.2 GB more memory.
GO = {"GOGC": "400"}

# What a shell can hand to Terraform behind our back: other options, another state, other values.
STRAY = re.compile(r"TF_CLI_ARGS.*|TF_VAR_.*|TF_WORKSPACE|TF_DATA_DIR|TF_INPUT|TF_IN_AUTOMATION")


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedPlan:
    """A plan of *environment* that Terraform keeps in *file*, what it does, and what it was made for.

    `kept`: it was made by an earlier command, and waited.
    """

    environment: str
    file: Path
    changes: Changes
    basis: Basis
    destroying: bool = False
    kept: bool = False


def open_stack(
    environment: Environment,
    account: aws.Account,
    *,
    program: str,
    variables: Mapping[str, str],
    line: Callable[[str], None],
    colours: bool = False,
) -> Stack:
    """Return *environment*'s stack, once STS has said that *account* is the right one.

    *program* is Terraform's; *variables* are added to its environment (where it finds its providers); *line* gets
    what people should see, Terraform's own text among it, without its colours unless *colours*. Raises `RefusedError`
    in the wrong account, and where others make the infrastructure.
    """
    if environment.contract is not None:
        raise RefusedError(
            f"environment {environment.name} has a [contract]: its infrastructure is not made by {config.STACK}",
            hint=f"change it where it is made, and [contract] in environments/{environment.name}.toml",
        )
    aws.guard(account, environment)
    return Stack(environment, account, program=program, variables=variables, line=line, colours=colours)


class Stack:
    """The verbs. Made by `open_stack`, which asks the account guard first."""

    def __init__(
        self,
        environment: Environment,
        account: aws.Account,
        *,
        program: str,
        variables: Mapping[str, str],
        line: Callable[[str], None],
        colours: bool = False,
        clock: Clock = time,
    ) -> None:
        self.account = account
        self._clock = clock
        self._environment = environment
        self._line = line
        self._folder = folder(environment)
        self._shelf = saved.Shelf(self._folder / "saved")
        self._source = environment.root / config.STACK
        self._program = program
        self._terraform = Terraform(
            self._source,
            program=program,
            variables=child_variables(environment, aws.child_variables(environment), variables),
            line=line,
            colours=colours,
        )

    def init(self, *, always: bool = False) -> bool:
        """Make the state's bucket and initialise, unless nothing changed since the last time; return whether it did."""
        self._write_files()
        if not always and self._stamp.is_file() and self._stamp.read_text() == self._fingerprint():
            return False
        for step in self.bootstrap():
            if step.done:
                self._line(f"{self._environment.state_bucket}: {step.what}")
        self._stamp.unlink(missing_ok=True)
        self._explained(lambda: self._terraform.init(backend_config=[str(self._folder / "backend.tfbackend")]))
        private.write(self._stamp, self._fingerprint())
        return True

    def bootstrap(self) -> tuple[Step, ...]:
        """Make the state's bucket, or give it what it lacks, and write the backend's file; return every property."""
        self._write_files()
        return backend.bootstrap(self.account.s3, self._environment)

    @contextlib.contextmanager
    def plan(
        self, *, destroy: bool = False, refresh_only: bool = False, meanwhile: Callable[[], object] = lambda: None
    ) -> Iterator[SavedPlan]:
        """Yield a plan, to show and then to `keep`, to `apply`, or neither.

        Its file, with every secret in it, is gone afterwards unless it was kept. *refresh_only*: not what the code
        would change, but what differs from the state. *meanwhile* is done in a thread while Terraform works.
        """
        self.init()
        self._sweep()
        file = self._folder / f"{os.getpid()}.tfplan"
        private.write(file, "")  # Terraform keeps the mode of a file that is there
        try:
            with ThreadPoolExecutor(1) as beside:
                basis = beside.submit(self._basis)  # a serial that is read too late is found out by Terraform itself
                beside.submit(meanwhile)
                code, text, _ = self._initialised(lambda: self._plan(file, destroy=destroy, refresh_only=refresh_only))
            changes = self._show(file) if code == CHANGED else Changes()
            warnings = tuple(str(one) for one in read(text) if one.severity == "Warning")
            yield SavedPlan(
                environment=self._environment.name,
                file=file,
                changes=dataclasses.replace(changes, warnings=(*changes.warnings, *warnings)),
                basis=basis.result(),
                destroying=destroy,
            )
        finally:
            file.unlink(missing_ok=True)

    def keep(self, plan: SavedPlan) -> None:
        """Let *plan* wait for `ready`, instead of the one that waits; a plan without changes only takes it away."""
        self._shelf.clear()
        if plan.changes and not plan.destroying:
            self._shelf.put(plan.file, plan.basis)

    @property
    def waiting(self) -> Basis | None:
        """What the plan that waits was made for."""
        record = self._shelf.record()
        return record.basis if record else None

    @contextlib.contextmanager
    def ready(self, *, anew: bool = False) -> Iterator[SavedPlan]:
        """Yield the plan that waits; when none does, or *anew*, a new one.

        Raises `RefusedError` when the world, or what we want of it, is not as it was when that plan was made.
        """
        basis = None if anew else self.waiting
        if basis is None:
            with self.plan() as made:
                yield made
            return
        self.init()
        saved.check(basis, self._basis())
        file = self._shelf.plan
        yield SavedPlan(environment=basis.environment, file=file, changes=self._show(file), basis=basis, kept=True)

    def apply(self, plan: SavedPlan) -> None:
        """Apply exactly *plan*, with Terraform's own text going to `line`. A plan is applied once."""
        if plan.environment != self._environment.name:  # a plan carries its backend: it would change the other state
            raise RefusedError(f"this plan is of {plan.environment}, not of {self._environment.name}")
        try:
            self._explained(lambda: self._terraform.apply(str(plan.file), skip_plan=True, streamed=True))
        finally:
            plan.file.unlink(missing_ok=True)
            self._shelf.clear()  # what waits was made before this one

    def run(self, words: Sequence[str], *, secrets: bool = False) -> None:
        """Run `terraform WORDS`, its text going to `line`; see `passthrough` for what may be run so.

        Makes nothing: there must be a state.
        """
        passthrough.check(words, self._environment, secrets=secrets)
        self._require_bucket()
        self.init()
        rest = (*passthrough.options(words, self._folder / VARIABLES), *words[1:])
        self._initialised(lambda: self._terraform.cmd(words[0], *rest, streamed=True, typed=words[0] == "console"))

    def output(self, *, secrets: bool = False) -> dict[str, Any]:
        """Return the outputs, the sensitive ones masked unless *secrets*. Makes nothing: there must be a state."""
        self._require_bucket()
        self.init()
        found = json.loads(self._initialised(self._terraform.output))
        return {
            name: HIDDEN if one["sensitive"] and not secrets else one["value"] for name, one in sorted(found.items())
        }

    def unlock(self, lock_id: str) -> None:
        """Release the lock *lock_id*, whoever holds it: for a run that is certainly dead."""
        self.init()
        self._initialised(lambda: self._terraform.cmd("force-unlock", lock_id, force=Flag))

    def _require_bucket(self) -> None:
        if not backend.exists(self.account.s3, self._environment):
            name = self._environment.name
            raise TerraformError(f"{name}: nothing has been applied yet", hint=f"inv infra.apply --env {name}")

    def _basis(self) -> Basis:
        position = state.position(self.account.s3, self._environment)
        return saved.basis(self._environment, position, self._clock.time())

    @property
    def _stamp(self) -> Path:
        return self._folder / "initialised"

    def _plan(self, file: Path, *, destroy: bool, refresh_only: bool) -> Any:
        return self._terraform.plan(
            out=str(file),
            var_file=[str(self._folder / VARIABLES)],
            destroy=Flag if destroy else None,
            refresh_only=Flag if refresh_only else None,
            ok=(0, CHANGED),
        )

    def _show(self, file: Path) -> Changes:
        shown = self._explained(lambda: self._terraform.cmd("show", str(file), json=Flag))
        return read_changes(json.loads(shown[1]))

    def _initialised(self, run: Callable[[], Any]) -> Any:
        """Run; when Terraform says that it wants `init` after all (its folder or the bucket is gone), once more."""
        try:
            return run()
        except CommandError as error:
            if not error.wants_init:
                raise explain(error, self._environment) from error
        self.init(always=True)
        return self._explained(run)

    def _explained(self, run: Callable[[], Any]) -> Any:
        try:
            return run()
        except CommandError as error:
            raise explain(error, self._environment) from error

    def _write_files(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        private.write(self._folder / "backend.tfbackend", backend.render(backend.settings(self._environment)))
        variables = json.dumps(self._environment.terraform_variables, indent=2, ensure_ascii=False)
        private.write(self._folder / VARIABLES, f"{variables}\n")

    def _fingerprint(self) -> str:
        """Return a hash of what `init` depends on: backend, providers, module calls, and which Terraform it was."""
        digest = hashlib.sha256((self._folder / "backend.tfbackend").read_bytes())
        lock_file = self._source / ".terraform.lock.hcl"
        digest.update(lock_file.read_bytes() if lock_file.is_file() else b"")
        for source in sorted(self._source.parent.rglob("*.tf")):
            lines = INIT_RELEVANT.findall(source.read_text(encoding="utf-8"))
            digest.update("\n".join([str(source), *lines]).encode())
        program = Path(self._program)
        if program.is_file():
            digest.update(f"{program.resolve()} {program.stat().st_mtime_ns}".encode())
        return digest.hexdigest()

    def _sweep(self) -> None:
        """Delete the plans of runs that were killed."""
        for file in self._folder.glob("*.tfplan"):
            if file.stem.isdigit() and not _is_running(int(file.stem)):
                file.unlink(missing_ok=True)


def folder(environment: Environment) -> Path:
    """Return where everything is that Terraform keeps on this machine for *environment*."""
    return environment.root / ".cache" / "terraform" / environment.name


def child_variables(environment: Environment, inherited: Mapping[str, str], added: Mapping[str, str]) -> dict[str, str]:
    """Return Terraform's whole environment: *inherited* without what would change a command, *added*, and ours."""
    return {
        **GO,
        **{name: value for name, value in inherited.items() if not STRAY.fullmatch(name)},
        "TF_REGISTRY_DISCOVERY_RETRY": "3",
        **added,
        "TF_IN_AUTOMATION": "1",
        "TF_INPUT": "0",
        "TF_DATA_DIR": str(folder(environment) / "data"),
    }


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
