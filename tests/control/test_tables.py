"""Desired entries: a chain by hand, and the rules that hold on any graph."""

import ipaddress
from dataclasses import replace

import pytest

from qplane.control import tables
from qplane.control.entries import DefaultAction, Group, state_of, table_entry
from qplane.control.plans import plan_circuits
from qplane.control.program import schema
from qplane.control.tables import node_mac
from qplane.net import GATEWAY_IP, QUANTUM_PORT
from qplane.wire import parse_mac

from .networks import chain, discovered, network, random_network

UP = {"circuit_id": 0, "side": 2, "slice": 0}
DOWN = {"circuit_id": 0, "side": 1, "slice": 0}
HOSTS = [("h1", "n0", "10.0.1.1"), ("h2", "n2", "10.0.2.1")]


def desired(net):
    return tables.desired(net, plan_circuits(discovered(net), list(net.circuits.values())))


def test_the_middle_of_a_chain_of_three():
    net = chain(3, circuits=[("c", "n0", "n2", "")], hosts=HOSTS)
    a, mid, b = (node_mac(net.nodes[name].id) for name in ("n0", "n1", "n2"))
    assert set(desired(net)["n1"]) == {
        table_entry("port_kind", {"ingress_port": 1}, "set_port_kind", kind=1, slice=0),
        table_entry("port_kind", {"ingress_port": 2}, "set_port_kind", kind=1, slice=0),
        table_entry("port_kind", {"ingress_port": QUANTUM_PORT}, "set_port_kind", kind=2, slice=0),
        DefaultAction("node", "set_node", (("node_id", net.nodes["n1"].id),)),
        table_entry("my_mac", {"dst": mid}, "NoAction"),
        table_entry(
            "ipv4_route", {"dst": (0x0A000101, 32)}, "route", port=1, src_mac=mid, dst_mac=a
        ),
        table_entry(
            "ipv4_route", {"dst": (0x0A000201, 32)}, "route", port=2, src_mac=mid, dst_mac=b
        ),
        Group(1, ((1, 2), (QUANTUM_PORT, 3))),
        Group(2, ((2, 1), (QUANTUM_PORT, 3))),
        Group(3, ((1, 2), (2, 1))),
        table_entry(
            "adjacency", {"circuit": 0, "copy": 2}, "set_adjacency",
            label=16, src_mac=mid, dst_mac=a,
        ),
        table_entry(
            "adjacency", {"circuit": 0, "copy": 1}, "set_adjacency",
            label=16, src_mac=mid, dst_mac=b,
        ),
        table_entry(
            "circuit", {"circuit": 0}, "repeater",
            device_port=QUANTUM_PORT,
            link_up=0, port_up=1, group_device_up=1,
            link_down=1, port_down=2, group_device_down=2,
            group_both=3, delay_up_us=50, delay_down_us=50,
        ),
        table_entry("label_in", {"ingress": 1, "label": 16}, "set_circuit", **UP),
        table_entry("label_in", {"ingress": 2, "label": 16}, "set_circuit", **DOWN),
        table_entry("pair_in", {"link": 0, "label": 16}, "set_circuit", **UP),
        table_entry("pair_in", {"link": 1, "label": 16}, "set_circuit", **DOWN),
    }  # fmt: skip


