from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from deploylib import report
from deploylib.images.planning import ImagePlan
from deploylib.ledger import Entry
from deploylib.patience import Limit
from deploylib.plan import Origin

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploylib.plan import Plan, ServicePlan
    from deploylib.schedules import SchedulePlan
    from deploylib.taskdef import Difference

REGISTRY = "123456789012.dkr.ecr.ap-northeast-1.amazonaws.com/guestbook"


@pytest.fixture
def shown(
    screen: Callable[..., Any], plan: Callable[..., Plan], service: Callable[..., ServicePlan]
) -> Callable[..., list[str]]:
    """Return the lines of a page about one service with these differences."""

    def show(*differences: Difference, width: int = 100) -> list[str]:
        page = screen(width=width)
        report.plan(plan(services=(service("web", differences=differences),)), console=page.console)
        return [line.strip() for line in page.lines]

    return show


def test_a_plan_says_where_what_and_why(screen: Callable[..., Any], plan: Callable[..., Plan]) -> None:
    page = screen()
    report.plan(plan(), console=page.console)
    assert "guestbook → stg  account 123456789012  ap-northeast-1" in page.lines
    assert "commit 3f2a9c1d04be  release 20261121-3f2a9c1" in page.lines
    words = [line.split() for line in page.lines]
    assert ["base", "reuse", "same", "content", "base-1a2b3c4d5e6f"] in words
    assert ["web", "build", "src/web.py", "changed", "web-3f2a9c1d04be"] in words
    assert ["web/app", "run", "alembic", "upgrade", "head", "at", "most", "10", "min"] in words
    assert ["web", "update", "new", "image"] in words
    assert ["job", "keep", "runs", "these", "images", "already"] in words
    assert "Plan: 1 image to build, a migration to run, 1 service to update" in page.lines


def test_a_page_that_is_no_terminal_has_no_escape_and_no_blank_at_the_end_of_a_line(
    screen: Callable[..., Any], plan: Callable[..., Plan]
) -> None:
    page = screen()
    report.plan(plan(), console=page.console)
    assert "\x1b" not in page.file.getvalue()
    assert not [line for line in page.file.getvalue().splitlines() if line != line.rstrip()]


def test_a_terminal_gets_colours(screen: Callable[..., Any], plan: Callable[..., Plan]) -> None:
    page = screen(terminal=True)
    report.plan(plan(), console=page.console)
    assert "\x1b[" in page.file.getvalue()


def test_a_promotion_says_from_where_and_which_release(screen: Callable[..., Any], plan: Callable[..., Plan]) -> None:
    page = screen()
    image = ImagePlan(image="web", action="promote", reason="from stg, release 12", tags=("web-c1",), digest="sha256:1")
    report.plan(plan(images=(image,), origin=Origin(environment="stg", release=12)), console=page.console)
    assert "commit 3f2a9c1d04be  from stg, release 12  release 20261121-3f2a9c1" in page.lines
    assert ["web", "promote", "from", "stg,", "release", "12", "web-c1"] in [line.split() for line in page.lines]
    assert "Plan: 1 image to promote, a migration to run, 1 service to update" in page.lines


def test_what_runs_unrecorded_is_said(
    screen: Callable[..., Any], plan: Callable[..., Plan], service: Callable[..., ServicePlan]
) -> None:
    page = screen()
    kept = (service("web", action="unchanged"),)
    report.plan(plan(images=(), migration=None, services=kept, unrecorded=True), console=page.console)
    assert "Plan: what runs to be recorded" in page.lines


def test_uncommitted_changes_are_said(screen: Callable[..., Any], plan: Callable[..., Plan]) -> None:
    page = screen()
    report.plan(plan(dirty=True), console=page.console)
    assert "with uncommitted changes" in page.text


def test_nothing_to_do_is_three_lines(
    screen: Callable[..., Any], plan: Callable[..., Plan], service: Callable[..., ServicePlan]
) -> None:
    page = screen()
    kept = tuple(service(key, action="unchanged") for key in ("web", "job"))
    report.plan(plan(images=(), migration=None, services=kept), console=page.console)
    assert [line for line in page.lines if line] == [
        "guestbook → stg  account 123456789012  ap-northeast-1",
        "commit 3f2a9c1d04be",
        "Nothing to do: web, job run this already",
    ]


