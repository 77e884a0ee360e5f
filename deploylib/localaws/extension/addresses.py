"""Names that this emulator answers to: the registry's and the load balancers'."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ministack import app
from ministack.services import alb, ecr

from deploylib.localaws.extension import patching

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploylib.localaws.extension.settings import Settings


def install(settings: Settings) -> None:
    """Make ECR and ELB tell addresses that this emulator answers."""
    port = settings.port
    _install_registry(port)
    _install_load_balancers(port)


def _install_registry(port: int) -> None:
    @patching.wrap(ecr, "_repo_shape(repo)")
    def shape(original: Callable[..., dict[str, Any]], repository: dict[str, Any]) -> dict[str, Any]:
        return {**original(repository), "repositoryUri": f"localhost:{port}/{repository['repositoryName']}"}

    @patching.wrap(ecr, "_get_authorization_token(data)")
    def token(original: Callable[..., Any], data: dict[str, Any]) -> Any:
        status, headers, body = original(data)
        answer = ecr.json.loads(body)
        for authorisation in answer["authorizationData"]:
            authorisation["proxyEndpoint"] = f"http://localhost:{port}"
        return ecr.json_response(answer, status) if status == 200 else (status, headers, body)  # noqa: PLR2004 - HTTP


def _install_load_balancers(port: int) -> None:
    @patching.wrap(alb, "_lb_xml(lb)")
    def described(original: Callable[..., str], balancer: dict[str, Any]) -> str:
        name = f"{balancer['LoadBalancerName'].lower()}.alb.localhost:{port}"
        return original({**balancer, "DNSName": name})

    @patching.wrap(
        app, "_handle_alb_request(host, path, method, headers, body, query_params, raw_query_string, raw_path)"
    )
    async def routed(original: Callable[..., Any], host: str, *args: Any) -> Any:
        # The emulator's port stands for port 80, not for a listener of that number.
        return await original(host.removesuffix(f":{port}"), *args)

    @patching.wrap(alb, "_target_host_header(host, listener_port)")
    def host_header(original: Callable[..., str], host: str, listener_port: Any) -> str:
        # An application that writes its own address must write one that the browser can reach.
        return host if host.endswith(f":{port}") else original(host, listener_port)
