"""Networks that are no chains, and that carry classical traffic."""

import itertools

from e2e import rig


def names_of_path(outcome, index):
    """The nodes that a sampled pair passed."""
    pairs, hops = outcome.pairs, outcome.hops
    first, count = pairs["hop_start"][index], pairs["hop_count"][index]
    swaps = [outcome.names[node] for node in hops["swap_node"][first : first + count - 1]]
    ends = (outcome.names[pairs[side][index]] for side in ("head_node", "tail_node"))
    head, tail = ends
    return [head, *swaps, tail]


def test_a_ring_takes_the_shorter_way_round():
    ring = [(f"n{k}", f"n{(k + 1) % 6}") for k in range(6)]
    circuits = [
        {"name": "short", "from": "n0", "to": "n2", "slots": 1},
        {"name": "other", "from": "n1", "to": "n5", "slots": 1},
    ]
    outcome = rig.simulate(
        rig.network(ring, circuits, memory={**rig.DEPHASING, "slots": 8}), pairs=800
    )
    rig.assert_clean(outcome)
    paths = {tuple(names_of_path(outcome, k)) for k in range(len(outcome.pairs["head_seq"]))}
    assert paths == {("n0", "n1", "n2"), ("n1", "n0", "n5")}


def test_a_grid_with_crossing_circuits_and_pings():
    side = 3
    nodes = list(itertools.product(range(side), repeat=2))
    links = [
        (f"g{x}{y}", f"g{x + dx}{y + dy}")
        for x, y in nodes
        for dx, dy in ((1, 0), (0, 1))
        if x + dx < side and y + dy < side
    ]
    circuits = [
        {"name": "across", "from": "g00", "to": "g22", "slots": 1},
        {"name": "down", "from": "g20", "to": "g02", "slots": 1},
        {"name": "edge", "from": "g00", "to": "g02", "slots": 1},
    ]
    hosts = [
        {"name": "h1", "node": "g00", "ip": "10.0.0.1"},
        {"name": "h2", "node": "g22", "ip": "10.0.0.2"},
        {"name": "h3", "node": "g22", "ip": "192.168.7.7"},
    ]
    pings = [
        {"from": "h1", "to": "h2", "interval": "5 ms", "count": 10},
        {"from": "h3", "to": "h1", "interval": "3 ms", "count": 10},
        {"from": "h2", "to": "h3", "interval": "3 ms", "count": 10},
    ]
    text = rig.network(
        links, circuits, hosts=hosts, pings=pings, memory={**rig.DEPHASING, "slots": 24}
    )
    outcome = rig.simulate(text, pairs=900)
    rig.assert_clean(outcome)
    assert {c.name: c.hops for c in outcome.summary.circuits} == {"across": 4, "down": 4, "edge": 2}
    assert all(circuit.delivered > 100 for circuit in outcome.summary.circuits)
    assert [(ping.sent, ping.received) for ping in outcome.summary.pings] == [(10, 10)] * 3
    # four links of 10 km there and back, and little more
    assert 0.4 < outcome.summary.pings[0].rtt_ms["min"] < 0.5


def test_a_network_with_classical_switches_and_no_circuit():
    text = """
[network]
name = "classical"
[nodes]
a = {}
b = {}
[[links]]
between = ["a", "b"]
length = "1 km"
[[hosts]]
name = "h1"
node = "a"
ip = "10.0.0.1"
[[hosts]]
name = "h2"
node = "b"
ip = "10.0.0.2"
[[pings]]
from = "h1"
to = "h2"
interval = "1 ms"
"""
    outcome = rig.simulate(text, until_ps=2 * 10**12)
    assert outcome.summary.pings[0].received > 100
    assert outcome.summary.pings[0].timed_out == 0


def test_quantum_and_classical_nodes_mixed():
    text = rig.chain(
        3,
        hosts=[
            {"name": "h1", "node": "n0", "ip": "10.0.0.1"},
            {"name": "h2", "node": "s", "ip": "10.0.0.2"},
        ],
        pings=[{"from": "h1", "to": "h2", "interval": "2 ms"}],
    )
    text = text.replace("[defaults.link]", "s = {}\n\n[defaults.link]", 1)
    text += '[[links]]\nbetween = ["n2", "s"]\n'
    outcome = rig.simulate(text, pairs=500)
    rig.assert_clean(outcome)
    ping = outcome.summary.pings[0]
    assert ping.received == ping.sent > 10
