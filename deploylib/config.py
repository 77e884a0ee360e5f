"""The environments: `environments/common.toml` with one environment's own file laid over it, validated once.

Unknown keys are errors; every mistake is reported at once, each with its file and key.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from deploylib import tag_templates
from deploylib import variables as stack
from deploylib.errors import ConfigError

COMMON = "common"
LOCAL_CONFIG = ".local/aws/config"  # `inv local.up` writes it
DIRECTORY = "environments"
VARIABLE = "DEPLOY_ENV"
STACK = "terraform/stack"
PROCESSORS = {"linux/amd64": "X86_64", "linux/arm64": "ARM64"}  # Docker's name to that of ECS
MIGRATION = "migration"  # the name that it has among the containers of the development environment
AUTOMATIC_VARIABLES = ("app", "environment", "account_id", "region")

ROLE_ARN = r"^arn:[a-z-]+:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+$"
MFA_SERIAL = r"^(arn:[a-z-]+:iam::[0-9]{12}:(mfa|u2f)/.+|[A-Z0-9]{9,})?$"
SESSION_NAME, PREFIX, SHELL_NAME = r"^([\w+=,.@-]{2,64})?$", r"^([A-Z][A-Z0-9_]*_)?$", r"^[A-Za-z_][A-Za-z0-9_]*$"
ACCOUNT_ID, REGION, NAME = r"^[0-9]{12}$", r"^[a-z]{2}(-[a-z]+)+-\d$", r"^[a-z][a-z0-9-]{0,30}$"
ARN_ACCOUNT = re.compile(r"arn:[a-z-]+:iam::([0-9]{12}):")
MOUNT = r"^/[^:]+(:ro)?$"
MOUNT_ID = r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$"
WORDS = {
    MOUNT_ID: "should be letters, digits, dots, hyphens and underscores",
    MOUNT: "should be an absolute path, with :ro at its end if nothing may be written there",
    ACCOUNT_ID: "should be twelve digits (0-9) in quotes",
    ROLE_ARN: "should be the ARN of a role, arn:aws:iam::ACCOUNT:role/NAME",
    MFA_SERIAL: "should be the ARN of a device, arn:aws:iam::ACCOUNT:mfa/NAME, or a serial number",
    SESSION_NAME: "should be 2 to 64 letters, digits and + = , . @ _ -",
    PREFIX: "should be capitals, digits and underscores, with an underscore at its end: AWS_STG_",
    SHELL_NAME: "should be the name of an environment variable",
    REGION: "should be a region, such as ap-northeast-1",
    NAME: "should be small letters, digits and hyphens, from a letter on, 31 at most",
}

Name = Annotated[str, Field(pattern=NAME)]
Seconds = Annotated[float, Field(gt=0, strict=True, allow_inf_nan=False)]
Flag = Annotated[bool, Field(strict=True)]
Text = Annotated[str, Field(min_length=1)]

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

    `settings` are values for the templates, the same in every environment. `cache` keeps BuildKit's layers in ECR;
    `sbom` and `provenance` attach attestations. The last three count where the engine has buildx.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    roles: Annotated[Mapping[Name, RoleImage], Field(min_length=1)]
    base: BaseImage | None = None
    platform: Annotated[str, Field(pattern=r"^linux/(amd64|arm64)$")] = "linux/amd64"
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
    """How long a rollout may take, how often to look, and after how many failed tasks to give up by ourselves."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    timeout_seconds: Seconds = 900.0
    poll_seconds: Seconds = 3.0
    failed_tasks: Annotated[int, Field(ge=1, strict=True)] = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """The request that proves that the new release serves. `{commit}` in *contains* is the released commit."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    path: Annotated[str, Field(pattern=r"^/")] = "/"
    contains: str = ""
    timeout_seconds: Seconds = 30.0


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
    rollout: Rollout = field(default_factory=Rollout)
    serving: Serving | None = None
    default: Flag = False
    protected: Flag = False
    promote_from: str = ""
    dependencies: Mapping[Name, Dependency] = field(default_factory=dict)
    registries: Mapping[str, RegistryLogin] = field(default_factory=dict)
    development: Development | None = None
    terraform: Mapping[str, Any] = field(default_factory=dict)

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
    def state_bucket(self) -> str:
        """The S3 bucket of the app's Terraform states in this account; bucket names are global."""
        return self.account.state_bucket or f"{self.app.name}-terraform-{self.account.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """One thing that is wrong in a file of the configuration."""

    file: str
    key: str
    problem: str

    def __str__(self) -> str:
        return f"{self.file}: {self.key}: {self.problem}" if self.key else f"{self.file}: {self.problem}"


def names(root: Path) -> tuple[str, ...]:
    """Return the environments that exist, sorted."""
    return tuple(sorted(path.stem for path in (root / DIRECTORY).glob("*.toml") if path.stem != COMMON))


def load(root: Path, name: str = "", *, variables: Mapping[str, str] = os.environ) -> Environment:
    """Return the environment called *name*; without one, that of `DEPLOY_ENV`, else the default one.

    Raises `ConfigError` with every mistake, each with file and key.
    """
    name = _chosen(root, name or _from_shell(root, variables))
    environment, mistakes = _read(root, name)
    if environment is None or mistakes:
        raise _refusal(mistakes)
    return environment


def validate(root: Path, name: str = "") -> None:
    """Raise `ConfigError` with every mistake of *name*'s environment, or of all of them."""
    found = [mistake for one in ([name] if name else names(root)) for mistake in _read(root, _known(root, one))[1]]
    if found:
        raise _refusal(tuple(dict.fromkeys(found)))


