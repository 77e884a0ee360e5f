"""One local AWS with the example application released into it, for all scenarios: they run in the order of the file."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.e2e import answering as answers
from tests.e2e.project import Project, copy_project

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.answering import Answering

# A shell without job control starts what runs in its background deaf to Ctrl-C, and all that this starts inherits it.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A copy of this project with its own local AWS, its infrastructure applied and its first release out."""
    project = copy_project(tmp_path_factory.mktemp("project"))
    try:
        project.inv("local.up")
        project.inv("infra.apply", "--env", "local", "--yes")
        project.inv("deploy", "--env", "local", "--yes")
        yield project
    finally:
        project.inv("local.down")


@pytest.fixture
def answering() -> Iterator[Answering]:
    """An account of moto's, with nothing in it."""
    with answers.serving() as there:
        yield there
