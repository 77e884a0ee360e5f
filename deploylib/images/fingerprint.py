"""What an image is made of, and the one number that says whether that changed.

The fingerprint is the SHA-256 of a text, the *manifest*: one JSON array a line, in this order.

    ["deploylib-fingerprint",1]
    ["platform","linux/amd64"]
    ["dockerfile",SHA-256 of the rendered Dockerfile]
    ["argument",NAME,VALUE]        each build argument that the Dockerfile declares and is given, by name
    ["parent",REFERENCE,DIGEST]    each outside image whose digest was looked up, by reference
    ["file",KIND,CONTENT,PATH]     each file that COPY, ADD or a bind mount takes, by the bytes of its path

It has no time, owner, registry or environment in it, so every machine and every account finds the same number. The
base enters a role as `BASE_HOST/base@sha256:FINGERPRINT` in place of its name in a registry.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploylib.images.context import ContextFile

VERSION = 1
SHORT = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingredients:
    """Everything that an image is made of; two that are equal make images that do the same.

    `parents` is empty until somebody looks up what digest an outside image has (the next step of `base.status`).
    """

    platform: str
    dockerfile: str
    arguments: tuple[tuple[str, str], ...] = ()
    parents: tuple[tuple[str, str], ...] = ()
    files: tuple[ContextFile, ...] = ()

    @property
    def manifest(self) -> str:
        """The text that the fingerprint is taken of; two of them show a person what changed."""
        return "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in self._lines())

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the manifest, in 64 hexadecimal digits."""
        return _sha256(self.manifest)

    def _lines(self) -> Iterator[tuple[str | int, ...]]:
        yield "deploylib-fingerprint", VERSION
        yield "platform", self.platform
        yield "dockerfile", _sha256(self.dockerfile)
        yield from (("argument", *pair) for pair in sorted(self.arguments))
        yield from (("parent", *pair) for pair in sorted(self.parents))
        yield from (("file", one.kind, one.content, one.path) for one in self.files)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
