"""A plan as a value: what `terraform show -json` says, reduced to what a person decides on. Pure.

Terraform's JSON repeats whole objects, holds every secret in clear, and lists each computed attribute. Here it becomes
differences of single values: JSON strings (container definitions, policies) are decoded, lists of things with names
become mappings, secrets become a mark before anything is compared, and what is unknown only because AWS computes it
is left out (the plan's own `configuration` tells which attributes somebody wrote).
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections import Counter
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


TEMPLATE = "aws_ecs_task_definition"


class Action(StrEnum):
    """What happens to an object; the values are words for people and machines."""

    CREATE = "create"
    UPDATE = "change"
    REPLACE = "replace"
    DELETE = "delete"
    READ = "read"
    MOVE = "move"
    IMPORT = "import"
    FORGET = "forget"


class Danger(StrEnum):
    """Why an action deserves a second look."""

    DATA = "holds data"
    SERVING = "is serving: a new one starts without the deployed release"
    USED = "is used by what runs"


class Mark(Enum):
    """What stands in for a value that is not there, not known, or not to be seen."""

    ABSENT = "(none)"
    UNKNOWN = "(known after apply)"
    SENSITIVE = "(sensitive)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One value that differs, at a dotted path. `forces`: it is why the object is replaced."""

    path: str
    before: Any
    after: Any
    forces: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One object of the plan. `identifiers` are the names by which others know the one that is there now."""

    address: str
    type: str
    action: Action
    reason: str = ""
    previous_address: str = ""
    import_id: str = ""
    differences: tuple[Difference, ...] = ()
    forces: tuple[str, ...] = ()
    dangers: tuple[Danger, ...] = ()
    module: str = ""
    identifiers: tuple[str, ...] = ()
    used_by: tuple[str, ...] = ()

    @property
    def destroys(self) -> bool:
        """Whether the object that is there now goes."""
        return self.action in (Action.DELETE, Action.REPLACE)

    @property
    def holds_data(self) -> bool:
        """Whether what is deleted or replaced holds data."""
        return Danger.DATA in self.dangers


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """An object that somebody changed outside Terraform; without differences it was deleted."""

    address: str
    differences: tuple[Difference, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Everything that a plan does, and what Terraform warned of on the way.

    `drift` is what somebody changed outside Terraform, `deployed` what deploys and scaling did, as they should.
    """

    changes: tuple[Change, ...] = ()
    outputs: tuple[Difference, ...] = ()
    drift: tuple[Drift, ...] = ()
    deployed: tuple[Drift, ...] = ()
    warnings: tuple[str, ...] = field(default=())

    def __bool__(self) -> bool:
        return bool(self.changes or self.outputs)

    @property
    def waits_for_deploy(self) -> bool:
        """Whether a service's template changes: its tasks get it with the next deploy, not from Terraform."""
        return any(one.type == TEMPLATE and one.action in {Action.REPLACE, Action.UPDATE} for one in self.changes)

    @property
    def counts(self) -> Counter[Action]:
        """How often each action occurs."""
        return Counter(change.action for change in self.changes)

    @property
    def modules(self) -> dict[str, Counter[Action]]:
        """How often each action occurs in each module, by the module's address; the root's is empty."""
        found: dict[str, Counter[Action]] = {}
        for change in sorted(self.changes, key=lambda one: one.module):
            found.setdefault(change.module, Counter())[change.action] += 1
        return found


ACTIONS = {
    ("create",): Action.CREATE,
    ("update",): Action.UPDATE,
    ("delete",): Action.DELETE,
    ("read",): Action.READ,
    ("forget",): Action.FORGET,
    ("delete", "create"): Action.REPLACE,
    ("create", "delete"): Action.REPLACE,
    ("create", "forget"): Action.REPLACE,
}

