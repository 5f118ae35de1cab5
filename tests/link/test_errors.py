"""Attempts that fail because one end is slow do not become messages that make it slower."""

from __future__ import annotations

from qplane.link.mhp import MhpError, MhpErrorCode, QueueId
from qplane.link.peer_memory import PeerMemory
from qplane.link.retry import WAIT_ROUND_TRIPS
from qplane.wire.egp import EgpBody

from .rig import TIMING, Link
from .world import World


def test_the_other_end_is_asked_no_more_often_than_it_can_answer() -> None:
    world = World(seed=1)
    link = Link(world, success=1e-9)
    sink = link.create(0, number=3)
    world.run(lambda: sink.is_queued, for_ps=100 * TIMING.round_trip_ps)
    error = MhpError(QueueId(0, 0), MhpErrorCode.NO_CLASSICAL_OTHER, 0)
    egp, channel = link.ends[0], link.channels[0]

    def asked_by_errors() -> int:
        before = channel.sent
        for _ in range(100):
            egp.on_error(error)
        return channel.sent - before

    assert asked_by_errors() == 2  # HELLO, and for memory
    assert asked_by_errors() == 0
    later_ps = world.now_ps() + WAIT_ROUND_TRIPS * TIMING.round_trip_ps
    world.run(lambda: world.now_ps() >= later_ps, for_ps=10 * TIMING.round_trip_ps)
    assert 1 <= asked_by_errors() <= 2


def test_a_forged_count_of_free_memory_lasts_until_the_next_message() -> None:
    peer = PeerMemory(World(seed=1), TIMING.round_trip_ps, lambda: None, lambda: None)

    def say(serial: int, free: int) -> None:
        peer.hear(EgpBody(1, 0, 0, 1, free_communication=free, serial=serial))

    say(5, 4)
    say(4, 0)  # late
    assert peer.has(4)
    say(5 + 2**31, 0)  # forged
    assert not peer.has(1)
    say(6, 4)
    assert peer.has(4)
