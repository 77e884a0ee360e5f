"""A plan that waits to be applied: what it was made for, where it lies, and whether it still holds.

Terraform's file has every secret in clear, so it lies in a folder that only we can read, one for each environment, and
goes when it is applied or replaced by a newer one. The record beside it says what Terraform's file does not: commit,
account and time. Terraform itself refuses a plan whose state moved on, but only after it has started, and in its
own words.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from deploylib import checkout, config
from deploylib.errors import ConfigError, RefusedError
from deploylib.infra import private

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from deploylib.config import Environment
    from deploylib.infra.state import Position

MAXIMUM_HOURS = 24
NOT_HASHED = frozenset({".terraform", "tests"})
PLAN, RECORD = "plan.tfplan", "plan.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """What a plan was made for: the *commit* (nothing outside git), the *configuration* as a hash, the state, when.

    `made_at` is in seconds since 1970.
    """

    environment: str
    account_id: str
    commit: str
    configuration: str
    serial: int
    lineage: str
    made_at: float

    @property
    def made(self) -> str:
        """When the plan was made, in UTC, to the minute."""
        return dt.datetime.fromtimestamp(self.made_at, dt.UTC).strftime("%Y-%m-%d %H:%M UTC")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What is written beside the plan: its basis, and the hash of the file that it belongs to."""

    basis: Basis
    sha256: str


def basis(environment: Environment, position: Position, now: float) -> Basis:
    """Return what a plan that is made *now* is made for."""
    return Basis(
        environment=environment.name,
        account_id=environment.account.id,
        commit=_commit(environment),
        configuration=configuration(environment),
        serial=position.serial,
        lineage=position.lineage,
        made_at=now,
    )


def configuration(environment: Environment) -> str:
    """Return a hash of everything on this machine that Terraform is told: its code and its variables."""
    digest = hashlib.sha256(json.dumps(environment.terraform_variables, sort_keys=True).encode())
    digest.update(environment.state_bucket.encode())
    source = environment.root / "terraform"
    for path in sorted(source.rglob("*")):
        below = path.relative_to(source)
        if path.is_file() and not NOT_HASHED.intersection(below.parts):
            digest.update(f"{below}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def check(made: Basis, now: Basis) -> None:
    """Raise `RefusedError` when a plan that was *made* for that does not hold *now*, with every reason."""
    if reasons := tuple(_reasons(made, now)):
        raise RefusedError(
            f"{now.environment}: the plan of {made.made} is stale: {'; '.join(reasons)}",
            hint=f"inv infra.plan --env {now.environment}, then inv infra.apply --env {now.environment}",
        )


def _reasons(made: Basis, now: Basis) -> list[str]:
    hours = (now.made_at - made.made_at) / 3600
    reasons = {
        f"it is of {made.environment}": made.environment != now.environment,
        f"it is of account {made.account_id}, not {now.account_id}": made.account_id != now.account_id,
        f"it is of commit {_short(made.commit)}, this is {_short(now.commit)}": made.commit != now.commit,
        "the Terraform code or its variables changed": made.configuration != now.configuration,
        "the state is another one": bool(made.lineage) and made.lineage != now.lineage,
        f"the state moved on (serial {made.serial} then, {now.serial} now)": made.serial != now.serial,
        f"it is {hours:.0f} hours old, and {MAXIMUM_HOURS} is the limit": hours > MAXIMUM_HOURS,
    }
    return [reason for reason, holds in reasons.items() if holds]


class Shelf:
    """The place of the one plan that waits, in *folder*."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def plan(self) -> Path:
        """Terraform's file."""
        return self._folder / PLAN

    def put(self, plan: Path, made: Basis) -> None:
        """Move the file *plan* here, in place of what was here."""
        self.clear()
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        record = {"basis": dataclasses.asdict(made), "sha256": _sha256(plan)}
        plan.replace(self.plan)
        private.write(self._folder / RECORD, json.dumps(record, indent=2) + "\n")

    def record(self) -> Record | None:
        """Return what is known of the plan here; None when there is none, or only half of one."""
        try:
            text = (self._folder / RECORD).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        try:
            found = TypeAdapter(Record).validate_json(text)
        except ValidationError:
            return None
        return found if self.plan.is_file() and _sha256(self.plan) == found.sha256 else None

    def clear(self) -> None:
        """Delete what is here."""
        for name in (RECORD, PLAN):
            with contextlib.suppress(FileNotFoundError):
                (self._folder / name).unlink()


def to_json(made: Basis) -> Mapping[str, Any]:
    """Return *made* as a document."""
    return {**dataclasses.asdict(made), "made": made.made}


def _commit(environment: Environment) -> str:
    """Return the commit; nothing where there is no git: the configuration's hash says enough then."""
    try:
        return checkout.observe(environment.root, config.STACK).commit
    except ConfigError:
        return ""


def _short(commit: str) -> str:
    return commit[:12] or "no commit"


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
