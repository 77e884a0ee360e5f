"""One emulator of this checkout: what identifies it, where it answers, and where that is written down.

Everything lies under `.local/`: `emulators/NAME/` (record, log, state) and `aws/config`, the AWS shared config file
with one profile for each emulator.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deploylib.toolchain.os_image import checkout_id
from deploylib.toolchain.recorded_process import RecordedProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(".local")
TOKEN = "localaws:"  # noqa: S105 - the extension (tokens.py) refuses another instance's


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalAws:
    """An emulator that was started: `instance` marks its things in the engine, `started_at` counts from the epoch."""

    name: str
    instance: str
    port: int
    account_id: str
    region: str
    engine_host: str
    started_at: float
    pid: int = 0
    process_started: str = ""

    @property
    def endpoint(self) -> str:
        """The AWS endpoint. An address, not `localhost`: S3 clients then put the bucket into the path."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def registry(self) -> str:
        """The host of the image registry: every engine pushes to `localhost` without TLS."""
        return f"localhost:{self.port}"

    @property
    def process(self) -> RecordedProcess:
        """The emulator's process."""
        return RecordedProcess(pid=self.pid, started=self.process_started)


def instance_id(root: Path, name: str) -> str:
    """Return what marks containers, networks and volumes as those of the emulator *name* of this checkout."""
    return f"{checkout_id(root)}-{name}"


def folder(root: Path, name: str) -> Path:
    """Return the folder of the emulator *name*."""
    return root / FOLDER / "emulators" / name


def log_file(root: Path, name: str) -> Path:
    """Return where the emulator *name* writes what it has to say."""
    return folder(root, name) / "emulator.log"


def config_file(root: Path) -> Path:
    """Return the AWS shared config file with the profiles of this checkout's emulators."""
    return root / FOLDER / "aws" / "config"


def read(root: Path, name: str) -> LocalAws | None:
    """Return the recorded emulator *name*, running or not; None when there is none."""
    try:
        return LocalAws(**json.loads((folder(root, name) / "emulator.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def read_all(root: Path) -> tuple[LocalAws, ...]:
    """Return every recorded emulator of this checkout."""

    def found() -> Iterator[LocalAws]:
        for path in sorted((root / FOLDER / "emulators").glob("*/emulator.json")):
            if local := read(root, path.parent.name):
                yield local

    return tuple(found())


def write(root: Path, local: LocalAws) -> None:
    """Record *local* and give it its profile."""
    _replace(folder(root, local.name) / "emulator.json", json.dumps(asdict(local), indent=2))
    _replace(config_file(root), "\n".join(_profile(each) for each in read_all(root)))


def forget(root: Path, name: str = "") -> None:
    """Remove the record of the emulator *name* and its profile; without a name, or after the last, all of `.local/`."""
    if name:
        shutil.rmtree(folder(root, name), ignore_errors=True)
    if name and (others := read_all(root)):
        _replace(config_file(root), "\n".join(_profile(each) for each in others))
    else:
        shutil.rmtree(root / FOLDER, ignore_errors=True)


def _profile(local: LocalAws) -> str:
    """Return the profile: a 12-digit key is the account, the token names the instance, the secret is not checked."""
    return (
        f"[profile {local.name}]\n"
        f"region = {local.region}\n"
        f"aws_access_key_id = {local.account_id}\n"
        f"aws_secret_access_key = local\n"
        f"aws_session_token = {TOKEN}{local.instance}\n"
        f"endpoint_url = {local.endpoint}\n"
    )


def _replace(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
