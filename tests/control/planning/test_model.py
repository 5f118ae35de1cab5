"""The model of a circuit against closed forms, and against the whole network in virtual time."""

import asyncio
import math
from dataclasses import replace

import pytest
from e2e import rig

from qplane.control.planning import model
from qplane.net import loads
from qplane.simulate.session import Goal, simulation
from qplane_cext.planning.chain import simulate_chain

PS = 10**12
MS = 10**9
PERFECT_NODE = model.NodeModel(math.inf, math.inf)
PERFECT_LINK = model.LinkModel(0.01, MS, 0, 0, (1.0, 1.0, 1.0), other_success=0.01)


def within(found, expected, errors=4.0):
    mean, error = found
    assert abs(mean - expected) <= errors * error + 1e-12, (mean, error, expected)


def simulate(links, nodes, **options):
    options = {
        "slots": 1,
        "cutoff_ps": 0,
        "deliveries": 20_000,
        "seed": 5,
        "switch_ps": 0,
    } | options
    return simulate_chain(links, nodes, **options)


@pytest.mark.parametrize("slots", [1, 4])
def test_one_link_delivers_at_its_rate(slots):
    result = simulate([PERFECT_LINK], [PERFECT_NODE] * 2, slots=slots)
    within(result["rate_per_s"], 0.01 / 1e-3)
    assert result["fidelity"] == (1.0, 0.0)


def test_two_links_wait_for_the_slower_one():
    """(3-2p)/(p(2-p)) attempts: Collins et al., Phys. Rev. Lett. 98, 060502 (2007)."""
    p = 0.01
    result = simulate([PERFECT_LINK] * 2, [PERFECT_NODE] * 3)
    within(result["rate_per_s"], p * (2 - p) / (3 - 2 * p) / 1e-3)


def test_waiting_dephases():
    """The first of two links waits for |K1 - K2| attempts on one of its halves at each place."""
    p, t2 = 0.01, 0.2
    nodes = [PERFECT_NODE, replace(PERFECT_NODE, t2_s=t2), PERFECT_NODE]
    result = simulate([PERFECT_LINK] * 2, nodes)
    x, q = math.exp(-1e-3 / t2), 1 - p
    # E[x^|K1-K2|] of two geometric variables
    kept = p / (2 - p) * (1 + 2 * q * x / (1 - q * x))
    within(result["xx"], kept)
    within(result["zz"], 1.0)
    within(result["fidelity"], (1 + kept) / 2)


def test_others_take_their_turns():
    shared = replace(PERFECT_LINK, turns=5)
    within(simulate([shared], [PERFECT_NODE] * 2, slots=8)["rate_per_s"], 0.01 / 1e-3 / 5)


def test_a_swap_that_fails_costs_both_pairs():
    nodes = [PERFECT_NODE, replace(PERFECT_NODE, swap_success=0.5), PERFECT_NODE]
    p = 0.01
    rate = p * (2 - p) / (3 - 2 * p) / 1e-3
    within(simulate([PERFECT_LINK] * 2, nodes)["rate_per_s"], rate / 2)


def test_a_cutoff_bounds_the_wait():
    nodes = [PERFECT_NODE, replace(PERFECT_NODE, t2_s=0.1), PERFECT_NODE]
    free = simulate([PERFECT_LINK] * 2, nodes)
    cut = simulate([PERFECT_LINK] * 2, nodes, cutoff_ps=30 * MS)
    assert cut["expired"] > 0
    assert cut["rate_per_s"][0] < free["rate_per_s"][0]
    assert cut["fidelity"][0] > (1 + math.exp(-0.3)) / 2 > free["fidelity"][0]


def test_bounds_bound():
    links = [replace(PERFECT_LINK, delay_ps=MS, herald_ps=MS, correlations=(0.9, 0.9, 0.9))] * 3
    nodes = [replace(PERFECT_NODE, t2_s=0.5, t1_s=1.0)] * 4
    for slots in (1, 3):
        found = model.estimate(links, nodes, slots)
        assert found.fidelity < model.best_fidelity(links, nodes)
        assert found.rate_per_s < model.most_rate_per_s(links, slots)


