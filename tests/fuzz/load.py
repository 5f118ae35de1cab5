"""Everything at once on one switch process: a writer, a reader of all tables, a controller that
takes packet-ins, and traffic that must never see half an update.

``python -m fuzz.load --seconds 60`` in tests/. The writer changes two tables that the traffic goes
through in one DATAPLANE_ATOMIC batch: what leaves has the port that belongs to its address. BMv2
(``--target bmv2``) keeps no such promise: there the batch is an ordinary one, and what leaves in
between is counted and not judged.
Writer, reader and controller are processes, so that none waits for another's interpreter.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import grpc
from diff.programs import Program
from diff.target import Target, find_bmv2, find_embedded
from finsy.proto import p4r, p4r_grpc
from switch.server.client import Names, load_program
from switch.server.entries import action, by_member, entry, exact, host, lpm, member

from fuzz.lean import LeanStream

TO_CPU, PLAIN = 0xCC, 0xAA
SOURCE, ADDRESS = 0x0A000001, 0x0A000002
BURSTS_PER_S = 200
ELECTION = 2  # of the controller; the client that sets the switch up has 1
PACKET = 0x12  # a StreamMessageResponse with a packet begins so
SECONDS_TO_START = 60

Spawned = multiprocessing.get_context("spawn")


class Rates(NamedTuple):
    """Per second; 0 writes or reads: as many as there can be."""

    packet_ins: int = 10_000
    forwarded: int = 10_000
    writes: int = 0
    reads: int = 0


class Client(NamedTuple):
    """What a client's process is given."""

    address: str
    count: Any  # shared: what it has done so far
    ready: Any  # barrier: all are connected
    stop: Any  # event
    rate: int
    atomic: bool

    def turns(self) -> Iterator[int]:
        """Numbers from 1 on, at the client's rate, until it is to stop."""
        self.ready.wait(SECONDS_TO_START)
        due = time.monotonic()
        number = 0
        while not self.stop.is_set():
            number += 1
            yield number
            self.count.value = number
            if self.rate:
                due = max(due + 1 / self.rate, time.monotonic() - 0.1)
                time.sleep(max(0.0, due - time.monotonic()))


# ---- the processes ----


def write(client: Client) -> None:
    """Both tables together, again and again."""
    names = Names(load_program("p4runtime").p4info)
    with grpc.insecure_channel(client.address) as channel:
        stub = p4r_grpc.P4RuntimeStub(channel)
        for turn in client.turns():
            number = turn % 1000 + 1
            request = p4r.WriteRequest()
            if client.atomic:
                request.atomicity = p4r.WriteRequest.DATAPLANE_ATOMIC
            request.election_id.low = ELECTION
            way = member(names, "nexthops", 1, number % 7 + 1)
            request.updates.add(type=p4r.Update.MODIFY).entity.action_profile_member.CopyFrom(way)
            request.updates.add(type=p4r.Update.MODIFY).entity.table_entry.CopyFrom(
                route(names, number)
            )
            stub.Write(request)


def read(client: Client) -> None:
    """All entries of all tables."""
    request = p4r.ReadRequest()
    request.entities.add().table_entry.SetInParent()
    with grpc.insecure_channel(client.address) as channel:
        stub = p4r_grpc.P4RuntimeStub(channel)
        for _ in client.turns():
            try:
                assert sum(len(answer.entities) for answer in stub.Read(request)) >= 4
            except grpc.RpcError as error:
                # What BMv2 answers now and then when a write comes in between.
                if client.atomic or error.code() != grpc.StatusCode.INTERNAL:
                    raise


def hello() -> bytes:
    """The primary's first message."""
    request = p4r.StreamMessageRequest()
    request.arbitration.election_id.low = ELECTION
    return request.SerializeToString()


def take_packet_ins(client: Client) -> None:
    """The primary: counts packet-ins, and does not look into them."""

    def requests() -> Iterator[bytes]:
        yield hello()
        client.stop.wait()

    with grpc.insecure_channel(client.address) as channel:
        # Neither requests nor responses are decoded: gRPC alone costs enough.
        stream = channel.stream_stream("/p4.v1.P4Runtime/StreamChannel")(requests())
        next(stream)
        client.ready.wait(SECONDS_TO_START)
        for message in stream:
            if message[0] == PACKET:
                client.count.value += 1


def take_packet_ins_lean(client: Client) -> None:
    """The same with a client that costs next to nothing."""
    stream = LeanStream(client.address, hello())
    for messages in stream:
        if client.ready is not None and messages:  # the answer to the arbitration
            client.ready.wait(SECONDS_TO_START)
            client = client._replace(ready=None)
        client.count.value += sum(message[0] == PACKET for message in messages)
        if client.stop.is_set():
            break
    stream.close()


