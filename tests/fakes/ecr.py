"""ECR: images by digest and tag, tags that may be immutable, deletion by tag and by digest, pages."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any, ClassVar

from tests.fakes.clock import when
from tests.fakes.door import FakeClient, Refused, Response, operation

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
IMAGES_PER_CALL = 100
IMAGES_PER_PAGE = 100
MOST_IMAGES_PER_PAGE = 1000


class FakeEcr(FakeClient):
    """The `ecr` client. `images` maps repository → digest → manifest, `tags` repository → tag → digest.

    `pushed` has the time of each digest's push, `sizes` its bytes (1000, when nothing is said), `layers` the blobs of
    each repository.
    """

    service: ClassVar[str] = "ecr"

    def __init__(self, clock: Any, *, account_id: str, region: str, **shared: Any) -> None:
        super().__init__(clock, **shared)
        self.registry = f"{account_id}.dkr.ecr.{region}.amazonaws.com"
        self.account_id = account_id
        self.immutable = True
        self.images: dict[str, dict[str, str]] = {}
        self.tags: dict[str, dict[str, str]] = {}
        self.pushed: dict[str, float] = {}
        self.sizes: dict[str, int] = {}
        self.layers: dict[str, set[str]] = {}
        self.policies: dict[str, str] = {}

    def have(self, repository: str, *tags: str, manifest: str = "", age: float = 0) -> str:
        """Have an image under *tags*, without a call, pushed *age* seconds ago; return its digest."""
        text = manifest or json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "tags": tags})
        digest = f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
        self.images.setdefault(repository, {})[digest] = text
        self.tags.setdefault(repository, {}).update(dict.fromkeys(tags, digest))
        self.pushed[digest] = self.clock.time() - age
        return digest

    def have_index(self, repository: str, *tags: str, children: tuple[str, ...], age: float = 0) -> str:
        """Have an index of *children*, which are there."""
        manifests = [{"digest": one, "size": 1, "mediaType": MANIFEST} for one in children]
        text = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests})
        return self.have(repository, *tags, manifest=text, age=age)

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
    def get_repository_policy(self, **request: Any) -> Response:
        name = request["repositoryName"]
        self._check(name)
        if name not in self.policies:
            raise Refused("RepositoryPolicyNotFoundException", "Repository policy does not exist")
        return {"repositoryName": name, "policyText": self.policies[name]}

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
    def batch_check_layer_availability(self, **request: Any) -> Response:
        name = request["repositoryName"]
        self._check(name)
        there = self.layers.get(name, set())
        return {
            "layers": [
                {"layerDigest": one, "layerAvailability": "AVAILABLE" if one in there else "UNAVAILABLE"}
                for one in request["layerDigests"]
            ],
            "failures": [],
        }

    @operation
    def describe_images(self, **request: Any) -> Response:
        """Describe images, page by page; unlike BatchGetImage one that is missing makes the whole call fail."""
        name = request["repositoryName"]
        self._check(name)
        wanted = request.get("imageIds", [{"imageDigest": digest} for digest in self.images[name]])
        digests = [(one, self._digest(name, one)) for one in wanted]
        if missing := [one for one, digest in digests if not digest]:
            raise Refused("ImageNotFoundException", f"The image with imageId {missing[0]} does not exist.")
        distinct = list(dict.fromkeys(digest for _, digest in digests if digest))
        first, most = int(request.get("nextToken", 0)), request.get("maxResults", IMAGES_PER_PAGE)
        if "imageIds" in request and "maxResults" in request:
            raise Refused("InvalidParameterException", "maxResults cannot be used with imageIds.")
        if most > MOST_IMAGES_PER_PAGE:
            raise Refused("InvalidParameterException", "maxResults must be at most 1000.")
        page = distinct if "imageIds" in request else distinct[first : first + most]
        more = {"nextToken": str(first + most)} if len(page) < len(distinct) - first else {}
        return {"imageDetails": [self._detail(name, digest) for digest in page], **more}

    @operation
    def batch_delete_image(self, **request: Any) -> Response:
        """Take tags off their images, which go with their last one; by digest an image goes with all its tags."""
        name, wanted = request["repositoryName"], request["imageIds"]
        self._check(name)
        if not 1 <= len(wanted) <= IMAGES_PER_CALL:
            raise Refused("InvalidParameterException", "imageIds must have between 1 and 100 elements.")
        deleted, failures = [], []
        for one in wanted:
            code = self._undeletable(name, one)
            if code:
                failures.append({"imageId": one, "failureCode": code, "failureReason": "the fake says so"})
            else:
                deleted.append({**one, "imageDigest": self._delete(name, one)})
        return {"imageIds": deleted, "failures": failures}

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
        self.pushed.setdefault(digest, self.clock.time())
        self.tags[name].update({tag: digest} if tag else {})
        return {"image": self._image(name, {"imageTag": tag} if tag else {}, digest)}

    def _detail(self, name: str, digest: str) -> dict[str, Any]:
        tags = sorted(tag for tag, of in self.tags[name].items() if of == digest)
        return {
            "repositoryName": name,
            "registryId": self.account_id,
            "imageDigest": digest,
            **({"imageTags": tags} if tags else {}),
            "imageSizeInBytes": self.sizes.get(digest, 1000),
            "imagePushedAt": when(self.pushed.get(digest, self.clock.time())),
            "imageManifestMediaType": json.loads(self.images[name][digest]).get("mediaType", MANIFEST),
        }

    def _undeletable(self, name: str, image: dict[str, str]) -> str:
        digest = self._digest(name, image)
        if not digest:
            return "ImageNotFound"
        tags = [tag for tag, of in self.tags[name].items() if of == digest]
        goes = "imageTag" not in image or tags == [image["imageTag"]]
        return "ImageReferencedByManifestList" if goes and self._referenced(name, digest) else ""

    def _referenced(self, name: str, digest: str) -> bool:
        manifests = [json.loads(text).get("manifests", ()) for text in self.images[name].values()]
        return any(one["digest"] == digest for children in manifests for one in children)

    def _delete(self, name: str, image: dict[str, str]) -> str:
        digest, tags = self._digest(name, image), self.tags[name]
        gone = [image["imageTag"]] if "imageTag" in image else [tag for tag, of in tags.items() if of == digest]
        for tag in gone:
            del tags[tag]
        if "imageTag" not in image or digest not in tags.values():
            del self.images[name][digest]
        return digest

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
