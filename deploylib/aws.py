"""The door to AWS: the session, one client per service, and botocore's errors turned into ours.

Errors are translated inside botocore's own events (`after-call`, `after-call-error`), so the clients stay the typed
clients that everybody knows, and no call can forget the translation.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any, NoReturn

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from deploylib.errors import AwsError, ConfigError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from types_boto3_dynamodb.client import DynamoDBClient
    from types_boto3_ecr.client import ECRClient
    from types_boto3_ecs.client import ECSClient
    from types_boto3_events.client import EventBridgeClient
    from types_boto3_logs.client import CloudWatchLogsClient
    from types_boto3_s3.client import S3Client
    from types_boto3_scheduler.client import EventBridgeSchedulerClient
    from types_boto3_ssm.client import SSMClient
    from types_boto3_sts.client import STSClient

    from deploylib.config import Environment

# Invoke's --debug makes every logger talk, and botocore then prints requests and answers: settings, passwords, tokens.
logging.getLogger("botocore").setLevel(logging.INFO)

AMBIENT = ("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
STATIC = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE")
ERROR_STATUS = 300
HINTS = {
    "NoCredentialsError": "sign in to AWS, for example: aws sso login",
    "SSOTokenLoadError": "aws sso login",
    "UnauthorizedSSOTokenError": "aws sso login",
    "TokenRetrievalError": "aws sso login",
    "ExpiredToken": "sign in again, for example: aws sso login",
    "ExpiredTokenException": "sign in again, for example: aws sso login",
    "AccessDeniedException": "the role of this profile may not do that",
    "AccessDenied": "the role of this profile may not do that",
}
NOT_OURS = frozenset({"UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId"})
UNREACHABLE = frozenset({"EndpointConnectionError", "ConnectionClosedError", "ConnectTimeoutError"})


class Account:
    """A signed-in session: clients made on first use, calls counted by operation."""

    def __init__(self, session: boto3.Session, *, environment: str, is_local: bool = False) -> None:
        self._session = session
        self._environment = environment
        self._is_local = is_local
        self._making = threading.Lock()
        self.calls: Counter[str] = Counter()

    @functools.cached_property
    def ecs(self) -> ECSClient:
        """Elastic Container Service."""
        return self._client("ecs")

    @functools.cached_property
    def ecr(self) -> ECRClient:
        """Elastic Container Registry."""
        return self._client("ecr")

    @functools.cached_property
    def ssm(self) -> SSMClient:
        """Systems Manager, for Parameter Store."""
        return self._client("ssm")

    @functools.cached_property
    def sts(self) -> STSClient:
        """Security Token Service."""
        return self._client("sts")

    @functools.cached_property
    def logs(self) -> CloudWatchLogsClient:
        """CloudWatch Logs."""
        return self._client("logs")

    @functools.cached_property
    def s3(self) -> S3Client:
        """Simple Storage Service, for the Terraform state's bucket."""
        return self._client("s3")

    @functools.cached_property
    def dynamodb(self) -> DynamoDBClient:
        """DynamoDB, for the ledger."""
        return self._client("dynamodb")

    @functools.cached_property
    def events(self) -> EventBridgeClient:
        """EventBridge, for rules that start tasks."""
        return self._client("events")

    @functools.cached_property
    def scheduler(self) -> EventBridgeSchedulerClient:
        """EventBridge Scheduler, for schedules that start tasks."""
        return self._client("scheduler")

    def _client(self, service: str) -> Any:
        mode: Any = "adaptive" if service == "ssm" else "standard"  # Parameter Store takes very few writes a second
        config = Config(retries={"mode": mode, "total_max_attempts": 5}, connect_timeout=5, read_timeout=60)
        if service == "s3":  # an endpoint of one's own has no host name per bucket
            config = config.merge(Config(s3={"addressing_style": "path"}))
        with self._making, _understood(self._environment):  # making clients of one session is not thread-safe
            client = self._session.client(service, config=config)  # type: ignore[call-overload]  # the name is data here
        client.meta.events.register("before-call", self._count)
        client.meta.events.register("after-call", self._translate_response)
        client.meta.events.register("after-call-error", self._translate_exception)
        return client

    def _count(self, model: Any, **_: Any) -> None:
        self.calls[f"{model.service_model.service_name}:{model.name}"] += 1

    def _translate_response(self, http_response: Any, parsed: Mapping[str, Any], model: Any, **_: Any) -> None:
        if http_response.status_code < ERROR_STATUS:
            return
        error = parsed.get("Error", {})
        code, message = str(error.get("Code", http_response.status_code)), str(error.get("Message", "")).strip()
        said = f"{model.service_model.service_name} refused {model.name}: {code} {message}".rstrip()
        if self._is_local and code in NOT_OURS:
            said = "its local AWS is gone; another one answers in its place"
        raise AwsError(f"{self._environment}: {said}", code=code, hint=self._hint(code))

    def _translate_exception(self, exception: Exception, **_: Any) -> NoReturn:
        code = type(exception).__name__
        raise AwsError(f"{self._environment}: {exception}", code=code, hint=self._hint(code)) from exception

    def _hint(self, code: str) -> str:
        if self._is_local and code in UNREACHABLE | NOT_OURS:
            return f"inv local.up --env {self._environment}"
        return "is this machine online?" if code in UNREACHABLE else HINTS.get(code, "")


