from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from moto import mock_aws

from deploylib import aws
from deploylib.config import STACK
from tests.infra.bench import Bench, accept, environment
from tests.infra.stand_in import StandIn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def stand_in(tmp_path: Path) -> StandIn:
    """Return a fake Terraform, with nothing to say yet."""
    return StandIn.install(tmp_path / "bin")


@pytest.fixture(scope="module")
def fake_account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[aws.Account]:
    """Sign in once: making clients takes longer than most of these tests."""
    with mock_aws():
        account = aws.signed_in(environment(tmp_path_factory.mktemp("nothing")))
        account.s3.meta.events.register("before-call.s3.PutBucketPolicy", accept)
        yield account


@pytest.fixture
def bench(tmp_path: Path, stand_in: StandIn, fake_account: aws.Account) -> Bench:
    code = tmp_path / STACK
    code.mkdir(parents=True)
    (code / "main.tf").write_text('module "network" {\n  source = "../modules/network"\n  cidr = "10.0.0.0/16"\n}\n')
    (code / ".terraform.lock.hcl").write_text("# locked")
    fake_account.calls.clear()
    mock_aws().reset()
    return Bench(environment=environment(tmp_path), account=fake_account, stand_in=stand_in)
