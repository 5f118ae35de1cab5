"""What there is: asked of the devices and switches themselves, and of probes between neighbours."""

from __future__ import annotations

import asyncio
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from qplane.control.devices import Devices, calibration_question, features_question
from qplane.control.events import EventKind
from qplane.control.neighbours import Neighbours, Port
from qplane.control.routing import next_links
from qplane.control.session import Session
from qplane.control.topology import Device, Setting, Switch
from qplane.net import Link, Network
from qplane.net.model import LinkEnd
from qplane.wire import Calibration, DeviceFeatures, DeviceFrame, LinkFeatures, LinkScheme
from qplane.wire.link import BRIGHT_ONE

BRIGHT_STATES = tuple(
    round(alpha * BRIGHT_ONE) for alpha in (0.45, 0.3, 0.2, 0.14, 0.1, 0.07, 0.05, 0.03, 0.02, 0.01)
)
"""What is asked of single-click links: populations α, each about 0.7 of the one before."""


async def devices_of(
    network: Network,
    devices: Devices,
    sessions: Mapping[str, Session],
    nodes: Container[str] | None = None,
    *,
    give_up: bool,
) -> dict[str, Device]:
    """Ask every node (of `nodes`; None: of all) that has a quantum port. One that does not answer
    in time is classical.

    Raises ConnectionFailedError where a switch is lost meanwhile and we are to `give_up` then.
    """
    asked = [
        node.name
        for node in network.nodes.values()
        if node.is_quantum
        and not sessions[node.name].is_foreign
        and (nodes is None or node.name in nodes)
    ]
    answers = await devices.ask([features_question(name) for name in asked], give_up=give_up)
    found = {
        name: _device(frames)
        for name, frames in zip(asked, answers, strict=True)
        if frames is not None
    }
    settings = await _settings(found, devices, give_up=give_up)
    return {
        name: replace(device, settings=settings.get(name, {})) for name, device in found.items()
    }


async def _settings(
    found: Mapping[str, Device], devices: Devices, *, give_up: bool
) -> dict[str, dict[int, tuple[Setting, ...]]]:
    """By node and link number: what single-click links give with other bright states."""
    places = [
        (name, number, bright)
        for name, device in found.items()
        for number, link in device.links.items()
        if link.scheme is LinkScheme.SINGLE_CLICK
        for bright in BRIGHT_STATES
    ]
    questions = [calibration_question(*place) for place in places]
    settings: dict[str, dict[int, tuple[Setting, ...]]] = {}
    for (name, number, _), frames in zip(
        places, await devices.ask(questions, give_up=give_up), strict=True
    ):
        for body in (frame.body for frame in frames or ()):
            if isinstance(body, Calibration) and body.success:
                setting = Setting(body.bright_state, body.success, body.fidelity_measure, body.zz)
                of_node = settings.setdefault(name, {})
                of_node[number] = (*of_node.get(number, ()), setting)
    return settings


def _device(frames: Sequence[DeviceFrame]) -> Device:
    """Transaction numbers set to 0, so that a device that says the same again is equal."""
    features = next(f.body for f in frames if isinstance(f.body, DeviceFeatures))
    links = {
        f.link: replace(f.body, transaction=0) for f in frames if isinstance(f.body, LinkFeatures)
    }
    features = replace(features, transaction=0)
    return Device(features, dict(sorted(links.items())))


async def switches_of(sessions: Mapping[str, Session]) -> dict[str, Switch]:
    """What each switch that is connected says of itself. Raises ConnectionFailedError.

    Many switches may be behind one server, and it is the server that speaks a version.
    """
    connected = {name: session for name, session in sessions.items() if session.is_primary}
    servers = {session.address: session for session in connected.values()}
    versions = dict(
        zip(
            servers,
            await asyncio.gather(*(session.version() for session in servers.values())),
            strict=True,
        )
    )
    return {
        name: Switch(session.program, versions[session.address], session.is_foreign)
        for name, session in connected.items()
    }


async def wiring(network: Network, neighbours: Neighbours) -> dict[Port, Port]:
    """Where a probe out of a port of each link came in: out of one end where that says it all,
    out of both where none comes, or elsewhere than it should."""
    found = await neighbours.probe((_port(link.a) for link in network.links), rounds=1)
    doubtful = [
        _port(end)
        for link in network.links
        if found.get(_port(link.a)) != _port(link.b)
        for end in (link.a, link.b)
    ]
    return found | await neighbours.probe(doubtful)


def down_links(
    network: Network, sessions: Mapping[str, Session], found: Mapping[Port, Port]
) -> frozenset[int]:
    """Links over which no probe came to the far end, in either direction, though it could have,
    and those whose tunnel has no way left over the others."""
    silent = frozenset(
        link.index
        for link in network.links
        if _can_probe(sessions, link)
        and not any(found.get(near) == far for near, far in _directions(link))
    )
    return silent | {
        link.index
        for link in network.links
        if link.tunnel is not None and link.a.node not in next_links(network, link.b.node, silent)
    }


def miswired(network: Network, found: Mapping[Port, Port]) -> Iterator[str]:
    """What leads elsewhere than the file says, one line each."""
    for link in network.links:
        for near, far in _directions(link):
            other = found.get(near, far)
            if other != far:
                yield (
                    f"port {near.port} of {near.node} leads to port {other.port} of {other.node}; "
                    f"link {link.name} should lead to port {far.port} of {far.node}"
                )


def _port(end: LinkEnd) -> Port:
    return Port(end.node, end.port)


def _directions(link: Link) -> Iterator[tuple[Port, Port]]:
    a, b = _port(link.a), _port(link.b)
    yield a, b
    yield b, a


def _can_probe(sessions: Mapping[str, Session], link: Link) -> bool:
    ends = (sessions[link.a.node], sessions[link.b.node])
    return all(session.is_primary and not session.is_foreign for session in ends)


def device_changes(
    before: Mapping[str, Device], after: Mapping[str, Device], asked: Iterable[str]
) -> Iterator[tuple[EventKind, str, str]]:
    """What is new: kind, node and text. Of nodes that were not `asked`, nothing is known."""
    for node in asked:
        old, new = before.get(node), after.get(node)
        if new is not None and old is None:
            yield EventKind.DEVICE_JOINED, node, f"{node}: {new.features.slots} slots"
        elif new is None and old is not None:
            yield EventKind.DEVICE_LEFT, node, f"{node}: its quantum device does not answer"
        elif new is not None and old is not None and new != old:
            yield EventKind.DEVICE_CHANGED, node, f"{node}: its quantum device changed"
