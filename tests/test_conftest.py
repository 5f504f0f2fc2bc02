import asyncio
import socket
import urllib.request
from pathlib import Path

import pytest


async def test_a_connection_to_elsewhere_fails_the_test() -> None:
    with pytest.raises(pytest.fail.Exception, match=r"tried to connect to \('192\.0\.2\.1', 443\)"):
        await asyncio.open_connection("192.0.2.1", 443)


def test_a_blocking_connection_to_elsewhere_fails_the_test() -> None:
    with pytest.raises(pytest.fail.Exception, match="loopback addresses only"):
        urllib.request.urlopen("http://192.0.2.1/")
    with socket.socket() as plain, pytest.raises(pytest.fail.Exception, match=r"contoso\.example"):
        plain.connect_ex(("contoso.example", 80))


async def test_this_machine_can_be_talked_to() -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        _, writer = await asyncio.open_connection(host, port)
        writer.close()


def test_sockets_without_network_are_left_alone(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one, pytest.raises(FileNotFoundError):
        one.connect(str(tmp_path / "absent"))
