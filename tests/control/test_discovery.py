"""What the controller finds out by itself: devices, programs of switches, where the links lead."""

import asyncio
from dataclasses import replace
from pathlib import Path

import finsy as fy
import pytest
from finsy.proto import p4i
from google.protobuf import text_format

from qplane.control import ControlError, Controller, EventKind, NoPathError
from qplane.control.operations import Operations
from qplane.control.tables import node_mac
from qplane.net import QUANTUM_PORT
from qplane.simulate.session import Goal, simulation
from qplane.wire import (
    DeviceFrame,
    DeviceType,
    LinkFrame,
    ProbeBody,
    QciMessage,
    QciType,
)

from .fabric import Fabric
from .networks import chain, device

HOSTS = [("h1", "n0", "10.0.1.1"), ("h2", "n3", "10.0.2.1")]
CIRCUITS = [("long", "n0", "n3", "slots = 2")]
PROGRAMS = Path(__file__).parents[2] / "benchmarks" / "programs"


def small(**more):
    return chain(4, circuits=CIRCUITS, hosts=HOSTS, **more)


def run(net, scenario, before=lambda fabric: None):
    """Run `scenario(controller, fabric, told)`; `before` happens before it connects."""

    async def main():
        with Fabric(net) as fabric:
            before(fabric)
            controller = Controller(net, fabric.address, fabric.clock)
            told = []
            controller.events.subscribe(told.append)
            await controller.connect()
            try:
                await scenario(controller, fabric, told)
            finally:
                await controller.close()

    asyncio.run(main())


def router():
    info = text_format.Parse((PROGRAMS / "router.p4info.txtpb").read_text(), p4i.P4Info())
    return fy.P4Schema(info, (PROGRAMS / "router.json").read_bytes())


def ipv4_packet(net, source, destination):
    """A UDP packet of a host, as it leaves it."""
    from scapy.layers.inet import IP, UDP
    from scapy.layers.l2 import Ether

    from_host, to_host = net.hosts[source], net.hosts[destination]
    gateway = f"{node_mac(net.nodes[from_host.node].id):012x}"
    mac = ":".join(gateway[i : i + 2] for i in range(0, 12, 2))
    packet = Ether(src=from_host.mac, dst=mac) / IP(src=from_host.ip, dst=to_host.ip) / UDP()
    return bytes(packet / (b"x" * 30))


# ---- switches ----


def test_a_switch_with_another_program_is_a_classical_node_and_forwards():
    net = chain(4, hosts=HOSTS, classical=["n1"])

    async def scenario(controller, fabric, told):
        topology = await controller.discover()
        assert topology.switches["n1"].is_foreign
        assert not topology.switches["n0"].is_foreign
        assert {s.p4runtime for s in topology.switches.values()} == {"1.5.0"}
        await controller.install()
        assert {entry.table for entry in controller.entries("n1")} == {"ipv4_route"}
        assert await controller.verify() == []
        assert (
            fabric.cores["n1"].pipeline.tables.keys() != fabric.cores["n0"].pipeline.tables.keys()
        )
        for source, destination, node in (("h1", "h2", "n3"), ("h2", "h1", "n0")):
            fabric.sent.clear()
            host = net.hosts[source]
            fabric.inject(host.node, host.port, ipv4_packet(net, source, destination))
            ((at, port, packet),) = fabric.sent
            assert (at, port) == (node, net.hosts[destination].port)
            assert packet.endswith(b"x" * 30)
            assert packet[22] == 64 - 4  # routed by each node
        assert await controller.check(audit=True) == []
        await controller.teardown()
        assert controller.entries("n1") == []

    run(net, scenario, before=lambda fabric: fabric.push("n1", router()))


def test_a_quantum_node_with_another_program_is_given_ours():
    async def scenario(controller, fabric, told):
        topology = await controller.discover()
        assert not any(switch.is_foreign for switch in topology.switches.values())
        await controller.install()
        assert await controller.verify() == []

    run(small(), scenario, before=lambda fabric: fabric.push("n1", router()))


# ---- neighbours ----


def test_a_link_that_leads_elsewhere_is_reported_and_not_used():
    def cross(fabric):
        """n0 port 1 and n3 port 1 are plugged into each other; so are n1 and n2."""
        fabric.wires["n0", 1], fabric.wires["n3", 1] = ("n3", 1), ("n0", 1)
        fabric.wires["n1", 1], fabric.wires["n2", 2] = ("n2", 2), ("n1", 1)

    async def scenario(controller, fabric, told):
        topology = await controller.discover()
        assert topology.down == {0, 2}
        texts = [event.text for event in told if event.kind is EventKind.MISWIRED]
        assert len(texts) == 4
        assert texts[0] == (
            "port 1 of n0 leads to port 1 of n3; link n0-n1 should lead to port 1 of n1"
        )
        with pytest.raises(NoPathError, match="circuit long: no path"):
            await controller.install()

    run(small(), scenario, before=cross)


def hello(node_id, port, nonce=0, time_ps=0):
    message = QciMessage(QciType.HELLO, ProbeBody(node_id, port, nonce, time_ps))
    return LinkFrame(0x0180C200000E, 0x020000000099, message).to_bytes()


