"""A stack as production has it, made and taken away in a local AWS; and what distinguishes staging from production.

Where the local AWS lies, `production/exceptions.toml` says so and why; an exception that no longer shows fails here.
Terraform waits for minutes and works for seconds: what needs no stack is looked at while it is made.
"""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from deploylib import aws, config, process
from deploylib.toolchain import machine, provider_mirror, terraform
from tests.e2e.project import ROOT, Project, Ran, copy_project

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

pytestmark = pytest.mark.e2e

HERE = Path(__file__).with_name("production")
PRD = ("--env", "prd")
YES = ("--yes", "--confirm", "prd")
SECRET = "written-once-and-forgotten"
CONFIG_FILE = ".local/aws/config"
MODULE = re.compile(r"module[.]\w+(\[[^\]]*\])?")
INDEX = re.compile(r"\[[^\]]*\]")

WANTED = """
    acm_certificate acm_certificate_validation appautoscaling_policy appautoscaling_target cloudwatch_dashboard
    cloudwatch_log_group cloudwatch_metric_alarm db_subnet_group ecr_lifecycle_policy ecr_repository
    ecr_repository_policy ecs_cluster ecs_cluster_capacity_providers ecs_service ecs_task_definition eip
    elasticache_parameter_group elasticache_replication_group elasticache_subnet_group flow_log
    iam_openid_connect_provider iam_policy iam_role iam_role_policy internet_gateway lb lb_listener lb_listener_rule
    lb_target_group nat_gateway rds_cluster rds_cluster_instance rds_cluster_parameter_group route route53_record
    route_table route_table_association s3_bucket s3_bucket_policy scheduler_schedule secretsmanager_secret_rotation
    security_group service_discovery_service sns_topic sqs_queue ssm_parameter subnet vpc vpc_endpoint
    vpc_security_group_ingress_rule
"""


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A large application, and an account of its own with the zone of its domain."""
    project = copy_project(tmp_path_factory.mktemp("production"))
    shutil.rmtree(project.path / "environments")
    shutil.copytree(HERE / "environments", project.path / "environments")
    try:
        project.inv("local.up", *PRD)
        zone = client(project, "route53").create_hosted_zone(Name="example.com", CallerReference="test")
        project.replace("environments/prd.toml", "{zone}", zone["HostedZone"]["Id"].removeprefix("/hostedzone/"))
        project.commit("A large application")
        yield project
    finally:
        project.inv("local.down")


@pytest.fixture(scope="module")
def applying(account: Project) -> Iterator[Future[Ran]]:
    """Its infrastructure, on the way."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(account.inv, "infra.apply", *PRD, *YES)


@pytest.fixture
def project(account: Project, applying: Future[Ran]) -> Project:
    """The application when its infrastructure is there."""
    applying.result()
    return account


def client(project: Project, service: str) -> Any:
    session: Any = aws.session(config.load(project.path, "prd", variables={}))  # it is typed for named services only
    return session.client(service)


def exceptions(kind: str) -> list[dict[str, str]]:
    """Return what the local AWS does otherwise than AWS, of one *kind*."""
    return list(tomllib.loads((HERE / "exceptions.toml").read_text()).get(kind, []))


def addresses(project: Project) -> list[str]:
    return project.inv("infra.tf", *PRD, "--", "state", "list").out.splitlines()


# The names of environments and accounts are variables too: where nothing else differs, nothing does.
NAMES = {"stg": "ENVIRONMENT", "prd": "ENVIRONMENT", "111111111111": "ACCOUNT", "222222222222": "ACCOUNT"}


