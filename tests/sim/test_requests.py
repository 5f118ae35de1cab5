"""DELIVER with MEASURE and REPORT, and COMPLETED: what the device answers and counts."""

import math

import numpy as np
import pytest

from qplane.wire.device import DeviceFlag, DeviceType
from qplane.wire.qci import BellIndex

from .rig import MS, QUANTUM, Recorder, about, chain, start, tell

MEASURE = DeviceFlag.MEASURE | DeviceFlag.REPORT


class Measurer(Recorder):
    """Has each pair measured, as the tail-end or the head-end of its circuit."""

    def __init__(self, tail, flags=MEASURE):
        super().__init__()
        self.flags = flags | (DeviceFlag.CORRECT if tail else DeviceFlag.NONE)

    def answer(self, frame):
        if frame.type is not DeviceType.PAIR:
            return []
        command = about(DeviceType.DELIVER, frame, self.flags, bell=frame.bell, seq2=frame.body.seq)
        return [(QUANTUM, command)]


def measured(pairs, flags=(MEASURE, MEASURE), seed=1, **node):
    """The network, and by sequence number the DELIVERED events of head-end and tail-end."""
    switches = [Measurer(False, flags[0]), Measurer(True, flags[1])]
    # The station is at the head-end: its half is delivered a herald's delay before the other.
    link = {"length_km": 20.0, "attenuation_db_per_km": 0.0, "station_fraction": 0.0}
    network = chain(switches, seed=seed, node=node, link=link)
    for end in (0, 1):
        tell(network, end, start())
    network.run(deliveries=pairs)
    network.run(until_ps=network.now_ps)  # the last report
    return network, [
        {frame.body.seq: frame for frame in switch.frames(DeviceType.DELIVERED)}
        for switch in switches
    ]


def test_the_outcomes_reported_are_those_of_the_pair():
    network, reports = measured(2000, t1_s=1e-3, t2_s=2e-3, readout_error=0.05)
    pairs = network.deliveries()
    assert (pairs["head_delivered_ps"] < pairs["tail_delivered_ps"]).all()
    for end, events in zip(("head", "tail"), reports, strict=True):
        for seq, basis, bit in zip(
            pairs["head_seq"], pairs[f"{end}_basis"], pairs[f"{end}_bit"], strict=True
        ):
            event = events[seq]
            assert event.flags == DeviceFlag.MEASURED
            assert event.bell == basis << 1 | bit
    assert not pairs["mismatch"].any()
    counters = network.counters()
    assert counters["measures"] == counters["delivers"]
    assert set(pairs["head_basis"]) == {0, 1}


@pytest.mark.parametrize(
    "flags",
    [(MEASURE, MEASURE), (MEASURE, DeviceFlag.NONE), (DeviceFlag.NONE, MEASURE)],
    ids=["both", "head", "tail"],
)
def test_outcomes_have_the_statistics_of_the_state(flags):
    """Amplitude damping leaves the bits biased; the head-end's half is measured first, so that its
    own marginal and what it says of the other's both count."""
    pairs = 6000
    network, _ = measured(pairs, flags, t1_s=0.4e-3, t2_s=0.8e-3)
    rows = network.deliveries()
    z = rows["head_basis"] == 0
    heads = 1 - 2.0 * rows["head_bit"]
    tails = 1 - 2.0 * rows["tail_bit"]
    hops = network.hops()
    # Of Psi, each half damped by its own time in memory t: P(still excited) = exp(-t / T1). In the
    # two heralded states one of the two is excited; the tail's X or Y of the frame flips its bit.
    near = np.exp(-hops["head_stored_ps"] / (0.4 * MS))
    far = np.exp(-hops["tail_stored_ps"] / (0.4 * MS))
    expected = {
        "head": (1 - near)[z],
        "tail": -(1 - far)[z],
        "both": (near + far - 1)[z],
        "x": np.sqrt(near * far)[~z],
    }
    seen = {
        "head": heads[z],
        "tail": tails[z],
        "both": (heads * tails)[z],
        "x": (heads * tails)[~z],
    }
    for what, mean in expected.items():
        spread = math.sqrt((1 - mean**2).sum()) or 1e-9
        assert abs((seen[what] - mean).sum()) / spread < 4, what


def test_a_report_without_measurement_says_no_outcome_and_completed_is_checked():
    network, (heads, tails) = measured(3, (DeviceFlag.REPORT, DeviceFlag.REPORT))
    seq = int(network.deliveries()["head_seq"][0])
    assert heads[seq].flags == tails[seq].flags == DeviceFlag.NONE
    assert heads[seq].bell == BellIndex.PHI_PLUS
    tell(network, 0, about(DeviceType.COMPLETED, heads[seq]))
    tell(network, 1, about(DeviceType.COMPLETED, tails[seq]))
    tell(network, 1, about(DeviceType.COMPLETED, tails[seq], seq=seq + 1000))
    network.run(until_ps=network.now_ps)
    counters = network.counters()
    assert (counters["completed"], counters["unknown_completed"]) == (2, 1)
    assert (counters["measures"], counters["device_bad_type"]) == (0, 0)
