"""The base image as a page: where it is, what changed since the last one, what stands on which."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from deploylib import staleness
from deploylib.report import lines
from deploylib.report.console import results, say
from deploylib.report.tables import table

if TYPE_CHECKING:
    from rich.console import Console

    from deploylib.staleness import BaseStatus, Whereabouts

NAMED_CHANGES = 20
DIGEST = len("sha256:") + 12


def base(status: BaseStatus, *, output: str = "text", console: Console | None = None) -> None:
    """Print *status*: a page of at most a hundred columns, or one JSON line."""
    if output == "json":
        lines.write({"event": "BaseStatus", **asdict(status), "present": status.present})
        return
    console = console or results()
    table("Base image", ("what", "value"), _rows(status), console=console)
    _section("Where it is", ("environment", "account", "digest", "since"), _places(status), console)
    _section(f"Changed since {status.compared_with}", ("what",), _changes(status), console)
    services = [(one.service, one.container, one.role, one.base, one.state) for one in status.services]
    _section("Running", ("service", "container", "role", "stands on", "which is"), services, console)
    for notice in status.notices:
        say(f"! {notice}", console=console)


def _rows(status: BaseStatus) -> list[tuple[str, str]]:
    ours = status.whereabouts[0]
    mend = f"not there: inv base.refresh --env {status.environment}"
    return [
        ("image", f"{ours.repository}:{status.tag}"),
        ("fingerprint", status.fingerprint),
        ("in the registry", _since(ours) if status.present else mend),
        ("on this machine", _local(status)),
    ]


def _local(status: BaseStatus) -> str:
    if not status.local:
        return "no copy"
    if status.local_state == "current":
        return f"{status.local}, up to date"
    return f"{status.local}, older: docker pull {status.whereabouts[0].repository}:{status.tag}"


def _places(status: BaseStatus) -> list[tuple[str, str, str, str]]:
    return [
        (one.environment, one.account_id, one.digest[:DIGEST], one.problem or _since(one)) for one in status.whereabouts
    ]


def _since(place: Whereabouts) -> str:
    return place.since.isoformat(sep=" ", timespec="seconds") if place.since else "not there"


def _changes(status: BaseStatus) -> list[tuple[str]]:
    if status.since is None:
        return [("it does not say what it was made of",)]
    named = [(staleness.described(one),) for one in status.since[:NAMED_CHANGES]]
    more = len(status.since) - len(named)
    return [*named, *([(f"and {more} more (--output json names all)",)] if more else [])]


def _section(title: str, columns: tuple[str, ...], rows: list[Any], console: Console) -> None:
    if rows:
        console.print()
        table(title, columns, rows, console=console)
