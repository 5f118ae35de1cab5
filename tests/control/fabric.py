"""A running network for the tests: embedded switches behind a real P4Runtime server, and scripted
quantum devices that read and write device frames as bytes."""

from __future__ import annotations

import asyncio
from collections import deque
from itertools import count

import finsy as fy
from finsy.p4client import P4Client
from finsy.proto import U128, p4r

from qplane.control.entries import Entry
from qplane.control.program import schema
from qplane.net import CPU_PORT, QUANTUM_PORT, Link, Network
from qplane.switch.device import Device as P4Device
from qplane.switch.errors import Code, StatusError
from qplane.switch.pipeline_config import load_config
from qplane.switch.server import KEEPALIVE_SECONDS, P4RuntimeServer
from qplane_cext.switch.core import SwitchCore

from .scripted import PatientClock, ScriptedDevice


class Fabric:
    """The switches of a network behind one P4Runtime server; a context manager."""

    def __init__(self, net: Network, *, keepalive_s: float = KEEPALIVE_SECONDS) -> None:
        self.net = net
        self.clock = PatientClock()
        self.cores = {name: SwitchCore(cpu_port=CPU_PORT) for name in net.nodes}
        self.devices = {
            node.name: ScriptedDevice(net, node.name)
            for node in net.nodes.values()
            if node.is_quantum
        }
        self.wires = {
            (end.node, end.port): (link.far(end.node).node, link.far(end.node).port)
            for link in net.links
            for end in (link.a, link.b)
        }
        self.sent: list[tuple[str, int, bytes]] = []
        self._p4_devices = {
            node.name: P4Device(
                node.id,
                self.cores[node.name],
                inject=lambda port, data, name=node.name: self.inject(name, port, data),
            )
            for node in net.nodes.values()
        }
        self.server = P4RuntimeServer(self._p4_devices.values(), keepalive_s=keepalive_s)
        self.address = ""
        # Of observers: one that has left may still be there to the switch.
        self._election_ids = count(1)

    def __enter__(self) -> Fabric:
        self.address = self.server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.stop()

    def restart(self, node: str) -> None:
        """The switch comes up anew: no program, no entries, no clients."""
        device_id = self.net.nodes[node].id
        self.server.remove_device(device_id)
        self.cores[node].reset()
        self._p4_devices[node] = P4Device(
            device_id,
            self.cores[node],
            inject=lambda port, data: self.inject(node, port, data),
        )
        self.server.add_device(self._p4_devices[node])

    def drop_streams(self, node: str) -> None:
        """All clients of the switch lose their connection."""
        self._p4_devices[node].close_streams(StatusError(Code.UNAVAILABLE, "dropped"))

    async def until_nobody_is_primary(self, node: str) -> None:
        """Wait until the switch has noticed that its last client has gone."""
        while self._p4_devices[node]._routes.primaries:
            await asyncio.sleep(0.002)

    def push(self, node: str, program: fy.P4Schema) -> None:
        """Somebody else gives the switch a program, before we come."""
        config = load_config(program.get_pipeline_config())
        self._p4_devices[node].commit(config)

    def inject(self, node: str, port: int, packet: bytes) -> None:
        """A packet enters a switch; follow it to where it ends: a controller, a host, a cut."""
        waiting = deque([(node, port, packet)])
        while waiting:
            at, port_in, data = waiting.popleft()
            for out_port, out in self.cores[at].process(port_in, data):
                if out_port == CPU_PORT:
                    self._p4_devices[at].deliver_to_cpu(out)
                elif out_port == QUANTUM_PORT and at in self.devices:
                    replies = self.devices[at].answer(out)
                    waiting += [(at, QUANTUM_PORT, reply) for reply in replies]
                elif (at, out_port) in self.wires:
                    waiting.append((*self.wires[at, out_port], out))
                else:
                    self.sent.append((at, out_port, out))

    def cut(self, link: Link) -> None:
        """Nothing comes over the link any more."""
        for end in (link.a, link.b):
            self.wires.pop((end.node, end.port), None)

    def other(self, node: str, *, role: str = "intruder", election_id: int = 1) -> OtherClient:
        """Another client of one of the switches."""
        return OtherClient(
            self.address, self.net.nodes[node].id, role=role, election_id=election_id
        )

    async def standing(self, node: str) -> list[str]:
        """Every table entry and multicast group of a switch, sorted, read by another client."""
        election_id = next(self._election_ids)
        async with self.other(node, role="observer", election_id=election_id) as client:
            return sorted(await client.read())

    async def all_standing(self) -> dict[str, list[str]]:
        return {name: await self.standing(name) for name in self.net.nodes}


class OtherClient:
    """A second P4Runtime client of one switch: in a role of its own, or with an election id."""

    def __init__(
        self, address: str, device_id: int, *, role: str = "intruder", election_id: int = 1
    ) -> None:
        self._client = P4Client(address, wait_for_ready=False)
        self._device_id = device_id
        self._role = role
        self._election_id = U128.encode(election_id)

    async def __aenter__(self) -> OtherClient:
        await self._client.open(schema=schema())
        bid = p4r.MasterArbitrationUpdate(device_id=self._device_id, election_id=self._election_id)
        if self._role:
            bid.role.name = self._role
        await self._client.send(p4r.StreamMessageRequest(arbitration=bid))
        answer = await self._client.receive()
        assert answer.arbitration.status.code == 0
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()

    async def insert(self, *entries: Entry) -> None:
        await self.write(p4r.Update.INSERT, *entries)

    async def write(self, kind: p4r.Update.Type.ValueType, *entries: Entry) -> None:
        await self._client.request(
            p4r.WriteRequest(
                device_id=self._device_id,
                election_id=self._election_id,
                role=self._role,
                updates=[
                    p4r.Update(type=kind, entity=entry.to_finsy().encode(schema()))
                    for entry in entries
                ],
            )
        )

    async def packet_out(self, port: int, packet: bytes) -> None:
        message = fy.P4PacketOut(packet, egress_port=port, pad=0)
        await self._client.send(message.encode_update(schema()))

    async def read(self) -> list[str]:
        request = p4r.ReadRequest(device_id=self._device_id, role=self._role)
        request.entities.add().table_entry.SetInParent()
        replication = request.entities.add().packet_replication_engine_entry
        replication.multicast_group_entry.SetInParent()
        return [
            str(entity)
            async for response in self._client.request_iter(request)
            for entity in response.entities
        ]