REASONS = {
    "replace_because_cannot_update": "cannot be changed in place",
    "replace_because_tainted": "its creation did not end well",
    "replace_by_request": "as asked for",
    "replace_by_triggers": "replace_triggered_by",
    "delete_because_no_resource_config": "no longer in the code",
    "delete_because_no_module": "its module is no longer in the code",
    "delete_because_count_index": "count is smaller",
    "delete_because_each_key": "its for_each key is gone",
    "delete_because_wrong_repetition": "count or for_each was switched",
    "delete_because_no_move_target": "moved to where nothing is",
    "read_because_config_unknown": "its arguments are known after apply",
    "read_because_dependency_pending": "what it depends on changes",
    "read_because_check_nested": "for a check",
}

HOLDS_DATA = frozenset(
    {
        "aws_cognito_user_pool",
        "aws_db_instance",
        "aws_docdb_cluster",
        "aws_dynamodb_table",
        "aws_ebs_volume",
        "aws_ecr_repository",
        "aws_efs_file_system",
        "aws_elasticache_cluster",
        "aws_elasticache_replication_group",
        "aws_elasticache_serverless_cache",
        "aws_kinesis_stream",
        "aws_kms_key",
        "aws_memorydb_cluster",
        "aws_mq_broker",
        "aws_msk_cluster",
        "aws_neptune_cluster",
        "aws_opensearch_domain",
        "aws_rds_cluster",
        "aws_redshift_cluster",
        "aws_s3_bucket",
        "aws_secretsmanager_secret",
        "aws_sqs_queue",
    }
)

# A deploy owns these (and scaling, the counts): what Terraform saw change there is no drift.
DEPLOYS = {
    "aws_ecs_service": frozenset({"task_definition", "desired_count", "load_balancer"}),
    "aws_lb_listener": frozenset({"default_action"}),
    "aws_lb_listener_rule": frozenset({"action"}),
    "aws_scheduler_schedule": frozenset({"state", "target"}),
}

# How an object is called by what uses it. What is not here is used through others, or in an order that Terraform knows.
IDENTIFIERS = {
    "aws_cloudwatch_log_group": ("name",),
    "aws_ecr_repository": ("repository_url",),
    "aws_ecs_service": ("name",),
    "aws_efs_access_point": ("id",),
    "aws_efs_file_system": ("id",),
    "aws_iam_role": ("arn",),
    "aws_lb_target_group": ("arn",),
    "aws_secretsmanager_secret": ("arn",),
    "aws_security_group": ("id",),
    "aws_service_discovery_service": ("arn",),
    "aws_ssm_parameter": ("arn", "name"),
    "aws_subnet": ("id",),
}

# What AWS adds to a container that does not say it.
CONTAINER_DEFAULTS = {"cpu": 0, "essential": True, "protocol": "tcp"}

MODULE = re.compile(r'module\.([\w-]+)(?:\[(?:\d+|"(?:[^"\\]|\\.)*")\])?')
INDEX = re.compile(r"\[\d+\]")


def read_changes(plan: Mapping[str, Any]) -> Changes:
    """Return what *plan*, the document of `terraform show -json PLANFILE`, does."""
    written = dict(_written(plan.get("configuration", {}).get("root_module", {})))
    found = {one["address"]: one["change"].get("after") or {} for one in plan.get("resource_drift", ())}
    outputs = (
        difference
        for name, change in sorted(plan.get("output_changes", {}).items())
        for difference in _differences(change, name)
    )
    return Changes(
        changes=tuple(change for one in plan.get("resource_changes", ()) if (change := _change(one, written, found))),
        outputs=tuple(outputs),
        drift=tuple(drift for one in plan.get("resource_drift", ()) if (drift := _drift(one, written))),
        deployed=tuple(drift for one in plan.get("resource_drift", ()) if (drift := _deployed(one))),
        warnings=tuple(_failed_checks(plan.get("checks", ()))),
    )


