"""A P4Runtime server with one device, and clients of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from finsy.proto import p4r

from qplane.switch.device import Device
from qplane.switch.server import P4RuntimeServer
from qplane_cext.switch.core import SwitchCore

from .client import Client, Names, load_program


@dataclass
class Bench:
    """A running server with device 1, and what its switch sent."""

    server: P4RuntimeServer
    address: str
    core: SwitchCore
    device: Device
    sent: list[tuple[int, bytes]]
    clients: list[Client] = field(default_factory=list)

    def client(self, **options: object) -> Client:
        """A new client, closed at the end of the test."""
        client = Client(self.address, **options)
        self.clients.append(client)
        return client

    def primary(self, election_id: int = 1, **options: object) -> Client:
        """A new client that has become primary."""
        client = self.client(**options)
        assert client.arbitrate(election_id) == (0, election_id)
        return client

    def process(self, port: int, data: bytes) -> list[tuple[int, bytes]]:
        """A packet through the switch, as a real-time port back end does it; what left on ports."""
        out = []
        for out_port, packet in self.core.process(port, data):
            if out_port == self.core.cpu_port:
                self.device.deliver_to_cpu(packet)
            else:
                out.append((out_port, packet))
        self.sent += out
        return out


@pytest.fixture
def bench() -> Iterator[Bench]:
    core = SwitchCore(cpu_port=510)
    sent: list[tuple[int, bytes]] = []
    running: list[Bench] = []
    device = Device(1, core, inject=lambda port, data: running[0].process(port, data) and None)
    server = P4RuntimeServer([device])
    found = Bench(server, server.start(), core, device, sent)
    running.append(found)
    yield found
    for client in found.clients:
        client.close()
    server.stop()


@pytest.fixture(scope="session")
def config() -> p4r.ForwardingPipelineConfig:
    return load_program("p4runtime")


@pytest.fixture(scope="session")
def names(config: p4r.ForwardingPipelineConfig) -> Names:
    return Names(config.p4info)


@pytest.fixture
def primary(bench: Bench, config: p4r.ForwardingPipelineConfig) -> Client:
    """The primary of a switch that runs p4runtime.p4."""
    client = bench.primary()
    assert client.push(config) is None
    return client


MakeClient = Callable[..., Client]
