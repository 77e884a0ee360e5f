"""Where the project is that a task works on, and which environment it is about."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from deploylib.branches import AUTO

if TYPE_CHECKING:
    from invoke import Context

    from deploylib.config import Environment


def root(c: Context) -> Path:
    """Return the folder of the `tasks.py` that runs, as its collection was configured with it."""
    return Path(c.config["root"])


def load(c: Context, env: str) -> Environment:
    """Return the environment that `--env` names: *env*, else that of `DEPLOY_ENV`, else the default one."""
    from deploylib import config

    return config.load(root(c), named(c, env or os.environ.get(config.VARIABLE, "")))


def named(c: Context, env: str) -> str:
    """Return *env*, of which `auto` is the environment that the branch is deployed to."""
    from deploylib import lineage

    return lineage.environment(root(c)) if env == AUTO else env
