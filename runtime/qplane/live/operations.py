"""The operations of every running network: net.status, net.namespace, net.down."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from qplane.live.api import Operation

if TYPE_CHECKING:
    from qplane.live.network import LiveNetwork


def operations(network: LiveNetwork) -> dict[str, Operation]:
    """By name."""

    async def status() -> object:
        """How the network stands."""
        return (await network.status()).as_dict()

    async def namespace(name: str, switch: bool = False) -> object:
        """Where a command for host `name` (or the switch of node `name`) is to run."""
        return {"path": network.fabric.namespace(name, switch=switch), "mark": network.mark}

    async def down() -> object:
        """End the network. `pid`: of the process that ends then."""
        network.stopping.set()
        return {"pid": os.getpid()}

    return {"net.status": status, "net.namespace": namespace, "net.down": down}
