"""A network in virtual time as a source of link operations, for commands without a running one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

from qplane.control import ControlError
from qplane.link.layer import LinkLayer
from qplane.link.operations import operations
from qplane.live.api import Operation, OperationError
from qplane.net import NetworkFileError, load
from qplane.simulate.clock import Interrupted
from qplane.simulate.session import simulation


class SimulatedSource:
    """Operations on `loop`, which runs (and time with it) only while a result is waited for."""

    def __init__(self, loop: asyncio.AbstractEventLoop, offered: dict[str, Operation]) -> None:
        self._loop = loop
        self._offered = offered

    def call(self, operation: str, /, **arguments: Any) -> Any:
        return self._complete(self._offered[operation](**arguments))  # type: ignore[arg-type]

    def stream(self, operation: str, /, **arguments: Any) -> Iterator[Any]:
        items = self._offered[operation](**arguments)
        assert isinstance(items, AsyncGenerator)
        try:
            while True:
                try:
                    yield self._complete(anext(items))
                except StopAsyncIteration:
                    return
        finally:
            self._loop.run_until_complete(items.aclose())

    def _complete(self, awaitable: Awaitable[Any]) -> Any:
        """Run the loop until that is done.

        Raises KeyboardInterrupt, also where the engine met it: then whoever waited for time ended,
        the link layer's protocols among them.
        """
        task = asyncio.ensure_future(awaitable, loop=self._loop)
        try:
            return self._loop.run_until_complete(task)
        except KeyboardInterrupt:
            task.cancel()
            self._loop.run_until_complete(asyncio.wait([task]))
            raise
        except (Interrupted, RuntimeError) as error:
            if isinstance(error, Interrupted) or isinstance(error.__cause__, Interrupted):
                raise KeyboardInterrupt from None
            raise


@contextmanager
def simulated(file: Path) -> Iterator[SimulatedSource]:
    """The network of `file`, without its circuits, with a link layer on each link that carries
    qubits. Raises OperationError."""
    loop = asyncio.new_event_loop()
    stack = AsyncExitStack()

    async def begin() -> dict[str, Operation]:
        running = await stack.enter_async_context(simulation(load(file, stations=True)))
        await running.controller.connect()
        await running.controller.discover()
        await running.controller.install([])
        layer = LinkLayer(running.controller, running.clock)
        stack.push_async_callback(layer.close)
        await layer.start()
        return operations(layer, running.clock)

    try:
        try:
            yield SimulatedSource(loop, loop.run_until_complete(begin()))
        except (NetworkFileError, ControlError, OSError) as error:
            raise OperationError(str(error)) from None
    finally:
        loop.run_until_complete(stack.aclose())
        _finish(loop)


def _finish(loop: asyncio.AbstractEventLoop) -> None:
    """Close the loop as `asyncio.run` does: gRPC may still have tasks of its own there."""
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.wait(left))
    loop.close()
