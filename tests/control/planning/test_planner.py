"""Plans on a ring: what is asked for is promised, or refused with what would be possible."""

import random
import re
from dataclasses import replace
from itertools import product

import networkx as nx
import pytest
from e2e import rig

from control.networks import discovered
from qplane.control import ControlError, NoPathError, RefusedError, codec
from qplane.control.planning import Load, choose, model, options, planner
from qplane.control.plans import plan_circuits
from qplane.control.topology import Device, Topology
from qplane.net import Circuit, loads
from qplane.wire import to_fraction

LINK = {
    "length": '"20 km"',
    "detector_efficiency": 0.6,
    "visibility": 0.98,
    "dark_counts": '"100 Hz"',
    "detection_window": '"10 ns"',
}
MEMORY = {
    "slots": 32,
    "t1": '"10 s"',
    "t2": '"500 ms"',
    "swap_time": '"20 us"',
    "two_qubit_gate_error": 0.005,
    "readout_error": 0.002,
}


def topology_of(network):
    """As the devices of these links would tell it."""
    topology = discovered(network)
    devices = {}
    for name, device in topology.devices.items():
        physics = network.nodes[name].memory
        features = replace(
            device.features,
            two_qubit_error=to_fraction(physics.two_qubit_gate_error),
            readout_error=to_fraction(physics.readout_error),
        )
        links = {}
        for link in network.quantum_links_of(name):
            herald = link.options.fibre().herald()
            links[link.end(name).number] = replace(
                device.links[link.end(name).number],
                attempt_ps=link.delay_ps,
                success=to_fraction(herald.p_success),
                fidelity=to_fraction(herald.fidelity),
            )
        devices[name] = Device(features, links)
    return Topology(network, devices)


def ring(circuits, *, nodes=6, **memory):
    links = [(f"n{k}", f"n{(k + 1) % nodes}") for k in range(nodes)]
    return loads(rig.network(links, circuits, link=LINK, memory=MEMORY | memory))


def asking(fidelity=0.0, rate=0.0, *, head="n0", tail="n3", name="c", **more):
    """The only circuit of a ring, and the ring as discovered."""
    network = ring([{"name": name, "from": head, "to": tail}], **more)
    circuit = replace(network.circuits[name], fidelity=fidelity, rate_per_s=rate)
    return topology_of(network), circuit


def names(path):
    return [link.name for link in path]


def test_what_is_asked_for_is_promised():
    topology, circuit = asking(0.9, 100.0)
    choice = choose(topology, circuit, Load.of(topology, ()))
    assert choice.promise.fidelity == 0.9
    assert choice.promise.rate_per_s == 100.0
    assert choice.estimate.sure_fidelity >= 0.9
    assert choice.estimate.sure_rate_per_s >= 100.0


def test_more_rate_binds_more():
    costs = []
    for rate in (10.0, 100.0, 300.0, 500.0):
        topology, circuit = asking(0.9, rate)
        costs.append(choose(topology, circuit, Load.of(topology, ())).cost)
    assert costs == sorted(costs)
    assert costs[0] < costs[-1]


def test_fidelity_is_bought_with_a_cutoff():
    topology, circuit = asking(0.9, 50.0)
    relaxed = choose(topology, circuit, Load.of(topology, ()))
    topology, circuit = asking(0.948, 50.0)
    strict = choose(topology, circuit, Load.of(topology, ()))
    assert relaxed.cutoff_ps == 0
    assert 0 < strict.cutoff_ps < 20 * 10**9