def _change(
    resource: Mapping[str, Any], written: Mapping[Any, frozenset[str]], found: Mapping[str, Mapping[str, Any]]
) -> Change | None:
    change = resource["change"]
    action = _action(resource)
    if action is None:
        return None
    forces = tuple(_dotted(path) for path in change.get("replace_paths") or ())
    shown = action in (Action.UPDATE, Action.REPLACE, Action.IMPORT)
    return Change(
        address=resource["address"] + (" (deposed)" if "deposed" in resource else ""),
        type=resource["type"],
        action=action,
        reason=REASONS.get(resource.get("action_reason", ""), resource.get("action_reason", "")),
        previous_address=resource.get("previous_address", ""),
        import_id=str((change.get("importing") or {}).get("id", "")),
        differences=_worth_showing(resource, written.get(_key(resource)), forces) if shown else (),
        forces=forces,
        dangers=tuple(_dangers(resource, action, found.get(resource["address"], {}))),
        module=resource.get("module_address", ""),
        identifiers=_identifiers(resource),
    )


def _action(resource: Mapping[str, Any]) -> Action | None:
    change = resource["change"]
    actions = tuple(change["actions"])
    if actions != ("no-op",):
        # An action that a later Terraform invents is shown as the strongest that we know.
        return ACTIONS.get(actions, Action.REPLACE)
    if change.get("importing"):
        return Action.IMPORT
    return Action.MOVE if resource.get("previous_address") else None


def _dangers(resource: Mapping[str, Any], action: Action, found: Mapping[str, Any]) -> Iterator[Danger]:
    """Yield the dangers; what Terraform *found* now wins, since of what it deletes it tells the recorded state."""
    before = {**(resource["change"].get("before") or {}), **found}
    if action not in (Action.DELETE, Action.REPLACE) or "deposed" in resource:
        return
    if resource["type"] in HOLDS_DATA or before.get("type") == "SecureString":
        yield Danger.DATA
    if resource["type"] == "aws_ecs_service" and before.get("desired_count") != 0:
        yield Danger.SERVING


def _identifiers(resource: Mapping[str, Any]) -> tuple[str, ...]:
    before = resource["change"].get("before") or {}
    if "deposed" in resource:
        return ()
    found = (before.get(attribute) for attribute in IDENTIFIERS.get(resource["type"], ()))
    return tuple(one for one in found if isinstance(one, str) and one)


def _drift(resource: Mapping[str, Any], written: Mapping[Any, frozenset[str]]) -> Drift | None:
    """Return the drift in what somebody wrote; the rest is AWS filling in, or a deploy doing its work."""
    if resource["change"]["actions"] == ["delete"]:
        return Drift(address=resource["address"])
    ours = written.get(_key(resource), frozenset()) - DEPLOYS.get(resource["type"], frozenset())
    return _drifted(resource, ours)


def _deployed(resource: Mapping[str, Any]) -> Drift | None:
    """Return the changes in what deploys own."""
    if resource["change"]["actions"] == ["delete"]:
        return None
    return _drifted(resource, DEPLOYS.get(resource["type"], frozenset()))


def _drifted(resource: Mapping[str, Any], attributes: frozenset[str]) -> Drift | None:
    differences = tuple(one for one in _differences(resource["change"]) if _top(one.path) in attributes)
    return Drift(address=resource["address"], differences=differences) if differences else None


