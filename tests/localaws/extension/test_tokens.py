from __future__ import annotations

import pytest

from deploylib.localaws import instance
from deploylib.localaws.extension import tokens


@pytest.mark.parametrize(
    ("token", "foreign"),
    [("", False), ("FwoGZXIvYXdzE", False), ("localaws:shop-1-local", False), ("localaws:shop-2-local", True)],
)
def test_only_a_token_of_another_local_aws_is_foreign(token: str, *, foreign: bool) -> None:
    assert tokens.is_foreign(token, "shop-1-local") is foreign


def test_the_launcher_writes_the_token_that_is_looked_for() -> None:
    assert instance.TOKEN == tokens.TOKEN


def test_the_token_of_a_presigned_url_is_among_its_parameters() -> None:
    assert tokens.token_of({}, {"X-Amz-Security-Token": ["localaws:a"], "X-Amz-Date": ["x"]}) == "localaws:a"
    assert tokens.token_of({"x-amz-security-token": "localaws:b"}, {}) == "localaws:b"
    assert tokens.token_of({}, {"list-type": ["2"]}) == ""
