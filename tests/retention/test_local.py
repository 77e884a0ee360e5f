"""The clean-up of this machine: only the app's own images, never what a container uses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from deploylib.retention import local
from deploylib.retention.local import LocalImage
from deploylib.toolchain.engine_api import EngineRefusedError

if TYPE_CHECKING:
    from deploylib.toolchain.engine_api import EngineApi

HOST = "localhost:4566"


class Engine:
    """An engine that has *images*, of which *held* cannot be removed; it remembers the paths that it was asked for."""

    def __init__(self, *images: dict[str, Any], containers: tuple[dict[str, Any], ...] = (), held: str = "") -> None:
        self.images = {one["Id"]: one for one in images}
        self.containers = containers
        self.held = held
        self.asked: list[str] = []

    @property
    def api(self) -> EngineApi:
        return cast("EngineApi", self)

    def get(self, path: str) -> Any:
        self.asked.append(path)
        if path.startswith("/images/json"):
            return list(self.images.values())
        if path.startswith("/containers"):
            return list(self.containers)
        if path.startswith("/system/df"):
            return {"LayersSize": sum(one["Size"] for one in self.images.values())}
        return self.images.get(path.split("/")[2])

    def delete(self, path: str) -> bool:
        name = path.removeprefix("/images/")
        for image in list(self.images.values()):
            names = [one for one in (*(image["RepoTags"] or ()), *image["RepoDigests"]) if "<none>" not in one]
            if name in (*names, image["Id"]) and image["Id"] != self.held:
                left = [one for one in names if one != name]
                image.update(RepoTags=left, RepoDigests=[])
                if not left:
                    del self.images[image["Id"]]
                return True
        return False


def found(image: str, role: str, created: int, *names: str, digests: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "Id": image,
        "RepoTags": list(names) or None,
        "RepoDigests": list(digests) or ["<none>@<none>"],
        "Created": created,
        "Size": 1000,
        "Labels": {"deploylib.app": "guestbook", "deploylib.image": role},
    }


def image(name: str, role: str, created: float, *names: str) -> LocalImage:
    return LocalImage(id=name, role=role, names=names, created=created, size=1000)


def test_images_are_asked_for_by_the_label_of_the_app_and_no_name_is_no_name() -> None:
    engine = Engine(
        found("sha256:1", "web", 5, f"{HOST}/guestbook:a", digests=(f"{HOST}/guestbook@sha256:{'0' * 64}",)),
        found("sha256:2", "web", 4),
        containers=({"ImageID": "sha256:1", "Names": ["/web-1"]}, {"ImageID": "sha256:9", "Names": []}),
    )
    images, used = local.observe(engine.api, "guestbook")
    assert [one.names for one in images] == [(f"{HOST}/guestbook:a", f"{HOST}/guestbook@sha256:{'0' * 64}"), ()]
    assert used == {"sha256:1": "web-1", "sha256:9": "a container"}
    assert "deploylib.app%3Dguestbook" in engine.asked[0]


def test_the_newest_of_each_role_stay_and_what_a_container_uses_and_what_has_another_name() -> None:
    images = (
        image("old", "web", 1, f"{HOST}/guestbook:web-1"),
        image("used", "web", 2, f"{HOST}/guestbook:web-2"),
        image("mine", "web", 3, f"{HOST}/guestbook:web-3", "experiment:1"),
        image("prefixed", "web", 3.5, "111111111111.dkr.ecr.ap-northeast-1.amazonaws.com/team/guestbook:web-4"),
        image("new", "web", 4, f"{HOST}/guestbook:web-5"),
        image("left", "web", 9),
        image("worker", "job", 1, f"{HOST}/guestbook:job-1"),
    )
    fates = local.plan("guestbook", images, {"used": "web-1"}, keep=1)
    assert {one.image.id: (one.stays, *one.reasons) for one in fates} == {
        "worker": (True, "number 1 of the newest 1 of job"),
        "new": (True, "number 1 of the newest 1 of web"),
        "mine": (True, "experiment:1 is no name of guestbook"),
        "used": (True, "web-1 uses it"),
        "left": (False, "left over by a build"),
        "prefixed": (False, "unused, 1 newer of web"),
        "old": (False, "unused, 1 newer of web"),
    }


@pytest.mark.parametrize("name", ["guestbook2:a", f"{HOST}/other-guestbook:a", f"{HOST}/guestbook/x:a", "GUESTBOOK:a"])
def test_a_name_of_another_repository_keeps_its_image(name: str) -> None:
    (fate, _) = local.plan("guestbook", (image("a", "web", 1, name), image("b", "web", 2, "guestbook:b")), {}, keep=1)[
        ::-1
    ]
    assert fate.stays


def test_what_goes_is_removed_name_by_name_and_what_is_freed_is_measured() -> None:
    name = f"{HOST}/guestbook"
    engine = Engine(
        found("sha256:1", "web", 1, f"{name}:web-1", f"{name}:web-latest"),
        found("sha256:2", "web", 2, f"{name}:web-2"),
        found("sha256:3", "web", 3),
        found("sha256:4", "web", 4, f"{name}:web-4"),
        held="sha256:2",
    )
    fates = local.plan("guestbook", *local.observe(engine.api, "guestbook"), keep=1)
    done = local.remove(engine.api, fates)
    assert (sorted(done.removed), done.spared, done.size) == (["sha256:1", "sha256:3"], ("sha256:2",), 2000)
    assert engine.images.keys() == {"sha256:2", "sha256:4"}


def test_an_engine_that_counts_for_another_job_removes_all_the_same() -> None:
    class Busy(Engine):
        def get(self, path: str) -> Any:
            if path.startswith("/system/df"):
                raise EngineRefusedError("refused", status=500, reason="a disk usage operation is already running")
            return super().get(path)

    engine = Busy(found("sha256:1", "web", 1), found("sha256:2", "web", 2, "guestbook:a"))
    done = local.remove(engine.api, local.plan("guestbook", *local.observe(engine.api, "guestbook"), keep=1))
    assert (done.removed, done.size) == (("sha256:1",), None)


def test_an_engine_that_counts_in_another_way_frees_as_much() -> None:
    class Newer(Engine):
        def get(self, path: str) -> Any:
            answer = super().get(path)
            return {"ImageUsage": {"TotalSize": answer["LayersSize"]}} if path.startswith("/system/df") else answer

    engine = Newer(found("sha256:1", "web", 1), found("sha256:2", "web", 2, "guestbook:a"))
    fates = local.plan("guestbook", *local.observe(engine.api, "guestbook"), keep=1)
    assert local.remove(engine.api, fates).size == 1000
