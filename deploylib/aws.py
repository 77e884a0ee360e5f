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
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from deploylib import sign_in
from deploylib.errors import AwsError, ConfigError, DeployError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from types_boto3_dynamodb.client import DynamoDBClient
    from types_boto3_ecr.client import ECRClient
    from types_boto3_ecs.client import ECSClient
    from types_boto3_elbv2.client import ElasticLoadBalancingv2Client
    from types_boto3_events.client import EventBridgeClient
    from types_boto3_logs.client import CloudWatchLogsClient
    from types_boto3_s3.client import S3Client
    from types_boto3_scheduler.client import EventBridgeSchedulerClient
    from types_boto3_ssm.client import SSMClient
    from types_boto3_sts.client import STSClient

    from deploylib.config import Environment
    from deploylib.sign_in import SignedIn, Way

# Invoke's --debug makes every logger talk, and botocore then prints requests and answers: settings, passwords, tokens.
logging.getLogger("botocore").setLevel(logging.INFO)

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
SIGN_IN = frozenset(code for code, hint in HINTS.items() if "sso login" in hint)
NOT_OURS = frozenset({"UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId"})
UNREACHABLE = frozenset({"EndpointConnectionError", "ConnectionClosedError", "ConnectTimeoutError"})


class Account:
    """A signed-in session: clients made on first use, calls counted by operation."""

    def __init__(
        self, session: boto3.Session, *, environment: str, is_local: bool = False, way: Way | None = None
    ) -> None:
        self._session = session
        self._environment = environment
        self._is_local = is_local
        self.way = way
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
    def iam(self) -> Any:  # for a few calls, no package of types
        """Identity and Access Management, to ask what we and the tasks may do."""
        return self._client("iam")

    @functools.cached_property
    def logs(self) -> CloudWatchLogsClient:
        """CloudWatch Logs."""
        return self._client("logs")

    @functools.cached_property
    def s3(self) -> S3Client:
        """Simple Storage Service, for the Terraform state's bucket, and for what is built elsewhere."""
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

    @functools.cached_property
    def elbv2(self) -> ElasticLoadBalancingv2Client:
        """Elastic Load Balancing, for target groups."""
        return self._client("elbv2")

    @functools.cached_property
    def codedeploy(self) -> Any:  # for a few calls, no package of types
        """CodeDeploy, for services that it moves."""
        return self._client("codedeploy")

    @functools.cached_property
    def codebuild(self) -> Any:  # the same
        """CodeBuild, for images that are built there."""
        return self._client("codebuild")

    @functools.cached_property
    def ec2(self) -> Any:  # for what `inv verify` asks, no package of types
        """EC2, for the ways out of a network."""
        return self._client("ec2")

    @functools.cached_property
    def secretsmanager(self) -> Any:  # the same
        """Secrets Manager, to ask whether a secret is there; no value is read."""
        return self._client("secretsmanager")

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
        if isinstance(exception, DeployError):  # of signing in, on the way to the call
            raise exception
        code = type(exception).__name__
        raise AwsError(f"{self._environment}: {exception}", code=code, hint=self._hint(code)) from exception

    def _hint(self, code: str) -> str:
        if self._is_local and code in UNREACHABLE | NOT_OURS:
            return f"inv local.up --env {self._environment}"
        if code in SIGN_IN and self.way and self.way.hint:
            return self.way.hint
        return "is this machine online?" if code in UNREACHABLE else HINTS.get(code, "")


def signed_in(environment: Environment) -> Account:
    """Return a session for *environment*'s account; nothing is called yet, unless somebody has to type a code.

    Raises `ConfigError` when the profile or its file is not there.
    """
    with _understood(environment.name):
        signed = sign_in.sign_in(environment)
        if environment.account.role and environment.account.role.mfa_serial:
            signed.frozen()  # now, and not under somebody's progress display
    return Account(
        _session(signed, environment),
        environment=environment.name,
        is_local=environment.account.is_local,
        way=signed.way,
    )


def session(environment: Environment) -> boto3.Session:
    """Return the boto3 session that *environment*'s `[account]` describes."""
    with _understood(environment.name):
        return _session(sign_in.sign_in(environment), environment)


def _session(signed: SignedIn, environment: Environment) -> boto3.Session:
    return boto3.Session(botocore_session=signed.core, region_name=environment.account.region)


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
    """Return the whole environment for a program of *environment*'s account (Terraform): it is who we are."""
    with _understood(environment.name):
        signed = sign_in.sign_in(environment, variables=inherited)
        return sign_in.child_variables(signed, environment, inherited)


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
