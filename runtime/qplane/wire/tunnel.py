"""MPLS-in-UDP (RFC 7510): the headers around a label-switched packet that crosses an IP network."""

from __future__ import annotations

import ipaddress
import struct

from qplane.wire.ethernet import UDP_PORT_MPLS

ETHERTYPE_IPV4 = 0x0800
ETHERTYPE_IPV6 = 0x86DD

_FIRST_ENTROPY = 0xC000
_TTL = 64
_UDP = 17
_DONT_FRAGMENT = 0x4000


def in_udp(packet: bytes, src_ip: str, dst_ip: str) -> tuple[int, bytes]:
    """EtherType and IP datagram around an MPLS packet, as `p4src/include/compose.p4` makes them.

    Without UDP's checksum over IPv4, as RFC 7510 recommends; both addresses are IPv4, or both IPv6.
    """
    src, dst = ipaddress.ip_address(src_ip), ipaddress.ip_address(dst_ip)
    label = int.from_bytes(packet[:3], "big") >> 4
    length = 8 + len(packet)
    entropy = _FIRST_ENTROPY | label & 0x3FFF
    udp = struct.pack("!HHHH", entropy, UDP_PORT_MPLS, length, 0)
    if src.version == 4:
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, _DONT_FRAGMENT, _TTL, _UDP, 0)
        head += src.packed + dst.packed
        head = head[:10] + _checksum(head).to_bytes(2, "big") + head[12:]
        return ETHERTYPE_IPV4, head + udp + packet
    pseudo = src.packed + dst.packed + struct.pack("!II", length, _UDP)
    checksum = _checksum(pseudo + udp + packet) or 0xFFFF  # 0 would say that there is none
    udp = udp[:6] + checksum.to_bytes(2, "big")
    head = struct.pack("!IHBB", 6 << 28 | label, length, _UDP, _TTL) + src.packed + dst.packed
    return ETHERTYPE_IPV6, head + udp + packet


def _checksum(data: bytes) -> int:
    """RFC 1071."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data[: len(data) // 2 * 2]))
    if len(data) % 2:
        total += data[-1] << 8
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
