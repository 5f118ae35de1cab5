"""Quantum memory management (QMM): which slot holds which pair of a link, and under which name.

A link has a range of its device's slots for itself. The device puts a new pair into any of them
that is free, by a move from an emitter where it has such, before it reports the pair. A pair that
was handed to the higher layer has a logical qubit id, 4 bits as in OK.
"""

from __future__ import annotations

from dataclasses import dataclass

from qplane.link.mhp import Qubit, SlotRange

LOGICAL_IDS = 16


@dataclass
class _Held:
    seq: int
    logical_id: int | None = None


class QuantumMemory:
    """The slots of one end of a link."""

    def __init__(self, slots: SlotRange) -> None:
        self.capacity = min(slots.count, LOGICAL_IDS)
        self.slots = SlotRange(slots.first, self.capacity)
        self._held: dict[Qubit, _Held] = {}
        self._by_logical_id: dict[int, Qubit] = {}

    @property
    def free(self) -> int:
        """Pairs that still find room."""
        return self.capacity - len(self._held)

    def put(self, qubit: Qubit, seq: int) -> None:
        """The device holds pair `seq` there."""
        self._held[qubit] = _Held(seq)

    def name(self, qubit: Qubit) -> int:
        """The logical qubit id of a pair, from now on."""
        held = self._held[qubit]
        if held.logical_id is None:
            held.logical_id = next(n for n in range(LOGICAL_IDS) if n not in self._by_logical_id)
            self._by_logical_id[held.logical_id] = qubit
        return held.logical_id

    def find(self, logical_id: int) -> Qubit | None:
        """Where the pair of this name is."""
        return self._by_logical_id.get(logical_id)

    def seq(self, qubit: Qubit) -> int | None:
        """Which pair is there."""
        held = self._held.get(qubit)
        return None if held is None else held.seq

    def release(self, qubit: Qubit) -> bool:
        """The slot is free again; whether it held a pair."""
        held = self._held.pop(qubit, None)
        if held is None:
            return False
        if held.logical_id is not None:
            del self._by_logical_id[held.logical_id]
        return True

    def __len__(self) -> int:
        return len(self._held)
