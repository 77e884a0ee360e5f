"""A whole release as the deploy role, with access control enforced by the local AWS: what Terraform gives it is enough.

That less is not enough is shown action by action in `tests/test_permissions.py`, and for the registry in
`tests/localaws/extension/test_e2e_access.py`.
"""

from __future__ import annotations

import copy
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from deploylib import aws, config, permissions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.project import Project

pytestmark = pytest.mark.e2e

PAGE = "examples/guestbook/guestbook/web/templates/page.html"
LOCAL = "environments/local.toml"
ACCOUNT = "000000000000"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/guestbook-local-deploy"
POLICY = f"arn:aws:iam::{ACCOUNT}:policy/guestbook-local-deploy"
ENV = ("--env", "local")


@pytest.fixture(scope="module")
def iam(project: Project) -> Any:
    """IAM, as the account's root."""
    return aws.signed_in(config.load(project.path, "local")).iam


@pytest.fixture
def as_role(project: Project) -> Iterator[Any]:
    """Have `[account.role]` in the environment while the test runs."""
    path = project.path / LOCAL
    before = path.read_text()

    def take(arn: str) -> None:
        path.write_text(f'{before}\n[account.role]\narn = "{arn}"\n')

    yield take
    path.write_text(before)


def answered(project: Project, since: int = 0) -> list[dict[str, Any]]:
    """Return what the local AWS has answered since, its registry included."""
    log = next((project.path / ".local").rglob("calls.jsonl"))
    return [json.loads(line) for line in log.read_text().splitlines()[since:]]


def document(iam: Any) -> dict[str, Any]:
    version = iam.get_policy(PolicyArn=POLICY)["Policy"]["DefaultVersionId"]
    found: dict[str, Any] = iam.get_policy_version(PolicyArn=POLICY, VersionId=version)["PolicyVersion"]["Document"]
    return found


def replaced(iam: Any, wanted: dict[str, Any]) -> str:
    """Make *wanted* what the policy says; return the version."""
    made = iam.create_policy_version(PolicyArn=POLICY, PolicyDocument=json.dumps(wanted), SetAsDefault=True)
    return str(made["PolicyVersion"]["VersionId"])


def test_terraform_makes_the_policy_of_the_list(project: Project, iam: Any) -> None:
    values = {
        "partition": "aws",
        "region": "ap-northeast-1",
        "account_id": ACCOUNT,
        "app": "guestbook",
        "environment": "local",
        "name": "guestbook-local",
    }
    made = document(iam)
    (passed,) = (one["Resource"] for one in made["Statement"] if one["Sid"] == "PassTaskRoles")
    assert made == permissions.policy(permissions.read(project.path), values, {"task_roles": passed})
    assert passed
    assert all(re.fullmatch(rf"arn:aws:iam::{ACCOUNT}:role/guestbook-local-[a-z-]+", one) for one in passed)


def test_a_whole_release_goes_out_as_the_role(project: Project, as_role: Any) -> None:
    project.replace(PAGE, "</body>", "<!-- by the deploy role --></body>")
    project.commit("Something to release as the deploy role")
    as_role(ROLE)
    before = len(answered(project))
    ran = project.inv("deploy", *ENV, "--yes")
    assert "image web: built" in ran.text
    calls = answered(project, before)
    refused = {(one["kind"], one["status"]) for one in calls if one["status"] in {401, 403}}
    assert refused <= {("registry", 401)}, (
        "an engine sends its password when it is asked for it; nothing else is refused"
    )
    asked = {one["action"] for one in calls}
    assert {"AssumeRole", "RegisterTaskDefinition", "RunTask", "UpdateService", "GetAuthorizationToken"} <= asked
    assert any(action.startswith("PUT /v2/guestbook/manifests/") for action in asked)


def test_a_role_that_may_less_is_told_what_it_may_not(project: Project, iam: Any, as_role: Any) -> None:
    enough = document(iam)
    less = copy.deepcopy(enough)
    for one in less["Statement"]:
        one["Action"] = [action for action in one["Action"] if action != "ecs:DescribeServices"]
    made = replaced(iam, less)
    as_role(ROLE)
    try:
        ran = project.inv("deploy", *ENV, "--dry-run", expect=1)
        assert "not authorized to perform: ecs:DescribeServices" in ran.text
    finally:
        replaced(iam, enough)
        iam.delete_policy_version(PolicyArn=POLICY, VersionId=made)


def test_the_doctor_says_who_we_are_and_what_the_role_may(project: Project, as_role: Any) -> None:
    as_role(ROLE)
    said = project.inv("env.doctor", *ENV, "--output", "json").out
    assert f"profile local, then role {ROLE}" in said
    assert "assumed-role/guestbook-local-deploy/deploylib-" in said
    assert "IAM does not tell" in said, "asking IAM is not among what a release needs"


def test_terraform_is_the_role_that_we_are(project: Project, iam: Any, as_role: Any) -> None:
    root = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    trust = {**root, "Condition": {"StringEquals": {"sts:ExternalId": "guestbook-4711"}}}
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    iam.create_role(RoleName="admin", AssumeRolePolicyDocument=json.dumps({"Statement": [trust]}))
    try:
        iam.put_role_policy(RoleName="admin", PolicyName="all", PolicyDocument=json.dumps({"Statement": [everything]}))
        as_role(f'arn:aws:iam::{ACCOUNT}:role/admin"\nexternal_id = "guestbook-4711')
        project.inv("infra.plan", *ENV, "--check")
        as_role(f"arn:aws:iam::{ACCOUNT}:role/admin")
        assert "cannot sign in as role" in project.inv("infra.plan", *ENV, expect=1).text
    finally:
        iam.delete_role_policy(RoleName="admin", PolicyName="all")
        iam.delete_role(RoleName="admin")


def test_the_role_of_a_deploy_is_not_terraform_s(project: Project, as_role: Any) -> None:
    as_role(ROLE)
    said = project.inv("infra.plan", *ENV, expect=1).text
    assert "AccessDenied" in said
    assert "s3:" in said
