from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from deploylib.config import RegistryLogin
from deploylib.errors import ImageError
from deploylib.images import labels, reference, upstream
from deploylib.images.credentials import Credentials, of_docker
from deploylib.images.distribution import Registries, RegistryError
from deploylib.images.registry import Held
from deploylib.images.upstream import Copy, Upstream
from tests.fakes.account import FakeAccount
from tests.images.kitchen import environment
from tests.images.registry_server import RegistryServer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

A, B = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"


@dataclass
class Hub:
    """Registries that know some digests; all others do not answer."""

    digests: dict[str, str] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)

    def digest(self, name: str) -> str:
        self.asked[name] += 1
        if name not in self.digests:
            raise RegistryError("registry.example does not answer: timed out")
        return self.digests[name]


def nothing_here(_: str) -> Copy | None:
    return None


def here(**copies: Copy) -> dict[str, Copy]:
    return {f"{name}:1": copy for name, copy in copies.items()}


def test_an_image_made_on_this_machine_counts_by_its_id_and_no_registry_is_asked() -> None:
    hub = Hub()
    found = Upstream(registries=hub, engine=here(mine=Copy(id=A)).get)
    assert found(["mine:1"]) == {"mine:1": A}
    assert not hub.asked
    assert found.notices == []


def test_a_registrys_digest_counts_more_than_this_machines_copy() -> None:
    found = Upstream(registries=Hub({"debian:1": B}), engine=here(debian=Copy(id=A, digest=A)).get)
    assert found(["debian:1"]) == {"debian:1": B}
    assert found.notices == []


def test_this_machines_copy_stands_in_for_a_registry_that_does_not_answer_and_that_is_said() -> None:
    found = Upstream(registries=Hub(), engine=here(debian=Copy(id=A, digest=B)).get)
    assert found(["debian:1"]) == {"debian:1": B}
    assert found.notices == [
        "debian:1: registry.example does not answer: timed out; this machine's copy counts (bbbbbbbbbbbb)"
    ]


def test_what_was_recorded_stands_in_when_there_is_no_copy_and_that_is_said() -> None:
    found = Upstream(registries=Hub(), engine=nothing_here, recorded=lambda: {"debian:1": A})
    assert found(["debian:1"]) == {"debian:1": A}
    assert "what the newest image was made from counts (aaaaaaaaaaaa)" in found.notices[0]


def test_a_name_that_nobody_knows_is_an_error_that_says_why() -> None:
    with pytest.raises(ImageError, match=r"which image debian:1 is: registry\.example does not answer") as caught:
        Upstream(registries=Hub(), engine=nothing_here)(["debian:1"])
    assert caught.value.hint == "docker pull debian:1"


def test_a_name_with_a_digest_says_it_itself() -> None:
    hub = Hub()
    assert Upstream(registries=hub, engine=nothing_here)([f"debian@{A}"]) == {f"debian@{A}": A}
    assert not hub.asked


def test_what_is_no_reference_is_left_to_docker() -> None:
    assert Upstream(registries=Hub(), engine=nothing_here)(["${MISSING}"]) == {"${MISSING}": ""}


def test_each_name_is_asked_for_once() -> None:
    hub = Hub({"debian:1": A, "nginx:1": B})
    found = Upstream(registries=hub, engine=nothing_here)
    assert found(["debian:1", "nginx:1"]) == {"debian:1": A, "nginx:1": B}
    found(["debian:1"])
    assert set(hub.asked.values()) == {1}


def described(image: Mapping[str, object], name: str) -> Copy:
    return upstream._described({"Id": A, "Config": {"Labels": None}, **image}, reference.parse(name))


@pytest.mark.parametrize(
    ("image", "name", "digest"),
    [
        ({"RepoDigests": []}, "local/debian:bookworm", ""),
        ({"RepoDigests": None}, "local/debian:bookworm", ""),
        ({"RepoDigests": [f"debian@{B}"]}, "debian:12", B),
        ({"RepoDigests": [f"docker.io/library/debian@{B}"]}, "debian:12", B),
        ({"RepoDigests": [f"debian@{B}"]}, "mine/debian:12", ""),  # tagged here under another name
        ({"RepoDigests": [f"localhost/local/debian@{B}"]}, "local/debian:bookworm", ""),  # as podman names its own
        ({"RepoDigests": [f"ghcr.io/a@{A}", f"debian@{B}"]}, "debian:12", B),
        ({"RepoDigests": ["<none>@<none>"]}, "debian:12", ""),
    ],
)
def test_only_a_digest_of_the_very_registry_counts(image: dict[str, object], name: str, digest: str) -> None:
    assert described(image, name) == Copy(id=A, digest=digest)


