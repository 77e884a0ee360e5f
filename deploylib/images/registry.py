"""The app's ECR repository: what it holds under which tag, one more tag for an image that it holds, and what goes.

Tags are immutable there: PutImage refuses one that another image has. A tag that shall move is taken off that image
(BatchDeleteImage by the tag) and put on the other. ECR deletes an image with its last tag, so an image that has no
content tag gets a name of its own first. For the moment in between nobody has the tag; deploys go by digest.

Every function takes the repository's URI as ECR says it. The account in an ECR host name is asked for; with any other
host it is the account that the client is signed in to.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from deploylib.errors import AwsError, ContractError, ImageError
from deploylib.images import reference
from deploylib.images.tags import KEPT, is_content

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from types_boto3_ecr.client import ECRClient
    from types_boto3_ecr.type_defs import (
        BatchGetImageResponseTypeDef,
        ImageDetailTypeDef,
        ImageIdentifierTypeDef,
        ImageTypeDef,
    )

MOST_IMAGES_PER_CALL = 100
MOST_IMAGES_PER_PAGE = 1000
NOT_FOUND = "ImageNotFound"
MOVES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """An image's manifest, byte for byte as the registry holds it."""

    digest: str
    text: str
    media_type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """An image of the repository; *size* is what ECR counts, in bytes. A child of an index usually has no tag."""

    digest: str
    tags: tuple[str, ...]
    pushed_at: dt.datetime
    size: int
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


def move_tag(ecr: ECRClient, repository: str, tag: str, digest: str) -> bool:
    """Put *tag* on the image *digest*, wherever it is; return whether it was elsewhere. See `move_tags`."""
    return bool(move_tags(ecr, repository, {tag: digest}))


def move_tags(ecr: ECRClient, repository: str, wanted: Mapping[str, str]) -> tuple[str, ...]:
    """Put each tag on the image whose digest *wanted* says; return those that had to move.

    One look when all are there. Somebody else may move the same tags meanwhile: it is tried a few times, and the last
    one has it. Raises `ImageError` when that does not end, and for a digest that the repository does not have.
    """
    moved: dict[str, None] = {}
    for _ in range(MOVES):
        there = present(ecr, repository, tuple(wanted))
        missing = {tag: digest for tag, digest in wanted.items() if there.get(tag) != digest}
        if not missing:
            return tuple(moved)
        manifests = _by_digest(ecr, repository, missing.values())
        _take_off(ecr, repository, {tag: there[tag] for tag in missing if tag in there})
        moved |= {tag: None for tag in missing if put_manifest(ecr, repository, tag, manifests[missing[tag]])}
        if set(missing) <= set(moved):
            return tuple(moved)
    left = sorted(set(wanted) - set(moved))
    raise ImageError(f"{repository}: somebody else moves {', '.join(left)} at the same time", hint="repeat the command")


def everything(ecr: ECRClient, repository: str) -> tuple[Held, ...]:
    """Return every image of the repository; one DescribeImages for a thousand."""
    pages = ecr.get_paginator("describe_images").paginate(
        **_name(repository), PaginationConfig={"PageSize": MOST_IMAGES_PER_PAGE}
    )
    with _existing(repository):
        return tuple(_described(one) for page in pages for one in page["imageDetails"])


def tags_of(ecr: ECRClient, repository: str, digest: str) -> tuple[str, ...]:
    """Return every tag of the image *digest*, which the repository has."""
    return next((one.tags for one in _of_digests(ecr, repository, [digest])), ())


def described(ecr: ECRClient, repository: str, digests: Iterable[str]) -> dict[str, Held]:
    """Return each image by its digest; raise `ImageError` when one of them is not there (any more)."""
    try:
        return {one.digest: one for one in _of_digests(ecr, repository, digests)}
    except AwsError as error:
        if error.code != "ImageNotFoundException":
            raise
        raise ImageError(f"{repository} does not have every image any more: {error}") from error


def lacking(ecr: ECRClient, repository: str, layers: Sequence[str]) -> frozenset[str]:
    """Return those of *layers* (digests of blobs) that the repository does not have; one call for a hundred."""
    missing: set[str] = set()
    for at in range(0, len(layers), MOST_IMAGES_PER_CALL):
        asked = layers[at : at + MOST_IMAGES_PER_CALL]
        with _existing(repository):
            answer = ecr.batch_check_layer_availability(**_name(repository), layerDigests=asked)
        there = {one.get("layerDigest") for one in answer["layers"] if one.get("layerAvailability") == "AVAILABLE"}
        missing |= set(asked) - there
    return frozenset(missing)


