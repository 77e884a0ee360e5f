"""How an environment is signed in to: which credentials, and the role that is taken with them. The one place for both.

What is there first, counts: variables with the environment's own prefix (`AWS_STG_ACCESS_KEY_ID`), the token of a CI
job (`[account.web_identity]`), the profile (keys, SSO, a role, a program), and at last whatever the machine itself has.
On top of that comes `[account.role]`, unless these credentials are that role's already.

Nothing is asked before the first call, except where a person has to type a code: that waits for nothing.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import functools
import getpass
import json
import logging
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import botocore.session
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    AssumeRoleWithWebIdentityCredentialFetcher,
    CredentialProvider,
    CredentialResolver,
    Credentials,
    DeferredRefreshableCredentials,
)
from botocore.exceptions import BotoCoreError, ClientError
from botocore.utils import JSONFileCache

from deploylib import job_token
from deploylib.errors import AwsError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from deploylib.config import AssumedRole, Environment, WebIdentity

# What cannot be refreshed is raised, and told once: not also as a traceback in the log.
for name in ("botocore.credentials", "botocore.tokens"):
    logging.getLogger(name).setLevel(logging.ERROR)

Kind = Literal["variables", "web identity", "profile", "machine"]

AMBIENT = ("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
STATIC = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE")
UNTRUSTED = "AccessDenied", "InvalidIdentityToken"  # by the role; by the account, which has no such provider
KEYS = ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN")
NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9+=,.@_-]")
LONGEST_NAME = 64
CACHE = ".aws/cli/cache"  # in the home of who typed the code, where the AWS CLI keeps such sessions too
LAST_SECONDS = 60  # a session is used until so long before its end: who typed a code is not asked again for nothing
SSO = "sso_start_url", "sso_session"


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way in: where the first credentials are from, in words, and the role that is taken with them."""

    kind: Kind
    source: str
    profile: str = ""
    role: str = ""
    sso: bool = False

    def __str__(self) -> str:
        return f"{self.source}, then role {self.role}" if self.role else self.source

    @property
    def hint(self) -> str:
        """What to do when the credentials have run out."""
        if self.kind == "profile":
            return f"aws sso login --profile {self.profile}" if self.sso else ""
        return "sign in again, or start the job again" if self.kind == "web identity" else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """A botocore session that has the environment's credentials, and the way that they came."""

    core: botocore.session.Session
    way: Way

    def frozen(self) -> Any:
        """Return the credentials as they are now, or nothing; this may call STS, and ask for a code."""
        found = self.core.get_credentials()
        return found.get_frozen_credentials() if found else None

    @property
    def endpoint(self) -> str:
        """The address that the profile sends every call to, when it is not AWS itself."""
        return str(self.core.get_scoped_config().get("endpoint_url", "")) if self.core.profile else ""

    @property
    def is_plain(self) -> bool:
        """Whether another program gets the same identity from the profile, or the machine, by itself."""
        if self.way.role or self.way.kind in {"variables", "web identity"}:
            return False
        return not (self.way.profile and self.core.get_scoped_config().get("mfa_serial"))


def sign_in(
    environment: Environment,
    *,
    variables: Mapping[str, str] = os.environ,
    ask: Callable[[str], str] | None = None,
) -> SignedIn:
    """Return how *environment* is signed in to; *ask* gets a code for a question. Nothing is called yet.

    Raises `ConfigError` when the profile or its file is not there, or only half a key is.
    """
    core = botocore.session.Session()
    if environment.account.config_file:
        core.set_config_variable("config_file", config_file(environment))
    way = choose(environment, core.available_profiles, variables)
    if environment.account.profile in core.available_profiles:  # its settings count whoever signs in: where to call
        core.set_config_variable("profile", environment.account.profile)
    if way.profile:
        way = dataclasses.replace(way, sso=any(key in core.get_scoped_config() for key in SSO))
    chain = core.get_component("credential_provider")
    provider = _Provider(
        core=core, environment=environment, way=way, variables=variables, chain=chain, ask=ask or _ask(environment)
    )
    core.register_component("credential_provider", CredentialResolver(providers=[provider]))
    return SignedIn(core=core, way=way)


def choose(environment: Environment, profiles: list[str], variables: Mapping[str, str]) -> Way:
    """Return the way that is there first: of *profiles*, those of the configuration file."""
    account, role = environment.account, environment.account.role.arn if environment.account.role else ""
    if account.variables_prefix and _keys(environment, variables):
        return Way(kind="variables", source=f"variables {account.variables_prefix}…", role=role)
    token = account.web_identity
    if token and (source := job_token.source(token.token_variable, variables)):
        return Way(kind="web identity", source=f"{source}, as {token.role_arn}")
    if account.profile in profiles and account.profile:
        return Way(kind="profile", source=f"profile {account.profile}", profile=account.profile, role=role)
    if account.profile and not any(variables.get(name) for name in AMBIENT):
        raise ConfigError(
            f"environment {environment.name}: no AWS profile {account.profile!r} on this machine",
            hint=local_up(environment) or _made(environment),
        )
    return Way(kind="machine", source=_of_machine(variables), role=role)


