from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from deploylib.aws import Account
from deploylib.errors import AwsError, ContractError, ImageError
from deploylib.images import registry
from tests.fakes.account import FakeAccount
from tests.fakes.ecr import FakeEcr

if TYPE_CHECKING:
    from collections.abc import Iterator

    from types_boto3_ecr.client import ECRClient

URI = "111111111111.dkr.ecr.ap-northeast-1.amazonaws.com/team/shop"
LOCAL = "localhost:4566/shop"
MISSING = f"sha256:{'0' * 64}"
OLD, NEW, OTHER = (f"web-c{digit * 12}" for digit in "123")


@pytest.fixture
def fake() -> FakeAccount:
    return FakeAccount()


@pytest.fixture
def moto_ecr() -> Iterator[ECRClient]:
    with mock_aws():
        session = boto3.Session("test", "test", region_name="ap-northeast-1")
        ecr = Account(session, environment="stg").ecr
        ecr.create_repository(repositoryName="shop", imageTagMutability="IMMUTABLE")
        yield ecr


def answered(
    response: dict[str, Any], expected: dict[str, Any], *more: tuple[dict[str, Any], dict[str, Any]]
) -> ECRClient:
    """Return a client that checks its requests and gives these answers."""
    client = boto3.client("ecr", region_name="ap-northeast-1", aws_access_key_id="a", aws_secret_access_key="b")
    stub = Stubber(client)
    for one_response, one_expected in ((response, expected), *more):
        stub.add_response("batch_get_image", one_response, one_expected)
    stub.activate()
    return client


def test_present_answers_each_tag_with_its_digest_in_one_call(fake: FakeAccount) -> None:
    one, two = fake.ecr.have("team/shop", "web-c1", "web-abc"), fake.ecr.have("team/shop", "job-c1")
    found = registry.present(fake.account.ecr, URI, ("web-c1", "web-abc", "job-c1", "job-abc", "web-c1"))
    assert found == {"web-c1": one, "web-abc": one, "job-c1": two}
    assert fake.calls == {"ecr:BatchGetImage": 1}
    assert fake.log[0].request["registryId"] == "111111111111"


def test_another_registry_than_ecr_is_asked_without_account(fake: FakeAccount) -> None:
    fake.ecr.have("shop", "a")
    registry.present(fake.account.ecr, LOCAL, ("a",))
    assert fake.log[0].request == {"repositoryName": "shop", "imageIds": [{"imageTag": "a"}]}


def test_more_than_a_hundred_tags_take_more_calls_and_none_takes_none(fake: FakeAccount) -> None:
    digest = fake.ecr.have("shop", *map(str, range(150)))
    assert registry.present(fake.account.ecr, LOCAL, tuple(map(str, range(201)))) == dict.fromkeys(
        map(str, range(150)), digest
    )
    assert fake.calls == {"ecr:BatchGetImage": 3}
    assert registry.present(fake.account.ecr, LOCAL, ()) == {}
    assert fake.calls == {"ecr:BatchGetImage": 3}


def test_an_image_that_is_answered_under_its_other_tag_is_asked_for_alone() -> None:
    image = {"imageId": {"imageTag": "b", "imageDigest": MISSING}, "imageManifest": "{}"}
    ids = [{"imageTag": tag} for tag in ("a", "b", "c")]
    failed = {"imageId": {"imageTag": "c"}, "failureCode": "ImageNotFound"}
    ecr = answered(
        {"images": [image, image], "failures": [failed]},
        {"repositoryName": "shop", "imageIds": ids},
        ({"images": [image], "failures": []}, {"repositoryName": "shop", "imageIds": ids[:1]}),
    )
    assert registry.present(ecr, LOCAL, ("a", "b", "c")) == {"a": MISSING, "b": MISSING}


def test_an_image_that_ecr_cannot_give_is_an_error_not_a_missing_one() -> None:
    failed = {"imageId": {"imageTag": "a"}, "failureCode": "KmsError", "failureReason": "the key is gone"}
    ecr = answered({"images": [], "failures": [failed]}, {"repositoryName": "shop", "imageIds": [{"imageTag": "a"}]})
    with pytest.raises(ImageError, match="KmsError: the key is gone"):
        registry.present(ecr, LOCAL, ("a",))


