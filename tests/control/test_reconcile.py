"""What stands in the switches is what the controller wants, whatever happens to either."""

import asyncio
from dataclasses import replace

import pytest
from finsy.proto import p4r

from qplane.control import (
    ControlError,
    Controller,
    DeviceError,
    EventKind,
    NoPathError,
    StoreError,
    WriteError,
    session,
)
from qplane.control.entries import DefaultAction, Group, table_entry
from qplane.wire import LinkStatusCode

from .fabric import Fabric
from .networks import chain, network
from .proxy import WriteProxy

HOSTS = [("h1", "n0", "10.0.1.1"), ("h2", "n3", "10.0.2.1")]
CIRCUITS = [("long", "n0", "n3", "slots = 2"), ("short", "n2", "n1", "slots = 1")]


def small():
    return chain(4, circuits=CIRCUITS, hosts=HOSTS)


def ring():
    """n0 - n1 - n2 - n3 - n0: two ways from n0 to n2."""
    links = [("n0", "n1", 10.0), ("n1", "n2", 10.0), ("n2", "n3", 12.0), ("n3", "n0", 12.0)]
    circuits = [("c", "n0", "n2", "slots = 2"), ("d", "n0", "n1", "slots = 2")]
    return network(["n0", "n1", "n2", "n3"], links, circuits=circuits, hosts=HOSTS)


def run(net, scenario, **options):
    """Run `scenario(controller, fabric, told)` with everything installed; `told`: its events."""

    async def main():
        with Fabric(net) as fabric:
            controller = Controller(net, fabric.address, fabric.clock, **options)
            told = []
            controller.events.subscribe(told.append)
            await controller.connect()
            try:
                await controller.discover()
                await controller.install()
                told.clear()
                await scenario(controller, fabric, told)
            finally:
                await controller.close()

    asyncio.run(main())


async def lost(controller, node):
    """Wait until the controller knows that it has lost a switch."""
    while controller.packets(node) is not None:
        await asyncio.sleep(0)


# ---- tables changed behind its back ----


def added(entries):
    yield p4r.Update.INSERT, table_entry("my_mac", {"dst": 0x020000000099}, "NoAction")
    match = {"link": 1, "label": 99}
    yield (
        p4r.Update.INSERT,
        table_entry("pair_in", match, "set_circuit", circuit_id=9, side=1, slice=0),
    )
    yield p4r.Update.INSERT, Group(77, ((1, 1), (2, 2)))


def removed(entries):
    for table in dict.fromkeys(entry.table for entry in entries):
        entry = next(entry for entry in entries if entry.table == table)
        if not isinstance(entry, DefaultAction):
            yield p4r.Update.DELETE, entry


def modified(entries):
    for entry in entries:
        if entry.table in ("circuit", "adjacency", "ipv4_route"):
            arguments = tuple((name, value ^ 1) for name, value in entry.args)
            yield p4r.Update.MODIFY, replace(entry, args=arguments)


def test_a_default_action_changed_behind_its_back_is_repaired():
    async def scenario(controller, fabric, told):
        (mine,) = (e for e in controller.entries("n1") if isinstance(e, DefaultAction))
        wrong = replace(mine, args=(("node_id", 99),))
        async with fabric.other("n1") as other:
            await other.write(p4r.Update.MODIFY, wrong)
        (repaired,) = await controller.check(audit=True)
        assert (repaired.expected, repaired.found) == (mine, wrong)
        assert await controller.verify() == []
        assert [event.kind for event in told] == [EventKind.REPAIRED]

    run(small(), scenario)


@pytest.mark.parametrize("changes", [added, removed, modified])
def test_a_table_changed_behind_its_back_is_repaired_and_nothing_else_written(changes):
    async def scenario(controller, fabric, told):
        before = await fabric.all_standing()
        for kind, entry in changes(controller.entries("n1")):
            async with fabric.other("n1") as other:
                await other.write(kind, entry)
            assert await fabric.standing("n1") != before["n1"]
            (repaired,) = await controller.check(audit=True)
            assert repaired.node == "n1"
            assert entry in (repaired.found, repaired.expected)
            assert (repaired.found is None) == (kind == p4r.Update.DELETE)
            assert (repaired.expected is None) == (kind == p4r.Update.INSERT)
            assert await fabric.all_standing() == before
            assert [event.kind for event in told] == [EventKind.REPAIRED]
            assert told.pop().text.startswith(f"n1: {entry.table}: expected")
        assert await controller.check(audit=True) == []
        assert told == []

    run(small(), scenario)


# ---- switches and connections that are lost ----


def test_a_switch_that_restarted_gets_its_program_and_entries_back():
    async def scenario(controller, fabric, told):
        await controller.start()
        before = await fabric.all_standing()
        fabric.restart("n1")
        await lost(controller, "n1")
        repaired = await controller.check()
        assert {difference.node for difference in repaired} == {"n1"}
        assert all(difference.found is None for difference in repaired)
        assert await fabric.all_standing() == before
        kinds = [event.kind for event in told]
        assert kinds == [EventKind.SWITCH_LOST, EventKind.SWITCH_BACK, EventKind.REPAIRED]
        assert await controller.check(audit=True) == []

    run(small(), scenario)


