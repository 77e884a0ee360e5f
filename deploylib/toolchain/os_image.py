"""The base OS image: from the public registry, or built from the distribution's own packages where none is reachable.

Either way it gets this machine's extra certificate authorities, so that pip, npm and curl work in image builds behind a
proxy that intercepts TLS, and a label with the fingerprint of its recipe, so that it is made anew only when that
changes. An image of the same name without our label is the user's own and is used as it is.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shlex
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from deploylib import process
from deploylib.errors import ProcessError
from deploylib.toolchain import machine as machines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from deploylib.toolchain.engine import Engine
    from deploylib.toolchain.engine_api import EngineApi
    from deploylib.toolchain.machine import Machine

RECIPE_LABEL = "deploylib.recipe"
CHECKOUT_LABEL = "deploylib.checkout"
MIRROR_CHOICE = "DEBIAN_MIRROR"
PULL_SECONDS = 90
BUILD_SECONDS = 900

BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "SSL_CERT_FILE": BUNDLE,
    "PIP_CERT": BUNDLE,
    "REQUESTS_CA_BUNDLE": BUNDLE,
    "NODE_EXTRA_CA_CERTS": BUNDLE,
}
SLIM = (
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
    "path-exclude=/usr/share/locale/*",
)
DOCKERFILE = f"""\
FROM {{source}}
COPY certificates/ /usr/local/share/ca-certificates/
RUN apt-get update \\
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ca-certificates \\
 && update-ca-certificates \\
 && rm -rf /var/lib/apt/lists/*
ENV {" ".join(f"{name}={value}" for name, value in ENVIRONMENT.items())}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class OsImage:
    """A Debian of *suite* under the name *name*; *registry_name* is the same in the public registry."""

    name: str = "local/debian:bookworm"
    suite: str = "bookworm"
    registry_name: str = "debian:bookworm-slim"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How an image is made here: certificate files by name, and the labels that it gets."""

    image: OsImage
    certificates: Mapping[str, bytes]
    labels: Mapping[str, str]


def ensure(
    root: Path, engine: Engine, machine: Machine, say: Callable[[str], None], *, image: OsImage = OsImage()
) -> bool:
    """Make the image when it is missing or its recipe changed; return whether anything was done."""
    recipe = recipe_of(image, machine, root)
    if is_current(engine, image.name, recipe.labels):
        return False
    if not _from_registry(engine, recipe, say):
        _install_bootstrap(image, machine, say)
        _from_packages(root, engine, recipe, say)
    return True


def recipe_of(image: OsImage, machine: Machine, root: Path) -> Recipe:
    """Return how *image* is made on *machine*."""
    certificates = {path.name: path.read_bytes() for path in sorted(machine.certificates.glob("*.crt"))}
    parts = [image.suite, image.registry_name, DOCKERFILE, *SLIM]
    parts += [f"{name} {hashlib.sha256(content).hexdigest()}" for name, content in certificates.items()]
    return Recipe(image=image, certificates=certificates, labels=labels_of(image.name, root, *parts))


def labels_of(name: str, root: Path, *parts: str) -> dict[str, str]:
    """Return the labels of the image *name* that is made at *root*; the recipe's changes when any of *parts* does.

    The recipe names its image, as an image built from ours inherits the label.
    """
    fingerprint = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
    return {RECIPE_LABEL: f"{name}@{fingerprint}", CHECKOUT_LABEL: checkout_id(root)}


def is_current(engine: Engine, name: str, labels: Mapping[str, str]) -> bool:
    """Return whether *name* was made from the recipe in *labels*, or is not ours to make."""
    found = _labels(engine.api, name)
    if found is None:
        return False
    recipe = found.get(RECIPE_LABEL, "")
    return recipe == labels[RECIPE_LABEL] or not recipe.startswith(f"{name}@")


def remove(api: EngineApi, name: str, root: Path) -> bool:
    """Remove the image *name* if the checkout at *root* made it; return whether it did."""
    found = _labels(api, name) or {}
    ours = found.get(RECIPE_LABEL, "").startswith(f"{name}@") and found.get(CHECKOUT_LABEL) == checkout_id(root)
    return ours and api.delete(f"/images/{quote(name, safe='/:')}")


def _labels(api: EngineApi, name: str) -> dict[str, str] | None:
    image = api.get(f"/images/{quote(name, safe='/:')}/json")
    return None if image is None else dict(image["Config"].get("Labels") or {})


def build(
    engine: Engine, name: str, folder: Path, labels: Mapping[str, str], *, arguments: Mapping[str, str] | None = None
) -> None:
    """Build the Dockerfile in *folder* as *name*."""
    options = [part for key, value in labels.items() for part in ("--label", f"{key}={value}")]
    options += [part for key, value in (arguments or {}).items() for part in ("--build-arg", f"{key}={value}")]
    process.run(
        (engine.program, "build", "--quiet", "--tag", name, *options, str(folder)),
        env=engine.environ,
        timeout_seconds=BUILD_SECONDS,
    )


@contextlib.contextmanager
def pulled(engine: Engine, name: str) -> Iterator[bool]:
    """Yield whether *name* is there, pulling it if it can be had; a name that was pulled for this goes again."""
    if engine.api.get(f"/images/{name}/json") is not None:
        yield True
    elif _pull(engine, name):
        yield True
        engine.api.delete(f"/images/{name}")
    else:
        yield False


def checkout_id(root: Path) -> str:
    """Return what marks things in the engine as made by the checkout at *root*."""
    path = root.resolve()
    name = "".join(character for character in path.name.lower() if character.isascii() and character.isalnum())
    return f"{name[:20] or 'checkout'}-{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"


def _from_registry(engine: Engine, recipe: Recipe, say: Callable[[str], None]) -> bool:
    source = recipe.image.registry_name
    with pulled(engine, source) as is_there, tempfile.TemporaryDirectory() as folder:
        if is_there:
            say(f"making the image {recipe.image.name} from {source}")
            _write(Path(folder), DOCKERFILE.format(source=source), recipe.certificates)
            build(engine, recipe.image.name, Path(folder), recipe.labels)
    return is_there


def _pull(engine: Engine, name: str) -> bool:
    try:
        process.run((engine.program, "pull", "--quiet", name), env=engine.environ, timeout_seconds=PULL_SECONDS)
    except ProcessError:
        return False
    return True


def _install_bootstrap(image: OsImage, machine: Machine, say: Callable[[str], None]) -> None:
    if shutil.which("mmdebstrap") is None:
        sentence = (
            f"{image.registry_name} cannot be pulled from the public registry, and mmdebstrap, which would build it "
            "from the distribution's packages, is not installed"
        )
        machines.install(("mmdebstrap",), machine, say, otherwise=sentence)


def _from_packages(root: Path, engine: Engine, recipe: Recipe, say: Callable[[str], None]) -> None:
    say(f"building the image {recipe.image.name} from the distribution's packages")
    cache = root / ".cache"
    cache.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        _write(Path(folder), "", recipe.certificates)
        archive = Path(folder) / "root.tar"
        process.run(_bootstrap(recipe, Path(folder) / "certificates", archive), timeout_seconds=BUILD_SECONDS)
        process.run(
            (engine.program, "import", *_changes(recipe.labels), str(archive), recipe.image.name),
            env=engine.environ,
            timeout_seconds=BUILD_SECONDS,
        )


def _bootstrap(recipe: Recipe, certificates: Path, archive: Path) -> tuple[str, ...]:
    files = shlex.join(str(certificates / name) for name in recipe.certificates)
    hooks = (
        f"--customize-hook=copy-in {files} /usr/local/share/ca-certificates",
        '--customize-hook=chroot "$1" update-ca-certificates >/dev/null',
    )
    mirror = os.environ.get(MIRROR_CHOICE)
    return (
        *("mmdebstrap", "--quiet", "--variant=minbase", "--include=ca-certificates"),
        *(f"--dpkgopt={option}" for option in SLIM),
        *('--aptopt=APT::Install-Recommends "false"', '--aptopt=Acquire::Languages "none"'),
        *(hooks if files else ()),
        *(recipe.image.suite, str(archive)),
        *((mirror,) if mirror else ()),
    )


def _changes(labels: Mapping[str, str]) -> tuple[str, ...]:
    lines = [f"ENV {name}={value}" for name, value in ENVIRONMENT.items()]
    lines += [f"LABEL {name}={json.dumps(value)}" for name, value in labels.items()]
    lines.append('CMD ["/bin/bash"]')
    return tuple(part for line in lines for part in ("--change", line))


def _write(folder: Path, dockerfile: str, certificates: Mapping[str, bytes]) -> None:
    (folder / "Dockerfile").write_text(dockerfile, encoding="utf-8")
    (folder / "certificates").mkdir()
    for name, content in certificates.items():
        (folder / "certificates" / name).write_bytes(content)
