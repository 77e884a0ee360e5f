"""The files of CI systems: as golden files, as their own schemas want them, and written only when they differ."""

from __future__ import annotations

import functools
import importlib.resources
import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from deploylib import ci
from deploylib.ci import writing
from deploylib.errors import ConfigError, OutdatedError
from tests.ci import shop

if TYPE_CHECKING:
    from collections.abc import Iterator

GOLDEN = Path(__file__).parent / "golden"
SCHEMAS = {"github": "github-workflows", "gitlab": "gitlab-ci", "circleci": "circle-ci"}
STARRED = """
[app]
name = "shop"
path = "app"
[branches]
"**" = "stg"
release = "prd"
[images]
platform = "linux/arm64"
[images.roles.web]
dockerfile = "Dockerfile"
[dependencies.queue]
image = "rabbitmq:3"
command = ["rabbitmq-server", "--quiet"]
provides = { QUEUE_URL = "amqp://queue:5672" }
[ci.test]
image = "ruby:3.3"
commands = [
  "cat <<END", "bundle exec rspec --format 'RspecJunitFormatter' # all of them",
  "true: yes", "true", ".5", "~/bin/check", "- x",
]
needs = ["queue"]
[terraform]
architecture = "ARM64"
"""
CONFIGURATIONS = {
    "whole": shop.COMMON + shop.TESTED,
    "untested": shop.COMMON,
    "starred": STARRED,
    "without services": shop.COMMON + '[ci.test]\nimage = "node:22"\ncommands = ["npm test"]\n',
}


