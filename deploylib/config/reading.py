"""The environments: `environments/common.toml` with one environment's own file laid over it, validated once.

Unknown keys are errors; every mistake is reported at once, each with its file and key.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from deploylib import tag_templates
from deploylib.config.checks import branching, contradictions, promotion
from deploylib.config.files import COMMON, DIRECTORY, Mistake, file_name, flat, laid_over, names, origin, table_at, toml
from deploylib.config.schema import WORDS, Branches, Environment
from deploylib.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

VARIABLE = "DEPLOY_ENV"


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


def branches(root: Path) -> Mapping[str, str]:
    """Return `[branches]`, which is read before it is known which environment is meant.

    Raises `ConfigError` with every mistake in it.
    """
    common, wrong = toml(root, COMMON)
    table = common.get("branches", {})
    found: list[tuple[tuple[str, ...], str]] = []
    try:
        TypeAdapter(Branches).validate_python(table)
    except ValidationError as error:
        found += [(("branches", *_path(one["loc"])), _problem(one)) for one in error.errors()]
    found += branching(root, "", {}, common)
    mistakes = [Mistake(file=file_name(COMMON), key=".".join(path), problem=problem) for path, problem in found]
    if wrong or mistakes:
        raise _refusal((*wrong, *mistakes))
    return dict(table)


def origins(root: Path, name: str) -> dict[str, tuple[Any, str]]:
    """Return each configured key (dotted) with its value and the file that it is from."""
    own, common = (flat(toml(root, stem)[0]) for stem in (_known(root, name), COMMON))
    return {
        key: (own.get(key, common.get(key)), file_name(name if key in own else COMMON))
        for key in sorted({**common, **own})
    }


def _chosen(root: Path, name: str) -> str:
    existing = names(root)
    if not existing:
        raise ConfigError(f"no environment in {DIRECTORY}/", hint=f"write {DIRECTORY}/local.toml")
    if name:
        return _known(root, name)
    defaults = [one for one in existing if toml(root, one)[0].get("default") is True] or list(existing)
    if len(defaults) == 1:
        return defaults[0]
    if unread := [mistake for one in existing for mistake in toml(root, one)[1]]:
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
    own, own_mistakes = toml(root, name)
    common, common_mistakes = toml(root, COMMON)
    if own_mistakes or common_mistakes:
        return None, (*common_mistakes, *own_mistakes)
    merged = laid_over(common, own)

    def mistake(path: tuple[str, ...], problem: str) -> Mistake:
        return Mistake(
            file=file_name(origin(path, own=own, common=common, name=name)), key=".".join(path), problem=problem
        )

    environment, wrong = None, []
    try:
        environment = TypeAdapter(Environment).validate_python({**merged, "name": name, "root": root})
    except ValidationError as error:
        wrong = [mistake(_path(one["loc"]), _problem(one)) for one in error.errors()]
    wrong += [mistake(path, problem) for path, problem in contradictions(root, merged)]
    wrong += [mistake(path, problem) for path, problem in promotion(root, name, merged)]
    wrong += [mistake(path, problem) for path, problem in branching(root, name, own, common)]
    wrong += [mistake(path, problem) for path, problem in tag_templates.problems(table_at(merged, "images"), name)]
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


def _refusal(mistakes: tuple[Mistake, ...]) -> ConfigError:
    count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
    lines = "\n".join(f"  {mistake}" for mistake in mistakes)
    return ConfigError(f"{count} in the configuration\n{lines}", hint="correct the file, then inv env.validate")
