"""The controller against embedded switches behind a real P4Runtime server."""

import asyncio
import re
import socket
from collections import deque

import pytest
from finsy.proto import p4r

from qplane.control import (
    ArbitrationError,
    ConnectionFailedError,
    ControlError,
    Controller,
    DeviceError,
    DiscoveryError,
    DrainError,
    EventKind,
    NoPathError,
    PipelineError,
    SlotsError,
    WriteError,
    session,
)
from qplane.control.entries import DefaultAction, table_entry
from qplane.control.tables import node_mac
from qplane.net import QUANTUM_PORT
from qplane.wire import DeviceFrame, DeviceType, LinkStatusCode, Transaction

from .fabric import Fabric
from .networks import chain, device, network, random_network
from .proxy import WriteProxy

HOSTS = [("h1", "n0", "10.0.1.1"), ("h2", "n3", "10.0.2.1")]
CIRCUITS = [("long", "n0", "n3", "slots = 2"), ("short", "n2", "n1", "slots = 1")]


def small():
    return chain(4, circuits=CIRCUITS, hosts=HOSTS)


def run(net, scenario):
    """Run `scenario(controller, fabric)` on a connected controller."""

    async def main():
        with Fabric(net) as fabric:
            controller = Controller(net, fabric.address, fabric.clock)
            await controller.connect()
            try:
                await scenario(controller, fabric)
            finally:
                await controller.close()

    asyncio.run(main())


def run_with_proxy(net, node, scenario):
    """Run `scenario(controller, fabric, proxy)`, the proxy being in front of one switch."""

    async def main():
        with Fabric(net) as fabric, WriteProxy(fabric.address) as proxy:
            addresses = dict.fromkeys(net.nodes, fabric.address) | {node: proxy.address}
            controller = Controller(net, addresses, fabric.clock)
            await controller.connect()
            try:
                await scenario(controller, fabric, proxy)
            finally:
                await controller.close()

    asyncio.run(main())


# ---- tables ----


def test_what_was_installed_is_read_back_and_torn_down_without_rest():
    async def scenario(controller, fabric):
        await controller.discover()
        await controller.install()
        assert await controller.verify() == []
        for name in controller.network.nodes:
            entries = [e for e in controller.entries(name) if not isinstance(e, DefaultAction)]
            assert len(await fabric.standing(name)) == len(entries) > 0
        await controller.teardown()
        assert await fabric.all_standing() == {name: [] for name in controller.network.nodes}

    run(small(), scenario)


def test_a_random_graph_with_many_circuits_is_installed_and_torn_down():
    size = 12
    circuits = [(f"c{i}", f"n{i}", f"n{(i + 5) % size}", "slots = 1") for i in range(size)]
    hosts = [(f"h{i}", f"n{i}", f"10.0.{i}.1") for i in range(size)]
    net = random_network(3, size, circuits=circuits, hosts=hosts, slots=64)

    async def scenario(controller, fabric):
        await controller.discover()
        await controller.install()
        assert await controller.verify() == []
        await controller.teardown()
        assert await fabric.all_standing() == {name: [] for name in net.nodes}

    run(net, scenario)


def unnumbered(standing):
    """Entries of switches without the serial numbers of circuits, parameter 12 of `end_node`."""
    serial = re.compile(r'(param_id: 12\s+value: )"[^"]*"')
    return {node: [serial.sub(r"\1", e) for e in entries] for node, entries in standing.items()}


def test_one_circuit_is_torn_down_and_set_up_again_beside_another():
    async def scenario(controller, fabric):
        await controller.discover()
        await controller.install()
        before = await fabric.all_standing()
        await controller.teardown(["long"])
        assert list(controller.plans) == ["short"]
        assert await controller.verify() == []
        assert len(await fabric.standing("n0")) < len(before["n0"])
        await controller.install(["long"])
        assert await controller.verify() == []
        after = await fabric.all_standing()
        assert unnumbered(after) == unnumbered(before)
        # It is another circuit at its ends, by its serial number.
        assert {node for node in after if after[node] != before[node]} == {"n0", "n3"}

    run(small(), scenario)


def test_installing_twice_writes_nothing_more():
    async def scenario(controller, fabric):
        await controller.discover()
        await controller.install()
        before = await fabric.all_standing()
        await controller.install()
        assert await fabric.all_standing() == before

    run(small(), scenario)