class Loader(yaml.SafeLoader):
    """YAML as CI systems read it: `on` is a word."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, found) for tag, found in known if tag != "tag:yaml.org,2002:bool" or first in "tTfF"]
    for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def load(text: str) -> Any:
    return yaml.load(text, Loader=Loader)  # noqa: S506  # it is a safe one


def rendered(root: Path, provider: str, configuration: str = "whole") -> str:
    return ci.render(ci.pipeline(shop.environments(root, common=CONFIGURATIONS[configuration])), provider)


@functools.cache
def validator(provider: str) -> Any:
    """Return what judges *provider*'s file by SchemaStore's schema, as `check-jsonschema` carries it."""
    folder = importlib.resources.files("check_jsonschema") / "builtin_schemas/vendor"
    wanted = json.loads((folder / f"{SCHEMAS[provider]}.json").read_text(encoding="utf-8"))
    return jsonschema.validators.validator_for(wanted)(wanted)


def scripts(found: Any) -> Iterator[str]:
    """Yield everything in a file that bash is to run."""
    for key, one in found.items() if isinstance(found, dict) else enumerate(found):
        if key in {"run", "command"} and isinstance(one, str):
            yield one
        elif key in {"script", "before_script", "after_script", "commands", "finally"} and isinstance(one, list):
            yield from one
        elif isinstance(one, dict | list):
            yield from scripts(one)


@pytest.mark.parametrize("provider", ci.PROVIDERS)
def test_the_whole_file_is_the_golden_one(provider: str, tmp_path: Path) -> None:
    assert rendered(tmp_path, provider) == (GOLDEN / f"{provider}.yml").read_text(encoding="utf-8")


@pytest.mark.parametrize("provider", ci.PROVIDERS)
def test_the_same_configuration_gives_the_same_file(provider: str, tmp_path: Path) -> None:
    assert rendered(tmp_path, provider) == rendered(tmp_path, provider)


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
@pytest.mark.parametrize("provider", SCHEMAS)
def test_the_file_is_what_the_provider_s_schema_wants(provider: str, configuration: str, tmp_path: Path) -> None:
    validator(provider).validate(load(rendered(tmp_path, provider, configuration)))


@pytest.mark.parametrize("provider", SCHEMAS)
def test_the_schema_would_find_a_mistake(provider: str, tmp_path: Path) -> None:
    found = load(rendered(tmp_path, provider))
    jobs = found if provider == "gitlab" else found["jobs"]
    jobs["deploy-stg"]["steps" if provider != "gitlab" else "script"] = 7
    assert not validator(provider).is_valid(found)


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
@pytest.mark.parametrize("provider", ci.PROVIDERS)
def test_every_script_is_bash(provider: str, configuration: str, tmp_path: Path) -> None:
    found = list(scripts(load(rendered(tmp_path, provider, configuration))))
    assert any("inv deploy --env auto --yes" in one for one in found)
    for script in found:
        subprocess.run(["bash", "-n"], input=script.replace("\\<<", "<<"), text=True, check=True, capture_output=True)


BUILDSPEC: dict[str, Any] = {  # of the reference of version 0.2, what we use
    "version": {},
    "env": dict.fromkeys(("shell", "git-credential-helper", "variables")),
    "phases": {
        phase: dict.fromkeys(("on-failure", "runtime-versions", "commands", "finally"))
        for phase in ("install", "pre_build", "build", "post_build")
    },
    "reports": None,
    "artifacts": dict.fromkeys(("files", "base-directory")),
    "cache": dict.fromkeys(("paths", "key")),
}


def strangers(found: Any, known: Any, path: str = "") -> list[str]:
    if not isinstance(known, dict) or not isinstance(found, dict):
        return []
    own = [f"{path}{key}" for key in found if known and key not in known]
    return own + [one for key, value in found.items() for one in strangers(value, known.get(key), f"{path}{key}.")]


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_a_buildspec_has_the_keys_of_the_reference_and_commands_that_are_texts(
    configuration: str, tmp_path: Path
) -> None:
    found = load(rendered(tmp_path, "codebuild", configuration))
    assert strangers(found, BUILDSPEC) == []
    phases = found["phases"].values()
    assert all(isinstance(one, str) for phase in phases for one in (*phase["commands"], *phase.get("finally", ())))


def test_a_service_is_started_with_its_command(tmp_path: Path) -> None:
    services = load(rendered(tmp_path, "github", "starred"))["jobs"]["test"]["services"]
    assert services["queue"]["command"] == "rabbitmq-server --quiet"
    job = load(rendered(tmp_path, "gitlab", "starred"))[".beside-services"]
    assert job["services"][0]["command"] == ["rabbitmq-server", "--quiet"]
    assert "rabbitmq:3 rabbitmq-server --quiet" in rendered(tmp_path, "codebuild", "starred")


def test_what_circleci_would_take_for_a_parameter_is_told_apart(tmp_path: Path) -> None:
    steps = load(rendered(tmp_path, "circleci", "starred"))["jobs"]["test"]["steps"]
    assert "cat \\<<END\n" in steps[2]["run"]["command"]


def test_another_branch_s_pattern_is_left_out(tmp_path: Path) -> None:
    rules = load(rendered(tmp_path, "gitlab", "starred"))["deploy-stg"]["rules"]
    assert rules == [
        {"if": '$CI_COMMIT_BRANCH == "release"', "when": "never"},
        {"if": "$CI_COMMIT_BRANCH =~ /^.*$/"},
    ]
    jobs = load(rendered(tmp_path, "circleci", "starred"))["workflows"]["shop"]["jobs"]
    filters = next(one["deploy-stg"]["filters"] for one in jobs if "deploy-stg" in one)
    assert filters == {"branches": {"only": ["/.*/"], "ignore": ["release"]}}


def test_a_provider_that_there_is_not_is_told_with_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no CI system 'jenkins'; there are circleci, gitlab, github, codebuild"):
        rendered(tmp_path, "jenkins")
    with pytest.raises(ConfigError, match="which CI system"):
        rendered(tmp_path, "")


def test_a_file_is_written_once_and_checked(tmp_path: Path) -> None:
    file = tmp_path / ".github/workflows/deploy.yml"
    with pytest.raises(OutdatedError, match="is not there") as refused:
        ci.check(file, "one\n", command="inv ci.render --provider github")
    assert refused.value.hint == "inv ci.render --provider github"
    assert ci.write(file, "one\n")
    assert not ci.write(file, "one\n")
    ci.check(file, "one\n", command="")
    with pytest.raises(OutdatedError, match="is out of date"):
        ci.check(file, "two\n", command="")


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_a_scalar_is_read_as_the_text_that_it_stands_for(value: str) -> None:
    assert load(f"key: {writing.scalar(value)}\n") == {"key": value}
    assert load(f"- {writing.text(value)}\n") == [value]


@given(st.lists(st.one_of(st.text(" a#:-~'\"", max_size=6), st.text(st.characters(categories=["L", "N", "P", "S"])))))
def test_lines_are_read_as_the_script_that_they_are(lines: list[str]) -> None:
    (found,) = load(f"- {writing.block(lines, 2)}\n")
    assert (found or "").strip() == "\n".join(lines).strip()
