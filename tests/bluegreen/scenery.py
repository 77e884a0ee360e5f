"""A world whose web is moved by CodeDeploy, beside a job that ECS rolls out; and a release of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from deploylib import config
from tests.fakes import releases
from tests.fakes import world as worlds

if TYPE_CHECKING:
    from deploylib import release
    from tests.fakes.codedeploy import Group
    from tests.fakes.world import World

WEB = worlds.ServiceSpec(
    key="web", containers={"app": "web", "nginx": "nginx"}, tasks=2, balanced=True, codedeploy=True
)
JOB = worlds.ServiceSpec(key="job", containers={"worker": "job"}, tasks=1, checked=False)
POLICY = {"web": config.ServiceRelease(strategy="codedeploy")}


def world(*others: worlds.ServiceSpec, released: bool = True) -> World:
    return worlds.world(WEB, *others, released=released)


def proposed(made: World, number: int = 2, **changes: Any) -> release.Release:
    return releases.proposed(made, number, **{"services": POLICY, "migration": None, **changes})


def group(made: World) -> Group:
    return made.aws.codedeploy.groups["web"]


def revisions(made: World) -> set[str]:
    """Return what of web is anything but STOPPED."""
    return set(made.ecs.live(worlds.WEB))
