"""A switch process under test, driven as its users drive it: P4Runtime, and the packet socket."""

from __future__ import annotations

import os
import queue
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import grpc
from finsy.proto import p4r, p4r_grpc, rpc_status

from qplane.switch.packet_io import ControllerHeader

from .packet_socket import PacketSocket
from .programs import CPU_PORT, PORTS, Program

SECONDS_TO_START = 30.0
SECONDS_TO_WAIT = 1.0  # for packets that should come; reached only when they do not
OK = 0

Packet = tuple[int, bytes]
Outputs = dict[int, list[bytes]]


class TargetError(Exception):
    """The switch can't be started, or it died."""


def find_bmv2() -> str | None:
    """simple_switch_grpc: $BMV2 or on PATH."""
    return shutil.which(os.environ.get("BMV2") or "simple_switch_grpc")


SIMPLE_SWITCH = find_bmv2() or "simple_switch_grpc"


def find_embedded() -> str:
    """qplane-switch of this environment."""
    found = shutil.which("qplane-switch", path=str(Path(sys.executable).parent))
    if found is None:
        raise TargetError("no qplane-switch beside the Python that runs: `make venv`")
    return found


class Target:
    """One switch process; a context manager. `election id` 1 is primary throughout."""

    def __init__(self, name: str, executable: str) -> None:
        self.name = name
        self._executable = executable
        self._folder = tempfile.TemporaryDirectory(prefix="qplane-diff-")
        self._outputs: Outputs = defaultdict(list)
        self._changed = threading.Condition()
        self._requests: queue.Queue[p4r.StreamMessageRequest | None] = queue.Queue()
        self._arbitrated = threading.Event()
        self.digests: list[p4r.DigestList] = []
        self._packet_in = ControllerHeader([], "packet_in")
        self._packet_out = ControllerHeader([], "packet_out")

    def __enter__(self) -> Target:
        folder = self._folder.name
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.address = address = f"127.0.0.1:{port}"
        self._log = Path(folder) / "log"
        command = [
            self._executable, "--no-p4", "--device-id", "0",
            "--packet-in", f"ipc://{folder}/packets.ipc",
            "--notifications-addr", f"ipc://{folder}/notifications.ipc",
            "--", "--grpc-server-addr", address, "--cpu-port", str(CPU_PORT),
        ]  # fmt: skip
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        try:
            self._connect(address, f"{folder}/packets.ipc")
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise
        return self

    def _connect(self, address: str, packets: str) -> None:
        deadline = time.monotonic() + SECONDS_TO_START
        while True:
            self.check()
            try:
                self._socket = PacketSocket(packets, self._receive)
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise TargetError(f"{self.name} does not listen on its packet socket") from None
                time.sleep(0.01)
        self._socket.add_ports(PORTS)
        unlimited = [("grpc.max_receive_message_length", -1), ("grpc.max_metadata_size", 1 << 24)]
        self._channel = grpc.insecure_channel(address, options=unlimited)
        self._stub: Any = p4r_grpc.P4RuntimeStub(self._channel)
        stream = self._stub.StreamChannel(iter(self._requests.get, None), wait_for_ready=True)
        threading.Thread(target=self._listen, args=(stream,), daemon=True).start()
        hello = p4r.StreamMessageRequest()
        hello.arbitration.election_id.low = 1
        self._requests.put(hello)
        if not self._arbitrated.wait(SECONDS_TO_START):
            raise TargetError(f"{self.name} does not answer arbitration")

    def __exit__(self, *_: object) -> None:
        self._requests.put(None)
        self._channel.close()
        self._socket.close()
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._folder.cleanup()

    def check(self) -> None:
        """Raises TargetError when the process has ended."""
        if (status := self.process.poll()) is not None:
            said = self._log.read_text(errors="replace")[-1000:]
            raise TargetError(f"{self.name} ended with status {status}: {said}")

    # ---- what the switch sends ----

    def _receive(self, port: int, data: bytes) -> None:
        with self._changed:
            self._outputs[port].append(data)
            self._changed.notify_all()

    def _listen(self, stream: Any) -> None:
        try:
            for message in stream:
                kind = message.WhichOneof("update")
                if kind == "arbitration":
                    self._arbitrated.set()
                elif kind == "packet":
                    self._receive(CPU_PORT, self._packet_in.join(message.packet))
                elif kind == "digest":
                    self.digests.append(message.digest)
        except grpc.RpcError:
            return  # the channel was closed, or the process died: check() says so

    # ---- control ----

    def push(self, program: Program) -> None:
        """Load a program; all state is new."""
        request = p4r.SetForwardingPipelineConfigRequest(
            action=p4r.SetForwardingPipelineConfigRequest.VERIFY_AND_COMMIT
        )
        request.election_id.low = 1
        request.config.p4info.CopyFrom(program.p4info)
        request.config.p4_device_config = program.json
        self._stub.SetForwardingPipelineConfig(request)
        headers = {
            item.preamble.name: item.metadata for item in program.p4info.controller_packet_metadata
        }
        self._packet_in = ControllerHeader(headers.get("packet_in", []), "packet_in")
        self._packet_out = ControllerHeader(headers.get("packet_out", []), "packet_out")
        self.take()

    def write(self, updates: Sequence[p4r.Update]) -> list[int]:
        """Write a batch; the canonical code of every update."""
        request = p4r.WriteRequest(updates=updates)
        request.election_id.low = 1
        try:
            self._stub.Write(request)
        except grpc.RpcError as error:
            return _codes(error, len(updates))
        return [OK] * len(updates)

    def read(self, *queries: p4r.Entity) -> list[p4r.Entity]:
        """Everything that matches the queries."""
        request = p4r.ReadRequest(entities=queries)
        return [entity for answer in self._stub.Read(request) for entity in answer.entities]

    # ---- packets ----

    def send(self, packets: Iterable[Packet]) -> None:
        """Send packets in order. Those for the CPU port go as packet-outs, in order with each other
        alone: callers wait in between."""
        to_ports = []
        for port, data in packets:
            if port == CPU_PORT:
                self._requests.put(self._as_packet_out(data))
            else:
                to_ports.append((port, data))
        if to_ports:
            self._socket.send(to_ports)

    def _as_packet_out(self, data: bytes) -> p4r.StreamMessageRequest:
        request = p4r.StreamMessageRequest()
        split = self._packet_out.split(data)
        assert split is not None, "a packet-out shorter than its header"
        request.packet.payload = split.payload
        request.packet.metadata.extend(split.metadata)
        return request

    def wait(self, wanted: Mapping[int, int], seconds: float = SECONDS_TO_WAIT) -> Outputs:
        """What has left, by port, once there are that many packets on each port (or time is up)."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while any(len(self._outputs[port]) < count for port, count in wanted.items()):
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(left)
        self.check()
        return self.take()

    def take(self) -> Outputs:
        """What has left since the last call."""
        with self._changed:
            seen = {port: packets for port, packets in self._outputs.items() if packets}
            self._outputs = defaultdict(list)
        return seen


def _codes(error: grpc.RpcError, count: int) -> list[int]:
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            codes = []
            for detail in rpc_status.Status.FromString(value).details:
                member = p4r.Error()
                detail.Unpack(member)
                codes.append(member.canonical_code)
            return codes
    return [error.code().value[0]] * count