def test_forged_late_and_doubled_probes_do_no_harm():
    net = small()

    async def scenario(controller, fabric, told):
        await controller.discover()
        told.clear()
        seen = []
        forward = fabric.inject

        def inject(node, port, packet):
            """Each probe arrives twice, with forgeries ahead of it and behind."""
            forged = [hello(net.nodes["n0"].id, 1, nonce) for nonce in range(3)]
            for frame in (*forged, hello(99, 1), hello(net.nodes["n2"].id, 7)):
                forward("n3", 1, frame)
            forward(node, port, packet)
            seen.append(packet)
            forward(node, port, packet)

        fabric.inject = inject
        await controller.check(audit=True)
        fabric.inject = forward
        for packet in seen:  # and all of it once more, when nobody waits for it
            forward("n1", 1, packet)
            forward("n3", 1, hello(net.nodes["n2"].id, 2))
        while controller._neighbours.unexpected < 5 * len(seen):
            await asyncio.sleep(0)
        assert controller.topology.down == frozenset()
        assert told == []
        await controller.install()
        assert await controller.check(audit=True) == []

    run(net, scenario)


# ---- devices ----


def test_a_device_that_leaves_comes_back_and_changes_is_noticed():
    async def scenario(controller, fabric, told):
        await controller.discover()
        await controller.install()
        told.clear()
        fabric.devices["n2"].silent = True
        await controller.check(audit=True)
        assert "n2" not in controller.topology.devices
        fabric.devices["n2"].silent = False
        await controller.check(audit=True)
        fabric.devices["n2"].net = small(slots=4)
        await controller.check(audit=True)
        assert controller.topology.devices["n2"].features.slots == 4
        assert [(event.kind, event.node) for event in told] == [
            (EventKind.DEVICE_LEFT, "n2"),
            (EventKind.DEVICE_JOINED, "n2"),
            (EventKind.DEVICE_CHANGED, "n2"),
        ]

    run(small(), scenario)


def test_a_switch_that_comes_back_with_another_device_is_asked_at_once():
    async def scenario(controller, fabric, told):
        await controller.discover()
        await controller.install()
        told.clear()
        fabric.devices["n2"].net = small(slots=4)
        fabric.restart("n2")
        while "n2" not in controller.suspects:
            await asyncio.sleep(0.002)
        await controller.check()
        assert controller.topology.devices["n2"].features.slots == 4
        kinds = [event.kind for event in told if event.node == "n2"]
        assert kinds[:2] == [EventKind.SWITCH_LOST, EventKind.SWITCH_BACK]
        assert kinds[-1] is EventKind.DEVICE_CHANGED
        assert await controller.verify() == []

    run(small(), scenario)


def test_a_node_that_the_file_lacks_is_noticed_and_used_once_the_file_has_it(tmp_path):
    """The fibre to n3 is there from the beginning; the first controller's file ends at n2."""
    whole, part = chain(4), chain(3, circuits=[("old", "n0", "n2", "slots = 2")])
    unlisted = {
        "node": "n2", "number": 1, "remote_node": "", "remote_node_id": 4, "remote_link": 0,
    }  # fmt: skip

    async def deliver(simulated, pairs):
        await simulated.generate(Goal(pairs=simulated.emulation.engine.delivered + pairs))

    async def main():
        async with simulation(whole, store=tmp_path / "intent.db") as simulated:
            simulated.plan = part
            controller = await simulated.restart_controller()
            told = []
            controller.events.subscribe(told.append)
            await simulated.set_up()
            assert [e.node for e in told if e.kind is EventKind.LINK_UNLISTED] == ["n2"]
            top = Operations(controller, simulated.clock).top(interval=0.05)
            assert (await anext(top))["unlisted_links"] == [unlisted]
            await deliver(simulated, 20)
            told.clear()
            await controller.check(audit=True)
            assert told == []  # it is said once
            request = replace(part.circuits["old"], name="new", tail="n3", path=())
            with pytest.raises(ControlError, match="no node is named n3"):
                await controller.add(request)

            simulated.plan = whole
            controller = await simulated.restart_controller()
            await controller.connect()
            assert list(controller.plans) == ["old"]
            assert controller.topology.unlisted() == []
            await controller.discover()
            await controller.add(request, start=True)
            await deliver(simulated, 20)
            delivered = {
                (row["head_node"], row["tail_node"]): row["count"]
                for row in simulated.emulation.engine.circuits()
            }
            assert len(delivered) == 2 and all(delivered.values())
            await simulated.drain()
            await simulated.tear_down()

    asyncio.run(main())


def test_a_device_that_says_nonsense_is_reported_and_not_believed():
    async def scenario(controller, fabric, told):
        await controller.discover()
        await controller.install()
        known = controller.topology
        told.clear()
        fabric.devices["n1"].claimed_node_id = 77
        await controller.check(audit=True)
        assert controller.topology == known
        (event,) = told
        assert event.kind is EventKind.REPAIR_FAILED
        assert "belongs to node id 77, not 2" in event.text

    run(small(), scenario)


def test_answers_of_a_device_that_were_never_asked_for_are_counted():
    net = small()

    async def scenario(controller, fabric, told):
        await controller.discover()
        before = controller.topology
        stray = device(net, "n0", 4711).features
        frame = DeviceFrame(DeviceType.DEVICE_FEATURES, 255, stray).to_bytes()
        fabric.inject("n0", QUANTUM_PORT, frame)
        while controller._devices.unexpected < 1:
            await asyncio.sleep(0)
        assert controller.topology == before

    run(net, scenario)
