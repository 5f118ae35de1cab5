"""Everything at once on one switch process: a writer at full speed, a reader of all tables,
packet-ins, and traffic that must never see half an update.

``python -m fuzz.load --seconds 60`` in tests/. The writer changes two tables that the traffic goes
through in one DATAPLANE_ATOMIC batch: what leaves has the port that belongs to its address.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable

from diff.programs import Program
from diff.target import Target, find_embedded
from finsy.proto import p4r
from switch.server.client import Names, load_program
from switch.server.entries import action, by_member, entry, exact, host, lpm, member

TO_CPU, PLAIN = 0xCC, 0xAA
SOURCE, ADDRESS = 0x0A000001, 0x0A000002
PACKETS_PER_BURST = 50
BURSTS_PER_S = 200  # 10^4 packet-ins and as many other packets a second


class Load:
    """The switch with its clients, each in a thread of its own."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.stop = threading.Event()
        self.done: Counter[str] = Counter()  # by client
        self.torn: list[tuple[int, bytes]] = []
        self.errors: list[BaseException] = []
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
            p4r.Entity(table_entry=self._route(1)),
            p4r.Entity(
                table_entry=entry(names, "indirect", [exact(1, SOURCE)], by_member(1))
            ),
        ]  # fmt: skip
        for entity in first:
            codes = self.target.write([p4r.Update(type=p4r.Update.INSERT, entity=entity)])
            assert codes == [0], entity

    def _route(self, number: int) -> p4r.TableEntry:
        run = table_action(self.names, "set_dst", 1, number)
        return entry(self.names, "routes", [lpm(1, ADDRESS, 32)], run)

    # ---- the clients ----

    def write(self) -> None:
        """Both tables together, again and again."""
        number = 0
        while not self.stop.is_set():
            number = number % 1000 + 1
            request = p4r.WriteRequest(atomicity=p4r.WriteRequest.DATAPLANE_ATOMIC)
            request.election_id.low = 1
            way = member(self.names, "nexthops", 1, number % 7 + 1)
            request.updates.add(type=p4r.Update.MODIFY).entity.action_profile_member.CopyFrom(way)
            request.updates.add(type=p4r.Update.MODIFY).entity.table_entry.CopyFrom(
                self._route(number)
            )
            self.target._stub.Write(request)
            self.done["writes"] += 1

    def read(self) -> None:
        """All entries of all tables."""
        query = p4r.Entity()
        query.table_entry.SetInParent()
        while not self.stop.is_set():
            assert len(self.target.read(query)) >= 4
            self.done["reads"] += 1

    def send(self) -> None:
        """Traffic, half of it for the controller."""
        plain, to_cpu = frame(PLAIN), TO_CPU.to_bytes(6, "big") + bytes(6) + b"\x12\x34" + bytes(46)
        burst = [(2, plain), (3, to_cpu)] * PACKETS_PER_BURST
        due = time.monotonic()
        while not self.stop.is_set():
            self.target.send(burst)
            self.done["sent"] += len(burst)
            due += 1 / BURSTS_PER_S
            time.sleep(max(0.0, due - time.monotonic()))

    def take(self) -> None:
        """What leaves: packet-ins are counted, the others must be of one piece."""
        while not self.stop.wait(0.02):
            for port, packets in self.target.take().items():
                if port == 510:
                    self.done["packet-ins"] += len(packets)
                    continue
                for data in packets:
                    number = int.from_bytes(data[:6], "big")
                    if port != number % 7 + 1:
                        self.torn.append((port, data))
                self.done["forwarded"] += len(packets)

    def run(self, seconds: float) -> list[Counter[str]]:
        """All of them for so long; what each has done in every second."""

        def guarded(client: Callable[[], None]) -> None:
            try:
                client()
            except BaseException as error:
                self.errors.append(error)

        threads = [
            threading.Thread(target=guarded, args=(client,))
            for client in (self.write, self.read, self.send, self.take)
        ]
        for thread in threads:
            thread.start()
        history = []
        before: Counter[str] = Counter()
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self.errors:
            time.sleep(1)
            now = Counter(self.done)
            history.append(now - before)
            before = now
        self.stop.set()
        for thread in threads:
            thread.join()
        return history


def table_action(names: Names, name: str, *params: int) -> p4r.TableAction:
    """An action for an entry of a direct table."""
    return p4r.TableAction(action=action(names, name, *params))


def frame(mac: int) -> bytes:
    """An Ethernet frame to `mac` with an IPv4 packet from SOURCE to ADDRESS."""
    head = b"\x45\0\0\x1c\0\0\0\0\x40\x11\0\0" + SOURCE.to_bytes(4, "big")
    return mac.to_bytes(6, "big") + b"\2" * 6 + b"\x08\0" + head + ADDRESS.to_bytes(4, "big")


CLIENTS = ("writes", "reads", "sent", "packet-ins", "forwarded")


def main() -> int:
    """The command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="fuzz.load", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    given = parser.parse_args()
    with Target("embedded", find_embedded()) as target:
        load = Load(target)
        history = load.run(given.seconds)
    for error in load.errors:
        print(f"Error: {error!r}", file=sys.stderr)
    for name in CLIENTS:
        rates = sorted(second[name] for second in history)
        print(f"{name:12} {rates[len(rates) // 2]:8} a second (median), least {rates[0]}")
    print(f"{len(load.torn)} packets of {load.done['forwarded']} saw half an update")
    starved = [name for name in CLIENTS if any(second[name] == 0 for second in history)]
    if starved:
        print(f"starved for a second or more: {', '.join(starved)}")
    return int(bool(load.errors or load.torn or starved))


if __name__ == "__main__":
    sys.exit(main())