def _made(environment: Environment) -> str:
    """Return what makes the credentials that are missing."""
    account = environment.account
    if account.variables_prefix:
        first, second, _ = (f"{account.variables_prefix}{key}" for key in KEYS)
        return f"aws configure sso --profile {account.profile}, or set {first} and {second}"
    return f"aws configure sso --profile {account.profile}"


def _of_machine(variables: Mapping[str, str]) -> str:
    words = ("the variables AWS_ACCESS_KEY_ID …", "the token file of this job", "the role of this container")
    return next(
        (word for name, word in zip(AMBIENT, words, strict=True) if variables.get(name)), "what this machine has"
    )


def _keys(environment: Environment, variables: Mapping[str, str]) -> tuple[str, ...]:
    """Return the key, its secret and its token from the variables with the prefix; nothing when there are none."""
    prefix = environment.account.variables_prefix
    key, secret, token = (variables.get(f"{prefix}{one}", "") for one in KEYS)
    if bool(key) != bool(secret):
        here, missing = (KEYS[0], KEYS[1]) if key else (KEYS[1], KEYS[0])
        raise ConfigError(
            f"environment {environment.name}: {prefix}{here} is set, but {prefix}{missing} is not",
            hint=f"set {prefix}{missing} too",
        )
    return (key, secret, token) if key else ()


def arguments(role: AssumedRole, variables: Mapping[str, str]) -> dict[str, Any]:
    """Return what STS is asked with."""
    asked = {
        "RoleSessionName": session_name(role.session_name, variables),
        "DurationSeconds": role.duration_seconds,
        "ExternalId": role.external_id,
        "SerialNumber": role.mfa_serial,
    }
    return {name: value for name, value in asked.items() if value}


def session_name(wanted: str, variables: Mapping[str, str]) -> str:
    """Return the name that CloudTrail shows: *wanted*, else who it is on this machine."""
    who = variables.get("USER") or variables.get("LOGNAME") or "ci"
    return NOT_IN_A_NAME.sub("-", wanted or f"deploylib-{who}")[:LONGEST_NAME]


def _refusal(environment: Environment, what: str, error: Exception, token: str) -> AwsError:
    """Return our words for STS's; of a job's *token* with what it says, which is what the role has to trust."""
    code = error.response["Error"].get("Code", "") if isinstance(error, ClientError) else type(error).__name__
    name, message = environment.name, f"{environment.name}: cannot sign in as {what}: {error}"
    hint = f"inv env.doctor --env {name}"
    if code in UNTRUSTED and (claims := _claims(token)):
        message += f"; the job's token has {claims}"
        hint = f"say so in [terraform.ci_identity] of environments/{name}.toml, then inv infra.apply --env {name}"
    return AwsError(message, code=code, hint=hint)


def _claims(token: str) -> str:
    """Return issuer, audience and subject of a JSON Web Token (RFC 7519), unchecked; empty when it is none."""
    try:
        found = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    except (ValueError, IndexError):
        return ""
    named = found if isinstance(found, dict) else {}
    return ", ".join(f"{name} {named[name]}" for name in ("iss", "aud", "sub") if name in named)


def _ask(environment: Environment) -> Callable[[str], str]:
    def asked(question: str) -> str:
        if sys.stdin.isatty():
            return getpass.getpass(question)
        raise ConfigError(
            f"environment {environment.name}: the role wants a code, and nobody is there to type one",
            hint=f"inv env.doctor --env {environment.name} in a terminal: its session is kept",
        )

    return asked


