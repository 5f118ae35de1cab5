"""Paths against networkx, and against the rules stated for ties and for silent devices."""

import networkx as nx
import pytest

from qplane.control import NoPathError
from qplane.control.routing import circuit_path, next_links

from .networks import discovered, network, random_network


def graph_of(net, usable=lambda link: True):
    graph = nx.Graph()
    graph.add_nodes_from(net.nodes)
    for link in net.links:
        if usable(link):
            graph.add_edge(link.a.node, link.b.node, metres=link.length_m, ps=link.delay_ps + 1)
    return graph


@pytest.mark.parametrize("seed", range(20))
def test_circuit_paths_are_as_short_as_networkx_says(seed):
    size = 12
    ends = [("n0", f"n{size - 1}"), ("n3", "n7"), ("n5", "n1")]
    circuits = [(f"c{i}", head, tail, "slots = 1") for i, (head, tail) in enumerate(ends)]
    net = random_network(seed, size, circuits=circuits, slots=1000)
    graph = graph_of(net)
    topology = discovered(net)
    for circuit in net.circuits.values():
        path = circuit_path(topology, circuit)
        node = circuit.head
        for link in path:
            node = link.far(node).node
        assert node == circuit.tail
        assert sum(link.length_m for link in path) == pytest.approx(
            nx.dijkstra_path_length(graph, circuit.head, circuit.tail, weight="metres")
        )


@pytest.mark.parametrize("seed", range(20))
def test_following_the_next_links_leads_to_the_goal_along_a_shortest_path(seed):
    net = random_network(seed, 15)
    distance = nx.single_source_dijkstra_path_length(graph_of(net), "n4", weight="ps")
    towards = next_links(net, "n4")
    assert set(towards) == set(net.nodes) - {"n4"}
    for start in towards:
        node, cost = start, 0
        while node != "n4":
            cost += towards[node].delay_ps + 1
            node = towards[node].far(node).node
        assert cost == distance[start]


def test_next_links_take_the_shorter_of_two_parallel_links():
    net = network("ab", [("a", "b", 20.0), ("b", "a", 10.0)])
    assert next_links(net, "b")["a"] is net.links[1]


def test_next_links_leave_out_nodes_that_cannot_reach_the_goal():
    net = network("abc", [("a", "b", 1.0)])
    assert set(next_links(net, "b")) == {"a"}


def test_a_circuit_goes_round_a_node_whose_device_is_silent():
    links = [("a", "x", 1.0), ("x", "b", 1.0), ("a", "y", 5.0), ("y", "b", 5.0)]
    net = network("axyb", links, circuits=[("c", "a", "b", "")])
    assert [link.name for link in circuit_path(discovered(net), net.circuits["c"])] == [
        "a-x",
        "x-b",
    ]
    around = circuit_path(discovered(net, silent=["x"]), net.circuits["c"])
    assert [link.name for link in around] == ["a-y", "y-b"]


def test_a_circuit_does_not_pass_a_classical_node():
    links = [("a", "x", 1.0), ("x", "b", 1.0), ("a", "y", 5.0), ("y", "b", 5.0)]
    net = network("axyb", links, circuits=[("c", "a", "b", "")], classical=["x"])
    path = circuit_path(discovered(net), net.circuits["c"])
    assert [link.name for link in path] == ["a-y", "y-b"]


def test_no_path_names_the_circuit_and_its_ends():
    net = network("axb", [("a", "x", 1.0), ("x", "b", 1.0)], circuits=[("c", "a", "b", "")])
    with pytest.raises(NoPathError, match=r"circuit c: no path.* from a to b"):
        circuit_path(discovered(net, silent=["x"]), net.circuits["c"])


def test_no_path_names_an_end_without_a_device():
    net = network("ab", [("a", "b", 1.0)], circuits=[("c", "a", "b", "")])
    with pytest.raises(NoPathError, match="circuit c: no path, its end b has no quantum device"):
        circuit_path(discovered(net, silent=["b"]), net.circuits["c"])
