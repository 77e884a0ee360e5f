"""What an environment may say: one dataclass per table of `environments/*.toml`, validated by pydantic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

LOCAL_CONFIG = ".local/aws/config"  # `inv local.up` writes it
AUTOMATIC_VARIABLES = ("app", "environment", "account_id", "region")

ROLE_ARN = r"^arn:[a-z-]+:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+$"
CLUSTER_ARN = r"^arn:[a-z-]+:ecs:[a-z0-9-]+:[0-9]{12}:cluster/[A-Za-z0-9_-]+$"
MFA_SERIAL = r"^(arn:[a-z-]+:iam::[0-9]{12}:(mfa|u2f)/.+|[A-Z0-9]{9,})?$"
SESSION_NAME, PREFIX, SHELL_NAME = r"^([\w+=,.@-]{2,64})?$", r"^([A-Z][A-Z0-9_]*_)?$", r"^[A-Za-z_][A-Za-z0-9_]*$"
ACCOUNT_ID, REGION, NAME = r"^[0-9]{12}$", r"^[a-z]{2}(-[a-z]+)+-\d$", r"^[a-z][a-z0-9-]{0,30}$"
MOUNT = r"^/[^:]+(:ro)?$"
PLATFORM = r"^linux/(amd64|arm64)$"
OPTIONAL_SHELL_NAME, PATH, ADDRESS = rf"^({SHELL_NAME[1:-1]})?$", r"^/", r"^(https?://.+)?$"
MOUNT_ID = r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$"
BRANCH_PATTERN, BRANCH_TARGET = r"^[^\s~^:?\[\]\\/][^\s~^:?\[\]\\]*$", rf"^(\*|{NAME[1:-1]})$"
BRANCH = r"^([^\s~^:?*\[\]\\/-][^\s~^:?*\[\]\\]*)?$"
WORDS = {
    BRANCH: "should be the name of a branch",
    BRANCH_PATTERN: "should be the name of a branch, in which * stands for anything but a slash and ** for anything",
    BRANCH_TARGET: "should be the name of an environment, or * for what the * of the pattern stands for",
    MOUNT_ID: "should be letters, digits, dots, hyphens and underscores",
    MOUNT: "should be an absolute path, with :ro at its end if nothing may be written there",
    ACCOUNT_ID: "should be twelve digits (0-9) in quotes",
    ROLE_ARN: "should be the ARN of a role, arn:aws:iam::ACCOUNT:role/NAME",
    CLUSTER_ARN: "should be the ARN of a cluster, arn:aws:ecs:REGION:ACCOUNT:cluster/NAME",
    MFA_SERIAL: "should be the ARN of a device, arn:aws:iam::ACCOUNT:mfa/NAME, or a serial number",
    SESSION_NAME: "should be 2 to 64 letters, digits and + = , . @ _ -",
    PREFIX: "should be capitals, digits and underscores, with an underscore at its end: AWS_STG_",
    SHELL_NAME: "should be the name of an environment variable",
    OPTIONAL_SHELL_NAME: "should be the name of an environment variable",
    PATH: "should begin with /",
    ADDRESS: "should be an address, https://… or http://…",
    REGION: "should be a region, such as ap-northeast-1",
    PLATFORM: "should be linux/amd64 or linux/arm64",
    NAME: "should be small letters, digits and hyphens, from a letter on, 31 at most",
}

Name = Annotated[str, Field(pattern=NAME)]
Seconds = Annotated[float, Field(gt=0, strict=True, allow_inf_nan=False)]
Minutes = Annotated[float, Field(ge=0, strict=True, allow_inf_nan=False)]
Flag = Annotated[bool, Field(strict=True)]
Text = Annotated[str, Field(min_length=1)]
LifecycleEvent = Literal[
    "BeforeInstall", "AfterInstall", "AfterAllowTestTraffic", "BeforeAllowTraffic", "AfterAllowTraffic"
]
Branches = Mapping[Annotated[str, Field(pattern=BRANCH_PATTERN)], Annotated[str, Field(pattern=BRANCH_TARGET)]]

STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True, kw_only=True)
class AssumedRole:
    """The role to take with the credentials that are found first; `mfa_serial` asks for a code.

    `session_name` is what CloudTrail shows (else `deploylib-USER`).
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    arn: Annotated[str, Field(pattern=ROLE_ARN)]
    session_name: Annotated[str, Field(pattern=SESSION_NAME)] = ""
    external_id: str = ""
    mfa_serial: Annotated[str, Field(pattern=MFA_SERIAL)] = ""
    duration_seconds: Annotated[int, Field(ge=900, le=43200, strict=True)] = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class WebIdentity:
    """The role that a CI job takes with its OIDC token, where the variable *token_variable* has one."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    role_arn: Annotated[str, Field(pattern=ROLE_ARN)]
    token_variable: Annotated[str, Field(pattern=SHELL_NAME)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The AWS account that an environment lives in, and how to sign in to it.

    `profile` names a profile of the AWS shared configuration; `config_file` is that file when it is not the
    user's own. `variables_prefix` is that of the environment's own keys among the variables (`AWS_STG_`). Without any
    the ambient credentials are used (environment variables, OIDC, instance role). More in `deploylib/sign_in.py`.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    id: Annotated[str, Field(pattern=ACCOUNT_ID)]
    region: Annotated[str, Field(pattern=REGION)]
    profile: str = ""
    config_file: str = ""
    variables_prefix: Annotated[str, Field(pattern=PREFIX)] = ""
    web_identity: WebIdentity | None = None
    role: AssumedRole | None = None
    state_bucket: str = ""

    @property
    def is_local(self) -> bool:
        """Whether `inv local.up` makes this account, on this machine."""
        return self.config_file == LOCAL_CONFIG


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """The application: its name, and the folder that every image of it is built from (relative to the project)."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    name: Name
    path: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseImage:
    """The image that the app's roles start from."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    dockerfile: Text
    build_args: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageTest:
    """What a role's image has to pass before it is pushed: *commands*, each run in a container of its own.

    `folder` (relative to the app's folder) is mounted read-only at `mount`, so that tests need not be in the image.
    `needs` names `[dependencies.*]`, started beside it on a private network; `migrate` runs the migration first.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    commands: Annotated[tuple[Annotated[tuple[str, ...], Field(min_length=1)], ...], Field(min_length=1)]
    folder: str = ""
    mount: Annotated[str, Field(pattern=r"^/.")] = "/tests"
    needs: tuple[Name, ...] = ()
    migrate: Flag = False
    environment: Mapping[str, str] = field(default_factory=dict)
    timeout_seconds: Seconds = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleImage:
    """One image of a release: `web`, `job`, `nginx` …

    `secrets` maps the id of a BuildKit secret mount to the SSM parameter that holds it. An `environment_specific`
    image may use the environment's name in its template, and cannot be promoted.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    dockerfile: Text
    build_args: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[Annotated[str, Field(pattern=MOUNT_ID)], Text] = field(default_factory=dict)
    environment_specific: Flag = False
    test: ImageTest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tags:
    """The names that a role's image gets beside its content tag.

    `immutable` once, when it is pushed; `moving` each time that a release of it completed. Placeholders: `{role}`,
    `{sha}` (40 digits), `{short}` (12), `{build}` (the CI's build number; without one that tag is left out),
    `{environment}`.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    immutable: tuple[Text, ...] = ("{role}-{short}",)
    moving: tuple[Text, ...] = ("{role}-{environment}-latest", "{role}-latest")


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """What clean-up leaves: the newest *images* of each role, and all of the last *releases* that completed.

    What was pushed within *hours* stays whatever it is: a deploy that is under way may be about to use it.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    images: Annotated[int, Field(ge=1, strict=True)] = 10
    releases: Annotated[int, Field(ge=2, strict=True)] = 10
    hours: Annotated[float, Field(ge=0, strict=True, allow_inf_nan=False)] = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """Every image of the app. Compiled languages leave `base` out.

    `engine` is who builds: this machine, or a CodeBuild project of the account.
    `settings` are values for the templates, the same in every environment. `cache` keeps BuildKit's layers in ECR;
    `sbom` and `provenance` attach attestations. The last three count where the engine has buildx.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    roles: Annotated[Mapping[Name, RoleImage], Field(min_length=1)]
    base: BaseImage | None = None
    engine: Literal["local", "codebuild"] = "local"
    platform: Annotated[str, Field(pattern=PLATFORM)] = "linux/amd64"
    settings: Mapping[str, str | int | bool | tuple[str | int, ...]] = field(default_factory=dict)
    tags: Tags = field(default_factory=Tags)
    keep: Retention = field(default_factory=Retention)
    cache: Flag = True
    sbom: Flag = False
    provenance: Flag = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """A container that the app needs beside it in image tests and in development: a database, a redis.

    Its name is its host name. `health_check` is a command in it that ends with 0 when it is ready; `provides` are the
    variables that those get who need it. `volume` is the path whose content `dev.up` keeps.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    image: Text
    environment: Mapping[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    health_check: tuple[str, ...] = ()
    timeout_seconds: Seconds = 60.0
    provides: Mapping[str, str] = field(default_factory=dict)
    volume: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryLogin:
    """How to sign in to a registry that images start from; the password is in an SSM parameter."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    username: Text
    password_parameter: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class DevelopmentContainer:
    """One container of the development environment.

    With `role` its image is the role's from the registry; without one it is the app's base. `mounts` maps folders and
    files of the app (relative to its folder) to paths in the container, read-only with `:ro` at the end; `published` is
    the port on this machine. It shares 127.0.0.1 with the container that it is *beside*, as in one ECS task.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    role: str = ""
    command: tuple[str, ...] = ()
    mounts: Mapping[Text, Annotated[str, Field(pattern=MOUNT)]] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[Name, ...] = ()
    beside: str = ""
    health_check: tuple[str, ...] = ()
    port: Annotated[int, Field(ge=1, le=65535, strict=True)] | None = None
    published: Annotated[int, Field(ge=1, le=65535, strict=True)] | None = None
    user: str = ""
    working_directory: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Development:
    """The development environment: `inv dev.up`. `needs` of a container names others and `[dependencies.*]`.

    With `migrate` the migration's command runs first, in the container that is named like the migration's service.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    containers: Annotated[Mapping[Name, DevelopmentContainer], Field(min_length=1)]
    env_file: str = ".env"
    migrate: Flag = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """The one-off task that runs before any service moves: *command* in *container* of *service*'s new revision."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    service: Name
    container: Text
    command: Annotated[tuple[str, ...], Field(min_length=1)]
    timeout_seconds: Seconds = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """How long a rollout may take, how often to look, and after how many failed tasks to give up by ourselves.

    Without `timeout_seconds` the time limit of each service is computed from how it starts and stops; the plan shows
    it. *same_failure* tasks that stopped for the same reason are enough to give up. A service whose tasks nobody asks
    for their health (no container health check, no target group) is done when they have stayed for `settle_seconds`.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    timeout_seconds: Seconds | None = None
    poll_seconds: Seconds = 3.0
    failed_tasks: Annotated[int, Field(ge=1, strict=True)] = 10
    same_failure: Annotated[int, Field(ge=1, strict=True)] = 3
    settle_seconds: Annotated[float, Field(ge=0, strict=True, allow_inf_nan=False)] = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasePolicy:
    """What happens when a release does not go as planned.

    `on_failure`: when one service fails, the others go back too, or everything stays as it is. `on_interrupt`: what a
    Ctrl-C means where nobody can be asked (CI, SIGTERM): go on waiting, leave the rollout to ECS, or go back.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    on_failure: Literal["rollback", "stop"] = "rollback"
    on_interrupt: Literal["wait", "detach", "rollback"] = "detach"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """The lease that keeps two releases from happening at once: how long it lasts unless renewed, how long to wait."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    lease_seconds: Annotated[float, Field(ge=15, le=900, strict=True, allow_inf_nan=False)] = 60.0
    wait_seconds: Annotated[float, Field(ge=0, strict=True, allow_inf_nan=False)] = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRelease:
    """How one service takes part in a release.

    It moves *after* the first task of each of these services is healthy. *start_at_zero* is the desired count that a
    service at zero tasks is released with (else it stays at zero); `timeout_seconds` is its own time limit.
    `strategy` is who gives it a new revision: ECS, or CodeDeploy (blue/green). The live service has to agree.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    after: tuple[Name, ...] = ()
    start_at_zero: Annotated[int, Field(ge=1, strict=True)] | None = None
    timeout_seconds: Seconds | None = None
    strategy: Literal["ecs", "codedeploy"] = "ecs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """Where a release is told: an Apprise URL, which is a secret, from an SSM parameter or a variable of the process.

    `events` are the ones that are told; `mention` stands in front of the failures.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    parameter: str = ""
    variable: Annotated[str, Field(pattern=OPTIONAL_SHELL_NAME)] = ""
    events: tuple[Literal["started", "waiting", "migrated", "serving", "failed", "rolled back"], ...] = (
        "started",
        "serving",
        "failed",
        "rolled back",
    )
    mention: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """Executables of the project that run around the steps of a release, each an argv; docs/hooks.md says with what.

    One that fails before a step stops the release there; one that fails after it is only told.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    before_build: tuple[str, ...] = ()
    after_build: tuple[str, ...] = ()
    before_migrate: tuple[str, ...] = ()
    after_migrate: tuple[str, ...] = ()
    before_deploy: tuple[str, ...] = ()
    after_deploy: tuple[str, ...] = ()
    timeout_seconds: Seconds = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request to the release, and the right answer. `{commit}` in *contains* and *headers* is the commit."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    path: Annotated[str, Field(pattern=PATH)]
    status: Annotated[int, Field(ge=100, le=599, strict=True)] = 200
    contains: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """The requests that prove that the new release serves: one, and those that are *also* made.

    `{commit}` in *contains* and *headers* is the released commit. `url` is asked instead of the load balancer's.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    path: Annotated[str, Field(pattern=PATH)] = "/"
    status: Annotated[int, Field(ge=100, le=599, strict=True)] = 200
    contains: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    also: tuple[Request, ...] = ()
    url: Annotated[str, Field(pattern=ADDRESS)] = ""
    timeout_seconds: Seconds = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenTask:
    """Tasks that others made: of *family*, which is a release's own too, and the image role of each container.

    A container that is not named keeps its image.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    name: Text
    family: Text
    containers: Annotated[Mapping[Text, Name], Field(min_length=1)]
    subnets: tuple[Text, ...] = ()
    security_groups: tuple[Text, ...] = ()
    assign_public_ip: Flag = False
    log_group: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenLoadBalancer:
    """Where a load balancer sends to; `test_listener` is the one on which CodeDeploy shows the new version first."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    container: Text
    port: Annotated[int, Field(ge=1, le=65535, strict=True)]
    test_listener: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenCapacity:
    """How much of a service's tasks a capacity provider gets."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    provider: Text
    base: Annotated[int, Field(ge=0, le=100000, strict=True)] = 0
    weight: Annotated[int, Field(ge=0, le=1000, strict=True)] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenCodeDeploy:
    """Where CodeDeploy moves a service that others made: an application and a deployment group, by name.

    The minutes are what they wait for: `inv continue` before traffic moves, the traffic from its first share to its
    last, and until the original tasks go. What else a deployment says is not in the group: `hooks` are Lambda functions
    by lifecycle event.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    application: Text
    deployment_group: Text
    ready_wait_minutes: Minutes = 0.0
    shift_minutes: Minutes = 0.0
    termination_wait_minutes: Minutes = 0.0
    platform_version: Text = "LATEST"
    capacity: tuple[GivenCapacity, ...] = ()
    hooks: Mapping[LifecycleEvent, Text] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenService(GivenTask):
    """Such tasks that a service keeps running; where CodeDeploy moves it, `load_balancer` says what it switches."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    load_balancer: GivenLoadBalancer | None = None
    codedeploy: GivenCodeDeploy | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenSchedule(GivenTask):
    """Such tasks that start by themselves: by a *schedule* of EventBridge Scheduler, or a *rule* of its event bus."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    schedule: str = ""
    rule: str = ""
    enabled: Flag = True


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenRemoteBuild:
    """A CodeBuild project that builds images from what is put into *bucket*, on machines of *platform*."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    project: Text
    bucket: Text
    platform: Annotated[str, Field(pattern=PLATFORM)]


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenContract:
    """Infrastructure that this project's Terraform did not make, as it would have published it.

    `repository` takes the images, `ledger` is the DynamoDB table of the releases and of the lock. `inv init` writes it.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    cluster: Annotated[str, Field(pattern=CLUSTER_ARN)]
    repository: Text
    ledger: Text
    services: Annotated[Mapping[Name, GivenService], Field(min_length=1)]
    scheduled_tasks: Mapping[Name, GivenSchedule] = field(default_factory=dict)
    cache_repository: str = ""
    url: Annotated[str, Field(pattern=r"^(https?://.+)?$")] = ""
    remote_build: GivenRemoteBuild | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CiTest:
    """The tests that a CI system runs on every push: *commands*, lines of bash, in a container of *image*.

    `needs` names `[dependencies.*]`, started beside it under their own names. What lies in `reports/` afterwards is
    kept; `junit.xml` and, by Cobertura, `coverage.xml` are shown. For a merge test it needs git and Python 3.11.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    image: Text
    commands: Annotated[tuple[Text, ...], Field(min_length=1)]
    needs: tuple[Name, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    timeout_seconds: Seconds = 1800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ci:
    """What the pipelines say that `inv ci.render` writes; with `merge_into` the tests run on the merge into it too."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    test: CiTest | None = None
    merge_into: Annotated[str, Field(pattern=BRANCH)] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """One environment, complete and validated."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    name: Name
    root: Path
    app: App
    account: Account
    images: Images
    migration: Migration | None = None
    release: ReleasePolicy = field(default_factory=ReleasePolicy)
    lock: Lock = field(default_factory=Lock)
    rollout: Rollout = field(default_factory=Rollout)
    services: Mapping[Name, ServiceRelease] = field(default_factory=dict)
    serving: Serving | None = None
    notifications: tuple[Notification, ...] = ()
    hooks: Hooks = field(default_factory=Hooks)
    default: Flag = False
    protected: Flag = False
    branches: Branches = field(default_factory=dict)
    ci: Ci = field(default_factory=Ci)
    promote_from: str = ""
    dependencies: Mapping[Name, Dependency] = field(default_factory=dict)
    registries: Mapping[str, RegistryLogin] = field(default_factory=dict)
    development: Development | None = None
    terraform: Mapping[str, Any] = field(default_factory=dict)
    contract: GivenContract | None = None

    def policy(self, service: str) -> ServiceRelease:
        """How releases treat a service, whether the file says anything of it or not."""
        return self.services.get(service, ServiceRelease())

    @property
    def context(self) -> Path:
        """The build context of the app's images."""
        return self.root / self.app.path

    @property
    def terraform_variables(self) -> dict[str, Any]:
        """Everything that Terraform is told, as one JSON document."""
        values = (self.app.name, self.name, self.account.id, self.account.region)
        return {**dict(zip(AUTOMATIC_VARIABLES, values, strict=True)), **self.terraform}

    @property
    def contract_parameter(self) -> str:
        """The SSM parameter in which Terraform publishes what a deploy reads."""
        return f"/{self.app.name}/{self.name}/contract"

    @property
    def contract_source(self) -> str:
        """Where the contract is from, in words."""
        here = f"[contract] of environments/{self.name}.toml"
        return self.contract_parameter if self.contract is None else here

    @property
    def state_bucket(self) -> str:
        """The S3 bucket of the app's Terraform states in this account; bucket names are global."""
        return self.account.state_bucket or f"{self.app.name}-terraform-{self.account.id}"
