from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deploylib.images import distribution, reference
from deploylib.images.distribution import Registries, RegistryError
from tests.images.registry_server import RegistryServer

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def server() -> Iterator[RegistryServer]:
    with RegistryServer() as made:
        yield made


def ada(_: str) -> tuple[str, str]:
    return "ada", "lovelace"


def test_the_digest_of_a_tag_is_asked_for_without_the_manifest(server: RegistryServer) -> None:
    digest = server.has("shop", {"an": "image"}, "1")
    assert Registries().digest(f"{server.host}/shop:1") == digest
    assert server.asked == [("HEAD", "/v2/shop/manifests/1")]


def test_a_name_without_tag_is_latest(server: RegistryServer) -> None:
    digest = server.has("team/shop", {"an": "image"}, "latest")
    assert Registries().digest(f"{server.host}/team/shop") == digest


def test_a_registry_that_tells_no_digest_is_asked_for_the_manifest(server: RegistryServer) -> None:
    server.tells_digest = False
    digest = server.has("shop", {"an": "image"}, "1")
    assert Registries().digest(f"{server.host}/shop:1") == digest


def test_the_digest_of_a_multi_platform_image_is_its_indexs(server: RegistryServer) -> None:
    one = server.has("shop", {"an": "image"})
    index = server.has("shop", {"manifests": [{"digest": one}]}, "1")
    assert Registries().digest(f"{server.host}/shop:1") == index


@pytest.mark.parametrize("wants", ["basic", "bearer"])
def test_a_registry_gets_the_log_in_that_it_asks_for_and_only_once(server: RegistryServer, wants: str) -> None:
    server.wants = wants
    digest = server.has("shop", {"an": "image"}, "1")
    registries = Registries(credentials=ada)
    assert registries.digest(f"{server.host}/shop:1") == digest
    before = len(server.asked)
    assert registries.digest(f"{server.host}/shop:1") == digest
    assert len(server.asked) == before + 1


def test_anybody_gets_a_token_where_anybody_may_read(server: RegistryServer) -> None:
    server.wants, server.password = "bearer", ""
    digest = server.has("shop", {"an": "image"}, "1")
    assert Registries().digest(f"{server.host}/shop:1") == digest
    assert server.scopes == ["repository:shop:pull"]


@pytest.mark.parametrize(("wants", "said"), [("basic", "401"), ("bearer", "does not accept these credentials")])
def test_a_wrong_password_is_told_without_it(server: RegistryServer, wants: str, said: str) -> None:
    server.wants = wants
    with pytest.raises(RegistryError, match=said) as caught:
        Registries(credentials=lambda _: ("ada", "wrong-password")).digest(f"{server.host}/shop:1")
    assert caught.value.status == 401
    assert "wrong-password" not in str(caught.value)


def test_what_a_registry_says_against_it_is_passed_on(server: RegistryServer) -> None:
    server.status = 503
    with pytest.raises(RegistryError, match="503 not today"):
        Registries().manifest(f"{server.host}/shop", "sha256:00")


def test_an_image_that_is_not_there_has_its_status(server: RegistryServer) -> None:
    with pytest.raises(RegistryError) as caught:
        Registries().digest(f"{server.host}/shop:1")
    assert caught.value.status == 404


def test_a_registry_that_nobody_runs_has_no_status() -> None:
    with RegistryServer() as gone:
        host = gone.host
    with pytest.raises(RegistryError, match="does not answer") as caught:
        Registries().digest(f"{host}/shop:1")
    assert caught.value.status == 0


def test_labels_are_those_of_the_image(server: RegistryServer) -> None:
    digest = server.image("shop", {"a": "1"})
    assert Registries().labels_of(f"{server.host}/shop", digest) == {"a": "1"}


def test_labels_of_an_index_are_those_of_its_image_and_not_of_its_attestation(server: RegistryServer) -> None:
    digest = server.image("shop", {"a": "1"})
    attestation = {"digest": "sha256:00", "platform": {"os": "unknown"}}
    index = server.has("shop", {"manifests": [attestation, {"digest": digest, "platform": {"os": "linux"}}]})
    assert Registries().labels_of(f"{server.host}/shop", index) == {"a": "1"}


def test_plain_http_is_spoken_with_this_machine_alone() -> None:
    assert distribution._address("localhost:4566") == "http://127.0.0.1:4566"
    assert distribution._address("registry.example:5000") == "https://registry.example:5000"
    assert distribution._address("docker.io") == "https://registry-1.docker.io"
    with pytest.raises(RegistryError, match="plain HTTP"):
        distribution._request("GET", "http://registry.example/v2/", {})


@pytest.mark.parametrize("host", ["localhost", "localhost:1", "a.localhost:1", "127.0.0.1:5000", "[::1]:5000"])
def test_this_machine_has_several_names(host: str) -> None:
    assert distribution.is_local(host)


@pytest.mark.parametrize("host", ["localhost.example", "docker.io", "10.0.0.1:5000", "mylocalhost"])
def test_others_are_others(host: str) -> None:
    assert not distribution.is_local(host)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("debian", "docker.io/library/debian:latest"),
        ("debian:12", "docker.io/library/debian:12"),
        ("docker.io/debian", "docker.io/library/debian:latest"),
        ("index.docker.io/grafana/loki:3", "docker.io/grafana/loki:3"),
        ("local/debian:bookworm", "docker.io/local/debian:bookworm"),
        ("ghcr.io/a/b", "ghcr.io/a/b:latest"),
        ("localhost/a", "localhost/a:latest"),
        ("debian@sha256:" + "0" * 64, "docker.io/library/debian@sha256:" + "0" * 64),
        ("debian:12@sha256:" + "0" * 64, "docker.io/library/debian:12@sha256:" + "0" * 64),
    ],
)
def test_short_names_are_docker_hubs(written: str, meant: str) -> None:
    assert str(reference.parse(written).normalised) == meant
