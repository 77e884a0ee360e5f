"""Image references by the grammar of the OCI distribution reference: `domain/path[:tag][@digest]`.

The first component is the domain only when it holds a `.` or a `:`, or is `localhost`; else everything before the
tag is the path, and the engine decides where it comes from.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from deploylib.errors import ConfigError

LONGEST_NAME = 255
DOCKER_HUB = "docker.io"
OFFICIAL = "library"  # Docker Hub's own images

_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_HOST = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])"
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_DOMAIN = re.compile(rf"{_HOST}(?::[0-9]+)?", re.ASCII)
_PATH = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*", re.ASCII)
_TAG = re.compile(r"[\w][\w.-]{0,127}", re.ASCII)
_DIGEST = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}", re.ASCII)
_IDENTIFIER = re.compile(r"[a-f0-9]{64}", re.ASCII)
_ECR = re.compile(r"(\d{12})\.dkr[.-]ecr(?:-fips)?\.[a-z0-9-]+\.(?:[a-z0-9-]+\.)+[a-z]+", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """The name of an image. `domain` is empty where the reference leaves the registry to the engine."""

    path: str
    domain: str = ""
    tag: str = ""
    digest: str = ""

    def __str__(self) -> str:
        tag, digest = self.tag and f":{self.tag}", self.digest and f"@{self.digest}"
        return f"{self.repository}{tag}{digest}"

    @property
    def repository(self) -> str:
        """The reference without tag and digest."""
        return f"{self.domain}/{self.path}" if self.domain else self.path

    @property
    def registry_id(self) -> str:
        """The account that an ECR host name says, in any partition; empty for another registry."""
        found = _ECR.fullmatch(self.domain)
        return found[1] if found else ""

    @property
    def normalised(self) -> Reference:
        """The reference as every engine completes it: Docker Hub's where it names no registry, `latest` without tag."""
        hub = self.domain in {"", DOCKER_HUB, f"index.{DOCKER_HUB}"}
        path = f"{OFFICIAL}/{self.path}" if hub and "/" not in self.path else self.path
        tag = self.tag or ("" if self.digest else "latest")
        return replace(self, domain=DOCKER_HUB if hub else self.domain, path=path, tag=tag)

    def at(self, *, tag: str = "", digest: str = "") -> Reference:
        """Return the same repository with *tag* and *digest* instead of its own."""
        return replace(self, tag=tag, digest=digest)


def parse(text: str) -> Reference:
    """Return the reference that *text* is; raise `ConfigError` with the part that breaks the grammar."""
    name, _, digest = text.partition("@")
    slash = name.rfind("/")
    head, colon, tag = name[slash + 1 :].partition(":")
    domain, path = _split(name[: slash + 1] + head)
    checks = (
        (_DOMAIN, domain, "registry", bool(domain)),
        (_PATH, path, "path", True),
        (_TAG, tag, "tag", bool(colon)),
        (_DIGEST, digest, "digest", "@" in text),
    )
    for pattern, part, what, present in checks:
        if present and not pattern.fullmatch(part):
            raise ConfigError(f"{text!r} is no image reference: {part!r} is no {what}")
    if len(name[: slash + 1] + head) > LONGEST_NAME:
        raise ConfigError(f"{text[:40]!r}… is no image reference: its name is longer than {LONGEST_NAME} characters")
    if not (domain or tag or digest) and _IDENTIFIER.fullmatch(path):
        raise ConfigError(f"{text!r} is no image reference but an image's identifier")
    return Reference(domain=domain, path=path, tag=tag, digest=digest)


def _split(name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    is_domain = slash and ("." in first or ":" in first or first == "localhost")
    return (first, rest) if is_domain else ("", name)
