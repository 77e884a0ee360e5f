"""An environment from what is live already."""

from __future__ import annotations

import os

from invoke import Context, task

from deploylib.command import command
from deploylib.tasks.place import root


@task(
    help={
        "from_service": "CLUSTER/SERVICE that is live, and that others made",
        "env": "what the environment is to be called (else as the service)",
        "profile": "the AWS profile of its account (else what the machine has)",
        "region": "its region (else $AWS_REGION)",
        "config_file": "the AWS configuration file that has the profile, in this project (else your own)",
        "ledger": "the DynamoDB table of its releases (else APP-ENV-releases)",
        "codedeploy": "APPLICATION/GROUP of CodeDeploy that moves it (else it is looked for)",
    }
)
@command
def init(
    c: Context,
    from_service: str,
    env: str = "",
    profile: str = "",
    region: str = "",
    config_file: str = "",
    ledger: str = "",
    codedeploy: str = "",
) -> None:
    """Write an environment's file from a live service."""
    from deploylib import adoption, report

    signing_in = {"profile": profile, "region": region, "config_file": config_file}
    wanted = adoption.wanted(from_service, env, **signing_in, ledger=ledger, codedeploy=codedeploy)
    adoption.refuse_existing(root(c), wanted.name)
    account = adoption.sign_in(root(c), wanted, os.environ)
    with report.waiting(f"Looking at {from_service}"):
        found = adoption.look(account, wanted, adoption.region(wanted, os.environ))
    made = adoption.draft(found, wanted, adoption.common(root(c)))
    report.say(f"{adoption.write(root(c), made).relative_to(root(c))} written")
    for line in (*made.remarks, "next:", *adoption.steps(root(c), made)):
        report.say(line)
