"""``--use-files``: packets come from X_in.pcap and leave to X_out.pcap, X the interface name."""

from __future__ import annotations

import heapq
import logging
import threading
from pathlib import Path

from ..pcap import PcapError, PcapWriter, read_pcap
from .base import BackendError, Ports, PortStatus, Receive

log = logging.getLogger(__name__)


class PcapFilesBackend:
    """Packets of all files in the order of their times, as fast as they are processed."""

    def __init__(self, ports: Ports, wait_s: float) -> None:
        self._ports = ports
        self._wait_s = wait_s
        self._writers: dict[int, PcapWriter] = {}
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()

    def start(self, receive: Receive, port_status: PortStatus) -> None:
        """Open the output files; begin after the waiting time."""
        for port, name in self._ports:
            source, target = Path(f"{name}_in.pcap"), Path(f"{name}_out.pcap")
            if not source.is_file():
                raise BackendError(f"port {port}: no file {source}")
            try:
                self._writers[port] = PcapWriter(target)
            except OSError as error:
                raise BackendError(
                    f"port {port}: can't write {target}: {error.strerror}"
                ) from error
        self._thread = threading.Thread(
            target=self._run, args=(receive,), name="pcap-files", daemon=True
        )
        self._thread.start()

    def _run(self, receive: Receive) -> None:
        if self._stopping.wait(self._wait_s):
            return
        sources = [
            ((record.time_ns, port, record.data) for record in read_pcap(Path(f"{name}_in.pcap")))
            for port, name in self._ports
        ]
        count = 0
        try:
            for _, port, data in heapq.merge(*sources, key=lambda item: item[0]):
                if self._stopping.is_set():
                    return
                receive(port, data)
                count += 1
        except (PcapError, OSError) as error:
            log.error("%s", error)
        finally:
            for writer in self._writers.values():
                writer.flush()
        log.info("end of all input files after %d packets", count)

    def send(self, port: int, data: bytes) -> None:
        """Append to the port's output file."""
        writer = self._writers.get(port)
        if writer is not None:
            writer.write(data)
            if self._thread is None or not self._thread.is_alive():
                writer.flush()  # a packet-out after the input has ended

    def stop(self) -> None:
        """Stop and close the files."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(1.0)
        for writer in self._writers.values():
            writer.close()