def test_a_missing_repository_says_what_makes_it(fake: FakeAccount) -> None:
    with pytest.raises(ContractError, match="localhost:4566/shop") as caught:
        registry.present(fake.account.ecr, LOCAL, ("a",))
    assert caught.value.hint == "inv infra.apply"


def test_another_refusal_of_ecr_comes_through(fake: FakeAccount) -> None:
    fake.ecr.have("shop", "a")
    fake.ecr.refuse("batch_get_image", "AccessDeniedException")
    with pytest.raises(AwsError, match="AccessDeniedException"):
        registry.present(fake.account.ecr, LOCAL, ("a",))


def test_an_image_gets_one_more_tag(fake: FakeAccount) -> None:
    digest = fake.ecr.have("shop", "web-c1")
    assert registry.put_tag(fake.account.ecr, LOCAL, "web-abc", digest=digest)
    assert registry.present(fake.account.ecr, LOCAL, ("web-c1", "web-abc")) == {"web-c1": digest, "web-abc": digest}
    assert fake.ecr.images["shop"].keys() == {digest}


def test_putting_a_tag_again_is_harmless(fake: FakeAccount) -> None:
    digest = fake.ecr.have("shop", "web-c1", "web-abc")
    assert registry.put_tag(fake.account.ecr, LOCAL, "web-abc", digest=digest)


def test_a_tag_that_is_another_images_stays_where_it_is(fake: FakeAccount) -> None:
    mine, other = fake.ecr.have("shop", "web-c1"), fake.ecr.have("shop", "web-c2", "web-abc")
    assert not registry.put_tag(fake.account.ecr, LOCAL, "web-abc", digest=mine)
    assert registry.present(fake.account.ecr, LOCAL, ("web-abc",)) == {"web-abc": other}


def test_a_registry_that_calls_the_same_tag_taken_is_asked_whose_it_is(fake: FakeAccount) -> None:
    digest = fake.ecr.have("shop", "web-c1", "web-abc")
    fake.ecr.refuse("put_image", "ImageTagAlreadyExistsException")
    assert registry.put_tag(fake.account.ecr, LOCAL, "web-abc", digest=digest)


def test_tagging_an_image_that_is_gone_or_not_allowed_is_an_error(fake: FakeAccount) -> None:
    digest = fake.ecr.have("shop", "web-c1")
    with pytest.raises(ImageError, match="is gone from the registry"):
        registry.put_tag(fake.account.ecr, LOCAL, "web-abc", digest=MISSING)
    fake.ecr.refuse("put_image", "AccessDeniedException")
    with pytest.raises(AwsError, match="AccessDeniedException"):
        registry.put_tag(fake.account.ecr, LOCAL, "web-abc", digest=digest)


def test_the_manifest_of_a_tag_is_what_was_pushed(fake: FakeAccount) -> None:
    digest = fake.ecr.have("shop", "a")
    found = registry.manifest(fake.account.ecr, LOCAL, "a")
    assert (found.digest, found.text) == (digest, fake.ecr.images["shop"][digest])
    with pytest.raises(ImageError, match="has no tag b"):
        registry.manifest(fake.account.ecr, LOCAL, "b")


def test_when_an_image_came_is_known_or_it_is_not_there(fake: FakeAccount) -> None:
    digest = fake.ecr.have("shop", "a")
    found = registry.pushed_at(fake.account.ecr, LOCAL, digest)
    assert found is not None
    assert found.timestamp() == fake.clock.time()
    assert registry.pushed_at(fake.account.ecr, LOCAL, MISSING) is None
    fake.ecr.refuse("describe_images", "AccessDeniedException")
    with pytest.raises(AwsError, match="AccessDeniedException"):
        registry.pushed_at(fake.account.ecr, LOCAL, digest)