def test_a_session_that_is_lost_is_opened_again_and_the_program_kept():
    async def scenario(controller, fabric, told):
        before = await fabric.all_standing()
        fabric.cores["n2"].register_write("pair_handle", 5, b"\x00\x01\x02\x03")
        fabric.drop_streams("n2")
        await lost(controller, "n2")
        assert await controller.check() == []
        assert await controller.verify() == []
        assert await fabric.all_standing() == before
        assert fabric.cores["n2"].register_read("pair_handle", 5) == b"\x00\x01\x02\x03"
        assert controller.suspects == set()

    run(small(), scenario)


def test_a_switch_that_is_away_does_not_hold_up_circuits_elsewhere():
    net = chain(4, circuits=[*CIRCUITS, ("end", "n0", "n1", "slots = 1")], hosts=HOSTS)

    async def scenario(controller, fabric, told):
        await controller.teardown(["end", "long"])
        fabric.server.remove_device(net.nodes["n3"].id)
        await lost(controller, "n3")
        await controller.check()
        assert controller.suspects == {"n3"}
        await controller.install(["end"])
        with pytest.raises(WriteError, match=r"n3: INSERT .*UNAVAILABLE"):
            await controller.install(["long"])
        assert sorted(controller.plans) == ["end", "short"]

    run(net, scenario)


def test_a_device_that_forgot_what_it_was_told_is_told_again():
    async def scenario(controller, fabric, told):
        await controller.start()
        running = dict(fabric.devices["n2"].running)
        fabric.devices["n2"].running.clear()
        await controller.check(audit=True)
        assert fabric.devices["n2"].running.keys() == running.keys()
        assert {s.state for s in await controller.status()} == {LinkStatusCode.GENERATING}
        restarted = [e.circuit for e in told if e.kind is EventKind.CIRCUIT_RESTARTED]
        assert sorted(restarted) == ["long", "short"]

    run(small(), scenario)


# ---- the controller restarts ----


def test_a_controller_that_restarts_finds_everything_standing(tmp_path):
    net, store = small(), tmp_path / "intent.db"

    async def scenario(controller, fabric, told):
        await controller.start(["long"])
        before = await fabric.all_standing()
        plans, devices = controller.plans, controller.topology.devices
        commands = {name: dict(device.running) for name, device in fabric.devices.items()}
        await controller.close()
        second = Controller(net, fabric.address, fabric.clock, store=store)
        await second.connect()
        assert await fabric.all_standing() == before
        assert second.plans == plans
        assert second.circuits == dict(net.circuits)
        assert second.topology.devices == devices
        assert second.is_generating("long") and not second.is_generating("short")
        assert {n: dict(d.running) for n, d in fabric.devices.items()} == commands
        await second.teardown()
        assert await fabric.all_standing() == {name: [] for name in net.nodes}
        await second.close()

    run(net, scenario, store=store)


def test_a_change_that_its_controller_did_not_finish_is_taken_back(tmp_path, monkeypatch):
    """It dies after any number of writes: the entries, the store and the devices are as before."""
    monkeypatch.setattr(session, "BATCH", 4)
    net, store = small(), tmp_path / "intent.db"

    async def main():
        writes = 0
        while True:
            with Fabric(net) as fabric, WriteProxy(fabric.address) as proxy:
                first = Controller(net, proxy.address, fabric.clock, store=store)
                await first.connect()
                await first.discover()
                await first.install(["short"])
                before = await fabric.all_standing()
                proxy.held.clear()
                proxy.hold_after(writes)
                adding = asyncio.ensure_future(first.install(["long"]))
                held = asyncio.ensure_future(asyncio.to_thread(proxy.held.wait, 10))
                await asyncio.wait([adding, held], return_when=asyncio.FIRST_COMPLETED)
                if adding.done():  # that many writes are all there are
                    proxy.held.set()
                    await first.close()
                    return writes
                proxy.refuse()  # what was held is never done, and nothing after it
                with pytest.raises(WriteError):
                    await adding
                # The rollback did not reach the switches either: that is how a crash looks.
                assert await fabric.all_standing() != before or writes == 0
                await first.close()
                first_store = store.read_bytes()
                assert first_store
                second = Controller(net, fabric.address, fabric.clock, store=store)
                told = []
                second.events.subscribe(told.append)
                await second.connect()
                assert await fabric.all_standing() == before
                assert list(second.plans) == ["short"]
                await second.teardown()
                await second.close()
            writes += 1

    assert asyncio.run(main()) >= 8


# ---- all or none ----


