from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deploylib.config import RoleImage
from deploylib.errors import ImageError
from deploylib.images.docker import TagTakenError
from deploylib.images.recipe import Recipe, recipes
from deploylib.images.supplies import Supplies
from deploylib.images.upstream import nobody
from tests.images.kitchen import CLEAN, COMMIT, environment, shop, write
from tests.images.program import Program, program

__all__ = ["program"]

if TYPE_CHECKING:
    from pathlib import Path

    from deploylib.images.docker import Docker
    from tests.images.program import Kind

REFERENCE = "localhost:4566/shop:web-c1"
BASE = "localhost:4566/shop@sha256:00"
DIGEST = f"sha256:{'a1' * 32}"


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
    ("kind", "verb", "options"),
    [
        ("buildx", ["buildx", "build"], {"--progress=plain", "--load"}),
        ("buildkit", ["build"], {"--progress=plain"}),
        ("podman", ["build"], {"--force-rm"}),
        ("classic", ["build"], {"--force-rm"}),
    ],
)
def test_each_builder_gets_its_own_options(
    program: Program, web: Recipe, kind: Kind, verb: list[str], options: set[str]
) -> None:
    program.docker(kind).build(web, REFERENCE, base=BASE, line=nothing)
    assert program.argv[: len(verb)] == verb
    assert {"--progress=plain", "--load", "--force-rm"}.intersection(program.argv) == options
    assert "--no-cache" not in program.argv


def test_a_build_without_cache_says_so(program: Program, web: Recipe) -> None:
    program.docker().build(web, REFERENCE, base=BASE, line=nothing, use_cache=False)
    assert "--no-cache" in program.argv


def own_ignore(root: Path) -> Recipe:
    write(root, Dockerfile="FROM scratch\nCOPY . /\n", Dockerfile_dockerignore="a\n")
    return recipes(environment(root, base=None, roles={"app": RoleImage(dockerfile="Dockerfile")}), CLEAN, nobody)[0]


def test_buildkit_gets_the_dockerfiles_own_ignore_file(program: Program, tmp_path: Path) -> None:
    program.docker("buildkit").build(own_ignore(tmp_path), REFERENCE, base="", line=nothing)
    assert (program.folder / "given/Dockerfile.dockerignore").read_text() == "a\n"


def test_the_classic_builder_would_not_read_that_file_so_it_is_refused(program: Program, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"^image app: only BuildKit reads Dockerfile\.dockerignore") as caught:
        program.docker().build(own_ignore(tmp_path), REFERENCE, base="", line=nothing)
    assert "put the rules into .dockerignore" in caught.value.hint
    assert program.calls == []


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


def with_secrets(root: Path) -> Recipe:
    write(root, Dockerfile="FROM scratch\nRUN --mount=type=secret,id=npm npm ci\n")
    role = RoleImage(dockerfile="Dockerfile", secrets={"npm": "/shop/npm", "key": "/shop/key"})
    return recipes(environment(root, base=None, roles={"app": role}), CLEAN, nobody)[0]


SECRETS = {"/shop/npm": "npm-token-of-shop", "/shop/key": "-----BEGIN KEY-----\nabcdefghij\n{\n", "/other": "other"}


def test_a_secret_is_in_the_builders_environment_and_in_no_argument(program: Program, tmp_path: Path) -> None:
    docker = program.docker("buildkit", Supplies(secrets=SECRETS))
    docker.build(with_secrets(tmp_path), REFERENCE, base="", line=nothing)
    assert "--secret=id=key,env=BUILD_SECRET_0" in program.argv
    assert "--secret=id=npm,env=BUILD_SECRET_1" in program.argv
    assert "BUILD_SECRET_1=npm-token-of-shop" in program.environ
    assert not [word for word in program.argv if "npm-token" in word or "BEGIN" in word]
    assert "other" not in program.environ
    docker.push("app", REFERENCE)
    assert "npm-token" not in program.environ


def test_a_secret_that_the_build_prints_is_hidden(program: Program, tmp_path: Path) -> None:
    program.will("#5 0.3 token npm-token-of-shop#5 DONE", "#6 abcdefghij", "#7 {", code=1)
    lines: list[str] = []
    with pytest.raises(ImageError) as caught:
        program.docker("buildkit", Supplies(secrets=SECRETS)).build(
            with_secrets(tmp_path), REFERENCE, base="", line=lines.append
        )
    assert lines == ["#5 0.3 token ***#5 DONE", "#6 ***", "#7 {"]
    assert "npm-token" not in str(caught.value)
    assert "npm-token" not in str(caught.value.__cause__)