def test_moto_agrees(moto_ecr: ECRClient) -> None:
    text = '{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "layers": []}'
    put = moto_ecr.put_image(repositoryName="shop", imageManifest=text, imageTag="web-c1")
    digest = put["image"]["imageId"]["imageDigest"]
    assert registry.present(moto_ecr, LOCAL, ("web-c1", "web-abc")) == {"web-c1": digest}
    assert registry.pushed_at(moto_ecr, LOCAL, digest) is not None
    assert registry.pushed_at(moto_ecr, LOCAL, MISSING) is None


# Moving tags


def test_a_tag_moves_to_another_image_and_the_former_one_keeps_its_content_tag(fake: FakeAccount) -> None:
    old, new = fake.ecr.have("shop", OLD, "web-latest"), fake.ecr.have("shop", NEW)
    assert registry.move_tag(fake.account.ecr, LOCAL, "web-latest", new)
    assert fake.ecr.tags["shop"] == {OLD: old, NEW: new, "web-latest": new}


def test_tags_that_are_where_they_belong_cost_one_look(fake: FakeAccount) -> None:
    web, job = fake.ecr.have("shop", NEW, "web-latest", "web-stg-latest"), fake.ecr.have("shop", "job-latest")
    wanted = {"web-latest": web, "web-stg-latest": web, "job-latest": job}
    assert registry.move_tags(fake.account.ecr, LOCAL, wanted) == ()
    assert fake.calls == {"ecr:BatchGetImage": 1}


def test_a_tag_that_nobody_has_is_put_without_taking_it_off_anything(fake: FakeAccount) -> None:
    new = fake.ecr.have("shop", NEW)
    assert registry.move_tag(fake.account.ecr, LOCAL, "web-latest", new)
    assert [one.operation for one in fake.writes] == ["put_image"]


def test_several_tags_are_taken_off_in_one_call(fake: FakeAccount) -> None:
    old, new = fake.ecr.have("shop", OLD, "web-latest", "web-stg-latest"), fake.ecr.have("shop", NEW)
    moved = registry.move_tags(fake.account.ecr, LOCAL, {"web-latest": new, "web-stg-latest": new})
    assert moved == ("web-latest", "web-stg-latest")
    assert fake.ecr.tags["shop"] == {OLD: old, NEW: new, "web-latest": new, "web-stg-latest": new}
    assert fake.wrote == ("batch_delete_image", "put_image", "put_image")


def test_an_image_that_only_has_the_moving_tag_is_not_lost(fake: FakeAccount) -> None:
    """ECR deletes an image with its last tag: it gets a name of its own before."""
    old, new = fake.ecr.have("shop", "web-latest"), fake.ecr.have("shop", NEW)
    registry.move_tag(fake.account.ecr, LOCAL, "web-latest", new)
    assert old in fake.ecr.images["shop"]
    assert fake.ecr.tags["shop"] == {f"kept-{old[7:19]}": old, NEW: new, "web-latest": new}


def test_an_image_whose_only_tags_all_move_at_once_is_not_lost_either(fake: FakeAccount) -> None:
    old, new = fake.ecr.have("shop", "web-latest", "web-stg-latest"), fake.ecr.have("shop", NEW)
    registry.move_tags(fake.account.ecr, LOCAL, {"web-latest": new, "web-stg-latest": new})
    assert f"kept-{old[7:19]}" in fake.ecr.tags["shop"]


class Rival(FakeEcr):
    """An ECR where somebody else puts the tag on *theirs* each time that we have taken it off, *rounds* times."""

    theirs, rounds = "", 0

    def batch_delete_image(self, **request: Any) -> Any:
        answer = super().batch_delete_image(**request)
        if self.rounds:
            self.rounds -= 1
            self.tags["shop"]["web-latest"] = self.theirs
        return answer


@pytest.fixture
def rival(fake: FakeAccount) -> Rival:
    fake.ecr = Rival(fake.clock, account_id=fake.account_id, region=fake.region, calls=fake.calls, log=fake.log)
    fake.ecr.have("shop", OLD, "web-latest")
    fake.ecr.theirs = fake.ecr.have("shop", OTHER)
    return fake.ecr


