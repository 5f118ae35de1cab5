"""P4Runtime requests with fields changed at random: always a status, never an exception.

A fast and a plain switch get the same requests, so every status and the state are judged as well.
QPLANE_FUZZ_ROUNDS sets how many are tried.
"""

from __future__ import annotations

import contextlib
import os
import random
from typing import Any

from finsy.proto import p4r
from switch.server.client import insert, modify
from switch.server.entries import acl, entry, exact, host, one_of_everything, one_shot
from switch.server.test_fast_path import NAMES, Switch, outcome

from qplane.switch.errors import Code, StatusError

ROUNDS = int(os.environ.get("QPLANE_FUZZ_ROUNDS", "1500"))
BYTES = (b"", b"\0", b"\1", b"\xff", b"\1\0\0", b"\0\0\1", bytes(20), b"\xff" * 9)
NUMBERS = (0, 1, 2, 3, 5, 9, -1, 255, 1 << 31, (1 << 31) - 1, 1 << 40)


def templates() -> list[p4r.Update]:
    """A well-formed update of every kind."""
    counter = p4r.DirectCounterEntry(table_entry=host(NAMES, 0xBB))
    counter.data.packet_count = 1
    meter = p4r.DirectMeterEntry(table_entry=acl(NAMES, 10))
    meter.config.pir = 2
    shot = entry(NAMES, "balanced", [exact(1, 6)], one_shot(NAMES, (1, 1), (2, 1)))
    return [
        *one_of_everything(NAMES),
        insert(table_entry=shot),
        modify(direct_counter_entry=counter),
        modify(direct_meter_entry=meter),
    ]


def messages_in(message: Any) -> list[Any]:
    """A message and all that are in it."""
    found = [message]
    for field, value in message.ListFields():
        if field.message_type is not None:
            for item in value if field.is_repeated else [value]:
                found += messages_in(item)
    return found


def change(message: Any, rng: random.Random) -> None:
    """Change one field somewhere in a message."""
    target = rng.choice(messages_in(message))
    fields = list(target.DESCRIPTOR.fields)
    if not fields:
        return
    field = rng.choice(fields)
    if field.is_repeated:
        values = getattr(target, field.name)
        if len(values) and rng.random() < 0.5:
            del values[rng.randrange(len(values))]
        elif field.message_type is not None:
            values.add()
        return
    if field.message_type is not None:
        if target.HasField(field.name) and rng.random() < 0.5:
            target.ClearField(field.name)
        else:
            getattr(target, field.name).SetInParent()
        return
    value: object = rng.choice(NUMBERS)
    if field.type == field.TYPE_BYTES:
        value = rng.choice(BYTES)
    elif field.type == field.TYPE_STRING:
        value = rng.choice(["", "x"])
    elif field.type == field.TYPE_BOOL:
        value = rng.random() < 0.5
    with contextlib.suppress(ValueError):  # a number that the field's type can't hold
        setattr(target, field.name, value)


def test_changed_requests_get_a_status_and_the_same_one_on_both_paths() -> None:
    rng = random.Random(4)
    known = templates()
    fast, plain = Switch(), Switch()
    seen: set[Code] = set()
    for number in range(ROUNDS):
        request = p4r.WriteRequest(device_id=1, atomicity=rng.choice([0, 0, 0, 1, 2]))
        request.election_id.low = 1
        for _ in range(rng.choice([1, 1, 2, 4])):
            update = request.updates.add()
            update.CopyFrom(rng.choice(known))
            update.type = rng.choice([1, 2, 3, update.type, update.type])
            for _ in range(rng.choice([0, 1, 1, 2, 3])):
                change(update, rng)
        data = request.SerializeToString()
        found = outcome(fast.service.write, data)
        assert found == outcome(plain.general, data), request
        assert Code.INTERNAL not in found, request
        seen.update(found)
        if number % 20 == 0:
            read_changed(fast, known, rng)
        if number % 250 == 0:
            assert fast.everything() == plain.everything()
    assert fast.everything() == plain.everything()
    assert seen >= {
        Code.OK, Code.INVALID_ARGUMENT, Code.OUT_OF_RANGE, Code.NOT_FOUND, Code.ALREADY_EXISTS,
        Code.FAILED_PRECONDITION, Code.UNIMPLEMENTED, Code.ABORTED,
    }  # fmt: skip


def read_changed(switch: Switch, known: list[p4r.Update], rng: random.Random) -> None:
    request = p4r.ReadRequest(device_id=1)
    for update in known:
        entity = request.entities.add()
        entity.CopyFrom(update.entity)
        if rng.random() < 0.7:
            change(entity, rng)
    try:
        _, error = switch.device.read(request)
    except StatusError:
        return
    if error is not None:
        assert len(error.errors) == len(request.entities)
        assert all(one is None or one.code != Code.INTERNAL for one in error.errors)
