"""The files of CI systems: as golden files, as their own schemas want them, and written only when they differ."""

from __future__ import annotations

import functools
import importlib.resources
import json
import re
import subprocess
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from deploylib import ci, generated
from deploylib.ci import writing
from deploylib.errors import ConfigError
from tests.ci import shop

if TYPE_CHECKING:
    from collections.abc import Iterator

GOLDEN = Path(__file__).parent / "golden"
PROGRAMS = Path(sysconfig.get_path("scripts"))
SHELLCHECK = PROGRAMS / "shellcheck"
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


def shellchecked(script: str) -> str:
    """Return what ShellCheck says of *script*, but where a text for another shell is quoted.

    It says nothing on machines that its package has no program for: Linux on ARM.
    """
    words = [str(SHELLCHECK), "--shell=bash", "--exclude=SC2016", "-"]
    if not SHELLCHECK.exists():
        return ""
    return subprocess.run(words, input=script, text=True, capture_output=True, check=False).stdout


def zizmor(root: Path, text: str) -> list[str]:
    """Return the names of what zizmor, which is asked nothing but this file, finds in a workflow."""
    file = root / ".github/workflows/deploy.yml"
    generated.write(file, text)
    words = [str(PROGRAMS / "zizmor"), "--offline", "--quiet", "--no-config", "--no-exit-codes", "--format=json"]
    done = subprocess.run([*words, str(file)], capture_output=True, text=True, check=True)
    return [one["ident"] for one in json.loads(done.stdout)]


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


@pytest.mark.parametrize(
    "configuration", [one for one in CONFIGURATIONS if one != "starred"]
)  # it has what nobody runs
@pytest.mark.parametrize("provider", ci.PROVIDERS)
def test_shellcheck_finds_nothing_in_the_scripts(provider: str, configuration: str, tmp_path: Path) -> None:
    complaints = [shellchecked(one) for one in scripts(load(rendered(tmp_path, provider, configuration)))]
    assert set(complaints) == {""}


def test_shellcheck_would_find_a_mistake() -> None:
    assert ("SC2086" in shellchecked("rm -r $where")) == SHELLCHECK.exists()


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_zizmor_finds_nothing_unsafe_in_the_workflow(configuration: str, tmp_path: Path) -> None:
    assert zizmor(tmp_path, rendered(tmp_path, "github", configuration)) == []


def test_zizmor_would_find_what_is_unsafe(tmp_path: Path) -> None:
    unsafe = rendered(tmp_path, "github").replace("persist-credentials: false", "lfs: false")
    assert set(zizmor(tmp_path, re.sub(r"@[0-9a-f]{40} # v", "@v", unsafe))) == {"artipacked", "unpinned-uses"}


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


def deploys(found: Any, provider: str) -> dict[str, Any]:
    """Return the deploy jobs of a file by environment; those of CircleCI as the workflow calls them."""
    if provider == "circleci":
        (workflow,) = found["workflows"].values()
        jobs = {name: call for one in workflow["jobs"] if isinstance(one, dict) for name, call in one.items()}
    else:
        jobs = found.get("jobs", found)
    return {name.removeprefix("deploy-"): job for name, job in jobs.items() if name.startswith("deploy-")}


@pytest.mark.parametrize(
    ("provider", "key"), [("github", "concurrency"), ("gitlab", "resource_group"), ("circleci", "serial-group")]
)
def test_deploys_to_one_environment_wait_for_each_other_and_for_no_other(
    provider: str, key: str, tmp_path: Path
) -> None:
    found = deploys(load(rendered(tmp_path, provider)), provider)
    groups = {name: job[key]["group"] if provider == "github" else job[key] for name, job in found.items()}
    assert list(groups) == ["stg", "prd"]
    assert all(group.endswith(f"deploy-{name}") for name, group in groups.items())


def test_a_job_on_github_may_do_nothing_but_read_and_a_deploy_ask_for_its_token(tmp_path: Path) -> None:
    found = load(rendered(tmp_path, "github"))
    assert found["permissions"] == {"contents": "read"}
    permissions = {name: job["permissions"] for name, job in found["jobs"].items() if "permissions" in job}
    assert permissions == {key: {"contents": "read", "id-token": "write"} for key in ("deploy-stg", "deploy-prd")}


def test_a_newer_push_to_github_ends_tests_and_never_a_deploy(tmp_path: Path) -> None:
    jobs = load(rendered(tmp_path, "github"))["jobs"]
    ended = {name: job["concurrency"]["cancel-in-progress"] for name, job in jobs.items() if "concurrency" in job}
    assert ended == {"test": True, "merge-test": True, "deploy-stg": False, "deploy-prd": False}


def test_values_that_a_system_would_fill_in_are_told_apart(tmp_path: Path) -> None:
    hostile = 'PRICE = "5$ ${HOME} ${{ github.actor }} <<one>>"'
    text = CONFIGURATIONS["whole"].replace('GREETING = "Hello: you"', hostile)
    made = ci.pipeline(shop.environments(tmp_path, common=text))
    said = {name: load(ci.render(made, name)) for name in ci.PROVIDERS}
    assert said["gitlab"][".beside-services"]["variables"]["PRICE"] == "5$$ $${HOME} $${{ github.actor }} <<one>>"
    assert said["github"]["jobs"]["test"]["env"]["PRICE"] == "5$ ${HOME} ${{ '${{' }} github.actor }} <<one>>"
    beside = said["circleci"]["executors"]["beside-services"]["docker"][0]
    assert beside["environment"]["PRICE"] == "5$ ${HOME} ${{ github.actor }} \\<<one>>"


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


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_a_scalar_is_read_as_the_text_that_it_stands_for(value: str) -> None:
    assert load(f"key: {writing.scalar(value)}\n") == {"key": value}
    assert load(f"- {writing.text(value)}\n") == [value]


@given(st.lists(st.one_of(st.text(" a#:-~'\"", max_size=6), st.text(st.characters(categories=["L", "N", "P", "S"])))))
def test_lines_are_read_as_the_script_that_they_are(lines: list[str]) -> None:
    (found,) = load(f"- {writing.block(lines, 2)}\n")
    assert (found or "").strip() == "\n".join(lines).strip()
