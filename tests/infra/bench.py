"""A project on disk whose Terraform is a fake, and what a test wants of it."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from deploylib.config import Account, App, Environment, Images, RoleImage
from deploylib.infra.stack import Stack, open_stack

if TYPE_CHECKING:
    from deploylib import aws
    from tests.infra.stand_in import StandIn

CASES = Path(__file__).with_name("cases")
CHANGED = {"code": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A project on disk with one environment, its fake account and its fake Terraform."""

    environment: Environment
    account: aws.Account
    stand_in: StandIn
    told: list[str] = field(default_factory=list)

    def open(self) -> Stack:
        return open_stack(
            self.environment,
            self.account,
            program=self.stand_in.program,
            variables={**self.stand_in.variables, "PATH": os.environ["PATH"]},
            line=self.told.append,
        )

    @property
    def cache(self) -> Path:
        return self.environment.root / ".cache" / "terraform" / self.environment.name

    @property
    def plans(self) -> list[Path]:
        return list(self.cache.glob("*.tfplan"))


def accept(**_: Any) -> Any:
    """Answer in moto's place: it knows no conditions, and with that policy would deny everything to everybody."""
    return AWSResponse("", 204, HTTPHeaders(), None), {}


def environment(root: Path) -> Environment:
    return Environment(
        name="stg",
        root=root,
        app=App(name="shop", path="app"),
        account=Account(id="123456789012", region="ap-northeast-1"),
        images=Images(roles={"web": RoleImage(dockerfile="Dockerfile")}),
        terraform={"feature": "v1"},
    )


def shown(case: str) -> dict[str, Any]:
    return {"stdout": json.dumps(json.loads((CASES / f"{case}.json").read_text())["plan"])}
