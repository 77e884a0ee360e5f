"""What an image is made of, and the one number that says whether that changed.

The fingerprint is the SHA-256 of a text, the *manifest*: one JSON array a line, in this order.

    ["deploylib-fingerprint",2]
    ["platform","linux/amd64"]
    ["dockerfile",SHA-256 of the rendered Dockerfile]
    ["argument",NAME,VALUE]        each build argument that the Dockerfile declares and is given, by name
    ["parent",REFERENCE,DIGEST]    the app's base and each outside image, by reference
    ["refreshed",TIME]             only of a base that `base.refresh --force` made anew
    ["file",KIND,CONTENT,PATH]     each file that COPY, ADD or a bind mount takes, by the bytes of its path

It has no owner, registry or environment in it, so every machine and every account finds the same number.
docs/fingerprint.md is the specification.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploylib.images.context import ContextFile

VERSION = 2
SHORT = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingredients:
    """Everything that an image is made of; two that are equal make images that do the same.

    `parents` has the digest of each image that this one is made from. `refreshed` is when somebody asked for another
    build of all the rest (RFC 3339); empty otherwise.
    """

    platform: str
    dockerfile: str
    arguments: tuple[tuple[str, str], ...] = ()
    parents: tuple[tuple[str, str], ...] = ()
    files: tuple[ContextFile, ...] = ()
    refreshed: str = ""

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
        if self.refreshed:
            yield "refreshed", self.refreshed
        yield from (("file", one.kind, one.content, one.path) for one in self.files)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