def test_verify_finds_what_somebody_else_wrote():
    foreign = table_entry("my_mac", {"dst": 0x020000000099}, "NoAction")

    async def scenario(controller, fabric):
        await controller.discover()
        await controller.install()
        async with fabric.other("n2") as other:
            await other.insert(foreign)
        (difference,) = await controller.verify()
        assert (difference.node, difference.expected, difference.found) == ("n2", None, foreign)
        assert str(difference) == (
            "n2: my_mac: expected None, found [dst=020000000099] -> NoAction()"
        )

    run(small(), scenario)


# ---- transactions ----


@pytest.mark.parametrize("node", ["n0", "n1", "n2", "n3"])
def test_a_conflicting_entry_on_any_switch_undoes_the_change_on_all(node):
    async def scenario(controller, fabric):
        await controller.discover()
        await controller.install(["short"])
        links = {"n0": 0, "n1": 0, "n2": 1, "n3": 0}
        match = {"link": links[node], "label": 16}
        conflict = table_entry("pair_in", match, "set_circuit", circuit_id=9, side=1, slice=0)
        async with fabric.other(node) as other:
            await other.insert(conflict)
        before = await fabric.all_standing()
        with pytest.raises(WriteError) as caught:
            await controller.install(["long"])
        (failure,) = caught.value.failures
        assert (failure.node, failure.table, failure.code) == (node, "pair_in", "ALREADY_EXISTS")
        assert f"[link={links[node]}, label=16]" in failure.entry
        assert str(caught.value).startswith(f"{node}: INSERT pair_in [link=")
        assert caught.value.left_behind == ()
        assert await fabric.all_standing() == before
        assert list(controller.plans) == ["short"]

    run(small(), scenario)


def test_changes_of_many_requests_are_undone_as_well(monkeypatch):
    monkeypatch.setattr(session, "BATCH", 3)

    async def scenario(controller, fabric):
        await controller.discover()
        conflict = table_entry("adjacency", {"circuit": 1, "copy": 1}, "NoAction")
        async with fabric.other("n2") as other:
            await other.insert(conflict)
        before = await fabric.all_standing()
        with pytest.raises(WriteError, match=r"n2: INSERT adjacency .*ALREADY_EXISTS"):
            await controller.install()
        assert await fabric.all_standing() == before
        await controller.install(["long"])
        assert [d.found for d in await controller.verify()] == [conflict]

    run(small(), scenario)


def test_a_full_table_undoes_the_change_on_all_switches():
    async def scenario(controller, fabric):
        await controller.discover()
        filling = [
            table_entry("my_mac", {"dst": 0x0A0000000000 + i}, "NoAction") for i in range(64)
        ]
        async with fabric.other("n2") as other:
            await other.insert(*filling)
        before = await fabric.all_standing()
        with pytest.raises(WriteError) as caught:
            await controller.install()
        mac = node_mac(controller.network.nodes["n2"].id)
        assert str(caught.value).startswith(
            f"n2: INSERT my_mac [dst={mac:012x}] -> NoAction(): RESOURCE_EXHAUSTED"
        )
        assert await fabric.all_standing() == before
        assert controller.plans == {}

    run(small(), scenario)


def test_a_switch_that_is_gone_undoes_the_change_on_the_others():
    async def scenario(controller, fabric):
        await controller.discover()
        before = await fabric.all_standing()
        fabric.server.remove_device(controller.network.nodes["n3"].id)
        with pytest.raises(WriteError) as caught:
            await controller.install()
        assert caught.value.node == "n3"
        for name in ("n0", "n1", "n2"):
            assert await fabric.standing(name) == before[name]

    run(small(), scenario)


@pytest.mark.parametrize("applied", [0, 1])
def test_a_write_of_unknown_fate_is_undone_if_it_was_done(applied):
    async def scenario(controller, fabric, proxy):
        await controller.discover()
        before = await fabric.all_standing()
        proxy.lose, proxy.apply = 1, applied
        with pytest.raises(
            WriteError, match=r"n2: INSERT .*UNAVAILABLE: the answer was lost"
        ) as caught:
            await controller.install()
        assert caught.value.left_behind == ()
        assert await fabric.all_standing() == before
        await controller.install()
        assert await controller.verify() == []

    run_with_proxy(small(), "n2", scenario)


def test_what_could_not_be_undone_is_said():
    async def scenario(controller, fabric, proxy):
        await controller.discover()
        before = await fabric.all_standing()
        proxy.lose, proxy.apply = 2, 1
        with pytest.raises(WriteError, match="could not be undone: n2: DELETE") as caught:
            await controller.install()
        assert len(caught.value.left_behind) == 1
        standing = await fabric.all_standing()
        assert len(standing.pop("n2")) > len(before.pop("n2"))
        assert standing == before

    run_with_proxy(small(), "n2", scenario)


