"""The image of the container that holds a task's network namespace: one static program that sleeps for ever.

Containers of a task share 127.0.0.1, and the namespace must outlive each of them, so it belongs to a container of its
own, as in ECS. There is no registry to pull a pause image from, and the application's image may lack `sleep`, so the
program is written out here: a 64-bit ELF file with one segment and a loop around one system call.
"""

from __future__ import annotations

import io
import struct
import tarfile

REPOSITORY = "deploylib-localaws-pause"
TAG = "1"
IMAGE = f"{REPOSITORY}:{TAG}"
CHANGES = ('ENTRYPOINT ["/pause"]', "LABEL deploylib.localaws=pause")

HEADER_SIZE = 64 + 56
LOAD_ADDRESS = 0x400000
PT_LOAD, READ_AND_EXECUTE = 1, 5

# machine id of ELF, and: loop { pause() } — arm64 has no pause(2), so ppoll(0, 0, 0, 0) there.
PROGRAMS = {
    "x86_64": (62, bytes.fromhex("b8220000000f05ebf7")),
    "aarch64": (183, bytes.fromhex("000080d2010080d2020080d2030080d2280980d2010000d4faffff17")),
}


class UnsupportedMachineError(Exception):
    """The container engine runs on a processor for which there is no pause program."""


def program(architecture: str) -> bytes:
    """Return the ELF file for an *architecture* as `docker info` names it."""
    if architecture not in PROGRAMS:
        raise UnsupportedMachineError(f"no pause program for {architecture}, only for {', '.join(sorted(PROGRAMS))}")
    machine, code = PROGRAMS[architecture]
    entry, size = LOAD_ADDRESS + HEADER_SIZE, HEADER_SIZE + len(code)
    identity = b"\x7fELF" + bytes((2, 1, 1)) + bytes(9)
    header = identity + struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, entry, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", PT_LOAD, READ_AND_EXECUTE, 0, LOAD_ADDRESS, LOAD_ADDRESS, size, size, 0x1000)
    return header + segment + code


def archive(architecture: str) -> bytes:
    """Return the image's file system as a tar archive."""
    content = program(architecture)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        member = tarfile.TarInfo("pause")
        member.mode, member.size = 0o755, len(content)
        tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()