def test_notices_are_shown_even_when_there_is_nothing_to_do(
    screen: Callable[..., Any], plan: Callable[..., Plan], service: Callable[..., ServicePlan]
) -> None:
    page = screen()
    kept = (service("web", action="unchanged"),)
    report.plan(plan(images=(), migration=None, services=kept, notices=("web: its count is 0",)), console=page.console)
    assert "! web: its count is 0" in page.lines


def test_a_first_release_says_how_many_tasks_it_asks_for(
    screen: Callable[..., Any], plan: Callable[..., Plan], service: Callable[..., ServicePlan]
) -> None:
    page = screen()
    report.plan(plan(services=(service("web", reason="first release", desired_count=1),)), console=page.console)
    assert "first release, 1 task" in page.text


def test_a_scaling_says_its_counts_once(
    screen: Callable[..., Any], plan: Callable[..., Plan], service: Callable[..., ServicePlan]
) -> None:
    page = screen()
    scaled = (service("web", action="scale", reason="2 → 5 tasks", desired_count=5),)
    report.plan(plan(action="scale", migration=None, images=(), services=scaled), console=page.console)
    assert ["web", "scale", "2", "→", "5", "tasks"] in [line.split() for line in page.lines]
    assert "Plan: 1 service to scale" in page.lines


def test_a_rollout_under_way_is_followed(
    screen: Callable[..., Any], plan: Callable[..., Plan], service: Callable[..., ServicePlan]
) -> None:
    page = screen()
    report.plan(plan(migration=None, images=(), services=(service("web", action="attach"),)), console=page.console)
    assert "Plan: 1 rollout to follow" in page.lines


def test_an_image_that_only_lacks_a_tag_gets_it(screen: Callable[..., Any], plan: Callable[..., Plan]) -> None:
    page = screen()
    image = ImagePlan(image="web", action="reuse", reason="same", tags=("c", "t"), missing_tags=("t",), digest="d")
    report.plan(plan(images=(image,), migration=None), console=page.console)
    assert "same; gets the tag t" in page.text


def test_a_tag_that_names_other_content_is_told(screen: Callable[..., Any], plan: Callable[..., Plan]) -> None:
    page = screen()
    image = ImagePlan(image="web", action="build", reason="new", tags=("web-c1",), taken_tags=("web-3f2a",))
    report.plan(plan(images=(image,), migration=None), console=page.console)
    assert "new; web-3f2a names an earlier build of this commit and stays there" in " ".join(page.text.split())


LIMIT = Limit(seconds=720.0, why=("90 s to place a task", "300 s of deregistration delay", "twice the sum"))


def test_what_to_expect_of_a_service_stands_below_it(
    screen: Callable[..., Any], plan: Callable[..., Plan], service: Callable[..., ServicePlan]
) -> None:
    page = screen()
    web = service("web", desired=2, running=1, after=("api", "auth"), limit=LIMIT)
    report.plan(plan(services=(web, service("job", action="unchanged", limit=LIMIT))), console=page.console)
    at = page.lines.index("  web      update   new image")
    text = " ".join(" ".join(page.lines[at + 1 : at + 3]).split())
    assert text.startswith("1 of 2 tasks running; after api, auth; at most 12 min (90 s to place a task, 300 s of")
    assert page.text.count("at most 12 min") == 1


def test_a_scheduled_task_that_moves_is_shown(
    screen: Callable[..., Any], plan: Callable[..., Plan], schedule: Callable[..., SchedulePlan]
) -> None:
    page = screen()
    given = (schedule(), schedule("report", action="unchanged", reason="starts this already", state="DISABLED"))
    report.plan(plan(schedules=given), console=page.console)
    assert ["cleanup", "update", "new", "image"] in [line.split() for line in page.lines]
    assert ["report", "keep", "starts", "this", "already,", "stays", "stopped"] in [line.split() for line in page.lines]
    assert page.lines[-2].endswith("1 service to update, 1 schedule to move")


