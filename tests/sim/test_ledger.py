"""The book of entangled pairs against a plain model: random walks of a chain of five nodes.

The walk swaps, delivers, voids and discards qubits in any order, also in orders that no protocol
would choose. The model knows partners, frames and paths as lists; the engine must agree in the end,
row by row; perfect pairs must have fidelity 1 exactly where the corrections add up to the frame.
"""

import random

import pytest

from qplane.wire.device import DeviceFlag, DeviceType
from qplane.wire.qci import BellIndex

from .rig import MS, Recorder, about, chain, start, stop, swap, tell

NODES = 5
SLOTS = 6


class Half:
    """One half of a link pair; `partner` through all swaps, `path` of link pairs to it."""

    def __init__(self, node, event):
        self.node, self.event = node, event
        self.state = "alive"
        self.voided = False
        self.partner = None
        self.path = []  # (link, seq, heralded Bell index), from here to the partner
        self.frame = 0  # of the pair from here to the partner


class Model:
    """What must come out: rows of completed pairs, voids, one-sided deliveries."""

    def __init__(self):
        self.rows = []
        self.voids = self.void_mismatches = 0

    def resolve(self, half):
        other = half.partner
        if {half.state, other.state} == {"delivered"}:
            if half.voided or other.voided:
                self.void_mismatches += 1
            else:
                turned = half.corrected and not other.corrected
                self.rows.append((other, half) if turned else (half, other))

    def swapped(self, a, b, outcome):
        p, q = a.partner, b.partner
        a.state = b.state = "swapped"
        p.partner, q.partner = q, p
        frame = p.frame ^ q.frame ^ outcome
        p_path, q_path = p.path + q.path[::-1], q.path + p.path[::-1]
        p.path, q.path, p.frame, q.frame = p_path, q_path, frame, frame
        self.resolve(p)


def walk(seed):
    choose = random.Random(seed)
    switches = [Recorder() for _ in range(NODES)]
    network = chain(switches, slots=2 * SLOTS, seed=seed)
    for node in range(NODES):
        tell(network, node, *(start(link, slots=(SLOTS * link, SLOTS)) for link in (0, 1)))
    network.run(until_ps=20 * MS)
    for node in range(NODES):
        tell(network, node, stop(0), stop(1))
    assert network.run() == "idle"
    halves = {}
    for node, switch in enumerate(switches):
        for event in switch.frames(DeviceType.PAIR):
            link = node if node == 0 or event.link == 1 else node - 1
            halves.setdefault((link, event.body.seq), []).append(Half(node, event))
    for (link, seq), (a, b) in halves.items():
        a.partner, b.partner = b, a
        a.path = [(link, seq, a.event.bell)]
        b.path = list(a.path)
        a.frame = b.frame = a.event.bell
    everyone = [half for pair in halves.values() for half in pair]
    assert len(everyone) == 2 * SLOTS * (NODES - 1)
    model = Model()
    while True:
        alive = [half for half in everyone if half.state == "alive"]
        if not alive:
            break
        half = choose.choice(alive)
        inside = [
            other
            for other in alive
            if other.node == half.node
            and other.event.link != half.event.link
            and other.partner is not half
        ]
        action = choose.choices(["swap", "deliver", "release"], [4, 2, 1])[0]
        if action == "swap" and inside:
            other = choose.choice(inside)
            tell(network, half.node, swap(half.event, other.event))
            network.run()
            (done,) = switches[half.node].frames(DeviceType.SWAPPED)
            model.swapped(half, other, done.bell)
        elif action == "deliver":
            half.state = "delivered"
            half.corrected = half.partner.state != "delivered" or not half.partner.corrected
            half.claimed = BellIndex(half.frame ^ (choose.random() < 0.2))
            flags = DeviceFlag.CORRECT if half.corrected else DeviceFlag.NONE
            half.seq2 = half.partner.event.body.seq
            tell(
                network,
                half.node,
                about(DeviceType.DELIVER, half.event, flags, half.claimed, seq2=half.seq2),
            )
            network.run()
            model.resolve(half)
        elif action == "release":
            half.state = "gone"
            tell(network, half.node, about(DeviceType.RELEASE, half.event))
            network.run()
        open_ones = [
            h for h in everyone if h.state == "delivered" and not h.voided and not done_with(h)
        ]
        if open_ones and choose.random() < 0.1:
            half = choose.choice(open_ones)
            half.voided = True
            model.voids += 1
            tell(network, half.node, about(DeviceType.VOID, half.event))
            network.run()
    return network, everyone, model


def done_with(half):
    return half.partner.state == "delivered"


@pytest.mark.parametrize("seed", range(12))
def test_the_engine_agrees_with_the_model(seed):
    network, everyone, model = walk(seed)
    counters = network.counters()
    open_ones = [
        h for h in everyone if h.state == "delivered" and not h.voided and h.partner.state == "gone"
    ]
    assert counters["delivered"] == len(model.rows)
    assert counters["voids"] == model.voids
    assert counters["void_mismatches"] == model.void_mismatches
    assert counters["one_sided"] == len(open_ones) == len(network.waiting())
    assert counters["stale_swaps"] == counters["stale_delivers"] == counters["unknown_voids"] == 0
    rows, hops = network.deliveries(), network.hops()
    for i, (head, tail) in enumerate(model.rows):
        assert (rows["head_node"][i], rows["tail_node"][i]) == (head.node, tail.node)
        assert (rows["head_seq"][i], rows["tail_seq"][i]) == (
            head.event.body.seq,
            tail.event.body.seq,
        )
        assert rows["truth_frame"][i] == head.frame
        right = head.claimed == tail.claimed == head.frame
        assert rows["wrong_frame"][i] == (not right)
        named = head.seq2 == tail.event.body.seq and tail.seq2 == head.event.body.seq
        if named:
            assert rows["mismatch"][i] == (head.corrected == tail.corrected)
        else:
            assert rows["mismatch"][i]
        at = slice(rows["hop_start"][i], rows["hop_start"][i] + rows["hop_count"][i])
        path = zip(hops["link"][at], hops["seq"][at], hops["bell"][at], strict=True)
        assert [tuple(map(int, hop)) for hop in path] == [tuple(map(int, h)) for h in head.path]
        correction = (head.corrected * head.claimed) ^ (tail.corrected * tail.claimed)
        fidelity = 1.0 if correction == head.frame else 0.0
        assert rows["fidelity"][i] == pytest.approx(fidelity, abs=1e-9)
    for half in open_ones:
        tell(network, half.node, about(DeviceType.VOID, half.event))
    network.run()
    counters = network.counters()
    assert (counters["one_sided"], counters["entangled_link_pairs"]) == (0, 0)
    assert network.waiting() == []
