"""The growing program: instructions, labels, constants, temporaries."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..errors import PipelineError
from ..isa import Op
from .layout import Layout, limbs

WORD = (1 << 64) - 1
MAX_INSTRUCTIONS = 1 << 22


@dataclass(slots=True, eq=False)
class Label:
    """A place in the program, to be known later."""

    pc: int = -1


class Emitter:
    """Appends instructions; hands out slots for parameters, constants and temporaries."""

    def __init__(self, layout: Layout, param_words: int) -> None:
        self.layout = layout
        self.code: list[tuple[int, int, int | Label, int | Label, int | Label, int]] = []
        self.param_slot = layout.state_words
        self._next = layout.state_words + param_words
        self._consts: dict[tuple[int, int], int] = {}
        self.image: dict[int, int] = {}  # slot -> its constant word
        self._chunks: list[list[int]] = []  # [first slot, size, used]
        # Words that the core itself fills in.
        self.drop_port = self._take(1)
        self.after_drop_port = self._take(1)
        self.scratch = self._take(1)

    def _take(self, words: int) -> int:
        slot = self._next
        self._next += words
        return slot

    @property
    def words(self) -> int:
        """The size of the word file."""
        return self._next

    def op(
        self,
        op: Op,
        d: int | Label = 0,
        a: int | Label = 0,
        b: int | Label = 0,
        c: int = 0,
        n: int = 0,
    ) -> None:
        if len(self.code) >= MAX_INSTRUCTIONS:
            raise PipelineError(f"the program has more than {MAX_INSTRUCTIONS} instructions")
        self.code.append((op, n, d, a, b, c))

    def label(self) -> Label:
        """A label for the next instruction."""
        return Label(len(self.code))

    def place(self, label: Label) -> None:
        label.pc = len(self.code)

    def const(self, value: int, words: int = 1) -> int:
        """The slot of a constant: `words` limbs, two's complement."""
        key = (value, words)
        slot = self._consts.get(key)
        if slot is None:
            slot = self._consts[key] = self._take(words)
            for i in range(words):
                self.image[slot + i] = (value >> (64 * i)) & WORD
        return slot

    def temp(self, words: int = 1) -> int:
        """A temporary, free again after `release`."""
        for chunk in self._chunks:
            if chunk[1] - chunk[2] >= words:
                chunk[2] += words
                return chunk[0] + chunk[2] - words
        size = max(words, 16)
        self._chunks.append([self._take(size), size, words])
        return self._chunks[-1][0]

    def scratch_words(self, words: int) -> int:
        """A place of its own, for what must outlive a statement."""
        return self._take(words)

    def release(self) -> None:
        """All temporaries are free: a statement has ended."""
        for chunk in self._chunks:
            chunk[2] = 0

    def finish(self, labels: Iterable[Label]) -> list[tuple[int, int, int, int, int, int]]:
        """The code with labels turned into program counters.

        Jumps to jumps are shortened and jumps to the next instruction left out; `labels` are those
        that something outside of the code refers to.
        """
        known = {id(label): label for label in labels}
        for instruction in self.code:
            for operand in instruction[2:5]:
                if isinstance(operand, Label):
                    known[id(operand)] = operand
        removed = True
        while removed:
            for label in known.values():
                self._thread(label)
            removed = self._drop_idle_jumps(list(known.values()))
        return [
            (
                int(op),
                n,
                d.pc if isinstance(d, Label) else d,
                a.pc if isinstance(a, Label) else a,
                b.pc if isinstance(b, Label) else b,
                c,
            )
            for op, n, d, a, b, c in self.code
        ]

    def _thread(self, label: Label) -> None:
        """Let a label skip the jumps that it points at."""
        seen = set()
        while self.code[label.pc][0] == Op.JMP and label.pc not in seen:
            seen.add(label.pc)
            target = self.code[label.pc][2]
            label.pc = target.pc if isinstance(target, Label) else target

    def _drop_idle_jumps(self, labels: list[Label]) -> bool:
        """Leave out jumps to the next instruction; whether there were any."""
        kept = []
        place = []  # old pc -> new pc
        for pc, instruction in enumerate(self.code):
            place.append(len(kept))
            target = instruction[2]
            if instruction[0] == Op.JMP and isinstance(target, Label) and target.pc == pc + 1:
                continue
            kept.append(instruction)
        removed = len(kept) < len(self.code)
        self.code = kept
        for label in labels:
            label.pc = place[label.pc]
        return removed


def bit_bound(low: int, high: int) -> int:
    """Bits of two's complement that hold every value of the interval."""
    return max(low.bit_length() if low >= 0 else (low + 1).bit_length(), high.bit_length()) + 1


__all__ = ["WORD", "Emitter", "Label", "Op", "bit_bound", "limbs"]
