"""The data plane of a real-time switch: packet path, ports, CPU port and captures together."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from qplane_cext.switch.core import SwitchCore

from .backends.base import Backend, Direct, Ports
from .device import Device
from .errors import Code, StatusError
from .faults import FaultLog
from .pcap import PcapWriter
from .trace import TRACE, Tracer

log = logging.getLogger(__name__)
FAULTS_S = 1.0  # how late the log tells of faults of packets
QUEUE_TICK_S = 0.001  # how late a packet may leave a queue with a rate


class Dataplane:
    """Runs packets through a core and sends what comes out where it belongs.

    ``cpu_port`` None: the switch has no CPU port, so no packet I/O.
    """

    def __init__(
        self,
        device_id: int,
        backend: Backend,
        *,
        cpu_port: int | None,
        drop_port: int = 511,
        priority_queues: int = 1,
        dump_bytes: int = 0,
    ) -> None:
        self._backend = backend
        self._cpu_port = cpu_port
        self._dump_bytes = dump_bytes
        self._captures: dict[int, tuple[PcapWriter, PcapWriter]] = {}
        self._release: threading.Thread | None = None
        self._stopping = threading.Event()
        # Without a CPU port its number is an ordinary port's.
        self.core = SwitchCore(
            cpu_port=510 if cpu_port is None else cpu_port,
            drop_port=drop_port,
            priority_queues=priority_queues,
        )
        self.device = Device(device_id, self.core, inject=self._inject)
        self._faults = FaultLog(self._counts)
        self._watch = threading.Thread(target=self._watch_faults, name="faults", daemon=True)

    def capture(self, ports: Ports, folder: Path) -> None:
        """Record what each port receives and sends in ``NAME_in.pcap`` and ``NAME_out.pcap``."""
        for port, name in ports:
            self._captures[port] = (
                PcapWriter(folder / f"{name}_in.pcap"),
                PcapWriter(folder / f"{name}_out.pcap"),
            )

    def trace(self, *, as_json: bool) -> None:
        """Log what every packet goes through, and what log_msg says."""
        tracer = Tracer(self.device.describe_entry, as_json=as_json)
        self.core.on_trace(tracer.trace)
        self.core.on_log(lambda text: log.log(TRACE, "%s", text))

    def limit_queues(self, rate: float, depth: int | None = None) -> None:
        """Let every egress queue send ``rate`` packets a second and hold ``depth`` of them."""
        self.core.set_queue(depth=depth, rate=rate)
        self._release = threading.Thread(target=self._release_queues, name="queues", daemon=True)

    def start(self) -> None:
        """Open the ports. Raises BackendError."""
        watched = self._captures or self._dump_bytes
        cpu_port = -1 if self._cpu_port is None else self._cpu_port
        watch = self._observe if watched else None
        direct = Direct(self.core, cpu_port, self.device.deliver_to_cpu, watch)
        self._backend.start(self.receive, self.device.set_port_up, direct)
        self._watch.start()
        if self._release is not None:
            self._release.start()

    def stop(self) -> None:
        """Close ports and captures."""
        self._stopping.set()
        if self._release is not None and self._release.is_alive():
            self._release.join(1.0)
        self._backend.stop()
        if self._watch.is_alive():
            self._watch.join(1.0)
        for pair in self._captures.values():
            for writer in pair:
                writer.close()

    def receive(self, port: int, data: bytes) -> None:
        """A packet from a port."""
        self._observe(port, False, data)
        self._run(port, data)

    def _observe(self, port: int, is_sent: bool, data: bytes) -> None:
        """A packet comes or leaves: what the log and the captures say of it."""
        if self._dump_bytes:
            what = "Sent %d bytes on port %d: %s" if is_sent else "Received %d bytes on port %d: %s"
            log.info(what, len(data), port, data[: self._dump_bytes].hex(" "))
        writers = self._captures.get(port)
        if writers is not None:
            try:
                writers[is_sent].write(data)
                writers[is_sent].flush()
            except OSError as error:  # a full disk stops no packets
                log.error("port %d is captured no longer: %s", port, error)
                self._captures.pop(port, None)

    def _inject(self, port: int, data: bytes) -> None:
        if self._cpu_port is None:
            raise StatusError(
                Code.FAILED_PRECONDITION, "the switch has no CPU port: start it with --cpu-port"
            )
        self._run(port, data)

    def _counts(self) -> dict[str, int]:
        return {**self.core.stats, "packet_ins_dropped": self.device.packet_ins_dropped}

    def _watch_faults(self) -> None:
        while not self._stopping.wait(FAULTS_S):
            self._faults.look()
        self._faults.look()

    def _release_queues(self) -> None:
        while not self._stopping.wait(QUEUE_TICK_S):
            if self.core.next_due_us() is not None:
                self._send(self.core.release())

    def _run(self, port: int, data: bytes) -> None:
        self._send(self.core.process(port, data))

    def _send(self, packets: list[tuple[int, bytes]]) -> None:
        for out_port, packet in packets:
            if out_port == self._cpu_port:
                self.device.deliver_to_cpu(packet)
                continue
            self._observe(out_port, True, packet)
            self._backend.send(out_port, packet)
