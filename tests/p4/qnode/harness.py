"""A node and its model, driven together: after each step both must have said the same."""

from __future__ import annotations

from collections import Counter

from qplane.wire import DeviceFrame, DeviceType, QciMessage, QubitBody

from .model import NodeModel, Step
from .node import DOWN, UP, Circuit, Node, Out, Side, qubit

Place = tuple[int, int, int]  # circuit, side, pair sequence number
Swap = tuple[int, int, int, int]  # circuit, side, sequence number there, and on the other side


def body_of(frame: DeviceFrame) -> QubitBody:
    assert isinstance(frame.body, QubitBody)
    return frame.body


def normal(out: Out) -> Out:
    """EXPIRE_CONFIRMED is known by its link and number: its handle has no meaning."""
    port, frame = out
    if isinstance(frame, DeviceFrame) and frame.type is DeviceType.EXPIRE_CONFIRMED:
        side = Side(frame.link, 0, body_of(frame).label, 0)
        return port, DeviceFrame(frame.type, frame.link, qubit(side, body_of(frame).seq))
    return out


class Harness:
    """Sends the same to both and compares what comes out, and the drops."""

    def __init__(self, circuits: dict[int, Circuit]) -> None:
        self.circuits = circuits
        self.node = Node()
        for number, circuit in circuits.items():
            self.node.program(number, circuit)
        self.model = NodeModel(circuits)
        self.expected_drops: Counter[str] = Counter()
        self.generation = 0
        self.commanded: list[Swap] = []

    def side(self, number: int, way: int) -> Side:
        return self.circuits[number].sides()[way]

    def _check(self, outputs: list[Out], step: Step) -> list[Out]:
        assert [normal(out) for out in outputs] == sorted(step.out, key=lambda out: out[0])
        if step.drop is not None:
            self.expected_drops[step.drop] += 1
        return outputs

    def pair(self, place: Place, bell: int) -> list[Out]:
        """The device heralds a pair, in a slot of a new generation."""
        number, way, seq = place
        side = self.side(number, way)
        self.generation = (self.generation + 1) % 65536
        handle = (seq % 7, self.generation)
        outputs = self.node.device_reports(DeviceType.PAIR, side, qubit(side, seq, handle), bell)
        self._check(outputs, self.model.pair(number, way, seq, handle, bell))
        for _, frame in outputs:
            if isinstance(frame, DeviceFrame) and frame.type is DeviceType.SWAP:
                self.commanded.append((number, way, seq, body_of(frame).seq2))
        return outputs

    def swap_done(self, swap: Swap, bell: int | None) -> list[Out]:
        """The device reports a swap's outcome, or None: that it failed."""
        number, way, seq, seq2 = swap
        side, other = self.side(number, way), self.side(number, UP + DOWN - way)
        kind = DeviceType.SWAP_FAILED if bell is None else DeviceType.SWAPPED
        body = qubit(side, seq, link2=other.link, seq2=seq2)
        outputs = self.node.device_reports(kind, side, body, bell or 0)
        return self._check(outputs, self.model.swap_done(number, way, seq, seq2, bell))

    def cut_off(self, place: Place) -> list[Out]:
        number, way, seq = place
        side = self.side(number, way)
        outputs = self.node.device_reports(DeviceType.EXPIRED, side, qubit(side, seq))
        return self._check(outputs, self.model.cut_off(number, way, seq))

    def message(self, number: int, way: int, message: QciMessage, ttl: int = 255) -> list[Out]:
        outputs = self.node.hears(self.side(number, way), message, ttl)
        return self._check(outputs, self.model.message(number, way, message, ttl))

    def check_drops(self) -> None:
        assert self.node.drops() == self.expected_drops
