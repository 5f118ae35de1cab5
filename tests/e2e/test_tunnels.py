"""Circuits whose messages cross an IP network as MPLS-in-UDP (RFC 7510), in virtual time."""

import asyncio
from pathlib import Path

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.utils import rdpcap

from e2e import rig
from qplane.net import loads
from qplane.simulate.session import simulation

EXAMPLE = (Path(__file__).parents[2] / "examples" / "tunnel.toml").read_text()
OVER_IPV6 = EXAMPLE.replace("192.0.2.1", "2001:db8::1").replace("192.0.2.2", "2001:db8::2")
MPLS_IN_UDP = 6635
MPLS_ETHERTYPE = 0x8847


@pytest.mark.parametrize(
    ("text", "layer", "addresses"),
    [
        (EXAMPLE, IP, {"192.0.2.1", "192.0.2.2"}),
        (OVER_IPV6, IPv6, {"2001:db8::1", "2001:db8::2"}),
    ],
    ids=["IPv4", "IPv6"],
)
def test_pairs_come_over_a_circuit_through_the_router(tmp_path, text, layer, addresses):
    outcome = rig.simulate(text, pairs=100, pcap_dir=tmp_path)
    rig.assert_clean(outcome)
    assert outcome.circuit("alice-bob").delivered == 100
    assert abs(rig.deviation_of_fidelity(outcome)) < 5
    for port in (1, 2):
        frames = rdpcap(str(tmp_path / f"router-{port}.pcap"))
        messages = [frame for frame in frames if UDP in frame]
        assert len(messages) >= 100
        assert {frame[UDP].dport for frame in messages} == {MPLS_IN_UDP}
        assert {frame[layer].src for frame in messages} == addresses
        assert {frame[layer].dst for frame in messages} == addresses
        assert sum(ICMP in frame for frame in frames) >= 2  # a request and its answer
        assert not [frame for frame in frames if frame.type == MPLS_ETHERTYPE]
    # The fibre between the domains has the controller's probes alone; those inside have messages.
    fibre = rdpcap(str(tmp_path / "amsterdam-2.pcap"))
    assert not [f for f in fibre if f.type == MPLS_ETHERTYPE or UDP in f or ICMP in f]
    assert [f for f in rdpcap(str(tmp_path / "alice-1.pcap")) if f.type == MPLS_ETHERTYPE]


def test_its_entries_are_checked_repaired_and_removed():
    async def main():
        async with simulation(loads(EXAMPLE)) as simulated:
            await simulated.set_up()
            controller = simulated.controller
            tables = {
                node: {entry.table for entry in controller.entries(node)}
                for node in simulated.plan.nodes
            }
            assert "tunnel_ipv4" in tables["amsterdam"] & tables["berlin"]
            assert "tunnel_ipv4" not in tables["router"] | tables["alice"]
            assert await controller.verify() == []
            simulated.emulation.restart_switch("amsterdam")
            while controller.packets("amsterdam") is not None:
                await asyncio.sleep(0)
            repaired = await controller.check()
            assert "tunnel_ipv4" in {d.expected.table for d in repaired if d.expected}
            assert await controller.verify() == []
            await controller.teardown()
            for node in simulated.plan.nodes:
                assert not [e for e in controller.entries(node) if e.table == "adjacency"]
            assert await controller.verify() == []

    asyncio.run(main())


@pytest.mark.parametrize("text", [EXAMPLE, OVER_IPV6], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("ends", [("alice", "bob"), ("amsterdam", "berlin")])
def test_a_circuit_is_pinged_from_both_ends_through_the_tunnel(text, ends):
    """Of the second circuit, the tunnel is the first hop: the controller wraps the question."""
    text = text.replace('from = "alice"', f'from = "{ends[0]}"')
    text = text.replace('to = "bob"', f'to = "{ends[1]}"')

    async def main():
        async with simulation(loads(text)) as simulated:
            await simulated.set_up()
            for source, target in (ends, ends[::-1]):
                ping = await simulated.controller.ping(source, target)
                assert ping.is_answered
                assert len(ping.replies) == len(ping.path) - 1

    asyncio.run(main())


def test_messages_go_around_a_link_that_is_down_and_a_tunnel_without_a_way_is_down():
    other = """
[[links]]
between = ["amsterdam", "other"]
length = "20 km"

[[links]]
between = ["other", "berlin"]
length = "20 km"

[[circuits]]"""
    text = EXAMPLE.replace("\n[[circuits]]", other, 1)
    text = text.replace("\n[defaults.link]", "\nother = {}\n[defaults.link]", 1)

    async def main():
        async with simulation(loads(text)) as simulated:
            await simulated.set_up()
            controller, links = simulated.controller, simulated.plan.links
            before = await controller.ping("alice", "bob")
            simulated.emulation.cut(links[3])
            await controller.check(audit=True)
            assert controller.topology.down == {3}
            around = await controller.ping("alice", "bob")
            longer_ps = 2 * (links[5].delay_ps + links[6].delay_ps - 2 * links[3].delay_ps)
            rise_ps = around.replies[-1].round_trip_ps - before.replies[-1].round_trip_ps
            assert around.is_answered and rise_ps == longer_ps
            assert await controller.verify() == []
            simulated.emulation.cut(links[5])
            await controller.check(audit=True)
            assert controller.topology.down == {1, 3, 5}
            assert not controller.topology.is_quantum(links[1])

    asyncio.run(main())
