"""Hosts: ARP, ICMP echo, round trips. Scapy is the second opinion on every byte."""

import pytest
from scapy.layers.inet import ICMP, IP
from scapy.layers.l2 import ARP, Ether

from qplane_cext.sim.network import Network

US = 10**6
SECOND = 10**12
MACS = ["02:00:00:00:01:01", "02:00:00:00:01:02"]


class Wire:
    """Joins ports 1 and 2, and keeps what passes."""

    def __init__(self):
        self.seen = []

    def process(self, port, data, now_us):
        self.seen.append((port, data))
        return [(3 - port, data)] if port in (1, 2) else []


def pair(ips=("10.0.0.1", "10.0.0.2"), **options):
    network, wire = Network(1), Wire()
    node = network.add_node("s", 1, wire, switch_delay_ps=2 * US)
    for i in range(2):
        network.add_host(
            f"h{i}", node, 1 + i, mac=MACS[i], ip=ips[i], delay_ps=5 * US, rate_bps=8e9, **options
        )
    return network, wire


def test_ping_resolves_then_echoes():
    network, wire = pair()
    network.add_ping(0, "10.0.0.2", interval_ps=100 * US, count=3, payload_bytes=100)
    assert network.run() == "idle"
    (flow,) = network.pings()
    assert (flow["sent"], flow["received"], flow["timed_out"], flow["outstanding"]) == (3, 3, 0, 0)
    frame_us = (14 + 20 + 8 + 100) / 1000  # 8 Gbit/s: a byte a nanosecond
    once_us = 2 * (2 + 2 * 5 + 2 * frame_us)
    arp_us = 2 * (2 + 2 * 5 + 2 * 42 / 1000)
    expected = [once_us + arp_us, once_us, once_us]
    assert flow["rtt_sample_ps"] / US == pytest.approx(expected)
    assert flow["rtt_ps"]["max"] == pytest.approx((once_us + arp_us) * US)
    frames = [Ether(data) for _, data in wire.seen]
    request, answer, echo, reply = frames[:4]
    assert (request[ARP].op, request.dst, request[ARP].pdst) == (1, "ff:ff:ff:ff:ff:ff", "10.0.0.2")
    assert (answer[ARP].op, answer[ARP].hwsrc, answer.dst) == (2, MACS[1], MACS[0])
    assert (echo[ICMP].type, echo[ICMP].seq, echo[IP].ttl) == (8, 0, 64)
    assert (reply[ICMP].type, reply[ICMP].id, reply[IP].dst) == (0, echo[ICMP].id, "10.0.0.1")
    assert bytes(reply[ICMP].payload) == bytes(echo[ICMP].payload) == bytes(range(100))
    for frame in frames:
        if IP in frame:
            again = frame.copy()
            del again[IP].chksum, again[ICMP].chksum
            assert bytes(Ether(bytes(again))) == bytes(frame)


def test_another_subnet_is_reached_through_the_gateway():
    network, wire = pair(ips=("10.0.0.1", "10.9.0.2"), gateway_ip="10.0.0.254", prefix_length=24)

    def process(port, data, now_us):
        wire.seen.append((port, data))
        frame = Ether(data)
        if ARP in frame and frame[ARP].pdst == "10.0.0.254":
            arp = ARP(op=2, hwsrc=MACS[1 - (port - 1)], psrc="10.0.0.254", pdst=frame[ARP].psrc)
            return [(port, bytes(Ether(src=MACS[0], dst=frame.src) / arp))]
        return [(3 - port, data)]

    wire.process = process
    network.add_ping(0, "10.9.0.2", interval_ps=100 * US, count=2)
    network.run()
    assert network.pings()[0]["received"] == 2
    asked = [Ether(data)[ARP].pdst for _, data in wire.seen if ARP in Ether(data)]
    assert asked == ["10.0.0.254", "10.0.0.254"]


def test_nobody_answers():
    network, _ = pair()
    network.add_ping(0, "10.0.0.77", interval_ps=SECOND, count=2, timeout_ps=5 * SECOND)
    network.run(until_ps=4 * SECOND)
    assert network.waiting() == ["h0: 2 pings to 10.0.0.77 are unanswered"]
    network.run()
    assert network.pings()[0]["timed_out"] == 2
    counters = network.counters()
    assert (counters["arp_requests_sent"], counters["arp_failed"]) == (3, 1)
    assert counters["unresolved_dropped"] == 2
    assert network.waiting() == []


def test_damaged_or_strange_frames_are_ignored():
    network, wire = pair()
    network.add_ping(0, "10.0.0.2", interval_ps=SECOND, count=1)
    network.run()
    echo = next(Ether(data) for port, data in wire.seen if port == 1 and IP in Ether(data))
    whole = bytes(echo)
    bad_icmp = whole[:-1] + bytes([whole[-1] ^ 1])
    bad_ip = whole[:22] + b"\x07" + whole[23:]
    other_mac = b"\x02\x00\x00\x00\x01\x09" + whole[6:]
    fragment = bytes(Ether(whole[:14]) / IP(src="10.0.0.1", dst="10.0.0.2", frag=3) / ICMP())
    too_long = whole[:16] + b"\xff\xff" + whole[18:]
    reply = bytes(
        Ether(src=MACS[0], dst=MACS[1]) / IP(src="10.0.0.1", dst="10.0.0.2") / ICMP(type=0, id=9)
    )
    before = len(wire.seen)
    frames = [bad_icmp, bad_ip, other_mac, fragment, too_long, b"", whole[:20], reply]
    for frame in frames:
        network.inject(0, 1, frame)
    network.run()
    assert len(wire.seen) == before + len(frames)  # no answer to any
    assert network.counters()["unexpected_echo_replies"] == 1
    assert network.counters()["host_frames_ignored"] == len(frames) - 1


def test_pings_stop_when_told():
    network, _ = pair()
    network.add_ping(0, "10.0.0.2", interval_ps=100 * US)
    network.run(until_ps=1000 * US)
    assert "h0: pings to 10.0.0.2 go on" in network.waiting()
    network.stop_pings()
    assert network.run() == "idle"
    assert network.pings()[0]["sent"] == network.pings()[0]["received"] == 11
    assert network.waiting() == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mac": "02:00"}, "mac is '02:00'"),
        ({"mac": "02:00:00:00:00:zz"}, "mac is '02:00:00:00:00:zz'"),
        ({"ip": "10.0.0.999"}, "ip is '10.0.0.999'"),
        ({"gateway_ip": "x"}, "gateway_ip is 'x'"),
        ({"prefix_length": 33}, "prefix_length is 33"),
        ({"rate_bps": 0.0}, "rate_bps is 0.0"),
    ],
)
def test_impossible_hosts_are_refused(changes, message):
    network = Network(1)
    node = network.add_node("s", 1, Wire())
    options = {"mac": MACS[0], "ip": "10.0.0.1"} | changes
    with pytest.raises(ValueError, match=message):
        network.add_host("h", node, 1, **options)