def test_a_teardown_that_fails_leaves_everything_standing():
    async def scenario(controller, fabric):
        await controller.discover()
        await controller.install()
        missing = next(e for e in controller.entries("n1") if e.table == "adjacency")
        async with fabric.other("n1") as other:
            await other.write(p4r.Update.DELETE, missing)
        before = await fabric.all_standing()
        with pytest.raises(WriteError, match=r"n1: DELETE adjacency .*NOT_FOUND"):
            await controller.teardown()
        assert await fabric.all_standing() == before

    run(small(), scenario)


def test_a_cancelled_install_leaves_nothing():
    async def scenario(controller, fabric, proxy):
        await controller.discover()
        before = await fabric.all_standing()
        proxy.hold.clear()
        installing = asyncio.ensure_future(controller.install())
        assert await asyncio.to_thread(proxy.held.wait, 10)
        installing.cancel()
        await asyncio.sleep(0)
        proxy.hold.set()
        with pytest.raises(asyncio.CancelledError):
            await installing
        assert await fabric.all_standing() == before

    run_with_proxy(small(), "n3", scenario)


# ---- discovery ----


def test_features_are_what_the_devices_said():
    async def scenario(controller, fabric):
        topology = await controller.discover()
        for name in controller.network.nodes:
            truth = device(controller.network, name)
            found = topology.devices[name]
            assert found.features.slots == truth.features.slots
            assert set(found.links) == set(truth.links)
            assert all(found.links[n].delay_ps == truth.links[n].delay_ps for n in truth.links)
        for name, found in topology.devices.items():
            # On each link a HELLO leaves at one end and comes in at the other.
            links = controller.network.links_of(name)
            leave = sum(link.a.node == name for link in links)
            come = len(links) - leave
            assert controller.packets(name) == (1 + len(found.links) + come, 1 + leave, 0)

    run(small(), scenario)


def test_a_switch_without_a_quantum_port_is_a_classical_node():
    net = chain(4, hosts=HOSTS, classical=["n1"])

    async def scenario(controller, fabric):
        topology = await controller.discover()
        assert list(topology.devices) == ["n0", "n2", "n3"]
        await controller.install()
        assert await controller.verify() == []
        assert {e.table for e in controller.entries("n1")} == {"port_kind", "my_mac", "ipv4_route"}

    run(net, scenario)


def test_a_device_that_does_not_answer_makes_a_classical_node():
    async def scenario(controller, fabric):
        fabric.devices["n1"].silent = True
        topology = await controller.discover()
        assert list(topology.devices) == ["n0", "n2", "n3"]
        before = await fabric.all_standing()
        with pytest.raises(NoPathError, match="circuit long: no path"):
            await controller.install()
        assert await fabric.all_standing() == before
        await controller.install([])
        assert {e.table for e in controller.entries("n1")} == {
            "port_kind", "node", "my_mac", "ipv4_route"
        }  # fmt: skip

    run(small(), scenario)


def test_a_device_of_another_node_is_an_error():
    async def scenario(controller, fabric):
        fabric.devices["n1"].claimed_node_id = 77
        with pytest.raises(DiscoveryError, match=r"n1: .* belongs to node id 77, not 2"):
            await controller.discover()

    run(small(), scenario)


def test_packets_that_answer_nothing_are_counted_and_change_nothing():
    async def scenario(controller, fabric):
        truth = device(controller.network, "n0", 4711)
        stray = DeviceFrame(DeviceType.DEVICE_FEATURES, 255, truth.features).to_bytes()
        fabric.inject("n0", QUANTUM_PORT, stray)  # no quantum port yet: dropped by the switch
        await controller.discover()
        handled = controller.packets("n0").ins_handled
        fabric.inject("n0", QUANTUM_PORT, stray)
        while controller.packets("n0").ins_handled == handled:
            await asyncio.sleep(0)
        assert await controller.verify() == []
        assert (await controller.counters("n0", "QnodeIngress.drops")) == {10: 1}

    run(small(), scenario)


# ---- generation ----


