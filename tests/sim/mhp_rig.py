"""Two nodes and a heralding station with switches written in Python: a second opinion on what
qnode.p4 and herald.p4 do with GEN and REPLY, and a wire that can be cut at any single message."""

from dataclasses import dataclass, field

from qplane.wire import (
    Calibration,
    DeviceFrame,
    DeviceType,
    GenBody,
    LinkFrame,
    MhpError,
    MhpKind,
    MhpOrder,
    MhpOutcome,
    QciMessage,
    QciType,
    QubitAction,
    ReplyBody,
)
from qplane_cext.sim.network import Network

from .rig import CPU, QUANTUM

STATION_PORT = 1
MS = 10**9


@dataclass
class NodeSwitch:
    """GEN to the station, REPLY to the device, what the device says into `seen`."""

    seen: list[tuple[int, DeviceFrame]] = field(default_factory=list)

    def process(self, port, data, now_us):
        if port == CPU:
            return [(QUANTUM, data)]
        if port == STATION_PORT:
            message = LinkFrame.from_bytes(data).message
            frame = DeviceFrame(DeviceType.MHP_REPLY, 0, message.body)
            return [(QUANTUM, frame.to_bytes())]
        frame = DeviceFrame.from_bytes(data)
        if frame.type is DeviceType.MHP_GEN:
            message = QciMessage(QciType.GEN, frame.body)
            return [(STATION_PORT, LinkFrame(1, 2, message).to_bytes())]
        self.seen.append((now_us, frame))
        return []

    def frames(self, *types):
        return [frame for _, frame in self.seen if not types or frame.type in types]

    def results(self):
        return self.frames(DeviceType.MHP_PAIR, DeviceType.MHP_MEASURED)

    def errors(self):
        return [frame.body for frame in self.frames(DeviceType.MHP_ERROR)]


@dataclass
class StationSwitch:
    """A reference of herald.p4. `lose`: numbers of the GENs (as they come) and REPLYs (as they
    leave) that are dropped; `messages` counts them."""

    lose: set[int] = field(default_factory=set)
    messages: int = 0
    gens: dict[tuple[int, int], GenBody] = field(default_factory=dict)
    answered: set[int] = field(default_factory=set)
    pairs: int = 0
    outcomes: int = 0

    def _lost(self):
        self.messages += 1
        return self.messages - 1 in self.lose

    def process(self, port, data, now_us):
        if port in (1, 2):
            gen = LinkFrame.from_bytes(data).message.body
            if not self._lost() and gen.cycle not in self.answered:
                self.gens.setdefault((gen.cycle, port), gen)
            return []
        body = DeviceFrame.from_bytes(data).body
        self.outcomes += 1
        self.answered.add(body.cycle)
        a, b = (self.gens.get((body.cycle, port)) for port in (1, 2))
        if a is None and b is None:
            return []
        outcome, errors = MhpOutcome.FAIL, (MhpError.NONE, MhpError.NONE)
        if a is None:
            errors = MhpError.TIME_MISMATCH, MhpError.NO_CLASSICAL_OTHER
        elif b is None:
            errors = MhpError.NO_CLASSICAL_OTHER, MhpError.TIME_MISMATCH
        elif (a.queue_id, a.queue_seq, a.kind) != (b.queue_id, b.queue_seq, b.kind):
            errors = MhpError.QUEUE_MISMATCH, MhpError.QUEUE_MISMATCH
        elif a.present and b.present:
            outcome = body.outcome
            self.pairs += outcome is not MhpOutcome.FAIL
        left = []
        for end, own, other, error in ((1, a, b, errors[0]), (2, b, a, errors[1])):
            reply = ReplyBody(
                own.queue_id if own else 0,
                own.queue_seq if own else 0,
                other.queue_id if other else 0,
                other.queue_seq if other else 0,
                self.pairs,
                outcome,
                error,
                body.cycle,
            )
            if not self._lost():
                left.append((end, LinkFrame(1, 2, QciMessage(QciType.REPLY, reply)).to_bytes()))
        return left