def signed_in(environment: Environment) -> Account:
    """Return a session for *environment*'s account; nothing is called yet.

    Raises `ConfigError` when the profile or its file is not there.
    """
    return Account(session(environment), environment=environment.name, is_local=environment.account.is_local)


def session(environment: Environment) -> boto3.Session:
    """Return the boto3 session that *environment*'s `[account]` describes."""
    core, profile = _core(environment)
    if profile:
        core.set_config_variable("profile", profile)
    return boto3.Session(botocore_session=core, region_name=environment.account.region)


def guard(account: Account, environment: Environment) -> str:
    """Ask STS which account this is; raise `RefusedError` when it is not *environment*'s. Return the caller's ARN."""
    identity = account.sts.get_caller_identity()
    if identity["Account"] == environment.account.id:
        return identity["Arn"]
    raise RefusedError(
        f"environment {environment.name} is account {environment.account.id}, "
        f"but these credentials are of account {identity['Account']} ({identity['Arn']})",
        hint=f"sign in to {environment.account.id}, or correct account.id in environments/{environment.name}.toml",
    )


def child_variables(environment: Environment, *, inherited: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the whole environment for a program of *environment*'s account (Terraform).

    A profile has to win over stray static credentials, as it does in `session`.
    """
    account, variables = environment.account, dict(inherited)
    if account.config_file:
        variables["AWS_CONFIG_FILE"] = _config_file(environment)
    _, profile = _core(environment)
    if profile:
        variables = {key: value for key, value in variables.items() if key not in STATIC}
        variables["AWS_PROFILE"] = profile
    variables["AWS_REGION"] = account.region
    return variables


def _core(environment: Environment) -> tuple[botocore.session.Session, str]:
    """Return a botocore session that reads *environment*'s config file, and the profile to use."""
    core = botocore.session.Session()
    if environment.account.config_file:
        core.set_config_variable("config_file", _config_file(environment))
    with _understood(environment.name):
        return core, _profile(environment, core.available_profiles)


@contextlib.contextmanager
def _understood(environment: str) -> Iterator[None]:
    """Turn what is wrong with the AWS configuration itself into a `ConfigError`.

    Of an endpoint that is no URL botocore says ValueError; of a `credential_process` that is not there, OSError.
    """
    try:
        yield
    except (BotoCoreError, ValueError, OSError) as error:
        hint = "correct the AWS configuration (aws configure list), or sign in again"
        raise ConfigError(f"environment {environment}: {error}", hint=hint) from error


def _config_file(environment: Environment) -> str:
    path = environment.root / environment.account.config_file
    if path.is_file():
        return str(path)
    raise ConfigError(
        f"environment {environment.name}: {environment.account.config_file} does not exist",
        hint=_local_up(environment) or "create it, or correct account.config_file",
    )


def _profile(environment: Environment, available: list[str]) -> str:
    """Return the profile to use, or nothing when a machine without it (CI) has ambient credentials."""
    profile = environment.account.profile
    if not profile or profile in available:
        return profile
    if any(os.environ.get(name) for name in AMBIENT):
        return ""
    raise ConfigError(
        f"environment {environment.name}: no AWS profile {profile!r} on this machine",
        hint=_local_up(environment) or f"aws configure sso --profile {profile}",
    )


def _local_up(environment: Environment) -> str:
    """Return the command that makes *environment*'s account, when that is ours to make."""
    return f"inv local.up --env {environment.name}" if environment.account.is_local else ""
