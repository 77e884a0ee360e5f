"""Which services a pipeline deploys, by whom, and the images that go from its build to its deploy stage (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from deploylib.errors import ConfigError

if TYPE_CHECKING:
    from deploylib.config import Environment

MOST_IMAGES = 4  # CodePipeline: five artifacts out of a build, of which one is the files; CodeDeployToECS: four images
FILES = "files"


def services(environment: Environment) -> dict[str, dict[str, str]]:
    """Return the image role of each managed container by service, as configured; both sorted."""
    if environment.contract:
        found = {key: dict(one.containers) for key, one in environment.contract.services.items()}
    else:
        found = {key: _roles(one) for key, one in environment.terraform.get("services", {}).items()}
    return {key: dict(sorted(found[key].items())) for key in sorted(found)}


def roles(environment: Environment) -> tuple[str, ...]:
    """Return every role that a service runs, sorted."""
    return tuple(sorted({role for containers in services(environment).values() for role in containers.values()}))


def handed_on(environment: Environment) -> tuple[str, ...]:
    """Return the roles whose images CodeDeploy's actions fill in, sorted; each is an artifact of its own.

    Raises `ConfigError` for more of them than a build can hand on.
    """
    found = {
        role
        for key, containers in services(environment).items()
        for role in containers.values()
        if environment.policy(key).strategy == "codedeploy"
    }
    if len(found) > MOST_IMAGES:
        raise ConfigError(
            f"services under CodeDeploy run {len(found)} images, {', '.join(sorted(found))}; "
            f"a pipeline's build hands on {MOST_IMAGES} at most",
            hint="inv deploy has no such limit: release those services by it",
        )
    return tuple(sorted(found))


def placeholders(containers: Mapping[str, str]) -> dict[str, str]:
    """Return the placeholder of each role of one service, counted in the order of the *containers*' names.

    The module `pipeline` counts in the same way. (CodeDeployToECS, "Image<Number>ContainerName")
    """
    distinct = dict.fromkeys(containers[name] for name in sorted(containers))
    return {role: f"<IMAGE{number}_NAME>" for number, role in enumerate(distinct, start=1)}


def identifier(prefix: str, role: str) -> str:
    """Return an artifact's name, of which the shell can make a variable's."""
    return f"{prefix}_{role.replace('-', '_')}"


def _roles(service: object) -> dict[str, str]:
    containers = service.get("containers", {}) if isinstance(service, Mapping) else {}
    return {name: one["role"] for name, one in containers.items() if one.get("role")}
