"""``--use-files``: packets come from X_in.pcap and leave to X_out.pcap, X the interface name."""

from __future__ import annotations

import heapq
import logging
import threading
from pathlib import Path

from qplane_cext.switch.pcapfiles import PcapFiles

from ..pcap import PcapWriter, read_pcap
from .base import BackendError, Direct, Ports, PortStatus, Receive

log = logging.getLogger(__name__)


class PcapFilesBackend:
    """Packets of all files in the order of their times, as fast as they are processed."""

    def __init__(self, ports: Ports, wait_s: float) -> None:
        self._ports = ports
        self._wait_s = wait_s
        self._direct: PcapFiles | None = None
        self._writers: dict[int, PcapWriter] = {}
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()

    def start(self, receive: Receive, port_status: PortStatus, direct: Direct | None) -> None:
        """Open the files; begin after the waiting time."""
        files = [
            (port, Path(f"{name}_in.pcap"), Path(f"{name}_out.pcap")) for port, name in self._ports
        ]
        for port, source, _ in files:
            if not source.is_file():
                raise BackendError(f"port {port}: no file {source}")
        try:
            if direct is None:
                for port, _, target in files:
                    self._writers[port] = PcapWriter(target)
            else:
                self._direct = PcapFiles(direct.core, files, direct.cpu_port, direct.deliver_to_cpu)
        except (OSError, ValueError) as error:
            raise BackendError(str(error)) from error
        self._thread = threading.Thread(
            target=self._run, args=(files, receive), name="pcap-files", daemon=True
        )
        self._thread.start()

    def _run(self, files: list[tuple[int, Path, Path]], receive: Receive) -> None:
        if self._stopping.wait(self._wait_s):
            return
        try:
            if self._direct is None:
                count = self._run_watched(files, receive)
            else:
                count = self._direct.run()
        except (ValueError, OSError) as error:
            log.error("%s", error)
        else:
            log.info("end of all input files after %d packets", count)

    def _run_watched(self, files: list[tuple[int, Path, Path]], receive: Receive) -> int:
        sources = [
            ((record.time_ns, port, record.data) for record in read_pcap(source))
            for port, source, _ in files
        ]
        count = 0
        try:
            for _, port, data in heapq.merge(*sources, key=lambda item: item[0]):
                if self._stopping.is_set():
                    break
                receive(port, data)
                count += 1
        finally:
            for writer in self._writers.values():
                writer.flush()
        return count

    def send(self, port: int, data: bytes) -> None:
        """Append to the port's output file."""
        if self._direct is not None:
            self._direct.send(port, data)
        elif port in self._writers:
            self._writers[port].write(data)
            if self._thread is None or not self._thread.is_alive():
                self._writers[port].flush()  # a packet-out after the input has ended

    def stop(self) -> None:
        """Stop and close the files."""
        self._stopping.set()
        if self._direct is not None:
            self._direct.stop()
        if self._thread is not None:
            self._thread.join(1.0)
        if self._direct is not None:
            self._direct.close()
        for writer in self._writers.values():
            writer.close()
