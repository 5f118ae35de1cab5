"""Networks that run in this process, with their switches inside, in processes, or BMv2."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import pytest
from diff.target import SIMPLE_SWITCH

from qplane.live import rundir
from qplane.live.network import LiveNetwork, Options, live_network
from qplane.net import loads

T = TypeVar("T")

PATIENCE_S = 60.0

BMV2 = pytest.param(
    Options(target="bmv2", bmv2=SIMPLE_SWITCH, time_scale=100),
    id="bmv2",
    marks=(pytest.mark.bmv2, pytest.mark.root, pytest.mark.slow),
)


@asynccontextmanager
async def running(text: str, options: Options) -> AsyncIterator[LiveNetwork]:
    """The network of a file, set up; XDG_RUNTIME_DIR is the test's own."""
    plan = loads(text)
    with rundir.claim(plan.name) as folder:
        async with live_network(plan, options, folder, print) as network:
            await network.set_up()
            yield network


async def of_engine(network: LiveNetwork, question: Callable[..., T]) -> T:
    """What `question` finds in the engine, between two events."""
    engine = network.fabric.emulation.engine
    return await network.fabric.paced.call(lambda: question(engine))


async def until(
    condition: Callable[[], Awaitable[bool]], why: Callable[[], object] = lambda: None
) -> None:
    """By asking again, for as long as a busy machine may need; `why` says what is not so yet."""
    deadline = time.monotonic() + PATIENCE_S
    while not await condition():
        assert time.monotonic() < deadline, why()
        await asyncio.sleep(0.05)