@pytest.fixture(scope="module")
def example(account: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The example application with its own environments; both their accounts are in the local AWS of *account*."""
    example = copy_project(tmp_path_factory.mktemp("example"))
    written = (account.path / CONFIG_FILE).read_text()
    endpoint = re.findall(r"endpoint_url\s*=\s*(\S+)", written)[0]
    for name, key in (("stg", "111111111111"), ("prd", "222222222222")):  # such a key is its account's
        written += (
            f"\n[profile guestbook-{name}]\nregion = ap-northeast-1\nendpoint_url = {endpoint}\n"
            f"aws_access_key_id = {key}\naws_secret_access_key = x\n"
        )
    (example.path / "aws-config").write_text(written)
    return example


def planned(example: Project, name: str) -> Mapping[str, Any]:
    """Return what *name* will have: by address, each value by its path."""
    signed_in = str(example.path / "aws-config")
    example.inv("infra.plan", "--env", name, AWS_CONFIG_FILE=signed_in)
    file = example.path / ".cache" / "terraform" / name / "saved" / "plan.tfplan"
    words = ("infra.tf", "--env", name, "--secrets", "--", "show", "-json", str(file))
    root = json.loads(example.inv(*words, AWS_CONFIG_FILE=signed_in).out)["planned_values"]["root_module"]
    return {one["address"]: dict(flat(one.get("values", {}))) for one in resources(root)}


def resources(module: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from module.get("resources", [])
    for child in module.get("child_modules", []):
        yield from resources(child)


def flat(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield every value in *value* as text, with the names of accounts and environments replaced."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        value = json.loads(value)
    if isinstance(value, dict | list):
        for key, one in value.items() if isinstance(value, dict) else enumerate(value):
            yield from flat(one, f"{path}.{key}" if path else str(key))
        return
    text = str(value)
    for name, general in NAMES.items():
        text = re.sub(rf"(?<![a-z0-9]){name}(?![a-z0-9])", general, text)
    yield path, text


def differences(stg: Mapping[str, Any], prd: Mapping[str, Any]) -> Iterator[str]:
    """Yield where the two differ: what only one has, and each attribute that is another."""
    for address in sorted({*stg, *prd}):
        if address not in stg or address not in prd:
            yield f"{INDEX.sub('', address)} only in {'stg' if address in stg else 'prd'}"
            continue
        one, other = stg[address], prd[address]
        for path in sorted({*one, *other}):
            if one.get(path) != other.get(path):
                yield f"{INDEX.sub('', address)} {re.sub(r'[.][0-9]+(?=[.]|$)', '', path)}"


@pytest.mark.usefixtures("applying")
def test_staging_and_production_differ_by_their_variables_only(example: Project) -> None:
    with ThreadPoolExecutor() as pool:
        stg, prd = pool.map(lambda name: planned(example, name), ("stg", "prd"))
    named = tomllib.loads((HERE / "differences.toml").read_text())
    names = {one for group in named.values() for one in group["where"]}
    found = set(differences(stg, prd))
    assert sorted(found - names) == [], "nobody has named these"
    assert sorted(names - found) == [], "these are no differences"


@pytest.mark.usefixtures("applying")
def test_a_secret_parameter_is_written_and_not_remembered(account: Project, tmp_path: Path) -> None:
    environment = config.load(account.path, "prd", variables={})
    shutil.copytree(ROOT / "terraform/modules/parameters", tmp_path / "root", ignore=shutil.ignore_patterns("tests"))
    tool = terraform.find(ROOT)
    variables = {
        **aws.child_variables(environment),
        **provider_mirror.environment(ROOT, machine.this(), tool),
        "TF_VAR_path": "/shop/prd/made",
        "TF_VAR_secrets": json.dumps({"TOKEN": SECRET}),
        "TF_VAR_secret_versions": json.dumps({"TOKEN": 1}),
    }
    for words in (("init",), ("apply", "-auto-approve")):
        process.run((tool.program, *words, "-input=false", "-no-color"), cwd=tmp_path / "root", env=variables)
    ssm = client(account, "ssm")
    found = ssm.get_parameter(Name="/shop/prd/made/TOKEN", WithDecryption=True)["Parameter"]
    ssm.delete_parameter(Name="/shop/prd/made/TOKEN")
    assert (found["Type"], found["Value"]) == ("SecureString", SECRET)
    state = (tmp_path / "root" / "terraform.tfstate").read_text()
    assert "/shop/prd/made/TOKEN" in state
    assert SECRET not in state


def test_every_type_of_resource_is_made(project: Project) -> None:
    made = {INDEX.sub("", one).rsplit(".", 2)[-2] for one in addresses(project) if ".data." not in f".{one}"}
    assert {f"aws_{one}" for one in WANTED.split()} - made == set()


def test_a_second_plan_is_empty(project: Project) -> None:
    (line,) = project.inv("infra.plan", *PRD, "--output", "json").out.splitlines()
    found = {
        (INDEX.sub("", one["address"]), INDEX.sub("", difference["path"]))
        for one in json.loads(line)["changes"]
        for difference in one["differences"] or [{"path": one["action"]}]
    }
    assert found == {(one["address"], one["path"]) for one in exceptions("second_plan")}


def test_the_load_balancer_serves_the_domain_over_tls(project: Project) -> None:
    elb = client(project, "elbv2")
    (balancer,) = elb.describe_load_balancers()["LoadBalancers"]
    listeners = elb.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
    by_port = {one["Port"]: one for one in listeners}
    assert by_port[80]["DefaultActions"][0]["RedirectConfig"]["Protocol"] == "HTTPS"
    certificate = by_port[443]["Certificates"][0]["CertificateArn"]
    names = client(project, "acm").describe_certificate(CertificateArn=certificate)["Certificate"]
    assert {names["DomainName"], *names["SubjectAlternativeNames"]} == {"shop.example.com", "www.shop.example.com"}
    assert len(balancer["AvailabilityZones"]) == 3


def test_no_password_is_in_the_state(project: Project) -> None:
    secrets = client(project, "secretsmanager")
    (master,) = [one for one in secrets.list_secrets()["SecretList"] if one["Name"].startswith("rds!cluster-")]
    password = json.loads(secrets.get_secret_value(SecretId=master["ARN"])["SecretString"])["password"]
    state = project.inv("infra.tf", *PRD, "--secrets", "--", "state", "pull").out
    assert master["ARN"] in state, "the reference is"
    assert password not in state


def test_jobs_of_the_ci_system_are_trusted_by_their_subject_alone(project: Project) -> None:
    iam = client(project, "iam")
    (statement,) = iam.get_role(RoleName="shop-prd-ci-plan")["Role"]["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Condition"] == {
        "StringEquals": {"gitlab.com:aud": "https://gitlab.com"},
        "StringLike": {"gitlab.com:sub": ["project_path:acme/shop:ref_type:branch:ref:main"]},
    }
    trusting = iam.get_role(RoleName="shop-prd-deploy")["Role"]["AssumeRolePolicyDocument"]["Statement"]
    federated = {one["Principal"].get("Federated", "").partition("oidc-provider/")[2] for one in trusting}
    assert "token.actions.githubusercontent.com" in federated


def test_what_is_looked_up_without_terraform_is_in_parameter_store(project: Project) -> None:
    found = client(project, "ssm").get_parameters_by_path(Path="/shop/prd/infrastructure")["Parameters"]
    values = {one["Name"].rpartition("/")[2]: one["Value"] for one in found}
    (cluster,) = client(project, "rds").describe_db_clusters()["DBClusters"]
    assert (values["DB_HOST"], values["DB_PORT"]) == (cluster["Endpoint"], str(cluster["Port"]))
    assert values["REDIS_URL"].startswith("rediss://")
    assert values["SUPPORT"] == "support@example.com"


def test_destroy_leaves_nothing_but_the_zone(project: Project) -> None:
    modules = sorted({found[0] for one in addresses(project) if (found := MODULE.match(one))})
    allowed = [word for module in modules for word in ("--allow-destroy", module)]
    project.inv("infra.destroy", *PRD, *YES, *allowed)
    assert addresses(project) == []
    left = {
        "rds": client(project, "rds").describe_db_clusters()["DBClusters"],
        "elasticache": client(project, "elasticache").describe_replication_groups()["ReplicationGroups"],
        "elbv2": client(project, "elbv2").describe_load_balancers()["LoadBalancers"],
        "nat": client(project, "ec2").describe_nat_gateways()["NatGateways"],
        "schedules": client(project, "scheduler").list_schedules()["Schedules"],
        "scaling": client(project, "application-autoscaling").describe_scalable_targets(ServiceNamespace="ecs")[
            "ScalableTargets"
        ],
    }
    alive = {name: [one for one in found if one.get("State") != "deleted"] for name, found in left.items()}
    assert not any(alive.values()), alive
