"""An application with a development environment, its account, and an engine, for the tests of this room."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from deploylib.checkout import Checkout
from deploylib.config import Environment
from tests.fakes.account import FakeAccount

if TYPE_CHECKING:
    from pathlib import Path

CHECKOUT = Checkout(commit="0123456789abcdef0123456789abcdef01234567", dirty=("app/main.py",))
REPOSITORY = "111111111111.dkr.ecr.ap-northeast-1.amazonaws.com/guestbook"
COMMON = """
[app]
name = "guestbook"
path = "app"
[images.base]
dockerfile = "Dockerfile.base"
[images.roles.web]
dockerfile = "Dockerfile"
[dependencies.database]
image = "postgres:15"
health_check = ["pg_isready"]
[development.containers.web]
mounts = { "." = "/srv:ro" }
needs = ["database"]
port = 80
published = 8080
"""
STG = """
[account]
id = "111111111111"
region = "ap-northeast-1"
"""
ROLE = """
[development.containers.job]
role = "web"
"""


def environment(root: Path, more: str = "") -> Environment:
    """Write the application under *root* and return its environment."""
    files = {
        "environments/common.toml": COMMON + more,
        "environments/stg.toml": STG,
        "app/Dockerfile.base": "FROM scratch\nCOPY requirements.txt /\n",
        "app/Dockerfile": "FROM {{ base_image }}\nCOPY main.py /\n",
        "app/requirements.txt": "flask\n",
        "app/main.py": "print()\n",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    values = {**tomllib.loads(COMMON + STG + more), "name": "stg", "root": root}
    return TypeAdapter(Environment).validate_python(values)


def account() -> FakeAccount:
    """Return an account in which Terraform has published the contract."""
    made = FakeAccount()
    document = {
        "version": 1,
        "app": "guestbook",
        "environment": "stg",
        "account_id": "111111111111",
        "region": "ap-northeast-1",
        "cluster": "arn",
        "repository": REPOSITORY,
        "ledger": "guestbook-stg-releases",
        "services": {},
    }
    made.ssm.give("/guestbook/stg/contract", json.dumps(document))
    return made
