"""Programs that copy images: what they are told, what never is in their arguments, what they say when they fail."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from deploylib.errors import ImageError
from deploylib.images import copying, login
from deploylib.toolchain.copy_tool import CopyTool

if TYPE_CHECKING:
    from pathlib import Path

DIGEST = "sha256:" + "a" * 64
FAR = "111111111111.dkr.ecr.ap-northeast-1.amazonaws.com/guestbook"
OTHER = "222222222222.dkr.ecr.ap-northeast-1.amazonaws.com/guestbook"
NEAR = "localhost:4567/guestbook"


def program(folder: Path, name: str, script: str = "") -> str:
    """Return a program that notes its arguments, one call a line, and the log-ins that it is pointed to."""
    path = folder / name
    path.write_text(f'#!/bin/sh\necho "$@" >> "{folder}/calls"\n{script}\n')
    path.chmod(0o755)
    return str(path)


def calls(folder: Path) -> list[str]:
    return (folder / "calls").read_text().splitlines()


def test_skopeo_copies_by_digest_every_platform_every_byte(tmp_path: Path) -> None:
    copier = copying.Skopeo(program=program(tmp_path, "skopeo"), logins=tmp_path / "auth.json")
    copier.copy(f"{FAR}@{DIGEST}", OTHER, tag="web-c1")
    (call,) = calls(tmp_path)
    words = call.split()
    assert words[-2:] == [f"docker://{FAR}@{DIGEST}", f"docker://{OTHER}@{DIGEST}"]
    assert {"--all", "--preserve-digests", f"--src-authfile={tmp_path}/auth.json"} <= set(words)
    assert not [one for one in words if "tls-verify" in one]


def test_plain_http_is_spoken_with_this_machine_alone(tmp_path: Path) -> None:
    copier = copying.Skopeo(program=program(tmp_path, "skopeo"), logins=tmp_path / "auth.json")
    copier.copy(f"{NEAR}@{DIGEST}", FAR, tag="web-c1")
    copier.copy(f"{FAR}@{DIGEST}", NEAR, tag="web-c1")
    out, back = calls(tmp_path)
    assert ("--src-tls-verify=false" in out, "--dest-tls-verify=false" in out) == (True, False)
    assert ("--src-tls-verify=false" in back, "--dest-tls-verify=false" in back) == (False, True)


def test_failure_has_the_last_lines_and_says_that_it_can_be_repeated(tmp_path: Path) -> None:
    script = "for i in 1 2 3 4 5 6 7 8; do echo line $i >&2; done; exit 1"
    copier = copying.Skopeo(program=program(tmp_path, "skopeo", script), logins=tmp_path / "auth.json")
    with pytest.raises(ImageError) as failed:
        copier.copy(f"{FAR}@{DIGEST}", OTHER, tag="web-c1")
    assert "line 8" in str(failed.value)
    assert "line 3" not in str(failed.value)
    assert "not copied again" in failed.value.hint


def test_buildx_copies_under_the_tag(tmp_path: Path) -> None:
    copier = copying.Buildx(program=program(tmp_path, "docker"), variables={})
    copier.copy(f"{FAR}@{DIGEST}", OTHER, tag="web-c1")
    assert calls(tmp_path) == [f"buildx imagetools create --tag={OTHER}:web-c1 {FAR}@{DIGEST}"]


def test_engine_pulls_names_pushes_and_forgets_the_name(tmp_path: Path) -> None:
    copier = copying.Engine(program=program(tmp_path, "docker"), variables={})
    copier.copy(f"{FAR}@{DIGEST}", OTHER, tag="web-c1")
    assert calls(tmp_path) == [
        f"pull --quiet {FAR}@{DIGEST}",
        f"tag {FAR}@{DIGEST} {OTHER}:web-c1",
        f"push {OTHER}:web-c1",
        f"image rm {OTHER}:web-c1",
    ]


def test_engine_forgets_the_name_of_what_it_could_not_push(tmp_path: Path) -> None:
    copier = copying.Engine(program=program(tmp_path, "docker", '[ "$1" != push ]'), variables={})
    with pytest.raises(ImageError):
        copier.copy(f"{FAR}@{DIGEST}", OTHER, tag="web-c1")
    assert calls(tmp_path)[-1] == f"image rm {OTHER}:web-c1"


@pytest.mark.parametrize("kind", ["skopeo", "buildx", "engine"])
def test_log_ins_are_in_files_and_never_in_arguments(tmp_path: Path, kind: str) -> None:
    show = 'cat "${DOCKER_CONFIG:-$FOLDER}"/*.json > "$(dirname "$0")/seen" 2>/dev/null; true'
    tool = CopyTool(kind=kind, program=program(tmp_path, "tool", show))  # type: ignore[arg-type]  # each in turn
    logins = [login.Login(key=host.partition("/")[0], auth="c2VjcmV0") for host in (FAR, OTHER)]
    with login.logged_in(*logins, environ={"HOME": str(tmp_path)}) as variables:
        copier = copying.connect(variables, tool)
        copier.copy(f"{FAR}@{DIGEST}", OTHER, tag="web-c1")
        if isinstance(copier, copying.Skopeo):
            auths = json.loads(copier.logins.read_text())["auths"]
            assert copier.logins.stat().st_mode & 0o077 == 0
        else:
            auths = json.loads((tmp_path / "seen").read_text().replace("}{", "}\n{").splitlines()[0])["auths"]
        assert set(auths) >= {FAR.partition("/")[0], OTHER.partition("/")[0]}
    assert "c2VjcmV0" not in "".join(calls(tmp_path))
