from __future__ import annotations

import hashlib
import io
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from deploylib.errors import DeployError, ToolMissingError
from deploylib.toolchain import terraform

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.toolchain.stage import Stage

SAYS = 'echo \'{{"terraform_version": "{}"}}\''
OURS = f".tools/terraform/{terraform.PINNED}/terraform"


def release() -> bytes:
    """Return an archive as HashiCorp publishes it: the program beside its licence, without the executable bit."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("LICENSE.txt", "a licence")
        archive.writestr("terraform", "#!/bin/sh\n" + SAYS.format(terraform.PINNED))
    return buffer.getvalue()


@pytest.fixture
def releases(tmp_path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Serve a release for linux_amd64; yield its address and its checksum."""
    folder = tmp_path / "releases" / terraform.PINNED
    folder.mkdir(parents=True)
    (folder / f"terraform_{terraform.PINNED}_linux_amd64.zip").write_bytes(release())
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder.parent))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", {"linux_amd64": hashlib.sha256(release()).hexdigest()}
        server.shutdown()
        thread.join()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: Any) -> None:
        """Say nothing."""


def test_the_terraform_on_path_is_used(stage: Stage) -> None:
    program = stage.program("terraform", SAYS.format("1.12.0"))

    found = terraform.ensure(stage.checkout, stage.machine(), stage.say, environ=stage.environ)

    assert found == terraform.Terraform(program=str(program), product="terraform", version="1.12.0")
    assert stage.said == []


@pytest.mark.parametrize("version", ["1.11.0", "1.11.0-rc1", "2.0.0"])
def test_a_terraform_with_write_only_arguments_is_new_enough(stage: Stage, version: str) -> None:
    stage.program("terraform", SAYS.format(version))

    assert terraform.find(stage.checkout, stage.environ).version == version


def test_a_missing_terraform_is_fetched_once(stage: Stage, releases: tuple[str, dict[str, str]]) -> None:
    address, checksums = releases
    environ = {**stage.environ, "DEPLOY_TERRAFORM_RELEASES": address}

    found = terraform.ensure(stage.checkout, stage.machine(), stage.say, environ=environ, checksums=checksums)
    again = terraform.ensure(stage.checkout, stage.machine(), stage.say, environ=stage.environ)

    assert found.program == str(stage.checkout / OURS)
    assert again == found
    assert stage.said == [f"fetching Terraform {terraform.PINNED}"]
    assert [path.name for path in (stage.checkout / OURS).parent.iterdir()] == ["terraform"]


def test_a_terraform_that_is_too_old_is_named_and_the_pinned_one_used(
    stage: Stage, releases: tuple[str, dict[str, str]]
) -> None:
    old = stage.program("terraform", SAYS.format("1.5.7"))
    environ = {**stage.environ, "DEPLOY_TERRAFORM_RELEASES": releases[0]}

    found = terraform.ensure(stage.checkout, stage.machine(), stage.say, environ=environ, checksums=releases[1])

    assert found.version == terraform.PINNED
    assert stage.said[0] == f"{old} is 1.5.7, older than 1.11: using {terraform.PINNED} instead"


def test_an_archive_that_is_not_the_pinned_release_is_refused(
    stage: Stage, releases: tuple[str, dict[str, str]]
) -> None:
    environ = {**stage.environ, "DEPLOY_TERRAFORM_RELEASES": releases[0]}

    with pytest.raises(DeployError, match="is not the pinned release"):
        terraform.ensure(stage.checkout, stage.machine(), stage.say, environ=environ)

    assert list((stage.checkout / OURS).parent.iterdir()) == []


def test_an_unreachable_release_is_one_sentence(stage: Stage) -> None:
    environ = {**stage.environ, "DEPLOY_TERRAFORM_RELEASES": "http://127.0.0.1:1"}

    with pytest.raises(ToolMissingError, match=r"cannot be reached .*: install Terraform 1\.11 or later"):
        terraform.ensure(stage.checkout, stage.machine(), stage.say, environ=environ)


def test_a_machine_without_a_pinned_release_is_told_so(stage: Stage) -> None:
    with pytest.raises(ToolMissingError, match="no pinned Terraform for sunos_amd64"):
        terraform.ensure(stage.checkout, stage.machine(system="sunos"), stage.say, environ=stage.environ)


def test_opentofu_is_used_when_it_is_chosen(stage: Stage) -> None:
    stage.program("terraform", SAYS.format("1.11.4"))
    tofu = stage.program("tofu", SAYS.format("1.11.2"))

    found = terraform.find(stage.checkout, {**stage.environ, "DEPLOY_TERRAFORM": "tofu"})

    assert (found.program, found.product) == (str(tofu), "tofu")


def test_a_path_can_be_chosen(stage: Stage) -> None:
    program = stage.program("terraform-1.13", SAYS.format("1.13.0"), folder=stage.root / "elsewhere")

    assert terraform.find(stage.checkout, {**stage.environ, "DEPLOY_TERRAFORM": str(program)}).version == "1.13.0"


def test_a_choice_that_is_not_there_is_not_replaced(stage: Stage) -> None:
    stage.program("terraform", SAYS.format("1.11.4"))
    environ = {**stage.environ, "DEPLOY_TERRAFORM": "tofu"}

    with pytest.raises(ToolMissingError, match="names tofu, which is not there"):
        terraform.ensure(stage.checkout, stage.machine(), stage.say, environ=environ)


def test_a_choice_that_is_too_old_is_not_replaced(stage: Stage) -> None:
    stage.program("tofu", SAYS.format("1.9.0"))
    environ = {**stage.environ, "DEPLOY_TERRAFORM": "tofu"}

    with pytest.raises(ToolMissingError, match=r"is 1\.9\.0; 1\.11 or later is needed"):
        terraform.ensure(stage.checkout, stage.machine(), stage.say, environ=environ)


def test_a_program_that_does_not_say_its_version_is_an_error(stage: Stage) -> None:
    stage.program("terraform", "echo 'Terraform? never heard of it'")

    with pytest.raises(ToolMissingError, match="does not say its version"):
        terraform.find(stage.checkout, stage.environ)


def test_every_pinned_checksum_is_a_sha_256() -> None:
    assert set(terraform.SHA256) == {"linux_amd64", "linux_arm64", "darwin_amd64", "darwin_arm64"}
    assert all(len(bytes.fromhex(checksum)) == 32 for checksum in terraform.SHA256.values())
