"""Nothing secret is in any output of a whole release, at any verbosity, nor in what it leaves behind."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from deploylib import config, events, report, secrecy
from deploylib.command import command
from deploylib.errors import DeployError
from deploylib.report import lines, progress, sentences
from tests.fakes import world as worlds
from tests.fakes.releases import proposed, ready
from tests.report.samples import every_kind

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from deploylib.release import Release
    from tests.fakes.world import World

SECRET = "hunter2"
ADDRESS = f"postgresql://app:{SECRET}@db.internal:5432/app"
LEAKS = (
    f"cannot connect to {ADDRESS}",
    f"DB_PASSWORD={SECRET}",
    f'{{"client_secret": "{SECRET}"}}',
    f"Authorization: Bearer {SECRET}",
)
TELLTALE = ("sh", "-c", f"echo API_TOKEN={SECRET}; echo {ADDRESS} >&2")


@pytest.fixture
def world() -> World:
    """Return a world whose template, migration, application and events all tell a secret."""
    made = worlds.world()
    spec = made.specs["web"]
    template = worlds.template_of(spec, made.repository)
    for one in template["containerDefinitions"]:
        one["environment"] = [
            {"name": "STRIPE_API_KEY", "value": SECRET},
            {"name": "DATABASE_URL", "value": ADDRESS},
            {"name": "OPTIONS", "value": f"--password={SECRET}"},
        ]
    made.apply("web", containerDefinitions=template["containerDefinitions"])
    made.ecs.behave(image=worlds.digest("web", 2), command=worlds.MIGRATE, exits=0, log=LEAKS)
    made.ecs.behave(image=worlds.digest("job", 2), exits=1, after_seconds=0.2, log=LEAKS)
    return made


@pytest.fixture
def release(world: World, tmp_path: Path) -> Release:
    return proposed(world, root=tmp_path, hooks=config.Hooks(before_deploy=TELLTALE, after_migrate=TELLTALE))


def everything(release: Release, **options: Any) -> None:
    """Show the plan and everything that happens, as the tasks do, to the failure that is expected."""
    from deploylib import release as releases  # noqa: PLC0415  # the name is the fixture's above

    report.plan(release.plan, output=options.get("output", "text"), console=options.get("console"))
    steps = releases.execute(release, ready(worlds.digests(2)))
    place = report.failure_file(release.environment.root, release.environment.name)
    kept = report.kept(steps, release.plan, place, clock=release.clock)
    with contextlib.suppress(DeployError):
        report.follow(kept, clock=release.clock, **options)
    assert place.is_file(), "the release did not fail, so the test shows nothing"


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("width", [40, 80, 100])
def test_no_page_has_a_secret(
    terminal: bool,  # noqa: FBT001  # a parameter of the case
    width: int,
    release: Release,
    screen: Callable[..., Any],
) -> None:
    page = screen(width=width, terminal=terminal)
    everything(release, console=page.console)
    assert SECRET not in page.file.getvalue()
    assert secrecy.HIDDEN in page.text
    assert "db.internal" in page.text.replace("\n", "")


def test_no_json_line_has_a_secret(release: Release, capsys: pytest.CaptureFixture[str]) -> None:
    everything(release, output="json")
    said = capsys.readouterr()
    assert SECRET not in said.out + said.err
    kinds = {json.loads(line)["event"] for line in said.out.splitlines()}
    assert {"Planned", "HookLogged", "MigrationLogged", "RolloutFailed", "Concluded"} <= kinds


def test_what_is_left_behind_has_no_secret(world: World, release: Release) -> None:
    everything(release, output="json")
    assert SECRET not in report.failure_file(release.environment.root, release.environment.name).read_text()
    assert SECRET not in repr(world.aws.dynamodb.tables)


@pytest.mark.parametrize("output", ["text", "json"])
def test_no_error_has_a_secret(output: str, capsys: pytest.CaptureFixture[str]) -> None:
    from invoke.exceptions import Exit  # noqa: PLC0415  # only here

    @command
    def failing(output: str = "text") -> None:
        error = DeployError(f"cannot connect to {ADDRESS}", hint=f"set TOKEN={SECRET}")
        error.add_note(f"DB_PASSWORD={SECRET}")
        raise error

    with pytest.raises(Exit) as ended:
        failing(output=output)
    said = capsys.readouterr()
    assert SECRET not in said.out + said.err + str(ended.value)
    assert "db.internal" in str(ended.value)


@pytest.mark.parametrize("event", every_kind(f"cannot connect to {ADDRESS}"), ids=lambda one: type(one).__name__)
def test_no_kind_of_event_can_tell_a_secret(
    event: events.Event, screen: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    shown = progress._shown(event, 1.0)
    page = screen(terminal=True)
    page.console.print(progress.transcript(iter((shown,))))
    assert SECRET not in page.text + sentences.sentence(shown) + json.dumps(lines.document(shown))
