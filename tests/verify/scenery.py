"""A world in which nothing is missing, for whoever takes something away."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploylib import permissions, simulation, verify
from deploylib.images.distribution import NOT_FOUND, RegistryError
from deploylib.localaws.extension.authorization import Where
from tests.fakes import world as worlds
from tests.fakes.access import Policy

if TYPE_CHECKING:
    from tests.fakes.world import World

ROOT = Path(__file__).resolve().parents[2]
CONFIGURATION = "sha256:configuration"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
LINUX = {"os": "linux", "architecture": "amd64"}


@dataclass
class Shelf:
    """A registry. `gone` are references that it does not have, `closed` those that it answers with that status."""

    platform: dict[str, str] = field(default_factory=lambda: dict(LINUX))
    gone: set[str] = field(default_factory=set)
    closed: dict[str, int] = field(default_factory=dict)
    index: bool = False
    asked: list[str] = field(default_factory=list)

    def digest(self, name: str) -> str:
        self.asked.append(name)
        status = next((status for part, status in self.closed.items() if part in name), 0)
        if name in self.gone or status:
            raise RegistryError(f"{name}: no", status=status or NOT_FOUND, hint="")
        return name.partition("@")[2] or f"sha256:{'0' * 64}"

    def manifest(self, repository: str, digest: str) -> dict[str, Any]:
        if self.index:
            attestation = {"os": "unknown", "architecture": "unknown"}
            return {"manifests": [{"platform": self.platform}, {"platform": attestation}]}
        return {"config": {"digest": CONFIGURATION}}

    def blob(self, repository: str, digest: str) -> dict[str, Any]:
        assert digest == CONFIGURATION
        return dict(self.platform)


@dataclass
class Scene:
    """A world, its registry, and what is verified of them."""

    world: World
    shelf: Shelf
    root: Path

    def examine(self, **changes: Any) -> tuple[verify.Check, ...]:
        environment = worlds.environment(self.root, **changes)
        doors = verify.Doors(registries=lambda _: self.shelf, clock=self.world.clock)
        return verify.examine(self.world.account, environment, doors=doors)

    def quick(self, **changes: Any) -> tuple[verify.Check, ...]:
        live = self.world.live()
        return verify.quick(self.world.account, worlds.environment(self.root, **changes), live)

    def give_role(self, name: str, *statements: dict[str, Any]) -> None:
        """Have a role that tasks may take, with these statements, or everything."""
        everything = {"Effect": "Allow", "Action": ALL, "Resource": ["*"]}
        self.world.aws.iam.roles[name] = TRUST
        document = {"Statement": list(statements or (everything,))}
        where = Where(account=worlds.ACCOUNT_ID, region=worlds.REGION)
        self.world.aws.iam.simulated[role_arn(name)] = Policy(document=document, where=where)


ALL = [
    *("ecr:GetAuthorizationToken", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ssm:GetParameters"),
    *("secretsmanager:GetSecretValue", "logs:CreateLogStream", "logs:PutLogEvents", "s3:GetObject"),
]


def role_arn(name: str) -> str:
    return f"arn:aws:iam::{worlds.ACCOUNT_ID}:role/{name}"


def leaves(checks: tuple[verify.Check, ...]) -> dict[str, verify.Check]:
    """Return every answer by its path."""
    return {" · ".join(path): leaf for one in checks for path, leaf in one.leaves}


def complaints(checks: tuple[verify.Check, ...]) -> dict[str, str]:
    """Return the state and the words of everything that is not OK."""
    return {path: f"{one.state} {one.found}" for path, one in leaves(checks).items() if one.state != "OK"}


def allow_release(world: World) -> None:
    """Have IAM say that we may do what a release needs."""
    world.aws.sts.arn = f"arn:aws:sts::{worlds.ACCOUNT_ID}:assumed-role/guestbook-stg-deploy/someone"
    caller, environment = world.aws.sts.arn, worlds.environment()
    document = permissions.policy(
        permissions.read(ROOT), simulation.values(environment, caller), simulation.given(environment, caller)
    )
    where = Where(account=worlds.ACCOUNT_ID, region=worlds.REGION)
    world.aws.iam.simulated[simulation.principal(caller)] = Policy(document=document, where=where)


def make_scene(world: World, root: Path) -> Scene:
    """Return *world* with everything there that its tasks name."""
    scene = Scene(world=world, shelf=Shelf(), root=root)
    allow_release(world)
    for spec in world.specs.values():
        for role in ("execution", "task"):
            scene.give_role(f"{spec.name}-{role}")
    world.aws.ssm.give("/db", "a password", kind="SecureString")
    world.aws.ec2.have_network("subnet-1", "subnet-2")
    world.aws.ec2.have_security_group("sg-1")
    world.aws.forget_calls()
    return scene


def with_template(world: World, key: str, **changes: Any) -> None:
    """Change the first container of a service's template."""
    definition = worlds.template_of(world.specs[key], world.repository)
    first, *others = definition["containerDefinitions"]
    world.apply(key, containerDefinitions=[{**first, **changes}, *others])
    world.aws.forget_calls()


def published(world: World, change: Any) -> None:
    """Publish the contract with *change* made to it."""
    document = world.contract_document()
    change(document)
    world.aws.ssm.give(worlds.PARAMETER, json.dumps(document))