def test_fidelity_is_bought_with_distillation():
    """What swapping can't reach takes two pairs, or four, for one."""
    rounds = []
    for fidelity in (0.9, 0.965, 0.983):
        topology, circuit = asking(fidelity, 10.0)
        choice = choose(topology, circuit, Load.of(topology, ()))
        assert choice.estimate.sure_fidelity >= fidelity
        assert choice.slots > choice.rounds
        assert choice.applied(circuit).distil == choice.rounds
        rounds.append(choice.rounds)
    assert rounds == [0, 1, 2]
    (plan,) = plan_circuits(topology, [circuit])
    assert plan.rounds == 2
    for allowed in (0, 1):  # what the user fixes stays
        with pytest.raises(RefusedError, match="fidelity"):
            choose(topology, replace(circuit, distil=allowed), Load.of(topology, ()))
    with pytest.raises(RefusedError, match=r"fidelity 0\.98\d at 10 pairs/s is"):
        choose(topology, replace(circuit, fidelity=0.999), Load.of(topology, ()))


def line_of(visibilities, **memory):
    """A chain whose links have these visibilities, as discovered, and its only circuit."""
    count = len(visibilities)
    links = [(f"n{k}", f"n{k + 1}") for k in range(count)]
    circuit = {"name": "c", "from": "n0", "to": f"n{count}"}
    text = rig.network(links, [circuit], link=LINK, memory=MEMORY | memory)
    for k, visibility in enumerate(visibilities):
        ends = f'between = ["n{k}", "n{k + 1}"]\n'
        text = text.replace(ends, f"{ends}visibility = {visibility}\n")
    network = loads(text)
    return topology_of(network), network.circuits["c"]


@pytest.mark.parametrize(
    ("visibilities", "t2", "fidelity", "rate", "rounds"),
    [
        ([0.98, 0.7, 0.98, 0.98], "100 ms", 0.8, 10.0, (0, 1, 0, 0)),  # what is poor alone
        ([0.98, 0.7, 0.98, 0.98], "500 ms", 0.88, 50.0, (2, 2, 2, 2)),
        ([0.9] * 4, "500 ms", 0.93, 10.0, (2, 2, 2, 2)),
    ],
)
def test_links_distil_where_that_takes_less_or_nothing_else_does(
    visibilities, t2, fidelity, rate, rounds
):
    topology, circuit = line_of(visibilities, t2=f'"{t2}"')
    circuit = replace(circuit, fidelity=fidelity, rate_per_s=rate)
    choice = choose(topology, circuit, Load.of(topology, ()))
    assert (choice.rounds, choice.link_rounds) == (0, rounds)
    assert choice.slots > max(rounds)
    (plan,) = plan_circuits(topology, [circuit])
    assert plan.link_rounds == rounds
    assert [feeder.rounds for feeder in plan.feeders] == [n for n in rounds if n]
    try:
        dearer = choose(topology, replace(circuit, distil_links=0), Load.of(topology, ()))
    except RefusedError:
        assert fidelity == 0.93
    else:
        assert dearer.cost > choice.cost


def test_no_distillation_on_a_link_whose_number_leaves_no_room():
    """Of its pairs speaks a link number 16 above."""
    links = [("hub", f"n{k}") for k in range(18)]
    circuits = [{"name": "c", "from": "n2", "to": "n17", "distil_links": 1, "slots": 2}]
    text = rig.network(links, circuits, link=LINK, memory=MEMORY | {"slots": 40})
    topology = topology_of(loads(text))
    with pytest.raises(
        ControlError, match=r"no distillation on link hub-n17: it is number 17 at hub and 0 at n17"
    ):
        plan_circuits(topology, [topology.network.circuits["c"]])


