"""Log-ins to registries that are gone when the work is done.

`docker login` would write a token into the user's own `~/.docker/config.json` (or a key ring). Instead docker gets a
folder of its own as DOCKER_CONFIG: the user's configuration with our log-ins laid over it, and links to everything
else in there (plug-ins, contexts, builders). No password is in an argument list or a log. podman's own command line
reads `auth.json` of the same folder.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploylib.errors import ConfigError
from deploylib.images import reference

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from types_boto3_ecr.client import ECRClient

CONFIG = "config.json"
PODMANS_CONFIG = "auth.json"
DOCKER_HUB = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io", "hub.docker.com"})
DOCKER_HUBS_KEY = "https://index.docker.io/v1/"  # the one registry that is not known by its host


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A log-in as docker's configuration keeps it: the registry's key, and `user:password` in base64."""

    key: str
    auth: str = field(repr=False)


def to_ecr(ecr: ECRClient, repository: str) -> Login:
    """Ask ECR for the token of *repository*'s account."""
    parsed = reference.parse(repository)
    response = ecr.get_authorization_token(**({"registryIds": [parsed.registry_id]} if parsed.registry_id else {}))
    return Login(key=parsed.domain, auth=response["authorizationData"][0]["authorizationToken"])


def with_password(host: str, username: str, password: str) -> Login:
    """Return the log-in of *username* to the registry *host*."""
    auth = base64.b64encode(f"{username}:{password}".encode()).decode()
    return Login(key=DOCKER_HUBS_KEY if host in DOCKER_HUB else host, auth=auth)


@contextlib.contextmanager
def logged_in(*logins: Login, environ: Mapping[str, str] = os.environ) -> Iterator[dict[str, str]]:
    """Yield the environment in which docker has *logins*; afterwards they are gone."""
    own = Path(environ.get("DOCKER_CONFIG") or Path(environ.get("HOME", "/")) / ".docker")
    merged = _with_logins(_configuration(own / CONFIG), {one.key: one.auth for one in logins})
    with tempfile.TemporaryDirectory(prefix="docker-config-") as folder:  # only its owner may read it
        for entry in own.iterdir() if own.is_dir() else ():
            if entry.name not in {CONFIG, PODMANS_CONFIG}:
                Path(folder, entry.name).symlink_to(entry.absolute())
        _write(Path(folder, CONFIG), merged)
        _write(Path(folder, PODMANS_CONFIG), {"auths": merged["auths"]})
        yield {"DOCKER_CONFIG": folder}


def _with_logins(configuration: Mapping[str, Any], auths: Mapping[str, str]) -> dict[str, Any]:
    """Return *configuration* with *auths*.

    An empty credential helper for a host sends docker past the user's key ring to the file itself.
    """
    return {
        **configuration,
        "auths": {**configuration.get("auths", {}), **{key: {"auth": auth} for key, auth in auths.items()}},
        "credHelpers": {**configuration.get("credHelpers", {}), **dict.fromkeys(auths, "")},
    }


def _write(path: Path, document: Mapping[str, Any]) -> None:
    path.touch(mode=0o600)
    path.write_text(json.dumps(document))


def _configuration(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: {error}", hint="docker cannot read it either: correct or remove it") from error
    return found if isinstance(found, dict) else {}
