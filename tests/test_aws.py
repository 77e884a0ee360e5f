"""The door to AWS: which credentials, whose account, and errors in our own words."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from botocore.stub import Stubber

from deploylib import aws, config
from deploylib.errors import AwsError, ConfigError, RefusedError
from tests.fakes import world as worlds
from tests.fakes.account import FakeAccount

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from deploylib.config import Environment

KEYS = "aws_access_key_id = AKIAPROFILE\naws_secret_access_key = secret\n"


@pytest.fixture(autouse=True)
def _bare_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Hide the developer's own sign-in: no variables, no files, no instance metadata."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def environment(root: Path, text: str | None = None, *, profile: str = "deploy", config_file: str = "") -> Environment:
    """Return an environment; with *text* it has an AWS config file of its own."""
    if text is not None:
        (root / "aws.ini").write_text(text)
    account = config.Account(
        id="111111111111",
        region="ap-northeast-1",
        profile=profile,
        config_file=config_file if text is None else "aws.ini",
    )
    return worlds.environment(root, account=account, name="stg")


def signed_in(root: Path) -> aws.Account:
    return aws.signed_in(environment(root, f"[profile deploy]\n{KEYS}"))


def credentials(found: Environment) -> str:
    """Return the access key that a session of *found* would use, or nothing."""
    held = aws.session(found).get_credentials()
    return str(held.access_key) if held else ""


@contextlib.contextmanager
def answering(status: int, document: dict[str, Any]) -> Iterator[str]:
    """Answer every request on this machine with *document*; yield the URL."""

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


# Which credentials


def test_a_profile_of_the_environment_s_own_file_is_used(tmp_path: Path) -> None:
    found = environment(tmp_path, f"[profile deploy]\n{KEYS}endpoint_url = http://127.0.0.1:4566\n")
    account = aws.signed_in(found)
    assert credentials(found) == "AKIAPROFILE"
    assert account.ecs.meta.endpoint_url == "http://127.0.0.1:4566"
    assert account.ecs.meta.region_name == "ap-northeast-1"


def test_a_profile_wins_over_static_keys_in_the_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIASTRAY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "stray")
    assert credentials(environment(tmp_path, f"[profile deploy]\n{KEYS}")) == "AKIAPROFILE"


@pytest.mark.parametrize("profile", ["", "deploy"])
def test_where_the_profile_is_not_there_ambient_credentials_are_used(
    profile: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIACI")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "ci")
    assert credentials(environment(tmp_path, profile=profile)) == "AKIACI"


def test_a_profile_that_is_not_there_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no AWS profile 'deploy' on this machine") as refused:
        aws.signed_in(environment(tmp_path))
    assert refused.value.hint == "aws configure sso --profile deploy"


@pytest.mark.parametrize(
    ("file", "hint"),
    [(config.LOCAL_CONFIG, "inv local.up --env stg"), ("aws.ini", "create it, or correct account.config_file")],
)
def test_a_config_file_that_is_not_there_says_what_to_do(file: str, hint: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"{file} does not exist") as refused:
        aws.signed_in(environment(tmp_path, config_file=file))
    assert refused.value.hint == hint


def test_a_local_account_that_was_not_started_says_how_to_start_it(tmp_path: Path) -> None:
    (tmp_path / ".local" / "aws").mkdir(parents=True)
    (tmp_path / config.LOCAL_CONFIG).write_text(f"[profile another]\n{KEYS}")
    with pytest.raises(ConfigError, match="no AWS profile 'deploy'") as refused:
        aws.signed_in(environment(tmp_path, config_file=config.LOCAL_CONFIG))
    assert refused.value.hint == "inv local.up --env stg"


@pytest.mark.parametrize(
    "text",
    [
        "[profile deploy\n",
        "[profile deploy]\naws_access_key_id = AKIA\n",
        "[profile deploy]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = nobody\n",
        "[profile deploy]\ncredential_process = /no/such/program\n",
        f"[profile deploy]\n{KEYS}endpoint_url = nonsense\n",
    ],
    ids=["no INI file", "half a key", "no such source", "no such program", "no URL"],
)
def test_a_broken_aws_configuration_is_a_mistake_and_not_a_traceback(text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="environment stg: ") as refused:
        aws.signed_in(environment(tmp_path, text)).sts.get_caller_identity()
    assert "aws configure list" in refused.value.hint


def test_signing_in_calls_nothing(tmp_path: Path) -> None:
    assert signed_in(tmp_path).calls == {}


# Whose account


def test_the_guard_lets_the_right_account_pass() -> None:
    fake = FakeAccount(account_id=worlds.ACCOUNT_ID)
    assert aws.guard(fake.account, worlds.environment()) == "arn:aws:sts::111111111111:assumed-role/deploy/someone"


def test_the_guard_refuses_another_account_and_writes_nothing() -> None:
    fake = FakeAccount(account_id="222222222222")
    with pytest.raises(RefusedError, match="stg is account 111111111111") as refused:
        aws.guard(fake.account, worlds.environment())
    assert "account 222222222222 (arn:aws:sts::222222222222:assumed-role/deploy/someone)" in str(refused.value)
    assert refused.value.hint == "sign in to 111111111111, or correct account.id in environments/stg.toml"
    assert refused.value.exit_code == 3
    assert fake.calls == {"sts:GetCallerIdentity": 1}
    assert fake.writes == ()


# Errors


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("AccessDeniedException", "the role of this profile may not do that"),
        ("ExpiredTokenException", "sign in again, for example: aws sso login"),
        ("ClusterNotFoundException", ""),
    ],
)
def test_an_error_of_aws_becomes_ours_with_its_code(code: str, hint: str, tmp_path: Path) -> None:
    account = signed_in(tmp_path)
    with Stubber(account.ecs) as stub, pytest.raises(AwsError) as refused:
        stub.add_client_error("describe_services", code, "so it is", http_status_code=400)
        account.ecs.describe_services(services=["web"])
    assert str(refused.value) == f"stg: ecs refused DescribeServices: {code} so it is"
    assert (refused.value.code, refused.value.hint, refused.value.exit_code) == (code, hint, 1)


def test_an_answer_is_handed_on_and_the_call_is_counted(tmp_path: Path) -> None:
    with answering(200, {"Parameter": {"Value": "1"}}) as url:
        account = aws.signed_in(environment(tmp_path, f"[profile deploy]\n{KEYS}endpoint_url = {url}\n"))
        assert [account.ssm.get_parameter(Name="/a")["Parameter"]["Value"] for _ in range(2)] == ["1", "1"]
    assert account.calls == {"ssm:GetParameter": 2}
    assert account.ssm is account.ssm


def test_a_refused_call_is_counted_too_and_told_as_it_came_over_the_wire(tmp_path: Path) -> None:
    with answering(400, {"__type": "ParameterNotFound"}) as url:
        account = aws.signed_in(environment(tmp_path, f"[profile deploy]\n{KEYS}endpoint_url = {url}\n"))
        with pytest.raises(AwsError, match=r"^stg: ssm refused GetParameter: ParameterNotFound$") as refused:
            account.ssm.get_parameter(Name="/a")
    assert refused.value.code == "ParameterNotFound"
    assert account.calls == {"ssm:GetParameter": 1}


def test_every_client_of_the_account_translates_errors(tmp_path: Path) -> None:
    account = signed_in(tmp_path)
    calls = {
        account.ecs: "list_clusters",
        account.ecr: "describe_registry",
        account.ssm: "describe_parameters",
        account.sts: "get_caller_identity",
        account.logs: "describe_log_groups",
        account.s3: "list_buckets",
    }
    for client, operation in calls.items():
        with Stubber(client) as stub, pytest.raises(AwsError) as refused:
            stub.add_client_error(operation, "ThrottlingException", "slow down", http_status_code=400)
            getattr(client, operation)()
        assert refused.value.code == "ThrottlingException"


def test_an_endpoint_that_does_not_answer_is_told(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but nobody listens: a connection is refused
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        account = aws.signed_in(environment(tmp_path, f"[profile deploy]\n{KEYS}endpoint_url = {url}\n"))
        account.sts.meta.events.unregister("needs-retry.sts", unique_id="retry-config-sts")  # it would wait in between
        with pytest.raises(AwsError, match="Could not connect to the endpoint URL") as refused:
            account.sts.get_caller_identity()
    assert refused.value.code == "EndpointConnectionError"
    assert "is this machine online?" in refused.value.hint


def test_another_local_aws_in_the_place_of_ours_is_told(tmp_path: Path) -> None:
    (tmp_path / ".local" / "aws").mkdir(parents=True)
    with answering(400, {"__type": "UnrecognizedClientException", "message": "The security token is invalid."}) as url:
        (tmp_path / config.LOCAL_CONFIG).write_text(f"[profile deploy]\n{KEYS}endpoint_url = {url}\n")
        account = aws.signed_in(environment(tmp_path, config_file=config.LOCAL_CONFIG))
        with pytest.raises(AwsError, match="stg: its local AWS is gone; another one answers in its place") as refused:
            account.ecs.list_clusters()
    assert refused.value.hint == "inv local.up --env stg"


def test_no_credentials_at_all_are_told(tmp_path: Path) -> None:
    account = aws.signed_in(environment(tmp_path, "[profile deploy]\nregion = us-east-1\n"))
    with pytest.raises(AwsError, match="stg: Unable to locate credentials") as refused:
        account.sts.get_caller_identity()
    assert refused.value.code == "NoCredentialsError"
    assert refused.value.hint == "sign in to AWS, for example: aws sso login"


def test_an_sso_session_that_was_never_begun_is_told(tmp_path: Path) -> None:
    text = (
        "[profile deploy]\nsso_session = us\nsso_account_id = 111111111111\nsso_role_name = deploy\n"
        "[sso-session us]\nsso_region = us-east-1\nsso_start_url = https://example.test/start\n"
    )
    with pytest.raises(AwsError) as refused:
        aws.signed_in(environment(tmp_path, text)).sts.get_caller_identity()
    assert refused.value.hint == "aws sso login --profile deploy"


# Programs of the account (Terraform)


def test_a_child_gets_the_profile_and_no_stray_keys(tmp_path: Path) -> None:
    stray = {
        "PATH": "/bin",
        "AWS_ACCESS_KEY_ID": "AKIASTRAY",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_SESSION_TOKEN": "x",
        "AWS_DEFAULT_PROFILE": "x",
    }
    found = aws.child_variables(environment(tmp_path, f"[profile deploy]\n{KEYS}"), inherited=stray)
    assert found == {
        "PATH": "/bin",
        "AWS_CONFIG_FILE": str(tmp_path / "aws.ini"),
        "AWS_PROFILE": "deploy",
        "AWS_REGION": "ap-northeast-1",
    }
    assert stray["AWS_ACCESS_KEY_ID"] == "AKIASTRAY"


def test_a_child_without_a_profile_keeps_the_ambient_credentials(tmp_path: Path) -> None:
    ambient = {"AWS_ACCESS_KEY_ID": "AKIACI", "AWS_SECRET_ACCESS_KEY": "ci", "AWS_REGION": "us-east-1"}
    found = aws.child_variables(environment(tmp_path, profile=""), inherited=ambient)
    assert found == {**ambient, "AWS_REGION": "ap-northeast-1"}


def test_a_child_s_profile_must_be_there_too(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no AWS profile"):
        aws.child_variables(environment(tmp_path, "[profile other]\n"), inherited={})
