"""What no table of the configuration knows by itself: names that do not meet, values that Terraform would not take."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from deploylib import branches
from deploylib import variables as stack
from deploylib.config.files import COMMON, file_name, flat, laid_over, names, table_at, toml
from deploylib.config.schema import AUTOMATIC_VARIABLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

STACK = "terraform/stack"
PROCESSORS = {"linux/amd64": "X86_64", "linux/arm64": "ARM64"}  # Docker's name to that of ECS
MIGRATION = "migration"  # the name that it has among the containers of the development environment
Found = tuple[tuple[str, ...], str]
ARN_ACCOUNT = re.compile(r"arn:[a-z-]+:iam::([0-9]{12}):")


def contradictions(root: Path, merged: dict[str, Any]) -> list[tuple[tuple[str, ...], str]]:
    """Return what each part alone cannot know: names that do not meet, values that Terraform would not take."""
    found: list[tuple[tuple[str, ...], str]] = []
    given = table_at(merged, "contract")
    if not given:  # else what is common to the others is not for this one
        found += _unfit_variables(root, table_at(merged, "terraform"))
        found += _other_processor(merged)
    found += _foreign_contract(merged, given)
    services = table_at(given, "services") if given else table_at(merged, "terraform", "services")
    found += _unknown_roles(merged)
    found += _foreign_roles(table_at(merged, "account"))
    found += _dependents(merged)
    found += _unfit_tests(root, merged)
    found += _migration_target(table_at(merged, "migration"), services, "contract" if given else "terraform")
    found += _strategies(merged)
    found += _unfit_pipeline(merged, table_at(merged, "terraform", "pipeline"))
    found += _built_elsewhere(merged)
    found += _release_order(table_at(merged, "services"), services, "contract" if given else "terraform")
    found += _unfit_hooks(root, table_at(merged, "hooks"))
    found += _addresses(merged.get("notifications", ()))
    path = table_at(merged, "app").get("path")
    if isinstance(path, str) and not (root / path).is_dir():
        found.append((("app", "path"), f"no folder {path!r}"))
    found += [((key,), "is set by the tool itself") for key in ("name", "root") if key in merged]
    if merged.get("default") is True and merged.get("protected") is True:
        found.append((("default",), "a protected environment cannot be the default"))
    return found


def _foreign_roles(account: Mapping[str, Any]) -> list[tuple[tuple[str, ...], str]]:
    """Return the roles that would lead into another account than the environment's."""
    named = {
        ("account", "role", "arn"): table_at(account, "role").get("arn"),
        ("account", "web_identity", "role_arn"): table_at(account, "web_identity").get("role_arn"),
    }
    return [
        (path, f"is a role of account {found[1]}, but account.id is {account.get('id')}")
        for path, arn in named.items()
        if isinstance(arn, str) and (found := ARN_ACCOUNT.match(arn)) and found[1] != account.get("id")
    ]


def _unfit_tests(root: Path, merged: Mapping[str, Any]) -> list[tuple[tuple[str, ...], str]]:
    """Return the image tests that ask for a migration, or a folder, that is not there."""
    roles, app = table_at(merged, "images", "roles"), table_at(merged, "app").get("path")
    found: list[tuple[tuple[str, ...], str]] = []
    for role in roles:
        path, test = ("images", "roles", role, "test"), table_at(roles, role, "test")
        if test.get("migrate") is True and not table_at(merged, "migration"):
            found.append(((*path, "migrate"), "there is no [migration]"))
        folder = test.get("folder")
        if folder and isinstance(folder, str) and isinstance(app, str) and not (root / app / folder).is_dir():
            found.append(((*path, "folder"), f"no folder {folder!r} in {app}"))
    return found