def origins(root: Path, name: str) -> dict[str, tuple[Any, str]]:
    """Return each configured key (dotted) with its value and the file that it is from."""
    own, common = (_flat(_toml(root, stem)[0]) for stem in (_known(root, name), COMMON))
    return {
        key: (own.get(key, common.get(key)), _file(name if key in own else COMMON)) for key in sorted({**common, **own})
    }


def _chosen(root: Path, name: str) -> str:
    existing = names(root)
    if not existing:
        raise ConfigError(f"no environment in {DIRECTORY}/", hint=f"write {DIRECTORY}/local.toml")
    if name:
        return _known(root, name)
    defaults = [one for one in existing if _toml(root, one)[0].get("default") is True] or list(existing)
    if len(defaults) == 1:
        return defaults[0]
    if unread := [mistake for one in existing for mistake in _toml(root, one)[1]]:
        raise _refusal(tuple(unread))  # the default may be among them
    raise ConfigError(f"which environment? There are {', '.join(existing)}", hint=f"add --env {existing[0]}")


def _from_shell(root: Path, variables: Mapping[str, str]) -> str:
    name = variables.get(VARIABLE, "")
    if name and name not in names(root):
        existing = ", ".join(names(root))
        raise ConfigError(f"no environment {name!r} (from ${VARIABLE}); there are {existing}", hint="inv env.list")
    return name


def _known(root: Path, name: str) -> str:
    if name in names(root):
        return name
    raise ConfigError(f"no environment {name!r}; there are {', '.join(names(root))}", hint="inv env.list")


def _read(root: Path, name: str) -> tuple[Environment | None, tuple[Mistake, ...]]:
    """Return the environment if its shape is right, and what is wrong with it."""
    own, own_mistakes = _toml(root, name)
    common, common_mistakes = _toml(root, COMMON)
    if own_mistakes or common_mistakes:
        return None, (*common_mistakes, *own_mistakes)
    merged = _merged(common, own)

    def mistake(path: tuple[str, ...], problem: str) -> Mistake:
        return Mistake(
            file=_file(_origin(path, own=own, common=common, name=name)), key=".".join(path), problem=problem
        )

    environment, wrong = None, []
    try:
        environment = TypeAdapter(Environment).validate_python({**merged, "name": name, "root": root})
    except ValidationError as error:
        wrong = [mistake(_path(one["loc"]), _problem(one)) for one in error.errors()]
    wrong += [mistake(path, problem) for path, problem in _contradictions(root, merged)]
    wrong += [mistake(path, problem) for path, problem in _promotion(root, name, merged)]
    wrong += [mistake(path, problem) for path, problem in tag_templates.problems(_table(merged, "images"), name)]
    return environment, tuple(wrong)


