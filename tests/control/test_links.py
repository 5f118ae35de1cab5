"""What the link layer holds: slots that no circuit gets, epochs that outlive the controller."""

from dataclasses import replace

import pytest

from qplane.control import SlotsError
from qplane.control.intent import Intent
from qplane.control.links import LinkHoldings, LinkSlots, reserved
from qplane.control.plans import plan_circuits
from qplane.control.slots import Slots
from qplane.control.store import Store
from qplane.net import NetworkFileError, loads

from .networks import discovered


def net(slots=8, link="", more="", emitters=""):
    return loads(
        f"""
[network]
name = "t"
[memories.m]
slots = {slots}
{emitters}
[nodes]
s = {{ station = true }}
a = {{ memory = "m" }}
b = {{ memory = "m" }}
c = {{ memory = "m" }}
[[links]]
between = ["a", "b"]
length = "10 km"
herald = "s"
{link}
[[links]]
between = ["b", "c"]
length = "10 km"
herald = "s"
{more}
"""
    )


def ranges(holdings, node):
    return sorted((held.first, held.count) for held in holdings.at(node))


def test_links_share_half_of_what_is_left_and_take_the_last_slots():
    found = reserved(discovered(net()), LinkHoldings(), {}, asked_only=False)
    assert ranges(found, "a") == ranges(found, "c") == [(4, 4)]
    assert ranges(found, "b") == [(4, 2), (6, 2)]
    assert reserved(discovered(net()), found, {}, asked_only=False) == found


def test_what_a_link_asks_for_comes_first():
    topology = discovered(net(link="link_slots = 5"))
    first = reserved(topology, LinkHoldings(), {}, asked_only=True)
    assert ranges(first, "a") == ranges(first, "b") == [(3, 5)]
    assert ranges(first, "c") == []
    then = reserved(topology, first, {"b": [Slots(0, 1)]}, asked_only=False)
    assert ranges(then, "b") == [(2, 1), (3, 5)]


def test_circuits_and_links_never_have_the_same_slot():
    topology = discovered(net(slots=3))
    for used in ([], [Slots(0, 3)], [Slots(1, 1)], [Slots(0, 2)]):
        found = reserved(topology, LinkHoldings(), {"b": used}, asked_only=False)
        taken = [
            slot
            for held in (*used, *found.at("b"))
            for slot in range(held.first, held.first + held.count)
        ]
        assert len(taken) == len(set(taken)) and max(taken) < 3


def test_slots_that_are_not_there_are_refused_with_the_link_and_the_node():
    topology = discovered(net(link="link_slots = 5"))
    with pytest.raises(SlotsError, match=r"b: link a-b asks for 5 slots in a row \(link_slots\); "):
        reserved(topology, LinkHoldings(), {"b": [Slots(4, 1)]}, asked_only=True)


def test_a_circuit_gets_no_slot_of_the_link_layers_and_is_told_who_has_them():
    plan = net()
    circuit = replace(loads(CIRCUIT).circuits["x"], path=(plan.links[0], plan.links[1]), slots=2)
    held = {"b": [Slots(0, 4)]}
    (made,) = plan_circuits(discovered(plan), [circuit], reserved=held)
    sides = [side.slots for hop in made.hops if hop.node == "b" for side in hop.sides]
    assert sides == [Slots(4, 2), Slots(6, 2)]
    with pytest.raises(SlotsError, match="the link layer has 5"):
        plan_circuits(discovered(plan), [circuit], reserved={"b": [Slots(0, 5)]})
    asking = replace(circuit, fidelity=0.6, rate_per_s=1.0)
    (made,) = plan_circuits(discovered(plan), [asking], reserved=held)
    sides = [side.slots for hop in made.hops if hop.node == "b" for side in hop.sides]
    assert all(slots.first >= 4 for slots in sides)


CIRCUIT = """
[network]
name = "t"
[memories.m]
slots = 8
[nodes]
a = { memory = "m" }
b = { memory = "m" }
c = { memory = "m" }
[[links]]
between = ["a", "b"]
length = "10 km"
[[links]]
between = ["b", "c"]
length = "10 km"
[[circuits]]
name = "x"
from = "a"
to = "c"
"""


def test_holdings_are_stored(tmp_path):
    plan, path = net(), tmp_path / "intent.db"
    holdings = LinkHoldings({"s": 255}, (LinkSlots("a", 0, Slots(4, 4)),)).renumbered(["s"])
    assert holdings.epoch("s") == 0 and holdings.epoch("other") == 0
    store = Store(path, plan)
    store.claim(10)
    store.commit(Intent(), Intent(links=holdings))
    store.close()
    assert Store(path, plan).load().intent.links == holdings


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"link": "link_slots = 0"}, "link_slots"),
        ({"link": "link_slots = 9"}, "node a, which has 8 for them"),
        ({"link": "link_slots = 8", "emitters": "emitters = 1"}, "node a, which has 7 for them"),
        ({"link": "link_slots = 5", "more": "link_slots = 5"}, "ask for 10 slots at node b"),
    ],
)
def test_a_network_file_that_asks_for_too_much_is_refused(keys, said):
    with pytest.raises(NetworkFileError, match=said):
        net(**keys)
