"""A log-in to ECR that is gone when the push is done.

`docker login` would write the token into the user's own `~/.docker/config.json` (or a key ring). Instead docker gets a
folder of its own as DOCKER_CONFIG: the user's configuration with our registry's token laid over it, and links to
everything else in there (plug-ins, contexts, builders). The token is in no argument list and no log.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploylib.errors import ConfigError
from deploylib.images import reference

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from types_boto3_ecr.client import ECRClient

CONFIG = "config.json"


@contextlib.contextmanager
def logged_in(ecr: ECRClient, repository: str, *, environ: Mapping[str, str] = os.environ) -> Iterator[dict[str, str]]:
    """Yield the environment in which docker may push to *repository*; afterwards the log-in is gone."""
    own = Path(environ.get("DOCKER_CONFIG") or Path(environ.get("HOME", "/")) / ".docker")
    merged = _with_auth(_configuration(own / CONFIG), reference.parse(repository).domain, _token(ecr, repository))
    with tempfile.TemporaryDirectory(prefix="docker-config-") as folder:  # only its owner may read it
        for entry in own.iterdir() if own.is_dir() else ():
            if entry.name != CONFIG:
                Path(folder, entry.name).symlink_to(entry.absolute())
        Path(folder, CONFIG).touch(mode=0o600)
        Path(folder, CONFIG).write_text(json.dumps(merged))
        yield {"DOCKER_CONFIG": folder}


def _with_auth(configuration: Mapping[str, Any], host: str, token: str) -> dict[str, Any]:
    """Return *configuration* in which *token* is the log-in to *host*.

    An empty credential helper for that host sends docker past the user's key ring to the file itself.
    """
    return {
        **configuration,
        "auths": {**configuration.get("auths", {}), host: {"auth": token}},
        "credHelpers": {**configuration.get("credHelpers", {}), host: ""},
    }


def _configuration(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: {error}", hint="docker cannot read it either: correct or remove it") from error
    return found if isinstance(found, dict) else {}


def _token(ecr: ECRClient, repository: str) -> str:
    """Return the token for the repository's account, as docker's configuration wants it."""
    account = reference.parse(repository).registry_id
    response = ecr.get_authorization_token(**({"registryIds": [account]} if account else {}))
    return response["authorizationData"][0]["authorizationToken"]
