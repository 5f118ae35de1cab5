"""Random interleavings of device events and lost, doubled, reordered, late messages at one node:
what comes out is what the plain model in ``model.py`` says, frame by frame and drop by drop."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from qplane.wire import DeviceFrame, DeviceType, ExpireReason, QciMessage, QciType

from .model import NodeModel, Step
from .node import (
    DOWN,
    EAST_SIDE,
    EAST_SIDE_2,
    NORTH_SIDE,
    UP,
    WEST_SIDE,
    WEST_SIDE_2,
    Circuit,
    End,
    Node,
    Out,
    Repeater,
    Side,
    qci,
    qubit,
)

CIRCUITS: dict[int, Circuit] = {
    7: Repeater(up=WEST_SIDE, down=EAST_SIDE),
    8: Repeater(up=EAST_SIDE_2, down=WEST_SIDE_2),
    9: End(UP, NORTH_SIDE),
    10: End(DOWN, Side(link=2, port=NORTH_SIDE.port, label=301, mac=NORTH_SIDE.mac)),
}
WHERE = [(number, way) for number, circuit in CIRCUITS.items() for way in circuit.sides()]
REPEATERS = [(number, way) for number, way in WHERE if isinstance(CIRCUITS[number], Repeater)]

# Few numbers, so that events and messages meet: three places, some of them shared by numbers that
# lie one or several rounds apart, on both sides of the wrap.
FIRST = 2**32 - 4096
seqs = st.sampled_from([FIRST, FIRST + 1, FIRST + 2, 0, 1, 2, 4096, 4097, 8192])
bells = st.integers(0, 3)
ttls = st.sampled_from([1, 2, 64, 255])


def normal(out: Out) -> Out:
    """EXPIRE_CONFIRMED is known by its link and number: its handle has no meaning."""
    port, frame = out
    if isinstance(frame, DeviceFrame) and frame.type is DeviceType.EXPIRE_CONFIRMED:
        body = qubit_without_handle(frame)
        return port, DeviceFrame(frame.type, frame.link, body)
    return out


def qubit_without_handle(frame: DeviceFrame):
    return qubit(Side(frame.link, 0, frame.body.label, 0), frame.body.seq)


class OneNode(RuleBasedStateMachine):
    @initialize()
    def program(self) -> None:
        self.node = Node()
        for number, circuit in CIRCUITS.items():
            self.node.program(number, circuit)
        self.model = NodeModel(CIRCUITS)
        self.expected_drops: dict[str, int] = {}
        self.generation = 0
        self.commanded: list[tuple[int, int, int, int]] = []  # swaps: circuit, side, seq, seq2

    def check(self, outputs: list[Out], step: Step) -> None:
        assert [normal(out) for out in outputs] == sorted(step.out, key=lambda out: out[0])
        if step.drop is not None:
            self.expected_drops[step.drop] = self.expected_drops.get(step.drop, 0) + 1

    @rule(where=st.sampled_from(WHERE), seq=seqs, bell=bells)
    def pair(self, where: tuple[int, int], seq: int, bell: int) -> None:
        number, way = where
        side = CIRCUITS[number].sides()[way]
        self.generation += 1
        handle = (seq % 7, self.generation)
        outputs = self.node.device_reports(DeviceType.PAIR, side, qubit(side, seq, handle), bell)
        self.check(outputs, self.model.pair(number, way, seq, handle, bell))
        for _, frame in outputs:
            if isinstance(frame, DeviceFrame) and frame.type is DeviceType.SWAP:
                self.commanded.append((number, way, seq, frame.body.seq2))

    def _swap_done(self, number: int, way: int, seq: int, seq2: int, bell: int | None) -> None:
        side = CIRCUITS[number].sides()[way]
        other = CIRCUITS[number].sides()[UP + DOWN - way]
        kind = DeviceType.SWAP_FAILED if bell is None else DeviceType.SWAPPED
        body = qubit(side, seq, link2=other.link, seq2=seq2)
        outputs = self.node.device_reports(kind, side, body, bell or 0)
        self.check(outputs, self.model.swap_done(number, way, seq, seq2, bell))

    @rule(data=st.data(), bell=st.one_of(bells, bells, st.none()), again=st.booleans())
    def swap_done(self, data: st.DataObject, bell: int | None, again: bool) -> None:
        """A swap that was commanded is done or fails; perhaps it will be reported again."""
        if self.commanded:
            place = data.draw(st.integers(0, len(self.commanded) - 1))
            self._swap_done(*self.commanded[place], bell)
            if not again:
                del self.commanded[place]

    @rule(where=st.sampled_from(REPEATERS), seq=seqs, seq2=seqs, bell=st.none())
    def swap_failed_that_was_not_commanded(
        self, where: tuple[int, int], seq: int, seq2: int, bell: None
    ) -> None:
        self._swap_done(*where, seq, seq2, bell)

    @rule(where=st.sampled_from(WHERE), seq=seqs)
    def cut_off(self, where: tuple[int, int], seq: int) -> None:
        number, way = where
        side = CIRCUITS[number].sides()[way]
        outputs = self.node.device_reports(DeviceType.EXPIRED, side, qubit(side, seq))
        self.check(outputs, self.model.cut_off(number, way, seq))

    def _message(self, where: tuple[int, int], message: QciMessage, ttl: int) -> None:
        number, way = where
        side = CIRCUITS[number].sides()[way]
        outputs = self.node.hears(side, message, ttl)
        self.check(outputs, self.model.message(number, way, message, ttl))

    @rule(where=st.sampled_from(WHERE), seq=seqs, origin=seqs, bell=bells, ttl=ttls)
    def track(self, where: tuple[int, int], seq: int, origin: int, bell: int, ttl: int) -> None:
        self._message(where, qci(QciType.TRACK, seq, origin, bell), ttl)

    @rule(
        where=st.sampled_from(WHERE),
        seq=seqs,
        origin=seqs,
        reason=st.sampled_from(ExpireReason),
        ack=st.booleans(),
        ttl=ttls,
    )
    def expire(
        self,
        where: tuple[int, int],
        seq: int,
        origin: int,
        reason: ExpireReason,
        ack: bool,
        ttl: int,
    ) -> None:
        self._message(where, qci(QciType.EXPIRE, seq, origin, reason=reason, ack=ack), ttl)

    @rule(where=st.sampled_from(WHERE), seq=seqs, origin=seqs, ttl=ttls)
    def expire_ack(self, where: tuple[int, int], seq: int, origin: int, ttl: int) -> None:
        self._message(where, qci(QciType.EXPIRE_ACK, seq, origin), ttl)

    @invariant()
    def drops_are_those_of_the_model(self) -> None:
        assert self.node.drops() == self.expected_drops


TestOneNode = OneNode.TestCase
TestOneNode.settings = settings(
    max_examples=150, stateful_step_count=60, deadline=None, derandomize=True
)
