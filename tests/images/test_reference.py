from __future__ import annotations

import string

import botocore.loaders
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploylib.errors import ConfigError
from deploylib.images.reference import LONGEST_NAME, Reference, parse

DIGEST = "sha256:" + "0a" * 32
HEX = "0123456789abcdefABCDEF"

labels = st.from_regex(r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,8}[a-zA-Z0-9])?", fullmatch=True)
ports = st.one_of(st.just(""), st.integers(1, 65535).map(":{}".format))
names = st.lists(labels, min_size=2, max_size=4).map(".".join)
domains = st.one_of(
    st.just(""),
    st.tuples(st.one_of(st.just("localhost"), names, st.just("[2001:db8::1]")), ports).map("".join),
)
alphanumeric = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=6)
separators = st.one_of(st.sampled_from([".", "_", "__", "-", "--", "---"]))
components = st.tuples(alphanumeric, st.lists(st.tuples(separators, alphanumeric).map("".join), max_size=3)).map(
    lambda parts: parts[0] + "".join(parts[1])
)
paths = (
    st.lists(components, min_size=1, max_size=4).map("/".join).filter(lambda path: not path.startswith("localhost/"))
)
word = string.ascii_letters + string.digits + "_"
tags = st.one_of(st.just(""), st.tuples(st.sampled_from(word), st.text(word + ".-", max_size=127)).map("".join))
digests = st.one_of(
    st.just(""),
    st.tuples(st.sampled_from(["sha256", "sha512", "md5", "a+b.c-d_e"]), st.text(HEX, min_size=32, max_size=64)).map(
        ":".join
    ),
)


@st.composite
def references(draw: st.DrawFn) -> Reference:
    domain, path = draw(domains), draw(paths)
    if not domain and "." in path.split("/")[0] and "/" in path:
        path = path.replace("/", "-")  # its first component would be a domain
    return Reference(domain=domain, path=path, tag=draw(tags), digest=draw(digests))


@given(references())
def test_what_is_written_is_read_back(reference: Reference) -> None:
    assert parse(str(reference)) == reference


