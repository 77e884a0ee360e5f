"""Dockerfiles as Jinja2 templates: every name that is used has to be known, and a mistake says its line."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import jinja2

from deploylib.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SUFFIX = ".j2"

_TEMPLATES = jinja2.Environment(
    undefined=jinja2.StrictUndefined,
    keep_trailing_newline=True,
    autoescape=False,  # noqa: S701  # a Dockerfile is no HTML
)


class Settings(SimpleNamespace):
    """The values of `images.settings`, as `settings.NAME`; unlike a dict it has no names of its own."""


def render(path: Path, names: Mapping[str, object], *, withheld: Mapping[str, str] | None = None) -> str:
    """Return the Dockerfile *path* with *names* filled in, or as it is when its name does not end in `.j2`.

    (`{{`, `{%` and `{#` mean something in a shell.) Raises `ConfigError` with file and line for a syntax error or an
    unknown name; for one that is *withheld* with its hint.
    """
    text = _text(path)
    if path.suffix != SUFFIX:
        return text
    try:
        return _TEMPLATES.from_string(text).render(names)
    except jinja2.TemplateSyntaxError as error:
        raise ConfigError(f"{path}:{error.lineno}: {error.message}") from error
    except (jinja2.TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:  # any expression's
        hints = (hint for name, hint in (withheld or {}).items() if str(error) == f"'{name}' is undefined")
        raise ConfigError(f"{path}:{_line(error)}: {_words(error)}", hint=next(hints, _known(names))) from error


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigError(f"no Dockerfile {path}", hint="create it, or correct images in environments/") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error


def _words(error: Exception) -> str:
    return str(error).replace(f"'{Settings.__module__}.{Settings.__name__} object'", "'settings'")


def _known(names: Mapping[str, object]) -> str:
    """Return what a template may use; settings one by one."""
    known = [
        name
        for key, value in names.items()
        for name in ([f"{key}.{one}" for one in vars(value)] if isinstance(value, Settings) else [key])
    ]
    return f"known here: {', '.join(known)}" if known else "this Dockerfile is rendered without any name"


def _line(error: Exception) -> int:
    """Return the line of the template: Jinja2 puts the template's own lines into the traceback."""
    line, frame = 0, error.__traceback__
    while frame is not None:
        if frame.tb_frame.f_code.co_filename == "<template>":
            line = frame.tb_lineno
        frame = frame.tb_next
    return line
