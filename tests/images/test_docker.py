from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import pytest

from deploylib.config import RoleImage
from deploylib.errors import ImageError, ToolMissingError
from deploylib.images import docker
from deploylib.images.docker import Docker, TagTakenError
from deploylib.images.recipe import Recipe, recipes
from deploylib.images.supplies import Supplies
from deploylib.images.upstream import nobody
from deploylib.toolchain.engine import Engine
from tests.images.kitchen import CLEAN, COMMIT, environment, shop, write

if TYPE_CHECKING:
    from pathlib import Path

REFERENCE = "localhost:4566/shop:web-c1"
BASE = "localhost:4566/shop@sha256:00"
DIGEST = f"sha256:{'a1' * 32}"

PROGRAM = """\
    #!/bin/sh
    printf '%s\\n' "$@" > "$RECORD/argv"
    env > "$RECORD/env"
    for word in "$@"; do
      case $word in --file=*) cp -r "$(dirname "${word#--file=}")" "$RECORD/given" ;; esac
    done
    cat "$RECORD/says"
    exit "$(cat "$RECORD/code")"
"""


@dataclass(frozen=True)
class Program:
    """A `docker` that keeps what it was given, says what it is told and ends as it is told."""

    folder: Path

    def will(self, *says: str, code: int = 0) -> None:
        (self.folder / "says").write_text("".join(f"{line}\n" for line in says))
        (self.folder / "code").write_text(str(code))

    def docker(self, *, buildkit: bool = False, platform: str = "linux/amd64") -> Docker:
        return Docker(program=self.path, variables={"RECORD": str(self.folder)}, buildkit=buildkit, platform=platform)

    @property
    def path(self) -> str:
        return str(self.folder / "docker")

    @property
    def argv(self) -> list[str]:
        return (self.folder / "argv").read_text().splitlines()

    @property
    def dockerfile(self) -> str:
        return (self.folder / "given/Dockerfile").read_text()


@pytest.fixture
def program(tmp_path: Path) -> Program:
    folder = tmp_path / "program"
    folder.mkdir()
    (folder / "docker").write_text(textwrap.dedent(PROGRAM))
    (folder / "docker").chmod(0o755)
    made = Program(folder)
    made.will()
    return made


@pytest.fixture
def web(tmp_path: Path) -> Recipe:
    return recipes(shop(tmp_path / "app"), CLEAN, nobody)[1]


def nothing(_: str) -> None:
    pass


def test_a_build_is_given_dockerfile_arguments_tag_and_context(program: Program, web: Recipe) -> None:
    program.docker().build(web, REFERENCE, base=BASE, line=nothing)
    verb, *options, context = program.argv
    assert verb == "build"
    assert context == str(web.context)
    assert f"--build-arg=COMMIT={COMMIT}" in options
    assert f"--tag={REFERENCE}" in options
    assert program.dockerfile.startswith(f"FROM {BASE}\n")


def test_the_dockerfile_ends_with_labels_that_say_what_it_is(program: Program, web: Recipe) -> None:
    program.docker().build(web, REFERENCE, base=BASE, line=nothing)
    last = program.dockerfile.splitlines()[-1]
    assert last.startswith(f"LABEL deploylib.fingerprint={web.fingerprint} deploylib.image=web ")
    assert f" org.opencontainers.image.revision={COMMIT} " in last
    assert last.endswith(" org.opencontainers.image.base.digest=sha256:00")


def test_nothing_is_left_in_the_context_or_behind(program: Program, web: Recipe) -> None:
    before = sorted(web.context.rglob("*"))
    program.docker().build(web, REFERENCE, base=BASE, line=nothing)
    assert sorted(web.context.rglob("*")) == before
    given = next(word for word in program.argv if word.startswith("--file="))
    assert "dockerfile-" in given
    assert not (program.folder / given.removeprefix("--file=")).exists()


def test_the_platform_is_said_only_where_the_engine_has_another(program: Program, web: Recipe) -> None:
    program.docker().build(web, REFERENCE, base=BASE, line=nothing)
    assert not [word for word in program.argv if word.startswith("--platform")]
    program.docker(platform="linux/arm64").build(web, REFERENCE, base=BASE, line=nothing)
    assert "--platform=linux/amd64" in program.argv


@pytest.mark.parametrize(
    ("buildkit", "mine", "others"),
    [(True, "--progress=plain", "--force-rm"), (False, "--force-rm", "--progress=plain")],
)
def test_each_builder_gets_its_own_options(
    program: Program, web: Recipe, *, buildkit: bool, mine: str, others: str
) -> None:
    program.docker(buildkit=buildkit).build(web, REFERENCE, base=BASE, line=nothing)
    assert mine in program.argv
    assert others not in program.argv
    assert "--no-cache" not in program.argv


def test_a_build_without_cache_says_so(program: Program, web: Recipe) -> None:
    program.docker().build(web, REFERENCE, base=BASE, line=nothing, use_cache=False)
    assert "--no-cache" in program.argv


def own_ignore(root: Path) -> Recipe:
    write(root, Dockerfile="FROM scratch\nCOPY . /\n", Dockerfile_dockerignore="a\n")
    return recipes(environment(root, base=None, roles={"app": RoleImage(dockerfile="Dockerfile")}), CLEAN, nobody)[0]


