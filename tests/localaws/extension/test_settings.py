from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

from deploylib.localaws.extension.settings import PREFIX, Settings, SettingsError, read

DOCUMENT = Path(__file__).resolve().parents[3] / "docs/local-aws.md"


def test_an_empty_environment_gives_the_defaults() -> None:
    assert read({}) == Settings()
    assert read({"LOCALAWS_PORT": "", "LOCALAWS_STATE_DIR": ""}) == Settings()


def test_two_emulators_look_for_ports_of_databases_in_different_places() -> None:
    ports = {Settings(port=port).database_port for port in range(4566, 5566)}
    assert len(ports) == 1000
    assert min(b - a for a, b in itertools.pairwise(sorted(ports))) == 10
    assert Settings(port=4566).database_port == 15432
    assert 1024 < min(ports) < max(Settings(port=port).database_port for port in (1, 65435)) < 32768


def test_each_variable_is_read_as_its_field() -> None:
    found = read(
        {
            "LOCALAWS_INSTANCE": "here",
            "LOCALAWS_PORT": "4600",
            "LOCALAWS_BIND": "127.0.0.1, 172.17.0.1",
            "LOCALAWS_ACCOUNT_ID": "012345678901",
            "LOCALAWS_CALLS_FILE": "calls.jsonl",
            "LOCALAWS_STEADY_SECONDS": "1.5",
            "UNRELATED": "x",
        }
    )
    assert found == Settings(
        instance="here",
        port=4600,
        bind=("127.0.0.1", "172.17.0.1"),
        account_id="012345678901",
        calls_file=Path("calls.jsonl"),
        steady_seconds=1.5,
    )


@pytest.mark.parametrize("name", ["PORT", "STEADY_SECONDS"])
def test_a_number_that_is_none_is_refused_by_its_name(name: str) -> None:
    with pytest.raises(SettingsError, match=f"LOCALAWS_{name} must be a number, not 'soon'"):
        read({f"LOCALAWS_{name}": "soon"})


def test_the_document_lists_every_variable_and_no_other() -> None:
    listed = set(re.findall(rf"^\| `{PREFIX}(\w+)` \|", DOCUMENT.read_text(), re.MULTILINE))
    assert listed == {name.upper() for name in Settings.__dataclass_fields__}
