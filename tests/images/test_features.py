from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deploylib.config import RoleImage
from deploylib.errors import ImageError
from deploylib.images import features
from deploylib.images.ability import Ability
from deploylib.images.recipe import Recipe, recipes
from deploylib.images.upstream import nobody
from tests.images.kitchen import CLEAN, environment, write

if TYPE_CHECKING:
    from pathlib import Path

CLASSIC = Ability(kind="classic", program="docker", platform="linux/amd64")
INSIDE = Ability(kind="buildkit", program="docker", platform="linux/amd64", buildkit=(0, 8))
BUILDX = Ability(kind="buildx", program="docker", platform="linux/amd64", buildkit=(0, 13), driver="docker")
PODMAN = Ability(kind="podman", program="podman", platform="linux/amd64")


def recipe(root: Path, text: str) -> Recipe:
    write(root, Dockerfile=text)
    return recipes(environment(root, base=None, roles={"app": RoleImage(dockerfile="Dockerfile")}), CLEAN, nobody)[0]


@pytest.mark.parametrize(
    ("instruction", "what"),
    [
        ("RUN --mount=type=cache,target=/c make", ["RUN --mount"]),
        ("RUN --network=none make", ["RUN --network"]),
        ("COPY --chmod=755 a /a", ["COPY --chmod"]),
        ("COPY --from=x --link a /a", ["COPY --link"]),
        ("ADD --checksum=sha256:00 https://x/y /y", ["ADD --checksum"]),
        ("RUN <<EOF\nRUN --mount=x\nEOF", ["a here-document"]),
        ("RUN --mount=type=secret,id=a cat <<-'EOF' > /x\na\nEOF", ["RUN --mount", "a here-document"]),
        ("COPY <<EOF /etc/motd\nhello\nEOF", ["a here-document"]),
        ("RUN make --mount=x && echo $((1<<4)) <<< word", []),
        ("RUN echo --chmod=1", []),
        ("COPY --from=x --chown=1 a /a", []),
        ("# RUN --mount=x", []),
    ],
)
def test_what_a_dockerfile_wants_is_found(instruction: str, what: list[str]) -> None:
    found = list(features.wanted(f"FROM scratch\n{instruction}\n"))
    assert [one.what for one in found] == what
    assert {one.line for one in found} <= {2}


@pytest.mark.parametrize(
    ("able", "line", "refused"),
    [
        (CLASSIC, "RUN --mount=type=cache,target=/c make", True),
        (CLASSIC, "COPY --chmod=755 Dockerfile /", True),
        (INSIDE, "RUN --mount=type=cache,target=/c make", False),
        (INSIDE, "COPY --chmod=755 Dockerfile /", False),
        (INSIDE, "RUN <<E\nmake\nE", True),
        (BUILDX, "RUN <<E\nmake\nE", False),
        (PODMAN, "RUN <<E\nmake\nE", False),
    ],
)
def test_a_builder_that_cannot_read_it_is_said_before_the_build(
    tmp_path: Path, able: Ability, line: str, *, refused: bool
) -> None:
    one = recipe(tmp_path, f"FROM scratch\n{line}\n")
    if not refused:
        features.refuse_unknown(one, able)
        return
    with pytest.raises(ImageError, match=r"^image app: Dockerfile uses .* \(line 2\): that needs BuildKit") as caught:
        features.refuse_unknown(one, able)
    assert able.name in str(caught.value)
    assert caught.value.hint.startswith(
        "install docker's plug-in buildx" if able is CLASSIC else "put `# syntax=docker/dockerfile:1`"
    )


@pytest.mark.parametrize(
    "head", ["# syntax=docker/dockerfile:1\n", "# escape=\\\n#Syntax = docker/dockerfile:1.7\n", "\ufeff# syntax=x/y\n"]
)
def test_a_dockerfile_that_brings_its_reader_is_left_to_it(tmp_path: Path, head: str) -> None:
    one = recipe(tmp_path, f"{head}FROM scratch\nRUN <<E\nmake\nE\n")
    features.refuse_unknown(one, INSIDE)
    with pytest.raises(ImageError, match="a here-document"):
        features.refuse_unknown(one, CLASSIC)


def test_a_comment_below_the_first_instruction_is_no_directive() -> None:
    assert not features.brings_its_reader("FROM scratch\n# syntax=docker/dockerfile:1\n")
    assert not features.brings_its_reader("# a comment\n# syntax=docker/dockerfile:1\n")
    assert not features.brings_its_reader("")
