"""Classical forwarding: L2, ARP, IPv4, IPv6, MPLS, with any payload untouched."""

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet, Raw

from qplane.wire.scapy import MPLS

from .node import EAST, HOST, OTHER_HOST, QUANTUM, WEST, Node

A, B = "02:00:00:00:01:0a", "02:00:00:00:01:0b"
GATEWAY = "02:00:00:00:0a:00"
NEXT_HOP = "02:00:00:00:04:01"
BROADCAST = "ff:ff:ff:ff:ff:ff"
PAYLOAD = Raw(bytes(range(256)))


def mac(text: str) -> int:
    return int(text.replace(":", ""), 16)


def address(text: str) -> int:
    return int.from_bytes(bytes(map(int, text.split("."))), "big")


@pytest.fixture
def node() -> Node:
    node = Node()
    node.add("l2", [mac(A)], "forward", HOST)
    node.add("l2", [mac(B)], "forward", OTHER_HOST)
    node.add("l2", [mac(BROADCAST)], "flood", 1)
    node.core.multicast_set(1, [(port, 0) for port in (HOST, OTHER_HOST, WEST)])
    node.add("my_mac", [mac(GATEWAY)], "NoAction")
    node.add("arp_responder", [HOST, address("10.0.1.254")], "arp_reply", mac(GATEWAY))
    for prefix, length, port in (("10.0.0.0", 8, WEST), ("10.0.2.0", 24, EAST)):
        entry = [(address(prefix), length)]
        node.add("ipv4_route", entry, "route", port, mac(GATEWAY), mac(NEXT_HOP))
    network = int.from_bytes(bytes.fromhex("20010db8000200000000000000000000"), "big")
    node.add("ipv6_route", [(network, 48)], "route", EAST, mac(GATEWAY), mac(NEXT_HOP))
    node.add("mpls_label", [1000], "label_swap", 2000, EAST, mac(GATEWAY), mac(NEXT_HOP))
    node.add("mpls_label", [1001], "label_pop", 0x0800, EAST, mac(GATEWAY), mac(NEXT_HOP))
    return node


def receives(node: Node, port: int, packet: Packet) -> list[tuple[int, bytes]]:
    return sorted(node.core.process(port, bytes(packet), 0))


def routed(packet: Packet, ttl: int) -> bytes:
    """The packet as it leaves through a router: addresses, TTL and checksum rewritten."""
    out = packet.copy()
    out[Ether].src, out[Ether].dst = GATEWAY, NEXT_HOP
    if out.haslayer(IP):
        out[IP].ttl = ttl
        out[IP].chksum = None
    else:
        out[IPv6].hlim = ttl
    return bytes(out)


def to_gateway(layer: Packet) -> Packet:
    return Ether(bytes(Ether(src=A, dst=GATEWAY) / layer))


# ---- L2 ----


@pytest.mark.parametrize(
    "payload",
    [
        IP(dst="10.0.1.2") / UDP(sport=1, dport=6635) / PAYLOAD,
        IP(dst="10.0.1.2") / ICMP() / PAYLOAD,
        IP(dst="10.0.1.2", ttl=1) / TCP() / PAYLOAD,
        IPv6(dst="2001:db8::1") / UDP() / PAYLOAD,
        ARP(op=2),
        Raw(b"x" * 46),
        Raw(b""),
    ],
    ids=["udp", "icmp", "tcp, ttl 1", "ipv6", "arp reply", "unknown", "empty"],
)
def test_a_frame_for_a_known_address_is_forwarded_as_it_is(node: Node, payload: Packet) -> None:
    ethertype = {} if type(payload) is not Raw else {"type": 0x1234}
    frame = Ether(src=A, dst=B, **ethertype) / payload
    assert receives(node, HOST, frame) == [(OTHER_HOST, bytes(frame))]


def test_a_broadcast_floods_to_all_ports_but_its_own(node: Node) -> None:
    frame = Ether(src=A, dst=BROADCAST, type=0x1234) / PAYLOAD
    for port, others in ((HOST, [OTHER_HOST, WEST]), (WEST, [HOST, OTHER_HOST])):
        assert receives(node, port, frame) == [(other, bytes(frame)) for other in others]
    assert node.drops() == {}


def test_a_frame_for_an_unknown_address_is_dropped(node: Node) -> None:
    assert receives(node, HOST, Ether(src=A, dst=NEXT_HOP, type=0x1234) / PAYLOAD) == []
    assert node.drops() == {"UNKNOWN_MAC": 1}


