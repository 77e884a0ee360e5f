"""S3, for what is put there: objects by bucket and key."""

from __future__ import annotations

from typing import Any, ClassVar

from tests.fakes.door import FakeClient, Refused, Response


class FakeS3(FakeClient):
    """The `s3` client. `objects` maps bucket → key → content."""

    service: ClassVar[str] = "s3"

    def __init__(self, clock: Any, **shared: Any) -> None:
        super().__init__(clock, **shared)
        self.objects: dict[str, dict[str, bytes]] = {}

    def put_object(self, **request: Any) -> Response:
        """Take what is read from a file as well, as the real one does."""
        body = request["Body"]
        return self._put(**{**request, "Body": body if isinstance(body, bytes) else body.read()})

    def _put(self, **request: Any) -> Response:
        return self.answer(put_object, request)


def put_object(client: FakeS3, **request: Any) -> Response:
    """Keep the object."""
    if request["Bucket"] not in client.objects:
        raise Refused("NoSuchBucket", "The specified bucket does not exist")
    client.objects[request["Bucket"]][request["Key"]] = request["Body"]
    return {}
