"""Port numbers in messages, and which ports are up."""

from __future__ import annotations

from collections.abc import Callable

from . import bytestrings
from .errors import StatusError, invalid

PORT_BITS = 9  # v1model's PortId_t


def decode_port(value: bytes, what: str) -> int:
    """A port given as a byte string. INVALID_ARGUMENT when it is no port of a v1model switch."""
    try:
        return int.from_bytes(bytestrings.decode(value, PORT_BITS, what), "big")
    except StatusError as error:
        raise invalid(error.message) from error


class PortStates:
    """Which ports are down; a port nobody reported on is up."""

    def __init__(self) -> None:
        self._down: frozenset[int] = frozenset()
        self._listeners: list[Callable[[], None]] = []

    def is_up(self, port: int) -> bool:
        """Whether packets can leave there."""
        return port not in self._down

    def set(self, port: int, up: bool) -> bool:
        """Record a port's state and tell the listeners; False when nothing changed."""
        if up != (port in self._down):
            return False
        self._down = self._down - {port} if up else self._down | {port}
        for listener in self._listeners:
            listener()
        return True

    def listen(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` after every change, in the thread that reports it."""
        self._listeners.append(listener)

    def forget(self, listener: Callable[[], None]) -> None:
        """Stop calling ``listener``."""
        self._listeners.remove(listener)