def test_buildkit_gets_the_dockerfiles_own_ignore_file(program: Program, tmp_path: Path) -> None:
    program.docker(buildkit=True).build(own_ignore(tmp_path), REFERENCE, base="", line=nothing)
    assert (program.folder / "given/Dockerfile.dockerignore").read_text() == "a\n"


def test_the_classic_builder_would_not_read_that_file_so_it_is_refused(program: Program, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"^image app: only BuildKit reads Dockerfile\.dockerignore") as caught:
        program.docker().build(own_ignore(tmp_path), REFERENCE, base="", line=nothing)
    assert "put the rules into .dockerignore" in caught.value.hint
    assert not (program.folder / "argv").exists()


def test_the_log_comes_line_by_line_without_colours_and_notices(program: Program, web: Recipe) -> None:
    program.will(
        "DEPRECATED: The legacy builder is deprecated and will be removed in a future release.",
        "            Install the buildx component to build images with BuildKit:",
        "            https://docs.docker.com/go/buildx/",
        "",
        "Step 1/2 : FROM scratch",
        "\x1b[91mwarning: red\x1b[0m",
        " ---> indented stays",
    )
    lines: list[str] = []
    program.docker().build(web, REFERENCE, base=BASE, line=lines.append)
    assert lines == ["Step 1/2 : FROM scratch", "warning: red", " ---> indented stays"]


def test_a_failed_build_names_the_image_and_shows_the_last_twenty_lines(program: Program, web: Recipe) -> None:
    program.will(*(f"line {number}" for number in range(50)), code=3)
    with pytest.raises(ImageError) as caught:
        program.docker().build(web, REFERENCE, base=BASE, line=nothing)
    first, *log = str(caught.value).splitlines()
    assert first == "image web was not built (exit code 3)"
    assert log == [f"line {number}" for number in range(30, 50)]
    assert caught.value.exit_code == 4


def test_a_push_returns_the_digest_that_docker_tells(program: Program) -> None:
    program.will(
        "The push refers to repository [localhost:4566/shop]", "abc: Pushed", f"web-c1: digest: {DIGEST} size: 528"
    )
    assert program.docker().push("web", REFERENCE) == DIGEST
    assert program.argv == ["push", REFERENCE]


def test_a_push_that_tells_no_digest_returns_none(program: Program) -> None:
    program.will("Writing manifest to image destination")
    assert program.docker().push("web", REFERENCE) == ""


@pytest.mark.parametrize(
    "said",
    [
        "tag invalid: tag 'web-c1' is immutable",
        "tag invalid: The image tag 'web-c1' already exists in the 'shop' repository and cannot be overwritten",
    ],
)
def test_a_push_to_a_taken_tag_says_that_it_is_taken(program: Program, said: str) -> None:
    program.will("abc: Layer already exists", said, code=1)
    with pytest.raises(TagTakenError, match="the tag is another image's already, and tags there are immutable"):
        program.docker().push("web", REFERENCE)


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("no basic auth credentials", "these credentials may not use that registry"),
        ("denied: User: arn:aws:iam::1:user/x is not authorized", "these credentials may not use that registry"),
        (
            'Get "http://localhost:4566/v2/": dial tcp 127.0.0.1:4566: connect: connection refused',
            "does the registry answer",
        ),
        ("write /var/lib/docker/tmp/x: no space left on device", "docker system prune"),
        ("something else", ""),
    ],
)
def test_a_refused_push_shows_dockers_words_and_the_next_thing_to_try(program: Program, said: str, hint: str) -> None:
    program.will(said, code=1)
    with pytest.raises(ImageError) as caught:
        program.docker().push("web", REFERENCE)
    assert str(caught.value) == f"image web was not pushed to {REFERENCE} (exit code 1)\n{said}"
    assert caught.value.hint.startswith(hint)
    assert bool(caught.value.hint) is bool(hint)


def engine(program: Program, monkeypatch: pytest.MonkeyPatch, name: Literal["docker", "podman"] = "docker") -> Engine:
    monkeypatch.setenv("RECORD", str(program.folder))
    return Engine(host="unix:///x", program=program.path, name=name, version="1", bridge_address="172.17.0.1")


def test_an_engine_is_asked_for_buildx_and_its_platform(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    program.will("linux/arm64")
    found = docker.asked(engine(program, monkeypatch), Supplies(variables={"DOCKER_CONFIG": "/config"}))
    assert (found.buildkit, found.platform) == (True, "linux/arm64")
    assert found.variables["DOCKER_HOST"] == "unix:///x"
    assert found.variables["DOCKER_CONFIG"] == "/config"
    assert found.variables["DOCKER_BUILDKIT"] == "1"


def test_podman_builds_in_its_own_way(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    program.will("linux/amd64")
    found = docker.asked(engine(program, monkeypatch, "podman"), Supplies())
    assert (found.buildkit, found.variables["DOCKER_BUILDKIT"]) == (False, "0")


def test_an_engine_that_does_not_answer_is_a_missing_tool(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    program.will("Cannot connect to the Docker daemon", code=1)
    with pytest.raises(ToolMissingError, match="Cannot connect to the Docker daemon"):
        docker.asked(engine(program, monkeypatch), Supplies())