@pytest.mark.parametrize("applied", [0, 1])
def test_whichever_write_fails_all_is_as_before(monkeypatch, applied):
    """Each write of a change in turn is lost, before or after it was done."""
    monkeypatch.setattr(session, "BATCH", 3)
    net = small()

    async def main():
        with Fabric(net) as fabric, WriteProxy(fabric.address) as proxy:
            controller = Controller(net, proxy.address, fabric.clock)
            await controller.connect()
            await controller.discover()
            await controller.install(["short"])
            before = await fabric.all_standing()
            for place in range(1000):
                proxy.passed, proxy.lose, proxy.apply = place, 1, applied
                try:
                    await controller.install(["long"])
                except WriteError as error:
                    assert error.failures[0].code == "UNAVAILABLE"
                    assert error.left_behind == ()
                    assert await fabric.all_standing() == before
                    assert list(controller.plans) == ["short"]
                    assert await controller.verify() == []
                else:
                    break
            assert place >= 8
            assert proxy.passed == 0 and proxy.lose == 1
            proxy.lose = 0
            assert await controller.verify() == []
            await controller.close()

    asyncio.run(main())


def test_a_store_that_can_no_longer_be_written_changes_nothing(tmp_path):
    net, store = small(), tmp_path / "intent.db"

    async def scenario(controller, fabric, told):
        await controller.teardown(["long"])
        before = await fabric.all_standing()
        controller._store._db.execute("PRAGMA query_only=1")
        with pytest.raises(StoreError, match="can't be used"):
            await controller.install(["long"])
        assert await fabric.all_standing() == before
        assert list(controller.plans) == ["short"]

    run(net, scenario, store=store)


# ---- circuits of their own ----


def test_a_circuit_that_is_not_in_the_file_comes_and_goes():
    async def scenario(controller, fabric, told):
        await controller.teardown(["short"])
        before = await fabric.all_standing()
        extra = replace(controller.network.circuits["short"], name="extra")
        plan = await controller.add(extra, start=True)
        assert controller.plans["extra"] == plan
        assert controller.is_generating("extra")
        with pytest.raises(ControlError, match="a circuit named extra stands already"):
            await controller.add(extra)
        await controller.remove("extra")
        assert await fabric.all_standing() == before

    run(small(), scenario)


def test_a_circuit_whose_device_refuses_is_not_set_up():
    async def scenario(controller, fabric, told):
        await controller.teardown(["short"])
        before = await fabric.all_standing()
        fabric.devices["n1"].refused_links = {1}
        extra = replace(controller.network.circuits["short"], name="extra")
        with pytest.raises(DeviceError, match=r"n1: .*REFUSED"):
            await controller.add(extra, start=True)
        assert await fabric.all_standing() == before
        assert list(controller.plans) == ["long"]

    run(small(), scenario)


# ---- ways around ----


def test_a_circuit_goes_around_a_link_that_is_cut():
    async def scenario(controller, fabric, told):
        await controller.start()
        assert [hop.node for hop in controller.plans["c"].hops] == ["n0", "n1", "n2"]
        unaffected = controller.plans["d"]
        fabric.cut(controller.network.links[1])
        await controller.check(audit=True)
        assert [hop.node for hop in controller.plans["c"].hops] == ["n0", "n3", "n2"]
        assert controller.plans["d"] == unaffected
        assert await controller.verify() == []
        assert {s.state for s in await controller.status()} == {LinkStatusCode.GENERATING}
        assert controller.draining == []  # the scripted devices hold nothing
        kinds = [event.kind for event in told]
        assert kinds == [EventKind.LINK_DOWN, EventKind.CIRCUIT_REROUTED]
        assert told[0].text == "n1-n2"

    run(ring(), scenario)


def test_a_circuit_without_another_way_is_reported_once_and_kept():
    async def scenario(controller, fabric, told):
        fabric.cut(controller.network.links[1])
        for _ in range(2):
            await controller.check(audit=True)
        assert sorted(controller.plans) == ["long", "short"]
        down = [event.circuit for event in told if event.kind is EventKind.CIRCUIT_DOWN]
        assert sorted(down) == ["long", "short"]
        with pytest.raises(NoPathError, match="circuit x: no path"):
            await controller.add(replace(controller.network.circuits["long"], name="x"))

    run(small(), scenario)


def test_a_move_that_fails_leaves_the_circuit_where_it_is():
    async def scenario(controller, fabric, told):
        await controller.start()
        plan = controller.plans["c"]
        circuit_entries = {name: _of_circuits(controller.entries(name)) for name in fabric.cores}
        fabric.devices["n3"].refused_links = {0, 1}
        fabric.cut(controller.network.links[1])
        await controller.check(audit=True)
        (down,) = [event for event in told if event.kind is EventKind.CIRCUIT_DOWN]
        assert down.circuit == "c" and "n3: its quantum device does not generate" in down.text
        assert controller.plans["c"] == plan
        assert controller.draining == []
        assert await controller.verify() == []
        for name, entries in circuit_entries.items():
            assert _of_circuits(controller.entries(name)) == entries
        assert {s.state for s in await controller.status()} == {LinkStatusCode.GENERATING}

    run(ring(), scenario)


def _of_circuits(entries):
    return {str(entry) for entry in entries if "route" not in entry.table}
