"""P4Infos with fields changed at random: refused with a reason, or good enough to run."""

from __future__ import annotations

import contextlib
import os
import random
from typing import Any

from finsy.proto import p4r
from switch.server.client import load_program

from qplane.switch.device import Device
from qplane.switch.errors import Code, StatusError
from qplane.switch.pipeline_config import load_config
from qplane_cext.switch.core import SwitchCore

ROUNDS = int(os.environ.get("QPLANE_FUZZ_ROUNDS", "300"))
PACKET = bytes.fromhex("0000000000aa 000000000001 0800") + bytes(20)


def scalars_in(message: Any) -> list[tuple[Any, Any]]:
    """(message, field) of every scalar that is set."""
    found = []
    for field, value in message.ListFields():
        if field.message_type is None:
            found.append((message, field))
        elif not (field.is_repeated and field.message_type.GetOptions().map_entry):
            for item in value if field.is_repeated else [value]:
                found += scalars_in(item)
    return found


def change(message: Any, rng: random.Random) -> None:
    """Change one scalar somewhere in a message."""
    target, field = rng.choice(scalars_in(message))
    if rng.random() < 0.3:
        target.ClearField(field.name)
        return
    value = getattr(target, field.name)
    if field.is_repeated:
        if len(value) and rng.random() < 0.5:
            del value[rng.randrange(len(value))]
        elif len(value):
            value.append(value[0])
        return
    changed: object
    if isinstance(value, bool):
        changed = not value
    elif isinstance(value, int):
        changed = rng.choice([0, 1, -1, value + 1, value - 1, 1 << 30, 5])
    else:
        changed = rng.choice(["", value[:-1], value + "x", "IngressImpl.hosts"])
    with contextlib.suppress(ValueError):  # a number that the field's type can't hold
        setattr(target, field.name, changed)


def test_changed_p4infos_are_refused_with_a_reason_or_run() -> None:
    rng = random.Random(5)
    original = load_program("p4runtime")
    device = Device(1, SwitchCore(), inject=lambda port, data: None)
    device.commit(load_config(original))
    accepted = 0
    for _ in range(ROUNDS):
        config = p4r.ForwardingPipelineConfig()
        config.CopyFrom(original)
        for _ in range(rng.choice([1, 1, 2, 4])):
            change(config.p4info, rng)
        try:
            loaded = load_config(config)
        except StatusError as error:
            assert error.code == Code.INVALID_ARGUMENT
            assert error.message
            continue
        accepted += 1
        device.commit(loaded)
        device.core.process(1, PACKET)
    assert 0 < accepted < ROUNDS
