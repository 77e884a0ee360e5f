"""What the options that many tasks have say in `inv --help`."""

from __future__ import annotations

ENV = {"env": "environment, or auto: the branch's in [branches] (else $DEPLOY_ENV, else the default one)"}
OUTPUT = {"output": "text or json"}
CONFIRM = {"yes": "do not ask", "confirm": "with --yes: the name of a protected environment"}