@pytest.mark.parametrize("size", [1, 5, 13])
def test_less_than_an_ethernet_header_is_dropped(node: Node, size: int) -> None:
    assert node.core.process(HOST, b"\xff" * size, 0) == []
    assert node.drops() == {"PARSER_ERROR": 1}


# ---- ARP ----


def test_arp_for_the_gateway_is_answered(node: Node) -> None:
    request = Ether(src=A, dst=BROADCAST) / ARP(
        op=1, hwsrc=A, psrc="10.0.1.1", hwdst="00:00:00:00:00:00", pdst="10.0.1.254"
    )
    reply = Ether(src=GATEWAY, dst=A) / ARP(
        op=2, hwsrc=GATEWAY, psrc="10.0.1.254", hwdst=A, pdst="10.0.1.1"
    )
    assert receives(node, HOST, request) == [(HOST, bytes(reply))]


@pytest.mark.parametrize(("port", "asked"), [(HOST, "10.0.1.2"), (OTHER_HOST, "10.0.1.254")])
def test_arp_for_others_floods(node: Node, port: int, asked: str) -> None:
    request = Ether(src=A, dst=BROADCAST) / ARP(op=1, hwsrc=A, psrc="10.0.1.1", pdst=asked)
    others = [p for p in (HOST, OTHER_HOST, WEST) if p != port]
    assert receives(node, port, request) == [(p, bytes(request)) for p in others]


# ---- IPv4 ----


@pytest.mark.parametrize(
    "layer",
    [UDP(sport=4, dport=5) / PAYLOAD, ICMP() / PAYLOAD, TCP() / PAYLOAD, Raw(b"")],
    ids=["udp", "icmp", "tcp", "none"],
)
def test_ipv4_is_routed(node: Node, layer: Packet) -> None:
    packet = to_gateway(IP(src="10.0.1.1", dst="10.0.2.7", ttl=64) / layer)
    assert receives(node, HOST, packet) == [(EAST, routed(packet, 63))]


@pytest.mark.parametrize(
    ("destination", "port"),
    [("10.0.2.0", EAST), ("10.0.2.255", EAST), ("10.0.3.0", WEST), ("10.255.255.255", WEST)],
)
def test_the_longest_prefix_wins(node: Node, destination: str, port: int) -> None:
    packet = to_gateway(IP(dst=destination, ttl=9) / ICMP())
    assert receives(node, HOST, packet) == [(port, routed(packet, 8))]


def test_ipv4_options_and_fragments_are_routed(node: Node) -> None:
    record_route = IPOption(b"\x07\x07\x04\x00\x00\x00\x00")
    packets = [
        IP(dst="10.0.2.7", options=[record_route]) / UDP() / PAYLOAD,
        IP(dst="10.0.2.7", options=[IPOption(b"\x01" * 40)]) / ICMP() / PAYLOAD,
        IP(dst="10.0.2.7", frag=3, proto=17) / Raw(b"abc"),
        IP(dst="10.0.2.7", flags="MF", proto=17) / Raw(b"abcdefgh"),
    ]
    for layer in packets:
        packet = to_gateway(layer)
        assert receives(node, HOST, packet) == [(EAST, routed(packet, packet[IP].ttl - 1))]


@pytest.mark.parametrize("ttl", [0, 1])
def test_ipv4_with_a_used_up_ttl_is_dropped(node: Node, ttl: int) -> None:
    assert receives(node, HOST, to_gateway(IP(dst="10.0.2.7", ttl=ttl) / ICMP())) == []
    assert node.drops() == {"TTL": 1}


def test_ipv4_with_a_bad_checksum_is_dropped(node: Node) -> None:
    good = to_gateway(IP(dst="10.0.2.7") / ICMP())
    for bit in range(16):
        packet = good.copy()
        packet[IP].chksum = good[IP].chksum ^ 1 << bit
        assert receives(node, HOST, packet) == []
    assert node.drops() == {"BAD_CHECKSUM": 16}


@pytest.mark.parametrize(("version", "ihl"), [(4, 4), (4, 0), (5, 5), (6, 5)])
def test_a_malformed_ipv4_header_is_dropped(node: Node, version: int, ihl: int) -> None:
    packet = to_gateway(IP(dst="10.0.2.7", version=version, ihl=ihl) / ICMP())
    assert receives(node, HOST, packet) == []
    assert node.drops() == {"PARSER_ERROR": 1}


