"""What a destroy leaves behind: the task-definition families that deploys wrote. Terraform knows nothing of them.

The contract names them, and it is the first thing that a destroy takes away. So they are noted before, in a file that
stays until nothing of them is left: a destroy or a clearing that broke off goes on at the next `inv infra.destroy`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from deploylib import contract
from deploylib.errors import AwsError, ContractError
from deploylib.infra.stack import folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Literal

    from types_boto3_ecs.client import ECSClient
    from types_boto3_ssm.client import SSMClient

    from deploylib.config import Environment

DELETED_PER_CALL = 10


def note(ssm: SSMClient, environment: Environment) -> None:
    """Write down the families that the contract names; without a contract there is nothing to add."""
    try:
        written = contract.read(ssm, environment.contract_parameter).families
    except ContractError:
        return
    families = sorted({*_noted(environment), *written})
    file = _file(environment)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = file.with_suffix(".new")
    draft.write_text(json.dumps(families), encoding="utf-8")
    draft.replace(file)


def clear(ecs: ECSClient, environment: Environment) -> Iterator[str]:
    """Deregister and delete every revision of the families noted, and forget the note; yield what is being done.

    AWS allows about one of these calls a second: many revisions take their time.
    """
    for family in _noted(environment):
        try:
            yield from _clear(ecs, family)
        except AwsError as error:
            first = f"{error.hint}; then " if error.hint else ""
            hint = f"{first}inv infra.destroy --env {environment.name}, which goes on here"
            raise AwsError(f"{error}\nrevisions of {family} are left", code=error.code, hint=hint) from error
    _file(environment).unlink(missing_ok=True)


def _clear(ecs: ECSClient, family: str) -> Iterator[str]:
    inactive, active = _revisions(ecs, family, "INACTIVE"), _revisions(ecs, family, "ACTIVE")
    if inactive or active:
        yield f"removing {_counted(len(inactive) + len(active))} of {family}"
    for revision in active:
        ecs.deregister_task_definition(taskDefinition=revision)
    yield from _delete(ecs, family, [*inactive, *active])


def _revisions(ecs: ECSClient, family: str, status: Literal["ACTIVE", "INACTIVE"]) -> list[str]:
    """Return the ARNs of the family's revisions. An emulator lists every family that begins with this name."""
    pages = ecs.get_paginator("list_task_definitions").paginate(familyPrefix=family, status=status)
    found = [arn for page in pages for arn in page["taskDefinitionArns"]]
    return [arn for arn in found if arn.rpartition("/")[2].rpartition(":")[0] == family]


def _delete(ecs: ECSClient, family: str, revisions: list[str]) -> Iterator[str]:
    """Delete deregistered revisions; one that cannot be deleted stays, and does no harm."""
    kept: list[str] = []
    for start in range(0, len(revisions), DELETED_PER_CALL):
        batch = revisions[start : start + DELETED_PER_CALL]
        try:
            failures = ecs.delete_task_definitions(taskDefinitions=batch)["failures"]
        except AwsError as error:
            yield f"deregistered but not deleted: {_counted(len(revisions) - start)} of {family} ({error})"
            return
        kept += [one.get("reason", "no reason given") for one in failures]
    if kept:
        yield f"deregistered but not deleted: {_counted(len(kept))} of {family} ({', '.join(sorted(set(kept)))})"


def _counted(revisions: int) -> str:
    return "1 revision" if revisions == 1 else f"{revisions} revisions"


def _noted(environment: Environment) -> tuple[str, ...]:
    file = _file(environment)
    return tuple(json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else ()


def _file(environment: Environment) -> Path:
    return folder(environment) / "leftovers.json"
