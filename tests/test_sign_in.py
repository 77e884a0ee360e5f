"""How an environment is signed in to, with an STS on this machine that writes down what it is asked."""

from __future__ import annotations

import base64
import json
import os
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import pytest

from deploylib import aws, config, sign_in
from deploylib.errors import AwsError, ConfigError
from tests.fakes import world as worlds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from deploylib.config import Environment

ROLE = "arn:aws:iam::111111111111:role/guestbook-stg-deploy"
MFA = "arn:aws:iam::999999999999:mfa/ada"
NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"
KEYS = "aws_access_key_id = AKIAPROFILE\naws_secret_access_key = secret\n"
SESSION = (
    "<Credentials><AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>role</SecretAccessKey>"
    "<SessionToken>token</SessionToken><Expiration>2999-01-01T00:00:00Z</Expiration></Credentials>"
)


@dataclass
class Sts:
    """What STS was asked, and who it says that its callers are; and the token that GitHub's jobs get."""

    url: str = ""
    arn: str = "arn:aws:iam::111111111111:user/ada"
    refuses: bool = False
    token: str = ""
    asked: list[dict[str, str]] = field(default_factory=list)

    def answer(self, action: str) -> str:
        if action == "GetCallerIdentity":
            inner = f"<Arn>{self.arn}</Arn><UserId>A</UserId><Account>111111111111</Account>"
        else:
            inner = f"{SESSION}<AssumedRoleUser><AssumedRoleId>A:b</AssumedRoleId><Arn>{ROLE}</Arn></AssumedRoleUser>"
        return f'<{action}Response xmlns="{NAMESPACE}"><{action}Result>{inner}</{action}Result></{action}Response>'

    @property
    def actions(self) -> list[str]:
        return [one["Action"] for one in self.asked]


