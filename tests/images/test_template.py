from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deploylib.errors import ConfigError
from deploylib.images.template import Settings, render

if TYPE_CHECKING:
    from pathlib import Path

NAMES = {"role": "web", "base_image": "base"}


def test_a_template_is_rendered_and_keeps_its_last_newline(tmp_path: Path) -> None:
    path = tmp_path / "Dockerfile.j2"
    path.write_text("FROM {{ base_image }}\n{% if role == 'web' %}EXPOSE 80\n{% endif %}\n")
    assert render(path, NAMES) == "FROM base\nEXPOSE 80\n\n"


def test_a_dockerfile_that_is_no_template_keeps_its_braces(tmp_path: Path) -> None:
    path = tmp_path / "Dockerfile"
    path.write_text("RUN docker inspect --format '{{.Id}}' && echo ${#PATH} {% x\n")
    assert render(path, NAMES) == path.read_text()


def test_an_unknown_name_is_refused_with_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "Dockerfile.j2"
    path.write_text("FROM x\n\nRUN {{ rolle }}\n")
    with pytest.raises(ConfigError) as caught:
        render(path, NAMES)
    assert str(caught.value) == f"{path}:3: 'rolle' is undefined"
    assert caught.value.hint == "known here: role, base_image"


def test_a_syntax_error_is_refused_with_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "Dockerfile.j2"
    path.write_text("FROM x\n{% if role %}\nRUN a\n{% endfor %}\n")
    with pytest.raises(ConfigError, match=r"Dockerfile\.j2:4: .*endfor"):
        render(path, NAMES)


def test_an_error_inside_of_a_macro_names_the_line_of_the_macro(tmp_path: Path) -> None:
    path = tmp_path / "Dockerfile.j2"
    path.write_text("{% macro m() %}\nRUN {{ nothing }}\n{% endmacro %}\n\n{{ m() }}\n")
    with pytest.raises(ConfigError, match=r"Dockerfile\.j2:2: 'nothing' is undefined"):
        render(path, {})


def test_a_template_that_fails_in_python_is_refused_too(tmp_path: Path) -> None:
    path = tmp_path / "Dockerfile.j2"
    path.write_text("FROM x\nRUN {{ role + 1 }}\n")
    with pytest.raises(ConfigError, match=r"Dockerfile\.j2:2: can only concatenate"):
        render(path, NAMES)


def test_a_missing_dockerfile_and_one_that_is_no_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no Dockerfile"):
        render(tmp_path / "Dockerfile", NAMES)
    (tmp_path / "Dockerfile").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="Dockerfile: 'utf-8' codec"):
        render(tmp_path / "Dockerfile", NAMES)


def test_settings_are_known_by_their_names_and_an_unknown_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "Dockerfile.j2"
    path.write_text("{% for one in settings.packages %}{{ one }} {% endfor %}{{ settings.items }}\n")
    given = Settings(packages=("nginx", "redis"), items=3)  # no name of a dict is in the way
    assert render(path, {"settings": given}) == "nginx redis 3\n"
    path.write_text("{{ settings.workers }}\n")
    with pytest.raises(ConfigError) as caught:
        render(path, {"role": "web", "settings": given})
    assert str(caught.value) == f"{path}:1: 'settings' has no attribute 'workers'"
    assert caught.value.hint == "known here: role, settings.packages, settings.items"


def test_a_name_that_is_withheld_is_refused_with_its_own_hint(tmp_path: Path) -> None:
    path = tmp_path / "Dockerfile.j2"
    path.write_text("FROM x\nENV WHERE={{ environment }}\n")
    with pytest.raises(ConfigError, match=r":2: 'environment' is undefined") as caught:
        render(path, NAMES, withheld={"environment": "set the flag"})
    assert caught.value.hint == "set the flag"