def _failed_checks(checks: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for check in checks:
        for instance in check.get("instances", ()):
            for problem in instance.get("problems", ()):
                yield f"{check['address']['to_display']}: {problem['message']}"


def _written(module: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[Any, frozenset[str]]]:
    """Yield for each resource of the configuration the attributes that it sets."""
    for resource in module.get("resources", ()):
        yield (path, resource["type"], resource["name"]), frozenset(resource.get("expressions", ()))
    for name, call in module.get("module_calls", {}).items():
        yield from _written(call.get("module", {}), (*path, name))


def _key(resource: Mapping[str, Any]) -> tuple[tuple[str, ...], str, str]:
    return tuple(MODULE.findall(resource.get("module_address", ""))), resource["type"], resource["name"]


def _worth_showing(
    resource: Mapping[str, Any], written: frozenset[str] | None, forces: tuple[str, ...]
) -> tuple[Difference, ...]:
    """Drop what only AWS computes: nobody wrote it, and it is unknown, or a replacement begins without it."""
    nothing = (Mark.UNKNOWN, Mark.ABSENT) if len(resource["change"]["actions"]) > 1 else (Mark.UNKNOWN,)
    found = [
        dataclasses.replace(one, forces=_below(one.path, forces))
        for one in _differences(resource["change"])
        if one.after not in nothing or written is None or _top(one.path) in written or _below(one.path, forces)
    ]
    return tuple(one for one in found if not _is_copied_tag(one, {other.path for other in found}))


def _is_copied_tag(difference: Difference, paths: set[str]) -> bool:
    """Whether it is in `tags_all` and in `tags` too."""
    return difference.path.startswith("tags_all") and difference.path.replace("tags_all", "tags", 1) in paths


def _below(path: str, places: tuple[str, ...]) -> bool:
    path = INDEX.sub("", path)
    return any(path == place or path.startswith(f"{place}.") for place in places)


def _top(path: str) -> str:
    return re.split(r"[.\[]", path, maxsplit=1)[0]


def _dotted(path: Sequence[str | int]) -> str:
    return ".".join(part for part in path if isinstance(part, str))


# --- values -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Sealed:
    """A value that is compared but never shown."""

    value: Any = field(repr=False)


def _differences(change: Mapping[str, Any], path: str = "") -> Iterator[Difference]:
    before = _sealed(change.get("before"), change.get("before_sensitive"))
    after = _completed(change.get("after"), change.get("after_unknown"))
    return _walk(path, before, _sealed(after, change.get("after_sensitive")), in_document=False)


def _sealed(value: Any, marks: Any) -> Any:
    """Return *value* with everything sealed that *marks*, a structure of the same shape, marks as true."""
    if marks is True:
        return value if value is None else _Sealed(value)
    if isinstance(value, dict) and isinstance(marks, dict):
        return {key: _sealed(one, marks.get(key)) for key, one in value.items()}
    if isinstance(value, list) and isinstance(marks, list):
        marks = [*marks, *[None] * (len(value) - len(marks))]
        return [_sealed(one, mark) for one, mark in zip(value, marks, strict=False)]
    return value


def _completed(value: Any, unknown: Any) -> Any:
    """Return *value* with `Mark.UNKNOWN` where *unknown*, a structure of the same shape, says so."""
    if unknown is True:
        return Mark.UNKNOWN
    if isinstance(unknown, dict) and unknown:
        known = value if isinstance(value, dict) else {}
        return known | {key: _completed(known.get(key), one) for key, one in unknown.items() if one is not False}
    if isinstance(unknown, list) and unknown:
        known_items = value if isinstance(value, list) else []
        padded = [*known_items, *[None] * (len(unknown) - len(known_items))]
        return [_completed(one, mark) for one, mark in zip(padded, [*unknown, *[None] * len(padded)], strict=False)]
    return value


def _walk(path: str, before: Any, after: Any, *, in_document: bool) -> Iterator[Difference]:
    if isinstance(before, _Sealed) or isinstance(after, _Sealed):
        yield from _sealed_difference(path, before, after)
        return
    if not in_document:
        before, after = _decoded(before), _decoded(after)
        in_document = isinstance(before, _Document) or isinstance(after, _Document)
        before, after = (one.value if isinstance(one, _Document) else one for one in (before, after))
    before, after = _keyed(before), _keyed(after)
    empty: tuple[Any, ...] = ([],) if in_document else ([], None, "")
    before, after = ({} if one in empty and isinstance(two, dict) else one for one, two in _both_ways(before, after))
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted({**before, **after}):
            below = f"{path}.{key}" if path else key
            yield from _walk(below, before.get(key), after.get(key), in_document=in_document)
    elif _are_blocks(before) and _are_blocks(after):
        yield from _block_differences(path, before, after, in_document=in_document)
    elif not _same(path, before, after, in_document=in_document):
        yield Difference(path=path, before=_bare(before), after=_bare(after))


def _both_ways(before: Any, after: Any) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    return (before, after), (after, before)


def _sealed_difference(path: str, before: Any, after: Any) -> Iterator[Difference]:
    before, after = _unsealed(before), _unsealed(after)
    if _normal(before) != _normal(after):
        marks = [
            Mark.ABSENT if one is None else Mark.UNKNOWN if one is Mark.UNKNOWN else Mark.SENSITIVE
            for one in (before, after)
        ]
        yield Difference(path=path, before=marks[0], after=marks[1])


def _block_differences(path: str, before: list[Any], after: list[Any], *, in_document: bool) -> Iterator[Difference]:
    """Compare two lists of blocks: those that are in both are left out, the others paired if they can be."""
    gone = [(number, one) for number, one in enumerate(before) if one not in after]
    new = [one for one in after if one not in before]
    if len(gone) != len(new):
        yield from (Difference(path=f"{path}[{number}]", before=_bare(one), after=Mark.ABSENT) for number, one in gone)
        yield from (Difference(path=f"{path}[+]", before=Mark.ABSENT, after=_bare(one)) for one in new)
        return
    for (number, old), one in zip(gone, new, strict=True):
        below = path if len(before) == 1 else f"{path}[{number}]"
        yield from _walk(below, old, one, in_document=in_document)


@dataclass(frozen=True, slots=True)
class _Document:
    """What a JSON string says."""

    value: Any


def _decoded(value: Any) -> Any:
    if not isinstance(value, str) or not value.lstrip().startswith(("{", "[")):
        return value
    try:
        return _Document(json.loads(value))
    except ValueError:
        return value


def _keyed(value: Any) -> Any:
    """Return a list of things with different names as a mapping; `[{name, value}]` as plain keys."""
    if not _are_blocks(value) or not value:
        return value
    for name in ("name", "Sid"):
        names = [one.get(name) for one in value]
        if all(isinstance(one, str) for one in names) and len(set(names)) == len(names):
            return {one[name]: _rest(one, name) for one in value}
    return value


def _rest(block: Mapping[str, Any], name: str) -> Any:
    rest = {key: value for key, value in block.items() if key != name}
    return next(iter(rest.values())) if list(rest) in (["value"], ["valueFrom"]) else rest


def _are_blocks(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, dict) for one in value)


