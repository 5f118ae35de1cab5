"""Writes the network file of a repeater chain of any length."""

from __future__ import annotations

_HEAD = """\
# A chain of {nodes} nodes, {hops} links of {length} each. Run it:  qplane simulate FILE
# Every key is explained in docs/network-file.md.

[network]
name = "chain-{nodes}"
seed = 1

[memories.standard]
slots = {slots}
t1 = "10 s"
t2 = "1 s"
swap_time = "10 us"
two_qubit_gate_error = "0.1 %"
readout_error = "0.1 %"

[nodes]
"""

_MIDDLE = """
[defaults.link]
length = "{length}"
attenuation = "0.2 dB/km"
scheme = "double-click"
station = 0.5
detector_efficiency = "90 %"
dark_counts = "10 Hz"
visibility = "98 %"

"""

_TAIL = """
[[circuits]]
name = "end-to-end"
from = "n1"
to = "n{nodes}"
slots = {pairs}
cutoff = "100 ms"

[[hosts]]
name = "h1"
node = "n1"
ip = "10.0.1.1"

[[hosts]]
name = "h2"
node = "n{nodes}"
ip = "10.0.2.1"

[[pings]]
from = "h1"
to = "h2"
interval = "10 ms"
"""


def chain(nodes: int, *, length: str = "25 km", slots: int = 1) -> str:
    """The text of a chain's network file: `nodes` nodes, one circuit from end to end.

    `length` is that of each link, `slots` the memory slots that the circuit uses on each side of
    each link. Raises ValueError for fewer than two nodes or no slot.
    """
    if nodes < 2:
        raise ValueError(f"a chain has at least 2 nodes, not {nodes}")
    if slots < 1:
        raise ValueError(f"a circuit needs at least 1 slot, not {slots}")
    head = _HEAD.format(nodes=nodes, hops=nodes - 1, length=length, slots=2 * slots)
    names = "".join(f'n{k} = {{ memory = "standard" }}\n' for k in range(1, nodes + 1))
    links = "".join(f'[[links]]\nbetween = ["n{k}", "n{k + 1}"]\n\n' for k in range(1, nodes))
    tail = _TAIL.format(nodes=nodes, pairs=slots)
    return head + names + _MIDDLE.format(length=length) + links.rstrip("\n") + "\n" + tail
