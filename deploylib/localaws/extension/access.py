"""Access control for roles: a session of STS may do what its role's policies say, and a role lets in whom it trusts.

The account's own profile is its root and may do everything. MiniStack has an evaluator of policies, but asks it for all
callers or for none, and knows neither the resources of ECS nor `iam:PassRole`. What is asked is in `authorization`.

The registry has no signatures: the password that ECR gives out says whose it is. Engines send one only when they are
asked for it, so from the first password of a role on, the registry asks everybody, as ECR always does.
"""

from __future__ import annotations

import base64
import contextvars
import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ministack import app
from ministack.core import iam_actions, iam_evaluator, responses
from ministack.core.router import extract_access_key_id, extract_region
from ministack.services import ecr, iam, sts

from deploylib.localaws.extension import authorization, patching
from deploylib.localaws.extension.authorization import Check, Where

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

S3 = "s3"
ASSUME, BY_TOKEN = "AssumeRole", "AssumeRoleWithWebIdentity"
TLS = "127.0.0.1", True
UNAUTHORIZED, DENIED = 401, 403
CHALLENGE = {"WWW-Authenticate": 'Basic realm="localaws",service="ecr"'}
Answer = tuple[int, dict[str, str], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call as MiniStack has routed it."""

    service: str
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    parameters: Mapping[str, Any]


def install() -> None:
    """Ask IAM before a role's call is answered."""
    patching.require(app, "detect_service", "_routing_params", "extract_region")
    patching.require(iam_evaluator, "enforce", "evaluate_trust_policy", "EvalContext", "pin_request_origin")
    patching.require(sts, "_sessions", "_web_identity_trust_denied")
    passwords: dict[str, str] = {}
    _install_api()
    _install_tokens(passwords)
    _install_registry(passwords)
    _install_simulation()


def _install_api() -> None:
    @patching.wrap(app, "_dispatch_service_request(method, path, headers, body, query_params, request_id)")
    async def dispatched(original: Callable[..., Any], method: str, path: str, headers: Any, *rest: Any) -> Any:
        body, query, request_id = rest
        key = extract_access_key_id(headers, query)
        parameters = app._routing_params(method, path, headers, body, query)
        service = app.detect_service(method, path, headers, parameters)
        if service == "sts" and (answer := _untrusted(parameters, key, request_id)):
            return answer
        if key in sts._sessions:
            call = Call(service=service, method=method, path=path, headers=headers, body=body, parameters=parameters)
            if answer := _denied(key, call, request_id):
                return answer
        return await original(method, path, headers, *rest)


def _asked(call: Call) -> tuple[Check, ...]:
    """Return the questions to IAM: ours, or for S3 and for services that we do not know MiniStack's own.

    Bucket and key stand in the path of a request to S3, which MiniStack can read, and ours know one action of many.
    """
    routed = (call.service, call.method, call.path, call.headers, call.body, call.parameters)
    action = iam_actions.extract_iam_action(*routed)
    if action is None:
        return ()
    where = Where(account=responses.get_account_id(), region=extract_region(call.headers))
    known = authorization.checks(call.service, action.partition(":")[2], _whole(call), where)
    if known is not None and call.service != S3:
        return known
    return (Check(action=action, resource=iam_actions.extract_resource_arn(*routed, where.region, where.account)),)


def _whole(call: Call) -> dict[str, Any]:
    """Return the request: its body and, for a schedule, what stands in the path and the query."""
    request = _request(call.body)
    if call.service != "scheduler":
        return request
    kind, _, name = call.path.strip("/").partition("/")
    group = call.parameters.get("groupName") or request.get("GroupName")
    return {
        **request,
        "Name": name if kind == "schedules" else "",
        "GroupName": group[0] if isinstance(group, list) else group,
    }


def _request(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _denied(key: str, call: Call, request_id: str) -> Answer | None:
    """Return AWS's refusal of the first question that IAM answers with no."""
    for check in _asked(call):
        refused = _refused(key, call.service, check)
        if isinstance(refused, iam_evaluator.AuthError):
            return app._credential_failure(call.service, check.action, request_id, refused, call.headers)
        if refused is not None:
            return iam_actions.access_denied_response(
                call.service,
                check.action,
                refused.principal_arn,
                request_id,
                resource_arn=check.resource,
                explicit_deny=refused.decision == "Deny",
            )
    return None


def _refused(key: str, service: str, check: Check) -> Any:
    """Return why not. This endpoint stands for one with TLS, which policies of buckets may ask for."""
    region = responses.get_region()
    iam_evaluator.pin_request_origin(*TLS)
    return iam_evaluator.enforce(
        key, check.action, service, region, resource_arn=check.resource, service_context=dict(check.keys)
    )


def _untrusted(parameters: Mapping[str, Any], key: str, request_id: str) -> Answer | None:
    """Return STS's refusal when the role to assume is not there, or its trust policy does not name the caller."""
    asked = {name: value[0] if isinstance(value, list) else value for name, value in parameters.items()}
    if asked.get("Action") == BY_TOKEN and str(asked.get("RoleArn", "")).count(":") > 4:  # noqa: PLR2004 - an ARN
        return _untrusted_token(asked)
    if asked.get("Action") != ASSUME:
        return None
    arn, caller = str(asked.get("RoleArn", "")), iam_evaluator.resolve_caller_identity(key) or {}
    account = arn.split(":")[4] if arn.count(":") > 4 else ""  # noqa: PLR2004 - where an ARN has its account
    role = iam._roles.get_scoped(account, None, arn.rpartition("/")[2]) if account else None
    if role and _trusts(role, arn, caller, asked):
        return None
    message = f"User: {caller.get('userArn', '')} is not authorized to perform: sts:{ASSUME} on resource: {arn}"
    return iam_actions.access_denied_response(
        "sts", f"sts:{ASSUME}", caller.get("userArn", ""), request_id, message=message
    )


def _untrusted_token(asked: Mapping[str, Any]) -> Answer | None:
    """Return STS's refusal when no trust policy names the token's issuer, audience and subject.

    The provider has to be there, as on AWS; the signature of the token is not looked at.
    """
    refusal: Answer | None = sts._web_identity_trust_denied(asked["RoleArn"], dict(asked), use_json=False)
    return refusal


def _trusts(role: Mapping[str, Any], arn: str, caller: Mapping[str, Any], asked: Mapping[str, Any]) -> bool:
    context = iam_evaluator.EvalContext(
        principal_arn=caller.get("userArn", ""),
        principal_type="AssumedRole" if caller.get("session") else "Root",
        principal_account=caller.get("accountId", ""),
        action=f"sts:{ASSUME}",
        resource_arn=arn,
        region=responses.get_region(),
        service_context={
            "sts:externalid": asked.get("ExternalId"),
            "sts:rolesessionname": asked.get("RoleSessionName"),
            "aws:multifactorauthpresent": "true" if asked.get("TokenCode") else None,
        },
    )
    return bool(
        iam_evaluator.evaluate_trust_policy(role.get("AssumeRolePolicyDocument", "{}"), context.principal_arn, context)
    )


def _install_tokens(passwords: dict[str, str]) -> None:
    @patching.wrap(app, "_dispatch_service_request(method, path, headers, body, query_params, request_id)")
    async def dispatched(original: Callable[..., Any], method: str, path: str, headers: Any, *rest: Any) -> Any:
        """Give a role a password of its own; it is as good as the session that asked for it."""
        status, answered, body = await original(method, path, headers, *rest)
        key = extract_access_key_id(headers, rest[1])
        if key not in sts._sessions or not headers.get("x-amz-target", "").endswith(".GetAuthorizationToken"):
            return status, answered, body
        document = _request(body)
        for one in document.get("authorizationData", ()):
            password = secrets.token_urlsafe(24)
            passwords[password] = key
            one["authorizationToken"] = base64.b64encode(f"AWS:{password}".encode()).decode()
        return status, answered, json.dumps(document).encode()


def _install_registry(passwords: Mapping[str, str]) -> None:
    patching.require(ecr, "_parse_v2_path", "_registry_error", "_select_registry_request_scope")

    @patching.wrap(app, "_handle_ecr_registry_request(method, path, headers, body, query_params)")
    async def registry(original: Callable[..., Any], method: str, path: str, headers: Any, *rest: Any) -> Any:
        parsed = ecr._parse_v2_path(path) if app._is_ecr_registry_path(path) else None
        if parsed and passwords and not headers.get("authorization"):
            status, answered, body = ecr._registry_error(UNAUTHORIZED, "UNAUTHORIZED", "authentication required")
            return status, {**answered, **CHALLENGE}, body
        if parsed and (key := passwords.get(_password(headers), "")):
            verb, name, _ = parsed
            ecr._select_registry_request_scope(name, headers, rest[1])
            where = Where(account=responses.get_account_id(), region=responses.get_region())
            for check in authorization.registry(method.upper(), verb, name, where):
                if refused := _refused(key, "ecr", check):
                    message = f"User: {refused.principal_arn} is not authorized to perform: {check.action}"
                    return ecr._registry_error(DENIED, "DENIED", f"{message} on resource: {check.resource}")
        return await original(method, path, headers, *rest)


def _password(headers: Mapping[str, str]) -> str:
    scheme, _, coded = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return ""
    return base64.b64decode(coded + "==").decode(errors="replace").partition(":")[2]


def _install_simulation() -> None:
    """Let a simulation look at the keys that it is given, which MiniStack drops."""
    patching.require(iam, "_p", "_build_simulate_results_real")
    given: contextvars.ContextVar[dict[str, str]] = contextvars.ContextVar("given")

    @patching.wrap(iam, "_simulate_principal_policy(p)")
    def simulated(original: Callable[..., Any], p: Any) -> Any:
        token = given.set(_context_entries(p))
        try:
            return original(p)
        finally:
            given.reset(token)

    @patching.wrap(iam_evaluator, "evaluate(ctx, policies, limits)")
    def evaluated(original: Callable[..., Any], ctx: Any, policies: Any, *limits: Any) -> Any:
        ctx.service_context = {**given.get({}), **ctx.service_context}
        return original(ctx, policies, *limits)


def _context_entries(parameters: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    while key := iam._p(parameters, f"ContextEntries.member.{len(found) + 1}.ContextKeyName"):
        value = iam._p(parameters, f"ContextEntries.member.{len(found) + 1}.ContextKeyValues.member.1")
        found[key.lower()] = value
    return found
