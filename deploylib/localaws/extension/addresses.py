"""Names that this emulator answers to: the registry's and the load balancers'."""

from __future__ import annotations

import json
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
    _install_images()
    _install_tags()
    _install_layers()
    _install_load_balancers(port)


def _install_registry(port: int) -> None:
    @patching.wrap(ecr, "_repo_shape(repo)")
    def shape(original: Callable[..., dict[str, Any]], repository: dict[str, Any]) -> dict[str, Any]:
        return {**original(repository), "repositoryUri": f"localhost:{port}/{repository['repositoryName']}"}

    @patching.wrap(ecr, "_get_authorization_token(data)")
    def token(original: Callable[..., Any], data: dict[str, Any]) -> Any:
        status, headers, body = original(data)
        answer = json.loads(body)
        for authorisation in answer["authorizationData"]:
            authorisation["proxyEndpoint"] = f"http://localhost:{port}"
        return ecr.json_response(answer, status) if status == 200 else (status, headers, body)  # noqa: PLR2004 - HTTP


def _install_images() -> None:
    """DescribeImages of an image that is not there is an error, and an image is as large as its layers."""

    @patching.wrap(ecr, "_describe_images(data)")
    def described(original: Callable[..., Any], data: dict[str, Any]) -> Any:
        name, asked = data.get("repositoryName", ""), data.get("imageIds") or []
        if name in ecr._repositories and (missing := [i for i in asked if not ecr._find_image(name, i)]):
            message = f"The image with imageId {missing[0]} does not exist within the repository with name '{name}'"
            return ecr.error_response_json("ImageNotFoundException", message, 400)
        status, headers, body = original(data)
        if status != 200:  # noqa: PLR2004 - HTTP
            return status, headers, body
        details = json.loads(body)["imageDetails"]
        manifests = {image["imageDigest"]: image.get("imageManifest", "{}") for image in ecr._images.get(name, [])}
        for detail in details:
            detail["imageSizeInBytes"] = _size(manifests[detail["imageDigest"]])
        return ecr.json_response({"imageDetails": details})


def _install_tags() -> None:
    """BatchGetImage answers under the tag that was asked for, also when the image has others."""

    @patching.wrap(ecr, "_batch_get_image(data)")
    def got(original: Callable[..., Any], data: dict[str, Any]) -> Any:
        status, headers, body = original(data)
        if status != 200:  # noqa: PLR2004 - HTTP
            return status, headers, body
        answer = json.loads(body)
        found = [one for one in data.get("imageIds", []) if ecr._find_image(data["repositoryName"], one)]
        for image, asked in zip(answer["images"], found, strict=True):
            image["imageId"] = {**image["imageId"], **asked}
        return ecr.json_response(answer)


def _install_layers() -> None:
    """BatchCheckLayerAvailability knows the layers that were pushed."""

    @patching.wrap(ecr, "_batch_check_layer_availability(data)")
    def checked(original: Callable[..., Any], data: dict[str, Any]) -> Any:
        status, headers, body = original(data)
        if status != 200:  # noqa: PLR2004 - HTTP
            return status, headers, body
        answer, blobs = json.loads(body), ecr._layer_blobs.get(data["repositoryName"], {})
        for layer in answer["layers"]:
            if (blob := blobs.get(layer["layerDigest"])) is not None:
                layer.update(layerAvailability="AVAILABLE", layerSize=len(blob))
        return ecr.json_response(answer)


def _size(manifest: str) -> int:
    parsed = json.loads(manifest)
    return sum(int(part.get("size", 0)) for part in [parsed.get("config") or {}, *(parsed.get("layers") or [])])


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
