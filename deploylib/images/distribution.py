"""A registry as the OCI distribution specification has it: which digest a name has, manifests and blobs by digest.

Signs in as the registry asks (Bearer or Basic) with what it is given, or anonymously. Proxies are those of the
environment. Plain HTTP is spoken with this machine alone.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import http.client
import json
import re
import threading
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlencode, urljoin, urlsplit

from deploylib.errors import ImageError
from deploylib.images import reference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    Credentials = Callable[[str], tuple[str, str] | None]  # registry → user and password

CONNECT_SECONDS = 2.0
READ_SECONDS = 10.0
UNAUTHORIZED, FORBIDDEN, NOT_FOUND = 401, 403, 404
LARGEST_DOCUMENT = 8 * 1024 * 1024
DOCKER_HUB = "registry-1.docker.io"

INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
MANIFESTS = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json")

_CHALLENGE = re.compile(r'([a-z_]+)="([^"]*)"', re.IGNORECASE)


class RegistryError(ImageError):
    """A registry refused a request, or did not answer. `status` is 0 when it did not."""

    def __init__(self, message: str, *, status: int = 0, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a registry said: headers by their names in small letters."""

    headers: Mapping[str, str]
    body: bytes


def nobody(_: str) -> None:
    """Know no credentials."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registries:
    """Every registry there is, asked with *credentials*; what a registry let us in with is used again."""

    credentials: Credentials = nobody
    _passes: dict[tuple[str, str], str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def digest(self, name: str) -> str:
        """Return the digest that *name* has now; of a multi-platform image that of its index.

        Raises `RegistryError`.
        """
        wanted = reference.parse(name).normalised
        path = f"manifests/{wanted.digest or wanted.tag or 'latest'}"
        told = self._ask("HEAD", wanted, path).headers.get("docker-content-digest", "")
        return told or f"sha256:{hashlib.sha256(self._ask('GET', wanted, path).body).hexdigest()}"

    def manifest(self, repository: str, digest: str) -> dict[str, Any]:
        """Return the manifest or index *digest* of *repository*."""
        return self._document(repository, f"manifests/{digest}")

    def blob(self, repository: str, digest: str) -> dict[str, Any]:
        """Return the blob *digest* of *repository*, a JSON document."""
        return self._document(repository, f"blobs/{digest}")

    def labels_of(self, repository: str, digest: str) -> dict[str, str]:
        """Return the labels of the image *digest*; of a multi-platform one those of its first image."""
        found = self.manifest(repository, digest)
        images = [one for one in found.get("manifests", ()) if one.get("platform", {}).get("os") != "unknown"]
        if images:
            found = self.manifest(repository, images[0]["digest"])
        if "config" not in found:
            return {}
        labels = self.blob(repository, found["config"]["digest"]).get("config", {}).get("Labels") or {}
        return {str(name): str(value) for name, value in labels.items()}

    def _document(self, repository: str, path: str) -> dict[str, Any]:
        body = self._ask("GET", reference.parse(repository).normalised, path).body
        try:
            found = json.loads(body)
        except ValueError as error:
            raise RegistryError(f"{repository}: {path} is no JSON document") from error
        return found if isinstance(found, dict) else {}

    def _ask(self, method: str, where: reference.Reference, path: str) -> Answer:
        """Ask once without or with the pass that we have; when the registry wants another, get that and ask again."""
        url = f"{_address(where.domain)}/v2/{where.path}/{path}"
        key = (where.domain, where.path)
        headers = {"Accept": ", ".join((*INDEXES, *MANIFESTS, "*/*")), "User-Agent": "deploylib"}
        with self._lock:
            known = self._passes.get(key, "")
        try:
            return _request(method, url, {**headers, **_authorization(known)})
        except _Unwelcome as unwelcome:
            fresh = self._signed_in(where, unwelcome.challenge)
            with self._lock:
                self._passes[key] = fresh
        try:
            return _request(method, url, {**headers, **_authorization(fresh)})
        except _Unwelcome:
            _refuse(url, UNAUTHORIZED, "it does not accept these credentials" if fresh else "it wants credentials")

    def _signed_in(self, where: reference.Reference, challenge: str) -> str:
        """Return what to send as Authorization to a registry that answered with *challenge*; empty for nothing."""
        scheme, _, rest = challenge.partition(" ")
        found = self.credentials(where.domain)
        basic = f"Basic {base64.b64encode(':'.join(found).encode()).decode()}" if found else ""
        if scheme.lower() != "bearer":
            return basic
        asked = {name.lower(): value for name, value in _CHALLENGE.findall(rest)}
        query = {key: asked[key] for key in ("service", "scope") if key in asked}
        query.setdefault("scope", f"repository:{where.path}:pull")
        realm = urljoin(_address(where.domain), asked.get("realm", ""))
        try:
            told = json.loads(_request("GET", f"{realm}?{urlencode(query)}", _authorization(basic)).body)
        except (_Unwelcome, ValueError) as error:
            raise RegistryError(f"{where.domain}: it does not accept these credentials", status=UNAUTHORIZED) from error
        return f"Bearer {told.get('token') or told.get('access_token') or ''}"


def is_local(host: str) -> bool:
    """Return whether *host* (with its port, or not) is this machine: then it may speak plain HTTP."""
    name = urlsplit(f"//{host}").hostname or ""
    return name == "localhost" or name.endswith(".localhost") or name == "::1" or name.startswith("127.")


class _Unwelcome(Exception):  # noqa: N818  # no failure, but the registry's way to say how to sign in
    """The registry wants another Authorization."""

    def __init__(self, challenge: str) -> None:
        super().__init__(challenge)
        self.challenge = challenge


class _Impatient:
    """A connection that has less time to come about than to answer."""

    def connect(self) -> None:
        """Connect, then allow more time."""
        super().connect()  # type: ignore[misc]  # http.client's, beside which this stands
        self.sock.settimeout(READ_SECONDS)  # type: ignore[attr-defined]  # the same


class _Http(_Impatient, http.client.HTTPConnection):
    pass


class _Https(_Impatient, http.client.HTTPSConnection):
    pass


class _HttpHandler(urllib.request.HTTPHandler):
    def http_open(self, request: urllib.request.Request) -> Any:
        return self.do_open(_Http, request)


class _HttpsHandler(urllib.request.HTTPSHandler):
    def https_open(self, request: urllib.request.Request) -> Any:
        return self.do_open(_Https, request)


@functools.cache
def _opener(*, local: bool) -> urllib.request.OpenerDirector:
    """Return what opens a URL; nobody wants a proxy on the way to this machine."""
    return urllib.request.build_opener(
        _HttpHandler(), _HttpsHandler(), *([urllib.request.ProxyHandler({})] if local else [])
    )


def _request(method: str, url: str, headers: Mapping[str, str]) -> Answer:
    """Raise `_Unwelcome` or `RegistryError` unless *url* answers with what was asked for."""
    local = is_local(urlsplit(url).netloc)
    if urlsplit(url).scheme != "https" and not local:
        raise RegistryError(f"{url}: plain HTTP is not spoken with another machine")
    asking = urllib.request.Request(url, method=method)  # noqa: S310  # http(s) alone, as checked
    for name, value in headers.items():
        asking.add_unredirected_header(name, value)  # a blob's place elsewhere must not learn the password
    try:
        with _opener(local=local).open(asking, timeout=CONNECT_SECONDS) as found:
            body = b"" if method == "HEAD" else found.read(LARGEST_DOCUMENT)
            return Answer(headers={key.lower(): value for key, value in found.headers.items()}, body=body)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == UNAUTHORIZED:
                raise _Unwelcome(error.headers.get("WWW-Authenticate", "")) from error
            _refuse(url, error.code, _reason(error.read(LARGEST_DOCUMENT)) or str(error.reason))
    except (OSError, http.client.HTTPException) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise RegistryError(f"{urlsplit(url).netloc} does not answer: {reason}") from error


def _refuse(url: str, status: int, reason: str) -> NoReturn:
    where = urlsplit(url)
    raise RegistryError(f"{where.netloc}{where.path}: {status} {reason}".rstrip(), status=status)


def _reason(body: bytes) -> str:
    """Return the first message of the error document that the specification wants."""
    try:
        errors: Iterable[Mapping[str, Any]] = json.loads(body)["errors"]
        return "; ".join(str(one.get("message") or one.get("code")) for one in errors)
    except (ValueError, KeyError, TypeError):
        return ""


def _authorization(value: str) -> dict[str, str]:
    return {"Authorization": value} if value else {}


def _address(domain: str) -> str:
    host = DOCKER_HUB if domain == reference.DOCKER_HUB else domain
    if is_local(host):
        port = urlsplit(f"//{host}").port
        return f"http://127.0.0.1{f':{port}' if port else ''}" if host.startswith("localhost") else f"http://{host}"
    return f"https://{host}"
