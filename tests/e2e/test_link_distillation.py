"""Distillation on links, before swapping: fidelity, agreement, nothing left behind.

Each link of a circuit is fed by a circuit of its own over that link, which distils."""

import asyncio

import numpy as np
import pytest

from e2e import admission, rig
from e2e.test_distillation import MIXED
from e2e.test_faults import FAULTS
from qplane.net import loads
from qplane.simulate.session import Goal, simulation
from qplane.simulate.summary import link_model


def correlations_of(link):
    """|XX|, |YY|, |ZZ| as heralded: every frame is corrected before the distillation."""
    state = next(iter(link_model(link).states.values()))
    return np.abs(np.diag(state)[1:])


def distilled(correlations, rounds):
    """DEJMPS without errors on Φ+-like pairs (Deutsch et al. 1996), in correlations."""
    xx, yy, zz = correlations
    for _ in range(rounds):
        success = 1 + yy * yy
        xx, yy, zz = (xx * xx + zz * zz) / success, 2 * xx * zz / success, 2 * yy / success
    return np.array([xx, yy, zz])


def ideal(text, rounds):
    product = np.ones(3)
    for link in loads(text).links:
        product *= distilled(correlations_of(link), rounds)
    return (1 + product.sum()) / 4


@pytest.mark.parametrize(("nodes", "rounds"), [(2, 1), (3, 1), (5, 1), (3, 2)])
def test_fidelity_is_that_of_distilled_and_then_swapped_pairs(nodes, rounds):
    memory = {"slots": 2 * rounds + 2}
    circuit = {"distil_links": rounds}
    text = rig.chain(nodes, slots=rounds + 1, memory=memory, link=MIXED, circuit=circuit)
    outcome = rig.simulate(text, pairs=300)
    rig.assert_clean(outcome)
    assert np.allclose(outcome.pairs["fidelity"], ideal(text, rounds), atol=1e-9)
    assert (outcome.hops["rounds"] == rounds).all()
    assert (outcome.pairs["rounds"] == 0).all()
    assert outcome.counters["fed"] >= 2 * 300 * (nodes - 1)
    assert outcome.counters["stale_distils"] == outcome.counters["distil_repeated"] == 0


@pytest.mark.parametrize("request_", ["measure", "early"])
def test_requests_and_completion_are_as_without(request_):
    circuit = {"distil_links": 1, "request": request_, "complete": True}
    text = rig.chain(4, slots=3, memory={"slots": 6}, link=MIXED, circuit=circuit)
    outcome = rig.simulate(text, pairs=1000)
    rig.assert_clean(outcome)
    pairs = outcome.pairs
    alike = pairs["head_basis"] == pairs["tail_basis"]
    errors = (pairs["head_bit"] != pairs["tail_bit"])[alike]
    shares = [errors[pairs["head_basis"][alike] == basis].mean() for basis in (0, 1)]
    lost = 1 - ideal(text, 1)
    assert max(shares) - 0.03 < 2 * lost < 2 * sum(shares) + 0.03
    assert outcome.counters["completed"] > 0


@pytest.mark.parametrize("case", FAULTS)
@pytest.mark.parametrize("nodes", [2, 4])
def test_a_faulty_channel_never_makes_a_wrong_pair(case, nodes):
    text = rig.chain(
        nodes,
        slots=4,
        cutoff="20 ms",
        memory={**rig.NOISY, "t1": '"1 s"', "t2": '"1 s"', "slots": 8},
        link=MIXED,
        faults=FAULTS[case],
        circuit={"distil_links": 1},
    )
    outcome = rig.simulate(text, pairs=300, until_ps=10**15)
    rig.assert_clean(outcome)
    if case == "loss":
        assert outcome.counters["distil_repeated"] > 0
        assert outcome.counters["held_lost"] > 0


def test_swaps_that_fail_and_short_cutoffs():
    memory = {**rig.DEPHASING, "swap_success": 0.6, "slots": 8}
    circuit = {"distil_links": 1}
    text = rig.chain(4, slots=4, memory=memory, link=MIXED, cutoff="2 ms", circuit=circuit)
    outcome = rig.simulate(text, pairs=200)
    rig.assert_clean(outcome)
    assert outcome.counters["swaps_without_outcome"] > 0
    assert outcome.counters["expired"] > 0


PLANNED = {
    "length": '"20 km"',
    "detector_efficiency": 0.6,
    "dark_counts": '"100 Hz"',
    "detection_window": '"10 ns"',
}


@pytest.mark.parametrize(
    ("visibilities", "t2", "fidelity", "rate", "rounds"),
    [
        ([0.98, 0.7, 0.98, 0.98], "50 ms", 0.8, "100 Hz", (0, 1, 0, 0)),
        pytest.param([0.9] * 4, "50 ms", 0.9, "10 Hz", (1, 1, 1, 1), marks=pytest.mark.slow),
    ],
)
def test_what_is_promised_with_it_is_kept(visibilities, t2, fidelity, rate, rounds):
    """Rate and fidelity as admission.py has it: 3 % and 0.003, but for 4 standard errors."""
    memory = {
        "slots": 32,
        "t1": '"10 s"',
        "t2": f'"{t2}"',
        "swap_time": '"20 us"',
        "two_qubit_gate_error": 0.005,
        "readout_error": 0.002,
    }
    circuit = {"name": "c", "from": "n0", "to": "n4", "fidelity": fidelity, "rate": rate}
    links = [(f"n{k}", f"n{k + 1}") for k in range(4)]
    text = rig.network(links, [circuit], link=PLANNED, memory=memory)
    for k, visibility in enumerate(visibilities):
        ends = f'between = ["n{k}", "n{k + 1}"]\n'
        text = text.replace(ends, f"{ends}visibility = {visibility}\n")

    async def scenario():
        async with simulation(loads(text)) as simulated:
            await simulated.set_up()
            (plan,) = simulated.controller.plans.values()
            assert (plan.rounds, plan.link_rounds) == (0, rounds)
            admission.check_resources(simulated.plan, [plan])
            await simulated.generate(Goal(pairs=2000))
            engine = simulated.emulation.engine
            elapsed_s = engine.now_ps * 1e-12
            await simulated.drain()
            measured = {
                (row["head_node"], row["head_link"], row["head_label"]): row
                for row in engine.circuits()
            }
            outcome = admission.Outcome(1, 1, [], [], [])
            nodes = simulated.emulation.nodes
            admission.check_promise(plan, nodes, measured, elapsed_s, outcome)
            await simulated.tear_down()
            assert engine.counters()["slots_in_use"] == 0
            for core in simulated.emulation.cores.values():
                admission.check_registers(core)
            return outcome

    outcome = asyncio.run(scenario())
    assert outcome.fidelity_errors[0] < 0.005
    assert outcome.rate_errors[0] < 0.03