def test_links_are_started_with_disjoint_slots_and_stopped():
    async def scenario(controller, fabric):
        await controller.discover()
        await controller.install()
        await controller.start()
        n1 = fabric.devices["n1"].running
        assert sorted(n1) == [(0, 16), (1, 16), (1, 17)]
        used = [s for b in n1.values() for s in range(b.slot_first, b.slot_first + b.slot_count)]
        assert len(used) == len(set(used)) == 5
        assert fabric.devices["n1"].end_of == {(1, 17)}
        assert fabric.devices["n0"].end_of == {(0, 16)}
        ends = fabric.devices["n0"].running[0, 16]
        assert ends.cutoff_ps > 0 and ends.retry_ps > 0
        assert {s.state for s in await controller.status()} == {LinkStatusCode.GENERATING}
        await controller.stop(["long"])
        assert sorted(fabric.devices["n1"].running) == [(1, 17)]
        await controller.teardown()
        assert all(not d.running for d in fabric.devices.values())
        assert await fabric.all_standing() == {name: [] for name in controller.network.nodes}

    run(small(), scenario)


def test_a_device_that_refuses_stops_the_start_everywhere():
    async def scenario(controller, fabric):
        fabric.devices["n2"].refused_links = {1}
        await controller.discover()
        await controller.install()
        with pytest.raises(
            DeviceError, match=r"n2: .* circuit long on link 1: it answered REFUSED"
        ):
            await controller.start()
        assert all(not d.running for d in fabric.devices.values())

    run(small(), scenario)


def test_a_device_that_falls_silent_is_named():
    async def scenario(controller, fabric):
        await controller.discover()
        await controller.install()
        fabric.devices["n3"].silent = True
        with pytest.raises(
            DeviceError, match="n3: its quantum device did not answer about circuit"
        ):
            await controller.start()

    run(small(), scenario)


def test_teardown_waits_until_the_memories_are_empty():
    async def scenario(controller, fabric):
        await controller.discover()
        await controller.install()
        await controller.start()
        fabric.devices["n3"].in_use = deque([2, 2, 1, 1])
        await controller.teardown()
        assert fabric.clock.now_ps() > 0
        assert not fabric.devices["n3"].in_use
        assert await fabric.all_standing() == {name: [] for name in controller.network.nodes}

    run(small(), scenario)


def test_a_memory_that_stays_full_is_an_error_and_the_tables_stay():
    async def scenario(controller, fabric):
        await controller.discover()
        await controller.install()
        await controller.start()
        fabric.devices["n3"].in_use = deque([1] * 1_000_000)
        with pytest.raises(DrainError, match="n3: circuit long, link 0: 1 slots in use"):
            await controller.teardown()
        assert await controller.verify() == []

    run(small(), scenario)


def test_more_circuits_than_slots_is_refused_before_a_switch_is_written_to():
    # The file says 8 slots; this device says 2.
    async def scenario(controller, fabric):
        topology = await controller.discover()
        object.__setattr__(topology.devices["n1"].features, "slots", 2)
        with pytest.raises(
            SlotsError, match="n1: more circuits than slots: 5 wanted by long, short"
        ):
            await controller.install()
        assert {e.table for e in controller.entries("n1")} == {"port_kind", "node"}
        assert await controller.verify() == []

    run(small(), scenario)


def test_an_unknown_circuit_is_named_with_those_there_are():
    async def scenario(controller, fabric):
        with pytest.raises(ControlError, match="no circuit is named x; there are: long, short"):
            await controller.install(["x"])

    run(small(), scenario)


# ---- connection ----


def test_a_second_controller_is_told_that_there_is_one_already():
    async def scenario(controller, fabric):
        for election_id in (10, 9):  # the same id, and a lower one
            second = Controller(
                controller.network, fabric.address, fabric.clock, election_id=election_id
            )
            with pytest.raises(ArbitrationError, match="n0: another controller is the primary"):
                await second.connect()
        await controller.discover()
        await controller.install()
        assert await controller.verify() == []

    run(small(), scenario)


def test_a_controller_that_was_pushed_aside_says_so():
    async def scenario(controller, fabric):
        await controller.discover()
        await controller.install()
        before = await fabric.all_standing()
        async with fabric.other("n2", role="", election_id=11):
            with pytest.raises(WriteError, match=r"n2: .*another controller is the primary"):
                await controller.teardown()
            assert await fabric.all_standing() == before
            assert controller.packets("n2") is None
            assert controller.packets("n1") is not None

    run(small(), scenario)


def test_a_controller_follows_one_that_left_even_with_a_lower_id():
    async def scenario(controller, fabric):
        await controller.discover()
        await controller.install()
        await controller.close()
        second = Controller(controller.network, fabric.address, fabric.clock, election_id=3)
        await second.connect()
        await second.discover()
        await second.install()  # it knows of no circuit, so no entry is in the way
        assert await second.verify() == []
        await second.close()

    run(small(), scenario)


