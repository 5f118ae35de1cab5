"""A heralding station and two devices in memory: the rules of MHP, outcomes drawn, no qubits.

Both ends of a link in one object, as far as they meet at the station: attempts of both for the same
item succeed with probability `success`; attempts that do not match are errors, told at the 1st,
2nd, 4th, 8th ... of them. A REPLY can be lost on its way to either end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil, log, log1p

from qplane.link.mhp import (
    MhpError,
    MhpErrorCode,
    MhpTiming,
    Order,
    Pair,
    Qubit,
    QueueId,
)
from qplane.link.timers import Timer
from qplane.wire.qci import BellIndex
from qplane.wire.service import Basis, RandomBasis, RequestType

from .world import World

KEEP = RequestType.KEEP


@dataclass
class Herald:
    """What became of one attempt at one end."""

    pair: Pair
    end: int


class StubDevice:
    """One end: its order, its slots. Implements :class:`qplane.link.mhp.Mhp`."""

    def __init__(self, station: Station, end: int) -> None:
        self.station = station
        self.end = end
        self.order: Order | None = None
        self.waiting: tuple[Order, Timer] | None = None
        self.pairs_left = 0
        self.attempts = 0
        self.last_seq = 0
        self.blocked_until = 0
        self.used: dict[int, int] = {}  # slot -> generation
        self.generation = 0
        self.commands: list[object] = []
        self.corrected: dict[Qubit, BellIndex] = {}
        self.on_pair: Callable[[Pair], None]
        self.on_error: Callable[[MhpError], None]
        self.vain = 0

    # ---- commands ----

    def start(self, order: Order) -> None:
        if self.waiting is not None:
            self.waiting[1].cancel()
        first = max(order.first_cycle, self.station.cycle() + 1)
        timer = self.station.world.at(
            first * self.station.timing.cycle_ps, lambda: self._begin(order)
        )
        self.waiting = order, timer

    def _begin(self, order: Order) -> None:
        self.waiting = None
        self.order = order
        self.pairs_left = order.pairs
        self.attempts = 0
        self.vain = 0
        self.station.changed()

    def stop(self, id: QueueId) -> None:
        if self.waiting is not None and self.waiting[0].id == id:
            self.waiting[1].cancel()
            self.waiting = None
        if self.order is not None and self.order.id == id:
            self.order = None
            self.station.changed()

    def release(self, qubit: Qubit) -> None:
        if self.used.get(qubit.slot) == qubit.generation:
            del self.used[qubit.slot]
            self.station.changed()

    def correct(self, qubit: Qubit, pauli: BellIndex) -> None:
        assert self.used.get(qubit.slot) == qubit.generation
        self.corrected[qubit] = pauli

    # ---- attempts ----

    def free_slot(self) -> int | None:
        assert self.order is not None
        slots = self.order.slots
        return next(
            (n for n in range(slots.first, slots.first + slots.count) if n not in self.used), None
        )

    @property
    def is_attempting(self) -> bool:
        return (
            self.order is not None
            and self.pairs_left > 0
            and self.station.cycle() >= self.blocked_until
            and (self.order.kind is not KEEP or self.free_slot() is not None)
        )

    def take_slot(self) -> Qubit:
        slot = self.free_slot()
        assert slot is not None
        self.generation += 1
        self.used[slot] = self.generation
        return Qubit(slot, self.generation)

    def reply(self, pair: Pair) -> None:
        """The station's word has come."""
        self.last_seq = pair.seq
        order = self.order
        if order is not None and order.id == pair.id and pair.cycle >= order.first_cycle:
            self.pairs_left -= 1
        self.on_pair(pair)
        self.station.changed()

    def no_reply(self, pair: Pair) -> None:
        """It has not; the qubit is gone."""
        if pair.qubit is not None and self.used.get(pair.qubit.slot) == pair.qubit.generation:
            del self.used[pair.qubit.slot]
        self.on_error(MhpError(pair.id, MhpErrorCode.GEN_FAIL, self.last_seq))
        self.station.changed()


@dataclass
class Truth:
    """What the station alone knows: which pairs there were, for the tests' judgement."""

    heralded: dict[int, tuple[QueueId, BellIndex]] = field(default_factory=dict)


