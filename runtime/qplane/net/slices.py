"""The slices of a network file: which there are, and which slots of which node each has."""

from __future__ import annotations

from collections.abc import Mapping

from qplane.net.errors import InconsistentError
from qplane.net.model import DEFAULT_SLICE, Node, Slice
from qplane.net.schema import NetworkFile, SliceSection

MAX_SLICES = 64
"""What the P4 program has meters for, the default slice included."""

_BURST_S = 0.1
_LEAST_BURST_BYTES = 9000


def slices_of(file: NetworkFile, nodes: Mapping[str, Node]) -> dict[str, Slice]:
    """The slices by name, numbered in the order of the file; "default" is number 0.

    Raises InconsistentError.
    """
    found: dict[str, Slice] = {}
    number = 0
    for name, section in file.slices.items():
        if name != DEFAULT_SLICE:
            number += 1
        if number >= MAX_SLICES:
            raise InconsistentError(
                ("slices", name), f"more than {MAX_SLICES - 1} slices beside the default one"
            )
        slots = _slots(name, section, nodes)
        for other in found.values():
            _check_apart(name, section, slots, other)
        found[name] = _slice(name, 0 if name == DEFAULT_SLICE else number, section, slots)
    return found


def slice_name(file: NetworkFile, kind: str, index: int, name: str | None) -> str:
    """The slice that item `index` of `kind` names, or the default one. Raises InconsistentError."""
    if name is None or name == DEFAULT_SLICE or name in file.slices:
        return name or DEFAULT_SLICE
    known = ", ".join(file.slices) or "none"
    raise InconsistentError((kind, index, "slice"), f"no such slice; there are: {known}")


def _slice(
    name: str, number: int, section: SliceSection, slots: Mapping[str, tuple[int, int]]
) -> Slice:
    qci = section.qci_rate or 0.0
    classical = (section.classical_rate or 0.0) / 8
    return Slice(
        name=name,
        number=number,
        qci_per_s=qci,
        qci_burst=section.qci_burst or (max(round(qci * _BURST_S), 1) if qci else 0),
        classical_bytes_per_s=classical,
        classical_burst_bytes=section.classical_burst
        or (max(round(classical * _BURST_S), _LEAST_BURST_BYTES) if classical else 0),
        slots=slots,
    )


def _slots(
    name: str, section: SliceSection, nodes: Mapping[str, Node]
) -> dict[str, tuple[int, int]]:
    """The slice's range at each node that it has one at."""
    ranges = section.slots or {}
    everywhere = "" in ranges
    quantum = {node: it.memory for node, it in nodes.items() if it.memory is not None}
    wanted = dict.fromkeys(quantum, ranges[""]) if everywhere else ranges
    for node, (_, last) in wanted.items():
        place = ("slices", name, "slots") if everywhere else ("slices", name, "slots", node)
        if node not in quantum:
            raise InconsistentError(
                place, f"no node with a memory is named {node}; there are: {', '.join(quantum)}"
            )
        if last >= quantum[node].slots:
            raise InconsistentError(
                place, f"node {node} has the slots 0 to {quantum[node].slots - 1}"
            )
    return dict(wanted)


def _check_apart(
    name: str, section: SliceSection, slots: Mapping[str, tuple[int, int]], other: Slice
) -> None:
    for node, (first, last) in slots.items():
        if node in other.slots and first <= other.slots[node][1] and other.slots[node][0] <= last:
            where = () if "" in (section.slots or {}) else (node,)
            raise InconsistentError(
                ("slices", name, "slots", *where),
                f"slice {other.name} has slots {other.slots[node][0]}-{other.slots[node][1]} of "
                f"node {node} for itself; ranges of slices do not overlap",
            )