def _same(path: str, before: Any, after: Any, *, in_document: bool) -> bool:
    """Whether the two mean the same: AWS answers null, "", [] and {} as it likes, and fills in defaults."""
    nothing: tuple[Any, ...] = (None, [], {}) if in_document else (None, "", [], {})
    if before == after or (before in nothing and after in nothing):
        return True
    default = CONTAINER_DEFAULTS.get(path.rpartition(".")[2]) if in_document else None
    return default is not None and default in (before, after) and None in (before, after)


def _unsealed(value: Any) -> Any:
    if isinstance(value, _Sealed):
        return _unsealed(value.value)
    if isinstance(value, dict):
        return {key: _unsealed(one) for key, one in value.items()}
    return [_unsealed(one) for one in value] if isinstance(value, list) else value


def _normal(value: Any) -> Any:
    decoded = _decoded(value)
    return decoded.value if isinstance(decoded, _Document) else decoded


def _bare(value: Any) -> Any:
    """Return *value* with marks for what is sealed in it; nothing at all is `Mark.ABSENT`."""
    if value is None:
        return Mark.ABSENT
    if isinstance(value, _Sealed):
        return Mark.SENSITIVE
    if isinstance(value, dict):
        return {key: _bare(one) for key, one in value.items() if one is not None}
    return [_bare(one) for one in value] if isinstance(value, list) else value
