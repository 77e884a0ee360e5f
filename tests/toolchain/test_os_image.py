from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deploylib.errors import ToolMissingError
from deploylib.toolchain import os_image
from deploylib.toolchain.engine import Engine
from deploylib.toolchain.os_image import CHECKOUT_LABEL, RECIPE_LABEL, OsImage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.toolchain.fake_engine import FakeEngine
    from tests.toolchain.stage import Stage

NAME = OsImage().name


@pytest.fixture
def fake(stage: Stage, engine_at: Callable[..., FakeEngine]) -> FakeEngine:
    return engine_at(stage.root / "docker.sock")


def engine(stage: Stage, fake: FakeEngine) -> Engine:
    program = str(stage.bin / "docker")
    return Engine(host=fake.host, program=program, name="docker", version="20.10.24", bridge_address="172.17.0.1")


def ensure(stage: Stage, fake: FakeEngine) -> bool:
    return os_image.ensure(stage.checkout, engine(stage, fake), stage.machine(), stage.say)


def labels(stage: Stage, root: Path | None = None) -> dict[str, str]:
    return dict(os_image.recipe_of(OsImage(), stage.machine(), root or stage.checkout).labels)


def certificate(stage: Stage) -> None:
    (stage.root / "certificates").mkdir()
    (stage.root / "certificates" / "proxy.crt").write_text("a certificate")


def test_an_image_that_is_current_is_left_alone_in_silence(stage: Stage, fake: FakeEngine) -> None:
    fake.add_image(NAME, labels=labels(stage))

    assert not ensure(stage, fake)
    assert (stage.calls, stage.said) == ([], [])


def test_a_missing_image_is_made_from_the_public_registry_where_that_answers(stage: Stage, fake: FakeEngine) -> None:
    stage.program("docker")

    assert ensure(stage, fake)

    pull, build = stage.calls
    assert pull == "docker pull --quiet debian:bookworm-slim"
    assert build.startswith(f"docker build --quiet --tag {NAME} --label {RECIPE_LABEL}={NAME}@")


def test_an_image_pulled_only_for_this_is_removed_again_and_one_that_was_there_is_not(
    stage: Stage, fake: FakeEngine
) -> None:
    stage.program("docker")
    fake.add_image("debian:bookworm-slim")

    ensure(stage, fake)

    assert fake.names() == {"debian:bookworm-slim"}
    assert not any("pull" in call for call in stage.calls)


def test_a_build_from_the_registry_gets_the_machines_certificates(stage: Stage, fake: FakeEngine) -> None:
    certificate(stage)
    stage.program(
        "docker", f'case $1 in build) eval folder=\\${{$#}}; /bin/cp -r "$folder" {stage.root}/context;; esac'
    )

    ensure(stage, fake)

    assert (stage.root / "context" / "certificates" / "proxy.crt").read_text() == "a certificate"
    dockerfile = (stage.root / "context" / "Dockerfile").read_text()
    assert dockerfile.startswith("FROM debian:bookworm-slim\n")
    assert "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt" in dockerfile


def test_without_the_registry_it_is_built_from_the_distributions_packages(stage: Stage, fake: FakeEngine) -> None:
    certificate(stage)
    stage.program("docker", 'test "$1" != pull')
    stage.program("mmdebstrap")

    assert ensure(stage, fake)

    _, bootstrap, imported = stage.calls
    assert "copy-in " in bootstrap
    assert "proxy.crt /usr/local/share/ca-certificates" in bootstrap
    assert bootstrap.rpartition(" ")[0].endswith(" bookworm")
    assert imported.startswith("docker import --change ENV PATH=")
    assert imported.endswith(f"/root.tar {NAME}")
    assert stage.said == [f"building the image {NAME} from the distribution's packages"]


def test_mmdebstrap_is_installed_where_it_is_missing_and_that_is_possible(
    stage: Stage, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(stage.bin))
    stage.program("docker", 'test "$1" != pull')
    stage.program(
        "apt-get",
        f"case \"$*\" in *install*) printf '#!/bin/sh\\n' > {stage.bin}/mmdebstrap; "
        f"/bin/chmod +x {stage.bin}/mmdebstrap;; esac",
    )
    machine = stage.machine(has_apt=True)

    os_image.ensure(stage.checkout, engine(stage, fake), machine, stage.say)

    assert any(call.endswith("install -y --no-install-recommends mmdebstrap") for call in stage.calls)


def test_neither_registry_nor_mmdebstrap_is_one_sentence(
    stage: Stage, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(stage.bin))
    stage.program("docker", 'test "$1" != pull')

    with pytest.raises(ToolMissingError, match="cannot be pulled from the public registry, and mmdebstrap"):
        os_image.ensure(stage.checkout, engine(stage, fake), stage.machine(), stage.say)


def test_a_new_certificate_of_the_machine_makes_the_image_anew(stage: Stage, fake: FakeEngine) -> None:
    stage.program("docker")
    fake.add_image(NAME, labels=labels(stage))
    certificate(stage)

    assert ensure(stage, fake)


@pytest.mark.parametrize("theirs", [{}, {RECIPE_LABEL: "local/other:1@0123456789abcdef"}])
def test_an_image_of_the_users_own_is_used_as_it_is(stage: Stage, fake: FakeEngine, theirs: dict[str, str]) -> None:
    fake.add_image(NAME, labels=theirs)

    assert not ensure(stage, fake)
    assert not os_image.remove(engine(stage, fake).api, NAME, stage.checkout)


def test_an_image_that_this_checkout_made_is_removed(stage: Stage, fake: FakeEngine) -> None:
    fake.add_image(NAME, labels=labels(stage))

    assert os_image.remove(engine(stage, fake).api, NAME, stage.checkout)
    assert fake.names() == set()


def test_an_image_that_another_checkout_made_is_kept(stage: Stage, fake: FakeEngine) -> None:
    fake.add_image(NAME, labels=labels(stage, stage.root / "another"))

    assert not os_image.remove(engine(stage, fake).api, NAME, stage.checkout)
    assert fake.names() == {NAME}


def test_checkouts_of_the_same_name_are_told_apart(stage: Stage) -> None:
    one, two = os_image.checkout_id(stage.root / "a" / "Shop!"), os_image.checkout_id(stage.root / "b" / "Shop!")

    assert one != two
    assert one.startswith("shop-")
    assert CHECKOUT_LABEL in labels(stage)
