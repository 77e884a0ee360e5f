"""Start the emulator: `python -m deploylib.localaws.extension`, with its settings in the environment."""

from __future__ import annotations

import asyncio
import importlib.metadata
import logging
import os
import resource
import signal
import sys
import threading
from typing import TYPE_CHECKING

from deploylib.localaws.extension import listening, patching, settings

if TYPE_CHECKING:
    import socket

    from deploylib.localaws.extension.engine import Engine
    from deploylib.localaws.extension.settings import Settings

HOME = "127.0.0.1"
KEEP_ALIVE_SECONDS = 75
GRACE_SECONDS = 2
FAILED = 2


def main() -> int:
    """Run until SIGTERM or SIGINT."""
    try:
        patching.require_version(importlib.metadata.version("ministack"))
        run(settings.read(os.environ))
    except (patching.IncompatibleEmulatorError, settings.SettingsError, OSError) as error:
        print(f"the local AWS cannot start: {error}", file=sys.stderr)  # noqa: T201 - the launcher shows it
        return FAILED
    return 0


def run(chosen: Settings) -> None:
    """Prepare the process, mend MiniStack, and serve."""
    engine = _connected(chosen)
    addresses, sockets = _bound(chosen, engine)
    os.environ.update(_ministack_environment(chosen, host=addresses[-1]))
    _raise_file_limit()
    _mend(chosen, engine, addresses)
    asyncio.run(_serve(chosen, sockets))


def _connected(chosen: Settings) -> Engine:
    from docker.errors import DockerException

    from deploylib.localaws.extension.engine import Engine

    try:
        engine = Engine(chosen)
        engine.client.ping()
    except DockerException as error:
        raise OSError(f"the container engine does not answer: {error}") from error
    return engine


def _bound(chosen: Settings, engine: Engine) -> tuple[tuple[str, ...], list[socket.socket]]:
    """Bind first: whoever holds the port may sweep what an earlier process left, and nobody else may."""
    from docker.errors import DockerException

    found = chosen.bind
    if not found:
        try:
            gateway = listening.gateway(engine.client.networks.get("bridge").attrs)
        except DockerException:
            gateway = ""
        found = (HOME, gateway) if gateway else (HOME,)
    try:
        return found, [listening.bound(address, chosen.port) for address in found]
    except OSError as error:
        raise OSError(f"port {chosen.port} on {', '.join(found)}: {error.strerror}") from error


def _ministack_environment(chosen: Settings, host: str) -> dict[str, str]:
    """Return what MiniStack reads when it is imported. *host* stands in endpoints, so tasks must reach it too."""
    stated = {
        "GATEWAY_PORT": str(chosen.port),
        "MINISTACK_ACCOUNT_ID": chosen.account_id,
        "MINISTACK_REGION": chosen.region,
        "MINISTACK_HOST": "localhost" if host == HOME else host,
        "MINISTACK_HOSTNAME": chosen.instance,
        "MINISTACK_DOCKER_TIMEOUT": str(chosen.docker_timeout_seconds),
        "LOG_LEVEL": chosen.log_level,
        "RDS_BASE_PORT": os.environ.get("RDS_BASE_PORT") or str(chosen.database_port),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "PERSIST_STATE": "0",
    }
    if chosen.state_dir is None:
        return stated
    kept = {"PERSIST_STATE": "1", "STATE_DIR": str(chosen.state_dir), "S3_PERSIST": "1", "RDS_PERSIST": "1"}
    return {**stated, **kept, "S3_DATA_DIR": str(chosen.state_dir / "s3")}


def _raise_file_limit() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _mend(chosen: Settings, engine: Engine, addresses: tuple[str, ...]) -> None:
    # MiniStack reads the environment when it is imported: not before now.
    from deploylib.localaws.extension.mending import mend

    scheduler, runs = mend(chosen, engine, addresses)
    threading.Thread(target=scheduler.run, name="scheduler", daemon=True).start()
    threading.Thread(target=engine.follow_exits, args=(runs.wake, runs.wake_all), name="exits", daemon=True).start()


async def _serve(chosen: Settings, sockets: list[socket.socket]) -> None:
    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from ministack.app import app

    config = Config()
    config.bind = [f"fd://{bound.detach()}" for bound in sockets]
    config.keep_alive_timeout = KEEP_ALIVE_SECONDS
    config.graceful_timeout = GRACE_SECONDS
    config.loglevel = chosen.log_level
    over = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, over.set)
    logging.getLogger("hypercorn.error").propagate = False  # it has a handler of its own
    logging.getLogger("localaws").info("instance %s", chosen.instance)
    await serve(app, config, shutdown_trigger=over.wait)


if __name__ == "__main__":
    sys.exit(main())
