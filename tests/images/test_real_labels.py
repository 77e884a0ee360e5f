"""Labels through real builders: what is written into a Dockerfile is what the image says."""

from __future__ import annotations

import json
import os
import subprocess
import uuid

import pytest

from deploylib.images import labels
from deploylib.images.context import ContextFile
from deploylib.images.fingerprint import Ingredients
from deploylib.toolchain import engine as engines

pytestmark = pytest.mark.e2e

AUTHORS = (
    "Ada",
    "Ada Lovelace",
    "O'Brien",
    'the "boss"',
    'it\'s "both" and \\ $HOME ${PATH} `pwd` #1',
    "end\\",
    "ä 漢字",
    "a=b",
)
RECORD = Ingredients(
    platform="linux/amd64",
    dockerfile="FROM x\n",
    parents=(("it's:1", "sha256:00"),),
    files=tuple(ContextFile(path=f"d{n // 50}/f{n} it's $.py", kind="file", content=str(n)) for n in range(5000)),
)


def built(dockerfile: str, buildkit: str) -> dict[str, str]:
    """Build *dockerfile* and return the labels of the image, which is removed again."""
    name = f"test-labels-{uuid.uuid4().hex[:12]}"
    program, env = engines.find().program, {**os.environ, "DOCKER_BUILDKIT": buildkit}
    subprocess.run(
        [program, "build", "--tag", name, "-"], input=dockerfile, env=env, text=True, capture_output=True, check=True
    )
    try:
        shown = [program, "image", "inspect", "--format", "{{json .Config.Labels}}", name]
        found: dict[str, str] = json.loads(subprocess.run(shown, capture_output=True, text=True, check=True).stdout)
        return found
    finally:
        subprocess.run([program, "image", "rm", "--force", name], capture_output=True, check=True)


@pytest.mark.parametrize("buildkit", ["0", "1"])
@pytest.mark.parametrize("escape", ["", "# escape=`\n"])
def test_what_is_written_is_what_the_image_says(buildkit: str, escape: str) -> None:
    wanted = {f"author.{number}": one for number, one in enumerate(AUTHORS)}
    wanted |= {f"long.{number}": "x y" * 3_000 for number in range(7)}
    wanted["record"] = labels.written(labels.record(RECORD))
    text = f"{escape}FROM scratch\n"
    assert built(f"{text}{labels.instructions(wanted, text)}\n", buildkit) == wanted
    assert labels.read(wanted["record"]) is not None
