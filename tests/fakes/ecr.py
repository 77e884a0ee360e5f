"""ECR: images by digest and tag, tags that may be immutable."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any, ClassVar

from tests.fakes.clock import when
from tests.fakes.door import FakeClient, Refused, Response, operation

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
IMAGES_PER_CALL = 100


class FakeEcr(FakeClient):
    """The `ecr` client. `images` maps repository → digest → manifest, `tags` repository → tag → digest."""

    service: ClassVar[str] = "ecr"

    def __init__(self, clock: Any, *, account_id: str, region: str, **shared: Any) -> None:
        super().__init__(clock, **shared)
        self.registry = f"{account_id}.dkr.ecr.{region}.amazonaws.com"
        self.account_id = account_id
        self.immutable = True
        self.images: dict[str, dict[str, str]] = {}
        self.tags: dict[str, dict[str, str]] = {}

    def have(self, repository: str, *tags: str, manifest: str = "") -> str:
        """Have an image under *tags*, without a call; return its digest."""
        text = manifest or json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "tags": tags})
        digest = f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
        self.images.setdefault(repository, {})[digest] = text
        self.tags.setdefault(repository, {}).update(dict.fromkeys(tags, digest))
        return digest

    @operation
    def get_authorization_token(self, **request: Any) -> Response:
        token = base64.b64encode(b"AWS:a-password-that-nobody-may-see").decode()
        expires = when(self.clock.time() + 12 * 3600)
        proxy = f"https://{self.registry}"
        return {"authorizationData": [{"authorizationToken": token, "expiresAt": expires, "proxyEndpoint": proxy}]}

    @operation
    def describe_repositories(self, **request: Any) -> Response:
        names = request.get("repositoryNames", sorted(self.images))
        for name in names:
            self._check(name)
        return {"repositories": [{"repositoryName": one, "repositoryUri": f"{self.registry}/{one}"} for one in names]}

    @operation
    def batch_get_image(self, **request: Any) -> Response:
        """Return the images there are; the others as failures, each with its code."""
        name, wanted = request["repositoryName"], request["imageIds"]
        self._check(name)
        if not 1 <= len(wanted) <= IMAGES_PER_CALL:
            raise Refused("InvalidParameterException", "imageIds must have between 1 and 100 elements.")
        found = [(one, self._digest(name, one)) for one in wanted]
        return {
            "images": [self._image(name, one, digest) for one, digest in found if digest],
            "failures": [
                {"imageId": one, "failureCode": "ImageNotFound", "failureReason": "Requested image not found"}
                for one, digest in found
                if not digest
            ],
        }

    @operation
    def describe_images(self, **request: Any) -> Response:
        """Describe images; unlike BatchGetImage one that is missing makes the whole call fail."""
        name = request["repositoryName"]
        self._check(name)
        wanted = request.get("imageIds", [{"imageDigest": digest} for digest in self.images[name]])
        digests = [(one, self._digest(name, one)) for one in wanted]
        if missing := [one for one, digest in digests if not digest]:
            raise Refused("ImageNotFoundException", f"The image with imageId {missing[0]} does not exist.")
        return {
            "imageDetails": [
                {
                    "repositoryName": name,
                    "registryId": self.account_id,
                    "imageDigest": digest,
                    "imageTags": sorted(tag for tag, of in self.tags[name].items() if of == digest),
                    "imagePushedAt": when(self.clock.time()),
                }
                for digest in dict.fromkeys(digest for _, digest in digests if digest)
            ]
        }

    @operation
    def put_image(self, **request: Any) -> Response:
        """Push a manifest, or give one that is there another tag."""
        name, manifest, tag = request["repositoryName"], request["imageManifest"], request.get("imageTag", "")
        self._check(name)
        digest = f"sha256:{hashlib.sha256(manifest.encode()).hexdigest()}"
        if request.get("imageDigest", digest) != digest:
            raise Refused("ImageDigestDoesNotMatchException", "The image digest does not match.")
        tagged = self.tags[name].get(tag) if tag else None
        if digest in self.images[name] and (not tag or tagged == digest):
            raise Refused(
                "ImageAlreadyExistsException", f"Image with digest '{digest}' and tag '{tag}' already exists."
            )
        if tagged and self.immutable:
            message = f"The image tag '{tag}' already exists in the '{name}' repository and cannot be overwritten."
            raise Refused("ImageTagAlreadyExistsException", message)
        self.images[name][digest] = manifest
        self.tags[name].update({tag: digest} if tag else {})
        return {"image": self._image(name, {"imageTag": tag} if tag else {}, digest)}

    def _check(self, name: str) -> None:
        if name not in self.images:
            message = f"The repository with name '{name}' does not exist in the registry with id '{self.account_id}'"
            raise Refused("RepositoryNotFoundException", message)

    def _digest(self, name: str, image: dict[str, str]) -> str:
        digest = image.get("imageDigest") or self.tags[name].get(image.get("imageTag", ""), "")
        return digest if digest in self.images[name] else ""

    def _image(self, name: str, asked: dict[str, str], digest: str) -> dict[str, Any]:
        return {
            "registryId": self.account_id,
            "repositoryName": name,
            "imageId": {**asked, "imageDigest": digest},
            "imageManifest": self.images[name][digest],
            "imageManifestMediaType": json.loads(self.images[name][digest]).get("mediaType", MANIFEST),
        }
