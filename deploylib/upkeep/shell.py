"""A program inside a running container, with this terminal: ECS Exec, through AWS's session-manager-plugin.

The session's token is handed to the plugin in its environment: on its command line everybody could read it.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-exec.html
"""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deploylib import process
from deploylib.errors import AwsError, ConfigError, ProcessError, RefusedError, ToolMissingError
from deploylib.stopped import describe_tasks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from deploylib.aws import Account
    from deploylib.upkeep.places import Place

PLUGIN = "session-manager-plugin"
NEEDED = (1, 2, 497, 0)  # the first that reads the session from its environment
VARIABLE = "AWS_SSM_START_SESSION_RESPONSE"
AGENT = "ExecuteCommandAgent"
SHELL = ("/bin/sh",)
INSTALL = (
    "https://docs.aws.amazon.com/systems-manager/latest/userguide/session-manager-working-with-install-plugin.html"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """The container of a running task: its name, the task's ARN, the container's runtime id."""

    task: str
    container: str
    runtime_id: str


def check_plugin() -> None:
    """Raise `ToolMissingError` when the plugin is not installed or too old; before anything is asked of AWS."""
    hint = f"install it: {INSTALL}"
    try:
        said = process.run([PLUGIN, "--version"], timeout_seconds=10).stdout.strip()
    except ToolMissingError as error:
        raise ToolMissingError(f"{PLUGIN} is not installed: ECS Exec needs it on this machine", hint=hint) from error
    numbers = tuple(map(int, re.findall(r"\d+", said)[: len(NEEDED)]))
    if numbers < NEEDED:
        wanted = ".".join(map(str, NEEDED))
        raise ToolMissingError(f"{PLUGIN} is {said or 'of no known version'}; {wanted} or later is needed", hint=hint)


def find(account: Account, place: Place, *, task: str = "") -> Room:
    """Return where to go: the newest running task of *place*, or the one whose id begins with *task*.

    Raises `RefusedError` when none runs, `ConfigError` when it was started without ECS Exec.
    """
    of: Any = {"serviceName": place.contract.name} if place.description else {"family": place.contract.family}
    pages = account.ecs.get_paginator("list_tasks").paginate(cluster=place.cluster, **of)
    found = describe_tasks(account.ecs, place.cluster, [arn for page in pages for arn in page["taskArns"]])
    running = [one for one in found if one["lastStatus"] == "RUNNING" and _id(one).startswith(task)]
    if not running:
        which = f"no task {task}… of {place.key} runs" if task else f"no task of {place.key} runs"
        raise RefusedError(which, hint=f"inv tasks --env {place.environment}")
    newest = max(running, key=lambda one: str(one.get("startedAt", "")))
    return _room(place, newest)


def enter(account: Account, place: Place, room: Room, command: Sequence[str]) -> None:
    """Run *command* in *room* with this terminal, to its end. (Nobody tells its exit code.)

    Raises `RefusedError` when ECS cannot reach the container's agent, `ProcessError` when the plugin fails.
    """
    try:
        answer = account.ecs.execute_command(
            cluster=place.cluster,
            task=room.task,
            container=room.container,
            interactive=True,
            command=shlex.join(command),
        )
    except AwsError as error:
        if error.code not in {"TargetNotConnectedException", "InvalidParameterException"}:
            raise
        hint = f"its tasks started before it was switched on? inv refresh --service {place.key} --all"
        raise RefusedError(f"ECS Exec does not reach {place.key}/{room.container}: {error}", hint=hint) from error
    program = argv(account, place, room)
    if code := process.attached(program, env={VARIABLE: json.dumps(answer["session"])}):
        raise ProcessError(PLUGIN, code, "")


def argv(account: Account, place: Place, room: Room) -> list[str]:
    """Return the plugin's command line: where the session is, region, operation, profile, target, endpoint."""
    cluster, task = place.cluster.rpartition("/")[2], room.task.rpartition("/")[2]
    target = {"Target": f"ecs:{cluster}_{task}_{room.runtime_id}"}
    meta = account.ecs.meta
    return [PLUGIN, VARIABLE, meta.region_name, "StartSession", "", json.dumps(target), meta.endpoint_url]


def _room(place: Place, task: Mapping[str, Any]) -> Room:
    container: Mapping[str, Any] = next((one for one in task["containers"] if one["name"] == place.container), {})
    if not task.get("enableExecuteCommand"):
        raise ConfigError(
            f"task {_id(task)} of {place.key} was started without ECS Exec",
            hint=f"terraform.services.{place.key}.execute_command = true, inv infra.apply --env {place.environment}, "
            f"then inv refresh --env {place.environment} --service {place.key}",
        )
    agent: Mapping[str, Any] = next((one for one in container.get("managedAgents", ()) if one.get("name") == AGENT), {})
    if agent.get("lastStatus", "RUNNING") != "RUNNING":
        said = f"{agent.get('lastStatus')} {agent.get('reason', '')}".strip()
        raise RefusedError(f"the agent of ECS Exec in {place.key}/{place.container} is {said}", hint="try again")
    return Room(task=str(task["taskArn"]), container=place.container, runtime_id=str(container.get("runtimeId", "")))


def _id(task: Mapping[str, Any]) -> str:
    return str(task["taskArn"]).rpartition("/")[2]
