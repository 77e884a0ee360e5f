"""The infrastructure beside one plan: drift, several environments side by side, where one of them stands."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from deploylib.infra.changes import Action, Changes
from deploylib.report import infrastructure, lines
from deploylib.report.console import cleaned, results, say, shortened, show

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.console import Console, RenderableType

    from deploylib.errors import DeployError
    from deploylib.infra.diagnostics import Lock
    from deploylib.infra.saved import Basis
    from deploylib.infra.state import Position
    from deploylib.standing import Standing

    Found = Mapping[str, Changes | DeployError]

NAMED_PATHS = 3
LEAST_WIDTH = 12
NO_DRIFT = "No drift: what is there is what Terraform made"


def drift(found: Changes, *, environment: str, output: str = "text", console: Console | None = None) -> None:
    """Print what differs from the state: behind Terraform's back, and, apart from that, by deploys and scaling."""
    if output == "json":
        document = {key: infrastructure.to_json(found)[key] for key in ("drift", "deployed", "warnings")}
        lines.write({"event": "DriftFound", "environment": environment, **document})
        return
    console = console or results()
    show(Group(*_drift_page(found, console.width)), console)


def _drift_page(found: Changes, width: int) -> Iterator[Text]:
    for title, style, objects in (
        ("Changed behind Terraform's back", "bold red", found.drift),
        ("Changed by deploys and scaling, as it should be", "bold", found.deployed),
    ):
        if objects:
            yield Text(title, style=style)
            yield from (line for one in objects for line in infrastructure.drifted(one, width))
    yield from infrastructure.warnings(found)
    count = len(found.drift)
    objects_said = "1 object" if count == 1 else f"{count} objects"
    yield Text(f"Drift: {objects_said}", style="bold red") if count else Text(NO_DRIFT, style="bold green")


# --- several environments ---------------------------------------------------------------------------------------------


def side_by_side(found: Found, *, output: str = "text", console: Console | None = None) -> None:
    """Print the plans of several environments: a row for each object that changes in any of them, then the counts.

    Where one failed its column says so, and the reason stands below. A machine gets a document for each environment.
    """
    if output == "json":
        for name, one in found.items():
            lines.write({**_outcome(one), "environment": name})
        return
    console = console or results()
    show(_matrix(found, console.width), console)


def _outcome(found: Changes | DeployError) -> dict[str, Any]:
    if isinstance(found, Changes):
        return infrastructure.to_json(found)
    return {"event": "PlanFailed", "error": type(found).__name__, "message": str(found), "hint": found.hint}


def _matrix(found: Found, width: int) -> RenderableType:
    plans = {name: one for name, one in found.items() if isinstance(one, Changes)}
    actions = {name: {one.address: one.action for one in plan.changes} for name, plan in plans.items()}
    drawn = infrastructure.counting_table("", found)
    widest = max(LEAST_WIDTH, width - sum(max(len(name), len("replace")) + 2 for name in found) - 4)
    for address in _addresses(list(plans.values())):
        cells = [_cell(actions[name].get(address)) if name in plans else _failed() for name in found]
        drawn.add_row(Text(shortened(cleaned(address), widest)), *cells)
    for action in Action:
        if action in infrastructure.ALWAYS_COUNTED or any(plan.counts[action] for plan in plans.values()):
            drawn.add_row(Text(f"to {action}", style="bold"), *(_counted(one, action) for one in found.values()))
    return Group(drawn, *(_reason(name, one) for name, one in found.items() if not isinstance(one, Changes)))


def _addresses(plans: Sequence[Changes]) -> list[str]:
    """Return every address that changes anywhere, once; those first that are destroyed anywhere."""
    every = [one for plan in plans for one in infrastructure.worst_first(plan)]
    destroyed = {one.address for one in every if one.destroys}
    return sorted(dict.fromkeys(one.address for one in every), key=lambda address: address not in destroyed)


def _cell(action: Action | None) -> Text:
    if action is None:
        return Text(infrastructure.NONE, style="dim")
    return Text(action, style=infrastructure.SIGNS[action][1])


def _counted(found: Changes | DeployError, action: Action) -> Text:
    return infrastructure.count(found.counts[action], action) if isinstance(found, Changes) else _failed()


def _failed() -> Text:
    return Text("failed", style="red")


def _reason(name: str, error: Changes | DeployError) -> Text:
    said = cleaned(str(error), keep_lines=True).removeprefix(f"{name}: ")
    return Text.assemble((f"{name}: ", "bold red"), said)


# --- where it stands --------------------------------------------------------------------------------------------------


def status(
    environment: str,
    services: Sequence[Standing],
    position: Position,
    *,
    lock: Lock | None = None,
    waiting: Basis | None = None,
    output: str = "text",
    console: Console | None = None,
) -> None:
    """Print where the state stands, who works on it, which plan waits, and which templates wait for a deploy."""
    if output == "json":
        lines.write(
            {
                "event": "InfrastructureStatus",
                "environment": environment,
                "state": dataclasses.asdict(position),
                "lock": dataclasses.asdict(lock) if lock else None,
                "saved": infrastructure.basis_document(waiting),
                "services": [dataclasses.asdict(one) for one in services],
            }
        )
        return
    held = [Text(one, style="yellow") for one in _held(environment, lock)]
    kept = [Text(f"The plan of {waiting.made} waits: inv infra.apply --env {environment}")] if waiting else []
    told = [Text(one, style="yellow") for one in _told(environment, services)]
    stands = Text(f"State: serial {position.serial}, written {position.written or 'never'}")
    show(Group(_services(services), stands, *held, *kept, *told), console or results())


def _held(environment: str, lock: Lock | None) -> list[str]:
    if lock is None:
        return []
    return [
        f"Locked by {lock.who} since {lock.created} ({lock.operation})",
        f"only when that run is dead: inv infra.unlock --env {environment} --lock {lock.id}",
    ]


def _services(services: Sequence[Standing]) -> Table:
    drawn = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for column in ("service", "tasks", "commit", "runs", "Terraform says"):
        drawn.add_column(column, overflow="fold")
    for one in services:
        tasks, commit = one.state or f"{one.running}/{one.desired}", one.commit[:12] or "-"
        drawn.add_row(one.service, tasks, commit, one.revision, f"{one.template}{' (waits)' if one.waits else ''}")
    return drawn


def pending(
    environment: str, services: Sequence[Standing], *, output: str = "text", console: Console | None = None
) -> None:
    """Print which templates wait for a deploy, and the command for it; a machine gets a line when there are any."""
    told = _told(environment, services)
    if output == "json" and told:
        documents = [dataclasses.asdict(one) for one in services]
        lines.write({"event": "TemplatesWait", "environment": environment, "services": documents})
    elif told:
        say("\n".join(told), console=console)


def _told(environment: str, services: Sequence[Standing]) -> list[str]:
    waiting = [one for one in services if one.waits and one.released]
    told = [f"{one.service}: {one.template} waits for a deploy ({_named(one.waits)})" for one in waiting]
    return [*told, f"the running tasks get it with: inv deploy --env {environment}"] if told else []


def _named(paths: Sequence[str]) -> str:
    rest = len(paths) - NAMED_PATHS
    return ", ".join([*map(cleaned, paths[:NAMED_PATHS]), *([f"{rest} more"] if rest > 0 else [])])
