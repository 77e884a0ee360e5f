"""Where the emulator listens: this machine and its containers, not the network."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any


def gateway(network: dict[str, Any]) -> str:
    """Return the address at which containers of Docker's default *network* reach this machine, empty if it has none."""
    for config in (network.get("IPAM") or {}).get("Config") or []:
        address = config.get("Gateway") or str(next(ipaddress.ip_network(config["Subnet"]).hosts()))
        if _is_ours(address):
            return str(address)
    return ""


def _is_ours(address: str) -> bool:
    try:
        bound(address, 0).close()
    except OSError:
        return False
    return True


def bound(address: str, port: int) -> socket.socket:
    """Return a socket bound to an address: who holds it is the only emulator on that port."""
    made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((address, port))
    except OSError:
        made.close()
        raise
    return made