def test_the_ends_of_a_chain_of_three():
    net = chain(3, circuits=[("c", "n0", "n2", "")], hosts=HOSTS)
    entries = desired(net)
    head, tail = ({entry.table: entry for entry in entries[name]} for name in ("n0", "n2"))
    (plan,) = plan_circuits(discovered(net), list(net.circuits.values()))
    budget_us = -(-plan.timing.end_cutoff_ps // 10**6)
    assert dict(head["circuit"].args) == {
        "device_port": QUANTUM_PORT, "side": 1, "link": 0, "port": 1, "group_device": 1,
        "request": 0, "complete": 0, "budget_us": budget_us, "delay_us": 50,
        "far_node": 3, "far_link": 0, "serial": 0,
    }  # fmt: skip
    assert dict(tail["circuit"].args)["side"] == 2
    assert head["adjacency"].match == (("circuit", 0), ("copy", 1))
    assert tail["adjacency"].match == (("circuit", 0), ("copy", 2))
    assert head["arp_responder"] == table_entry(
        "arp_responder",
        {"ingress_port": 2, "target_ip": int(ipaddress.ip_address(GATEWAY_IP))},
        "arp_reply",
        mac=node_mac(net.nodes["n0"].id),
    )
    to_host = next(
        e
        for e in entries["n0"]
        if e.table == "ipv4_route" and dict(e.match).get("dst") == (0x0A000101, 32)
    )
    assert dict(to_host.args)["dst_mac"] == parse_mac(net.hosts["h1"].mac)


def test_a_classical_node_gets_its_classical_tables_and_no_more():
    net = chain(3, hosts=HOSTS, classical=["n1"])
    assert {entry.table for entry in desired(net)["n1"]} == {"port_kind", "my_mac", "ipv4_route"}
    assert QUANTUM_PORT not in [
        dict(entry.match).get("ingress_port") for entry in desired(net)["n1"]
    ]


def test_no_route_to_a_host_that_cannot_be_reached():
    net = network("abc", [("a", "b", 1.0)], hosts=[("h", "b", "10.0.0.1")])
    assert [e.table for e in desired(net)["c"]] == ["port_kind", "node", "my_mac"]


def test_hosts_with_ipv6_addresses_are_routed_in_their_own_table():
    net = chain(2, hosts=[("h", "n1", "10.0.0.1")])
    six = replace(net.hosts["h"], ip="2001:db8::7")
    (route,) = [
        entry
        for entry in tables.desired(replace(net, hosts={"h": six}), [])["n0"]
        if entry.table == "ipv6_route"
    ]
    assert route.match == (("dst", (0x20010DB8 << 96 | 7, 128)),)
    assert dict(route.args)["dst_mac"] == node_mac(net.nodes["n1"].id)
    route.to_finsy().encode(schema())


def test_both_ends_of_a_link_agree_on_label_and_side():
    circuits = [(f"c{i}", f"n{i}", f"n{9 - i}", "slots = 1") for i in range(5)]
    net = random_network(5, 10, circuits=circuits, slots=100)
    entries = {name: state_of(listed) for name, listed in desired(net).items()}
    checked = 0
    for link in net.links:
        for near, far in ((link.a, link.b), (link.b, link.a)):
            for entry in entries[near.node].values():
                if entry.table == "adjacency" and leaves_by(entries[near.node], entry) == near.port:
                    label, dst = dict(entry.args)["label"], dict(entry.args)["dst_mac"]
                    if dst != node_mac(net.nodes[far.node].id):
                        continue
                    arrival = entries[far.node][
                        "label_in", (("ingress", far.port), ("label", label))
                    ]
                    # What leaves downwards comes in on the up side, and the other way round.
                    assert dict(arrival.args)["side"] == 3 - dict(entry.match)["copy"]
                    checked += 1
    assert checked == 2 * sum(len(c.path) for c in net.circuits.values())


def leaves_by(state, adjacency):
    """The port by which a circuit's messages on a side leave."""
    match = dict(adjacency.match)
    role = state["circuit", (("circuit", match["circuit"]),)]
    args = dict(role.args)
    if role.action == "end_node":
        return args["port"]
    return args["port_down" if match["copy"] == 1 else "port_up"]


@pytest.mark.parametrize("node", ["n0", "n1", "n2"])
def test_the_program_has_every_table_field_action_and_argument(node):
    net = chain(3, circuits=[("c", "n0", "n2", "")], hosts=HOSTS)
    for entry in desired(net)[node]:
        encoded = entry.to_finsy().encode(schema())
        if not isinstance(entry, Group):
            table = schema().tables[entry.table]
            assert len(encoded.table_entry.match) == len(table.match_fields)
            action = table.actions[entry.action]
            assert len(encoded.table_entry.action.action.params) == len(action.params)


def test_node_macs_are_local_unicast_and_distinct():
    macs = {node_mac(node_id) for node_id in (1, 2, 255, 256, 0xFFFFFFFF)}
    assert len(macs) == 5
    assert all(mac >> 40 & 3 == 2 and mac < 1 << 48 for mac in macs)