class Load:
    """A switch with its clients; the traffic is sent and taken by threads of this process."""

    def __init__(self, target: Target, rates: Rates, *, lean: bool = False) -> None:
        self.target = target
        self.take_packet_ins = take_packet_ins_lean if lean else take_packet_ins
        self.rates = rates
        self.atomic = target.name == "embedded"
        self.stop = Spawned.Event()
        self.over = Spawned.Event()  # nobody needs a primary any more
        self.counts = {name: Spawned.Value("L", 0, lock=False) for name in CLIENTS}
        self.torn: list[tuple[int, bytes]] = []
        self.errors: list[BaseException | str] = []
        config = load_program("p4runtime")
        self.names = Names(config.p4info)
        target.push(Program("p4runtime", config.p4_device_config, config.p4info))
        self._setup()

    def _setup(self) -> None:
        names = self.names
        cpu = entry(names, "hosts", [exact(1, TO_CPU)], table_action(names, "to_cpu", 1))
        first = [
            p4r.Entity(table_entry=cpu),
            p4r.Entity(table_entry=host(names, PLAIN)),
            p4r.Entity(action_profile_member=member(names, "nexthops", 1, 2)),
            p4r.Entity(table_entry=route(names, 1)),
            p4r.Entity(
                table_entry=entry(names, "indirect", [exact(1, SOURCE)], by_member(1))
            ),
        ]  # fmt: skip
        for entity in first:
            codes = self.target.write([p4r.Update(type=p4r.Update.INSERT, entity=entity)])
            assert codes == [0], entity

    @property
    def done(self) -> Counter[str]:
        """What each client has done so far."""
        return Counter({name: count.value for name, count in self.counts.items()})

    # ---- the traffic ----

    def send(self) -> None:
        """Packets for the controller and others, in bursts."""
        plain, to_cpu = frame(PLAIN), TO_CPU.to_bytes(6, "big") + bytes(6) + b"\x12\x34" + bytes(46)
        burst = [(3, to_cpu)] * (self.rates.packet_ins // BURSTS_PER_S)
        burst += [(2, plain)] * (self.rates.forwarded // BURSTS_PER_S)
        due = time.monotonic()
        while not self.stop.is_set():
            self.target.send(burst)
            self.counts["sent"].value += len(burst)
            due = max(due + 1 / BURSTS_PER_S, time.monotonic() - 0.1)
            time.sleep(max(0.0, due - time.monotonic()))

    def take(self) -> None:
        """What leaves must be of one piece."""
        while not self.stop.wait(0.02):
            for port, packets in self.target.take().items():
                for data in packets:
                    number = int.from_bytes(data[:6], "big")
                    if port != number % 7 + 1:
                        self.torn.append((port, data))
                self.counts["forwarded"].value += len(packets)

    # ---- all together ----

    def run(self, seconds: float) -> list[Counter[str]]:
        """All of them for so long; what each has done in every second."""

        def guarded(client: Callable[[], None]) -> None:
            try:
                client()
            except BaseException as error:
                self.errors.append(error)

        ready = Spawned.Barrier(4)  # three processes and this one
        processes = [
            Spawned.Process(
                name=name, target=run, daemon=True,
                args=(
                    Client(self.target.address, self.counts[name], ready, stop, rate, self.atomic),
                ),
            )
            for name, run, rate, stop in (
                ("writes", write, self.rates.writes, self.stop),
                ("reads", read, self.rates.reads, self.stop),
                ("packet-ins", self.take_packet_ins, 0, self.over),
            )
        ]  # fmt: skip
        for process in processes:
            process.start()
        ready.wait(SECONDS_TO_START)
        threads = [threading.Thread(target=guarded, args=(one,)) for one in (self.send, self.take)]
        for thread in threads:
            thread.start()
        history = []
        before: Counter[str] = self.done
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self.errors:
            time.sleep(1)
            now = self.done
            history.append(now - before)
            before = now
            self.errors += [f"{one.name}: ended" for one in processes if not one.is_alive()]
        self.stop.set()
        for thread in threads:
            thread.join()
        for process in processes:
            if process.name == "packet-ins":
                self.over.set()
            process.join(SECONDS_TO_START)
            if process.exitcode:
                self.errors.append(f"{process.name}: exit status {process.exitcode}")
        return history


CLIENTS = ("writes", "reads", "packet-ins", "sent", "forwarded")


def table_action(names: Names, name: str, *params: int) -> p4r.TableAction:
    """An action for an entry of a direct table."""
    return p4r.TableAction(action=action(names, name, *params))


def route(names: Names, number: int) -> p4r.TableEntry:
    """The route of all plain traffic, with a new destination."""
    run = table_action(names, "set_dst", 1, number)
    return entry(names, "routes", [lpm(1, ADDRESS, 32)], run)


def frame(mac: int) -> bytes:
    """An Ethernet frame to `mac` with an IPv4 packet from SOURCE to ADDRESS."""
    head = b"\x45\0\0\x1c\0\0\0\0\x40\x11\0\0" + SOURCE.to_bytes(4, "big")
    return mac.to_bytes(6, "big") + b"\2" * 6 + b"\x08\0" + head + ADDRESS.to_bytes(4, "big")


def main() -> int:
    """The command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="fuzz.load", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--target", choices=("embedded", "bmv2"), default="embedded")
    parser.add_argument(
        "--lean", action="store_true", help="take packet-ins without gRPC: what the server can do"
    )
    for name, default in Rates()._asdict().items():
        option = f"--{name.replace('_', '-')}"
        parser.add_argument(option, type=int, default=default, metavar="PER_S", dest=name)
    given = parser.parse_args()
    rates = Rates(*(getattr(given, name) for name in Rates._fields))
    executable = find_embedded() if given.target == "embedded" else find_bmv2()
    if executable is None:
        parser.error("no simple_switch_grpc on PATH (or $BMV2)")
    with Target(given.target, executable) as target:
        load = Load(target, rates, lean=given.lean)
        before = cpu_seconds(target.process.pid)
        history = load.run(given.seconds)
        seconds = cpu_seconds(target.process.pid) - before
    for error in load.errors:
        print(f"Error: {error!r}", file=sys.stderr)
    for name in CLIENTS:
        found = sorted(second[name] for second in history)
        print(f"{name:12} {found[len(found) // 2]:8} a second (median), least {found[0]}")
    print(f"{seconds / max(len(history), 1):.2f} CPUs for the switch")
    print(f"{len(load.torn)} packets of {load.done['forwarded']} saw half an update")
    starved = [name for name in CLIENTS if any(second[name] == 0 for second in history)]
    if starved:
        print(f"starved for a second or more: {', '.join(starved)}")
    return int(bool(load.errors or (load.torn and load.atomic) or starved))


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main())
