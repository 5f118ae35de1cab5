"""Random packets: well formed for the program, then mutated, cut and padded in part."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from finsy.proto import p4r

from qplane.switch import Switch

from .grammar import Grammar
from .life import LIVES
from .programs import CPU_PORT, PORTS, Program
from .target import Packet
from .values import byte

LONGEST = 100


def sequence(
    program: Program, state: Sequence[p4r.Update], rng: Random, count: int
) -> list[Packet]:
    """Packets and the ports they come in by. A switch in this process says how what comes later can
    refer to what came before."""
    if program.name not in LIVES:
        grammar = Grammar(program)
        return [_anything(program, grammar, rng) for _ in range(count)]
    switch = Switch(program.json, program.p4info)
    for update in state:
        switch.write(update.type, update.entity)
    traffic = LIVES[program.name].traffic(rng)
    made = []
    for _ in range(count):
        port, data = traffic.packet()
        packet = (port, _changed(data, rng))
        if rng.random() < 0.01:
            packet = _packet_out(program, rng, data)
        traffic.heard(switch.inject(*packet))
        made.append(packet)
    return made


def _anything(program: Program, grammar: Grammar, rng: Random) -> Packet:
    """What its parser goes deep into, or noise."""
    if rng.random() < 0.7:
        data = _changed(grammar.packet(rng), rng)
    else:
        data = bytes(byte(rng) for _ in range(rng.randrange(1, LONGEST)))
    if program.has_packet_out and rng.random() < 0.02:
        return _packet_out(program, rng, data)
    return rng.choice(PORTS), data


def _packet_out(program: Program, rng: Random, data: bytes) -> Packet:
    (info,) = (
        item
        for item in program.p4info.controller_packet_metadata
        if item.preamble.name == "packet_out"
    )
    bits = sum(item.bitwidth for item in info.metadata)
    return CPU_PORT, (rng.choice(PORTS) << bits - 9).to_bytes(bits // 8, "big") + data


def _changed(data: bytes, rng: Random) -> bytes:
    draw = rng.random()
    if draw < 0.75:
        return data
    if draw < 0.83:
        place = rng.randrange(len(data))
        return data[:place] + bytes([data[place] ^ 1 << rng.randrange(8)]) + data[place + 1 :]
    if draw < 0.91:
        return data[: rng.randrange(1, len(data) + 1)]
    if draw < 0.97:
        return data + bytes(rng.randrange(1, 40))
    return bytes(byte(rng) for _ in range(rng.randrange(1, LONGEST)))
