"""A chain of nodes without physics or time: real switches, messages that any fault may hit.

Each link makes pairs of random Bell index; a device is a set of qubits that obeys commands and
reports back; what is in flight between nodes is taken in any order, lost, doubled or damaged.
What each device holds is entangled with what is known here alone, so that a delivered frame can be
compared with the truth.
"""

from __future__ import annotations

import random
from collections import Counter, deque
from dataclasses import dataclass, field, replace

from qplane.wire import CircuitFrame, DeviceFlag, DeviceFrame, QubitBody
from qplane.wire import DeviceType as D

from .node import DOWN, QUANTUM, UP, Circuit, End, Node, Repeater, Side, event, qubit

CIRCUIT = 3
WEST_PORT, EAST_PORT = 3, 4  # of every node
Half = tuple[int, int, int]  # node, link of the chain, pair sequence number


@dataclass(frozen=True)
class Faults:
    """Probability of each, per message between nodes."""

    loss: float = 0.0
    duplication: float = 0.0
    corruption: float = 0.0


@dataclass
class Delivery:
    frame: int
    other_seq: int
    corrected: bool
    void: bool = False


@dataclass
class Device:
    """The quantum device of one node; ``reports`` are on their way to the switch, in order."""

    held: dict[tuple[int, int], Half] = field(default_factory=dict)  # by handle
    unconfirmed: dict[Half, tuple[int, int]] = field(default_factory=dict)
    deliveries: dict[Half, Delivery] = field(default_factory=dict)
    reports: deque[DeviceFrame] = field(default_factory=deque)
    commands: deque[DeviceFrame] = field(default_factory=deque)
    filled: int = 0


def link_side(node: int, link: int) -> Side:
    """The side of a node on a link of the chain: link n lies between nodes n and n + 1."""
    is_west = link == node - 1
    neighbour = node - 1 if is_west else node + 1
    return Side(
        link=0 if is_west else 1,
        port=WEST_PORT if is_west else EAST_PORT,
        label=100 + link,
        mac=0x020000000A00 + neighbour,
    )