def test_a_rollback_says_to_which_release(
    screen: Callable[..., Any], plan: Callable[..., Plan], service: Callable[..., ServicePlan]
) -> None:
    page = screen()
    back = (service("web", action="restore", reason="as in release 41", revision="arn/web:11"),)
    report.plan(plan(action="rollback", restores=41, images=(), migration=None, services=back), console=page.console)
    assert "back to release 41" in page.lines
    assert "Plan: 1 service to restore" in page.lines


def test_a_narrow_page_leaves_out_what_has_no_place(screen: Callable[..., Any], plan: Callable[..., Plan]) -> None:
    page = screen(width=50)
    report.plan(plan(), console=page.console)
    assert ["web", "build", "src/web.py", "changed"] in [line.split() for line in page.lines]
    assert page.widest <= 50


def test_a_plan_says_what_it_goes_on_from(screen: Callable[..., Any], plan: Callable[..., Plan]) -> None:
    page = screen()
    by = "arn:aws:sts::123456789012:assumed-role/deploy/alice"
    left = Entry(release="r", commit="c", environment="stg", number=42, phase="migrating", by=by)
    migration = plan().migration
    assert migration is not None
    migrated = replace(migration, done_by=42)
    report.plan(plan(continues=left, migration=migrated), console=page.console)
    assert "goes on from release 42, which assumed-role/deploy/alice left unfinished while migrating" in page.lines
    assert any("alembic upgrade head  release 42 ran it with this image" in line for line in page.lines)
    assert "Plan: 1 image to build, 1 service to update" in page.lines


def test_a_migration_that_cannot_be_undone_is_marked(screen: Callable[..., Any], plan: Callable[..., Plan]) -> None:
    page = screen()
    report.plan(plan(irreversible=True), console=page.console)
    assert "cannot be undone by going back" in page.text


def test_a_short_change_stands_on_one_line(
    shown: Callable[..., list[str]], difference: Callable[..., Difference]
) -> None:
    assert "~ app.environment.GREETING  Hello → Good morning" in shown(
        difference("app.environment.GREETING", "Hello", "Good morning")
    )


def test_what_is_new_and_what_goes_have_their_signs(
    shown: Callable[..., list[str]], difference: Callable[..., Difference]
) -> None:
    lines = shown(difference("app.environment.A", None, "1"), difference("app.environment.B", "2", None))
    assert "+ app.environment.A  1" in lines
    assert "- app.environment.B  2" in lines


def test_images_are_shortened_to_name_and_digest(
    shown: Callable[..., list[str]], difference: Callable[..., Difference]
) -> None:
    old, new = f"{REGISTRY}@sha256:{'a' * 64}", f"{REGISTRY}:web-3f2a9c1d04be"
    lines = shown(difference("app.image", old, new))
    assert "~ app.image  guestbook@sha256:aaaaaaaaaaaa → guestbook:web-3f2a9c1d04be" in lines


def test_images_are_not_shortened_to_the_same_text(
    shown: Callable[..., list[str]], difference: Callable[..., Difference]
) -> None:
    lines = shown(difference("app.image", "one.example.com/guestbook:1", "two.example.com/guestbook:1"))
    assert "~ app.image  one.example.com/guestbook:1 → two.example.com/guestbook:1" in lines


def test_long_values_are_cut_where_the_difference_is_seen(
    shown: Callable[..., list[str]], difference: Callable[..., Difference]
) -> None:
    lines = shown(difference("app.command", ["x" * 300, "--timeout", "30"], ["x" * 300, "--timeout", "60"]))
    assert any(line.startswith("- …") and line.endswith('"30"]') for line in lines)
    assert any(line.startswith("+ …") and line.endswith('"60"]') for line in lines)


def test_secrets_are_shown_by_the_name_of_their_reference(
    shown: Callable[..., list[str]], difference: Callable[..., Difference]
) -> None:
    arn = "arn:aws:secretsmanager:ap-northeast-1:123456789012:secret:"
    lines = shown(difference("app.secrets.API_KEY", f"{arn}old-AbCdEf", f"{arn}new-AbCdEf"))
    assert "~ app.secrets.API_KEY  old-AbCdEf → new-AbCdEf" in lines


