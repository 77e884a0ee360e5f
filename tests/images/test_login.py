from __future__ import annotations

import base64
import json
import stat
from pathlib import Path

import pytest

from deploylib.errors import AwsError, ConfigError
from deploylib.images import login
from deploylib.images.login import logged_in
from tests.fakes.account import FakeAccount

HOST = "111111111111.dkr.ecr.ap-northeast-1.amazonaws.com"
URI = f"{HOST}/shop"
TOKEN = base64.b64encode(b"AWS:a-password-that-nobody-may-see").decode()


@pytest.fixture
def fake() -> FakeAccount:
    return FakeAccount()


@pytest.fixture
def own(tmp_path: Path) -> Path:
    folder = tmp_path / ".docker"
    (folder / "cli-plugins").mkdir(parents=True)
    (folder / "cli-plugins/docker-buildx").touch()
    (folder / "config.json").write_text(
        json.dumps({"auths": {"hub": {"auth": "x"}}, "credsStore": "desktop", "credHelpers": {"ghcr.io": "gh"}})
    )
    return folder


def test_docker_gets_the_users_configuration_with_our_log_in(fake: FakeAccount, own: Path) -> None:
    with logged_in(login.to_ecr(fake.account.ecr, URI), environ={"HOME": str(own.parent)}) as variables:
        written = json.loads(Path(variables["DOCKER_CONFIG"], "config.json").read_text())
    assert written == {
        "auths": {"hub": {"auth": "x"}, HOST: {"auth": TOKEN}},
        "credsStore": "desktop",
        "credHelpers": {"ghcr.io": "gh", HOST: ""},
    }


def test_plug_ins_contexts_and_builders_are_the_users(fake: FakeAccount, own: Path) -> None:
    with logged_in(
        login.to_ecr(fake.account.ecr, URI), environ={"DOCKER_CONFIG": str(own), "HOME": "/nowhere"}
    ) as variables:
        assert (
            Path(variables["DOCKER_CONFIG"], "cli-plugins/docker-buildx").resolve() == own / "cli-plugins/docker-buildx"
        )


def test_nobody_else_may_read_the_log_in(fake: FakeAccount, own: Path) -> None:
    with logged_in(login.to_ecr(fake.account.ecr, URI), environ={"HOME": str(own.parent)}) as variables:
        folder = Path(variables["DOCKER_CONFIG"])
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE((folder / "config.json").stat().st_mode) == 0o600


def test_the_log_in_is_gone_afterwards_and_the_users_own_files_are_not(fake: FakeAccount, own: Path) -> None:
    before = (own / "config.json").read_bytes()
    entered = logged_in(login.to_ecr(fake.account.ecr, URI), environ={"HOME": str(own.parent)})
    folder = Path(entered.__enter__()["DOCKER_CONFIG"])
    assert folder.exists()
    entered.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert not folder.exists()
    assert (own / "config.json").read_bytes() == before
    assert (own / "cli-plugins/docker-buildx").exists()


def test_a_user_without_docker_configuration_gets_one(fake: FakeAccount, tmp_path: Path) -> None:
    with logged_in(login.to_ecr(fake.account.ecr, "localhost:4566/shop"), environ={"HOME": str(tmp_path)}) as variables:
        written = json.loads(Path(variables["DOCKER_CONFIG"], "config.json").read_text())
    assert written["auths"] == {"localhost:4566": {"auth": TOKEN}}
    assert list(tmp_path.iterdir()) == []


def test_the_token_is_asked_for_the_repositorys_account(fake: FakeAccount, tmp_path: Path) -> None:
    with logged_in(login.to_ecr(fake.account.ecr, URI), environ={"HOME": str(tmp_path)}):
        pass
    assert fake.log[0].request == {"registryIds": ["111111111111"]}


def test_a_configuration_that_is_no_json_is_an_error(own: Path) -> None:
    (own / "config.json").write_text("{")
    with pytest.raises(ConfigError, match=r"config\.json"), logged_in(environ={"HOME": str(own.parent)}):
        pass


def test_a_refused_token_is_awss_own_error(fake: FakeAccount, own: Path) -> None:
    fake.ecr.refuse("get_authorization_token", "AccessDeniedException")
    with (
        pytest.raises(AwsError, match="AccessDeniedException"),
        logged_in(login.to_ecr(fake.account.ecr, URI), environ={"HOME": str(own.parent)}),
    ):
        pass


def test_two_registries_and_docker_hub_at_once(fake: FakeAccount, own: Path) -> None:
    other = FakeAccount(account_id="222222222222")
    there = URI.replace("111111111111", "222222222222")
    logins = (
        login.to_ecr(fake.account.ecr, URI),
        login.to_ecr(other.account.ecr, there),
        login.with_password("docker.io", "robot", "pa:ss"),
        login.with_password("ghcr.io", "robot", "word"),
    )
    with logged_in(*logins, environ={"HOME": str(own.parent)}) as variables:
        written = json.loads(Path(variables["DOCKER_CONFIG"], "config.json").read_text())
    hub = "https://index.docker.io/v1/"
    assert written["auths"].keys() == {"hub", HOST, HOST.replace("111111111111", "222222222222"), hub, "ghcr.io"}
    assert base64.b64decode(written["auths"][hub]["auth"]) == b"robot:pa:ss"
    assert written["credHelpers"]["ghcr.io"] == ""
    assert other.log[0].request == {"registryIds": ["222222222222"]}


def test_podman_finds_the_same_log_ins_without_helpers(fake: FakeAccount, own: Path) -> None:
    with logged_in(login.to_ecr(fake.account.ecr, URI), environ={"HOME": str(own.parent)}) as variables:
        file = Path(variables["DOCKER_CONFIG"], "auth.json")
        assert json.loads(file.read_text()) == {"auths": {"hub": {"auth": "x"}, HOST: {"auth": TOKEN}}}
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_log_in_does_not_print_its_password() -> None:
    assert "c2VjcmV0" not in repr(login.with_password("ghcr.io", "", "secret"))
    assert "OnNlY3JldA==" not in repr(login.with_password("ghcr.io", "", "secret"))
