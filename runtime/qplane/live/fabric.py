"""The switches of a running network, wherever they run: what the rest needs to know of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from qplane.live.paced import PacedEngine
from qplane.simulate.emulation import Emulation


@dataclass(frozen=True)
class SwitchState:
    """One node's switch. `restarts` counts those after it ended by itself; `pid` None: no process
    of its own, or none at the moment."""

    node: str
    device_id: int
    address: str
    pid: int | None
    restarts: int


class Fabric(Protocol):
    """Switches and engine, put together."""

    target: str
    is_external: bool
    """Whether the switches are processes of their own."""
    emulation: Emulation
    paced: PacedEngine
    addresses: Mapping[str, str]
    """Where our controller reaches each node's P4Runtime server."""

    async def start(self) -> None:
        """Run the switches and the engine. Raises OperationError, OSError."""

    async def stop(self) -> None:
        """End and remove everything; also after `start` has failed."""

    def start_pings(self) -> bool:
        """Those of the network file; False where its hosts are real. In the engine's thread."""

    def switches(self) -> list[SwitchState]:
        """By node, in the order of the file."""

    def namespaces(self) -> list[int]:
        """The inodes of all there are."""

    def namespace(self, name: str, *, switch: bool) -> str:
        """The path of the namespace of a host, or of a node's switch. Raises OperationError."""

    def transit(self, *, recent: bool) -> Mapping[str, Mapping[str, float]]:
        """How long each external switch took, by node. In the engine's thread."""


Report = Callable[[str], None]
"""Tells the user something in one line."""
