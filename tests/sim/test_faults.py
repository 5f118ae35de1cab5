"""Faults on the QCI messages of whole networks: the real P4 program, controller and bytes.

Pairs may be lost. But none is ever delivered with a wrong frame or as the partner of another half,
no delivery counts at one end alone, and in the end every slot is free and every expiry confirmed.
"""

import asyncio
import itertools

import numpy as np
import pytest

from qplane.net.load import loads
from qplane.simulate.session import Goal, run, simulation
from qplane.wire.device import (
    BODIES,
    DeviceFrame,
    DeviceType,
    LinkControl,
    QubitBody,
    Transaction,
)

NODES = """
[network]
name = "faulty"
seed = {seed}

[memories.m]
slots = 24
t1 = "10 s"
t2 = "1 s"
swap_time = "10 us"
two_qubit_gate_error = "0.1 %"
readout_error = "0.1 %"
{memory}

[defaults.link]
length = "25 km"
attenuation = "0.2 dB/km"
scheme = "double-click"
station = 0.4
visibility = "98 %"

[nodes]
"""
CIRCUIT = """
[[circuits]]
name = "{name}"
from = "n1"
to = "n{nodes}"
slots = {slots}
cutoff = "{cutoff}"
"""
MIXED = {
    "loss": 0.1,
    "duplication": 0.1,
    "reordering": 0.1,
    "delay": 0.1,
    "corruption": 0.1,
    "mean_delay": '"3 ms"',
}


def network(nodes=3, circuits=1, slots=2, cutoff="20 ms", seed=1, memory="", faults=None):
    names = [f"n{k + 1}" for k in range(nodes)]
    parts = [NODES.format(seed=seed, memory=memory)]
    parts += [f'{name} = {{ memory = "m" }}\n' for name in names]
    parts += [f'\n[[links]]\nbetween = ["{a}", "{b}"]\n' for a, b in itertools.pairwise(names)]
    parts += [
        CIRCUIT.format(name=f"c{k}", nodes=nodes, slots=slots, cutoff=cutoff)
        for k in range(circuits)
    ]
    parts += ["\n[faults]\n", *(f"{key} = {value}\n" for key, value in (faults or {}).items())]
    return loads("".join(parts))


async def carried_out(plan, pairs, first_seq):
    async with simulation(plan, first_seq=first_seq) as simulated:
        summary = await run(simulated, Goal(pairs=pairs))
        engine = simulated.emulation.engine
        return summary, engine.counters(), engine.circuits(), engine.deliveries()


def check(plan, pairs, first_seq=0):
    """Run it; what must hold whatever happens to the messages. The engine's counters, its circuits,
    the rows of delivered pairs."""
    summary, counters, circuits, rows = asyncio.run(carried_out(plan, pairs, first_seq))
    assert summary.waiting == []
    assert counters["delivered"] >= pairs
    assert sum(circuit["count"] for circuit in circuits) == counters["delivered"]
    for circuit in circuits:
        assert (circuit["wrong_frames"], circuit["mismatches"]) == (0, 0)
        assert circuit["head_label"] >= 16
    must_be_zero = (
        "one_sided",
        "void_mismatches",
        "voids_after_complete",
        "slots_in_use",
        "unconfirmed",
        "entangled_link_pairs",
        "device_bad_version",
        "device_bad_type",
        "device_bad_length",
    )
    assert {name: counters[name] for name in must_be_zero} == dict.fromkeys(must_be_zero, 0)
    return counters, circuits, rows


@pytest.mark.parametrize("kind", ["loss", "duplication", "reordering", "delay", "corruption"])
def test_one_kind_of_fault(kind):
    plan = network(faults={kind: 0.3, "mean_delay": '"5 ms"'})
    counters, _, _ = check(plan, 400)
    name = {"loss": "lost", "reordering": "reordered", "delay": "delayed"}.get(kind, kind)
    name = {"duplication": "duplicated", "corruption": "corrupted"}.get(name, name)
    assert counters[f"channel_{name}"] > 300


