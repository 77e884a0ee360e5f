"""What a build elsewhere is given: one archive of the files that the image takes, its Dockerfile, and what to run.

The files are those that the fingerprint counted, and no others: what the tag promises is what is built. The same files
make the same bytes, whatever their dates and owners on this machine are. They are in a tar of their own, because what
unpacks a zip need not keep links and modes.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
import tempfile
import zipfile
from typing import IO, TYPE_CHECKING

from deploylib.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from deploylib.images.context import ContextFile
    from deploylib.images.recipe import Recipe

BUILDSPEC = "buildspec.yml"  # where CodeBuild looks by itself
DOCKERFILE = "Dockerfile"
FILES = "context.tar"
SINCE = 946684800  # seconds since the epoch: 2000, which every file system and archive can say
ZIP_SINCE = (2000, 1, 1, 0, 0, 0)
READABLE, EXECUTABLE = 0o644, 0o755
UNIX = 3


def write(target: IO[bytes], recipe: Recipe, base: str, *, buildspec: str) -> str:
    """Write the archive of *recipe*, standing on *base*, to *target*; return the SHA-256 of what was written.

    Raises `ImageError` when a file is not any more what the fingerprint counted.
    """
    with zipfile.ZipFile(target, "w") as archive, tempfile.TemporaryFile() as packed:
        _pack(packed, recipe.context, recipe.ingredients.files)
        packed.seek(0)
        _add(archive, BUILDSPEC, io.BytesIO(buildspec.encode()))
        _add(archive, DOCKERFILE, io.BytesIO(recipe.written_on(base).encode()))
        # Its own ignore file wins over the context's, which has been obeyed already.
        _add(archive, f"{DOCKERFILE}.dockerignore", io.BytesIO())
        _add(archive, FILES, packed)
    target.seek(0)
    return hashlib.file_digest(target, "sha256").hexdigest()  # type: ignore[arg-type]  # it reads any file of bytes


def _add(archive: zipfile.ZipFile, name: str, content: IO[bytes]) -> None:
    entry = zipfile.ZipInfo(name, ZIP_SINCE)
    entry.compress_type, entry.create_system, entry.external_attr = zipfile.ZIP_DEFLATED, UNIX, READABLE << 16
    with archive.open(entry, "w", force_zip64=True) as into:
        while part := content.read(1 << 20):
            into.write(part)


def _pack(target: IO[bytes], root: Path, files: Iterable[ContextFile]) -> None:
    with tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for one in files:
            entry = _entry(one)
            if one.kind == "link":
                tar.addfile(entry)
            else:
                content = _counted(root, one)
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))


def _entry(file: ContextFile) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(file.path)
    entry.mtime, entry.mode = SINCE, EXECUTABLE if file.kind == "executable" else READABLE
    if file.kind == "link":
        entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, file.content, 0o777
    return entry


def _counted(root: Path, file: ContextFile) -> bytes:
    content = (root / file.path).read_bytes() if (root / file.path).is_file() else b""
    if hashlib.sha256(content).hexdigest() != file.content:
        raise ImageError(f"{file.path} was changed while the image was being made", hint="repeat the command")
    return content
