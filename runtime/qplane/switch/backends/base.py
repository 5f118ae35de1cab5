"""What the port back ends have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:  # the command line needs Ports alone, and must answer at once
    from qplane_cext.switch.core import SwitchCore

# Called for packets that arrive one by one; the back end's own thread runs the packet path.
Receive = Callable[[int, bytes], None]
# Called with port, whether it is sent (not received), and packet.
Watch = Callable[[int, bool, bytes], None]
PortStatus = Callable[[int, bool], None]


class Direct(NamedTuple):
    """A packet path that a back end may run by itself, in C and without the GIL.

    Who does shows ``watch``, if there is one, each packet when it comes and when it leaves.
    """

    core: SwitchCore
    cpu_port: int  # -1: none
    deliver_to_cpu: Callable[..., None]  # one packet or more
    watch: Watch | None


class BackendError(OSError):
    """A port can't be opened; says which and why."""


class Backend(Protocol):
    """A set of ports. ``send`` may be called from any thread and drops what can't be sent."""

    def start(self, receive: Receive, port_status: PortStatus, direct: Direct) -> None:
        """Begin to receive. Raises BackendError when a port can't be opened.

        Packets go through ``receive`` or through ``direct``, as suits the back end.
        """

    def send(self, port: int, data: bytes) -> None:
        """Transmit; a packet for a port that is not there is ignored, as by the reference."""

    def stop(self) -> None:
        """Stop receiving and close all ports."""


MAX_PORTS = 1 << 9  # v1model's ports have 9 bits


class Ports(list[tuple[int, str]]):
    """(port number, interface name) pairs from ``-i`` options."""

    @classmethod
    def parse(cls, options: Iterable[str]) -> Ports:
        """Parse PORT@INTERFACE. Raises BackendError naming the option."""
        ports = cls()
        for option in options:
            number, separator, name = option.partition("@")
            try:
                port = int(number, 0)
            except ValueError:
                separator = ""
                port = -1
            if not separator or not name or port < 0:
                raise BackendError(f"interface {option!r} is not PORT@INTERFACE")
            if port >= MAX_PORTS:
                raise BackendError(f"interface {option!r}: ports are 0 to {MAX_PORTS - 1}")
            if any(port == other for other, _ in ports):
                raise BackendError(f"port {port} is given twice")
            ports.append((port, name))
        return ports
