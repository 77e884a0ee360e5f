"""The OIDC token that a CI job shows to STS: what its variable holds, or, on GitHub, what GitHub answers.

A token of GitHub's may be good for five minutes only, while a job builds, waits for the lock and renews its session
within the hour. So it is asked for whenever it is needed. Source: GitHub's reference of OpenID Connect, which names the
two variables that a job with `id-token: write` has.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from deploylib.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

URL, BEARER = "ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
AUDIENCE = "sts.amazonaws.com"
TIMEOUT_SECONDS = 10.0
PAUSES_SECONDS = (1.0, 3.0)  # between the tries; after a refusal there is none
SERVER_ERROR = 500
UNAVAILABLE, REFUSED = "ServiceUnavailable", "NoToken"
HINT = "start the job again; it wants `permissions: id-token: write`"


def source(variable: str, variables: Mapping[str, str]) -> str:
    """Return in words where the token is from: *variable*, else GitHub; empty where there is none."""
    if variables.get(variable):
        return f"the job's token in {variable}"
    return "the job's token from GitHub" if variables.get(URL) and variables.get(BEARER) else ""


def read(variable: str, variables: Mapping[str, str], *, pause: Callable[[float], None] = time.sleep) -> str:
    """Return the token as it is now; raise `AwsError` when GitHub gives none."""
    if variables.get(variable):
        return variables[variable]
    for seconds in PAUSES_SECONDS:
        try:
            return _ask(variables)
        except AwsError as error:
            if not error.transient:
                raise
            pause(seconds)
    return _ask(variables)


def _ask(variables: Mapping[str, str]) -> str:
    url = f"{variables[URL]}&{urlencode({'audience': AUDIENCE})}"  # its address has a query already
    if not url.startswith(("https://", "http://")):
        raise _none("its address is none of the web")
    asking = urllib.request.Request(url)  # noqa: S310  # http(s) alone, as checked
    asking.add_unredirected_header("Authorization", f"bearer {variables[BEARER]}")
    try:
        with urllib.request.urlopen(asking, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310  # the same
            return str(json.load(answer)["value"])
    except urllib.error.HTTPError as error:
        with error:
            code = UNAVAILABLE if error.code >= SERVER_ERROR else REFUSED
            raise _none(f"{error.code} {error.reason}", code) from error
    except OSError as error:
        raise _none(str(error), UNAVAILABLE) from error
    except (ValueError, TypeError, KeyError) as error:
        raise _none("its answer has none") from error


def _none(why: str, code: str = REFUSED) -> AwsError:
    return AwsError(f"GitHub gave the job no token: {why}", code=code, hint=HINT)
