"""Questions to quantum devices and their answers: packet-outs to the quantum port, packet-ins back.

All questions that belong together go out first; then there is one wait for all the answers. That is
what makes virtual time deterministic (see qplane.clock), and what is fast in real time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from qplane.clock import Clock
from qplane.control.errors import ControlError
from qplane.control.session import Session
from qplane.net import QUANTUM_PORT
from qplane.wire import (
    MOST_MESSAGES,
    WHOLE_DEVICE,
    Calibration,
    DeviceFeatures,
    DeviceFrame,
    DeviceType,
    LinkControl,
    LinkFeatures,
    TeleportOrder,
    Transaction,
    WireError,
)

ANSWER_TIMEOUT_PS = 1_000_000_000_000
"""How long a device may take to answer: 1 s. It does not depend on the length of any link."""


GATHER_PS = 1
"""Answers of one instant are looked at together: nothing is done between them."""


@dataclass(frozen=True)
class Question:
    """One frame to the device of `node`; `frame` makes it for a transaction number.

    `complete` tells from the answers so far whether it was the last.
    """

    node: str
    frame: Callable[[int], DeviceFrame]
    complete: Callable[[Sequence[DeviceFrame]], bool] = bool
    in_list: bool = False  # may share an Ethernet frame with others


@dataclass
class _Inquiry:
    """Questions that were asked together, and one wait for all that is still open."""

    answered: asyncio.Future[None]
    give_up: bool  # as a whole, where a switch is lost
    open: set[int] = field(default_factory=set)  # transaction numbers

    def close(self, transaction: int) -> None:
        self.open.discard(transaction)
        if not self.open and not self.answered.done():
            self.answered.set_result(None)


@dataclass
class _Pending:
    question: Question
    inquiry: _Inquiry
    answers: list[DeviceFrame] = field(default_factory=list)


class Devices:
    """The quantum devices behind a set of switches.

    `unexpected` counts packet-ins that answered no question: late, malformed, or not for us.
    """

    def __init__(
        self,
        sessions: Mapping[str, Session],
        clock: Clock,
        answer_timeout_ps: int = ANSWER_TIMEOUT_PS,
    ) -> None:
        self.unexpected = 0
        self._answer_timeout_ps = answer_timeout_ps
        self._sessions = sessions
        self._clock = clock
        self._transaction = 0
        self._pending: dict[int, _Pending] = {}

    async def ask(
        self, questions: Sequence[Question], *, give_up: bool = True
    ) -> list[list[DeviceFrame] | None]:
        """The answers to each question, None where they were not complete in time.

        Raises ConnectionFailedError where a switch is lost meanwhile; without `give_up`, its
        questions count as unanswered.
        """
        if not questions:
            return []
        inquiry = _Inquiry(asyncio.get_running_loop().create_future(), give_up)
        asked: dict[int, _Pending] = {}
        for question in questions:
            self._transaction = self._transaction % 0xFFFFFFFF + 1
            asked[self._transaction] = _Pending(question, inquiry)
        self._pending.update(asked)
        inquiry.open.update(asked)
        try:
            for transactions in _together(asked):
                frames = [asked[number].question.frame(number) for number in transactions]
                node = asked[transactions[0]].question.node
                data = DeviceFrame.list_to_bytes(frames)
                try:
                    await self._sessions[node].packet_out(QUANTUM_PORT, data)
                except ControlError:
                    if give_up:
                        raise
                    for transaction in transactions:
                        inquiry.close(transaction)
            await self._clock.wait_for(
                inquiry.answered, self._answer_timeout_ps, gather_ps=GATHER_PS
            )
        except TimeoutError:
            pass  # what is still open was not answered
        finally:
            for transaction in asked:
                self._pending.pop(transaction, None)
            if inquiry.answered.done() and not inquiry.answered.cancelled():
                inquiry.answered.exception()  # looked at, whoever raised first
        return [
            waiting.answers if waiting.question.complete(waiting.answers) else None
            for waiting in asked.values()
        ]

    def packet_in(self, node: str, packet: bytes) -> None:
        """Take a packet-in that came from the quantum port."""
        try:
            frames = DeviceFrame.list_from_bytes(packet)
        except WireError:
            self.unexpected += 1
            return
        for frame in frames:
            self._answer(node, frame)

    def _answer(self, node: str, frame: DeviceFrame) -> None:
        body = frame.body
        transaction = 0
        if isinstance(
            body, (DeviceFeatures, LinkFeatures, LinkControl, TeleportOrder, Calibration)
        ):
            transaction = body.transaction
        waiting = self._pending.get(transaction)
        if waiting is None or waiting.question.node != node:
            self.unexpected += 1
            return
        waiting.answers.append(frame)
        if waiting.question.complete(waiting.answers):
            del self._pending[transaction]
            waiting.inquiry.close(transaction)

    def fail(self, error: ControlError) -> None:
        """Nothing more will come from `error.node`: give up the questions that wait for it."""
        for transaction, waiting in [*self._pending.items()]:
            if waiting.question.node != error.node:
                continue
            inquiry = waiting.inquiry
            if not inquiry.give_up:
                inquiry.close(transaction)
            elif not inquiry.answered.done():
                inquiry.answered.set_exception(error)


def _together(asked: Mapping[int, _Pending]) -> Iterator[list[int]]:
    """Transactions whose questions go out in one frame: of one node, in the order asked."""
    open_: dict[str, list[int]] = {}
    for transaction, waiting in asked.items():
        if not waiting.question.in_list:
            yield [transaction]
            continue
        listed = open_.setdefault(waiting.question.node, [])
        listed.append(transaction)
        if len(listed) == MOST_MESSAGES:
            yield open_.pop(waiting.question.node)
    yield from open_.values()


def features_question(node: str) -> Question:
    """What can the device of `node` do?"""

    def complete(answers: Sequence[DeviceFrame]) -> bool:
        device = [a.body for a in answers if isinstance(a.body, DeviceFeatures)]
        links = {a.link for a in answers if isinstance(a.body, LinkFeatures)}
        return bool(device) and len(links) >= device[0].links

    return Question(
        node,
        lambda transaction: DeviceFrame(
            DeviceType.FEATURES_REQUEST, WHOLE_DEVICE, Transaction(transaction)
        ),
        complete,
    )


def calibration_question(node: str, link: int, bright_state: int) -> Question:
    """What does a link give with this bright state?"""
    return Question(
        node,
        lambda transaction: DeviceFrame(
            DeviceType.CALIBRATION_REQUEST, link, Calibration(transaction, bright_state)
        ),
    )
