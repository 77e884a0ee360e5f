"""Terraform's other commands: which of them may be run as they are, and what keeps the rest away. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploylib.errors import ConfigError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from deploylib.config import Environment

# Ours do more: they guard, show, save, and keep what a plan was made for.
INSTEAD = {
    "apply": "infra.apply",
    "destroy": "infra.destroy",
    "force-unlock": "infra.unlock",
    "fmt": "infra.format",
    "init": "infra.init",
    "plan": "infra.plan",
    "refresh": "infra.drift",
    "test": "infra.check",
    "validate": "infra.check",
}
READING = frozenset({"console", "graph", "metadata", "modules", "output", "providers", "show", "version"})
READING_STATE = frozenset({"list", "pull", "show"})
WRITING = frozenset({"import", "taint", "untaint"})
WRITING_STATE = frozenset({"mv", "replace-provider", "rm"})
PASSED_ON = (*sorted(READING | WRITING), *(f"state {one}" for one in sorted(READING_STATE | WRITING_STATE)))
WITH_VARIABLES = frozenset({"console", "import"})


def given(argv: Sequence[str], remainder: str) -> list[str]:
    """Return the words after `--`: Invoke's *remainder* has lost what a shell had quoted, the command line has not."""
    after = list(argv[argv.index("--") + 1 :]) if "--" in argv else []
    return after if " ".join(after) == remainder else remainder.split()


def writes(words: Sequence[str]) -> bool:
    """Whether `terraform WORDS` changes the state, and has to be confirmed."""
    return bool(WRITING & set(words[:1]) or WRITING_STATE & _below_state(words))


def check(words: Sequence[str], environment: Environment, *, secrets: bool = False) -> None:
    """Raise when `terraform WORDS` is not to be run: unknown, ours, or, without *secrets*, it would show them."""
    name = environment.name
    if not words:
        raise ConfigError("no command for Terraform", hint=f"inv infra.tf --env {name} -- state list")
    if words[0] in INSTEAD:
        raise RefusedError(
            f"terraform {words[0]} is not passed on", hint=f"inv {INSTEAD[words[0]]} --env {name}, which guards it"
        )
    if words[0] not in READING | WRITING and not _below_state(words) & (READING_STATE | WRITING_STATE):
        raise RefusedError(
            f"terraform {' '.join(words[:2])} is not passed on",
            hint=f"these are: {', '.join(PASSED_ON)}",
        )
    if _shows_secrets(words) and not secrets:
        raise RefusedError(
            f"terraform {' '.join(words)} prints every secret of {name} in clear",
            hint=f"if that is meant: inv infra.tf --env {name} --secrets -- {' '.join(words)}",
        )


def options(words: Sequence[str], variables: Path) -> list[str]:
    """Return the options to add: the file with the *variables*, for commands that read the code with them."""
    return [f"-var-file={variables}"] if words[0] in WITH_VARIABLES else []


def _below_state(words: Sequence[str]) -> set[str]:
    return set(words[1:2]) if words[:1] == ["state"] else set()


def _shows_secrets(words: Sequence[str]) -> bool:
    flags = {one.lstrip("-").partition("=")[0] for one in words if one.startswith("-")}
    machine = words[0] in ("show", "output") and flags & {"json", "raw"}
    return bool(machine) or "pull" in _below_state(words)
