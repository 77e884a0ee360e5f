"""Images that others pushed, as the source of a pipeline tells of them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from deploylib.errors import ConfigError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Collection

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def parse(text: str) -> dict[str, Path]:
    """Return the file of each role of `web=FILE,job=FILE`; raise `ConfigError` for anything else."""
    pairs = [one.partition("=") for one in text.split(",") if one]
    if wrong := next((one for one in pairs if not (one[0] and one[2])), None):
        raise ConfigError(
            f"--images names the file of each role: {''.join(wrong)!r} does not", hint="--images web=imageDetail.json"
        )
    return {role: Path(file) for role, _, file in pairs}


def digests(files: dict[str, Path], repository: str, needed: Collection[str]) -> dict[str, str]:
    """Return the digest of each role in *needed*, as its imageDetail.json says.

    Raises `ConfigError` for a role without a file and a file that is none, `RefusedError` for an image that is not in
    *repository*: another account's, which this one could not pull.
    """
    if missing := sorted(set(needed) - set(files)):
        raise ConfigError(
            f"--images says nothing of {', '.join(missing)}", hint=f"--images {missing[0]}=imageDetail.json,…"
        )
    return {role: _digest(files[role], repository) for role in sorted(needed)}


def _digest(file: Path, repository: str) -> str:
    """Return the digest in *file*. (CodePipeline, "imageDetail.json file for Amazon ECR source actions")"""
    try:
        name, _, digest = str(json.loads(file.read_text(encoding="utf-8"))["ImageURI"]).rpartition("@")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{file} is no imageDetail.json: {error!r}", hint="the source action of ECR makes one"
        ) from error
    if name != repository:
        raise RefusedError(f"{file} is of {name or 'a tag'}, not of {repository}", hint="push it to this account")
    if not DIGEST.fullmatch(digest):
        raise ConfigError(f"{file}: {digest!r} is no digest", hint="the source action of ECR makes one")
    return digest
