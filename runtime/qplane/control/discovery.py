"""Which nodes are quantum, and what their devices can do: asked of the devices themselves."""

from __future__ import annotations

from collections.abc import Sequence

from qplane.control.devices import Devices, features_question
from qplane.control.topology import Device, Topology
from qplane.net import Network
from qplane.wire import DeviceFeatures, DeviceFrame, LinkFeatures


async def discover(network: Network, devices: Devices) -> Topology:
    """Ask every node that has a quantum port. One that does not answer in time is classical.

    Raises DiscoveryError where an answer contradicts the network file.
    """
    asked = [node.name for node in network.nodes.values() if node.is_quantum]
    answers = await devices.ask([features_question(name) for name in asked])
    topology = Topology(
        network,
        {
            name: _device(frames)
            for name, frames in zip(asked, answers, strict=True)
            if frames is not None
        },
    )
    topology.check()
    return topology


def _device(frames: Sequence[DeviceFrame]) -> Device:
    features = next(f.body for f in frames if isinstance(f.body, DeviceFeatures))
    links = {f.link: f.body for f in frames if isinstance(f.body, LinkFeatures)}
    return Device(features, dict(sorted(links.items())))