def test_the_classic_builder_takes_no_secrets(program: Program, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="image app: secrets need BuildKit, and here is docker's classic") as caught:
        program.docker("classic", Supplies(secrets=SECRETS)).build(
            with_secrets(tmp_path), REFERENCE, base="", line=nothing
        )
    assert caught.value.hint.startswith("install docker's plug-in buildx")
    assert program.calls == []


@pytest.mark.parametrize(
    ("driver", "containerd", "kept"),
    [("docker", False, False), ("docker", True, True), ("docker-container", False, True)],
)
def test_layers_are_kept_in_the_registry_where_the_builder_can(
    program: Program, web: Recipe, driver: str, *, containerd: bool, kept: bool
) -> None:
    docker = program.docker("buildx", Supplies(cache_repository="ecr/shop-cache"), driver=driver, containerd=containerd)
    docker.build(web, REFERENCE, base=BASE, line=nothing)
    assert ("--cache-from=type=registry,ref=ecr/shop-cache:web" in program.argv) is kept
    to = "--cache-to=type=registry,ref=ecr/shop-cache:web,mode=max,image-manifest=true,oci-mediatypes=true"
    assert (f"{to},ignore-error=true" in program.argv) is kept
    docker.build(web, REFERENCE, base=BASE, line=nothing, use_cache=False)
    assert not [word for word in program.argv if word.startswith("--cache-from")]


ATTESTED = Supplies(sbom=True, provenance=True)
ATTESTATIONS = {"--sbom=true", "--provenance=mode=max"}


def test_an_engine_that_holds_attestations_is_given_them_with_the_image(program: Program, web: Recipe) -> None:
    docker = program.docker("buildx", ATTESTED, driver="docker", containerd=True)
    docker.build(web, REFERENCE, base=BASE, line=nothing)
    assert {*ATTESTATIONS, "--load"} <= set(program.argv)
    docker.push("web", REFERENCE)
    assert program.calls[-1] == f"push {REFERENCE}"


def apart(program: Program, web: Recipe, pushed: dict[str, object]) -> Docker:
    """Return a builder apart from the engine that has built *web*, and will push it as *pushed*."""
    program.exports(DIGEST, layers=["sha256:1"], pushed=pushed)
    docker = program.docker("buildx", ATTESTED, driver="docker-container")
    docker.build(web, REFERENCE, base=BASE, line=nothing)
    assert ATTESTATIONS.isdisjoint(program.argv)
    return docker


SAME: dict[str, object] = {"rootfs": {"diff_ids": ["sha256:1"]}}


@pytest.mark.parametrize("pushed", [SAME, {"linux/amd64": SAME}])
def test_a_builder_apart_pushes_by_itself_and_names_only_what_was_tested(
    program: Program, web: Recipe, pushed: dict[str, object]
) -> None:
    docker = apart(program, web, pushed)
    assert docker.push("web", REFERENCE) == DIGEST
    build, tag = (call for call in program.calls[-4:] if "inspect" not in call)
    assert set(build.split()) >= ATTESTATIONS
    assert "--output=type=image,name=localhost:4566/shop,push-by-digest=true,push=true" in build
    assert "--load" not in build
    assert "--tag" not in build
    assert tag == f"buildx imagetools create --tag={REFERENCE} localhost:4566/shop@{DIGEST}"


def test_what_came_out_with_other_layers_gets_no_name(program: Program, web: Recipe) -> None:
    docker = apart(program, web, {"rootfs": {"diff_ids": ["sha256:2"]}})
    with pytest.raises(ImageError, match="came out with other layers than the one that was tested"):
        docker.push("web", REFERENCE)
    assert not [call for call in program.calls if "imagetools create" in call]


def test_a_push_by_the_builder_that_fails_is_an_image_error(program: Program, web: Recipe) -> None:
    docker = apart(program, web, SAME)
    program.will("ERROR: failed to push: tag invalid: tag 'web-c1' is immutable", code=1)
    with pytest.raises(TagTakenError):
        docker.push("web", REFERENCE)


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
