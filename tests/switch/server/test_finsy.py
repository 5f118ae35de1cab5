"""finsy, unmodified, as the controller."""

from __future__ import annotations

import asyncio
from pathlib import Path

import finsy as fy
import pytest
from finsy import P4ClientError

from .conftest import Bench

PROGRAMS = Path(__file__).parent.parent / "programs"
PACKET = bytes.fromhex("0000000000aa 000000000001 1234") + b"payload"
OPTIONS = fy.SwitchOptions(
    p4info=PROGRAMS / "p4runtime.p4info.txtpb", p4blob=PROGRAMS / "p4runtime.json"
)


def test_finsy_pushes_writes_reads_and_exchanges_packets(bench: Bench) -> None:
    async def control() -> None:
        async with fy.Switch("sw1", bench.address, OPTIONS) as switch:
            assert switch.is_primary
            entries = [
                fy.P4TableEntry(
                    "routes",
                    match=fy.Match({"hdr.ipv4.dst": "10.0.0.0/8"}),
                    action=fy.Action("forward", port=3),
                ),
                fy.P4TableEntry(
                    "hosts",
                    match=fy.Match({"hdr.ethernet.dst": 0xAA}),
                    action=fy.Action("to_cpu", reason=5),
                ),
                fy.P4TableEntry(
                    "acl",
                    match=fy.Match({"ingress_port": 1, "hdr.ipv4.src": "10.0.0.0/8"}),
                    action=fy.Action("drop"),
                    priority=9,
                ),
            ]
            for one in entries:
                await switch.insert([one])
            group = fy.P4MulticastGroupEntry(7, replicas=(1, 2))
            await switch.insert([group])
            tables = [fy.P4TableEntry("routes"), fy.P4TableEntry("hosts"), fy.P4TableEntry("acl")]
            found = [entity async for entity in switch.read(tables)]
            assert [one.table_id for one in found] == ["routes", "hosts", "acl"]
            assert [one.priority for one in found] == [0, 0, 9]
            assert found[0].match is not None and found[0].match["dst"] == (0x0A000000, 8)
            assert [one async for one in switch.read(fy.P4MulticastGroupEntry())] == [group]
            with pytest.raises(P4ClientError) as caught:
                await switch.insert(entries)
            assert [error.canonical_code for error in caught.value.details.values()] == [
                fy.GRPCStatusCode.ALREADY_EXISTS
            ] * 3
            packets = switch.read_packets()
            bench.process(4, PACKET)
            packet = await asyncio.wait_for(anext(packets), 10)
            assert packet.payload == PACKET
            assert (packet["ingress_port"], packet["reason"]) == (4, 5)
            await switch.write(fy.P4PacketOut(PACKET, egress_port=300, pad=0))
            await switch.delete_all()
            assert [entity async for entity in switch.read(tables)] == []

    asyncio.run(asyncio.wait_for(control(), 30))
    assert (300, PACKET) in bench.sent


def test_a_second_finsy_client_becomes_backup_and_takes_over(bench: Bench) -> None:
    async def control() -> None:
        async with fy.Switch("first", bench.address, OPTIONS) as first:
            assert first.is_primary
            async with fy.Switch("second", bench.address, OPTIONS) as second:
                assert not second.is_primary
                assert first.is_primary
                entries = [entity async for entity in second.read(fy.P4TableEntry("constant"))]
                assert len(entries) == 2

    asyncio.run(asyncio.wait_for(control(), 30))
