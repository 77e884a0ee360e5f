"""Settings and the parameters that hold them: names, limits, and who asks for which."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from deploylib.config import Environment

SETTING = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
NESTED = re.compile(r"\{\{.*?\}\}", re.DOTALL)
LONGEST_NAME = 255
STANDARD_BYTES, ADVANCED_BYTES = 4096, 8192
RESERVED = ("aws", "ssm")  # Parameter Store keeps these beginnings of names for itself
CREDENTIALS = frozenset({"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"})
ARN_PARTS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One variable of a container whose value is in a parameter."""

    container: str
    variable: str
    parameter: str


def folder(environment: Environment) -> str:
    """Return the path under which the settings of *environment* are."""
    return f"/{environment.app.name}/{environment.name}/settings"


def parameter(environment: Environment, setting: str) -> str:
    """Return the name of the parameter that holds *setting*."""
    return f"{folder(environment)}/{setting}"


def key(environment: Environment) -> str:
    """Return the KMS key that settings are encrypted with, if it is not the account's own for Parameter Store."""
    return str(environment.terraform.get("settings_key_arn") or "")


def setting(parameter: str) -> str:
    """Return the setting that *parameter* holds: its last part."""
    return parameter.rpartition("/")[2]


def problem_of_name(environment: Environment, name: str) -> str:
    """Say why a setting cannot be called *name*; nothing when it can."""
    if not SETTING.fullmatch(name):
        return "a name has letters, digits and underscores, and starts with no digit"
    if len(name) > LONGEST_NAME:
        return f"a name has at most {LONGEST_NAME} characters, not {len(name)}"
    if environment.app.name.startswith(RESERVED):
        return f"Parameter Store takes no name under /{environment.app.name}: aws and ssm are its own beginnings"
    return ""


def problem_of_value(value: str) -> str:
    """Say why Parameter Store would not take *value*, without telling anything of it; nothing when it would."""
    if not value:
        return "Parameter Store holds no empty value"
    if (size := len(value.encode())) > ADVANCED_BYTES:
        return f"a value has at most {ADVANCED_BYTES} bytes, not {size}"
    return "Parameter Store takes no {{…}} in a value" if NESTED.search(value) else ""


def is_advanced(value: str) -> bool:
    """Return whether *value* is too long for a standard parameter, so that it costs a little each month."""
    return len(value.encode()) > STANDARD_BYTES


def declared(environment: Environment) -> dict[str, tuple[str, ...]]:
    """Return which containers (`service/container`) get each setting, as the configuration says.

    That is `terraform.services.SERVICE.containers.CONTAINER.settings`, and the same of `scheduled_tasks`.
    """
    found: dict[str, list[str]] = {}
    for kind in ("services", "scheduled_tasks"):
        for service, one in _tables(environment.terraform.get(kind)):
            for container, table in _tables(one.get("containers")):
                for name in table.get("settings") or ():
                    found.setdefault(str(name), []).append(f"{service}/{container}")
    return {name: tuple(users) for name, users in sorted(found.items())}


def references(definition: Mapping[str, Any], app: str, environment: str) -> tuple[Reference, ...]:
    """Return what the containers of a task definition read of Parameter Store under `/APP/ENVIRONMENT/`.

    What else they read (Secrets Manager, parameters of others) is not this environment's to look after.
    """
    return tuple(
        Reference(container=container["name"], variable=secret["name"], parameter=name)
        for container in definition.get("containerDefinitions", ())
        for secret in container.get("secrets", ())
        if (name := _parameter_name(secret.get("valueFrom", ""))).startswith(f"/{app}/{environment}/")
    )


def _parameter_name(value_from: str) -> str:
    """Return the parameter that *value_from* (a name or an ARN) names; nothing for a secret of Secrets Manager."""
    if not value_from.startswith("arn:"):
        return value_from
    parts = value_from.split(":")
    is_parameter = len(parts) >= ARN_PARTS and parts[2] == "ssm" and parts[5].startswith("parameter/")
    return parts[5].removeprefix("parameter") if is_parameter else ""


def _tables(value: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the tables in *value*; what is none, Terraform's types have refused already."""
    for name, one in value.items() if isinstance(value, dict) else ():
        if isinstance(one, dict):
            yield name, one