def _path(location: tuple[int | str, ...]) -> tuple[str, ...]:
    return tuple(str(part) for part in location if part != "[key]")


def _problem(error: Any) -> str:
    """Return pydantic's message in the words of someone who edits a TOML file."""
    known = {
        "unexpected_keyword_argument": "unknown key",
        "extra_forbidden": "unknown key",
        "missing": "is missing",
        "missing_keyword_only_argument": "is missing",
        "dataclass_type": "should be a table",
        "dict_type": "should be a table",
        "tuple_type": "should be a list",
        "too_short": "is empty",
        "string_too_short": "is empty",
    }
    given, words = error.get("input"), WORDS.get(error.get("ctx", {}).get("pattern", ""), _lower(error["msg"]))
    shown = f" (it is {given!r})" if isinstance(given, str | int | float | bool) else ""
    return known.get(error["type"], f"{words}{shown}")


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _contradictions(root: Path, merged: dict[str, Any]) -> list[tuple[tuple[str, ...], str]]:
    """Return what each part alone cannot know: names that do not meet, values that Terraform would not take."""
    found: list[tuple[tuple[str, ...], str]] = []
    found += _unfit_variables(root, _table(merged, "terraform"))
    services = _table(merged, "terraform", "services")
    found += _unknown_roles(merged)
    found += _other_processor(merged)
    found += _foreign_roles(_table(merged, "account"))
    found += _dependents(merged)
    found += _unfit_tests(root, merged)
    found += _migration_target(_table(merged, "migration"), services)
    path = _table(merged, "app").get("path")
    if isinstance(path, str) and not (root / path).is_dir():
        found.append((("app", "path"), f"no folder {path!r}"))
    found += [((key,), "is set by the tool itself") for key in ("name", "root") if key in merged]
    if merged.get("default") is True and merged.get("protected") is True:
        found.append((("default",), "a protected environment cannot be the default"))
    return found


def _foreign_roles(account: Mapping[str, Any]) -> list[tuple[tuple[str, ...], str]]:
    """Return the roles that would lead into another account than the environment's."""
    named = {
        ("account", "role", "arn"): _table(account, "role").get("arn"),
        ("account", "web_identity", "role_arn"): _table(account, "web_identity").get("role_arn"),
    }
    return [
        (path, f"is a role of account {found[1]}, but account.id is {account.get('id')}")
        for path, arn in named.items()
        if isinstance(arn, str) and (found := ARN_ACCOUNT.match(arn)) and found[1] != account.get("id")
    ]


def _unfit_tests(root: Path, merged: Mapping[str, Any]) -> list[tuple[tuple[str, ...], str]]:
    """Return the image tests that ask for a migration, or a folder, that is not there."""
    roles, app = _table(merged, "images", "roles"), _table(merged, "app").get("path")
    found: list[tuple[tuple[str, ...], str]] = []
    for role in roles:
        path, test = ("images", "roles", role, "test"), _table(roles, role, "test")
        if test.get("migrate") is True and not _table(merged, "migration"):
            found.append(((*path, "migrate"), "there is no [migration]"))
        folder = test.get("folder")
        if folder and isinstance(folder, str) and isinstance(app, str) and not (root / app / folder).is_dir():
            found.append(((*path, "folder"), f"no folder {folder!r} in {app}"))
    return found


def _dependents(merged: Mapping[str, Any]) -> list[tuple[tuple[str, ...], str]]:
    """Return what image tests and the development environment need that is not there."""
    roles, dependencies = _table(merged, "images", "roles"), _table(merged, "dependencies")
    containers = _table(merged, "development", "containers")
    found: list[tuple[tuple[str, ...], str]] = [
        (("images", "roles", role, "test", "needs"), f"no {need!r} in dependencies")
        for role in roles
        for need in _table(roles, role, "test").get("needs", ())
        if need not in dependencies
    ]
    for name, one in containers.items():
        path, table = ("development", "containers", name), one if isinstance(one, dict) else {}
        if table.get("role") and table["role"] not in roles:
            found.append(((*path, "role"), f"no role {table['role']!r} in images.roles"))
        if name in dependencies:
            found.append((path, "is the name of a dependency too"))
        found += [
            ((*path, "needs"), f"no {need!r} in dependencies or development.containers")
            for need in table.get("needs", ())
            if need not in dependencies and need not in containers
        ]
    return [*found, *_development(merged, containers)]


