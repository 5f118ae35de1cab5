"""TCP ports in front of switches that listen on Unix sockets.

A switch in a namespace of its own has no TCP port that anybody outside could reach. A Unix socket
crosses namespaces; this carries bytes between the two and looks at none of them.
"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from qplane.live.api import OperationError

CHUNK = 1 << 16


class Front:
    """Listens on HOST:PORT (port 0: any) for the switch behind `path`."""

    def __init__(self, path: Path, host: str, port: int) -> None:
        self.address = f"{host}:{port}"
        self._path = path
        self._host = host
        self._port = port
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Raises OperationError where the address can't be listened on."""
        try:
            self._server = await asyncio.start_server(self._connected, self._host, self._port)
        except OSError as error:
            raise OperationError(
                f"--listen {self._host}:{self._port}: can't listen there: {error.strerror}"
            ) from error
        self.address = f"{self._host}:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        """Listen no more. Connections end with the switch."""
        if self._server is not None:
            self._server.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inner_reader, inner_writer = await asyncio.open_unix_connection(self._path)
        except OSError:  # the switch is down: so is its port
            writer.close()
            return
        await asyncio.gather(_carry(reader, inner_writer), _carry(inner_reader, writer))


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
