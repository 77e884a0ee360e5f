"""An application on disk, its environment and its commit, for the tests of this room."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploylib.checkout import Checkout
from deploylib.config import Account, App, BaseImage, Environment, Images, RoleImage

if TYPE_CHECKING:
    from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CLEAN = Checkout(commit=COMMIT)
DIRTY = Checkout(commit=COMMIT, dirty=("web/page.py",))
BASE_DOCKERFILE = "FROM debian:12\nCOPY requirements.txt /\n"
TEMPLATE = """FROM {{ base_image }}
{% if role == "web" %}
COPY web /srv
ARG COMMIT
{% else %}
COPY job /srv
{% endif %}
"""


def write(root: Path, **files: str) -> None:
    """Write *files*; a double underscore in a name is a slash, a single one before the last word a dot."""
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def shop(root: Path) -> Environment:
    """Write an application with a base and two roles and return its environment."""
    write(root, Dockerfile_base=BASE_DOCKERFILE, Dockerfile_j2=TEMPLATE, requirements_txt="flask\n")
    write(root, web__page_py="print('page')\n", job__work_py="print('work')\n", notes_txt="nobody copies this\n")
    return environment(
        root, roles={"web": RoleImage(dockerfile="Dockerfile.j2"), "job": RoleImage(dockerfile="Dockerfile.j2")}
    )


def environment(
    root: Path,
    *,
    roles: dict[str, RoleImage],
    base: BaseImage | None = BaseImage(dockerfile="Dockerfile.base"),  # noqa: B008  # frozen
    name: str = "stg",
    platform: str = "linux/amd64",
) -> Environment:
    return Environment(
        name=name,
        root=root,
        app=App(name="shop", path="."),
        account=Account(id="111111111111", region="ap-northeast-1"),
        images=Images(roles=roles, base=base, platform=platform),
    )
