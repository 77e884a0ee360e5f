from __future__ import annotations

import io
import platform
import struct
import subprocess
import tarfile
from typing import TYPE_CHECKING

import pytest

from deploylib.localaws.extension import pause

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("architecture", sorted(pause.PROGRAMS))
def test_the_program_is_an_elf_file_that_begins_where_its_code_does(architecture: str) -> None:
    machine, code = pause.PROGRAMS[architecture]
    made = pause.program(architecture)
    _, found, _, entry, headers = struct.unpack_from("<HHIQQ", made, 16)
    assert made[:4] == b"\x7fELF"
    assert (found, headers) == (machine, 64)
    assert made[entry - pause.LOAD_ADDRESS :] == code


@pytest.mark.parametrize("architecture", sorted(pause.PROGRAMS))
def test_the_image_holds_one_program_that_may_be_executed(architecture: str) -> None:
    with tarfile.open(fileobj=io.BytesIO(pause.archive(architecture))) as tar:
        (member,) = tar.getmembers()
        assert (member.name, member.mode, member.uid) == ("pause", 0o755, 0)


def test_another_processor_is_refused_by_its_name() -> None:
    with pytest.raises(pause.UnsupportedMachineError, match="no pause program for riscv64"):
        pause.program("riscv64")


def test_the_program_runs_until_it_is_killed(tmp_path: Path) -> None:
    made = tmp_path / "pause"
    made.write_bytes(pause.program(platform.machine()))
    made.chmod(0o755)
    with subprocess.Popen([made]) as running:
        with pytest.raises(subprocess.TimeoutExpired):
            running.wait(timeout=0.1)
        running.kill()
    assert running.returncode == -9
