"""No test talks to anything but this machine."""

import ipaddress
import socket
from collections.abc import Callable
from typing import Any

import pytest


def _here(family: int, address: Any) -> bool:
    if family not in {socket.AF_INET, socket.AF_INET6}:
        return True
    host = str(address[0]).partition("%")[0]
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@pytest.fixture(autouse=True)
def only_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail on a connection to elsewhere. Sees Python's own sockets, not those of native code or other processes."""

    def guarded(connect: Callable[[socket.socket, Any], Any]) -> Callable[[socket.socket, Any], Any]:
        def checked(self: socket.socket, address: Any) -> Any:
            if not _here(self.family, address):
                # Not an Exception: code that takes a failed connection for an outage must not swallow it.
                pytest.fail(f"A test tried to connect to {address}: tests talk to loopback addresses only.")
            return connect(self, address)

        return checked

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, guarded(getattr(socket.socket, name)))