def test_an_image_that_setup_made_is_this_machines_whatever_digest_the_engine_gives_it() -> None:
    image = {"RepoDigests": [f"local/debian@{B}"], "Config": {"Labels": {"deploylib.recipe": "local/debian:12@00"}}}
    assert described(image, "local/debian:12") == Copy(id=A)
    assert described(image, "local/other:12") == Copy(id=A)
    child = {**image, "RepoDigests": [f"local/child@{B}"]}
    assert described(child, "local/child:1") == Copy(id=A, digest=B)


def test_podmans_identifiers_get_the_algorithm_that_it_leaves_out() -> None:
    assert described({"Id": "a" * 64}, "mine:1").id == A


def test_what_was_recorded_is_read_of_the_newest_image_of_each_role() -> None:
    fake = FakeAccount()
    with RegistryServer() as server:
        for tag, digest in (("base-000000000000", A), ("base-111111111111", B)):
            made = server.image("shop", {labels.PARENTS: labels.of_parents([("debian:12", digest)])})
            fake.ecr.have("shop", tag, manifest=server.documents[f"/v2/shop/manifests/{made}"].decode())
            fake.clock.sleep(1)
        found = upstream._recorded(fake.account, Registries(), lambda: f"{server.host}/shop")
    assert found == {"debian:12": B}


def test_base_that_was_gone_back_to_is_the_newest() -> None:
    then = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    old = Held(digest=A, tags=("base-000000000000", "base"), pushed_at=then, size=1)
    tried = Held(digest=B, tags=("base-111111111111",), pushed_at=then + dt.timedelta(days=1), size=1)
    assert upstream.newest((old, tried)) == {"base": old}
    unnamed = dataclasses.replace(old, tags=("base-000000000000",))
    assert upstream.newest((tried, unnamed)) == {"base": tried}


def test_nothing_is_recorded_where_nobody_may_look() -> None:
    fake = FakeAccount()
    assert upstream._recorded(fake.account, Registries(), lambda: "localhost:1/shop") == {}


def credentials(fake: FakeAccount, tmp_path: Path, **registries: RegistryLogin) -> Credentials:
    app = environment(tmp_path, roles={})
    found = type(app)(
        **{name: getattr(app, name) for name in ("name", "root", "app", "account", "images")}, registries=registries
    )
    (tmp_path / "config.json").write_text(json.dumps({"auths": {"ghcr.io": {"auth": "dTpw"}}}))
    return Credentials(
        account=fake.account,
        environment=found,
        repository=lambda: "localhost:4566/shop",
        variables={"DOCKER_CONFIG": str(tmp_path)},
    )


def test_the_configuration_says_the_log_in_and_parameter_store_the_password(tmp_path: Path) -> None:
    fake = FakeAccount()
    fake.ssm.give("/shop/docker-hub", "s3cret", kind="SecureString")
    hub = RegistryLogin(username="shop", password_parameter="/shop/docker-hub")
    assert credentials(fake, tmp_path, **{"docker.io": hub})("docker.io") == ("shop", "s3cret")


@pytest.mark.parametrize("host", ["111111111111.dkr.ecr.ap-northeast-1.amazonaws.com", "localhost:4566"])
def test_ecr_gets_its_own_token(tmp_path: Path, host: str) -> None:
    found = credentials(FakeAccount(), tmp_path)(host)
    assert found is not None
    assert found[0] == "AWS"


def test_other_registries_get_the_users_own_log_in_or_none(tmp_path: Path) -> None:
    known = credentials(FakeAccount(), tmp_path)
    assert known("ghcr.io") == ("u", "p")
    assert known("docker.io") is None


def test_a_docker_configuration_that_is_none_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("broken")
    assert of_docker("ghcr.io", {"DOCKER_CONFIG": str(tmp_path)}) is None
    assert of_docker("ghcr.io", {"DOCKER_CONFIG": str(tmp_path / "nowhere")}) is None


def test_a_credential_helper_is_asked_and_one_that_is_missing_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"credsStore": "that-nobody-has"}))
    assert of_docker("ghcr.io", {"DOCKER_CONFIG": str(tmp_path)}) is None
