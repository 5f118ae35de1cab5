"""The packet loop between AF_PACKET sockets and a SwitchCore, without the GIL."""

from collections.abc import Callable, Iterable

from qplane_cext.switch.core import SwitchCore

class PacketLoop:
    def __init__(
        self,
        core: SwitchCore,
        ports: Iterable[tuple[int, int]],
        cpu_port: int,
        deliver_to_cpu: Callable[..., None],  # one packet or more
        watch: Callable[[int, bool, bytes], None] | None = None,  # port, is it sent, packet
    ) -> None:
        """``ports``: (port number, file descriptor); ``cpu_port`` -1: none."""
    @property
    def counters(self) -> dict[str, int]: ...
    def run(self, wake_fd: int) -> None:
        """Move frames until ``wake_fd`` becomes readable."""