class _Provider(CredentialProvider):
    """The one provider of a session of ours: the first credentials, and the role on top of them."""

    METHOD = "deploylib"

    def __init__(
        self,
        *,
        core: botocore.session.Session,
        environment: Environment,
        way: Way,
        variables: Mapping[str, str],
        chain: Any,
        ask: Callable[[str], str],
    ) -> None:
        super().__init__()
        self._environment, self._way, self._variables = environment, way, variables
        self._chain, self._ask = chain, ask
        self._client = functools.partial(core.create_client, region_name=environment.account.region)
        self._shown = ""  # the job's token as STS saw it last

    def load(self) -> Any:
        """Return the credentials; nothing when there are no first ones."""
        found, role = self._first(), self._environment.account.role
        if not (found and self._way.role and role):
            return found
        if self._way.kind == "machine" and self._is(role.arn, found):
            return found
        return self._refreshed(role.arn, self._assuming(role, found).fetch_credentials)

    def _first(self) -> Any:
        if self._way.kind == "variables":
            key, secret, token = _keys(self._environment, self._variables)
            return Credentials(key, secret, token or None, method="variables")
        job = self._environment.account.web_identity
        if self._way.kind == "web identity" and job:
            return self._refreshed(job.role_arn, self._presenting(job).fetch_credentials)
        return self._chain.load_credentials()

    def _presenting(self, job: WebIdentity) -> AssumeRoleWithWebIdentityCredentialFetcher:
        return AssumeRoleWithWebIdentityCredentialFetcher(
            client_creator=self._client,
            web_identity_token_loader=functools.partial(self._show, job),
            role_arn=job.role_arn,
            extra_args={"RoleSessionName": session_name("", self._variables)},
        )

    def _show(self, job: WebIdentity) -> str:
        """Return the job's token as it is now."""
        self._shown = job_token.read(job.token_variable, self._variables)
        return self._shown

    def _assuming(self, role: AssumedRole, source: Any) -> AssumeRoleCredentialFetcher:
        kept: Any = JSONFileCache(str(Path.home() / CACHE)) if role.mfa_serial else {}
        return AssumeRoleCredentialFetcher(
            client_creator=self._client,
            source_credentials=source,
            role_arn=role.arn,
            extra_args=arguments(role, self._variables),
            mfa_prompter=self._ask,
            cache=kept,
            expiry_window_seconds=LAST_SECONDS,
        )

    def _is(self, arn: str, held: Any) -> bool:
        """Whether *held* are of that role already, as in a job that signed in as it: a role rarely trusts itself."""
        keys = held.get_frozen_credentials()
        sts: Any = self._client(
            "sts",
            aws_access_key_id=keys.access_key,
            aws_secret_access_key=keys.secret_key,
            aws_session_token=keys.token,
        )
        with self._understood("sts:GetCallerIdentity"):
            _, _, session = str(sts.get_caller_identity()["Arn"]).partition(":assumed-role/")
        return bool(session) and session.partition("/")[0] == arn.rpartition("/")[2]

    def _refreshed(self, arn: str, fetch: Callable[[], Any]) -> DeferredRefreshableCredentials:
        def fetched() -> Any:
            with self._understood(f"role {arn}"):
                return fetch()

        return DeferredRefreshableCredentials(refresh_using=fetched, method="assume-role")

    @contextlib.contextmanager
    def _understood(self, what: str) -> Iterator[None]:
        """Turn STS's refusal into ours: no client of `aws.Account` is in between here."""
        try:
            yield
        except (ClientError, BotoCoreError) as error:
            raise _refusal(self._environment, what, error, self._shown) from error


def config_file(environment: Environment) -> str:
    """Return the environment's own AWS configuration file; raise `ConfigError` when it is not there."""
    path = environment.root / environment.account.config_file
    if path.is_file():
        return str(path)
    raise ConfigError(
        f"environment {environment.name}: {environment.account.config_file} does not exist",
        hint=local_up(environment) or "create it, or correct account.config_file",
    )


def local_up(environment: Environment) -> str:
    """Return the command that makes *environment*'s account, when that is ours to make."""
    return f"inv local.up --env {environment.name}" if environment.account.is_local else ""


def child_variables(signed: SignedIn, environment: Environment, inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the whole environment for a program that shall be who we are.

    A profile has to win over stray static credentials, as it does here. What no other program could find out again
    (a role with a code, keys under other names) it gets as keys of a session.
    """
    variables = dict(inherited)
    if environment.account.config_file:
        variables["AWS_CONFIG_FILE"] = config_file(environment)
    if signed.way.profile or not signed.is_plain:
        variables = {key: value for key, value in variables.items() if key not in STATIC}
    if not signed.is_plain:
        variables |= _session(signed)
    elif signed.way.profile:
        variables["AWS_PROFILE"] = signed.way.profile
    return {**_without_own(variables, environment), "AWS_REGION": environment.account.region}


def _session(signed: SignedIn) -> dict[str, str]:
    keys = signed.frozen()
    found = {
        "AWS_ACCESS_KEY_ID": keys.access_key,
        "AWS_SECRET_ACCESS_KEY": keys.secret_key,
        "AWS_SESSION_TOKEN": keys.token or "",
        "AWS_ENDPOINT_URL": signed.endpoint,
    }
    return {name: value for name, value in found.items() if value}


def _without_own(variables: Mapping[str, str], environment: Environment) -> dict[str, str]:
    """Leave out the keys under other names and the job's token: the program has what it needs of them."""
    account = environment.account
    own = {f"{account.variables_prefix}{key}" for key in KEYS} if account.variables_prefix else set()
    token = {account.web_identity.token_variable} if account.web_identity else set()
    return {key: value for key, value in variables.items() if key not in own | token}
