"""The engine in a thread of its own, its clock tied to the wall clock."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from qplane_cext.sim.network import Network
from qplane_cext.sim.pacing import Pacer

T = TypeVar("T")


class PacedEngine:
    """Runs `engine` until :meth:`stop`. Nobody but this thread touches the engine meanwhile.

    `failed` is set, with the exception, if the engine ends by itself, which is a flaw.
    """

    def __init__(self, engine: Network, time_scale: float) -> None:
        self.engine = engine
        self.pacer = Pacer(time_scale)
        self.failed: Future[None] = Future()
        self._calls: deque[Callable[[], None]] = deque()
        self._calling = threading.Lock()  # no call is taken that nobody would answer
        self._has_ended = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread; the engine's state stays as it is."""
        self._stopping.set()
        self.pacer.wake()
        if self._thread.is_alive():
            self._thread.join()

    async def until_failed(self) -> None:
        """For ever, or until the engine ends by itself; raises what ended it."""
        await asyncio.wrap_future(self.failed)

    async def call(self, function: Callable[[], T]) -> T:
        """The result of `function`, called between two events.

        Raises RuntimeError where the engine's thread has ended.
        """
        future: Future[T] = Future()

        def answer() -> None:
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(function())
                except BaseException as error:
                    future.set_exception(error)

        with self._calling:
            if self._has_ended:
                raise RuntimeError("the engine has ended")
            self._calls.append(answer)
        self.pacer.wake()
        return await asyncio.wrap_future(future)

    def inject(self, node: int, port: int, data: bytes) -> None:
        """A frame enters a switch of the engine now. From any thread."""
        self.engine.inject(node, port, data)
        self.pacer.wake()

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self.engine.run_paced(self.pacer)
                self._answer()
        except BaseException as error:
            self.failed.set_exception(error)
        finally:
            self._stopping.set()
            with self._calling:
                self._has_ended = True
            self._answer()

    def _answer(self) -> None:
        while self._calls:
            self._calls.popleft()()
