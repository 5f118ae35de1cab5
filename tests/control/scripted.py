"""What stands in for quantum hardware and for time: a scripted device, and a patient clock."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from qplane.net import Network
from qplane.wire import (
    WHOLE_DEVICE,
    DeviceFlag,
    DeviceFrame,
    DeviceType,
    LinkControl,
    LinkStatusCode,
    Transaction,
)

from .networks import device

T = TypeVar("T")


class PatientClock:
    """Sleeps pass at once; a wait for what does not come ends after a quarter of a second.

    In `turns`, of each of which all threads of this process had a share: on a busy machine an
    answer that is under way takes longer, and so then does the wait.
    """

    def __init__(self, turns: int = 100) -> None:
        self.time_ps = 0
        self._turns = turns

    def now_ps(self) -> int:
        return self.time_ps

    async def sleep(self, delay_ps: int) -> None:
        self.time_ps += delay_ps
        await asyncio.sleep(0)

    async def wait_for(self, awaitable: Awaitable[T], timeout_ps: int, *, gather_ps: int = 0) -> T:
        waited = asyncio.ensure_future(awaitable)
        try:
            for _ in range(self._turns):
                await asyncio.wait([waited], timeout=0.005)
                if waited.done():
                    return waited.result()
        finally:
            waited.cancel()
        self.time_ps += timeout_ps
        raise TimeoutError


@dataclass
class ScriptedDevice:
    """The quantum device of a node. It tells the truth and obeys, unless a test says otherwise."""

    net: Network
    node: str
    silent: bool = False
    claimed_node_id: int | None = None
    refused_links: set[int] = field(default_factory=set)
    in_use: deque[int] = field(default_factory=deque)  # answered to status requests, then 0
    running: dict[tuple[int, int], LinkControl] = field(default_factory=dict)
    end_of: set[tuple[int, int]] = field(default_factory=set)

    def answer(self, frame: bytes) -> list[bytes]:
        if self.silent:
            return []
        questions = DeviceFrame.list_from_bytes(frame)
        if isinstance(questions[0].body, Transaction):
            return self._features(questions[0].body.transaction)
        return [DeviceFrame.list_to_bytes([self._control(question) for question in questions])]

    def _control(self, question: DeviceFrame) -> DeviceFrame:
        assert isinstance(question.body, LinkControl)
        key = question.link, question.body.label
        status = LinkStatusCode.IDLE
        if question.type is DeviceType.LINK_START:
            last = question.body.slot_first + question.body.slot_count
            if key[0] in self.refused_links or last > self.net.nodes[self.node].memory.slots:
                status = LinkStatusCode.REFUSED
            else:
                self.running[key] = question.body
                if question.flags == DeviceFlag.END:
                    self.end_of.add(key)
        elif question.type is DeviceType.LINK_STOP:
            self.running.pop(key, None)
        if key in self.running:
            status = LinkStatusCode.GENERATING
        in_use = self.in_use.popleft() if self.in_use else 0
        body = replace(question.body, status=status, in_use=in_use)
        return DeviceFrame(DeviceType.LINK_STATUS, question.link, body)

    def _features(self, transaction: int) -> list[bytes]:
        truth = device(self.net, self.node, transaction)
        features = truth.features
        if self.claimed_node_id is not None:
            features = replace(features, node_id=self.claimed_node_id)
        frames = [DeviceFrame(DeviceType.DEVICE_FEATURES, WHOLE_DEVICE, features)]
        frames += [
            DeviceFrame(DeviceType.LINK_FEATURES, number, link)
            for number, link in truth.links.items()
        ]
        return [frame.to_bytes() for frame in frames]