@pytest.mark.parametrize(
    "seed",
    [seed if seed < 5 else pytest.param(seed, marks=pytest.mark.slow) for seed in range(12)],
)
def test_all_that_refusals_offer_is_admitted(seed):
    """Random networks with circuits that stand, random requests."""
    rng = random.Random(seed)
    count = rng.randint(4, 9)
    graph = nx.connected_watts_strogatz_graph(count, 2 if rng.random() < 0.4 else 4, 0.3, seed=seed)
    links = [(f"n{a}", f"n{b}") for a, b in graph.edges]
    memory = MEMORY | {"slots": rng.choice([6, 12, 32]), "t2": rng.choice(['"50 ms"', '"1 s"'])}
    link = LINK | {"visibility": rng.choice([0.9, 0.98])}
    network = loads(rig.network(links, [], link=link, memory=memory))
    topology = topology_of(network)
    standing, offered = [], 0
    for number in range(8):
        head, tail = rng.sample(sorted(network.nodes), 2)
        circuit = Circuit(f"c{number}", head, tail, 0, 0, ())
        kind = rng.choice(["fidelity", "rate", "both", "both"])
        if kind != "rate":
            circuit = replace(circuit, fidelity=round(rng.uniform(0.7, 0.99), 3))
        if kind != "fidelity":
            circuit = replace(circuit, rate_per_s=round(10 ** rng.uniform(0, 4), 1))
        try:
            standing += plan_circuits(topology, [circuit], standing)
        except NoPathError:
            continue
        except RefusedError as error:
            said = str(error).partition(";")[2]
            for terms in re.findall(
                r"((?:fidelity [\d.]+)?(?: at )?(?:[\d.e+-]+ pairs/s)?)(?:,|$| is)", said
            ):
                numbers = re.search(
                    r"(?:fidelity ([\d.]+))?(?: at )?(?:([\d.e+-]+) pairs/s)?", terms
                )
                fidelity, rate = (float(value or 0) for value in numbers.groups())
                if fidelity or rate:
                    offer = replace(circuit, fidelity=fidelity, rate_per_s=rate)
                    plan_circuits(topology, [offer], standing)
                    offered += 1
    assert standing or offered


@pytest.mark.parametrize(("fidelity", "rate"), [(0.93, 60.0), (0.955, 300.0), (0.975, 30.0)])
def test_nothing_cheaper_would_do(monkeypatch, fidelity, rate):
    """Brute force over paths, slots, turns, rounds and many cut-offs."""
    monkeypatch.setattr(options, "SLOTS", (1, 2, 4, 8))
    monkeypatch.setattr(planner, "TURNS", (4, 2, 1))
    network = ring([{"name": "c", "from": "n0", "to": "n1"}], nodes=3)
    circuit = replace(network.circuits["c"], fidelity=fidelity, rate_per_s=rate)
    topology = topology_of(network)
    choice = choose(topology, circuit, Load.of(topology, ()))
    direct = next(link for link in network.links if {link.a.node, link.b.node} == {"n0", "n1"})
    around = [link for link in network.links if link is not direct]
    around.sort(key=lambda link: "n0" not in (link.a.node, link.b.node))
    costs = []
    for path in ([direct], around):
        links, nodes = model.models(topology, "n0", path)
        for slots, turns, rounds in product((1, 2, 4, 8), (4, 2, 1), range(3)):
            shared = [replace(link, turns=turns) for link in links]
            cost = len(path) * (1 / turns + 2 * slots / MEMORY["slots"])
            if rounds >= slots or cost >= choice.cost - 1e-9:
                continue
            for cutoff_ps in (0, *(round(10 ** (8 + step / 4)) for step in range(12))):
                with_turns, alone = (
                    model.estimate(which, nodes, slots, cutoff_ps, rounds=rounds)
                    for which in (shared, links)
                )
                if (
                    with_turns
                    and alone
                    and with_turns.sure_rate_per_s >= rate
                    and min(with_turns.sure_fidelity, alone.sure_fidelity) >= fidelity
                ):
                    costs.append((cost, len(path), slots, turns, rounds, cutoff_ps))
    assert not costs


