"""What speaks against a release, purely: what refuses it, and what a person should know before confirming it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploylib import taskdef
from deploylib.errors import ConfigError, RefusedError
from deploylib.settings import names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from deploylib.config import Environment
    from deploylib.plan import Live, LiveService, Origin


def refuse_other_way(environment: Environment, live: Live) -> None:
    """Refuse services that somebody else than the configuration says gives a new revision: ECS or CodeDeploy."""
    apply = "" if environment.contract else f", or inv infra.apply --env {environment.name}"
    for one in live.services:
        wanted, is_so = environment.policy(one.key).strategy, one.strategy == "codedeploy"
        if is_so != (wanted == "codedeploy"):
            raise RefusedError(
                f"{one.key}: services.{one.key}.strategy is {wanted}, but the live service is under "
                f"{'CodeDeploy' if is_so else 'ECS'}",
                hint=f"correct environments/{environment.name}.toml{apply}",
            )
        if is_so and one.contract.codedeploy is None:
            raise RefusedError(
                f"{one.key} is under CodeDeploy, but the contract does not name its deployment group",
                hint=f"[terraform.services.{one.key}.codedeploy], and inv infra.apply --env {environment.name}",
            )


def refuse_under_way(environment: Environment, services: Iterable[LiveService]) -> None:
    """Refuse to roll out anew what is rolling out."""
    for one in services:
        if one.primary.get("rolloutState") == "IN_PROGRESS":
            raise RefusedError(
                f"{one.key}: a deployment of {taskdef.short(str(one.primary['taskDefinition']))} is under way",
                hint=f"inv refresh --env {environment.name}, when it is done",
            )


def refuse_unreleased(live: Live, references: Mapping[str, str], origin: Origin) -> None:
    """Refuse a promotion that lacks the image of a role that a service runs."""
    for service in live.services:
        for role in service.contract.containers.values():
            if role not in references:
                raise ConfigError(
                    f"service {service.key} runs the role {role!r}, but "
                    f"release {origin.release} of {origin.environment} has no image of the role {role!r}",
                    hint=f"inv deploy --env {origin.environment}, which makes it",
                )


def refuse_missing(environment: Environment, found: Iterable[tuple[LiveService, tuple[names.Reference, ...]]]) -> None:
    """Refuse what could not start: ECS fails each task of a container whose parameter nobody has written."""
    lacking = [(one.key, each) for one, missing in found for each in missing]
    if not lacking:
        return
    lines = "\n".join(f"  {key}/{each.container}: {each.variable} ({each.parameter})" for key, each in lacking)
    count = "1 parameter is" if len(lacking) == 1 else f"{len(lacking)} parameters are"
    raise RefusedError(
        f"{environment.name}: {count} missing, so that no new task could start\n{lines}",
        hint=_written_by(environment, lacking[0][1]),
    )


def settings_notices(environment: Environment, staying: Iterable[LiveService]) -> Iterator[str]:
    """Say which settings the tasks of services that stay have not read, or could not read again."""
    for one in staying:
        if one.changed:
            changed = ", ".join(one.changed)
            yield f"{one.key}: {changed} changed since its tasks started: inv refresh --env {environment.name}"
        if one.lost:
            lost = ", ".join(each.variable for each in one.lost)
            yield f"{one.key}: no task of it could start, {lost} is missing: {_written_by(environment, one.lost[0])}"


def notice(environment: Environment, live: LiveService) -> str:
    """Say what a person should know before confirming."""
    primary = live.primary
    if primary.get("rolloutState") == "IN_PROGRESS":
        return f"{live.key}: a deployment of {taskdef.short(str(primary['taskDefinition']))} is under way"
    starts = environment.policy(live.key).start_at_zero
    if not live.first and not starts and live.desired == 0:
        return f"{live.key}: its desired count is 0, so nothing will run"
    return ""


def _written_by(environment: Environment, missing: names.Reference) -> str:
    """Return the command that writes a parameter that is missing: settings are a person's, others Terraform's."""
    setting = names.setting(missing.parameter)
    if missing.parameter == names.parameter(environment, setting):
        return f"inv params.set {setting} --env {environment.name}"
    return f"inv infra.apply --env {environment.name}"
