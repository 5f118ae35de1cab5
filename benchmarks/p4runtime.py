"""Table writes, reads and pushes a second over P4Runtime, the same requests for any server.

    python benchmarks/p4runtime.py                                   qplane-switch
    python benchmarks/p4runtime.py --reference simple_switch_grpc    and BMv2 beside it
    python benchmarks/p4runtime.py --address HOST:PORT               a server that is running

Goals: BMv2's rates. The column "empty handler" is a gRPC server of the same kind whose Write does
nothing: what one request costs at least, whatever is behind it.
"""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
from finsy.proto import p4r, p4r_grpc
from google.protobuf import text_format

from qplane.switch.server import MAX_WORKERS

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = ROOT / "tests" / "switch" / "programs"
QNODE = ROOT / "p4src" / "build" / "qnode"
BATCH = 500
PUSHES = 7
SINGLES = 1000
SINGLE = "hosts: inserts, one a request"
EMPTY = "empty handler"
OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


class Controller:
    """The primary of a server that runs p4runtime.p4."""

    def __init__(self, address: str, device_id: int) -> None:
        self.device_id = device_id
        self.channel = grpc.insecure_channel(address, options=OPTIONS)
        grpc.channel_ready_future(self.channel).result(20)
        self.stub = p4r_grpc.P4RuntimeStub(self.channel)
        self._done = threading.Event()
        self.stream = self.stub.StreamChannel(self._requests())
        assert next(self.stream).arbitration.status.code == 0
        request = self.push_request(PROGRAMS / "p4runtime")
        self.stub.SetForwardingPipelineConfig(request)
        self.tables = {
            table.preamble.alias: table.preamble.id for table in request.config.p4info.tables
        }
        self.actions = {
            action.preamble.alias: action.preamble.id for action in request.config.p4info.actions
        }

    def push_request(self, program: Path) -> p4r.SetForwardingPipelineConfigRequest:
        """A push of a program, given as its files without their suffixes."""
        request = p4r.SetForwardingPipelineConfigRequest(
            device_id=self.device_id,
            action=p4r.SetForwardingPipelineConfigRequest.VERIFY_AND_COMMIT,
        )
        request.election_id.low = 1
        p4info = program.with_suffix(".p4info.txtpb").read_text()
        text_format.Parse(p4info, request.config.p4info)
        request.config.p4_device_config = program.with_suffix(".json").read_bytes()
        return request

    def _requests(self):  # type: ignore[no-untyped-def]
        request = p4r.StreamMessageRequest()
        request.arbitration.device_id = self.device_id
        request.arbitration.election_id.low = 1
        yield request
        self._done.wait()

    def close(self) -> None:
        self._done.set()
        self.channel.close()

    def batches(self, table: str, count: int, kind: int) -> list[p4r.WriteRequest]:
        """Prepared requests for ``count`` entries of an exact or LPM table."""
        requests = []
        for first in range(0, count, BATCH):
            request = p4r.WriteRequest(device_id=self.device_id)
            request.election_id.low = 1
            for place in range(first, min(first + BATCH, count)):
                update = request.updates.add(type=kind)
                entry = update.entity.table_entry
                entry.table_id = self.tables[table]
                match = entry.match.add(field_id=1)
                number = 0x0A000000 + place
                if table == "routes":
                    match.lpm.value, match.lpm.prefix_len = number.to_bytes(4, "big"), 32
                else:
                    match.exact.value = number.to_bytes(4, "big")
                action = entry.action.action
                action.action_id = self.actions["forward" if table == "routes" else "host"]
                port = place % 500 + 1
                action.params.add(param_id=1, value=port.to_bytes(1 if port < 256 else 2, "big"))
            requests.append(request)
        return requests

    def write(self, requests: list[p4r.WriteRequest]) -> float:
        """Seconds that these requests take, one after another."""
        begin = time.perf_counter()
        for request in requests:
            self.stub.Write(request)
        return time.perf_counter() - begin

    def read(self, table: str) -> tuple[int, float]:
        """(entries, entries per second)."""
        request = p4r.ReadRequest(device_id=self.device_id)
        request.entities.add().table_entry.table_id = self.tables[table]
        begin = time.perf_counter()
        count = sum(len(response.entities) for response in self.stub.Read(request))
        return count, count / (time.perf_counter() - begin)


def pushes(controller: Controller) -> float:
    """Pushes of qnode.p4 a second, from the median of some."""
    request = controller.push_request(QNODE)
    taken = []
    for number in range(PUSHES):
        # A configuration that it has compiled before our server takes from memory.
        request.config.p4info.pkg_info.version = str(number)
        begin = time.perf_counter()
        controller.stub.SetForwardingPipelineConfig(request)
        taken.append(time.perf_counter() - begin)
    return 1 / statistics.median(taken)


