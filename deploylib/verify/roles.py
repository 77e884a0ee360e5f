"""Roles of tasks: whom they trust (pure), and what their own policies allow, as IAM's simulation answers it."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deploylib.errors import AwsError
from deploylib.images import reference
from deploylib.verify.check import Check, missing, ok, warning
from deploylib.verify.definitions import is_managed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from deploylib.verify.definitions import Needs

TASKS = "ecs-tasks.amazonaws.com"
ASSUME = "sts:AssumeRole"
ALLOWED, EXPLICIT = "allowed", "explicitDeny"
NO_ROLE = "NoSuchEntity"
NO_POLICY = frozenset({"RepositoryPolicyNotFoundException", "ResourceNotFoundException"})
PULL = ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
LOG = ("logs:CreateLogStream", "logs:PutLogEvents")
ANYTHING = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a role has to be allowed to do, and on what."""

    actions: tuple[str, ...]
    resources: tuple[str, ...]
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the tasks are, to turn names into ARNs; the app's *repository* is ECR's, whatever its host is called."""

    partition: str
    region: str
    account_id: str
    repository: str = ""

    def arn(self, service: str, rest: str) -> str:
        """Return the ARN of something of this account and region."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account_id}:{rest}"


def trusts_tasks(document: Mapping[str, Any], account_id: str) -> bool:
    """Whether the trust policy lets ECS take the role for tasks of the account.

    Policies have one value or a list of them nearly everywhere. Of conditions only the account is looked at: what else
    one may ask for, ECS usually brings.
    """
    effects = {
        str(one.get("Effect"))
        for one in _several(document.get("Statement"))
        if _about_tasks(one) and _of_account(one.get("Condition") or {}, account_id)
    }
    return effects == {"Allow"}


def _about_tasks(statement: Mapping[str, Any]) -> bool:
    principal = statement.get("Principal")
    services = _several(principal.get("Service")) if isinstance(principal, dict) else _several(principal)
    actions = [str(one).lower() for one in _several(statement.get("Action"))]
    named = TASKS in services or (services == [ANYTHING] and not isinstance(principal, dict))
    return named and any(fnmatch.fnmatchcase(ASSUME.lower(), one) for one in actions)


def _of_account(condition: Mapping[str, Any], account_id: str) -> bool:
    """Whether no condition on the account that the tasks are of excludes *account_id*."""
    wanted = [
        [str(one) for one in _several(values)]
        for operator, keys in condition.items()
        if operator.lower().removesuffix("ifexists") in {"stringequals", "stringlike"}
        for key, values in keys.items()
        if key.lower() == "aws:sourceaccount"
    ]
    return all(any(fnmatch.fnmatchcase(account_id, one) for one in values) for values in wanted)


