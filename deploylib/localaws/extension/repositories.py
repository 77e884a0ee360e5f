"""What an ECR repository lets go of: tags one by one, images with their last tag, children after their index."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ministack.services import ecr

from deploylib.localaws.extension import patching

if TYPE_CHECKING:
    from collections.abc import Callable

Data = dict[str, Any]

IMAGES_PER_CALL = 100
IMAGES_PER_PAGE = 100
MOST_IMAGES_PER_PAGE = 1000


def install() -> None:
    """Put our deletion and our pages in the place of MiniStack's."""
    patching.require(ecr, "_images", "_manifest_blobs", "_repositories", "_find_image")
    patching.replace(ecr, "_batch_delete_image(data)")(_delete)
    patching.wrap(ecr, "_put_image(data)")(_put)
    patching.wrap(ecr, "_describe_images(data)")(_described)


def _delete(data: Data) -> Any:
    name, asked = data.get("repositoryName", ""), data.get("imageIds") or []
    if name not in ecr._repositories:
        message = f"The repository with name '{name}' does not exist"
        return ecr.error_response_json("RepositoryNotFoundException", message, 400)
    if not 1 <= len(asked) <= IMAGES_PER_CALL:
        return _invalid("imageIds must have between 1 and 100 elements")
    deleted, failures = [], []
    for one in asked:
        failure = _failure(name, one)
        (failures if failure else deleted).append(failure or _removed(name, one))
    return ecr.json_response({"imageIds": [image for images in deleted for image in images], "failures": failures})


def _put(original: Callable[..., Any], data: Data) -> Any:
    name, tag = data.get("repositoryName", ""), data.get("imageTag")
    digest = data.get("imageDigest") or ecr._image_digest(data.get("imageManifest", ""))
    held = ecr._find_image(name, {"imageDigest": digest})
    if held and (not tag or tag in held.get("imageTags", [])):
        message = f"Image with digest '{digest}' and tag '{tag}' already exists in the repository with name '{name}'"
        return ecr.error_response_json("ImageAlreadyExistsException", message, 400)
    return original(data)


def _described(original: Callable[..., Any], data: Data) -> Any:
    status, headers, body = original(data)
    if status != 200 or data.get("imageIds"):  # noqa: PLR2004 - HTTP
        return status, headers, body
    most, first = int(data.get("maxResults") or IMAGES_PER_PAGE), int(data.get("nextToken") or 0)
    if not 1 <= most <= MOST_IMAGES_PER_PAGE:
        return _invalid("maxResults must be between 1 and 1000")
    details = [one for one in json.loads(body)["imageDetails"] if _asked_for(one, data)]
    more = {"nextToken": str(first + most)} if first + most < len(details) else {}
    return ecr.json_response({"imageDetails": details[first : first + most], **more})


def _failure(name: str, asked: Data) -> Data | None:
    image = ecr._find_image(name, asked)
    if image is None:
        return {"imageId": asked, "failureCode": "ImageNotFound", "failureReason": "Requested image not found"}
    goes = "imageDigest" in asked or image.get("imageTags", []) == [asked.get("imageTag")]
    if goes and (parent := _parent(name, image["imageDigest"])):
        reason = f"Requested image referenced by manifest list: [{parent}]"
        return {"imageId": asked, "failureCode": "ImageReferencedByManifestList", "failureReason": reason}
    return None


def _parent(name: str, digest: str) -> str:
    """Return an index that has *digest* as a child."""
    for image in ecr._images.get(name, []):
        children = json.loads(image.get("imageManifest") or "{}").get("manifests") or []
        if any(one.get("digest") == digest for one in children):
            return str(image["imageDigest"])
    return ""


def _removed(name: str, asked: Data) -> list[Data]:
    """Take the tag off, or remove the image when that was its last one or its digest was asked for."""
    image = ecr._find_image(name, asked)
    digest, tags = image["imageDigest"], image.setdefault("imageTags", [])
    gone = list(tags) if "imageDigest" in asked else [asked["imageTag"]]
    for tag in gone:
        tags.remove(tag)
    image["imageId"] = {"imageDigest": digest, **({"imageTag": tags[-1]} if tags else {})}
    if "imageDigest" in asked or not tags:
        ecr._images[name].remove(image)
        ecr._manifest_blobs.get(name, {}).pop(digest, None)
    return [{"imageDigest": digest, "imageTag": tag} for tag in gone] or [{"imageDigest": digest}]


def _asked_for(detail: Data, data: Data) -> bool:
    wanted = data.get("filter", {}).get("tagStatus", "ANY")
    return wanted == "ANY" or (wanted == "TAGGED") == bool(detail.get("imageTags"))


def _invalid(message: str) -> Any:
    return ecr.error_response_json("InvalidParameterException", message, 400)
