"""Quantum links: timing, attempts, turns between circuits, starting and stopping."""

import math

import numpy as np
import pytest

from qplane.wire.device import DeviceType
from qplane_cext.sim.network import Network
from qplane_cext.sim.photonic import FibreLink

from .rig import MS, PERFECT, QUANTUM, Deliverer, Recorder, about, chain, start, stop, tell

LOSSY = {
    "length_km": 30.0,
    "station_fraction": 1 / 3,
    "emission_efficiency": 0.6,
    "detector_efficiency": 0.8,
    "dark_count_probability": 1e-4,
    "visibility": 0.9,
    "emission_ps": 3_000_000,
}


def delivering(link, deliveries, slots=(0, 1), node=None, seed=1):
    switches = [Deliverer(tail=False), Deliverer(tail=True)]
    network = chain(switches, link=link, node=node, seed=seed)
    for n in (0, 1):
        tell(network, n, start(slots=slots))
    assert network.run(deliveries=deliveries) == "delivered"
    return network, switches


def test_photons_meet_and_the_herald_takes_each_arm():
    """20 km with the station a quarter of the way: arms of 25 and 75 us."""
    link = PERFECT | {"station_fraction": 0.25, "emission_ps": 1_000_000}
    network, switches = delivering(link, 50)
    near, far = (switch.frames(DeviceType.PAIR) for switch in switches)
    for a, b in zip(near, far, strict=False):
        assert b.body.time_ps - a.body.time_ps == 50_000_000
    hops = network.hops()
    assert set(hops["head_stored_ps"]) == {50_000_000}  # photon to the station, herald back
    assert set(hops["tail_stored_ps"]) == {150_000_000}
    assert set(near[0].body.time_ps % 151_000_000 for _ in near) == {
        1_000_000 + 75_000_000 + 25_000_000
    }
    assert network.deliveries()["fidelity"] == pytest.approx(1.0, abs=1e-12)


def test_halves_age_from_their_own_emission():
    """The far memory emits earlier; at delivery both have aged by the time they were stored."""
    t1_s, t2_s = 3e-3, 2e-3
    network, _ = delivering(LOSSY, 20, node={"t1_s": t1_s, "t2_s": t2_s})
    hops, pairs = network.hops(), network.deliveries()
    states = FibreLink(**LOSSY).herald().states

    def transfer(t_ps):
        x, z = math.exp(-t_ps * 1e-12 / t2_s), math.exp(-t_ps * 1e-12 / t1_s)
        return np.array([[1, 0, 0, 0], [0, x, 0, 0], [0, 0, x, 0], [1 - z, 0, 0, z]])

    sign = {2: [1, 1, -1], 3: [-1, -1, -1]}
    assert hops["head_stored_ps"][0] != hops["tail_stored_ps"][0]
    for i in range(20):
        bell = int(hops["bell"][i])
        head, tail = (transfer(hops[f"{end}_stored_ps"][i]) for end in ("head", "tail"))
        state = head @ states[bell] @ tail.T
        fidelity = (1 + np.dot(sign[bell], np.diag(state)[1:])) / 4
        assert pairs["fidelity"][i] == pytest.approx(fidelity, abs=1e-12)


def test_attempts_heralds_and_outcomes_have_their_rates():
    count = 20_000
    network, switches = delivering(LOSSY, count)
    p = FibreLink(**LOSSY).herald().p_success
    counters = network.link_counters(0)
    assert counters["success_probability"] == pytest.approx(p)
    mean = counters["attempts"] / counters["heralds"]
    assert abs(mean - 1 / p) < 4 * math.sqrt(1 - p) / p / math.sqrt(count)
    period = counters["attempt_ps"]
    heralds = np.array([frame.body.time_ps for frame in switches[0].frames(DeviceType.PAIR)])
    assert set(np.diff(heralds) % period) == {0}
    plus = int((network.hops()["bell"] == 2).sum())
    assert abs(plus - count / 2) < 4 * math.sqrt(count) / 2


def test_measured_bits_and_fidelity_follow_the_heralded_state():
    count = 20_000
    readout = 0.02
    network, _ = delivering(LOSSY, count, node={"readout_error": readout})
    state = FibreLink(**LOSSY).herald().states[2]
    (circuit,) = network.circuits()
    kept = (1 - 2 * readout) ** 2
    for basis, correlation in (("z", -state[3, 3]), ("x", state[1, 1])):
        wrong = (1 - kept * correlation) / 2
        n = circuit[f"{basis}_count"]
        assert abs(n - count / 2) < 4 * math.sqrt(count) / 2
        assert abs(circuit[f"{basis}_errors"] - n * wrong) < 4 * math.sqrt(n * wrong * (1 - wrong))
    assert circuit["fidelity"]["mean"] == pytest.approx(FibreLink(**LOSSY).herald().fidelity)
    assert circuit["fidelity"]["std"] == pytest.approx(0.0, abs=1e-12)


