"""A link between two nodes on the real engine, in virtual time.

P4 pipelines at both nodes and the station, devices with the MHP, P4Runtime over gRPC, and the link
layer's protocols: nothing is replaced. What a protocol estimates is compared with what the engine
knows only here, in the measuring.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from qplane.link.end import LinkEnd
from qplane.link.layer import LinkLayer
from qplane.net import Network, loads
from qplane.simulate.session import Simulation, simulation

US = 1_000_000
MS = 1000 * US
SECOND = 1000 * MS


def plan(
    link: Mapping[str, object], memory: Mapping[str, object] | None = None, seed: int = 1
) -> Network:
    """Nodes a and b and a station s. Keys and values as in a network file."""
    memory = {"slots": 16, **(memory or {})}
    return loads(
        f'[network]\nname = "link"\nseed = {seed}\n[memories.m]\n{_keys(memory)}'
        '[nodes]\na = { memory = "m" }\nb = { memory = "m" }\ns = { station = true }\n'
        f'[[links]]\nbetween = ["a", "b"]\nherald = "s"\n{_keys(link)}'
    )


def _keys(values: Mapping[str, object]) -> str:
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())


class World:
    """The running network, its link layer and both ends of its link."""

    def __init__(self, running: Simulation, layer: LinkLayer) -> None:
        self.running = running
        self.layer = layer
        self.clock = running.clock
        self.a = layer.end("a", "b")
        self.b = layer.end("b", "a")

    @property
    def ends(self) -> tuple[LinkEnd, LinkEnd]:
        """Both."""
        return self.a, self.b

    @property
    def engine(self) -> Any:
        """The physics, with what no protocol may see."""
        return self.running.emulation.engine

    async def settle(self) -> None:
        """Wait until neither end has anything to do. Raises RuntimeError."""
        for _ in range(1000):
            await self.clock.sleep(50 * MS)
            if all(end.egp.is_idle for end in self.ends):
                return
        raise RuntimeError("the link layer does not come to rest")


@asynccontextmanager
async def world(network: Network) -> AsyncIterator[World]:
    """Start everything; at the end nothing may be left in memory or have been lost."""
    async with simulation(network) as running:
        await running.controller.connect()
        await running.controller.discover()
        await running.controller.install([])
        layer = LinkLayer(running.controller, running.clock)
        await layer.start()
        try:
            yield World(running, layer)
            if layer.malformed or layer.lost:
                raise RuntimeError(f"{layer.malformed} messages malformed, {layer.lost} lost")
        finally:
            await layer.close()


def write(name: str, results: object) -> None:
    """The last figures, beside the script that made them."""
    path = Path(__file__).parent / f"{name}.json"
    path.write_text(json.dumps(results, indent=1) + "\n")


def read(name: str) -> Any:
    """Those of the last run; None: there was none."""
    path = Path(__file__).parent / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def merge(name: str, rows: list[dict[str, Any]], *keys: str) -> list[dict[str, Any]]:
    """New rows, and those of earlier runs that have no new one of the same keys."""
    earlier = (read(name) or {}).get("rows", [])
    new = {tuple(row[key] for key in keys) for row in rows}
    return [row for row in earlier if tuple(row[key] for key in keys) not in new] + rows


def run(coroutine: Any) -> Any:
    """To the end, in an event loop of its own."""
    return asyncio.run(coroutine)
