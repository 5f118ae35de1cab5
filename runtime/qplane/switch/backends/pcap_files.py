"""``--use-files``: packets come from X_in.pcap and leave to X_out.pcap, X the interface name."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from qplane_cext.switch.pcapfiles import PcapFiles

from .base import BackendError, Direct, Ports, PortStatus, Receive

log = logging.getLogger(__name__)


class PcapFilesBackend:
    """Packets of all files in the order of their times, as fast as they are processed."""

    def __init__(self, ports: Ports, wait_s: float) -> None:
        self._ports = ports
        self._wait_s = wait_s
        self._files: PcapFiles | None = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()

    def start(self, receive: Receive, port_status: PortStatus, direct: Direct) -> None:
        """Open the files; begin after the waiting time."""
        files = [
            (port, Path(f"{name}_in.pcap"), Path(f"{name}_out.pcap")) for port, name in self._ports
        ]
        for port, source, _ in files:
            if not source.is_file():
                raise BackendError(f"port {port}: no file {source}")
        try:
            self._files = PcapFiles(
                direct.core, files, direct.cpu_port, direct.deliver_to_cpu, direct.watch
            )
        except (OSError, ValueError) as error:
            raise BackendError(str(error)) from error
        self._thread = threading.Thread(
            target=self._run, args=(self._files,), name="pcap-files", daemon=True
        )
        self._thread.start()

    def _run(self, files: PcapFiles) -> None:
        if self._stopping.wait(self._wait_s):
            return
        try:
            count = files.run()
        except (ValueError, OSError) as error:
            log.error("%s", error)
        else:
            log.info("end of all input files after %d packets", count)

    def send(self, port: int, data: bytes) -> None:
        """Append to the port's output file."""
        if self._files is not None:
            self._files.send(port, data)

    def stop(self) -> None:
        """Stop and close the files."""
        self._stopping.set()
        if self._files is not None:
            self._files.stop()
        if self._thread is not None:
            self._thread.join(1.0)
        if self._files is not None:
            self._files.close()
