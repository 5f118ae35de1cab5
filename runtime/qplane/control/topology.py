"""What the controller knows of the network: the file's plan, and what the devices said.

A node counts as quantum once its device has answered; a link carries qubits once both its devices
have named each other on it, and as long as probes come over it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from qplane.control.errors import DiscoveryError
from qplane.net import Link, Network
from qplane.wire import QCI_VERSION, DeviceFeatures, LinkFeatures

MAX_LINKS = 32
"""Links per device that the P4 program keeps records for."""


class Setting(NamedTuple):
    """What a link was calibrated to give with a bright state (n / 65535): fractions as in
    LINK_FEATURES."""

    bright_state: int
    success: int
    fidelity: int
    zz: int


@dataclass(frozen=True)
class Device:
    """A quantum device as it describes itself; its links by its own link numbers.

    `settings`: of the links that let a circuit choose its bright state.
    """

    features: DeviceFeatures
    links: Mapping[int, LinkFeatures]
    settings: Mapping[int, tuple[Setting, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Switch:
    """A switch as it describes itself.

    `program` is the name in its P4Info ("" where it has none), `p4runtime` the version of its
    Capabilities. An `is_foreign` one runs somebody else's program: it is a classical node.
    """

    program: str
    p4runtime: str
    is_foreign: bool


class UnlistedLink(NamedTuple):
    """A link that the device of a node has and the network file lacks, and where it leads to.

    `remote_node` is "" where the file lacks that node, too.
    """

    node: str
    number: int
    remote_node: str
    remote_node_id: int
    remote_link: int

    def __str__(self) -> str:
        remote = self.remote_node or f"node id {self.remote_node_id}, which the file lacks too"
        return (
            f"{self.node}: its quantum device has a link {self.number} that the network file "
            f"lacks; it leads to link {self.remote_link} of {remote}"
        )


@dataclass(frozen=True)
class Topology:
    """A network and what was discovered of it, by name of node.

    `down` are the indices of links over which no probe comes.
    """

    network: Network
    devices: Mapping[str, Device] = field(default_factory=dict)
    switches: Mapping[str, Switch] = field(default_factory=dict)
    down: frozenset[int] = frozenset()

    def is_up(self, link: Link) -> bool:
        """Whether packets may be sent over the link."""
        return link.index not in self.down

    def is_quantum(self, link: Link) -> bool:
        """Whether circuits may use the link: planned so, up, and a device at either end."""
        ends = (link.a.node, link.b.node)
        return link.quantum and self.is_up(link) and all(end in self.devices for end in ends)

    def link_features(self, link: Link) -> LinkFeatures:
        """Calibration of a quantum link, as the device at its first end knows it."""
        return self.devices[link.a.node].links[link.a.number]

    def settings(self, link: Link) -> tuple[Setting, ...]:
        """The bright states that a circuit may choose on it; none: it takes the link's own."""
        return self.devices[link.a.node].settings.get(link.a.number, ())

    def features_at(self, link: Link, bright_state: int) -> LinkFeatures:
        """Calibration of a quantum link with one of its settings; 0: its own."""
        features = self.link_features(link)
        for setting in self.settings(link):
            if setting.bright_state == bright_state:
                _, success, fidelity, zz = setting
                return replace(features, success=success, fidelity=fidelity, zz=zz)
        return features

    def unlisted(self) -> list[UnlistedLink]:
        """Links that devices have and the file lacks. No circuit uses them: nobody has said on
        which ports their messages go, nor that who is at their far end may be trusted."""
        names = {node.id: name for name, node in self.network.nodes.items()}
        found = []
        for node, device in self.devices.items():
            listed = {link.end(node).number for link in self.network.quantum_links_of(node)}
            for number, said in device.links.items():
                if number not in listed:
                    remote = said.remote_node_id
                    found.append(
                        UnlistedLink(node, number, names.get(remote, ""), remote, said.remote_link)
                    )
        return found

    def check(self) -> None:
        """Raise DiscoveryError where a device contradicts the file."""
        for name, device in self.devices.items():
            expected = self.network.nodes[name].id
            if device.features.node_id != expected:
                raise DiscoveryError(
                    f"its quantum device says that it belongs to node id "
                    f"{device.features.node_id}, not {expected}",
                    node=name,
                )
            if device.features.qci_version != QCI_VERSION:
                raise DiscoveryError(
                    f"its quantum device speaks QCI version {device.features.qci_version}, "
                    f"this controller {QCI_VERSION}",
                    node=name,
                )
        for link in self.network.links:
            if link.quantum and link.a.node in self.devices and link.b.node in self.devices:
                self._check_end(link, link.a.node)
                self._check_end(link, link.b.node)

    def _check_end(self, link: Link, node: str) -> None:
        near, far = link.end(node), link.far(node)
        if near.number >= MAX_LINKS:
            raise DiscoveryError(
                f"link {link.name} has number {near.number}; the switch keeps records for links "
                f"0 to {MAX_LINKS - 1}",
                node=node,
            )
        said = self.devices[node].links.get(near.number)
        if said is None:
            raise DiscoveryError(
                f"its quantum device has no link number {near.number} (link {link.name})", node=node
            )
        expected = (self.network.nodes[far.node].id, far.number)
        if (said.remote_node_id, said.remote_link) != expected:
            raise DiscoveryError(
                f"link number {near.number} of its quantum device leads to link "
                f"{said.remote_link} of node id {said.remote_node_id}, but link {link.name} should "
                f"lead to link {expected[1]} of node id {expected[0]}",
                node=node,
            )
