"""Where the call log hears of calls: MiniStack's dispatcher, its S3 and registry doors, its load balancers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ministack import app
from ministack.core.responses import get_account_id

from deploylib.localaws.extension import patching
from deploylib.localaws.extension.calls import action_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploylib.localaws.extension.calls import CallLog

INTERNAL = ("/_ministack/", "/_localstack/", "/v4/", "/v2/credentials/")


def install(log: CallLog) -> None:
    """Log calls as they are answered."""
    patching.require(app, "detect_service", "_routing_params")
    _install_api(log)
    _install_registry(log)


def routed(method: str, path: str, headers: Any, body: bytes, query: Any) -> tuple[str, str]:
    """Return the service that a request goes to, and what it asks of it."""
    parameters = app._routing_params(method, path, headers, body, query)
    service = app.detect_service(method, path, headers, parameters)
    return service, action_of(service, method, path, headers, parameters)


def _install_api(log: CallLog) -> None:
    @patching.wrap(app, "_dispatch_service_request(method, path, headers, body, query_params, request_id)")
    async def dispatched(original: Callable[..., Any], method: str, path: str, headers: Any, *rest: Any) -> Any:
        started = time.time()
        answer = await original(method, path, headers, *rest)
        if not path.startswith(INTERNAL):
            body, query, _ = rest
            _note(log, (*routed(method, path, headers, body, query), answer[0]), headers, started)
        return answer

    @patching.wrap(app, "_handle_s3_vhost_request(host, path, method, headers, body, query_params)")
    async def on_bucket_host(original: Callable[..., Any], host: str, path: str, method: str, *rest: Any) -> Any:
        started = time.time()
        answer = await original(host, path, method, *rest)
        if answer is not None:
            headers, _, query = rest
            action = action_of("s3", method, f"/{host.partition('.')[0]}{path}", headers, query)
            _note(log, ("s3", action, answer[0]), headers, started)
        return answer


def _install_registry(log: CallLog) -> None:
    @patching.wrap(app, "_handle_ecr_registry_request(method, path, headers, body, query_params)")
    async def registry(original: Callable[..., Any], method: str, path: str, *args: Any) -> Any:
        started = time.time()
        answer = await original(method, path, *args)
        if answer is not None:
            _, body, _ = args
            sizes = {"received": len(body or b""), "sent": len(answer[2] or b"")}
            log.registry(method=method, path=path, status=answer[0], account=get_account_id(), started=started, **sizes)
        return answer


def _note(log: CallLog, answered: tuple[str, str, int], headers: Any, started: float) -> None:
    (service, action, status), agent = answered, headers.get("user-agent", "").partition(" ")[0]
    log.api(service=service, action=action, status=status, account=get_account_id(), agent=agent, started=started)