@pytest.mark.parametrize(
    ("argument", "options"),
    [
        ("slots", {"slots": 0}),
        ("deliveries", {"deliveries": 1}),
        ("cutoff_ps", {"cutoff_ps": -1}),
        ("success", {"links": [replace(PERFECT_LINK, success=0.0)]}),
        ("nodes", {"nodes": [PERFECT_NODE]}),
        ("links", {"links": []}),
    ],
)
def test_bad_arguments_are_named(argument, options):
    arguments = {"links": [PERFECT_LINK], "nodes": [PERFECT_NODE] * 2} | options
    with pytest.raises(ValueError, match=argument):
        simulate(arguments.pop("links"), arguments.pop("nodes"), **arguments)


MEMORY = {
    "slots": 64,
    "t1": '"1 s"',
    "t2": '"100 ms"',
    "swap_time": '"20 us"',
    "two_qubit_gate_error": 0.01,
    "readout_error": 0.005,
}
LINK = {
    "length": '"20 km"',
    "detector_efficiency": 0.6,
    "visibility": 0.96,
    "dark_counts": '"100 Hz"',
    "detection_window": '"10 ns"',
}
SINGLE_CLICK = LINK | {"scheme": '"single-click"', "bright_state": 0.1}
DISTILLED = {"t1": '"10 s"', "t2": '"1 s"'}
TOLERANCE = 0.002
"""Of a fidelity: the pull of T1 towards |0> is not in the model (second order in t/T1)."""


@pytest.mark.parametrize(
    ("nodes", "slots", "cutoff", "rounds", "link", "memory"),
    [
        (2, 2, None, 0, LINK, {}),
        (3, 1, "3 ms", 0, LINK, {}),
        (3, 3, "3 ms", 0, LINK, {}),
        (5, 1, None, 0, LINK, {}),
        (5, 4, "4 ms", 0, LINK, {}),
        (3, 2, "3 ms", 0, SINGLE_CLICK, {"one_qubit_gate_error": 0.02, "swap_success": 0.7}),
        (2, 2, None, 1, LINK, DISTILLED),
        (2, 2, None, 1, SINGLE_CLICK, DISTILLED | {"one_qubit_gate_error": 0.01}),
        (3, 4, "3 ms", 1, LINK, DISTILLED),
        (3, 4, "3 ms", 2, LINK, DISTILLED | {"one_qubit_gate_error": 0.01}),
        (3, 3, "10 ms", 2, SINGLE_CLICK, DISTILLED | {"swap_success": 0.7}),
        (2, 2, None, [1], LINK, DISTILLED | {"one_qubit_gate_error": 0.01}),
        (3, 2, None, [1, 1], LINK, DISTILLED),
        (3, 4, "3 ms", [1, 0], SINGLE_CLICK, DISTILLED),
        (4, 3, "3 ms", [2, 2, 2], LINK, DISTILLED | {"one_qubit_gate_error": 0.01}),
        (5, 3, "10 ms", [0, 1, 1, 0], SINGLE_CLICK, DISTILLED | {"swap_success": 0.7}),
    ],
)
def test_the_whole_network_delivers_what_the_model_says(nodes, slots, cutoff, rounds, link, memory):
    """Rates and fidelities within 4 standard errors. `rounds` of distillation between the ends, or
    a list of those on each link."""
    on_links = rounds if isinstance(rounds, list) else [0] * (nodes - 1)
    rounds = 0 if isinstance(rounds, list) else rounds
    circuit = {"distil": rounds}
    text = rig.chain(
        nodes, slots=slots, cutoff=cutoff, link=link, memory=MEMORY | memory, circuit=circuit
    )

    network = loads(text)
    circuit = replace(network.circuits["c"], link_rounds=tuple(on_links))
    network = replace(network, circuits={"c": circuit})

    async def run():
        async with simulation(network) as simulated:
            await simulated.set_up()
            links, of_nodes = model.models(
                simulated.controller.topology, circuit.head, circuit.path
            )
            links = [replace(link, rounds=n) for link, n in zip(links, on_links, strict=True)]
            expected = model.estimate(
                links, of_nodes, slots, circuit.cutoff_ps, rounds=rounds, deliveries=20_000
            )
            await simulated.generate(Goal(pairs=3000))
            await simulated.drain()
            return expected, (await simulated.summary()).circuits[0]

    expected, found = asyncio.run(run())
    error = math.hypot(found.rate_per_s.std_error, expected.rate_error)
    assert abs(found.rate_per_s.value - expected.rate_per_s) <= 4 * error
    error = math.hypot(found.fidelity.std_error, expected.fidelity_error)
    assert abs(found.fidelity.value - expected.fidelity) <= 4 * error + TOLERANCE
