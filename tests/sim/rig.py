"""What the engine's tests share: device frames in and out, and switches written in Python.

The frames are made and read by the runtime's own codecs, so that the device's C code is held
against a second implementation of docs/wire.md in each of these tests.
"""

from dataclasses import dataclass, field

from qplane.wire.device import (
    DeviceFlag,
    DeviceFrame,
    DeviceType,
    LinkControl,
    QubitBody,
    Transaction,
)
from qplane.wire.qci import BellIndex
from qplane_cext.sim.network import Network

CPU = 510
QUANTUM = 509
LABEL = 16
MS = 10**9  # picoseconds


@dataclass
class Recorder:
    """A switch that forwards nothing but what comes from its CPU port (to the quantum port) and
    keeps what the device says, with the microsecond at which it came."""

    seen: list[tuple[int, bytes]] = field(default_factory=list)

    def process(self, port, data, now_us):
        if port == CPU:
            return [(QUANTUM, data)]
        self.seen.append((now_us, data))
        if port != QUANTUM:
            return []
        return [out for frame in DeviceFrame.list_from_bytes(data) for out in self.answer(frame)]

    def answer(self, frame):
        return []

    def frames(self, type_=None):
        """The device frames so far, of one type or all; forgets them."""
        found = [f for _, data in self.seen for f in DeviceFrame.list_from_bytes(data)]
        self.seen.clear()
        return [frame for frame in found if type_ is None or frame.type == type_]


class Deliverer(Recorder):
    """Delivers each pair as soon as it is heralded; the tail corrects."""

    def __init__(self, tail):
        super().__init__()
        self.tail = tail

    def answer(self, frame):
        if frame.type is not DeviceType.PAIR:
            return []
        flags = DeviceFlag.CORRECT if self.tail else DeviceFlag.NONE
        command = about(DeviceType.DELIVER, frame, flags, bell=frame.bell, seq2=frame.body.seq)
        return [(QUANTUM, command)]


def about(type_, pair, flags=DeviceFlag.NONE, bell=BellIndex.PHI_PLUS, **changes):
    """The command about the qubit of an event."""
    body = pair.body
    fields = {
        "label": body.label,
        "seq": body.seq,
        "slot": body.slot,
        "generation": body.generation,
    }
    link = changes.pop("link", pair.link)
    return DeviceFrame(type_, link, QubitBody(**(fields | changes)), bell, flags).to_bytes()


def swap(first, second):
    """The SWAP of the qubits of two PAIR events."""
    b = second.body
    return about(
        DeviceType.SWAP,
        first,
        link2=second.link,
        seq2=b.seq,
        slot2=b.slot,
        generation2=b.generation,
    )


def start(link=0, label=LABEL, slots=(0, 1), cutoff_ps=0, retry_ps=0, end=True):
    body = LinkControl(
        7,
        label,
        slot_first=slots[0],
        slot_count=slots[1],
        cutoff_ps=cutoff_ps,
        retry_ps=retry_ps,
    )
    flags = DeviceFlag.END if end else DeviceFlag.NONE
    return DeviceFrame(DeviceType.LINK_START, link, body, flags=flags).to_bytes()


def stop(link=0, label=LABEL):
    return DeviceFrame(DeviceType.LINK_STOP, link, LinkControl(8, label)).to_bytes()


def status(link=0, label=LABEL):
    return DeviceFrame(DeviceType.LINK_STATUS_REQUEST, link, LinkControl(9, label)).to_bytes()


def features():
    return DeviceFrame(DeviceType.FEATURES_REQUEST, 0xFF, Transaction(5)).to_bytes()


PERFECT = {"length_km": 20.0, "attenuation_db_per_km": 0.0}
"""Every second attempt succeeds, with a perfect pair; an attempt takes 0.1 ms, a herald 0.05 ms."""


def chain(switches, *, seed=1, link=PERFECT, slots=4, node=None, **options):
    """A line of nodes with those switches; link 0 of a node leads back, link 1 onward (the first
    node's only link is 0). No classical channels: what a switch tells a neighbour goes nowhere."""
    network = Network(seed, **options)
    for i, switch in enumerate(switches):
        network.add_node(
            f"n{i}",
            i + 1,
            switch,
            cpu_port=CPU,
            quantum_port=QUANTUM,
            slots=slots,
            **({"switch_delay_ps": 0} | (node or {})),
        )
    for i in range(len(switches) - 1):
        network.add_quantum_link(i, 0 if i == 0 else 1, i + 1, 0, **link)
    return network


def tell(network, node, *frames):
    for frame in frames:
        network.inject(node, CPU, frame)
