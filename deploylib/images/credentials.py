"""Which user and password a registry gets: those of `[registries]`, of ECR, or of the user's own docker log-in."""

from __future__ import annotations

import base64
import binascii
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploylib import process
from deploylib.errors import DeployError
from deploylib.images import login, reference, supplies

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from deploylib.aws import Account
    from deploylib.config import Environment
    from deploylib.images.login import Login

HELPER_SECONDS = 10
NOBODY = "<token>"  # a helper's user name for what is no password but an identity token


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Credentials by registry. `repository` says the app's own, whose registry is ECR whatever its host is called."""

    account: Account
    environment: Environment
    repository: Callable[[], str]
    variables: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def __call__(self, registry: str) -> tuple[str, str] | None:
        """Return user and password for *registry*, None when there are none. Raises the errors of AWS."""
        if configured := self._configured(registry):
            return _read(configured)
        if reference.Reference(domain=registry, path="x").registry_id:
            return _read(login.to_ecr(self.account.ecr, f"{registry}/x").auth)
        own = self.repository()
        if reference.parse(own).domain == registry:
            return _read(login.to_ecr(self.account.ecr, own).auth)
        return of_docker(registry, self.variables)

    def _configured(self, registry: str) -> str:
        wanted = {host: one for host, one in self.environment.registries.items() if _key(host) == _key(registry)}
        return _matching(registry, supplies.registry_logins(self.account.ssm, wanted))


def of_docker(registry: str, variables: Mapping[str, str]) -> tuple[str, str] | None:
    """Return what `docker login` has kept for *registry*, in its configuration or a credential helper."""
    path = Path(variables.get("DOCKER_CONFIG") or Path(variables.get("HOME", "/")) / ".docker") / login.CONFIG
    try:
        configuration: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    key = _key(registry)
    helper = configuration.get("credHelpers", {}).get(key, configuration.get("credsStore", ""))
    auth = configuration.get("auths", {}).get(key, {}).get("auth", "")
    return (_helped(helper, key) if helper else None) or (_read(auth) if auth else None)


def _helped(helper: str, key: str) -> tuple[str, str] | None:
    """Ask the program `docker-credential-HELPER`; one that does not know the registry ends with an error."""
    try:
        answer = process.run((f"docker-credential-{helper}", "get"), stdin=key, timeout_seconds=HELPER_SECONDS)
        found = json.loads(answer.stdout)
        user, secret = found["Username"], found["Secret"]
    except (DeployError, ValueError, KeyError, TypeError):
        return None
    return None if user == NOBODY else (user, secret)


def _key(registry: str) -> str:
    return login.with_password(registry, "", "").key


def _matching(registry: str, logins: Iterable[Login]) -> str:
    return next((one.auth for one in logins if one.key == _key(registry)), "")


def _read(auth: str) -> tuple[str, str] | None:
    try:
        user, colon, password = base64.b64decode(auth).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (user, password) if colon else None
