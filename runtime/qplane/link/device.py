"""One end of a link at a real device: orders and commands as device frames, events from them.

Frames to the device are packet-outs to the quantum port; what it says comes as packet-in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from qplane.link.egp import Egp
from qplane.link.mhp import (
    Measurement,
    MhpError,
    MhpErrorCode,
    MhpTiming,
    Order,
    Pair,
    Qubit,
    QueueId,
)
from qplane.wire import link as wire
from qplane.wire.device import DeviceFrame, DeviceType, from_fraction
from qplane.wire.qci import BellIndex
from qplane.wire.service import Basis

SendFrame = Callable[[DeviceFrame], None]

_AnswerT = TypeVar("_AnswerT", wire.QubitAction, wire.Calibration)


class DeviceMhp:
    """Implements :class:`qplane.link.mhp.Mhp` for link number `number` of one device.

    `egp` is set once it exists; a device may still work for a link layer before us until then.
    `stale` counts commands about qubits that were gone.
    """

    def __init__(self, number: int, send: SendFrame, transactions: Iterator[int]) -> None:
        """`transactions` gives numbers that no other link of this device uses."""
        self.egp: Egp | None = None
        self.stale = 0
        self._number = number
        self._send = send
        self._transactions = transactions
        self._questions: dict[int, asyncio.Future[Any]] = {}

    # ---- commands ----

    def start(self, order: Order) -> None:
        basis = order.measurement
        body = wire.MhpOrder(
            self._next(),
            order.id.queue,
            order.id.seq,
            wire.MhpKind(order.kind),
            random_basis=basis.random,
            probability_1=basis.probability_1,
            probability_2=basis.probability_2,
            rotation_x1=basis.rotation_x1,
            rotation_y=basis.rotation_y,
            rotation_x2=basis.rotation_x2,
            bright_state=order.bright_state,
            pairs=order.pairs,
            slot_first=order.slots.first,
            slot_count=order.slots.count,
            first_cycle=order.first_cycle,
        )
        self._send(DeviceFrame(DeviceType.MHP_START, self._number, body))

    def stop(self, id: QueueId) -> None:
        body = wire.MhpOrder(self._next(), id.queue, id.seq)
        self._send(DeviceFrame(DeviceType.MHP_STOP, self._number, body))

    def release(self, qubit: Qubit) -> None:
        self._act(DeviceType.QUBIT_RELEASE, wire.QubitAction(self._next(), *qubit))

    def correct(self, qubit: Qubit, pauli: BellIndex) -> None:
        self._act(DeviceType.QUBIT_PAULI, wire.QubitAction(self._next(), *qubit, pauli=pauli))

    def _act(self, type: DeviceType, action: wire.QubitAction) -> None:
        self._send(DeviceFrame(type, self._number, action))

    def _next(self) -> int:
        return next(self._transactions) & 0xFFFFFFFF

    # ---- questions ----

    def ask_calibration(self, bright_state: int) -> asyncio.Future[wire.Calibration]:
        """What the device knows of its link at this bright-state parameter."""
        body = wire.Calibration(self._next(), bright_state)
        return self._ask(DeviceType.CALIBRATION_REQUEST, body)

    def measure(self, qubit: Qubit, basis: Measurement) -> asyncio.Future[wire.QubitAction]:
        """Measure a kept qubit, which is gone then."""
        action = wire.QubitAction(
            self._next(),
            *qubit,
            rotation_x1=basis.rotation_x1,
            rotation_y=basis.rotation_y,
            rotation_x2=basis.rotation_x2,
        )
        return self._ask(DeviceType.QUBIT_MEASURE, action)

    def _ask(self, type: DeviceType, body: _AnswerT) -> asyncio.Future[_AnswerT]:
        future: asyncio.Future[_AnswerT] = asyncio.get_running_loop().create_future()
        self._questions[body.transaction] = future
        future.add_done_callback(lambda _: self._questions.pop(body.transaction, None))
        self._send(DeviceFrame(type, self._number, body))
        return future

    # ---- events ----

    def asked(self, frame: DeviceFrame) -> bool:
        """Whether `frame` answers a question of this link."""
        body = frame.body
        return isinstance(body, wire.QubitAction) and body.transaction in self._questions

    def receive(self, frame: DeviceFrame) -> None:
        """What the device says of this link."""
        body = frame.body
        if isinstance(body, wire.MhpResult):
            self._on_result(frame.type, frame.bell, body)
        elif isinstance(body, wire.MhpStatus):
            if body.state is wire.MhpState.REFUSED and self.egp is not None:
                self.egp.on_refused(QueueId(body.queue_id, body.queue_seq))
        elif isinstance(body, (wire.QubitAction, wire.Calibration)):
            asked = self._questions.get(body.transaction)
            if asked is not None and not asked.done():
                asked.set_result(body)
            elif isinstance(body, wire.QubitAction):
                self.stale += body.status is not wire.ActionStatus.DONE

    def _on_result(self, type: DeviceType, bell: BellIndex, body: wire.MhpResult) -> None:
        id = QueueId(body.queue_id, body.queue_seq)
        if self.egp is None:
            self.stop(id)
            if type is DeviceType.MHP_PAIR:
                self.release(Qubit(body.slot, body.generation))
            return
        if type is DeviceType.MHP_ERROR:
            if body.error is not wire.MhpError.NONE:
                self.egp.on_error(MhpError(id, MhpErrorCode(body.error), body.mhp_seq))
            return
        is_kept = type is DeviceType.MHP_PAIR
        is_named = not is_kept and body.basis != wire.ORDER_BASIS
        self.egp.on_pair(
            Pair(
                id,
                body.mhp_seq,
                bell,
                body.cycle,
                body.attempts,
                qubit=Qubit(body.slot, body.generation) if is_kept else None,
                basis=Basis(body.basis) if is_named else None,
                outcome=body.outcome,
            )
        )


@dataclass(frozen=True)
class Calibrated:
    """What a device says of its link, in the link layer's terms."""

    success: float
    fidelity_keep: float
    fidelity_measure: float
    bright_least: int
    bright_most: int
    timing: MhpTiming

    @staticmethod
    def read(body: wire.Calibration, least_round_trip_ps: int) -> Calibrated:
        """A message between the nodes takes the fibre's delay, and what the switches need."""
        fibre_ps = 2 * (body.delay_near_ps + body.delay_far_ps)
        return Calibrated(
            from_fraction(body.success),
            from_fraction(body.fidelity_keep),
            from_fraction(body.fidelity_measure),
            body.bright_least,
            body.bright_most,
            MhpTiming(
                body.cycle_ps,
                body.keep_cycles,
                body.reply_cycles,
                fibre_ps + least_round_trip_ps,
                body.recovery_cycles,
            ),
        )
