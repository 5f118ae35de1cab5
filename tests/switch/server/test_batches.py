"""Batches of updates and of queries: order, atomicity, one error a member."""

from __future__ import annotations

import threading

import pytest
from finsy.proto import p4r

from qplane.switch.errors import Code

from .client import Client, Names, delete, insert, modify
from .conftest import Bench
from .entries import (
    acl,
    action,
    clone,
    counter,
    entry,
    exact,
    group,
    host,
    member,
    multicast,
    one_of_everything,
    one_shot,
    register,
)
from .test_pipeline import read_everything

Write = p4r.WriteRequest


def test_every_update_is_attempted_and_has_its_own_error_in_order(
    primary: Client, names: Names
) -> None:
    failed = primary.write(
        insert(table_entry=host(names, 1)),
        insert(table_entry=host(names, 1)),
        delete(table_entry=host(names, 9)),
        insert(table_entry=host(names, 2)),
    )
    assert failed is not None
    assert failed.code == Code.UNKNOWN
    assert failed.members == [Code.OK, Code.ALREADY_EXISTS, Code.NOT_FOUND, Code.OK]
    assert failed.texts[0] == "" and "hosts" in failed.texts[1]
    query = p4r.Entity(table_entry=p4r.TableEntry(table_id=names.table("hosts")))
    assert len(primary.read(query)) == 2


def test_an_empty_batch_succeeds(primary: Client) -> None:
    assert primary.write() is None


def test_a_large_batch_of_errors_reaches_a_client_with_room_for_it(
    primary: Client, names: Names
) -> None:
    failed = primary.write(*[delete(table_entry=host(names, mac)) for mac in range(2000)])
    assert failed is not None and failed.members == [Code.NOT_FOUND] * 2000


@pytest.mark.parametrize("atomicity", [Write.ROLLBACK_ON_ERROR, Write.DATAPLANE_ATOMIC])
def test_a_failed_atomic_batch_changes_nothing(
    bench: Bench, primary: Client, names: Names, atomicity: int
) -> None:
    for update in one_of_everything(names):
        assert primary.status(update) == Code.OK
    shot = insert(table_entry=entry(names, "acl", [exact(4, 5)], action(names, "drop"), priority=5))
    assert primary.status(shot) == Code.OK
    before = read_everything(primary)
    full = host(names, 0xBB, 9, metadata=b"new")
    full.counter_data.packet_count = 99
    default = entry(names, "keyless", [], None, is_default_action=True)
    digest = p4r.DigestEntry(digest_id=names["digests", "learn_t"])
    metered = acl(names, 10)
    changes = [
        insert(table_entry=host(names, 7)),
        modify(table_entry=full),
        delete(table_entry=full),
        modify(table_entry=metered),
        delete(table_entry=metered),
        modify(table_entry=default),
        insert(action_profile_member=member(names, "ecmp", 3)),
        modify(action_profile_member=member(names, "ecmp", 1, 5)),
        modify(action_profile_group=group(names, 1, [(3, 2)])),
        delete(action_profile_member=member(names, "ecmp", 2)),
        insert(action_profile_group=group(names, 2, [(1, 1)])),
        modify(register_entry=register(names, "values", None, 1)),
        modify(counter_entry=counter(names, None, (9, 9))),
        modify(packet_replication_engine_entry=multicast(1, [7])),
        delete(packet_replication_engine_entry=clone(5, [])),
        insert(packet_replication_engine_entry=multicast(2, [7])),
        delete(digest_entry=digest),
    ]
    failing = delete(table_entry=host(names, 0xDEAD))
    failed = primary.write(*changes, failing, atomicity=atomicity)
    assert failed is not None and failed.code == Code.UNKNOWN
    assert failed.members == [Code.ABORTED] * len(changes) + [Code.NOT_FOUND]
    assert read_everything(primary) == before
    assert primary.write(*changes, atomicity=atomicity) is None
    assert read_everything(primary) != before


@pytest.mark.parametrize("atomicity", [Write.ROLLBACK_ON_ERROR, Write.DATAPLANE_ATOMIC])
def test_one_shot_entries_come_back_after_a_failed_atomic_batch(
    primary: Client, names: Names, atomicity: int
) -> None:
    shot = entry(names, "balanced", [exact(1, 6)], one_shot(names, (1, 1), (2, 1)))
    assert primary.status(insert(table_entry=shot)) == Code.OK
    before = read_everything(primary)
    other = entry(names, "balanced", [exact(1, 6)], one_shot(names, (3, 1)))
    for change in (modify(table_entry=other), delete(table_entry=other)):
        failed = primary.write(change, delete(table_entry=host(names, 1)), atomicity=atomicity)
        assert failed is not None
        assert read_everything(primary) == before


