"""Embedded switches and engine in one process: no root, no interfaces."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from qplane.live.api import OperationError
from qplane.live.fabric import SwitchState
from qplane.live.paced import PacedEngine
from qplane.net import Network
from qplane.simulate.emulation import Emulation


class InsideFabric:
    """All switches behind one P4Runtime server on a TCP port; hosts inside the engine."""

    target = "embedded, in this process"
    is_external = False

    def __init__(
        self, plan: Network, *, time_scale: float, listen: str, seed: int | None, pcap: Path | None
    ) -> None:
        """Raises OSError where `listen` or `pcap` can't be used."""
        self._plan = plan
        self.emulation = Emulation(plan, seed=seed, listen=listen, pcap_dir=pcap)
        self.paced = PacedEngine(self.emulation.engine, time_scale)
        self.emulation.on_inject = self.paced.pacer.wake
        self.addresses: Mapping[str, str] = dict.fromkeys(plan.nodes, self.emulation.address)

    async def start(self) -> None:
        self.paced.start()

    def start_pings(self) -> bool:
        self.emulation.start_pings()
        return True

    async def stop(self) -> None:
        self.paced.stop()
        self.emulation.close()

    def switches(self) -> list[SwitchState]:
        return [
            SwitchState(node.name, node.id, self.emulation.address, None, 0)
            for node in self._plan.nodes.values()
        ]

    def namespaces(self) -> list[int]:
        return []

    def namespace(self, name: str, *, switch: bool) -> str:
        raise OperationError(
            "hosts and switches of this network live inside one process, so there is nothing to "
            "run a command in; as root, start it with --clock real or --target bmv2"
        )

    def transit(self, *, recent: bool) -> Mapping[str, Mapping[str, float]]:
        return {}
