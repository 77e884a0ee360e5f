from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from pydantic import TypeAdapter

from deploylib import config
from deploylib.config import Environment
from deploylib.development import compose
from deploylib.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

PROJECT = Path(__file__).parents[2]
GOLDEN = Path(__file__).parent / "golden/guestbook.yaml"
IMAGES = {"base": f"111111111111.dkr.ecr.ap-northeast-1.amazonaws.com/guestbook@sha256:{'0' * 64}", "web": "web@sha256"}
ROOT = Path("/project")
SHARED = """
[app]
name = "guestbook"
path = "app"
[account]
id = "111111111111"
region = "ap-northeast-1"
[images.base]
dockerfile = "Dockerfile"
[images.roles.web]
dockerfile = "Dockerfile"
[dependencies.database]
image = "postgres:15"
provides = { DB_HOST = "database", LEVEL = "provided" }
health_check = ["pg_isready"]
timeout_seconds = 30
volume = "/data"
[dependencies.cache]
image = "redis:7"
provides = { REDIS_URL = "redis://cache" }
[development.containers.web]
"""
MIGRATION = """
[migration]
service = "web"
container = "app"
command = ["migrate"]
"""


def environment(text: str = "") -> Environment:
    values = {**tomllib.loads(SHARED + text), "name": "stg", "root": ROOT}
    return TypeAdapter(Environment).validate_python(values)


def document(text: str = "", *, folder: Path = ROOT, images: Mapping[str, str] = IMAGES) -> dict[str, Any]:
    return compose.document(environment(text), images, folder)


def web(text: str = "", **options: Any) -> Any:
    return document(text, **options)["services"]["web"]


def test_compose_file_of_the_example() -> None:
    example = config.load(PROJECT, "stg", variables={})
    assert compose.text(example, IMAGES, PROJECT) == GOLDEN.read_text()


def test_text_is_the_document() -> None:
    example = environment('needs = ["database"]\ncommand = ["sh", "-c", "date"]\nport = 22\npublished = 22')
    assert yaml.safe_load(compose.text(example, IMAGES, ROOT)) == compose.document(example, IMAGES, ROOT)


@pytest.mark.parametrize("value", ["on", "no", "1e3", "010", "22:22", "", "null", "a: b", "# c", "ä\t"])
def test_what_yaml_might_take_for_something_else_stays_a_text(value: str) -> None:
    text = compose.text(environment(f'environment = {{ X = "{value}" }}'), IMAGES, ROOT)
    assert yaml.safe_load(text)["services"]["web"]["environment"] == {"X": value}
    assert f'X: "{value}"' in text or value == "ä\t"


def test_a_dollar_is_one_to_the_container_too() -> None:
    text = compose.text(environment('environment = { X = "a$b${c}" }'), IMAGES, ROOT)
    assert 'X: "a$$b$${c}"' in text


def test_a_container_starts_from_the_base_or_from_its_roles_image() -> None:
    assert web()["image"] == IMAGES["base"]
    assert web('role = "web"')["image"] == IMAGES["web"]
    assert compose.roles(environment('role = "web"\n[development.containers.job]')) == ("base", "web")


def test_only_this_machine_reaches_a_published_port() -> None:
    text = "port = 80\npublished = 8080"
    assert web(text)["ports"] == ["127.0.0.1:8080:80"]
    assert compose.published(environment(text)) == {"web": 8080}


def test_a_port_that_is_not_published_is_nobodys() -> None:
    assert "ports" not in web("port = 80")


def test_ports_of_a_container_beside_another_are_published_by_that_one() -> None:
    services = document('[development.containers.nginx]\nbeside = "web"\nport = 80\npublished = 8080')["services"]
    assert services["nginx"]["network_mode"] == "service:web"
    assert "ports" not in services["nginx"]
    assert services["web"]["ports"] == ["127.0.0.1:8080:80"]