def test_the_better_path_is_taken_not_the_shorter():
    """Two hops over a poor node against three over good ones."""
    links = [("a", "m"), ("m", "z"), ("a", "x"), ("x", "y"), ("y", "z")]
    text = rig.network(
        links, [{"name": "c", "from": "a", "to": "z"}], link=LINK, memory=MEMORY
    ).replace('m = { memory = "m" }', 'm = { memory = "poor" }')
    text += '\n[memories.poor]\nslots = 32\nt2 = "2 ms"\ntwo_qubit_gate_error = "20 %"\n'
    network = loads(text)
    topology = topology_of(network)
    easy = replace(network.circuits["c"], rate_per_s=10.0, fidelity=0.4)
    assert len(choose(topology, easy, Load.of(topology, ())).path) == 2
    choice = choose(topology, replace(easy, fidelity=0.9), Load.of(topology, ()))
    assert names(choice.path) == ["a-x", "x-y", "y-z"]


@pytest.mark.parametrize(("fidelity", "rate"), [(0.948, 900.0), (0.9, 2000.0), (0.97, 300.0)])
def test_a_refusal_says_what_would_be_possible_and_that_is_admitted(fidelity, rate):
    topology, circuit = asking(fidelity, rate)
    with pytest.raises(RefusedError) as refused:
        choose(topology, circuit, Load.of(topology, ()))
    text = str(refused.value)
    offers = re.findall(r"fidelity ([0-9.]+) at ([0-9.e+]+) pairs/s", text.split(";")[1])
    assert offers, text
    for offered_fidelity, offered_rate in offers:
        offer = replace(circuit, fidelity=float(offered_fidelity), rate_per_s=float(offered_rate))
        choose(topology, offer, Load.of(topology, ()))


def test_promises_bound_how_many_share_a_link():
    """Each asks for a third of what a link can do: three on either way round, the seventh not."""
    network = ring([{"name": f"c{k}", "from": "n0", "to": "n3"} for k in range(7)])
    topology = topology_of(network)
    circuits = [
        replace(circuit, fidelity=0.85, rate_per_s=190.0) for circuit in network.circuits.values()
    ]
    plans = plan_circuits(topology, circuits[:6])
    with pytest.raises((RefusedError, NoPathError)):
        plan_circuits(topology, circuits[6:], plans)
    on_link = [sum(link in plan.path for plan in plans) for link in network.links]
    assert max(on_link) == 3
    for plan in plans:
        for link, turns in zip(plan.path, plan.promise.turns, strict=True):
            assert on_link[link.index] <= turns
    # Nor may one come in that asks for nothing.
    with pytest.raises(RefusedError, match="was promised"):
        plan_circuits(topology, [replace(circuits[6], fidelity=0.0, rate_per_s=0.0)], plans)


def test_slots_are_never_promised_twice():
    wanted = [{"name": f"c{k}", "from": "n0", "to": "n3", "rate": "5 Hz"} for k in range(20)]
    network = ring(wanted, slots=6)
    topology = topology_of(network)
    plans = []
    for circuit in network.circuits.values():
        try:
            plans += plan_circuits(topology, [circuit], plans)
        except (RefusedError, NoPathError) as error:
            assert "slots" in str(error) or "turn" in str(error)
    assert plans
    for node in network.nodes:
        used = [
            slot
            for plan in plans
            for hop in plan.hops
            if hop.node == node
            for side in hop.sides
            for slot in range(side.slots.first, side.slots.first + side.slots.count)
        ]
        assert len(used) == len(set(used))
        assert not used or max(used) < 6


def test_what_the_user_fixes_stays():
    topology, circuit = asking(0.9, 20.0)
    fixed = replace(circuit, slots=3, cutoff_ps=50 * 10**9)
    choice = choose(topology, fixed, Load.of(topology, ()))
    assert (choice.slots, choice.cutoff_ps) == (3, 50 * 10**9)


def test_a_promise_survives_the_store():
    network = ring([{"name": "c", "from": "n0", "to": "n3", "rate": "20 Hz", "fidelity": 0.9}])
    (plan,) = plan_circuits(topology_of(network), list(network.circuits.values()))
    assert plan.promise is not None
    assert codec.decode(type(plan), codec.encode(plan), network) == plan