@given(st.text(string.printable + "äٳ", max_size=40))
def test_whatever_is_read_is_written_back_and_anything_else_is_a_configuration_error(text: str) -> None:
    try:
        reference = parse(text)
    except ConfigError:
        return
    assert str(reference) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("app", Reference(path="app")),
        ("app:5000", Reference(path="app", tag="5000")),
        ("host:5000/app", Reference(domain="host:5000", path="app")),
        ("localhost/app", Reference(domain="localhost", path="app")),
        ("localhost:4566/team/my_app:v1", Reference(domain="localhost:4566", path="team/my_app", tag="v1")),
        ("library/app", Reference(path="library/app")),
        ("a.b/c/d__e/f--g:T_1.x", Reference(domain="a.b", path="c/d__e/f--g", tag="T_1.x")),
        (f"repo@{DIGEST}", Reference(path="repo", digest=DIGEST)),
        (f"host:1/app:tag@{DIGEST}", Reference(domain="host:1", path="app", tag="tag", digest=DIGEST)),
        ("[::1]:5000/app", Reference(domain="[::1]:5000", path="app")),
        ("sub-dom1.foo.com/bar/baz/quux", Reference(domain="sub-dom1.foo.com", path="bar/baz/quux")),
        ("0" * 63, Reference(path="0" * 63)),
        ("registry.com:8080/" + "a" * 64, Reference(domain="registry.com:8080", path="a" * 64)),
    ],
)
def test_references_of_every_shape_are_taken_apart_at_the_right_place(text: str, expected: Reference) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "'' is no path"),
        ("Uppercase:tag", "'Uppercase' is no path"),
        ("Uppercase/lowercase", "'Uppercase/lowercase' is no path"),
        ("a//b", "no path"),
        ("a/", "no path"),
        ("/a", "no path"),
        ("a___b", "no path"),
        ("a..b", "no path"),
        ("-a", "no path"),
        ("a:", "'' is no tag"),
        ("a:-b", "'-b' is no tag"),
        ("a:b:c", "'b:c' is no tag"),
        ("a:" + "b" * 129, "no tag"),
        ("a@", "'' is no digest"),
        ("a@sha256:ff", "'sha256:ff' is no digest"),
        (f"a@{DIGEST}@{DIGEST}", "no digest"),
        ("a\n", "no path"),
        ("a:b\n", "no tag"),
        ("a٣", "no path"),
        ("ho_st.com/a", "'ho_st.com' is no registry"),
        ("-test.com/a", "no registry"),
        ("[fe80::1%25eth0]/a", "no registry"),
        ("https://a.b/c", "no registry"),
        ("a" * 256, "longer than 255"),
        ("0" * 64, "identifier"),
    ],
)
def test_a_text_outside_the_grammar_is_refused_with_the_part_that_breaks_it(text: str, part: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert part in str(caught.value)


@pytest.mark.parametrize(
    "host",
    [
        "111111111111.dkr.ecr.ap-northeast-1.amazonaws.com",
        "111111111111.dkr.ecr.cn-north-1.amazonaws.com.cn",
        "111111111111.dkr.ecr-fips.us-gov-west-1.amazonaws.com",
        "111111111111.dkr.ecr.us-iso-east-1.c2s.ic.gov",
        "111111111111.dkr.ecr.us-isob-east-1.sc2s.sgov.gov",
        "111111111111.dkr.ecr.eu-isoe-west-1.cloud.adc-e.uk",
        "111111111111.dkr.ecr.eusc-de-east-1.amazonaws.eu",
        "111111111111.dkr-ecr.us-west-2.on.aws",
    ],
)
def test_an_ecr_host_of_any_partition_says_its_account(host: str) -> None:
    assert parse(f"{host}/team/app").registry_id == "111111111111"


def regions() -> list[tuple[str, str]]:
    """Return each region that the SDK knows with the suffixes of its partition's host names."""
    partitions = botocore.loaders.create_loader().load_data("partitions")["partitions"]
    return [
        (region, one["outputs"][suffix])
        for one in partitions
        for region in one["regions"]
        for suffix in ("dnsSuffix", "dualStackDnsSuffix")
        if not region.endswith("-global")
    ]


@given(st.text(string.digits, min_size=12, max_size=12), st.sampled_from(regions()), paths, tags, digests)
def test_an_ecr_reference_of_every_region_is_read_back_and_says_its_account(
    account: str, place: tuple[str, str], path: str, tag: str, digest: str
) -> None:
    region, suffix = place
    host = (
        f"{account}.dkr-ecr.{region}.{suffix}" if suffix.endswith("on.aws") else f"{account}.dkr.ecr.{region}.{suffix}"
    )
    wanted = Reference(domain=host, path=path, tag=tag, digest=digest)
    assert parse(str(wanted)) == wanted
    assert parse(str(wanted)).registry_id == account


@given(references())
def test_a_completed_reference_is_complete_and_stays_as_it_is(reference: Reference) -> None:
    found = reference.normalised
    assert found.domain
    assert found.tag or found.digest
    assert found.normalised == found
    if len(found.repository) <= LONGEST_NAME:
        assert parse(str(found)) == found


@pytest.mark.parametrize("host", ["localhost:4566", "registry.example.com", "x111111111111.dkr.ecr.a.amazonaws.com"])
def test_another_registry_says_no_account(host: str) -> None:
    assert parse(f"{host}/app").registry_id == ""


def test_at_names_another_image_of_the_same_repository() -> None:
    reference = parse(f"host:1/app:old@{DIGEST}")
    assert str(reference.at(tag="new")) == "host:1/app:new"
    assert str(reference.at(digest=DIGEST)) == f"host:1/app@{DIGEST}"
