"""The port that ``--thrift-port`` names: open, with nothing behind it.

Scripts that start simple_switch_grpc (p4net, for one) take it as started once this port listens.
Whoever connects is disconnected at once, which is a clear error in simple_switch_CLI.
"""

from __future__ import annotations

import logging
import os
import socket
import threading

log = logging.getLogger(__name__)


class ThriftPort:
    """A listening TCP socket on loopback that closes every connection."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Listen. A port in use is only warned of: nothing here needs it."""
        try:
            self._socket = socket.create_server(("127.0.0.1", self._port))
        except OSError as error:
            reason = os.strerror(error.errno or 0)
            log.warning("--thrift-port: can't listen on port %d: %s", self._port, reason)
            return
        self._thread = threading.Thread(target=self._refuse, args=(self._socket,), daemon=True)
        self._thread.start()

    @staticmethod
    def _refuse(listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return  # stop() has shut the socket down
            connection.close()

    def stop(self) -> None:
        """Free the port."""
        if self._socket is not None and self._thread is not None:
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes the thread
            self._thread.join()
            self._socket.close()
