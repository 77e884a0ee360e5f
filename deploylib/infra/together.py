"""Several environments at once: one thread and one Terraform each, Ctrl-C for all of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from deploylib import config
from deploylib.errors import DeployError, OutdatedError
from deploylib.infra import runner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from deploylib.infra.changes import Changes

Result = TypeVar("Result")


def here(root: Path) -> list[str]:
    """Return every environment that can be asked: a local one counts when its local AWS was started."""
    found = (config.load(root, name) for name in config.names(root))
    return [one.name for one in found if not one.account.is_local or (root / config.LOCAL_CONFIG).is_file()]


def each(names: Iterable[str], work: Callable[[str], Result]) -> dict[str, Result | DeployError]:
    """Return what *work* returns for each name, or the error that it raised, in the order of *names*.

    Ctrl-C is passed on to every Terraform that runs; `KeyboardInterrupt` is raised once all of them have ended.
    """

    def outcome(name: str) -> Result | DeployError:
        try:
            return work(name)
        except DeployError as error:
            return error

    found = tuple(names)
    with runner.side_by_side(), ThreadPoolExecutor(max(1, len(found))) as pool:
        return dict(zip(found, pool.map(outcome, found), strict=True))


def refuse(found: Mapping[str, Changes | DeployError], *, check: bool) -> None:
    """Raise the first error in *found*; with *check*, `OutdatedError` when a plan has changes."""
    if error := next((one for one in found.values() if isinstance(one, DeployError)), None):
        raise error
    if check and (names := [name for name, one in found.items() if one]):
        raise OutdatedError(
            f"{', '.join(names)}: the infrastructure is not what the code says",
            hint=f"inv infra.apply --env {names[0]}",
        )