class Station:
    """`lose_reply(end, seq)` says which REPLYs are lost."""

    def __init__(
        self,
        world: World,
        timing: MhpTiming,
        *,
        success: float = 0.2,
        fidelity: float = 0.95,
        delays_ps: tuple[int, int] = (0, 0),
        lose_reply: Callable[[int, int], bool] = lambda end, seq: False,
        lose_error: Callable[[int], bool] = lambda end: False,
    ) -> None:
        self.world = world
        self.timing = timing
        self.success: Callable[[int], float] | float = success
        self.fidelity: Callable[[int], float] | float = fidelity
        self.delays_ps = delays_ps
        self.lose_reply = lose_reply
        self.lose_error = lose_error
        self.seq = 0
        self.truth = Truth()
        self.devices = (StubDevice(self, 0), StubDevice(self, 1))
        self._next: Timer | None = None
        self._is_update_due = False

    def cycle(self) -> int:
        return self.world.now_ps() // self.timing.cycle_ps

    def changed(self) -> None:
        """An end began, ended, or changed what it attempts for: look again, at this instant."""
        if self._next is not None:
            self._next.cancel()
            self._next = None
        if not self._is_update_due:
            self._is_update_due = True
            self.world.after(0, self._update)

    def _update(self) -> None:
        self._is_update_due = False
        a, b = self.devices
        if a.is_attempting and b.is_attempting and _match(a, b):
            a.vain = b.vain = 0
            assert a.order is not None
            self._draw(a.order)
            return
        attempting = [device for device in (a, b) if device.is_attempting]
        if attempting:
            kinds = [d.order.kind for d in attempting if d.order is not None]
            step = self.timing.attempt_cycles(KEEP if KEEP in kinds else RequestType.MEASURE)
            wait = max(1, *(device.vain for device in attempting))  # 1, 1, 2, 4, 8 cycles on
            self._next = self.world.at(
                self._attempt_cycle(step, wait) * self.timing.cycle_ps, self._in_vain
            )
        blocked = [d.blocked_until for d in (a, b) if d.blocked_until > self.cycle()]
        if blocked and self._next is None:
            self._next = self.world.at(min(blocked) * self.timing.cycle_ps, self.changed)

    def _attempt_cycle(self, step: int, number: int) -> int:
        """The cycle of the `number`th attempt from now on."""
        first = -(-(self.cycle() + 1) // step) * step
        return first + (number - 1) * step

    def _draw(self, order: Order) -> None:
        p = self.success(order.bright_state) if callable(self.success) else self.success
        tries = 1 if p >= 1 else max(1, ceil(log(1 - self.world.random.random()) / log1p(-p)))
        cycle = self._attempt_cycle(self.timing.attempt_cycles(order.kind), tries)
        self._next = self.world.at(cycle * self.timing.cycle_ps, lambda: self._herald(tries))

    def _herald(self, tries: int) -> None:
        self._next = None
        cycle = self.cycle()
        self.seq = (self.seq + 1) % (1 << 32)
        random = self.world.random
        bell = random.choice((BellIndex.PSI_PLUS, BellIndex.PSI_MINUS))
        order = self.devices[0].order
        assert order is not None
        self.truth.heralded[self.seq] = order.id, bell
        measured = self._measure(bell)
        for device in self.devices:
            assert device.order is not None
            device.attempts += tries
            qubit = device.take_slot() if order.kind is KEEP else None
            basis, outcome = measured[device.end]
            pair = Pair(
                order.id,
                self.seq,
                bell,
                cycle,
                device.attempts,
                qubit=qubit,
                basis=None if qubit is not None else basis,
                outcome=outcome,
            )
            if order.kind is KEEP:
                device.blocked_until = cycle + self.timing.keep_cycles
            if self.lose_reply(device.end, self.seq):
                wait_ps = self.timing.reply_cycles * self.timing.cycle_ps
                device.blocked_until = max(
                    device.blocked_until,
                    cycle + self.timing.reply_cycles if order.kind is KEEP else 0,
                )
                self.world.after(wait_ps, lambda d=device, p=pair: d.no_reply(p))
            else:
                wait_ps = self.delays_ps[device.end]
                self.world.after(wait_ps, lambda d=device, p=pair: d.reply(p))
        self.changed()

    def _measure(self, bell: BellIndex) -> list[tuple[Basis, int]]:
        """Bases as ordered, outcomes of a Werner state of the heralded Bell state."""
        random = self.world.random
        bases = []
        for device in self.devices:
            assert device.order is not None
            bases.append(_choose(device.order, random.random()))
        order = self.devices[0].order
        assert order is not None
        f = self.fidelity(order.bright_state) if callable(self.fidelity) else self.fidelity
        first = random.getrandbits(1)
        second = random.getrandbits(1)
        if bases[0] is bases[1]:
            w = (4 * f - 1) / 3
            has_x, has_z = bell >> 1, bell & 1
            differs = {Basis.Z: has_x, Basis.X: has_z, Basis.Y: 1 ^ has_x ^ has_z}[bases[0]]
            second = first ^ differs ^ (random.random() >= (1 + w) / 2)
        return [(bases[0], first), (bases[1], second)]

    def _in_vain(self) -> None:
        for device in self.devices:
            if device.is_attempting:
                assert device.order is not None
                device.vain = max(1, 2 * device.vain)
                other = self.devices[1 - device.end]
                code = (
                    MhpErrorCode.QUEUE_MISMATCH
                    if other.is_attempting
                    else MhpErrorCode.NO_CLASSICAL_OTHER
                )
                error = MhpError(device.order.id, code, self.seq)
                if not self.lose_error(device.end):
                    self.world.after(
                        self.delays_ps[device.end], lambda d=device, e=error: d.on_error(e)
                    )
        self.changed()


def _match(a: StubDevice, b: StubDevice) -> bool:
    assert a.order is not None and b.order is not None
    return a.order.id == b.order.id and a.order.kind is b.order.kind


def _choose(order: Order, draw: float) -> Basis:
    wanted = order.measurement
    if wanted.random is RandomBasis.XZ:
        return Basis.X if draw < wanted.probability_1 / 255 else Basis.Z
    if wanted.random is RandomBasis.XYZ:
        if draw < wanted.probability_1 / 255:
            return Basis.X
        return Basis.Y if draw < (wanted.probability_1 + wanted.probability_2) / 255 else Basis.Z
    return Basis.Z
