"""Old images go from ECR; what runs, and what one may go back to, stays; moving tags follow the releases."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from deploylib import aws, config, contract, serving
from deploylib.images import registry

if TYPE_CHECKING:
    from tests.e2e.project import Project

pytestmark = pytest.mark.e2e

PAGE = "examples/guestbook/guestbook/web/templates/page.html"
DEPLOY = ("deploy", "--env", "local", "--yes")
PRUNE = ("image.prune", "--env", "local", "--keep", "1")


def held(project: Project) -> dict[str, str]:
    """Return the digest of each tag in the repository, as ECR lists it."""
    environment = config.load(project.path, "local", variables={})
    account = aws.signed_in(environment)
    repository = contract.read(account.ssm, environment.contract_parameter).repository
    return {tag: one.digest for one in registry.everything(account.ecr, repository) for tag in one.tags}


def release(project: Project, old: str, new: str) -> str:
    """Change the page, release that, and return the digest of the image that was built for it."""
    project.replace(PAGE, old, new)
    commit = project.commit(f"The page: {new}")
    ran = project.inv(*DEPLOY)
    assert re.findall(r"image (\w+): built", ran.text) == ["web"]
    return held(project)[f"web-{commit[:12]}"]


def documents(text: str) -> dict[str, Any]:
    return {one["event"]: one for one in map(json.loads, text.splitlines())}


def answers(project: Project) -> bool:
    (url,) = re.findall(r"http://\S+\.alb\.localhost:\d+", project.inv("local.status").out)
    return serving.fetch(url).status == 200


def test_images_that_nobody_needs_go_and_all_others_stay(project: Project) -> None:
    settings = project.path / "environments/local.toml"
    before_it = settings.read_text()
    settings.write_text(f"{before_it}\n[images.keep]\nreleases = 2\nhours = 0\n")
    first = held(project)["web-latest"]
    second = release(project, "</h1>", " second</h1>")
    third = release(project, " second</h1>", " third</h1>")
    tags = held(project)
    assert (tags["web-latest"], tags["web-local-latest"]) == (third, third)
    assert len({first, second, third}) == 3

    before = len(project.api_calls())
    shown = project.inv(*PRUNE, "--dry-run").out
    assert max(map(len, shown.splitlines())) <= 100
    plan = documents(project.inv(*PRUNE, "--dry-run", "--output", "json").out)["PrunePlanned"]
    assert not [call for call in project.api_calls()[before:] if call["write"]]
    goes = [one["digest"] for one in plan["images"] if not one["stays"]]
    assert first in goes  # and what other tests left behind
    assert not {second, third} & set(goes)
    reasons = {one["digest"]: one["reasons"] for one in plan["images"]}
    assert all(reasons.values())
    assert any(one.startswith("release ") for one in reasons[second])
    assert {"guestbook-local-web runs it", "is web-latest"} <= set(reasons[third])

    project.inv(*PRUNE, expect=3)
    done = documents(project.inv(*PRUNE, "--yes", "--output", "json").out)["Pruned"]
    assert (set(done["removed"]), done["spared"]) == (set(goes), {})
    assert held(project) == {tag: digest for tag, digest in tags.items() if digest not in goes}
    assert answers(project)

    settings.write_text(before_it)
    again = release(project, " third</h1>", "</h1>")
    assert held(project)["web-latest"] == again
    assert answers(project)


def test_this_machine_keeps_what_a_container_uses(project: Project) -> None:
    """It is not carried out here: other checkouts of this app on this machine have images too."""
    instance = json.loads(next((project.path / ".local").rglob("emulator.json")).read_text())["instance"]
    label = f"label=deploylib.localaws.instance={instance}"
    words = ["docker", "ps", "--all", "--no-trunc", "--filter", label, "--format", "{{.ID}}"]
    containers = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
    words = ["docker", "inspect", "--format", "{{.Image}}", *containers]
    used = set(subprocess.run(words, capture_output=True, text=True, check=True).stdout.split())
    found = documents(project.inv("image.clean", "--env", "local", "--keep", "1", "--dry-run", "--output", "json").out)[
        "CleanPlanned"
    ]
    stays = {one["id"] for one in found["images"] if one["stays"]}
    listed = {one["id"] for one in found["images"]}
    assert len(used & listed) >= 3
    assert used & listed <= stays