@pytest.mark.parametrize("seed", range(4))
def test_all_faults_and_failing_swaps(seed):
    plan = network(slots=3, seed=seed, memory="swap_success = 0.8", faults=MIXED)
    counters, _, _ = check(plan, 400)
    for name in ("swaps_without_outcome", "voids", "expired", "expired_repeated", "releases"):
        assert counters[name] > 10, name


def test_circuits_that_share_every_port_stay_apart():
    """Heavy reordering: TRACKs of four circuits wait at the same repeater at the same time."""
    faults = {"reordering": 0.5, "duplication": 0.2, "mean_delay": '"5 ms"'}
    _, circuits, _ = check(network(circuits=4, slots=2, faults=faults), 600)
    assert len(circuits) == 4
    ends = [(c["head_node"], c["head_label"], c["tail_node"], c["tail_label"]) for c in circuits]
    assert len({head for _, head, _, _ in ends}) == len({tail for *_, tail in ends}) == 4
    assert all(circuit["count"] > 50 for circuit in circuits)


def test_five_nodes():
    check(network(nodes=5, slots=3, faults=MIXED | {"loss": 0.03, "corruption": 0.03}), 200)


def test_tracks_that_come_after_the_next_swaps():
    """Delays of several cut-offs: messages find the pair swapped, dead, or the slot used again."""
    faults = {"delay": 0.01, "reordering": 0.3, "mean_delay": '"20 ms"'}
    counters, _, _ = check(network(cutoff="6 ms", faults=faults), 300)
    assert counters["expired"] > 100


def test_sequence_numbers_wrap_with_faults():
    """From 400 pairs before 2^32: also past the switch's 4096 records per link, twice."""
    plan = network(slots=3, faults=MIXED)
    _, _, rows = check(plan, 2500, first_seq=2**32 - 400)
    assert rows["head_seq"][0] > 2**31
    assert rows["head_seq"][-1] < 2**31
    assert rows["head_seq"][-1] > 4096


async def interfered(frames):
    """100 pairs; after 50 of them those frames come in on every port that is not the device's."""
    async with simulation(network(slots=2)) as simulated:
        await simulated.set_up()
        await simulated.generate(Goal(pairs=50))
        engine = simulated.emulation.engine
        for index, name in enumerate(simulated.plan.nodes):
            for port in range(1, 1 + len(simulated.plan.links_of(name))):
                for frame in frames:
                    engine.inject(index, port, frame)
        await simulated.generate(Goal(pairs=100))
        await simulated.drain()
        summary = await simulated.summary()
        return summary.drops, summary.pair_events, engine.counters(), engine.deliveries()


def test_device_frames_on_other_ports_change_nothing_but_a_drop_counter():
    """Every kind of device frame, about the very qubits that are in memory then."""
    bodies = [
        QubitBody(label, seq, slot, generation, seq2=seq)
        for label in (16, 17)
        for seq in range(49, 53)
        for slot in range(4)
        for generation in range(12, 27)
    ]
    frames = [
        DeviceFrame(kind, 0, body).to_bytes()
        for body in bodies
        for kind in BODIES
        if BODIES[kind] is QubitBody
    ]
    frames += [
        DeviceFrame(DeviceType.LINK_STOP, 0, LinkControl(1, 16)).to_bytes(),
        DeviceFrame(DeviceType.FEATURES_REQUEST, 0xFF, Transaction(1)).to_bytes(),
    ]
    drops, events, counters, rows = asyncio.run(interfered(frames))
    quiet_drops, quiet_events, quiet_counters, quiet_rows = asyncio.run(interfered([]))
    assert quiet_drops == {}
    assert list(drops.values()) == [4 * len(frames)]  # n2 has two neighbours
    assert events == quiet_events
    changed = {name for name in counters if counters[name] != quiet_counters[name]}
    assert changed == {"frames_in", "events"}
    for name, column in rows.items():
        np.testing.assert_array_equal(column, quiet_rows[name])
