"""Images that others pushed, as ECR's source action tells of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from deploylib.errors import ConfigError, RefusedError
from deploylib.pipeline import given

if TYPE_CHECKING:
    from pathlib import Path

REPOSITORY = "111111111111.dkr.ecr.ap-northeast-1.amazonaws.com/shop"
DIGEST = f"sha256:{'a' * 64}"


def test_the_digest_is_that_of_the_image_which_was_pushed(tmp_path: Path) -> None:
    files = {"web": _detail(tmp_path, f"{REPOSITORY}@{DIGEST}")}
    assert given.digests(files, REPOSITORY, {"web"}) == {"web": DIGEST}


def test_a_role_that_nobody_runs_may_be_given_too(tmp_path: Path) -> None:
    files = given.parse(f"web={_detail(tmp_path, f'{REPOSITORY}@{DIGEST}')},old=/nowhere")
    assert given.digests(files, REPOSITORY, {"web"}) == {"web": DIGEST}


def test_an_image_of_another_account_is_refused(tmp_path: Path) -> None:
    other = REPOSITORY.replace("111111111111", "222222222222")
    with pytest.raises(RefusedError, match="not of 111111111111"):
        given.digests({"web": _detail(tmp_path, f"{other}@{DIGEST}")}, REPOSITORY, {"web"})


@pytest.mark.parametrize("uri", [f"{REPOSITORY}@latest", f"{REPOSITORY}@sha256:12"])
def test_what_is_no_digest_is_refused(tmp_path: Path, uri: str) -> None:
    with pytest.raises(ConfigError, match="is no digest"):
        given.digests({"web": _detail(tmp_path, uri)}, REPOSITORY, {"web"})


def test_a_tag_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RefusedError):
        given.digests({"web": _detail(tmp_path, f"{REPOSITORY}:web-stg")}, REPOSITORY, {"web"})


@pytest.mark.parametrize("text", ["", "[]", '"text"', "{}"])
def test_a_file_that_is_something_else_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "imageDetail.json"
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"is no imageDetail\.json"):
        given.digests({"web": file}, REPOSITORY, {"web"})


def test_a_role_without_a_file_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="says nothing of job, web"):
        given.digests({}, REPOSITORY, {"web", "job"})


@pytest.mark.parametrize("text", ["web", "web=", "=file", "web=a,job"])
def test_a_list_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--images names the file of each role"):
        given.parse(text)


def _detail(folder: Path, uri: str) -> Path:
    file = folder / "imageDetail.json"
    file.write_text(json.dumps({"ImageURI": uri, "Version": "1.0", "ImageDigest": DIGEST, "ImageTags": ["web-stg"]}))
    return file
