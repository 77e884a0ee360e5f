"""Terraform 1.11 or later (write-only arguments): the one that is there, else the pinned release."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import urllib.error
import urllib.request
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from deploylib import process
from deploylib.errors import DeployError, ProcessError, ToolMissingError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from deploylib.toolchain.machine import Machine

OLDEST = (1, 11)
CHOICE = "DEPLOY_TERRAFORM"
RELEASES = "https://releases.hashicorp.com/terraform"
RELEASES_CHOICE = "DEPLOY_TERRAFORM_RELEASES"
PINNED = "1.11.4"
SHA256 = {
    "linux_amd64": "1ce994251c00281d6845f0f268637ba50c0005657eb3cf096b92f753b42ef4dc",
    "linux_arm64": "a43d1d0da9b9bab214a8305a39db0e40869572594ccf50c416a7756499143633",
    "darwin_amd64": "a56d5002b9f7647291faccc3dd1a70350e60fb61e4c45037629508b8fdc2575b",
    "darwin_arm64": "867e0808fa971217043e25b7a792b10720c79b1546f8a68479b74f138be73e18",
}
VERSION_SECONDS = 30
DOWNLOAD_SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Terraform:
    """A Terraform or OpenTofu that is new enough: its program and version."""

    program: str
    product: Literal["terraform", "tofu"]
    version: str


def find(root: Path, environ: Mapping[str, str] = os.environ) -> Terraform:
    """Return what DEPLOY_TERRAFORM names, else `terraform` on PATH, else the pinned release in the tool folder."""
    if choice := environ.get(CHOICE):
        return _chosen(choice, environ)
    ours = root / _place()
    for program in (shutil.which("terraform", path=environ.get("PATH")), str(ours)):
        if program and Path(program).exists() and _is_new_enough(terraform := _describe(program)):
            return terraform
    raise ToolMissingError("Terraform is not installed, or too old", hint="make setup")


def ensure(
    root: Path,
    machine: Machine,
    say: Callable[[str], None],
    *,
    environ: Mapping[str, str] = os.environ,
    checksums: Mapping[str, str] = SHA256,
) -> Terraform:
    """Return the program to use; fetch the pinned release into the project's tool folder when there is none."""
    try:
        return find(root, environ)
    except ToolMissingError:
        if environ.get(CHOICE):
            raise
    if program := shutil.which("terraform", path=environ.get("PATH")):
        say(f"{program} is {_describe(program).version}, older than {_oldest()}: using {PINNED} instead")
    say(f"fetching Terraform {PINNED}")
    _fetch(root / _place(), machine, environ.get(RELEASES_CHOICE) or RELEASES, checksums)
    return find(root, environ)


def _chosen(choice: str, environ: Mapping[str, str]) -> Terraform:
    program = shutil.which(choice, path=environ.get("PATH"))
    if program is None:
        raise ToolMissingError(f"{CHOICE} names {choice}, which is not there", hint=f"install it, or unset {CHOICE}")
    terraform = _describe(program)
    if not _is_new_enough(terraform):
        raise ToolMissingError(
            f"{program} is {terraform.version}; {_oldest()} or later is needed", hint=f"update it, or unset {CHOICE}"
        )
    return terraform


def _describe(program: str) -> Terraform:
    """Ask *program* for its version, without letting it ask its vendor for a newer one."""
    try:
        done = process.run(
            (program, "version", "-json"), env={"CHECKPOINT_DISABLE": "1"}, timeout_seconds=VERSION_SECONDS
        )
        version = str(json.loads(done.stdout)["terraform_version"])
    except (ProcessError, ValueError, KeyError) as error:
        raise ToolMissingError(f"{program} does not say its version: {error}", hint=f"{program} version") from error
    return Terraform(program=program, product="tofu" if "tofu" in Path(program).name else "terraform", version=version)


def _is_new_enough(terraform: Terraform) -> bool:
    return tuple(int(part) for part in terraform.version.split("-")[0].split(".")[:2]) >= OLDEST


def _oldest() -> str:
    return ".".join(map(str, OLDEST))


def _place() -> Path:
    return Path(".tools") / "terraform" / PINNED / "terraform"


def _fetch(target: Path, machine: Machine, releases: str, checksums: Mapping[str, str]) -> None:
    platform = f"{machine.system}_{machine.architecture}"
    if platform not in checksums:
        raise ToolMissingError(f"there is no pinned Terraform for {platform}: install Terraform {_oldest()} or later")
    url = f"{releases.rstrip('/')}/{PINNED}/terraform_{PINNED}_{platform}.zip"
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        archive = Path(folder) / "terraform.zip"
        _download(url, archive)
        _verify(archive, url, checksums[platform])
        with zipfile.ZipFile(archive) as content:
            program = Path(content.extract("terraform", folder))
        program.chmod(0o755)
        program.replace(target)


def _download(url: str, target: Path) -> None:
    try:
        with urllib.request.urlopen(url, timeout=DOWNLOAD_SECONDS) as answer, target.open("wb") as file:  # noqa: S310 - our own https address or the user's
            shutil.copyfileobj(answer, file)
    except (urllib.error.URLError, OSError) as error:
        raise ToolMissingError(
            f"Terraform is not installed and {url} cannot be reached ({error}): install Terraform {_oldest()} or later",
            hint=f"or name a mirror of the releases: {RELEASES_CHOICE}=https://… make setup",
        ) from error


def _verify(archive: Path, url: str, expected: str) -> None:
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != expected:
        raise DeployError(f"{url} is not the pinned release: its SHA-256 is {found}, expected {expected}")