def test_somebody_elses_tag_in_between_is_seen_and_the_tag_moved_again(fake: FakeAccount, rival: Rival) -> None:
    new, rival.rounds = rival.have("shop", NEW), 1
    assert registry.move_tag(fake.account.ecr, LOCAL, "web-latest", new)
    assert rival.tags["shop"]["web-latest"] == new
    assert rival.theirs in rival.images["shop"]


def test_two_who_move_the_same_tag_for_ever_end_with_an_error(fake: FakeAccount, rival: Rival) -> None:
    new, rival.rounds = rival.have("shop", NEW), 99
    with pytest.raises(ImageError, match="somebody else moves web-latest at the same time"):
        registry.move_tag(fake.account.ecr, LOCAL, "web-latest", new)
    assert fake.calls["ecr:BatchDeleteImage"] == 3


def test_a_tag_does_not_leave_its_image_for_one_that_is_gone(fake: FakeAccount) -> None:
    old = fake.ecr.have("shop", OLD, "web-latest")
    with pytest.raises(ImageError, match="is gone from the registry"):
        registry.move_tag(fake.account.ecr, LOCAL, "web-latest", MISSING)
    assert fake.ecr.tags["shop"]["web-latest"] == old
    assert fake.wrote == ()


def test_a_tag_that_ecr_does_not_let_go_is_an_error(fake: FakeAccount) -> None:
    failed = {"imageId": {"imageTag": "web-latest"}, "failureCode": "KmsError", "failureReason": "the key is gone"}
    fake.ecr.have("shop", OLD, "web-latest")
    new = fake.ecr.have("shop", NEW)
    fake.ecr.batch_delete_image = lambda **_: {"imageIds": [], "failures": [failed]}  # type: ignore[method-assign]
    with pytest.raises(ImageError, match="web-latest could not be taken off its image: KmsError: the key is gone"):
        registry.move_tag(fake.account.ecr, LOCAL, "web-latest", new)


# The whole repository


def test_every_image_is_listed_a_thousand_a_page(fake: FakeAccount) -> None:
    tagged = [fake.ecr.have("shop", f"web-{number}") for number in range(2050)]
    fake.ecr.sizes[tagged[0]] = 77
    nameless = fake.ecr.have("shop", manifest='{"nameless": true}')
    found = registry.everything(fake.account.ecr, LOCAL)
    assert [one.digest for one in found] == [*tagged, nameless]
    assert (found[0].tags, found[0].size, found[-1].tags) == (("web-0",), 77, ())
    assert fake.calls == {"ecr:DescribeImages": 3}


def test_listing_a_missing_repository_says_what_makes_it(fake: FakeAccount) -> None:
    with pytest.raises(ContractError, match="localhost:4566/shop"):
        registry.everything(fake.account.ecr, LOCAL)


def test_images_are_deleted_a_hundred_a_call_and_what_ecr_keeps_is_told(fake: FakeAccount) -> None:
    gone = [fake.ecr.have("shop", f"web-{number}", f"tag-{number}") for number in range(150)]
    child = fake.ecr.have("shop")
    index = fake.ecr.have_index("shop", "job-1", children=(child,))
    failures = registry.delete(fake.account.ecr, LOCAL, (*gone, MISSING, child))
    assert failures == {child: "ImageReferencedByManifestList: the fake says so"}
    assert fake.ecr.images["shop"].keys() == {child, index}
    assert fake.ecr.tags["shop"] == {"job-1": index}
    assert fake.calls == {"ecr:BatchDeleteImage": 2}


def test_manifests_are_read_a_hundred_a_call(fake: FakeAccount) -> None:
    digests = [fake.ecr.have("shop", f"web-{number}") for number in range(101)]
    found = registry.manifests(fake.account.ecr, LOCAL, [*digests, MISSING])
    assert found.keys() == set(digests)
    assert fake.calls == {"ecr:BatchGetImage": 2}
