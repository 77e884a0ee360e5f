"""The app's ECR repository: what it holds under which tag, and one more tag for an image that it holds.

Every function takes the repository's URI as ECR says it. The account in an ECR host name is asked for; with any other
host it is the account that the client is signed in to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from deploylib.errors import AwsError, ContractError, ImageError
from deploylib.images import reference

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Sequence

    from types_boto3_ecr.client import ECRClient
    from types_boto3_ecr.type_defs import BatchGetImageResponseTypeDef, ImageIdentifierTypeDef, ImageTypeDef

MOST_IMAGES_PER_CALL = 100
NOT_FOUND = "ImageNotFound"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """An image's manifest, byte for byte as the registry holds it."""

    digest: str
    text: str
    media_type: str = ""


class _Repository(TypedDict, total=False):
    repositoryName: str
    registryId: str


def present(ecr: ECRClient, repository: str, tags: Sequence[str]) -> dict[str, str]:
    """Return the digest of each of *tags* that the repository has; one BatchGetImage for a hundred tags.

    Raises `ContractError` when there is no such repository.
    """
    return {tag: manifest.digest for tag, manifest in _held(ecr, repository, tags)}


def manifest(ecr: ECRClient, repository: str, tag: str) -> Manifest:
    """Return the manifest under *tag*; raise `ImageError` when the repository does not have it."""
    for _, found in _held(ecr, repository, (tag,)):
        return found
    raise ImageError(f"{repository} has no tag {tag}, although it was pushed", hint="repeat the command")


def pushed_at(ecr: ECRClient, repository: str, digest: str) -> dt.datetime | None:
    """Return when the image *digest* came into the repository; None when it is not there (any more)."""
    try:
        details = ecr.describe_images(**_name(repository), imageIds=[{"imageDigest": digest}])["imageDetails"]
    except AwsError as error:
        if error.code == "ImageNotFoundException":
            return None
        raise
    return details[0]["imagePushedAt"] if details else None


def put_tag(ecr: ECRClient, repository: str, tag: str, *, digest: str) -> bool:
    """Give the image *digest* one more *tag*; return whether it got it.

    It does not when the tag is another image's: tags here are immutable.
    """
    response = _batch_get_image(ecr, repository, [{"imageDigest": digest}])
    if not response["images"]:
        raise ImageError(f"{repository}@{digest} is gone from the registry", hint="repeat the command")
    return put_manifest(ecr, repository, tag, _manifest(response["images"][0]))


def put_manifest(ecr: ECRClient, repository: str, tag: str, image: Manifest) -> bool:
    """Put *image*, whose layers the repository has, under *tag*; return whether it got it."""
    media_type = {"imageManifestMediaType": image.media_type} if image.media_type else {}
    try:
        ecr.put_image(
            **_name(repository), imageManifest=image.text, imageTag=tag, imageDigest=image.digest, **media_type
        )
    except AwsError as error:
        if error.code == "ImageAlreadyExistsException":  # this very image has this very tag
            return True
        if error.code == "ImageTagAlreadyExistsException":
            return present(ecr, repository, (tag,)).get(tag) == image.digest
        raise
    return True


def _held(ecr: ECRClient, repository: str, tags: Sequence[str]) -> Iterator[tuple[str, Manifest]]:
    unique = tuple(dict.fromkeys(tags))
    for start in range(0, len(unique), MOST_IMAGES_PER_CALL):
        asked = unique[start : start + MOST_IMAGES_PER_CALL]
        response = _batch_get_image(ecr, repository, [{"imageTag": tag} for tag in asked])
        named = {one["imageId"].get("imageTag", ""): _manifest(one) for one in response["images"]}
        missing = {one["imageId"].get("imageTag", "") for one in response["failures"]}
        yield from ((tag, named[tag]) for tag in asked if tag in named)
        yield from _asked_alone(ecr, repository, [tag for tag in asked if tag not in named and tag not in missing])


def _asked_alone(ecr: ECRClient, repository: str, tags: Sequence[str]) -> Iterator[tuple[str, Manifest]]:
    """Ask for the tags whose image was answered under another tag of it; alone, there is no doubt which is meant."""
    for tag in tags:
        for image in _batch_get_image(ecr, repository, [{"imageTag": tag}])["images"]:
            yield tag, _manifest(image)


def _batch_get_image(
    ecr: ECRClient, repository: str, images: Sequence[ImageIdentifierTypeDef]
) -> BatchGetImageResponseTypeDef:
    try:
        response = ecr.batch_get_image(**_name(repository), imageIds=images)
    except AwsError as error:
        if error.code == "RepositoryNotFoundException":
            raise ContractError(f"there is no repository {repository} (any more)", hint="inv infra.apply") from error
        raise
    for failure in response["failures"]:
        if failure.get("failureCode") != NOT_FOUND:
            raise ImageError(
                f"{repository}: {failure.get('failureCode')}: {failure.get('failureReason', '')}".rstrip(": ")
            )
    return response


def _manifest(image: ImageTypeDef) -> Manifest:
    return Manifest(
        digest=image["imageId"]["imageDigest"],
        text=image["imageManifest"],
        media_type=image.get("imageManifestMediaType", ""),
    )


def _name(repository: str) -> _Repository:
    parsed = reference.parse(repository)
    account: _Repository = {"registryId": parsed.registry_id} if parsed.registry_id else {}
    return {"repositoryName": parsed.path, **account}
