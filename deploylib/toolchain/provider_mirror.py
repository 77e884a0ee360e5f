"""Where Terraform gets the AWS provider from: the public registry, or a mirror in the file system.

Terraform warns on every command when TF_CLI_CONFIG_FILE names a missing file, and asks the public registry even where
that cannot be reached. So its child processes get a configuration file of ours, unless the user has one.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from deploylib.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from deploylib.toolchain.machine import Machine
    from deploylib.toolchain.terraform import Terraform

CHOICE = "DEPLOY_PROVIDER_MIRROR"
VARIABLE = "TF_CLI_CONFIG_FILE"
PROVIDER = "hashicorp/aws"
REGISTRIES = {"terraform": "registry.terraform.io", "tofu": "registry.opentofu.org"}
GENERIC_PLACES = ("opt", "opt/*", "usr/local/share", "usr/local/share/*", "usr/share", "usr/share/*", "srv", "srv/*")
HEADER = "# Written by deploylib for its own Terraform commands.\ndisable_checkpoint = true\n"
LOCKED_VERSION = re.compile(rf'provider "[^"]*/{PROVIDER}" \{{\s*version\s*=\s*"([^"]+)"')


def environment(
    root: Path,
    machine: Machine,
    terraform: Terraform,
    *,
    environ: Mapping[str, str] = os.environ,
    top: Path = Path("/"),
) -> dict[str, str]:
    """Return what to add to the environment of Terraform's child processes. Writes our configuration file if needed."""
    if own := _users_own(environ):
        return {VARIABLE: str(own)} if environ.get(VARIABLE) not in (None, str(own)) else {}
    mirror = find(root, machine, terraform, environ=environ, top=top)
    path = root / ".cache" / "terraform" / "cli.tfrc"
    _write(path, _configuration(mirror, REGISTRIES[terraform.product]))
    return {VARIABLE: str(path), "CHECKPOINT_DISABLE": "1"}


def find(
    root: Path,
    machine: Machine,
    terraform: Terraform,
    *,
    environ: Mapping[str, str] = os.environ,
    top: Path = Path("/"),
) -> Path | None:
    """Return the mirror that holds the AWS provider for this machine, in the version that the lock file names."""
    versions = _locked_versions(root)
    registry = REGISTRIES[terraform.product]
    platform = f"{machine.system}_{machine.architecture}"

    def holds(mirror: Path) -> bool:
        return _holds(mirror / registry / PROVIDER, platform, versions)

    if choice := environ.get(CHOICE):
        if not holds(Path(choice)):
            raise ConfigError(
                f"{CHOICE}={choice} holds no {PROVIDER} {' or '.join(versions)} for {platform}",
                hint=f"expected {choice}/{registry}/{PROVIDER}/VERSION/{platform}; or unset {CHOICE}",
            )
        return Path(choice)
    return next(filter(holds, (*_implied(environ), *_generic(top))), None)


def _users_own(environ: Mapping[str, str]) -> Path | None:
    """Return the configuration file that the user has: what the variable names, else the one at home."""
    home, named = Path(environ.get("HOME", "/")), environ.get(VARIABLE)
    places = (*((Path(named),) if named else ()), home / ".terraformrc", home / ".tofurc")
    return next((path for path in places if path.is_file()), None)


def _implied(environ: Mapping[str, str]) -> Iterator[Path]:
    """Yield the directories that Terraform itself looks into."""
    home = Path(environ.get("HOME", "/"))
    yield home / ".terraform.d" / "plugins"
    yield Path(environ.get("XDG_DATA_HOME") or home / ".local" / "share") / "terraform" / "plugins"
    for folder in (environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share").split(":"):
        yield Path(folder) / "terraform" / "plugins"


def _generic(top: Path) -> Iterator[Path]:
    for place in GENERIC_PLACES:
        yield from sorted(top.glob(place))


def _holds(provider: Path, platform: str, versions: tuple[str, ...]) -> bool:
    """Return whether the provider is there, unpacked (VERSION/PLATFORM/) or packed (…_VERSION_PLATFORM.zip)."""
    return all(
        any(provider.glob(f"{version}/{platform}")) or any(provider.glob(f"*_{version}_{platform}.zip"))
        for version in versions or ("*",)
    )


def _locked_versions(root: Path) -> tuple[str, ...]:
    locks = sorted(root.glob("terraform/*/.terraform.lock.hcl"))
    return tuple(v for lock in locks for v in LOCKED_VERSION.findall(lock.read_text(encoding="utf-8")))


def _configuration(mirror: Path | None, registry: str) -> str:
    if mirror is None:
        return HEADER
    return f"""{HEADER}provider_installation {{
  filesystem_mirror {{
    path    = "{mirror}"
    include = ["{registry}/{PROVIDER}"]
  }}
  direct {{
    exclude = ["{registry}/{PROVIDER}"]
  }}
}}
"""


def _write(path: Path, text: str) -> None:
    """Replace the file in one step and only when it differs: several commands may run at once."""
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