def test_who_needs_a_dependency_waits_for_its_health_and_gets_its_variables() -> None:
    found = web('needs = ["database", "cache"]\nenvironment = { LEVEL = "own" }')
    assert found["depends_on"] == {
        "database": {"condition": "service_healthy"},
        "cache": {"condition": "service_started"},  # it has no health check
    }
    assert found["environment"] == {"DB_HOST": "database", "REDIS_URL": "redis://cache", "LEVEL": "own"}


def test_what_nobody_needs_is_not_started() -> None:
    found = document('needs = ["cache"]')
    assert set(found["services"]) == {"web", "cache"}
    assert "volumes" not in found


def test_a_volume_is_named_like_its_dependency() -> None:
    found = document('needs = ["database"]')
    assert found["volumes"] == {"database": {}}
    assert found["services"]["database"]["volumes"] == [{"type": "volume", "source": "database", "target": "/data"}]


def test_a_health_check_gives_up_after_the_dependencys_time() -> None:
    found = document('needs = ["database"]')["services"]["database"]["healthcheck"]
    assert found == {"test": ["CMD", "pg_isready"], "interval": "2s", "timeout": "5s", "retries": 15}


def test_a_container_may_need_another() -> None:
    services = document('health_check = ["true"]\n[development.containers.job]\nneeds = ["web"]')["services"]
    assert services["job"]["depends_on"] == {"web": {"condition": "service_healthy"}}
    assert "environment" not in services["job"]


def test_the_migration_runs_once_before_who_needs_a_dependency() -> None:
    services = document(
        'needs = ["database"]\nmounts = { "." = "/srv" }\nuser = "app"\nport = 1\npublished = 1\n'
        f"[development.containers.nginx]\n{MIGRATION}"
    )["services"]
    assert services["migration"]["command"] == ["migrate"]
    assert services["migration"]["depends_on"] == {"database": {"condition": "service_healthy"}}
    for key in ("image", "user", "environment", "volumes"):
        assert services["migration"][key] == services["web"][key]
    assert not {"ports", "healthcheck"} & set(services["migration"])
    assert services["web"]["depends_on"]["migration"] == {"condition": "service_completed_successfully"}
    assert "depends_on" not in services["nginx"]


def test_without_migrate_nothing_migrates() -> None:
    values = tomllib.loads(SHARED + 'needs = ["database"]' + MIGRATION)
    values["development"]["migrate"] = False
    example = TypeAdapter(Environment).validate_python({**values, "name": "stg", "root": ROOT})
    assert set(compose.document(example, IMAGES, ROOT)["services"]) == {"database", "web"}


@pytest.mark.parametrize(
    ("folder", "source", "env_file"),
    [("/project", "./app/src", "./.env"), ("/project/.cache/x", "../../app/src", "../../.env")],
)
def test_paths_are_as_seen_from_the_compose_file(folder: str, source: str, env_file: str) -> None:
    found = web('mounts = { src = "/srv/src:ro" }', folder=Path(folder))
    assert found["volumes"] == [{"type": "bind", "source": source, "target": "/srv/src", "read_only": True}]
    assert found["env_file"] == [env_file]


def test_a_mount_is_written_to_unless_it_says_otherwise() -> None:
    assert "read_only" not in web('mounts = { "." = "/srv" }')["volumes"][0]


def test_without_a_development_environment_the_next_step_is_told() -> None:
    example = TypeAdapter(Environment).validate_python(
        {**tomllib.loads(SHARED.replace("[development.containers.web]", "")), "name": "stg", "root": ROOT}
    )
    with pytest.raises(ConfigError, match="no development environment") as refused:
        compose.document(example, IMAGES, ROOT)
    assert "docs/development.md" in refused.value.hint


def test_without_a_base_image_a_container_has_to_name_its_role() -> None:
    values = tomllib.loads(SHARED)
    del values["images"]["base"]
    example = TypeAdapter(Environment).validate_python({**values, "name": "stg", "root": ROOT})
    with pytest.raises(ConfigError, match="this app has none") as refused:
        compose.document(example, IMAGES, ROOT)
    assert "role" in refused.value.hint
