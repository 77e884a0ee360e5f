"""A shop with a database and two accounts, for the tests of this room."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploylib import config

if TYPE_CHECKING:
    from pathlib import Path

    from deploylib.config import Environment

COMMON = """
[app]
name = "shop"
path = "app"
[branches]
master = "stg"
release = "prd"
"deployment/*" = "*"
[images.roles.web]
dockerfile = "Dockerfile"
[images.roles.web.test]
commands = [["true"]]
[migration]
service = "web"
container = "app"
command = ["migrate"]
[dependencies.database]
image = "postgres:15"
environment = { POSTGRES_PASSWORD = "shop" }
health_check = ["pg_isready", "--quiet", "--username=shop"]
provides = { DB_HOST = "database", DB_PORT = "5432", DB_PASSWORD = "shop" }
[dependencies.redis]
image = "redis:7"
health_check = ["redis-cli", "ping"]
provides = { REDIS_URL = "redis://redis:6379/0" }
"""
TESTED = """
[ci]
merge_into = "develop"
[ci.test]
image = "python:3.11-bookworm"
commands = ["pip install --quiet --requirement requirements/dev.txt", "python -m pytest --junitxml=reports/junit.xml"]
needs = ["database", "redis"]
environment = { GREETING = "Hello: you" }
"""
STG = """
[account]
id = "111111111111"
region = "ap-northeast-1"
[account.web_identity]
role_arn = "arn:aws:iam::111111111111:role/shop-stg-deploy"
token_variable = "STG_TOKEN"
"""
PRD = """
protected = true
promote_from = "stg"
[account]
id = "222222222222"
region = "ap-northeast-1"
variables_prefix = "AWS_PRD_"
"""
LOCAL = """
[account]
id = "000000000000"
region = "ap-northeast-1"
profile = "local"
config_file = ".local/aws/config"
"""


def environments(root: Path, *, common: str = COMMON + TESTED, **files: str) -> tuple[Environment, ...]:
    """Write the shop under *root* and return its environments; *files* are those of other ones, or in their place."""
    (root / "app").mkdir(exist_ok=True)
    (root / config.DIRECTORY).mkdir(exist_ok=True)
    for stem, text in {"common": common, "stg": STG, "prd": PRD, "local": LOCAL, **files}.items():
        (root / config.DIRECTORY / f"{stem}.toml").write_text(text)
    return tuple(config.load(root, name, variables={}) for name in config.names(root))
