"""The fast encoder against finsy's own."""

from __future__ import annotations

import pytest
from finsy.proto import p4r

from qplane.control.encoding import entity_of, request_of, update_of
from qplane.control.entries import Group, TableEntry, table_entry
from qplane.control.program import schema
from qplane.control.tables import desired
from qplane.net import loads

NET = """\
[network]
name = "two"
[memories.m]
slots = 4
[nodes]
a = { memory = "m" }
b = { memory = "m" }
[[hosts]]
name = "h"
node = "a"
ip = "10.0.0.1"
[[hosts]]
name = "g"
node = "b"
ip = "10.0.0.2"
[[links]]
between = ["a", "b"]
length = "1 km"
"""


def encode(entry, program):
    return p4r.Entity.FromString(entity_of(entry, program))


def test_all_classical_entries_are_encoded_as_by_finsy():
    entries = [entry for listed in desired(loads(NET), []).values() for entry in listed]
    assert len({entry.table for entry in entries}) >= 4
    for entry in entries:
        assert encode(entry, schema()) == entry.to_finsy().encode(schema())


@pytest.mark.parametrize(
    "entry",
    [
        table_entry("label_in", {"ingress": 3, "label": 16}, "set_circuit", circuit_id=0, side=1,
                    slice=0),
        table_entry("label_in", {"ingress": 3, "label": 16}, "set_circuit"),
        table_entry("label_in", {"ingress": 3, "label": 0}, "set_circuit", slice=0, side=1,
                    circuit_id=1023),
        table_entry("ipv4_route", {"dst": (0x0A000001, 32)}, "route", port=1, src_mac=2, dst_mac=3),
        table_entry("ipv4_route", {"dst": (0, 0)}, "route", port=1, src_mac=2, dst_mac=3),
        Group(7, ((509, 3), (1, 1))),
    ],
)  # fmt: skip
def test_corner_cases_are_encoded_as_by_finsy(entry):
    assert encode(entry, schema()) == entry.to_finsy().encode(schema())


@pytest.mark.parametrize(
    "entry",
    [
        TableEntry("nowhere", (("label", 1),), "set_circuit"),
        TableEntry("label_in", (("nothing", 1),), "set_circuit"),
        TableEntry("label_in", (("ingress", 1), ("label", 1)), "repeater"),
        TableEntry("label_in", (("ingress", 1), ("label", 1 << 20)), "set_circuit"),
        table_entry("label_in", {"ingress": 3, "label": 16}, "set_circuit", circuit_id=1),
        table_entry("label_in", {"ingress": 3, "label": 16}, "set_circuit", circuit_id=1, side=1,
                    slice=64),
        table_entry("label_in", {"ingress": 3, "label": 16}, "set_circuit", circuit_id=1, side=1,
                    none=1),
    ],
)  # fmt: skip
def test_errors_are_finsys(entry):
    with pytest.raises(ValueError) as expected:
        entry.to_finsy().encode(schema())
    with pytest.raises(ValueError) as raised:
        encode(entry, schema())
    assert str(raised.value) == str(expected.value)


def test_a_request_is_what_protobuf_would_make_of_it():
    entries = desired(loads(NET), [])["a"]
    large = Group(7, tuple((port, 1) for port in range(400)))  # its length takes three bytes
    request = p4r.WriteRequest(device_id=3)
    updates = []
    for entry in [*entries, large]:
        for operation in (p4r.Update.INSERT, p4r.Update.DELETE):
            entity = entry.to_finsy().encode(schema())
            request.updates.add(type=operation, entity=entity)
            updates.append(update_of(operation, entity_of(entry, schema())))
    assert len(request.updates[-1].SerializeToString()) > 1024
    assert request_of(3, updates) == request
