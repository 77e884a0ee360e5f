from __future__ import annotations

from typing import TYPE_CHECKING

from deploylib.localaws import clean, dependency_images
from deploylib.toolchain import compose_tool, os_image
from deploylib.toolchain.os_image import OsImage

if TYPE_CHECKING:
    from pathlib import Path

    from tests.localaws.yard import Yard


def put(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_clean_removes_what_was_made_and_nothing_else(yard: Yard) -> None:
    sources = ("deploylib/plan.py", "terraform/stack/main.tf", "terraform/stack/.terraform.lock.hcl")
    kept = (*sources, "notes.txt", ".git/hooks/__pycache__/x.pyc", "terraform.tfstate")
    put(yard.checkout, *kept)
    made = (".venv/bin/python", ".cache/x", ".mypy_cache/x", ".coverage", ".coverage.host.1", "htmlcov/index.html")
    put(yard.checkout, *made, "deploylib/__pycache__/plan.pyc", "tests/a/__pycache__/x", "terraform/stack/.terraform/x")
    yard.up()

    clean.clean(yard.checkout, lambda _: None)

    left = {str(path.relative_to(yard.checkout)) for path in yard.checkout.rglob("*") if path.is_file()}
    assert left == set(kept)


def test_clean_removes_the_images_that_this_checkout_made(yard: Yard) -> None:
    yard.fake.images.clear()
    for name in (OsImage().name, *(image.name for image in dependency_images.ALL)):
        yard.fake.add_image(name, labels=os_image.labels_of(name, yard.checkout, "recipe"))
    yard.fake.add_image("somebody/else:1", labels=os_image.labels_of(OsImage().name, yard.checkout, "recipe"))

    clean.clean(yard.checkout, lambda _: None)

    assert yard.fake.names() == {"somebody/else:1"}


def test_clean_removes_the_development_environment_of_this_checkout(yard: Yard) -> None:
    ours, theirs = f"guestbook{compose_tool.suffix(yard.checkout)}", "guestbook-dev-another-12345678"
    for project in (ours, theirs):
        yard.fake.add_container(f"{project}-web", {compose_tool.PROJECT_LABEL: project})
        yard.fake.volumes.append({"Name": project, "Labels": {compose_tool.PROJECT_LABEL: project}})
    said: list[str] = []

    clean.clean(yard.checkout, said.append)

    assert said[0] == f"{ours}: removed 1 container, 1 volume"
    assert [one["Name"] for one in yard.fake.volumes] == [theirs]


def test_clean_of_a_clean_checkout_is_harmless_without_an_engine(yard: Yard) -> None:
    yard.fake.stop()
    said: list[str] = []
    clean.clean(yard.checkout, said.append)

    clean.clean(yard.checkout, said.append)

    assert said[-1] == "local AWS: removed nothing"
