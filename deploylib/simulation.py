"""What whoever is signed in may do of a release, as IAM's own simulation answers it: nothing is tried out."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from deploylib import permissions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploylib.config import Environment
    from deploylib.permissions import Permissions

PARALLEL_CALLS = 8
ALLOWED = "allowed"


def is_root(caller: str) -> bool:
    """Whether *caller* (an ARN) is the account itself, which may do everything."""
    return caller.endswith(":root")


def lacking(iam: Any, caller: str, environment: Environment, listed: Permissions) -> tuple[str, ...]:
    """Return the actions of *listed* that *caller* (an ARN, as STS tells it) may not do in *environment*, sorted.

    One SimulatePrincipalPolicy for each statement; raises `AwsError` where that may not be asked.
    """
    if is_root(caller):
        return ()
    policy = permissions.policy(listed, values(environment, caller), given(environment, caller))
    source = principal(caller)
    with ThreadPoolExecutor(PARALLEL_CALLS) as pool:
        answers = pool.map(lambda one: _refused(iam, source, one), policy["Statement"])
        return tuple(sorted({action for one in answers for action in one}))


def principal(caller: str) -> str:
    """Return whose policies count: of a role's session those of the role (without its path, which STS does not tell).

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html takes no session.
    """
    before, is_session, session = caller.partition(":assumed-role/")
    if not is_session:
        return caller
    return f"{before.replace(':sts:', ':iam:')}:role/{session.partition('/')[0]}"


def values(environment: Environment, caller: str) -> Mapping[str, str]:
    """Return what stands for the placeholders of the list."""
    return {
        "partition": caller.split(":")[1],
        "region": environment.account.region,
        "account_id": environment.account.id,
        "app": environment.app.name,
        "environment": environment.name,
        "name": f"{environment.app.name}-{environment.name}",
    }


def given(environment: Environment, caller: str) -> Mapping[str, tuple[str, ...]]:
    """Return what stands for what Terraform is given: of the roles the one that every task has, and the schedules'.

    Deployment groups of CodeDeploy and their applications are named as the stack names them, or as `[contract]` does.
    """
    known = values(environment, caller)
    partition, account_id, name = known["partition"], known["account_id"], known["name"]
    tasks = sorted(environment.terraform.get("scheduled_tasks", {}))
    groups = _deployment_groups(environment, name)
    codedeploy = f"arn:{partition}:codedeploy:{known['region']}:{account_id}"
    schedules = f"arn:{partition}:scheduler:{known['region']}:{account_id}:schedule/default/{name}"
    return {
        "task_roles": (f"arn:{partition}:iam::{account_id}:role/{name}-execution",),
        "schedules": tuple(f"{schedules}-{task}" for task in tasks),
        "deployment_groups": tuple(f"{codedeploy}:deploymentgroup:{one}/{group}" for one, group in groups),
        "applications": tuple(f"{codedeploy}:application:{one}" for one in sorted({one for one, _ in groups})),
        "deployments": ("*",) if groups else (),
        "scheduler_roles": tuple(f"arn:{partition}:iam::{account_id}:role/{name}-{task}-scheduler" for task in tasks),
    }


def _deployment_groups(environment: Environment, name: str) -> list[tuple[str, str]]:
    """Return application and deployment group of each service that CodeDeploy moves, sorted."""
    if environment.contract:
        known = [one.codedeploy for one in environment.contract.services.values() if one.codedeploy]
        return sorted((one.application, one.deployment_group) for one in known)
    services = environment.terraform.get("services", {}).items()
    return [(f"{name}-{key}",) * 2 for key, one in sorted(services) if one.get("codedeploy") is not None]


def _refused(iam: Any, source: str, statement: Mapping[str, Any]) -> list[str]:
    context = [
        {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"}
        for keys in statement.get("Condition", {}).values()
        for key, value in keys.items()
    ]
    answer = iam.simulate_principal_policy(
        PolicySourceArn=source,
        ActionNames=statement["Action"],
        ResourceArns=statement["Resource"],
        ContextEntries=context,
    )
    return [one["EvalActionName"] for one in answer["EvaluationResults"] if one["EvalDecision"] != ALLOWED]