def _several(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def trust(iam: Any, arn: str, account_id: str, mend: str) -> Check:
    """Ask whether the role is there and trusts ECS."""
    name, what = arn.rpartition("/")[2], f"role {arn.rpartition('/')[2]}"
    try:
        role = iam.get_role(RoleName=name)["Role"]
    except AwsError as error:
        if error.code != NO_ROLE:
            raise
        return missing(what, "is not there", mend)
    if not trusts_tasks(role["AssumeRolePolicyDocument"], account_id):
        return missing(what, f"does not trust {TASKS}, so that no task of it starts", mend)
    return ok(what, f"trusts {TASKS}")


def questions(needed: Needs, place: Place) -> Iterator[Question]:
    """Yield what the execution role of a definition has to be allowed to do. (Pure.)

    Repositories and secrets of another account answer by their own policies, so nothing is asked about them.
    """
    if images := _repositories(needed, place):
        yield Question(what="sign in to ECR", actions=("ecr:GetAuthorizationToken",), resources=(ANYTHING,))
        yield Question(what="pull", actions=PULL, resources=images)
    if parameters := tuple(place_of(one, place) for one in needed.parameters):
        yield Question(what="read parameters", actions=("ssm:GetParameters",), resources=parameters)
    if secrets := tuple(one for one in needed.secrets if one.split(":")[4] == place.account_id):
        yield Question(what="read secrets", actions=("secretsmanager:GetSecretValue",), resources=secrets)
    if groups := tuple(place.arn("logs", f"log-group:{one.name}:log-stream:x") for one in needed.log_groups):
        yield Question(what="log", actions=LOG, resources=groups)
    if needed.files:
        yield Question(what="read environment files", actions=("s3:GetObject",), resources=needed.files)


def _repositories(needed: Needs, place: Place) -> tuple[str, ...]:
    """Return the ARNs of the repositories of this account that images are from, in whatever region."""
    parsed = [reference.parse(image) for _, image in needed.images]
    own = [place.arn("ecr", f"repository/{one.path}") for one in parsed if one.repository == place.repository]
    others = [
        f"arn:{place.partition}:ecr:{region_of(one)}:{one.registry_id}:repository/{one.path}"
        for one in parsed
        if one.registry_id == place.account_id
    ]
    return tuple(dict.fromkeys([*own, *others]))


def region_of(image: reference.Reference) -> str:
    """Return the region in the host name of an ECR registry.

    That is ACCOUNT.dkr.ecr.REGION.amazonaws.com, or ACCOUNT.dkr-ecr.REGION.on.aws for both kinds of addresses.
    """
    _, service, *others = image.domain.split(".")
    return others[1] if service == "dkr" else others[0]


def place_of(value_from: str, place: Place) -> str:
    """Return the ARN of the parameter that a container names by its name, or by that."""
    if value_from.startswith("arn:"):
        return value_from
    return place.arn("ssm", f"parameter/{value_from.removeprefix('/')}")


def ability(account: Any, role: str, question: Question, mend: str) -> Check:
    """Return whether the role's own policies allow it, as one SimulatePrincipalPolicy says."""
    what = f"may {question.what}"
    answer = account.iam.simulate_principal_policy(
        PolicySourceArn=role, ActionNames=list(question.actions), ResourceArns=list(question.resources)
    )
    refused = list(_refused(answer["EvaluationResults"], question.resources))
    if not refused:
        return ok(what, _named(question.resources))
    action, resource, decision = refused[0]
    found = f"{role.rpartition('/')[2]} may not {action} on {resource}"
    if decision != EXPLICIT and _has_policy(account, resource):
        return warning(what, f"{found} by its own policies; a policy of that itself may allow it")
    return missing(what, found, mend)


def _refused(results: Iterable[Mapping[str, Any]], resources: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Yield (action, resource, decision) of what is not allowed; of several resources IAM answers for each."""
    for one in results:
        parts = one.get("ResourceSpecificResults") or ()
        for part in parts:
            if part["EvalResourceDecision"] != ALLOWED:
                yield one["EvalActionName"], part["EvalResourceName"], part["EvalResourceDecision"]
        if not parts and one["EvalDecision"] != ALLOWED:
            yield one["EvalActionName"], one.get("EvalResourceName") or resources[0], one["EvalDecision"]


def _has_policy(account: Any, resource: str) -> bool:
    """Whether a secret or repository has a policy of its own, which may allow what the role's do not."""
    try:
        if is_managed(resource):
            return bool(account.secretsmanager.get_resource_policy(SecretId=resource).get("ResourcePolicy"))
        if ":ecr:" in resource:
            account.ecr.get_repository_policy(repositoryName=resource.partition(":repository/")[2])
            return True
    except AwsError as error:
        return error.code not in NO_POLICY  # who may not look cannot exclude it
    return False


def _named(resources: Sequence[str]) -> str:
    names = ["" if one == ANYTHING else one.split(":", 5)[-1].removesuffix(":log-stream:x") for one in resources]
    return ", ".join(names)