class Chain:
    """``nodes`` nodes in a row, one circuit from the first to the last."""

    def __init__(
        self, nodes: int, faults: Faults, seed: int, first_seq: int = 0, stride: int = 1
    ) -> None:
        """``stride``: from one pair's number to the next on the same link."""
        self.dice = random.Random(seed)
        self.faults = faults
        self.last = nodes - 1
        self.stride = stride
        self.next_seq = [first_seq] * self.last
        self.switches = [Node() for _ in range(nodes)]
        self.devices = [Device() for _ in range(nodes)]
        self.flying: list[tuple[int, int, bytes]] = []  # node, port, frame
        self.entangled: dict[Half, tuple[Half, int]] = {}
        self.heralded = 0
        self.did: Counter[str] = Counter()
        for node, switch in enumerate(self.switches):
            switch.program(CIRCUIT, self.circuit_at(node))

    def circuit_at(self, node: int) -> Circuit:
        if node == 0:
            return End(DOWN, link_side(0, 0))
        if node == self.last:
            return End(UP, link_side(node, node - 1))
        return Repeater(up=link_side(node, node - 1), down=link_side(node, node))

    def is_end(self, node: int) -> bool:
        return node in (0, self.last)

    # ---- what may happen next ----

    def herald(self) -> None:
        """A pair comes up on some link; its two nodes hear of it, each in its own time."""
        link = self.dice.randrange(self.last)
        seq = self.next_seq[link]
        self.next_seq[link] = (seq + self.stride) % 2**32
        bell = self.dice.randrange(4)
        halves = (link, link, seq), (link + 1, link, seq)
        self.entangled[halves[0]] = (halves[1], bell)
        self.entangled[halves[1]] = (halves[0], bell)
        for half in halves:
            device = self.devices[half[0]]
            device.filled += 1
            handle = (device.filled % 64, device.filled % 65536)
            device.held[handle] = half
            body = qubit(link_side(half[0], link), seq, handle)
            device.reports.append(event(D.PAIR, link_side(half[0], link), body, bell))
        self.heralded += 1

    def deliver_message(self) -> None:
        """Any message in flight arrives, or is hit by a fault."""
        if not self.flying:
            return
        place = self.dice.randrange(len(self.flying))
        node, port, data = self.flying[place]
        if self.dice.random() >= self.faults.duplication:
            self.flying[place] = self.flying[-1]
            self.flying.pop()
        else:
            self.did["doubled"] += 1
        if self.dice.random() < self.faults.loss:
            self.did["lost"] += 1
        elif self.dice.random() < self.faults.corruption:
            self.did["damaged"] += 1
            self.enter(node, port, self.damaged(data))
        else:
            self.enter(node, port, data)

    def damaged(self, data: bytes) -> bytes:
        """One to eight wrong bits in the QCI message."""
        whole = bytearray(data)
        for _ in range(self.dice.randint(1, 8)):
            whole[self.dice.randrange(26, len(whole))] ^= 1 << self.dice.randrange(8)
        return bytes(whole) if whole != data else self.damaged(data)

    def report(self) -> None:
        """Some device's oldest report reaches its switch."""
        waiting = [node for node, device in enumerate(self.devices) if device.reports]
        if waiting:
            node = self.dice.choice(waiting)
            self.enter(node, QUANTUM, self.devices[node].reports.popleft().to_bytes())

    def obey(self) -> None:
        """Some device carries out its oldest command."""
        waiting = [node for node, device in enumerate(self.devices) if device.commands]
        if waiting:
            node = self.dice.choice(waiting)
            self.carry_out(node, self.devices[node].commands.popleft())

    def cut_off(self) -> None:
        """Some qubit in memory reaches its cut-off."""
        holding = [node for node, device in enumerate(self.devices) if device.held]
        if holding:
            node = self.dice.choice(holding)
            device = self.devices[node]
            handle = self.dice.choice(list(device.held))
            half = device.held.pop(handle)
            self.expired(node, half, handle)

    def expired(self, node: int, half: Half, handle: tuple[int, int]) -> None:
        self.did["cut off"] += 1
        if self.is_end(node):
            self.devices[node].unconfirmed[half] = handle
        self.say_expired(node, half, handle)

    def say_expired(self, node: int, half: Half, handle: tuple[int, int]) -> None:
        side = link_side(node, half[1])
        self.devices[node].reports.append(event(D.EXPIRED, side, qubit(side, half[2], handle)))

    def repeat_expired(self) -> None:
        """An end node's device repeats what was not confirmed."""
        for node in (0, self.last):
            for half, handle in self.devices[node].unconfirmed.items():
                self.say_expired(node, half, handle)

    # ---- the machinery ----

    def enter(self, node: int, port: int, data: bytes) -> None:
        for out_port, frame in self.switches[node].receives(port, data):
            if out_port == QUANTUM:
                assert isinstance(frame, DeviceFrame)
                self.devices[node].commands.append(frame)
            else:
                assert isinstance(frame, CircuitFrame)
                neighbour, its_port = (
                    (node - 1, EAST_PORT) if out_port == WEST_PORT else (node + 1, WEST_PORT)
                )
                self.did[frame.message.type.name] += 1
                self.flying.append((neighbour, its_port, frame.to_bytes()))

    def carry_out(self, node: int, frame: DeviceFrame) -> None:
        device = self.devices[node]
        body = frame.body
        assert isinstance(body, QubitBody)
        handle = (body.slot, body.generation)
        link = node - 1 if frame.link == 0 else node
        half = (node, link, body.seq)
        self.did[frame.type.name] += 1
        if frame.type is D.SWAP:
            self.swap(node, frame, body)
        elif frame.type is D.DELIVER:
            if device.held.get(handle) == half:
                del device.held[handle]
                assert half not in device.deliveries
                corrected = bool(frame.flags & DeviceFlag.CORRECT)
                device.deliveries[half] = Delivery(int(frame.bell), body.seq2, corrected)
        elif frame.type is D.RELEASE:
            if device.held.get(handle) == half:
                del device.held[handle]
                if frame.flags & DeviceFlag.ANNOUNCE:
                    self.expired(node, half, handle)
        elif frame.type is D.VOID:
            # Where the qubit was gone when DELIVER came, there is nothing to take back.
            if frame.flags & DeviceFlag.FAR:
                self.void_far(node, link, body)
            elif half in device.deliveries:
                device.deliveries[half].void = True
        else:
            assert frame.type is D.EXPIRE_CONFIRMED
            device.unconfirmed.pop(half, None)

    def void_far(self, node: int, link: int, body: QubitBody) -> None:
        """Void what was delivered with this number at the other end, if anything was."""
        assert (body.seq, body.slot, body.generation) == (0, 0, 0)
        self.did["VOID FAR"] += 1
        for (_, its_link, _), delivery in self.devices[node].deliveries.items():
            if its_link == link and delivery.other_seq == body.seq2 and not delivery.void:
                delivery.void = True
                self.did["voided by its number at the other end"] += 1

    def swap(self, node: int, frame: DeviceFrame, body: QubitBody) -> None:
        device = self.devices[node]
        handles = ((body.slot, body.generation), (body.slot2, body.generation2))
        halves = [device.held.pop(handle, None) for handle in handles]
        first, second = halves
        if first is None or second is None or self.dice.random() < 0.05:
            kind, outcome = D.SWAP_FAILED, 0
            self.did["swap failed"] += 1
        else:
            kind, outcome = D.SWAPPED, self.dice.randrange(4)
            (far1, bell1), (far2, bell2) = self.entangled[first], self.entangled[second]
            self.entangled[far1] = (far2, bell1 ^ bell2 ^ outcome)
            self.entangled[far2] = (far1, bell1 ^ bell2 ^ outcome)
        side = Side(frame.link, 0, body.label, 0)
        device.reports.append(event(kind, side, replace(body, time_ps=0), outcome))

    # ---- a run ----

    def run(self, steps: int) -> None:
        """Make pairs and let things happen, then let all of it come to its end."""
        actions = [
            (4, self.herald),
            (12, self.deliver_message),
            (10, self.report),
            (10, self.obey),
            (1, self.cut_off),
            (0.1, self.repeat_expired),
        ]
        weights = [weight for weight, _ in actions]
        for _ in range(steps):
            self.dice.choices(actions, weights)[0][1]()
        for _ in range(100):
            while self.flying or any(d.reports or d.commands for d in self.devices):
                self.dice.choice((self.deliver_message, self.report, self.obey))()
            if not any(d.held or d.unconfirmed for d in self.devices):
                return
            while any(device.held for device in self.devices):
                self.cut_off()
            self.repeat_expired()
        raise AssertionError(f"not at rest: {[(d.held, d.unconfirmed) for d in self.devices]}")
