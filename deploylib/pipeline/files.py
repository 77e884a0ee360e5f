"""What the deploy stage of a pipeline reads, made from what Terraform published in that account (pure).

The same checkout makes them for every account. What differs is what the contract and the template say: ARNs,
addresses of the network, the registry.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from deploylib import taskdef
from deploylib.bluegreen import appspec
from deploylib.errors import RefusedError
from deploylib.pipeline import buildspec, parts
from deploylib.plan import role_images

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from deploylib.config import Environment
    from deploylib.plan import Live, LiveService

TASK_DEFINITION = "<TASK_DEFINITION>"  # CodeDeployToECS puts the ARN of what it registered in its place


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What is to be released: `digests` by image role, of `commit` (empty: not known), into `live`.

    `writable` are the fields that RegisterTaskDefinition takes.
    """

    live: Live
    digests: Mapping[str, str]
    writable: Collection[str]
    commit: str = ""


def files(release: Release) -> dict[str, str]:
    """Return the text of each file by its path.

    Raises `RefusedError` for a service that only a deploy can release into.
    """
    found: dict[str, str] = {}
    for service in release.live.services:
        _refuse_first(release, service)
        made = _for_codedeploy if service.contract.codedeploy else _for_ecs
        found |= {f"{service.key}/{name}": text for name, text in made(release, service).items()}
    return found | _details(release)


def notices(release: Release, environment: Environment) -> Iterator[str]:
    """Yield what this release does not bring, where a deploy would."""
    if environment.migration:
        yield f"a pipeline runs no migration: {' '.join(environment.migration.command)} is not among what it does"
    for service in release.live.services:
        if not service.contract.codedeploy and _waits(service):
            yield (
                f"{service.key}: what Terraform changed in its template does not come with it, since the action of ECS "
                f"copies the revision that runs: inv deploy --env {environment.name}"
            )
    if scheduled := release.live.contract.scheduled_tasks:
        yield f"scheduled tasks stay on their revision: {', '.join(sorted(scheduled))}"


def _refuse_first(release: Release, service: LiveService) -> None:
    """Refuse a service at zero tasks on Terraform's template, which no action of AWS would give its first ones."""
    if service.first:
        raise RefusedError(
            f"{service.key}: nothing was released into it yet, and a pipeline neither leaves Terraform's template "
            "behind nor says how many tasks to begin with",
            hint=f"inv deploy --env {release.live.contract.environment}, the first time",
        )


def _for_ecs(release: Release, service: LiveService) -> dict[str, str]:
    """Return the image of each managed container; ECS's action copies the live revision, and puts them in.

    (CodePipeline, "Image definitions file reference")
    """
    images = role_images(service.contract.containers, release.digests, release.live.contract.repository)
    return {
        "imagedefinitions.json": _json([{"name": name, "imageUri": images[name]} for name in sorted(images)]),
    }


def _for_codedeploy(release: Release, service: LiveService) -> dict[str, str]:
    document = appspec.document(service.contract, task_definition=TASK_DEFINITION)
    return {
        "taskdef.json": _json(_definition(release, service)),
        "appspec.yaml": yaml.safe_dump(document, sort_keys=False, allow_unicode=True),
    }


def _definition(release: Release, service: LiveService) -> dict[str, Any]:
    """Return the next task definition, with a placeholder for each image, and told whose copy it is."""
    containers = service.contract.containers
    placeholder = parts.placeholders(containers)
    tags = {
        taskdef.TAG_TEMPLATE: str(service.template["taskDefinitionArn"]),
        taskdef.TAG_FINGERPRINT: taskdef.fingerprint(service.template, containers),
        **({taskdef.TAG_COMMIT: release.commit} if release.commit else {}),
    }
    return taskdef.next_definition(
        service.template,
        {name: placeholder[role] for name, role in containers.items()},
        family=service.contract.family,
        tags=tags,
        writable=release.writable,
    )


def _details(release: Release) -> dict[str, str]:
    """Return what CodeDeploy's action is told of each image. (CodePipeline, "imageDetail.json file")"""
    services = (one.contract for one in release.live.services if one.contract.codedeploy)
    roles = {role for one in services for role in one.containers.values()}
    repository = release.live.contract.repository
    return {
        f"{buildspec.IMAGES}/{role}/{buildspec.DETAIL}": _json({"ImageURI": f"{repository}@{release.digests[role]}"})
        for role in sorted(roles)
    }


def _waits(service: LiveService) -> bool:
    """Whether Terraform's template says something else than what runs."""
    running = {one["name"]: one["image"] for one in service.definition["containerDefinitions"]}
    filled = {name: running[name] for name in service.contract.containers if name in running}
    if filled.keys() != service.contract.containers.keys():
        return True
    template = service.template
    proposed = taskdef.next_definition(
        template, filled, family=service.contract.family, tags={}, writable=template.keys()
    )
    return bool(taskdef.differences(service.definition, proposed))


def _json(document: object) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