@pytest.fixture
def sts() -> Iterator[Sts]:
    found = Sts()

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
            found.asked.append({**asked, "Authorization": self.headers.get("Authorization", "")})
            denied = "<Code>AccessDenied</Code><Message>you may not</Message>"
            refusal = f'<ErrorResponse xmlns="{NAMESPACE}"><Error><Type>Sender</Type>{denied}</Error></ErrorResponse>'
            body = (refusal if found.refuses else found.answer(asked["Action"])).encode()
            self.send_response(403 if found.refuses else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            """Answer as GitHub does when a job asks for its token."""
            body = json.dumps({"value": found.token}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        found.url = f"http://127.0.0.1:{server.server_port}"
        yield found
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def _bare_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sts: Sts) -> None:
    """Hide the developer's own sign-in, and lead every call to our STS."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", sts.url)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USER", "ada lovelace")


def environment(root: Path, text: str | None = f"[profile stg]\n{KEYS}", **account: Any) -> Environment:
    """Return an environment; *text* is its own AWS configuration file."""
    if text is not None:
        (root / "aws.ini").write_text(text)
        account = {"config_file": "aws.ini", "profile": "stg", **account}
    known = config.Account(id="111111111111", region="ap-northeast-1", **account)
    return worlds.environment(root, account=known, name="stg")


def keys(found: Environment, variables: Mapping[str, str] | None = None, **more: Any) -> tuple[str, str, str | None]:
    given = {**os.environ, **(variables or {})}
    held = sign_in.sign_in(found, variables=given, **more).frozen()
    return held.access_key, held.secret_key, held.token


def role(**more: Any) -> config.AssumedRole:
    return config.AssumedRole(arn=ROLE, **more)


# Variables with a prefix

STAGING = {"AWS_STG_ACCESS_KEY_ID": "AKIASTG", "AWS_STG_SECRET_ACCESS_KEY": "stg"}


def test_keys_with_the_environment_s_prefix_come_before_the_profile(tmp_path: Path) -> None:
    found = environment(tmp_path, variables_prefix="AWS_STG_")
    assert keys(found, STAGING) == ("AKIASTG", "stg", None)
    assert keys(found, {**STAGING, "AWS_STG_SESSION_TOKEN": "t"}) == ("AKIASTG", "stg", "t")


def test_without_them_the_profile_counts(tmp_path: Path) -> None:
    assert keys(environment(tmp_path, variables_prefix="AWS_STG_"), {"AWS_PRD_ACCESS_KEY_ID": "x"})[0] == "AKIAPROFILE"


@pytest.mark.parametrize("half", STAGING)
def test_half_a_key_is_a_mistake(half: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"{half} is set, but AWS_STG_") as refused:
        keys(environment(tmp_path, variables_prefix="AWS_STG_"), {half: "x"})
    assert refused.value.hint.startswith("set AWS_STG_")


def test_where_there_is_neither_it_says_both_ways(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no AWS profile 'stg'") as refused:
        keys(environment(tmp_path, "", variables_prefix="AWS_STG_"))
    assert refused.value.hint == (
        "aws configure sso --profile stg, or set AWS_STG_ACCESS_KEY_ID and AWS_STG_SECRET_ACCESS_KEY"
    )


# A role


def test_a_role_is_taken_with_the_profile_s_keys(tmp_path: Path, sts: Sts) -> None:
    found = environment(tmp_path, role=role(external_id="shop-4711", duration_seconds=900))
    assert keys(found) == ("ASIAROLE", "role", "token")
    (asked,) = sts.asked
    assert asked["Action"] == "AssumeRole"
    assert asked["RoleArn"] == ROLE
    assert asked["RoleSessionName"] == "deploylib-ada-lovelace"
    assert asked["ExternalId"] == "shop-4711"
    assert asked["DurationSeconds"] == "900"
    assert "AKIAPROFILE/" in asked["Authorization"]
    assert "/ap-northeast-1/sts/" in asked["Authorization"]


def test_a_role_is_taken_with_the_keys_of_the_prefix(tmp_path: Path, sts: Sts) -> None:
    found = environment(tmp_path, role=role(session_name="release"), variables_prefix="AWS_STG_")
    assert keys(found, STAGING)[0] == "ASIAROLE"
    assert "AKIASTG/" in sts.asked[0]["Authorization"]
    assert sts.asked[0]["RoleSessionName"] == "release"


def test_signing_in_asks_nothing_before_the_first_call(tmp_path: Path, sts: Sts) -> None:
    aws.signed_in(environment(tmp_path, role=role()))
    assert sts.asked == []


def test_a_code_is_asked_for_at_once_and_once_only(tmp_path: Path, sts: Sts) -> None:
    questions: list[str] = []

    def ask(question: str) -> str:
        questions.append(question)
        return "123456"

    found = environment(tmp_path, role=role(mfa_serial=MFA))
    assert keys(found, ask=ask)[0] == "ASIAROLE"
    assert keys(found, ask=ask)[0] == "ASIAROLE"
    assert questions == [f"Enter MFA code for {MFA}: "]
    assert (sts.asked[0]["SerialNumber"], sts.asked[0]["TokenCode"]) == (MFA, "123456")
    (kept,) = (tmp_path / "home" / ".aws" / "cli" / "cache").iterdir()
    assert kept.stat().st_mode & 0o077 == 0


def test_where_nobody_can_type_the_code_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="wants a code, and nobody is there to type one") as refused:
        aws.signed_in(environment(tmp_path, role=role(mfa_serial=MFA)))
    assert refused.value.hint == "inv env.doctor --env stg in a terminal: its session is kept"


def test_a_role_that_does_not_let_us_in_is_told_in_our_words(tmp_path: Path, sts: Sts) -> None:
    sts.refuses = True
    with pytest.raises(AwsError, match=f"stg: cannot sign in as role {ROLE}: .*AccessDenied") as refused:
        aws.signed_in(environment(tmp_path, role=role())).ssm.get_parameter(Name="/a")
    assert refused.value.code == "AccessDenied"
    assert refused.value.hint == "inv env.doctor --env stg"


AMBIENT = {"AWS_ACCESS_KEY_ID": "ASIAJOB", "AWS_SECRET_ACCESS_KEY": "job", "AWS_SESSION_TOKEN": "t"}


def test_a_job_that_is_the_role_already_does_not_take_it_again(
    tmp_path: Path, sts: Sts, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in AMBIENT.items():
        monkeypatch.setenv(name, value)
    sts.arn = "arn:aws:sts::111111111111:assumed-role/guestbook-stg-deploy/job"
    assert keys(environment(tmp_path, None, role=role())) == ("ASIAJOB", "job", "t")
    assert sts.actions == ["GetCallerIdentity"]


def test_a_job_that_is_somebody_else_takes_the_role(tmp_path: Path, sts: Sts, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in AMBIENT.items():
        monkeypatch.setenv(name, value)
    sts.arn = "arn:aws:sts::111111111111:assumed-role/ci/job"
    assert keys(environment(tmp_path, None, role=role()))[0] == "ASIAROLE"
    assert sts.actions == ["GetCallerIdentity", "AssumeRole"]


# The token of a job


def test_the_token_of_a_job_is_shown_to_sts(tmp_path: Path, sts: Sts) -> None:
    job = config.WebIdentity(role_arn=ROLE, token_variable="CI_TOKEN")
    found = environment(tmp_path, None, web_identity=job)
    assert keys(found, {"CI_TOKEN": "a.b.c"})[0] == "ASIAROLE"
    (asked,) = sts.asked
    assert (asked["Action"], asked["WebIdentityToken"], asked["RoleArn"]) == (
        "AssumeRoleWithWebIdentity",
        "a.b.c",
        ROLE,
    )


CLAIMS = {
    "iss": "https://gitlab.com",
    "aud": "https://gitlab.com",
    "sub": "project_path:acme/shop:ref_type:branch:ref:x",
}


def test_a_token_that_does_not_let_us_in_is_told_with_what_has_to_be_trusted(tmp_path: Path, sts: Sts) -> None:
    sts.refuses = True
    job = config.WebIdentity(role_arn=ROLE, token_variable="CI_TOKEN")
    found = environment(tmp_path, None, web_identity=job)
    middle = base64.urlsafe_b64encode(json.dumps(CLAIMS).encode()).decode().rstrip("=")
    with pytest.raises(AwsError, match="cannot sign in as role") as refused:
        keys(found, {"CI_TOKEN": f"e30.{middle}.signature"})
    assert f"sub {CLAIMS['sub']}" in str(refused.value)
    assert "signature" not in str(refused.value)
    assert "[terraform.ci_identity] of environments/stg.toml" in refused.value.hint


@pytest.fixture
def github(sts: Sts, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The variables of a job of GitHub's, whose token is asked for at the STS of this machine."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    middle = base64.urlsafe_b64encode(json.dumps(CLAIMS).encode()).decode().rstrip("=")
    sts.token = f"e30.{middle}.signature"
    return {"ACTIONS_ID_TOKEN_REQUEST_URL": f"{sts.url}/token?v=2", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "bearer"}


def test_a_job_of_github_s_shows_what_github_answers(tmp_path: Path, sts: Sts, github: dict[str, str]) -> None:
    job = config.WebIdentity(role_arn=ROLE, token_variable="CI_TOKEN")
    assert keys(environment(tmp_path, None, web_identity=job), github)[0] == "ASIAROLE"
    (asked,) = sts.asked
    assert asked["WebIdentityToken"] == sts.token


def test_a_job_of_github_s_that_is_not_let_in_is_told_what_its_token_says(
    tmp_path: Path, sts: Sts, github: dict[str, str]
) -> None:
    sts.refuses = True
    job = config.WebIdentity(role_arn=ROLE, token_variable="CI_TOKEN")
    with pytest.raises(AwsError, match=f"the job's token has .*sub {CLAIMS['sub']}"):
        keys(environment(tmp_path, None, web_identity=job), github)


@pytest.mark.parametrize("token", ["opaque", "a.b.c", "e30.WzFd.", "e30.e30."])
def test_what_is_no_token_of_that_kind_is_not_read(token: str, tmp_path: Path, sts: Sts) -> None:
    sts.refuses = True
    job = config.WebIdentity(role_arn=ROLE, token_variable="CI_TOKEN")
    with pytest.raises(AwsError, match="cannot sign in as role") as refused:
        keys(environment(tmp_path, None, web_identity=job), {"CI_TOKEN": token})
    assert refused.value.hint == "inv env.doctor --env stg"


def test_without_the_token_a_developer_s_profile_counts(tmp_path: Path) -> None:
    job = config.WebIdentity(role_arn=ROLE, token_variable="CI_TOKEN")
    assert keys(environment(tmp_path, web_identity=job))[0] == "AKIAPROFILE"


def test_where_a_profile_calls_counts_for_a_token_and_for_keys_too(
    tmp_path: Path, sts: Sts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    job = config.WebIdentity(role_arn=ROLE, token_variable="CI_TOKEN")
    text = f"[profile stg]\n{KEYS}endpoint_url = {sts.url}\n"
    found = environment(tmp_path, text, web_identity=job, variables_prefix="AWS_STG_")
    assert keys(found, {"CI_TOKEN": "a.b.c"})[0] == "ASIAROLE"
    assert sts.actions == ["AssumeRoleWithWebIdentity"]
    assert sign_in.sign_in(found, variables=STAGING).endpoint == sts.url


# In words


@pytest.mark.parametrize(
    ("account", "variables", "said"),
    [
        ({}, {}, "profile stg"),
        ({"role": role()}, {}, f"profile stg, then role {ROLE}"),
        ({"variables_prefix": "AWS_STG_"}, STAGING, "variables AWS_STG_…"),
        ({"profile": ""}, AMBIENT, "the variables AWS_ACCESS_KEY_ID …"),
        ({"profile": ""}, {"AWS_WEB_IDENTITY_TOKEN_FILE": "t"}, "the token file of this job"),
        ({"profile": ""}, {}, "what this machine has"),
        (
            {"web_identity": config.WebIdentity(role_arn=ROLE, token_variable="CI_TOKEN")},
            {"CI_TOKEN": "a"},
            f"the job's token in CI_TOKEN, as {ROLE}",
        ),
        (
            {"web_identity": config.WebIdentity(role_arn=ROLE, token_variable="CI_TOKEN")},
            {"ACTIONS_ID_TOKEN_REQUEST_URL": "https://token", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "a"},
            f"the job's token from GitHub, as {ROLE}",
        ),
    ],
)
def test_the_way_in_is_said_in_words(
    account: dict[str, Any], variables: dict[str, str], said: str, tmp_path: Path
) -> None:
    assert str(sign_in.choose(environment(tmp_path, **account), ["stg"], variables)) == said


def test_the_way_by_sso_says_how_to_sign_in_again(tmp_path: Path) -> None:
    text = "[profile stg]\nsso_start_url = https://example.test/start\nsso_region = us-east-1\n"
    assert sign_in.sign_in(environment(tmp_path, text)).way.hint == "aws sso login --profile stg"


# Programs of the account (Terraform)


def test_a_child_gets_the_role_s_session_and_where_to_call(tmp_path: Path, sts: Sts) -> None:
    found = environment(tmp_path, f"[profile stg]\n{KEYS}endpoint_url = {sts.url}\n", role=role())
    child = aws.child_variables(found, inherited={"PATH": "/bin", "AWS_PROFILE": "stray", **AMBIENT})
    assert child == {
        "PATH": "/bin",
        "AWS_CONFIG_FILE": str(tmp_path / "aws.ini"),
        "AWS_ACCESS_KEY_ID": "ASIAROLE",
        "AWS_SECRET_ACCESS_KEY": "role",
        "AWS_SESSION_TOKEN": "token",
        "AWS_ENDPOINT_URL": sts.url,
        "AWS_REGION": "ap-northeast-1",
    }


def test_a_child_gets_keys_with_a_prefix_under_the_names_that_it_knows(tmp_path: Path) -> None:
    found = environment(tmp_path, variables_prefix="AWS_STG_")
    child = aws.child_variables(found, inherited=STAGING)
    assert child == {
        "AWS_CONFIG_FILE": str(tmp_path / "aws.ini"),
        "AWS_ACCESS_KEY_ID": "AKIASTG",
        "AWS_SECRET_ACCESS_KEY": "stg",
        "AWS_REGION": "ap-northeast-1",
    }


def test_a_profile_that_asks_for_a_code_is_asked_here_and_not_by_the_child(tmp_path: Path, sts: Sts) -> None:
    text = f"[profile base]\n{KEYS}[profile stg]\nrole_arn = {ROLE}\nsource_profile = base\nmfa_serial = {MFA}\n"
    assert not sign_in.sign_in(environment(tmp_path, text)).is_plain


def test_a_plain_profile_is_the_child_s_own_business(tmp_path: Path, sts: Sts) -> None:
    assert aws.child_variables(environment(tmp_path), inherited={})["AWS_PROFILE"] == "stg"
    assert sts.asked == []