def measure(address: str, device_id: int) -> dict[str, float]:
    """Rates per second."""
    controller = Controller(address, device_id)
    figures: dict[str, float] = {}
    update = p4r.Update
    for table, count, rounds in (("hosts", 1000, 50), ("routes", 100_000, 1)):
        kinds = {"inserts": update.INSERT, "modifies": update.MODIFY, "deletes": update.DELETE}
        prepared = {name: controller.batches(table, count, kind) for name, kind in kinds.items()}
        seconds = dict.fromkeys(kinds, 0.0)
        reads = []
        for _ in range(rounds):
            for name, requests in prepared.items():
                seconds[name] += controller.write(requests)
                if name == "inserts":
                    found, rate = controller.read(table)
                    assert found == count, f"{found} entries of {count}"
                    reads.append(rate)
        for name, taken in seconds.items():
            figures[f"{table}: {name}"] = rounds * count / taken
        figures[f"{table}: entries read"] = statistics.median(reads)
    requests = [
        p4r.WriteRequest(device_id=device_id, election_id=p4r.Uint128(low=1), updates=[single])
        for batch in controller.batches("hosts", SINGLES, update.INSERT)
        for single in batch.updates
    ]
    figures[SINGLE] = len(requests) / controller.write(requests)
    figures["qnode.p4: pushes"] = pushes(controller)
    controller.close()
    return figures


def serve_nothing(address: str) -> None:
    """A server whose Write is empty, until the process is ended."""
    server = grpc.server(ThreadPoolExecutor(MAX_WORKERS))
    empty = grpc.unary_unary_rpc_method_handler(lambda request, context: b"")
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("p4.v1.P4Runtime", {"Write": empty}),)
    )
    server.add_insecure_port(address)
    server.start()
    server.wait_for_termination()


def measure_nothing() -> dict[str, float]:
    """The rate of single requests to an empty Write."""
    address = free_address()
    command = [sys.executable, __file__, "--serve-nothing", address]
    with (
        subprocess.Popen(command) as process,
        grpc.insecure_channel(address, options=OPTIONS) as channel,
    ):
        try:
            grpc.channel_ready_future(channel).result(20)
            stub = p4r_grpc.P4RuntimeStub(channel)
            request = p4r.WriteRequest(device_id=1, election_id=p4r.Uint128(low=1))
            request.updates.add().entity.table_entry.metadata = bytes(50)  # as long as an insert
            begin = time.perf_counter()
            for _ in range(SINGLES):
                stub.Write(request)
            return {SINGLE: SINGLES / (time.perf_counter() - begin)}
        finally:
            process.terminate()


def free_address() -> str:
    """An address on loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def serve(command: list[str], device_id: int) -> tuple[subprocess.Popen[bytes], str]:
    """Start a server with simple_switch_grpc's command line; (process, address)."""
    address = free_address()
    arguments = ["--no-p4", "--device-id", str(device_id), "--", "--grpc-server-addr", address]
    return subprocess.Popen([*command, *arguments], stdout=subprocess.DEVNULL), address


def compare(reference: str | None, device_id: int, rounds: int) -> dict[str, dict[str, float]]:
    """Medians of ours and of a reference, measured in turns; by the program's name."""
    commands = {"qplane-switch": [sys.executable, "-m", "qplane.switch.cli"]}
    if reference is not None:
        commands[Path(reference).name] = [reference]
    found: dict[str, list[dict[str, float]]] = {name: [] for name in [*commands, EMPTY]}
    for _ in range(rounds):
        for name, command in commands.items():
            process, address = serve(command, device_id)
            try:
                found[name].append(measure(address, device_id))
            finally:
                process.terminate()
                process.wait()
        found[EMPTY].append(measure_nothing())
    return {
        name: {row: statistics.median(one[row] for one in rows) for row in rows[0]}
        for name, rows in found.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--address", help="measure a running server instead")
    parser.add_argument("--device-id", type=int, default=1)
    parser.add_argument("--reference", help="a second server to measure: simple_switch_grpc")
    parser.add_argument(
        "--rounds", type=int, default=3, help="how often each is measured, in turns"
    )
    parser.add_argument("--serve-nothing", metavar="ADDRESS", help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path, help="store the figures")
    options = parser.parse_args()
    if options.serve_nothing is not None:
        serve_nothing(options.serve_nothing)
        return
    if options.address is not None:
        columns = {options.address: measure(options.address, options.device_id)}
    else:
        columns = compare(options.reference, options.device_id, options.rounds)
    names = list(columns)
    print(f"{'per second':32}" + "".join(f"{name:>20}" for name in names))
    for row in columns[names[0]]:
        cells = [f"{columns[name][row]:,.0f}" if row in columns[name] else "-" for name in names]
        print(f"{row:32}" + "".join(f"{cell:>20}" for cell in cells))
    if options.json is not None:
        options.json.write_text(json.dumps(columns, indent=2) + "\n")


if __name__ == "__main__":
    main()