def test_after_a_loss_everything_stands_as_before():
    async def scenario(controller, fabric):
        await controller.discover()
        await controller.install()
        before = await fabric.all_standing()
        async with fabric.other("n2", role="", election_id=11):
            with pytest.raises(WriteError, match=r"n2: .*another controller is the primary"):
                await controller.teardown()
        await fabric.until_nobody_is_primary("n2")  # the switch learns only now that it has left
        await controller.connect()
        assert await controller.verify() == []
        assert await fabric.all_standing() == before
        await controller.discover()  # and the devices are heard again

    run(small(), scenario)


def test_nobody_at_the_address():
    net = small()

    async def scenario():
        with Fabric(net) as fabric:
            address = fabric.address
        controller = Controller(net, address, fabric.clock)
        with pytest.raises(
            ConnectionFailedError, match=f"n0: the switch at {address}.*UNAVAILABLE"
        ):
            await controller.connect()

    asyncio.run(scenario())


def test_somebody_at_the_address_who_does_not_answer(monkeypatch):
    monkeypatch.setattr(session, "ANSWER_TIMEOUT_S", 0.3)
    net = small()

    async def scenario(address):
        with Fabric(net) as fabric:
            controller = Controller(net, address, fabric.clock)
            with pytest.raises(ConnectionFailedError, match=r"n0: .* did not answer within 0.3 s"):
                await controller.connect()

    with socket.create_server(("127.0.0.1", 0)) as silent:
        asyncio.run(scenario(f"127.0.0.1:{silent.getsockname()[1]}"))


def test_nothing_is_done_without_a_connection():
    net = small()

    async def scenario():
        with Fabric(net) as fabric:
            controller = Controller(net, fabric.address, fabric.clock)
            with pytest.raises(ConnectionFailedError, match="n0: there is no connection"):
                await controller.discover()
            with pytest.raises(ConnectionFailedError, match="n0: there is no connection"):
                await controller.verify()

    asyncio.run(scenario())


def test_a_device_id_that_the_server_does_not_have():
    net = small()

    async def scenario():
        with Fabric(net) as fabric:
            fabric.server.remove_device(net.nodes["n2"].id)
            controller = Controller(net, fabric.address, fabric.clock)
            with pytest.raises(ConnectionFailedError, match=r"n2: .*NOT_FOUND"):
                await controller.connect()

    asyncio.run(scenario())


def test_a_program_that_a_switch_refuses():
    import finsy as fy

    from qplane.control.program import schema

    net = small()

    async def scenario():
        with Fabric(net) as fabric:
            broken = fy.P4Schema(schema().p4info, b"{}")
            controller = Controller(net, fabric.address, fabric.clock, schema=broken)
            with pytest.raises(
                PipelineError, match="n0: the P4 program was refused: INVALID_ARGUMENT"
            ):
                await controller.connect()

    asyncio.run(scenario())


def test_questions_end_when_their_switch_is_lost():
    async def scenario(controller, fabric):
        await controller.discover()
        await controller.install()
        fabric.devices["n0"].silent = True
        asking = asyncio.ensure_future(controller.status())
        await asyncio.sleep(0)
        fabric.server.remove_device(controller.network.nodes["n0"].id)
        with pytest.raises((ConnectionFailedError, DeviceError), match="n0: "):
            await asking

    run(small(), scenario)


def test_two_networks_side_by_side_do_not_hear_each_other():
    net = network("ab", [("a", "b", 1.0)], circuits=[("c", "a", "b", "")])
    assert Transaction(1).to_bytes() == b"\x00\x00\x00\x01"

    async def scenario(controller, fabric):
        with Fabric(net) as other:
            second = Controller(net, other.address, other.clock)
            await second.connect()
            await asyncio.gather(controller.discover(), second.discover())
            await asyncio.gather(controller.install(), second.install())
            assert await controller.verify() == await second.verify() == []
            await second.close()

    run(net, scenario)


def test_a_stream_survives_that_whoever_sends_is_cancelled():
    async def scenario(controller, fabric):
        lost = []
        controller.events.subscribe(lost.append)
        for turns in range(8):
            looking = asyncio.create_task(controller.check(audit=True))
            sending = asyncio.create_task(controller.packet_out("n0", 7, b"x" * 60))
            for _ in range(turns):
                await asyncio.sleep(0)
            looking.cancel()
            sending.cancel()
            await asyncio.gather(looking, sending, return_exceptions=True)
            await controller.discover()
        assert EventKind.SWITCH_LOST not in {event.kind for event in lost}

    run(small(), scenario)