def manifests(ecr: ECRClient, repository: str, digests: Iterable[str]) -> dict[str, Manifest]:
    """Return the manifest of each digest that the repository has; one BatchGetImage for a hundred."""
    unique = tuple(dict.fromkeys(digests))
    chunks = (unique[at : at + MOST_IMAGES_PER_CALL] for at in range(0, len(unique), MOST_IMAGES_PER_CALL))
    answers = (_batch_get_image(ecr, repository, [{"imageDigest": one} for one in chunk]) for chunk in chunks)
    return {found.digest: found for answer in answers for found in map(_manifest, answer["images"])}


def delete(ecr: ECRClient, repository: str, digests: Sequence[str]) -> dict[str, str]:
    """Delete the images *digests* with all their tags; return why not, for each that ECR keeps.

    One BatchDeleteImage for a hundred. An index has to be deleted before its children: ECR keeps them until then.
    One that is gone already is no failure.
    """
    return _delete(ecr, repository, [{"imageDigest": one} for one in dict.fromkeys(digests)])


def remove_tags(ecr: ECRClient, repository: str, tags: Iterable[str]) -> dict[str, str]:
    """Take *tags* off their images; return why not, for each that ECR keeps. An image goes with its last tag."""
    return _delete(ecr, repository, [{"imageTag": one} for one in dict.fromkeys(tags)])


def _by_digest(ecr: ECRClient, repository: str, digests: Iterable[str]) -> dict[str, Manifest]:
    wanted = tuple(dict.fromkeys(digests))
    found = manifests(ecr, repository, wanted)
    if gone := [one for one in wanted if one not in found]:
        raise ImageError(f"{repository}@{gone[0]} is gone from the registry", hint="repeat the command")
    return found


def _take_off(ecr: ECRClient, repository: str, holders: Mapping[str, str]) -> None:
    """Take each tag off its image, which keeps another name: ECR deletes an image that loses its last one.

    When an image is gone by now nothing is done: whoever looks again sees where its tag is.
    """
    try:
        images = tuple(_of_digests(ecr, repository, holders.values()))
    except AwsError as error:
        if error.code == "ImageNotFoundException":
            return
        raise
    for image in images:
        if not any(is_content(tag) for tag in image.tags if tag not in holders):
            put_tag(ecr, repository, f"{KEPT}{image.digest.rpartition(':')[2][:12]}", digest=image.digest)
    named: list[ImageIdentifierTypeDef] = [{"imageTag": tag} for tag in holders]
    if failures := _delete(ecr, repository, named):
        tag, why = next(iter(failures.items()))
        raise ImageError(f"{repository}: the tag {tag} could not be taken off its image: {why}")


def _of_digests(ecr: ECRClient, repository: str, digests: Iterable[str]) -> Iterator[Held]:
    unique = tuple(dict.fromkeys(digests))
    for at in range(0, len(unique), MOST_IMAGES_PER_CALL):
        asked: list[ImageIdentifierTypeDef] = [{"imageDigest": one} for one in unique[at : at + MOST_IMAGES_PER_CALL]]
        yield from map(_described, ecr.describe_images(**_name(repository), imageIds=asked)["imageDetails"])


def _delete(ecr: ECRClient, repository: str, images: Sequence[ImageIdentifierTypeDef]) -> dict[str, str]:
    failures: dict[str, str] = {}
    for at in range(0, len(images), MOST_IMAGES_PER_CALL):
        with _existing(repository):
            answer = ecr.batch_delete_image(**_name(repository), imageIds=images[at : at + MOST_IMAGES_PER_CALL])
        for one in answer["failures"]:
            if one.get("failureCode") != NOT_FOUND:
                image = one.get("imageId", {})
                name = image.get("imageDigest") or image.get("imageTag", "")
                failures[name] = f"{one.get('failureCode')}: {one.get('failureReason', '')}".rstrip(": ")
    return failures


def _described(detail: ImageDetailTypeDef) -> Held:
    return Held(
        digest=detail["imageDigest"],
        tags=tuple(sorted(detail.get("imageTags", ()))),
        pushed_at=detail["imagePushedAt"],
        size=detail.get("imageSizeInBytes", 0),
        media_type=detail.get("imageManifestMediaType", ""),
    )


@contextlib.contextmanager
def _existing(repository: str) -> Iterator[None]:
    try:
        yield
    except AwsError as error:
        if error.code == "RepositoryNotFoundException":
            raise ContractError(f"there is no repository {repository} (any more)", hint="inv infra.apply") from error
        raise


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
    with _existing(repository):
        response = ecr.batch_get_image(**_name(repository), imageIds=images)
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