def test_circuits_take_turns_and_one_without_slots_does_not_block_the_others():
    switches = [Recorder(), Recorder()]
    network = chain(switches, slots=9)
    for n in (0, 1):
        tell(network, n, *(start(label=16 + k, slots=(3 * k, 3)) for k in range(3)))
    network.run(until_ps=100 * MS)
    labels = [frame.body.label for frame in switches[0].frames(DeviceType.PAIR)]
    assert labels == [16, 17, 18] * 3
    assert network.run() == "idle"
    assert len(network.waiting()) == 2 * (3 + 9)


def test_a_label_takes_part_only_while_both_ends_have_a_slot():
    switches = [Recorder(), Recorder()]
    network = chain(switches)
    tell(network, 0, start(slots=(0, 4)))
    network.run(until_ps=10 * MS)
    assert network.counters()["attempts"] == 0
    tell(network, 1, start(slots=(0, 2)))
    assert network.run() == "idle"
    assert network.counters()["heralds"] == 2
    far = switches[1].frames(DeviceType.PAIR)
    tell(network, 1, about(DeviceType.RELEASE, far[0]))
    assert network.run() == "idle"
    assert network.counters()["heralds"] == 3


def test_stopping_ends_the_attempts_at_once_and_keeps_what_is_in_memory():
    network = chain([Recorder(), Recorder()], link=PERFECT | {"emission_efficiency": 1e-4})
    for n in (0, 1):
        tell(network, n, start())
    network.run(until_ps=1000 * MS)
    assert network.counters()["slots_in_use"] == 2
    tell(network, 1, stop())
    assert network.run() == "idle"
    counters = network.counters()
    assert (counters["slots_in_use"], counters["heralds"]) == (0, 0)
    assert counters["attempts"] == 10_000
    tell(network, 1, start())
    network.run(until_ps=2000 * MS)
    assert network.counters()["slots_in_use"] == 2


def test_a_herald_on_its_way_when_the_link_is_stopped_still_arrives():
    switches = [Recorder(), Recorder()]
    network = chain(switches)
    for n in (0, 1):
        tell(network, n, start())
    while network.counters()["heralds"] == 0:
        network.run(until_ps=network.now_ps + MS // 40)
    for n in (0, 1):
        tell(network, n, stop())
    assert network.run() == "idle"
    assert [len(switch.frames(DeviceType.PAIR)) for switch in switches] == [1, 1]
    assert network.counters()["slots_in_use"] == 2


@pytest.mark.parametrize(
    ("ends", "changes", "message"),
    [
        ((0, 0, 0, 1), {}, "can't join a to itself"),
        ((0, 0, 2, 0), {}, "node c has no quantum device"),
        ((0, 0, 7, 0), {}, "node is 7"),
        ((0, 255, 1, 0), {}, "link number is 255"),
        ((0, 0, 1, 0), {"length_km": -1.0}, "length_km is -1.0"),
        ((0, 0, 1, 0), {"visibility": 2.0}, "visibility is 2.0"),
        ((0, 0, 1, 0), {"emission_efficiency": 0.0}, "no attempt can succeed"),
    ],
)
def test_impossible_links_are_refused(ends, changes, message):
    network = Network(1)
    network.add_node("a", 1, Recorder(), quantum_port=QUANTUM)
    network.add_node("b", 2, Recorder(), quantum_port=QUANTUM)
    network.add_node("c", 3, Recorder())
    with pytest.raises(ValueError, match=message):
        network.add_quantum_link(*ends, **(PERFECT | changes))


def test_a_link_number_is_given_once():
    network = chain([Recorder(), Recorder()])
    with pytest.raises(ValueError, match="link 0 of n0 is in use"):
        network.add_quantum_link(0, 0, 1, 5, **PERFECT)


def test_a_slot_that_one_link_leaves_another_takes():
    """The middle node has one slot for both links: no link waits for ever for what is free."""
    switches = [Recorder(), Recorder(), Recorder()]
    network = chain(switches, slots=1)
    for node, links in ((0, [0]), (1, [0, 1]), (2, [0])):
        tell(network, node, *(start(link, end=False) for link in links))
    assert network.run() == "idle"
    (first,) = switches[1].frames(DeviceType.PAIR)
    tell(network, 1, stop(first.link), about(DeviceType.RELEASE, first))
    assert network.run() == "idle"
    (second,) = switches[1].frames(DeviceType.PAIR)
    assert {first.link, second.link} == {0, 1}
