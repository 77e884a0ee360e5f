"""Terraform's own diagnostics, read back from its text, and what a person does about the well-known ones. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploylib.errors import DeployError, RefusedError, TerraformError

if TYPE_CHECKING:
    from deploylib.config import Environment

LAST_LINES = 40
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
BOX = re.compile(r"^╷[^\n]*\n((?:│[^\n]*\n)+)╵", re.MULTILINE)
INITIALISE = (
    "Backend initialization required",
    "Backend configuration changed",
    "Backend type changed",
    "Initial configuration of the requested backend",
    "Module not installed",
    "Module source has changed",
    "Module version requirements have changed",
    "Missing required provider",
    "Required plugins are not installed",
    "Inconsistent dependency lock file",
    "NoSuchBucket",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One `Error:` or `Warning:` of Terraform, without its box."""

    severity: str
    summary: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.severity}: {self.summary}\n\n{self.detail}".rstrip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """Who holds the state's lock."""

    id: str
    who: str
    created: str
    operation: str


class CommandError(TerraformError):
    """A Terraform command ended with an exit code that is not expected; *shown* says whether its text was seen."""

    def __init__(self, command: str, exit_code: int, text: str, *, shown: bool) -> None:
        self.command = command
        self.diagnostics = read(text)
        self.text = plain(text)
        super().__init__(f"terraform {command} ended with exit code {exit_code}{self._account(shown=shown)}")

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """The errors among the diagnostics."""
        return tuple(one for one in self.diagnostics if one.severity == "Error")

    @property
    def wants_init(self) -> bool:
        """Whether `terraform init` is what is missing."""
        return any(phrase in str(one) for one in self.errors for phrase in INITIALISE)

    def _account(self, *, shown: bool) -> str:
        if shown and self.errors:
            return "".join(f"\n  {one.summary}" for one in self.errors)
        told = "\n\n".join(map(str, self.errors)) or "\n".join(self.text.strip().splitlines()[-LAST_LINES:])
        return f"\n{told}" if told else ""


def plain(text: str) -> str:
    """Return *text* without colours."""
    return COLOUR.sub("", text)


def read(text: str) -> tuple[Diagnostic, ...]:
    """Return the diagnostics in *text*, in order."""
    boxes = (re.sub(r"^│ ?", "", box, flags=re.MULTILINE) for box in BOX.findall(plain(text)))
    return tuple(one for box in boxes if (one := _diagnostic(box)) is not None)


def _diagnostic(box: str) -> Diagnostic | None:
    first, _, detail = box.strip().partition("\n")
    severity, colon, summary = first.partition(": ")
    if not colon or severity not in ("Error", "Warning"):
        return None
    return Diagnostic(severity=severity, summary=summary.strip(), detail=_tidy(detail))


def _tidy(detail: str) -> str:
    lines = [line.rstrip() for line in detail.strip("\n").splitlines()]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines))


def lock(text: str) -> Lock | None:
    """Return the lock that *text* tells of."""
    fields = dict(re.findall(r"^\s*(ID|Who|Created|Operation):\s+(\S.*?)\s*$", text, re.MULTILINE))
    if "Lock Info" not in text or "ID" not in fields:
        return None
    return Lock(
        id=fields["ID"],
        who=fields.get("Who", "somebody"),
        created=re.sub(r"\.\d+ \+0000 UTC$", " UTC", fields.get("Created", "an unknown time")),
        operation=fields.get("Operation", "").removeprefix("OperationType").lower() or "unknown",
    )


def explain(error: CommandError, environment: Environment) -> DeployError:
    """Return *error* as the error to raise for *environment*: the well-known ones with the next thing to do."""
    text = "\n".join(map(str, error.errors)) or error.text
    if held := lock(text):
        return _locked(held, environment, releasing="releasing the state lock" in text)
    if "Saved plan is stale" in text:
        return RefusedError(
            f"{environment.name}: the state moved on since the plan was made; nothing was changed",
            hint=f"inv infra.plan --env {environment.name}, then inv infra.apply --env {environment.name}",
        )
    if "AWS account ID not allowed" in text:
        return RefusedError(
            f"{environment.name}: these credentials are not of account {environment.account.id}\n{error}",
            hint=f"sign in to {environment.account.id}, or correct account.id in environments/{environment.name}.toml",
        )
    hint = next((hint for phrases, hint in _hints(environment) if any(phrase in text for phrase in phrases)), "")
    return TerraformError(f"{environment.name}: {error}", hint=hint)


def _locked(held: Lock, environment: Environment, *, releasing: bool) -> DeployError:
    unlock = f"inv infra.unlock --env {environment.name} --lock {held.id}"
    if releasing:
        return TerraformError(
            f"{environment.name}: Terraform could not release its lock on the state (lock {held.id})", hint=unlock
        )
    return RefusedError(
        f"{environment.name}: the state is locked by {held.who} since {held.created} (operation: {held.operation})",
        hint=f"wait for it; only when it is certain that nothing of {held.who} runs any more: {unlock}",
    )


def _hints(environment: Environment) -> tuple[tuple[tuple[str, ...], str], ...]:
    name, profile = environment.name, environment.account.profile
    login = f"sign in to AWS, for example: aws sso login{f' --profile {profile}' if profile else ''}"
    unsaved = "the state was not saved, and may be in errored.tfstate in the stack's folder"
    again = f"inv infra.apply --env {name}"
    return (
        (
            ("errored.tfstate", "Failed to save state", "Failed to persist state"),
            f"{unsaved}: do as Terraform says, first, with TF_DATA_DIR={environment.root}/.cache/terraform/{name}/data",
        ),
        (
            ("No valid credential sources", "failed to refresh cached credentials", "ExpiredToken", "SSO"),
            login,
        ),
        (("failed to get shared config profile",), f"aws configure sso --profile {profile or 'NAME'}"),
        (
            ("Failed to query available provider packages", "Failed to install provider"),
            "the provider registry must be reachable, or DEPLOY_PROVIDER_MIRROR must name a mirror of the provider",
        ),
        (
            ("not empty, consider using force_delete", "deletion protection", "DeletionProtection"),
            f"set terraform.deletion_protection = false in environments/{name}.toml, then {again}, then destroy",
        ),
        (("Unsupported Terraform Core version",), "make setup"),
        (("connection refused",), "is the endpoint up? inv local.status tells of the local AWS"),
        (("AccessDenied", "UnauthorizedOperation"), "the role of these credentials may not do that"),
        (INITIALISE, f"inv infra.init --env {name}"),
    )
