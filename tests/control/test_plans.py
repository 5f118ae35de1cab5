"""Plans: labels, circuit numbers, groups and slots do not collide, whatever stands already."""

from collections import defaultdict

import pytest

from qplane.control import ExhaustedError, SlotsError, plans
from qplane.control.plans import Side, both_replicas, plan_circuits
from qplane.wire import FIRST_LABEL

from .networks import chain, discovered, network, random_network


def everything(net, standing=(), names=None):
    wanted = [c for c in net.circuits.values() if names is None or c.name in names]
    return plan_circuits(discovered(net), wanted, standing)


def check_no_collision(net, made):
    labels, ids, slots, groups = (defaultdict(list) for _ in range(4))
    for plan in made:
        for link in plan.path:
            ends = [side.label for hop in plan.hops for side in hop.sides if side.link is link]
            assert len(ends) == 2 and ends[0] == ends[1] >= FIRST_LABEL
            labels[link.index].append(ends[0])
        for hop in plan.hops:
            ids[hop.node].append(hop.circuit_id)
            for group, replicas in hop.groups():
                groups[hop.node].append((group, replicas))
            for side in hop.sides:
                assert side.slots.count >= 1
                slots[hop.node] += range(side.slots.first, side.slots.first + side.slots.count)
    for used in (*labels.values(), *ids.values(), *slots.values()):
        assert len(used) == len(set(used))
    for node, used in slots.items():
        assert max(used) < net.nodes[node].memory.slots
    for pairs in groups.values():
        assert len(dict(pairs)) == len(set(pairs)) == len({replicas for _, replicas in pairs})
        assert 0 not in dict(pairs)


@pytest.mark.parametrize("seed", range(10))
def test_nothing_collides_on_random_graphs_with_circuits_both_ways(seed):
    size = 10
    circuits = [
        (f"c{i}", f"n{i}", f"n{(i * 7 + 3) % size}", "slots = 1")
        for i in range(size)
        if i != (i * 7 + 3) % size
    ]
    net = random_network(seed, size, circuits=circuits, slots=200)
    made = everything(net)
    check_no_collision(net, made)
    assert made == everything(net)  # nothing depends on anything but the input


def test_a_plan_beside_standing_ones_takes_what_they_leave():
    circuits = [(name, "n0", "n3", "slots = 1") for name in "abcd"]
    net = chain(4, circuits=circuits)
    first = everything(net, names="abc")
    kept = [plan for plan in first if plan.name != "b"]
    again = everything(net, standing=kept, names="bd")
    check_no_collision(net, [*kept, *again])
    labels = {plan.name: plan.hops[0].sides[0].label for plan in [*kept, *again]}
    assert labels == {"a": 16, "c": 18, "b": 17, "d": 19}


def test_ends_have_one_side_and_repeaters_both():
    net = chain(3, circuits=[("c", "n0", "n2", "slots = 2")])
    (plan,) = everything(net)
    head, repeater, tail = plan.hops
    assert [hop.node for hop in plan.hops] == ["n0", "n1", "n2"]
    assert [side.side for side in head.sides] == [Side.DOWN]
    assert [side.side for side in repeater.sides] == [Side.UP, Side.DOWN]
    assert [side.side for side in tail.sides] == [Side.UP]
    assert head.sides[0].neighbour == "n1" and repeater.sides[1].neighbour == "n2"
    assert both_replicas(1, 2) in dict(repeater.groups()).values()


def test_a_node_can_be_an_end_of_one_circuit_and_a_repeater_of_another():
    net = chain(4, circuits=[("long", "n0", "n3", ""), ("short", "n1", "n3", "")])
    made = everything(net)
    check_no_collision(net, made)
    assert [hop.is_end for plan in made for hop in plan.hops if hop.node == "n1"] == [False, True]


def test_circuits_with_the_same_ports_share_their_groups():
    net = chain(3, circuits=[("a", "n0", "n2", ""), ("b", "n0", "n2", ""), ("c", "n2", "n0", "")])
    made = everything(net)
    a, b, c = ({g: r for hop in plan.hops for g, r in hop.groups()} for plan in made)
    assert a == b != c
    check_no_collision(net, made)


def test_devices_say_how_many_slots_there_are_not_the_file():
    net = chain(3, circuits=[("c", "n0", "n2", "slots = 2")], slots=4)
    topology = discovered(net)
    smaller = topology.devices["n1"].features
    object.__setattr__(smaller, "slots", 3)
    with pytest.raises(SlotsError, match="n1: more circuits than slots: 4 wanted by c, 3 of 3"):
        plan_circuits(topology, list(net.circuits.values()))


def test_running_out_of_circuit_numbers_names_the_node(monkeypatch):
    monkeypatch.setattr(plans, "MAX_CIRCUITS", 2)
    net = network("ab", [("a", "b", 1.0)], circuits=[(f"c{i}", "a", "b", "") for i in range(3)])
    with pytest.raises(ExhaustedError, match="a: no circuit number is left; 0 to 1 are in use"):
        everything(net)
