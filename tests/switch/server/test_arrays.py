"""Indexed counters, meters and registers; value sets."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from finsy.proto import p4r

from qplane.switch.errors import Code

from .client import Client, Names, delete, insert, modify
from .conftest import Bench
from .entries import action, counter, entry, exact, meter, minimal, register, value_set

IPV4 = bytes.fromhex("0000000000ff 000000000001 0800") + bytes.fromhex(
    "4500 0014 00000000 40 11 0000 0a000001 0a000002"
)


def update_of(names: Names, kind: str, index: int | None) -> tuple[str, object]:
    if kind == "counter_entry":
        return kind, counter(names, index, (1, 2))
    if kind == "meter_entry":
        return kind, meter(names, index, (1, 1, 2, 2))
    return kind, register(names, "values", index, 5)


KINDS = ("counter_entry", "meter_entry", "register_entry")


@pytest.mark.parametrize("kind", KINDS)
def test_cells_are_only_modified_within_their_array(
    primary: Client, names: Names, kind: str
) -> None:
    for change in (insert, delete):
        name, message = update_of(names, kind, 0)
        assert primary.status(change(**{name: message})) == Code.INVALID_ARGUMENT
    for index, code in ((0, Code.OK), (15, Code.OK), (16, Code.OUT_OF_RANGE),
                        (-1, Code.INVALID_ARGUMENT), (1 << 40, Code.OUT_OF_RANGE)):  # fmt: skip
        name, message = update_of(names, kind, index)
        assert primary.status(modify(**{name: message})) == code
        if code != Code.OK:
            assert primary.read_failure(p4r.Entity(**{name: message})).members == [code]


@pytest.mark.parametrize("kind", KINDS)
def test_without_an_index_all_cells_are_written_and_read(
    primary: Client, names: Names, kind: str
) -> None:
    name, message = update_of(names, kind, None)
    assert primary.status(modify(**{name: message})) == Code.OK
    found = [getattr(item, name) for item in primary.read(p4r.Entity(**{name: message}))]
    assert [item.index.index for item in found] == list(range(16))
    for item in found:
        _, expected = update_of(names, kind, item.index.index)
        assert item == expected


@pytest.mark.parametrize("kind", KINDS)
def test_with_id_zero_all_arrays_are_read(primary: Client, names: Names, kind: str) -> None:
    query = p4r.Entity()
    getattr(query, kind).SetInParent()
    sizes = {"counter_entry": 16, "meter_entry": 16, "register_entry": 16 + 4 + 8}
    assert len(primary.read(query)) == sizes[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_an_unknown_array_is_invalid(primary: Client, names: Names, kind: str) -> None:
    name, message = update_of(names, kind, 0)
    setattr(message, {"c": "counter_id", "m": "meter_id", "r": "register_id"}[kind[0]], 0x12345)
    assert primary.status(modify(**{name: message})) == Code.INVALID_ARGUMENT
    assert primary.read_failure(p4r.Entity(**{name: message})).members == [Code.INVALID_ARGUMENT]


def test_counters_count_packets_and_bytes(bench: Bench, primary: Client, names: Names) -> None:
    for _ in range(3):
        bench.process(2, bytes(60))
    (found,) = primary.read(p4r.Entity(counter_entry=counter(names, 2)))
    assert found.counter_entry.data == p4r.CounterData(packet_count=3, byte_count=180)
    without_data = p4r.CounterEntry(counter_id=counter(names, 0).counter_id)
    assert primary.status(modify(counter_entry=without_data)) == Code.OK
    (found,) = primary.read(p4r.Entity(counter_entry=counter(names, 2)))
    assert found.counter_entry.data.packet_count == 3, "unset data: not changed"
    negative = counter(names, 0, (-1, 0))
    assert primary.status(modify(counter_entry=negative)) == Code.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("code", "change"),
    [
        (Code.INVALID_ARGUMENT, lambda m: setattr(m.config, "cir", 300)),
        (Code.INVALID_ARGUMENT, lambda m: setattr(m.config, "pburst", -1)),
        (Code.INVALID_ARGUMENT, lambda m: setattr(m.config, "eburst", 1)),
        (Code.INVALID_ARGUMENT, lambda m: setattr(m.counter_data.red, "byte_count", 1)),
    ],
    ids=["cir above pir", "negative", "eburst of a two-rate meter", "colour counters"],
)
def test_a_wrong_meter_configuration_is_refused(
    primary: Client, names: Names, code: Code, change: Callable[[p4r.MeterEntry], object]
) -> None:
    message = meter(names, 0, (100, 1, 200, 2))
    change(message)
    assert primary.status(modify(meter_entry=message)) == code
    (found,) = primary.read(p4r.Entity(meter_entry=meter(names, 0)))
    assert not found.meter_entry.HasField("config")


def test_a_meter_is_reset_by_an_unset_configuration(primary: Client, names: Names) -> None:
    assert primary.status(modify(meter_entry=meter(names, 0, (1, 1, 2, 2)))) == Code.OK
    assert primary.status(modify(meter_entry=meter(names, 0))) == Code.OK
    (found,) = primary.read(p4r.Entity(meter_entry=meter(names, 0)))
    assert found.meter_entry == meter(names, 0)


def test_counters_by_colour_are_read_when_asked_for_and_reset(
    bench: Bench, primary: Client, names: Names
) -> None:
    def read(index: int | None, *, ask: bool = True) -> list[p4r.MeterEntry]:
        query = meter(names, index)
        if ask:
            query.counter_data.SetInParent()
        return [found.meter_entry for found in primary.read(p4r.Entity(meter_entry=query))]

    config = (1, 1, 2, 2)  # one is green, one yellow
    assert primary.status(modify(meter_entry=meter(names, 2, config))) == Code.OK
    for _ in range(5):
        bench.process(2, bytes(60))
    (found,) = read(2)
    counts = {name: getattr(found.counter_data, name) for name in ("green", "yellow", "red")}
    assert {name: count.packet_count for name, count in counts.items()} == {
        "green": 1, "yellow": 1, "red": 3
    }  # fmt: skip
    assert counts["red"].byte_count == 180
    (found,) = read(2, ask=False)
    assert found == meter(names, 2, config)
    assert [one.counter_data.red.packet_count for one in read(None)].count(3) == 1

    reset = meter(names, 2, config)
    reset.counter_data.SetInParent()
    bad = meter(names, 99)
    changes = modify(meter_entry=reset), modify(meter_entry=bad)
    failed = primary.write(*changes, atomicity=p4r.WriteRequest.ROLLBACK_ON_ERROR)
    assert failed is not None and failed.members == [Code.ABORTED, Code.OUT_OF_RANGE]
    assert read(2)[0].counter_data.red.packet_count == 3
    assert primary.status(modify(meter_entry=reset)) == Code.OK
    assert read(2)[0].counter_data.red.packet_count == 0


def test_a_direct_meter_counts_by_colour_too(bench: Bench, primary: Client, names: Names) -> None:
    plain = entry(names, "acl", [exact(4, 1)], action(names, "mark", 7), priority=5)
    metered = p4r.TableEntry()
    metered.CopyFrom(plain)
    metered.meter_config.CopyFrom(p4r.MeterConfig(cir=1, cburst=1, pir=1, pburst=1))
    assert primary.status(insert(table_entry=metered)) == Code.OK
    for _ in range(3):
        bench.process(1, IPV4)

    def both() -> tuple[p4r.MeterCounterData, p4r.MeterCounterData]:
        query = p4r.TableEntry(table_id=plain.table_id)
        query.meter_counter_data.SetInParent()
        (with_entry,) = primary.read(p4r.Entity(table_entry=query))
        direct = p4r.DirectMeterEntry(table_entry=plain)
        direct.counter_data.SetInParent()
        (alone,) = primary.read(p4r.Entity(direct_meter_entry=direct))
        return with_entry.table_entry.meter_counter_data, alone.direct_meter_entry.counter_data

    one, other = both()
    assert one == other
    assert (one.green.packet_count, one.red.packet_count) == (1, 2)
    assert one.red.byte_count == 2 * len(IPV4)
    deleted = (delete(table_entry=plain), delete(table_entry=plain))
    assert primary.write(*deleted, atomicity=p4r.WriteRequest.ROLLBACK_ON_ERROR) is not None
    assert both()[0] == one, "a deletion taken back brings them back"
    metered.meter_counter_data.red.packet_count = 1
    assert primary.status(modify(table_entry=metered)) == Code.INVALID_ARGUMENT
    metered.meter_counter_data.red.packet_count = 0
    assert primary.status(modify(table_entry=metered)) == Code.OK
    assert both()[0].red.packet_count == 0


def test_a_single_rate_meter_takes_equal_rates_only(
    primary: Client, names: Names, config: p4r.ForwardingPipelineConfig
) -> None:
    single = p4r.ForwardingPipelineConfig()
    single.CopyFrom(config)
    single.p4info.meters[0].spec.type = 2  # SINGLE_RATE_TWO_COLOR
    assert primary.push(single) is None
    good = meter(names, 0, (5, 6, 5, 6))
    assert primary.status(modify(meter_entry=good)) == Code.OK
    assert (
        primary.status(modify(meter_entry=meter(names, 0, (5, 6, 7, 6)))) == Code.INVALID_ARGUMENT
    )
    single.p4info.meters[0].spec.type = 1  # SINGLE_RATE_THREE_COLOR
    assert primary.push(single) is None
    good.config.eburst = 3
    assert primary.status(modify(meter_entry=good)) == Code.OK
    (found,) = primary.read(p4r.Entity(meter_entry=meter(names, 0)))
    assert found.meter_entry == good


def test_registers_hold_unsigned_signed_and_single_bits(
    bench: Bench, primary: Client, names: Names
) -> None:
    def value(name: str, index: int) -> bytes:
        (found,) = primary.read(p4r.Entity(register_entry=register(names, name, index, None)))
        return found.register_entry.data.bitstring

    assert value("values", 0) == b"\0"
    bench.process(1, IPV4)
    assert value("values", 0) == b"\1"
    assert value("signed_values", 0) == b"\xff"  # -1, canonical
    assert value("bits", 0) == b"\1"
    for text, back in (
        (b"\xfd\x1d", b"\xfd\x1d"),
        (b"\xff\xff\xff", b"\xff"),
        (b"\0\x7f", b"\x7f"),
    ):
        message = register(names, "signed_values", 1, None)
        message.data.bitstring = text
        assert primary.status(modify(register_entry=message)) == Code.OK
        assert value("signed_values", 1) == back


@pytest.mark.parametrize(
    ("code", "name", "change"),
    [
        (Code.INVALID_ARGUMENT, "values", lambda m: m.ClearField("data")),
        (Code.INVALID_ARGUMENT, "values", lambda m: setattr(m.data, "bool", True)),
        (Code.OUT_OF_RANGE, "values", lambda m: setattr(m.data, "bitstring", b"")),
        (Code.OUT_OF_RANGE, "values", lambda m: setattr(m.data, "bitstring", b"\1" * 5)),
        (Code.OUT_OF_RANGE, "signed_values", lambda m: setattr(m.data, "bitstring", b"\x08\x00")),
        (Code.OUT_OF_RANGE, "bits", lambda m: setattr(m.data, "bitstring", b"\2")),
    ],
    ids=["no data", "wrong kind", "empty", "too wide", "beyond int<12>", "beyond a bit"],
)
def test_wrong_register_data_is_refused(
    primary: Client, names: Names, code: Code, name: str,
    change: Callable[[p4r.RegisterEntry], object],
) -> None:  # fmt: skip
    message = register(names, name, 0, 1)
    change(message)
    assert primary.status(modify(register_entry=message)) == code


# ---- value sets ----


def members_of(client: Client, names: Names) -> list[bytes]:
    query = p4r.Entity()
    query.value_set_entry.SetInParent()
    (found,) = client.read(query)
    return [item.match[0].exact.value for item in found.value_set_entry.members]


def test_a_value_set_is_written_as_a_whole_and_steers_the_parser(
    bench: Bench, primary: Client, names: Names
) -> None:
    odd = IPV4[:12] + b"\x88\xb5" + IPV4[14:]

    def parsed_as_ipv4() -> bool:
        before = bench.core.register_read("IngressImpl.values", 0)
        bench.process(1, odd)
        return bench.core.register_read("IngressImpl.values", 0) != before

    assert members_of(primary, names) == []
    assert not parsed_as_ipv4()
    update = modify(value_set_entry=value_set(names, [0x88B5, 0x88B6]))
    assert primary.status(update) == Code.OK
    assert members_of(primary, names) == [minimal(0x88B5), minimal(0x88B6)]
    assert parsed_as_ipv4()
    assert primary.status(modify(value_set_entry=value_set(names, [0x1]))) == Code.OK
    assert not parsed_as_ipv4()
    assert primary.status(modify(value_set_entry=value_set(names, []))) == Code.OK
    assert members_of(primary, names) == []


def test_wrong_value_sets_are_refused_and_change_nothing(primary: Client, names: Names) -> None:
    good = value_set(names, [1])
    assert primary.status(modify(value_set_entry=good)) == Code.OK
    for change in (insert, delete):
        assert primary.status(change(value_set_entry=good)) == Code.INVALID_ARGUMENT
    too_many = value_set(names, range(5))
    assert primary.status(modify(value_set_entry=too_many)) == Code.RESOURCE_EXHAUSTED
    twice = value_set(names, [2, 2])
    assert primary.status(modify(value_set_entry=twice)) == Code.ALREADY_EXISTS
    too_wide = value_set(names, [0x10000])
    assert primary.status(modify(value_set_entry=too_wide)) == Code.OUT_OF_RANGE
    unknown = p4r.ValueSetEntry(value_set_id=77)
    assert primary.status(modify(value_set_entry=unknown)) == Code.INVALID_ARGUMENT
    empty = p4r.ValueSetEntry(value_set_id=good.value_set_id)
    empty.members.add()
    assert primary.status(modify(value_set_entry=empty)) == Code.INVALID_ARGUMENT
    assert members_of(primary, names) == [b"\1"]
