"""The packet loop from capture files to capture files, without the GIL (``--use-files``)."""

from collections.abc import Callable, Iterable
from pathlib import Path

from qplane_cext.switch.core import SwitchCore

class PcapFiles:
    def __init__(
        self,
        core: SwitchCore,
        files: Iterable[tuple[int, Path, Path]],
        cpu_port: int,
        deliver_to_cpu: Callable[..., None],  # one packet or more
        watch: Callable[[int, bool, bytes], None] | None = None,  # port, is it sent, packet
    ) -> None:
        """``files``: (port, input, output). OSError, or ValueError for what is no capture file."""
    def run(self) -> int:
        """Run all packets; how many. ValueError where an input is cut short, OSError."""
    def send(self, port: int, data: bytes) -> None: ...
    def flush(self) -> None: ...
    def stop(self) -> None: ...
    def close(self) -> None: ...
