"""Where values come from: a .env file, variables of this process, an environment file in S3, one value from a stream.

Nothing is taken from the command line, where every user of the machine can read it. And nothing surprising happens to
a value: `${…}` stays as it is, and of a name that is given twice with different values neither is believed.
"""

from __future__ import annotations

import io
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TextIO
from urllib.parse import urlsplit

from dotenv.parser import parse_stream

from deploylib.errors import AwsError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from types_boto3_s3.client import S3Client

STANDARD_INPUT = "-"
LONGEST_FILE = 1024 * 1024
GONE = frozenset({"NoSuchKey", "NoSuchBucket", "404"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A setting as somebody gives it; *place* says where it stands: `line 12`, `$STG_GREETING`."""

    name: str
    value: str = field(repr=False)
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where to import from: just one of a file (`-`: standard input), a prefix, a suffix, an object in S3."""

    file: str = ""
    prefix: str = ""
    suffix: str = ""
    s3: str = ""

    def __str__(self) -> str:
        parts = (self.file, self.prefix and f"${self.prefix}…", self.suffix and f"$…{self.suffix}", self.s3)
        return next((part for part in parts if part), "")


def check(source: Source) -> Source:
    """Return *source* if it says one place; raise `ConfigError` otherwise."""
    if sum(map(bool, (source.file, source.prefix, source.suffix, source.s3))) == 1:
        return source
    hint = "--file .env, --prefix STG_, --suffix _PRODUCTION or --s3 s3://BUCKET/KEY"
    raise ConfigError("an import has one source", hint=hint)


def read(
    source: Source, s3: Callable[[], S3Client], *, stdin: TextIO, variables: Mapping[str, str] = os.environ
) -> tuple[Given, ...]:
    """Return what *source* gives, in its order, each name once; *s3* is asked for when it is needed.

    Raises `ConfigError` with every mistake at once, none with a value in it.
    """
    if source.prefix or source.suffix:
        return of_process(variables, prefix=source.prefix, suffix=source.suffix)
    if source.s3:
        return environment_file(_object(s3(), source.s3), source.s3)
    return dotenv(_text(source.file, stdin), source.file)


def dotenv(text: str, file: str) -> tuple[Given, ...]:
    """Return what the .env file *file* with *text* gives."""
    found, mistakes = [], []
    for one in parse_stream(io.StringIO(text.removeprefix("\ufeff"))):
        if one.error or (one.key is not None and one.value is None):
            mistakes.append(f"line {one.original.line}: {f'{one.key} has no =' if one.key else 'is not NAME=VALUE'}")
        elif one.key is not None:
            found.append(Given(name=one.key, value=one.value or "", place=f"line {one.original.line}"))
    return _once(found, mistakes, file)


def environment_file(text: str, file: str) -> tuple[Given, ...]:
    """Return what an environment file of ECS gives: `NAME=VALUE` lines, where quotes are part of the value."""
    found, mistakes = [], []
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), start=1):
        name, separator, value = line.partition("=")
        if not line.strip() or line.startswith("#"):
            continue
        if separator and name:
            found.append(Given(name=name, value=value, place=f"line {number}"))
        else:
            mistakes.append(f"line {number}: is not NAME=VALUE")
    return _once(found, mistakes, file)


def of_process(variables: Mapping[str, str], *, prefix: str = "", suffix: str = "") -> tuple[Given, ...]:
    """Return the variables whose name starts with *prefix* or ends with *suffix*, without it, sorted."""
    found = [
        Given(name=name, value=value, place=f"${variable}")
        for variable, value in sorted(variables.items())
        if (name := _stripped(variable, prefix, suffix))
    ]
    if not found:
        how = f"starts with {prefix}" if prefix else f"ends with {suffix}"
        raise ConfigError(f"no variable of this process {how}", hint="export them, or import a file: --file .env")
    return tuple(found)


def one_value(file: str, stdin: TextIO) -> str:
    """Return the one value in *file*, or in *stdin*; a line break at its end is the file's, not the value's."""
    text = _text(file or STANDARD_INPUT, stdin)
    return text.removesuffix("\n").removesuffix("\r")


def _stripped(variable: str, prefix: str, suffix: str) -> str:
    if not (variable.startswith(prefix) and variable.endswith(suffix)):
        return ""
    return variable.removeprefix(prefix).removesuffix(suffix)


def _once(found: list[Given], mistakes: list[str], file: str) -> tuple[Given, ...]:
    """Return each of *found* once; raise `ConfigError` for *mistakes*, and for two values of one name."""
    first: dict[str, Given] = {}
    twice = [one for one in found if first.setdefault(one.name, one).value != one.value]
    mistakes += [f"{one.place}: {one.name} has another value than in {first[one.name].place}" for one in twice]
    if mistakes:
        raise refusal(file, mistakes)
    if not first:
        raise ConfigError(f"nothing is set in {_called(file)}", hint="a line of it looks like NAME=VALUE")
    return tuple(first.values())


def refusal(where: str, mistakes: list[str]) -> ConfigError:
    """Return the error that tells all *mistakes* of one source."""
    count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
    lines = "\n".join(f"  {one}" for one in mistakes)
    return ConfigError(f"{count} in {_called(where)}; nothing was written\n{lines}", hint="correct it, and repeat")


def _called(file: str) -> str:
    return "standard input" if file == STANDARD_INPUT else file


def _text(file: str, stdin: TextIO) -> str:
    try:
        return stdin.read() if file == STANDARD_INPUT else Path(file).read_bytes().decode("utf-8")
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}", hint="name a file that exists: --file") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{_called(file)} is not UTF-8", hint="save it as UTF-8, and repeat") from error


def _object(s3: S3Client, address: str) -> str:
    parts = urlsplit(address)
    bucket, key = parts.netloc, parts.path.removeprefix("/")
    if parts.scheme != "s3" or not bucket or not key:
        raise ConfigError(f"--s3 is s3://BUCKET/KEY, not {address}", hint="--s3 s3://BUCKET/stg.env")
    try:
        answer = s3.get_object(Bucket=bucket, Key=key)
    except AwsError as error:
        if error.code not in GONE:
            raise
        raise ConfigError(f"there is no {address}", hint=f"aws s3 ls s3://{bucket}") from error
    if answer["ContentLength"] > LONGEST_FILE:
        raise ConfigError(f"{address} is no environment file: it has {answer['ContentLength']} bytes")
    try:
        return answer["Body"].read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{address} is not UTF-8", hint="save it as UTF-8, and repeat") from error