FIBRE = {"length_km": 20.0, "attenuation_db_per_km": 0.0}
"""Every second attempt succeeds, with a perfect pair."""


class Rig:
    """Nodes 0 and 1 with link 0, station 2."""

    def __init__(self, *, link=None, node=None, seed=1, lose=(), faults=None, **station):
        self.nodes = [NodeSwitch(), NodeSwitch()]
        self.station = StationSwitch(set(lose))
        self.network = Network(seed)
        options = {"slots": 4} | (node or {})
        for i, switch in enumerate(self.nodes):
            self.network.add_node(
                f"n{i}", i + 1, switch, cpu_port=CPU, quantum_port=QUANTUM, **options
            )
        self.network.add_node("s", 9, self.station, cpu_port=CPU, quantum_port=QUANTUM)
        fibre = FIBRE | (link or {})
        self.network.add_quantum_link(0, 0, 1, 0, **fibre)
        share = fibre.get("station_fraction", 0.5)
        for i, part in ((0, share), (1, 1 - share)):
            delay_ps = round(fibre["length_km"] * part * 1e15 / 2e8)
            self.network.add_channel(i, STATION_PORT, 2, i + 1, delay_ps=delay_ps, faults=faults)
        self.heralding = self.network.add_station(
            0, 2, 0, ports=(STATION_PORT, STATION_PORT), **station
        )

    def tell(self, node, type_, body, link=0):
        self.network.inject(node, CPU, DeviceFrame(type_, link, body).to_bytes())

    def start(self, *nodes, **order):
        """The same order at both nodes, or at those named."""
        fields = {"transaction": 1, "queue_id": 3, "queue_seq": 4, "pairs": 2, "slot_count": 4}
        for node in nodes or (0, 1):
            self.tell(node, DeviceType.MHP_START, MhpOrder(**(fields | order)))

    def measure(self, *nodes, **order):
        self.start(*nodes, kind=MhpKind.MEASURE, **order)

    def stop(self, node, queue_id=3, queue_seq=4):
        self.tell(node, DeviceType.MHP_STOP, MhpOrder(2, queue_id, queue_seq))

    def act(self, node, type_, slot, generation, **fields):
        self.tell(node, type_, QubitAction(7, slot, generation, **fields), link=0xFF)

    def ask_calibration(self, node, bright_state=0):
        self.tell(node, DeviceType.CALIBRATION_REQUEST, Calibration(5, bright_state))

    def run(self, ms=10):
        self.network.run(until_ps=self.network.now_ps + round(ms * MS))

    def counters(self):
        return self.network.mhp_counters(0)

    def release_all(self):
        """What an owner of pairs does in the end."""
        for node, switch in enumerate(self.nodes):
            for frame in switch.frames(DeviceType.MHP_PAIR):
                self.act(node, DeviceType.QUBIT_RELEASE, frame.body.slot, frame.body.generation)
        self.run(1)

    def assert_right(self):
        """Results with one number at both ends are of one attempt; K: of one entangled pair."""
        by_seq = [{f.body.mhp_seq: f for f in switch.results()} for switch in self.nodes]
        for switch, found in zip(self.nodes, by_seq, strict=True):
            assert len(found) == len(switch.results()), "a number came twice"
        for seq in by_seq[0].keys() & by_seq[1].keys():
            a, b = by_seq[0][seq], by_seq[1][seq]
            assert (a.body.cycle, a.bell) == (b.body.cycle, b.bell)
            assert (a.body.queue_id, a.body.queue_seq) == (b.body.queue_id, b.body.queue_seq)
        for pair in self.network.link_pairs():
            for half in pair["halves"]:
                if half["slot"] is None:
                    continue
                frame = by_seq[half["node"]].get(pair["seq"])
                assert frame is not None, "a pair in memory that nobody was told of"
                assert (frame.body.slot, frame.body.generation) == half["slot"]
                assert frame.bell == pair["bell"]
        assert self.counters()["false_heralds"] == 0

    def assert_empty(self):
        assert self.network.waiting() == []
        assert self.network.link_pairs() == []
        assert self.network.counters()["slots_in_use"] == 0
