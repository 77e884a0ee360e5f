"""What a release of a service under CodeDeploy may lack: asked of IAM's simulation before it is tried."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deploylib import config, permissions, simulation
from deploylib.localaws.extension.authorization import Where
from tests.fakes import world as worlds
from tests.fakes.access import Policy

if TYPE_CHECKING:
    from deploylib.config import Environment

ROOT = Path(__file__).resolve().parents[2]
CALLER = f"arn:aws:sts::{worlds.ACCOUNT_ID}:assumed-role/guestbook-stg-deploy/someone"
PLACE = f"arn:aws:codedeploy:{worlds.REGION}:{worlds.ACCOUNT_ID}"
OURS = worlds.environment(terraform={"services": {"web": {"codedeploy": {}}, "job": {}}})
ADOPTED = worlds.environment(
    contract=config.GivenContract(
        cluster="arn:aws:ecs:ap-northeast-1:111111111111:cluster/shop",
        repository="shop",
        ledger="shop-releases",
        services={
            "web": config.GivenService(
                name="shop-web",
                family="shop-web",
                containers={"app": "web"},
                load_balancer=config.GivenLoadBalancer(container="app", port=80),
                codedeploy=config.GivenCodeDeploy(application="shop", deployment_group="web"),
            ),
            "job": config.GivenService(name="shop-job", family="shop-job", containers={"app": "job"}),
        },
    )
)


@pytest.mark.parametrize(
    ("environment", "group", "application"),
    [(OURS, "guestbook-stg-web/guestbook-stg-web", "guestbook-stg-web"), (ADOPTED, "shop/web", "shop")],
)
def test_deployment_groups_are_those_of_terraform_or_of_the_contract(
    environment: Environment, group: str, application: str
) -> None:
    given = simulation.given(environment, CALLER)
    assert given["deployment_groups"] == (f"{PLACE}:deploymentgroup:{group}",)
    assert given["applications"] == (f"{PLACE}:application:{application}",)
    assert given["deployments"] == ("*",)


def test_without_such_services_nothing_of_codedeploy_is_asked() -> None:
    given = simulation.given(worlds.environment(), CALLER)
    assert {given[key] for key in ("deployment_groups", "applications", "deployments")} == {()}


def test_a_role_that_may_not_make_deployments_is_told() -> None:
    made, listed = worlds.world(), permissions.read(ROOT)
    before = simulation.given(worlds.environment(), CALLER)  # as the role was before the service was CodeDeploy's
    document = permissions.policy(listed, simulation.values(OURS, CALLER), before)
    where = Where(account=worlds.ACCOUNT_ID, region=worlds.REGION)
    made.aws.iam.simulated[simulation.principal(CALLER)] = Policy(document=document, where=where)
    lacking = simulation.lacking(made.account.iam, CALLER, OURS, listed)
    assert "codedeploy:CreateDeployment" in lacking
    assert "codedeploy:StopDeployment" in lacking
    assert all(one.startswith("codedeploy:") for one in lacking)