def test_a_truncated_ipv4_header_is_dropped(node: Node) -> None:
    whole = bytes(to_gateway(IP(dst="10.0.2.7", options=[IPOption(b"\x01" * 8)])))
    for size in range(15, len(whole)):
        assert node.core.process(HOST, whole[:size], 0) == []
    assert node.drops() == {"PARSER_ERROR": len(whole) - 15}


def test_an_address_without_a_route_is_dropped(node: Node) -> None:
    assert receives(node, HOST, to_gateway(IP(dst="11.0.0.1") / ICMP())) == []
    assert receives(node, HOST, to_gateway(IPv6(dst="2001:db8:3::1"))) == []
    assert receives(node, HOST, Ether(src=A, dst=GATEWAY, type=0x1234) / PAYLOAD) == []
    assert node.drops() == {"NO_ROUTE": 3}


# ---- IPv6 ----


@pytest.mark.parametrize("layer", [UDP() / PAYLOAD, ICMPv6EchoRequest(data=b"x" * 50)])
def test_ipv6_is_routed(node: Node, layer: Packet) -> None:
    packet = to_gateway(IPv6(src="2001:db8:1::1", dst="2001:db8:2::7", hlim=64) / layer)
    assert receives(node, HOST, packet) == [(EAST, routed(packet, 63))]


@pytest.mark.parametrize("hop_limit", [0, 1])
def test_ipv6_with_a_used_up_hop_limit_is_dropped(node: Node, hop_limit: int) -> None:
    packet = to_gateway(IPv6(dst="2001:db8:2::7", hlim=hop_limit) / UDP())
    assert receives(node, HOST, packet) == []
    assert node.drops() == {"TTL": 1}


# ---- MPLS user data ----


def labelled(*stack: Packet) -> Packet:
    packet = Ether(src=A, dst=GATEWAY)
    for entry in stack:
        packet /= entry
    return packet / IP(dst="10.9.9.9") / UDP() / PAYLOAD


@pytest.mark.parametrize("below", [[], [MPLS(label=77, s=1, ttl=5)]], ids=["one", "two"])
def test_a_label_is_swapped(node: Node, below: list[Packet]) -> None:
    bottom = 0 if below else 1
    packet = labelled(MPLS(label=1000, tc=3, s=bottom, ttl=9), *below)
    expected = labelled(MPLS(label=2000, tc=3, s=bottom, ttl=8), *below)
    expected[Ether].src, expected[Ether].dst = GATEWAY, NEXT_HOP
    assert receives(node, WEST, packet) == [(EAST, bytes(expected))]


def test_a_label_is_popped_before_the_last_hop(node: Node) -> None:
    packet = labelled(MPLS(label=1001, s=1, ttl=9))
    expected = Ether(src=GATEWAY, dst=NEXT_HOP) / IP(dst="10.9.9.9") / UDP() / PAYLOAD
    assert receives(node, WEST, packet) == [(EAST, bytes(expected))]


def test_an_unknown_label_or_a_used_up_ttl_is_dropped(node: Node) -> None:
    assert receives(node, WEST, labelled(MPLS(label=1002, s=1))) == []
    assert node.drops() == {"UNKNOWN_LABEL": 1}
    for ttl in (0, 1):
        assert receives(node, WEST, labelled(MPLS(label=1000, s=1, ttl=ttl))) == []
    assert node.drops() == {"UNKNOWN_LABEL": 1, "TTL": 2}


def test_an_mpls_frame_without_what_its_stack_promises_is_dropped(node: Node) -> None:
    frame = bytes(Ether(src=A, dst=GATEWAY) / MPLS(label=1000, s=0, ttl=9))
    for size in (15, 17, 18, 20, 21):
        data = (frame + b"\0" * 4)[:size]
        assert node.core.process(WEST, data, 0) == []
    assert node.drops() == {"PARSER_ERROR": 5}


# ---- any port ----


@pytest.mark.parametrize("port", [HOST, WEST, QUANTUM, 77])
def test_classical_traffic_is_forwarded_from_every_port(node: Node, port: int) -> None:
    packet = to_gateway(IP(dst="10.0.2.7") / ICMP())
    assert receives(node, port, packet) == [(EAST, routed(packet, 63))]
