"""A clean-up as a page and as a document."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import pytest

from deploylib import report
from deploylib.retention.local import Cleaned, LocalFate, LocalImage
from deploylib.retention.plan import Fate, Image, Prune
from deploylib.retention.repository import Pruned

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.report.conftest import StoppedClock

REPOSITORY = "111111111111.dkr.ecr.ap-northeast-1.amazonaws.com/guestbook"


def image(digest: str, age: float, *tags: str) -> Image:
    return Image(
        digest=f"sha256:{digest * 64}",
        tags=tags,
        pushed_at=dt.datetime.fromtimestamp(1000 - age, dt.UTC),
        size=12_345_678,
    )


STAYS = Fate(
    image=image("a", 90, "web-c3f2a9c1d04be", "web-3f2a9c1d04be", "web-stg-latest"),
    stays=True,
    reasons=("guestbook-stg-web runs it", "release 12", "number 1 of the newest 10 of web"),
)
GOES = Fate(image=image("b", 3 * 86400, "web-c1f2a9c1d04be"), stays=False, reasons=("unused, 10 newer of web",))
PLAN = Prune(environment="stg", repository=REPOSITORY, fates=(STAYS, GOES), notices=("job: sha256:cc is not there",))
LOCAL = LocalImage(
    id="sha256:" + "d" * 64,
    role="web",
    names=("localhost:4566/guestbook:web-1", f"localhost:4566/guestbook@sha256:{'e' * 64}"),
    created=1000 - 7200,
    size=231_400_000,
)


def test_the_page_says_of_each_image_what_becomes_of_it_and_why(
    screen: Callable[..., Any], clock: StoppedClock
) -> None:
    page = screen()
    report.prune(PLAN, console=page.console, clock=clock)
    rows = [" ".join(line.split()) for line in page.lines]
    assert "bbbbbbbbbbbb web-c1f2a9c1d04be 3 d 12.3 MB remove unused, 10 newer of web" in rows
    (first,) = [row for row in rows if row.startswith("aaaaaaaaaaaa ")]
    assert first.endswith(" 1 min 12.3 MB keep guestbook-stg-web runs it")
    assert "! job: sha256:cc is not there" in page.text
    assert "Plan: 1 image to remove (12.3 MB), 1 to keep" in page.text
    assert "release 12" in page.text


@pytest.mark.parametrize("width", [80, 100])
def test_the_page_fits(screen: Callable[..., Any], clock: StoppedClock, width: int) -> None:
    page = screen(width=width)
    long = Fate(image=image("c", 5, "x" * 128, "y" * 60), stays=True, reasons=("reason " * 30, "z" * 200))
    report.prune(
        Prune(environment="stg", repository=REPOSITORY, fates=(long, STAYS)), console=page.console, clock=clock
    )
    local = LocalFate(image=LOCAL, stays=True, reasons=("container-name " * 9,))
    report.clean("guestbook", (local,), console=page.console, clock=clock)
    assert page.widest <= width


def test_nothing_to_remove_says_so(screen: Callable[..., Any], clock: StoppedClock) -> None:
    page = screen()
    report.prune(Prune(environment="stg", repository=REPOSITORY, fates=(STAYS,)), console=page.console, clock=clock)
    assert "Nothing to remove; 1 image stays" in page.text


def test_the_document_has_every_image_with_every_reason(capsys: pytest.CaptureFixture[str]) -> None:
    report.prune(PLAN, output="json")
    found = json.loads(capsys.readouterr().out)
    assert (found["event"], found["environment"], found["repository"]) == ("PrunePlanned", "stg", REPOSITORY)
    assert [(one["stays"], one["reasons"]) for one in found["images"]] == [
        (True, list(STAYS.reasons)),
        (False, list(GOES.reasons)),
    ]
    assert (found["images"][1]["pushed_at"], found["size"]) == ("1969-12-29T00:16:40+00:00", 12_345_678)


def test_what_was_removed_and_what_stays_after_all_is_told(
    screen: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    done = Pruned(removed=(GOES.image,), spared={STAYS.image.digest: "web runs it"})
    page = screen()
    report.pruned(done, console=page.console)
    assert "! aaaaaaaaaaaa stays after all: web runs it" in page.text
    assert "Removed: 1 image, 12.3 MB" in page.text
    report.pruned(done, output="json")
    found = json.loads(capsys.readouterr().out)
    assert found == {
        "event": "Pruned",
        "removed": [GOES.image.digest],
        "size": 12_345_678,
        "spared": {STAYS.image.digest: "web runs it"},
    }


def test_this_machines_images_are_known_by_their_tags(
    screen: Callable[..., Any], clock: StoppedClock, capsys: pytest.CaptureFixture[str]
) -> None:
    page, fate = screen(), LocalFate(image=LOCAL, stays=False, reasons=("unused, 1 newer of web",))
    report.clean("guestbook", (fate,), console=page.console, clock=clock)
    rows = [" ".join(line.split()) for line in page.lines]
    assert "dddddddddddd web-1 2 h 231.4 MB remove unused, 1 newer of web" in rows
    report.clean("guestbook", (fate,), output="json")
    (found,) = json.loads(capsys.readouterr().out)["images"]
    assert (found["names"], found["stays"]) == (list(LOCAL.names), False)


def test_what_was_freed_here_is_told(screen: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    done = Cleaned(removed=("sha256:1",), spared=("sha256:2",), size=5000)
    page = screen()
    report.cleaned_up(done, console=page.console)
    assert "Removed: 1 image, 5.0 kB freed" in page.text
    assert "! 2 stays after all" in page.text
    report.cleaned_up(done, output="json")
    assert json.loads(capsys.readouterr().out)["size"] == 5000


def test_what_was_removed_is_told_when_the_engine_did_not_count(screen: Callable[..., Any]) -> None:
    page = screen()
    report.cleaned_up(Cleaned(removed=("sha256:1",), spared=(), size=None), console=page.console)
    assert page.text.strip() == "Removed: 1 image"
