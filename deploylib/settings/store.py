"""Parameter Store: read ten at a time, written as often as AWS lets us, and no value in an error.

AWS takes few PutParameter calls a second from all of an account together (three, if nothing was paid for more), so
that an import of two hundred settings meets `ThrottlingException` on any account that does something else as well.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from deploylib.errors import AwsError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from types_boto3_ssm.client import SSMClient

    from deploylib.clock import Clock

T = TypeVar("T")
Tier = Literal["Standard", "Advanced"]

SECURE = "SecureString"
PER_CALL = 10
LISTED_PER_CALL = 50
ATTEMPTS = 12
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, SHORTEST_PAUSE_SECONDS = 0.4, 10.0, 0.05
FASTER = 0.85
HIDDEN = "(hidden)"
SHORTEST_SECRET = 4  # shorter ones are in every sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter as it is: its name, type (`String`, `SecureString` …), version, when it changed, its value."""

    name: str
    kind: str
    version: int
    modified: dt.datetime
    value: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What AWS tells of a parameter without its value; *by* is the ARN of who changed it last."""

    name: str
    kind: str
    tier: str
    version: int
    modified: dt.datetime
    by: str = ""


class Pace:
    """Calls as often as AWS lets us: refused for too many, the same call waits and is made again, and all go slower.

    The pause doubles with each refusal and shrinks with each success. What AWS refuses for another reason is raised.
    """

    def __init__(self, clock: Clock = time) -> None:
        self._clock = clock
        self._pause = 0.0

    def call(self, do: Callable[..., T], **request: Any) -> T:
        """Return what *do* answers to *request*."""
        for _ in range(ATTEMPTS - 1):
            try:
                return self._once(do, request)
            except AwsError as error:
                if not (error.transient or error.code == "TooManyUpdates"):
                    raise
                self._pause = min(max(2 * self._pause, FIRST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)
        return self._once(do, request)

    def _once(self, do: Callable[..., T], request: Mapping[str, Any]) -> T:
        if self._pause:
            self._clock.sleep(self._pause)
        answer = do(**request)
        self._pause = self._pause * FASTER if self._pause > SHORTEST_PAUSE_SECONDS else 0.0
        return answer


def read(ssm: SSMClient, names: Iterable[str], pace: Pace, *, values: bool) -> dict[str, Parameter]:
    """Return the parameters of these *names* that exist; with their *values* only when they are asked for.

    Without them nothing is decrypted, so that whoever only looks needs no right to use the key.
    """
    found: dict[str, Parameter] = {}
    for chunk in _chunks(tuple(dict.fromkeys(names)), PER_CALL):
        answer = pace.call(ssm.get_parameters, Names=list(chunk), WithDecryption=values)
        found |= {one["Name"]: _parameter(one, values=values) for one in answer["Parameters"]}
    return found


def below(ssm: SSMClient, folder: str, pace: Pace) -> tuple[Parameter, ...]:
    """Return what is right below *folder*, with the values."""
    request: dict[str, Any] = {"Path": folder, "WithDecryption": True, "MaxResults": PER_CALL}
    pages = _pages(ssm.get_parameters_by_path, request, pace)
    return tuple(_parameter(one, values=True) for page in pages for one in page["Parameters"])


def listed(ssm: SSMClient, folder: str, pace: Pace) -> dict[str, Listed]:
    """Return what is right below *folder*, by name. AWS answers this on a best-effort basis."""
    request: dict[str, Any] = {
        "ParameterFilters": [{"Key": "Path", "Option": "OneLevel", "Values": [folder]}],
        "MaxResults": LISTED_PER_CALL,
    }
    pages = _pages(ssm.describe_parameters, request, pace)
    return {one["Name"]: _listed(one) for page in pages for one in page["Parameters"]}


def write(ssm: SSMClient, name: str, value: str, pace: Pace, *, tier: Tier = "Standard", key: str = "") -> None:
    """Make *name* a SecureString of *value*, encrypted with *key*, else with the account's own for Parameter Store."""
    own = {"KeyId": key} if key else {}
    try:
        pace.call(ssm.put_parameter, Name=name, Value=value, Type=SECURE, Overwrite=True, Tier=tier, **own)
    except AwsError as error:
        told = str(error).replace(value, HIDDEN) if len(value) >= SHORTEST_SECRET else str(error)
        raise AwsError(told, code=error.code, hint=error.hint) from None  # the former text may have the value in it


def remove(ssm: SSMClient, names: Sequence[str], pace: Pace) -> tuple[str, ...]:
    """Remove the parameters of these *names*, and return those that were there."""
    gone: list[str] = []
    for chunk in _chunks(names, PER_CALL):
        gone += pace.call(ssm.delete_parameters, Names=list(chunk)).get("DeletedParameters", [])
    return tuple(gone)


def _pages(do: Callable[..., Any], request: Mapping[str, Any], pace: Pace) -> Iterator[Mapping[str, Any]]:
    """Yield every page; one may be empty and yet not the last."""
    page = pace.call(do, **request)
    yield page
    while page.get("NextToken"):
        page = pace.call(do, **request, NextToken=page["NextToken"])
        yield page


def _parameter(one: Mapping[str, Any], *, values: bool) -> Parameter:
    return Parameter(
        name=one["Name"],
        kind=one["Type"],
        version=one["Version"],
        modified=one["LastModifiedDate"],
        value=one["Value"] if values else "",
    )


def _listed(one: Mapping[str, Any]) -> Listed:
    return Listed(
        name=one["Name"],
        kind=one["Type"],
        tier=one.get("Tier", "Standard"),
        version=one["Version"],
        modified=one["LastModifiedDate"],
        by=one.get("LastModifiedUser", ""),
    )


def _chunks(names: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for at in range(0, len(names), size):
        yield names[at : at + size]
