"""What stands in the switches is what the controller wrote, nothing is left behind, and nobody on
the network can drive a node's memory."""

import grpc
from finsy.proto import p4r, p4r_grpc

from e2e import rig
from qplane.control.entries import DefaultAction
from qplane.simulate import reasons
from qplane.wire import DeviceFrame, DeviceType, QubitBody


def read_back(simulated, name):
    """Number of table entries and groups, read by a client of its own without arbitration."""
    node = simulated.plan.nodes[name]
    with grpc.insecure_channel(simulated.emulation.address) as channel:
        stub = p4r_grpc.P4RuntimeStub(channel)
        entities = [
            p4r.Entity(table_entry=p4r.TableEntry()),
            p4r.Entity(
                packet_replication_engine_entry=p4r.PacketReplicationEngineEntry(
                    multicast_group_entry=p4r.MulticastGroupEntry()
                )
            ),
        ]
        request = p4r.ReadRequest(device_id=node.id, entities=entities)
        return sum(len(response.entities) for response in stub.Read(request))


def test_entries_read_back_are_those_written_and_none_is_left():
    seen = {}
    handle = []

    async def look(simulated):
        handle.append(simulated)
        for name in simulated.plan.nodes:
            # A wildcard read leaves out default actions; `verify` compares those.
            written = [
                e for e in simulated.controller.entries(name) if type(e) is not DefaultAction
            ]
            seen[name] = read_back(simulated, name), len(written)
        assert await simulated.controller.verify() == []
        tear_down = simulated.tear_down

        async def then_count():
            await tear_down()
            for name in simulated.plan.nodes:
                seen[name] += (read_back(simulated, name),)

        simulated.tear_down = then_count

    rig.simulate(rig.chain(4), pairs=50, during=look)
    for found, written, left in seen.values():
        assert found == written > 5
        assert left == 0


def test_a_device_frame_on_a_neighbour_port_changes_nothing_but_a_drop_counter():
    """Frames that would swap, deliver or release what is in memory, were they believed."""
    injected = []

    async def attack(simulated):
        engine = simulated.emulation.engine
        controller = simulated.controller
        before = {
            name: await controller.counters(name, reasons.PAIR_EVENTS)
            for name in simulated.plan.nodes
        }
        link = simulated.plan.links[0]
        plan = controller.plans["c"]
        frames = []
        for type_ in (DeviceType.PAIR, DeviceType.SWAPPED, DeviceType.EXPIRED):
            for seq in range(20):
                body = QubitBody(label=plan.hops[1].sides[0].label, seq=seq, slot=0, generation=1)
                frames.append(DeviceFrame(type_, link.b.number, body).to_bytes())
        for frame in frames:
            engine.inject(1, link.b.port, frame)
        injected.append(len(frames))
        reason = engine.run(until_ps=engine.now_ps)
        while reason == "cpu":
            reason = engine.run(until_ps=engine.now_ps)
        engine.run(until_ps=engine.now_ps + 2_000_000)
        drops = await controller.counters("n1", reasons.DROPS_INGRESS)
        assert drops[10] == len(frames)
        assert (
            before
        )  # events go on elsewhere meanwhile; that none is due to these is in the frames

    outcome = rig.simulate(rig.chain(3, slots=2), pairs=200, during=attack)
    rig.assert_clean(outcome)
    assert outcome.summary.drops["device port"] == injected[0]