def _development(merged: Mapping[str, Any], containers: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield what is wrong between the containers of the development environment, and with its migration."""
    for name in containers:
        path, table = ("development", "containers", name), _table(containers, name)
        if (other := table.get("beside")) and (other == name or _table(containers, str(other)).get("beside")):
            yield (*path, "beside"), f"{other!r} is itself beside another container"
        elif other and other not in containers:
            yield (*path, "beside"), f"no {other!r} in development.containers"
        if "published" in table and "port" not in table:
            yield (*path, "port"), "is missing: it is the port in the container that is published"
    service, migrate = _table(merged, "migration").get("service"), _table(merged, "development").get("migrate", True)
    if containers and service and migrate is True and service not in containers:
        yield ("development", "migrate"), f"no {service!r} in development.containers to migrate in; false: no migration"
    if service and migrate is True and MIGRATION in {*containers, *_table(merged, "dependencies")}:
        yield ("development", "containers", MIGRATION), "is the migration's own name"


def _promotion(root: Path, name: str, merged: Mapping[str, Any]) -> list[tuple[tuple[str, ...], str]]:
    """An environment that takes its images from another has no say in what they are made of."""
    source = merged.get("promote_from")
    if not source or not isinstance(source, str):
        return []
    if source == name or source not in names(root):
        others = ", ".join(one for one in names(root) if one != name)
        return [(("promote_from",), f"no other environment {source!r}; there are {others}")]
    theirs = _merged(_toml(root, COMMON)[0], _toml(root, source)[0])
    if theirs.get("promote_from"):
        return [(("promote_from",), f"{source} takes its images from {theirs['promote_from']}: name that one")]
    return [*_own_images(source, merged, theirs), *_bound_images(source, merged)]


def _own_images(source: str, merged: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[tuple[tuple[str, ...], str]]:
    ours, others = (_flat({"images": _made_of(_table(one, "images"))}) for one in (merged, theirs))
    return [
        (tuple(key.split(".")), f"differs from {source}'s, but the images are {source}'s (promote_from)")
        for key in sorted({**ours, **others})
        if ours.get(key) != others.get(key)
    ]


def _made_of(images: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of `[images]` changes an image; an environment may name and keep them as it likes."""
    return {key: value for key, value in images.items() if key not in {"tags", "keep", "cache"}}


def _bound_images(source: str, merged: Mapping[str, Any]) -> list[tuple[tuple[str, ...], str]]:
    roles = _table(merged, "images", "roles")
    return [
        (("images", "roles", role, "environment_specific"), f"such an image is {source}'s alone: it cannot be promoted")
        for role in roles
        if _table(roles, role).get("environment_specific") is True
    ]


def _unknown_roles(merged: Mapping[str, Any]) -> list[tuple[tuple[str, ...], str]]:
    known = _table(merged, "images", "roles")
    return [
        (("terraform", kind, name, "containers", container, "role"), f"no role {role!r} in images.roles")
        for kind in ("services", "scheduled_tasks")
        for name in _table(merged, "terraform", kind)
        for container, role in _roles(_table(merged, "terraform", kind, name, "containers"))
        if role not in known
    ]


def _other_processor(merged: Mapping[str, Any]) -> list[tuple[tuple[str, ...], str]]:
    """Tasks on another processor than the images are for would only fail when they start."""
    platform = str(_table(merged, "images").get("platform", "linux/amd64"))
    given, wanted = _table(merged, "terraform").get("architecture", "X86_64"), PROCESSORS.get(platform)
    if wanted is None or given == wanted:  # the schema has said that it is no platform
        return []
    return [(("terraform", "architecture"), f"should be {wanted!r} for images.platform {platform} (it is {given!r})")]


def _roles(containers: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(name, str(one["role"])) for name, one in containers.items() if isinstance(one, dict) and "role" in one]


def _migration_target(migration: Mapping[str, Any], services: Mapping[str, Any]) -> list[tuple[tuple[str, ...], str]]:
    if not migration or not services:
        return []
    service, container = migration.get("service"), migration.get("container")
    if not isinstance(service, str):  # the schema has said so already
        return []
    if service not in services:
        return [(("migration", "service"), f"no service {service!r} in terraform.services")]
    if container not in _table(services, service, "containers"):
        return [(("migration", "container"), f"service {service!r} has no container {container!r}")]
    return []


def _unfit_variables(root: Path, values: Mapping[str, Any]) -> list[tuple[tuple[str, ...], str]]:
    """Terraform only warns of an unknown variable, and drops an unknown key in one: here both are mistakes."""
    folder = root / STACK
    if not (folder / "variables.tf").is_file():
        return []
    declared = _declared(folder)
    known = {key: value for key, value in values.items() if key in declared.attributes}
    return [
        *((("terraform", key), "is set by the tool itself") for key in values if key in AUTOMATIC_VARIABLES),
        *(
            (("terraform", key), f"no variable {key!r} in {STACK}{stack.suggestion(key, declared.attributes)}")
            for key in values
            if key not in declared.attributes and key not in AUTOMATIC_VARIABLES
        ),
        *stack.problems(known, declared, ("terraform",)),
    ]


def _declared(folder: Path) -> stack.Object:
    """Return the variables that are ours to set; a file of values beside them can set any, so then none has to be."""
    found = stack.read((folder / "variables.tf").read_text(encoding="utf-8", errors="replace"))
    set_elsewhere = found.attributes if any(folder.glob("*.tfvars*")) else AUTOMATIC_VARIABLES
    return stack.Object(
        attributes={name: one for name, one in found.attributes.items() if name not in AUTOMATIC_VARIABLES},
        required=found.required.difference(set_elsewhere),
    )


def _table(merged: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    """Return the table at *path*, or an empty one where there is none (the schema has said so already)."""
    found: Any = merged
    for part in path:
        found = found.get(part, {}) if isinstance(found, Mapping) else {}
    return found if isinstance(found, Mapping) else {}


def _toml(root: Path, stem: str) -> tuple[dict[str, Any], tuple[Mistake, ...]]:
    path = root / DIRECTORY / f"{stem}.toml"
    try:
        return tomllib.loads(path.read_text()), ()
    except FileNotFoundError:
        return {}, ()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        return {}, (Mistake(file=_file(stem), key="", problem=f"not TOML: {error}"),)


def _merged(common: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Return *common* with *own* laid over it; tables are merged, everything else is replaced."""
    return {
        key: _merged(common[key], own[key])
        if isinstance(common.get(key), dict) and isinstance(own.get(key), dict)
        else own.get(key, common.get(key))
        for key in {**common, **own}
    }


def _origin(path: tuple[str, ...], *, own: Any, common: Any, name: str) -> str:
    """Return the file to correct: the one that has the key, else (a missing key) the environment's own."""
    for stem, table in ((name, own), (COMMON, common)):
        found: Any = table
        for part in path:
            if isinstance(found, list):  # lists are never merged: all of it is from here
                return stem
            found = found.get(part) if isinstance(found, dict) else None
        if found is not None:
            return stem
    return name


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in table.items():
        nested = isinstance(value, dict) and value
        flat |= _flat(value, f"{prefix}{key}.") if nested else {f"{prefix}{key}": value}
    return flat


def _file(stem: str) -> str:
    return f"{DIRECTORY}/{stem}.toml"


def _refusal(mistakes: tuple[Mistake, ...]) -> ConfigError:
    count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
    lines = "\n".join(f"  {mistake}" for mistake in mistakes)
    return ConfigError(f"{count} in the configuration\n{lines}", hint="correct the file, then inv env.validate")