def _dependents(merged: Mapping[str, Any]) -> list[tuple[tuple[str, ...], str]]:
    """Return what image tests and the development environment need that is not there."""
    roles, dependencies = table_at(merged, "images", "roles"), table_at(merged, "dependencies")
    containers = table_at(merged, "development", "containers")
    found: list[tuple[tuple[str, ...], str]] = [
        (("images", "roles", role, "test", "needs"), f"no {need!r} in dependencies")
        for role in roles
        for need in table_at(roles, role, "test").get("needs", ())
        if need not in dependencies
    ]
    wanted = table_at(merged, "ci", "test").get("needs", ())
    found += [
        (("ci", "test", "needs"), f"no {need!r} in dependencies")
        for need in (wanted if isinstance(wanted, list) else ())
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
        path, table = ("development", "containers", name), table_at(containers, name)
        if (other := table.get("beside")) and (other == name or table_at(containers, str(other)).get("beside")):
            yield (*path, "beside"), f"{other!r} is itself beside another container"
        elif other and other not in containers:
            yield (*path, "beside"), f"no {other!r} in development.containers"
        if "published" in table and "port" not in table:
            yield (*path, "port"), "is missing: it is the port in the container that is published"
    service, migrate = (
        table_at(merged, "migration").get("service"),
        table_at(merged, "development").get("migrate", True),
    )
    if containers and service and migrate is True and service not in containers:
        yield ("development", "migrate"), f"no {service!r} in development.containers to migrate in; false: no migration"
    if service and migrate is True and MIGRATION in {*containers, *table_at(merged, "dependencies")}:
        yield ("development", "containers", MIGRATION), "is the migration's own name"


def branching(root: Path, name: str, own: Mapping[str, Any], common: Mapping[str, Any]) -> list[Found]:
    """Return what is wrong with `[branches]`, which all environments share: it chooses one of them."""
    found: list[Found] = [(("name",), "means the environment of the branch: choose another name")] * (
        name == branches.AUTO
    )
    if "branches" in own:
        found.append((("branches",), f"belongs into {file_name(COMMON)}: it says which environment is meant"))
    if "ci" in own:
        found.append((("ci",), f"belongs into {file_name(COMMON)}: there is one pipeline for all environments"))
    if table_at(common, "ci").get("merge_into") and not table_at(common, "ci", "test"):
        found.append((("ci", "merge_into"), "there is no [ci.test] to run on the merge"))
    return [*found, *branches.problems(table_at(common, "branches"), names(root))]


def promotion(root: Path, name: str, merged: Mapping[str, Any]) -> list[tuple[tuple[str, ...], str]]:
    """An environment that takes its images from another has no say in what they are made of."""
    source = merged.get("promote_from")
    if not source or not isinstance(source, str):
        return []
    if source == name or source not in names(root):
        others = ", ".join(one for one in names(root) if one != name)
        return [(("promote_from",), f"no other environment {source!r}; there are {others}")]
    theirs = laid_over(toml(root, COMMON)[0], toml(root, source)[0])
    if theirs.get("promote_from"):
        return [(("promote_from",), f"{source} takes its images from {theirs['promote_from']}: name that one")]
    return [*_own_images(source, merged, theirs), *_bound_images(source, merged)]


def _own_images(source: str, merged: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[tuple[tuple[str, ...], str]]:
    ours, others = (flat({"images": _made_of(table_at(one, "images"))}) for one in (merged, theirs))
    return [
        (tuple(key.split(".")), f"differs from {source}'s, but the images are {source}'s (promote_from)")
        for key in sorted({**ours, **others})
        if ours.get(key) != others.get(key)
    ]


def _made_of(images: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of `[images]` changes an image; an environment may name and keep them as it likes."""
    return {key: value for key, value in images.items() if key not in {"tags", "keep", "cache", "engine"}}


def _bound_images(source: str, merged: Mapping[str, Any]) -> list[tuple[tuple[str, ...], str]]:
    roles = table_at(merged, "images", "roles")
    return [
        (("images", "roles", role, "environment_specific"), f"such an image is {source}'s alone: it cannot be promoted")
        for role in roles
        if table_at(roles, role).get("environment_specific") is True
    ]


def _unknown_roles(merged: Mapping[str, Any]) -> list[tuple[tuple[str, ...], str]]:
    known = table_at(merged, "images", "roles")
    return [
        (("terraform", kind, name, "containers", container, "role"), f"no role {role!r} in images.roles")
        for kind in ("services", "scheduled_tasks")
        for name in table_at(merged, "terraform", kind)
        for container, role in _roles(table_at(merged, "terraform", kind, name, "containers"))
        if role not in known
    ]


def _foreign_contract(merged: Mapping[str, Any], given: Mapping[str, Any]) -> list[tuple[tuple[str, ...], str]]:
    """Return what a contract that stands in the file says of another account, or of roles that no image is made for."""
    account, roles = table_at(merged, "account"), table_at(merged, "images", "roles")
    place = f":{account.get('region')}:{account.get('id')}:"
    found: list[tuple[tuple[str, ...], str]] = [
        (("contract", kind, name, "containers", container), f"no role {role!r} in images.roles")
        for kind in ("services", "scheduled_tasks")
        for name in table_at(given, kind)
        for container, role in table_at(given, kind, name, "containers").items()
        if role not in roles
    ]
    cluster = given.get("cluster")
    if isinstance(cluster, str) and cluster.startswith("arn:") and place not in cluster:
        found.append((("contract", "cluster"), "is of another account or region than account.id and account.region"))
    return found


def _other_processor(merged: Mapping[str, Any]) -> list[tuple[tuple[str, ...], str]]:
    """Tasks on another processor than the images are for would only fail when they start."""
    platform = str(table_at(merged, "images").get("platform", "linux/amd64"))
    given, wanted = table_at(merged, "terraform").get("architecture", "X86_64"), PROCESSORS.get(platform)
    if wanted is None or given == wanted:  # the schema has said that it is no platform
        return []
    return [(("terraform", "architecture"), f"should be {wanted!r} for images.platform {platform} (it is {given!r})")]


def _unfit_pipeline(merged: Mapping[str, Any], pipeline: Mapping[str, Any]) -> list[Found]:
    """Return what a pipeline lacks in this environment, which is protected, or never builds."""
    found: list[Found] = []
    if pipeline and merged.get("protected") is True and "approval" not in pipeline:
        found.append((("terraform", "pipeline", "approval"), "is missing: a protected environment asks a person"))
    if pipeline.get("source") == "git" and merged.get("promote_from"):
        found.append((("terraform", "pipeline", "source"), "should be 'ecr': with promote_from nothing is built"))
    return found


def _roles(containers: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(name, str(one["role"])) for name, one in containers.items() if isinstance(one, dict) and "role" in one]


def _migration_target(
    migration: Mapping[str, Any], services: Mapping[str, Any], table: str
) -> list[tuple[tuple[str, ...], str]]:
    if not migration or not services:
        return []
    service, container = migration.get("service"), migration.get("container")
    if not isinstance(service, str):  # the schema has said so already
        return []
    if service not in services:
        return [(("migration", "service"), f"no service {service!r} in {table}.services")]
    if container not in table_at(services, service, "containers"):
        return [(("migration", "container"), f"service {service!r} has no container {container!r}")]
    return []


def _strategies(merged: Mapping[str, Any]) -> Iterator[Found]:
    """Yield the services that the release and Terraform have moved by different means."""
    table = "contract" if table_at(merged, "contract") else "terraform"
    made = table_at(merged, table, "services")
    for key in {**made, **table_at(merged, "services")}:
        wanted = table_at(merged, "services", key).get("strategy", "ecs")
        has = table_at(made, key).get("codedeploy") is not None
        if wanted in ("ecs", "codedeploy") and has != (wanted == "codedeploy"):
            what = f"[{table}.services.{key}.codedeploy] is {'there' if has else 'missing'}"
            yield ("services", key, "strategy"), f"is {wanted!r}, but {what}"
        if table == "contract" and has and not table_at(made, key, "load_balancer"):
            yield ("contract", "services", key, "load_balancer"), "is missing: CodeDeploy has to switch one"


def _built_elsewhere(merged: Mapping[str, Any]) -> Iterator[Found]:
    """Yield what CodeBuild, where it builds the images, cannot do, or what it would need; who promotes never builds."""
    images = table_at(merged, "images")
    if images.get("engine") != "codebuild" or merged.get("promote_from"):
        return
    for key in ("sbom", "provenance"):
        if images.get(key) is True:
            yield ("images", key), 'with images.engine = "codebuild" nothing is attested'
    table = "contract" if table_at(merged, "contract") else "terraform"
    if table_at(merged, table).get("remote_build") is None:
        yield ("images", "engine"), f"is 'codebuild', but [{table}.remote_build] is missing"
    elif table == "terraform":
        yield from _unreadable(merged)
    if table_at(merged, "terraform", "pipeline"):
        yield (
            ("images", "engine"),
            "is 'codebuild', but [terraform.pipeline] builds in its own build stage, on an engine",
        )


def _unreadable(merged: Mapping[str, Any]) -> Iterator[Found]:
    """Yield the parameters that builds elsewhere may not read; where others' policies allow more, nobody knows."""
    build, role = table_at(merged, "terraform", "remote_build"), table_at(merged, "terraform", "deploy_role")
    if build.get("policy_arns"):
        return
    listed = [*build.get("build_parameters", ()), *role.get("build_parameters", ())]
    allowed = {str(arn).partition(":parameter/")[2] for arn in listed}
    account = table_at(merged, "account")
    for path, name in _read_by_builds(merged):
        wanted = (name.partition(":parameter/")[2] or name.lstrip("/")).partition(":")[0]
        if wanted not in allowed:
            arn = f"arn:aws:ssm:{account.get('region')}:{account.get('id')}:parameter/{wanted}"
            yield path, f"CodeBuild may not read it: add {arn!r} to terraform.remote_build.build_parameters"


def _read_by_builds(merged: Mapping[str, Any]) -> Iterator[Found]:
    roles, registries = table_at(merged, "images", "roles"), table_at(merged, "registries")
    for role in roles:
        for key, name in table_at(roles, role, "secrets").items():
            yield ("images", "roles", role, "secrets", key), str(name)
    for host in registries:
        if name := table_at(registries, host).get("password_parameter"):
            yield ("registries", host, "password_parameter"), str(name)


def _unfit_hooks(root: Path, hooks: Mapping[str, Any]) -> list[tuple[tuple[str, ...], str]]:
    """Return the hooks whose executable is a file of the project that is not there, or cannot be run."""
    programs = {key: argv[0] for key, argv in hooks.items() if isinstance(argv, list) and argv}
    return [
        (("hooks", key), f"{program!r} is no file that can be executed: chmod +x {program}")
        for key, program in programs.items()
        if isinstance(program, str) and "/" in program and not _runnable(root / program)
    ]


def _runnable(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


def _addresses(notifications: Any) -> list[tuple[tuple[str, ...], str]]:
    """Return the notifications whose address is said twice, or not at all."""
    tables = notifications if isinstance(notifications, list) else []
    return [
        (("notifications", str(index)), "needs either parameter or variable: where its address is")
        for index, one in enumerate(tables)
        if isinstance(one, dict) and bool(one.get("parameter")) == bool(one.get("variable"))
    ]


def _release_order(
    policies: Mapping[str, Any], services: Mapping[str, Any], table: str
) -> list[tuple[tuple[str, ...], str]]:
    """Return the services of a release that are not there, that wait for one that is not, or for each other."""
    waits = {key: _names(table_at(policies, key).get("after")) for key in policies}
    unknown = [
        (path, f"no service {name!r} in {table}.services")
        for key, after in waits.items()
        for path, name in ((("services", key), key), *((("services", key, "after"), one) for one in after))
        if services and name not in services
    ]
    circles = {key: _way_back(key, waits) for key in waits}
    return [
        *unknown,
        *(
            (("services", key, "after"), f"waits for itself: {' after '.join(way)}")
            for key, way in circles.items()
            if way and key == min(way)
        ),
    ]


def _names(after: object) -> tuple[str, ...]:
    """Return the names in *after*, if it is a list of them; else the schema has said so."""
    return tuple(one for one in after if isinstance(one, str)) if isinstance(after, list) else ()


def _way_back(key: str, waits: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return a way along `after` from *key* back to it, both ends included; nothing when there is none."""
    ways: list[tuple[str, ...]] = [(key,)]
    seen: set[str] = set()
    while ways:
        way = ways.pop()
        for one in waits.get(way[-1], ()):
            if one == key:
                return (*way, one)
            if one not in seen:
                seen.add(one)
                ways.append((*way, one))
    return ()


def _unfit_variables(root: Path, values: Mapping[str, Any]) -> list[tuple[tuple[str, ...], str]]:
    """Terraform only warns of an unknown variable, and drops an unknown key in one: here both are mistakes."""
    folder = root / STACK
    if not (folder / "variables.tf").is_file():
        return []
    known_ones = declared(folder)
    known = {key: value for key, value in values.items() if key in known_ones.attributes}
    return [
        *((("terraform", key), "is set by the tool itself") for key in values if key in AUTOMATIC_VARIABLES),
        *(
            (("terraform", key), f"no variable {key!r} in {STACK}{stack.suggestion(key, known_ones.attributes)}")
            for key in values
            if key not in known_ones.attributes and key not in AUTOMATIC_VARIABLES
        ),
        *stack.problems(known, known_ones, ("terraform",)),
    ]


def declared(folder: Path) -> stack.Object:
    """Return the variables that are ours to set; a file of values beside them can set any, so then none has to be."""
    found = stack.read((folder / "variables.tf").read_text(encoding="utf-8", errors="replace"))
    set_elsewhere = found.attributes if any(folder.glob("*.tfvars*")) else AUTOMATIC_VARIABLES
    return stack.Object(
        attributes={name: one for name, one in found.attributes.items() if name not in AUTOMATIC_VARIABLES},
        required=found.required.difference(set_elsewhere),
    )