def test_an_unknown_atomicity_is_invalid(primary: Client) -> None:
    failed = primary.write(atomicity=7)
    assert failed is not None and failed.code == Code.INVALID_ARGUMENT
    assert failed.members == []


def test_no_packet_sees_half_of_a_dataplane_atomic_batch(
    bench: Bench, primary: Client, names: Names
) -> None:
    """A hundred entries change together while packets ask two of them for their port."""
    first, last = 0x100, 0x100 + 99

    def batch(port: int, update=modify) -> list[p4r.Update]:  # type: ignore[no-untyped-def]
        return [update(table_entry=host(names, mac, port)) for mac in range(first, last + 1)]

    assert primary.write(*batch(1, insert)) is None
    flood = entry(names, "hosts", [exact(1, 0xAA)], action(names, "flood", 9))
    assert primary.status(insert(table_entry=flood)) == Code.OK
    stop = threading.Event()
    seen: list[tuple[int, int]] = []

    def traffic() -> None:
        while not stop.is_set():
            with bench.core.hold():
                ports = [
                    bench.core.process(1, mac.to_bytes(6, "big") + bytes(8))[0][0]
                    for mac in (first, last)
                ]
            seen.append((ports[0], ports[1]))

    thread = threading.Thread(target=traffic)
    thread.start()
    for port in range(2, 22):
        assert primary.write(*batch(port), atomicity=Write.DATAPLANE_ATOMIC) is None
    stop.set()
    thread.join()
    assert len(seen) > 20
    assert all(one == other for one, other in seen)


# ---- reads ----


def test_valid_queries_are_answered_and_the_others_listed(primary: Client, names: Names) -> None:
    assert primary.status(insert(table_entry=host(names, 1))) == Code.OK
    good = p4r.Entity(table_entry=p4r.TableEntry(table_id=names.table("hosts")))
    bad = p4r.Entity(table_entry=p4r.TableEntry(table_id=0xBAD))
    failed = primary.read_failure(good, bad, good, p4r.Entity())
    assert failed.code == Code.UNKNOWN
    assert failed.members == [Code.OK, Code.INVALID_ARGUMENT, Code.OK, Code.INVALID_ARGUMENT]
    request = p4r.ReadRequest(device_id=1, entities=[good, bad, good])
    found = []
    try:
        for response in primary.stub.Read(request):
            found += response.entities
    except Exception:
        pass
    assert len(found) == 2


def test_a_read_needs_neither_stream_nor_election_id(
    bench: Bench, primary: Client, names: Names
) -> None:
    reader = bench.client()
    query = p4r.Entity(table_entry=p4r.TableEntry(table_id=names.table("constant")))
    assert len(reader.read(query)) == 2


def test_large_reads_come_in_messages_below_the_default_limit(
    primary: Client, names: Names
) -> None:
    count = 40_000
    updates = [
        insert(table_entry=entry(names, "routes", [prefix(place)], action(names, "forward", 1)))
        for place in range(count)
    ]
    assert primary.write(*updates) is None
    request = p4r.ReadRequest(device_id=1)
    request.entities.add().table_entry.table_id = names.table("routes")
    sizes, total = [], 0
    for response in primary.stub.Read(request):
        sizes.append(response.ByteSize())
        total += len(response.entities)
    assert total == count
    assert len(sizes) > 1 and max(sizes) < 4 << 20


def prefix(place: int) -> p4r.FieldMatch:
    match = p4r.FieldMatch(field_id=1)
    match.lpm.value = (0x0A000000 + place).to_bytes(4, "big")
    match.lpm.prefix_len = 32
    return match


def test_externs_are_unimplemented_but_all_of_them_are_none(primary: Client) -> None:
    extern = p4r.ExternEntry(extern_type_id=5, extern_id=6)
    assert primary.status(insert(extern_entry=extern)) == Code.UNIMPLEMENTED
    assert primary.read_failure(p4r.Entity(extern_entry=extern)).members == [Code.UNIMPLEMENTED]
    query = p4r.Entity()
    query.extern_entry.SetInParent()
    assert primary.read(query) == []
