"""A pair on each side of the hop of hop.py, the swap, and the TRACK that goes on."""

import time

from scapy.all import AsyncSniffer, Ether, sendp

from qplane.wire.scapy import ACH, MPLS, QCI, Device, QCIPair, Qubit, gal


def event(type_, link, label, seq, slot, *, bell=0, **second):
    """Of the quantum device."""
    return (
        Ether(dst="02:00:00:00:00:01", src="02:00:00:00:00:02", type=0x88B6)
        / Device(type=type_, link=link, bell=bell)
        / Qubit(label=label, seq=seq, slot=slot, generation=1, **second)
    )


track = (
    Ether(dst="06:00:00:00:00:01", src="06:00:00:00:01:02", type=0x8847)
    / MPLS(label=100, ttl=255) / gal() / ACH()
    / QCI(type="TRACK") / QCIPair(pair_seq=5, origin_seq=5, bell="PSI_PLUS")
)  # fmt: skip
sniffer = AsyncSniffer(
    iface=["up1", "down1", "dev1"], lfilter=lambda frame: frame.type in (0x8847, 0x88B6)
)
sniffer.start()
time.sleep(1)
for interface, packet in (
    ("dev1", event("PAIR", 0, 100, 5, slot=0)),
    ("up1", track),  # waits for the swap
    ("dev1", event("PAIR", 1, 200, 9, slot=1)),  # is answered with SWAP
    ("dev1", event("SWAPPED", 1, 200, 9, slot=1, bell="PHI_MINUS", seq2=5, generation2=1)),
):
    sendp(packet, iface=interface, verbose=False)
    time.sleep(0.5)
for packet in sniffer.stop():
    print(packet.sniffed_on, packet.summary())
    if packet.src == "06:00:00:00:00:01":
        packet.show()
