"""Questions to quantum devices and their answers: packet-outs to the quantum port, packet-ins back.

All questions that belong together go out first; then there is one wait for all the answers. That is
what makes virtual time deterministic (see qplane.clock), and what is fast in real time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from qplane.clock import Clock
from qplane.control.errors import ControlError
from qplane.control.session import Session
from qplane.net import QUANTUM_PORT
from qplane.wire import (
    WHOLE_DEVICE,
    DeviceFeatures,
    DeviceFrame,
    DeviceType,
    LinkControl,
    LinkFeatures,
    Transaction,
    WireError,
)

ANSWER_TIMEOUT_PS = 1_000_000_000_000
"""How long a device may take to answer: 1 s. It does not depend on the length of any link."""


@dataclass(frozen=True)
class Question:
    """One frame to the device of `node`; `frame` makes it for a transaction number.

    `complete` tells from the answers so far whether it was the last.
    """

    node: str
    frame: Callable[[int], DeviceFrame]
    complete: Callable[[Sequence[DeviceFrame]], bool] = bool


@dataclass
class _Pending:
    question: Question
    answers: list[DeviceFrame] = field(default_factory=list)


class Devices:
    """The quantum devices behind a set of switches.

    `unexpected` counts packet-ins that answered no question: late, malformed, or not for us.
    """

    def __init__(self, sessions: Mapping[str, Session], clock: Clock) -> None:
        self.unexpected = 0
        self._sessions = sessions
        self._clock = clock
        self._transaction = 0
        self._pending: dict[int, _Pending] = {}
        self._answered: asyncio.Future[None] | None = None

    async def ask(self, questions: Sequence[Question]) -> list[list[DeviceFrame] | None]:
        """The answers to each question, None where they were not complete in time.

        Raises ConnectionFailedError where a switch is lost meanwhile. One call at a time.
        """
        if self._answered is not None:
            raise RuntimeError("the devices are being asked already")
        if not questions:
            return []
        answered = self._answered = asyncio.get_running_loop().create_future()
        pending = {}
        for question in questions:
            self._transaction = self._transaction % 0xFFFFFFFF + 1
            pending[self._transaction] = _Pending(question)
        self._pending = dict(pending)
        try:
            for transaction, waiting in pending.items():
                frame = waiting.question.frame(transaction).to_bytes()
                await self._sessions[waiting.question.node].packet_out(QUANTUM_PORT, frame)
            await self._clock.wait_for(answered, ANSWER_TIMEOUT_PS)
        except TimeoutError:
            pass  # what is still pending below was not answered
        finally:
            unanswered = set(self._pending)
            self._pending = {}
            self._answered = None
        return [
            None if transaction in unanswered else waiting.answers
            for transaction, waiting in pending.items()
        ]

    async def packet_in(self, node: str, port: int, packet: bytes) -> None:
        """Take a packet-in."""
        transaction = 0
        if port == QUANTUM_PORT:
            try:
                frame = DeviceFrame.from_bytes(packet)
            except WireError:
                self.unexpected += 1
                return
            body = frame.body
            if isinstance(body, (DeviceFeatures, LinkFeatures, LinkControl)):
                transaction = body.transaction
        waiting = self._pending.get(transaction)
        if waiting is None or waiting.question.node != node:
            self.unexpected += 1
            return
        waiting.answers.append(frame)
        if waiting.question.complete(waiting.answers):
            del self._pending[transaction]
            if not self._pending and self._answered is not None and not self._answered.done():
                self._answered.set_result(None)

    def fail(self, error: ControlError) -> None:
        """Nothing more will come from `error.node`: give up a question that waits for it."""
        concerned = any(waiting.question.node == error.node for waiting in self._pending.values())
        if concerned and self._answered is not None and not self._answered.done():
            self._answered.set_exception(error)


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