@pytest.mark.parametrize("name", ["DATABASE_PASSWORD", "STRIPE_API_KEY", "githubToken", "SECRET", "SIGNING_KEY"])
@pytest.mark.parametrize("output", ["text", "json"])
def test_a_variable_that_is_named_like_a_secret_is_hidden(  # noqa: PLR0917  # fixtures
    name: str,
    output: str,
    screen: Callable[..., Any],
    plan: Callable[..., Plan],
    service: Callable[..., ServicePlan],
    difference: Callable[..., Difference],
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = screen()
    changed = (
        difference(f"app.environment.{name}", "hunter2", "hunter3"),
        difference("sidecar", None, {"image": "otel:1", "environment": {name: "hunter4"}}),
        difference("app.environment.URL", "postgres://me:hunter5@db/x", "postgres://me:hunter6@db/x"),
        difference("job.environment", None, {name: "hunter7"}),
        difference("nginx.environment", None, [{"name": name, "value": "hunter8"}, {"name": name, "value": "hunter9"}]),
    )
    report.plan(plan(services=(service("web", differences=changed),)), output=output, console=page.console)
    said = page.text + capsys.readouterr().out
    assert "hunter" not in said
    assert said.count("(hidden)") >= 3


def test_other_variables_are_not_hidden(shown: Callable[..., list[str]], difference: Callable[..., Difference]) -> None:
    lines = shown(difference("app.environment.KEYBOARD", "us", "jp"), difference("app.environment.MONKEY", "a", "b"))
    assert "~ app.environment.KEYBOARD  us → jp" in lines
    assert "~ app.environment.MONKEY  a → b" in lines


@pytest.mark.parametrize("width", [80, 100])
@pytest.mark.parametrize("terminal", [True, False])
def test_no_line_is_too_wide_for_nasty_input(  # noqa: PLR0917  # fixtures
    width: int,
    terminal: bool,  # noqa: FBT001  # a parameter of the case
    screen: Callable[..., Any],
    plan: Callable[..., Plan],
    service: Callable[..., ServicePlan],
    difference: Callable[..., Difference],
    schedule: Callable[..., SchedulePlan],
) -> None:
    long = "long-name-" * 25
    services = tuple(
        service(
            f"{long}{number}",
            reason="a reason 理由 " * 30,
            after=(long,),
            limit=Limit(seconds=1e5, why=(long, long)),
            differences=(
                difference(f"{long}.environment.{long}", "旧" * 200, "新" * 200),
                difference(f"app.environment.{long}", None, {"a": ["b" * 300]}),
                difference("app.image", long, None),
            ),
        )
        for number in range(10)
    )
    images = (ImagePlan(image=long, action="build", reason=long * 3, tags=(long,), missing_tags=(long, long)),)
    page = screen(width=width, terminal=terminal)
    schedules = (schedule(long, reason=long),)
    given = plan(services=services, images=images, schedules=schedules, notices=("notice " * 60,))
    report.plan(given, console=page.console)
    assert page.widest <= width


def test_text_from_outside_cannot_steer_the_terminal(screen: Callable[..., Any], plan: Callable[..., Plan]) -> None:
    page = screen()
    image = ImagePlan(image="web", action="build", reason="\x1b]0;owned\x07\x1b[2J[red]changed", tags=("t",))
    report.plan(plan(images=(image,)), console=page.console)
    assert "\x1b" not in page.file.getvalue()
    assert "[red]changed" in page.text


def test_json_is_one_document_on_one_line(plan: Callable[..., Plan], capsys: pytest.CaptureFixture[str]) -> None:
    report.plan(plan(), output="json")
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    document = json.loads(said)
    assert document["event"] == "Planned"
    assert document["nothing_to_do"] is False
    assert document["images"][1]["tag"] == "web-3f2a9c1d04be"
    assert document["migration"]["command"] == ["alembic", "upgrade", "head"]
    assert [one["action"] for one in document["services"]] == ["update", "unchanged"]
