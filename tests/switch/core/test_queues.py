"""Egress queues with a rate, against a model in plain Python."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import NamedTuple

import pytest

from qplane_cext.switch.core import SwitchCore, SwitchError

Make = Callable[..., SwitchCore]


class Out(NamedTuple):
    """A packet that came out, and what it saw of its queue."""

    port: int
    number: int
    enqueued_us: int
    depth_before: int
    waited_us: int
    depth_after: int


def ask(port: int, priority: int, number: int) -> bytes:
    return port.to_bytes(2, "big") + bytes([priority]) + number.to_bytes(2, "big")


def seen(packets: list[tuple[int, bytes]]) -> list[Out]:
    found = []
    for port, data in packets:
        cuts = ((17, 19), (3, 7), (7, 10), (10, 14), (14, 17))
        found.append(Out(port, *(int.from_bytes(data[a:b], "big") for a, b in cuts)))
    return found


def test_without_a_rate_a_queue_is_always_empty(switch: Make) -> None:
    core = switch("queues")
    core.set_queue(depth=1)
    for number in range(10):
        assert seen(core.process(0, ask(3, 0, number), 5)) == [Out(3, number, 5, 0, 0, 0)]
    assert core.next_due_us() is None


def test_a_queue_holds_packets_back_and_drops_what_does_not_fit(switch: Make) -> None:
    core = switch("queues")
    core.set_queue(port=3, rate=1000, depth=3)  # one a millisecond
    assert seen(core.process(0, ask(3, 0, 0), 100_000)) == [Out(3, 0, 100_000, 0, 0, 0)]
    for number in range(1, 6):
        assert core.process(0, ask(3, 0, number), 100_000) == []
    assert core.stats["dropped_queue"] == 2
    assert core.next_due_us() == 101_000
    assert core.release(100_999) == []
    # Another packet lets go what is due, before it is looked at itself.
    late = seen(core.process(0, ask(4, 0, 9), 102_500))
    assert late == [
        Out(3, 1, 100_000, 0, 2_500, 2),
        Out(3, 2, 100_000, 1, 2_500, 1),
        Out(4, 9, 102_500, 0, 0, 0),
    ]
    assert seen(core.release(103_000)) == [Out(3, 3, 100_000, 2, 3_000, 0)]
    assert core.next_due_us() is None


def test_of_packets_that_are_due_the_higher_priority_leaves_first(switch: Make) -> None:
    core = switch("queues", priority_queues=4)
    core.set_queue(rate=10_000)
    for number, priority in enumerate((0, 1, 3)):
        assert len(core.process(0, ask(3, priority, number), 100_000)) == 1
    for number, priority in enumerate((0, 3, 1, 0, 3)):
        assert core.process(0, ask(3, priority, number), 100_000) == []
    assert core.process(0, ask(3, 4, 9), 100_000) == []  # no such priority
    assert core.stats["dropped_priority"] == 1
    assert [one.number for one in seen(core.release(200_000))] == [1, 4, 2, 0, 3]


def test_packets_of_a_stopped_port_wait_until_it_is_resumed(switch: Make) -> None:
    core = switch("queues", priority_queues=4)
    core.set_queue(depth=5)
    core.stop(3)
    for number, priority in enumerate((0, 0, 0, 2, 0, 0, 0)):
        assert core.process(0, ask(3, priority, number), 100_000) == []
    assert core.stats["dropped_queue"] == 1
    assert core.next_due_us() is None
    assert core.release(10**12) == []
    assert [one.port for one in seen(core.process(0, ask(4, 0, 9), 100_000))] == [4]
    packets, more = core.resume(3, 3, 101_000)
    assert seen(packets) == [
        Out(3, 3, 100_000, 0, 1_000, 0),
        Out(3, 0, 100_000, 0, 1_000, 4),
        Out(3, 1, 100_000, 1, 1_000, 3),
    ]
    assert more
    assert core.process(0, ask(3, 0, 7), 101_000) == []  # behind those that wait
    packets, more = core.resume(3, 9, 102_000)
    assert [(one.number, one.depth_before) for one in seen(packets)] == [
        (2, 2), (4, 3), (5, 4), (7, 3),
    ]  # fmt: skip
    assert not more
    assert seen(core.process(0, ask(3, 0, 8), 103_000)) == [Out(3, 8, 103_000, 0, 0, 0)]
    with pytest.raises(SwitchError, match="port 512"):
        core.stop(512)


def test_replicas_wait_in_the_queues_of_their_ports(switch: Make) -> None:
    core = switch("queues")
    core.multicast_set(1, [(1, 0), (2, 0), (2, 1)])
    core.set_queue(port=2, rate=1000)
    assert [one.port for one in seen(core.process(0, ask(0xFFFF, 0, 1), 100_000))] == [1, 2]
    assert [one.port for one in seen(core.release(101_000))] == [2]


def test_a_new_program_does_not_get_the_packets_of_the_old_one(switch: Make) -> None:
    core = switch("queues")
    core.set_queue(rate=1)
    for number in range(3):
        core.process(0, ask(3, 0, number), 100_000)
    assert core.next_due_us() is not None
    core.commit(core.pipeline)
    assert core.next_due_us() is None and core.release(10_000_000) == []


@pytest.mark.parametrize("wrong", [{"port": 512}, {"priority": 2}, {"rate": -1}, {"depth": -1}])
def test_queues_that_are_not_there_are_refused(switch: Make, wrong: dict[str, int]) -> None:
    with pytest.raises(SwitchError):
        switch("queues", priority_queues=2).set_queue(**{"rate": 5, **wrong})


class Model:
    """Queues of one port as BMv2 has them: a time to leave for each packet that is let in."""

    def __init__(self, gap_us: int, depth: int) -> None:
        self.gap_us, self.depth = gap_us, depth
        self.last = dict.fromkeys(range(3), 0)
        self.waiting: list[tuple[int, int, int, int, int]] = []

    def push(self, now: int, priority: int, number: int) -> None:
        before = sum(one[1] == -priority for one in self.waiting)
        if before < self.depth:
            self.last[priority] = max(now, self.last[priority] + self.gap_us)
            self.waiting.append((self.last[priority], -priority, number, now, before))

    def pop(self, now: int) -> list[Out]:
        found = []
        while due := sorted(
            (one[1], one[0], one[2:], one) for one in self.waiting if one[0] <= now
        ):
            (_, priority, number, enqueued, before) = due[0][-1]
            self.waiting.remove(due[0][-1])
            after = sum(one[1] == priority for one in self.waiting)
            found.append(Out(3, number, enqueued, before, now - enqueued, after))
        return found


def test_random_traffic_leaves_as_the_model_says(switch: Make) -> None:
    random = Random(7)
    core, model = switch("queues", priority_queues=3), Model(50, 5)
    core.set_queue(rate=20_000, depth=5)
    now, out = 1000, 0
    for number in range(5000):
        now += random.choice((0, 0, 1, 10, 40, 200))
        priority = random.randrange(3)
        expected = model.pop(now)
        model.push(now, priority, number)
        expected += model.pop(now)
        found = seen(core.process(0, ask(3, priority, number), now))
        assert found == expected
        out += len(found)
    assert seen(core.release(now + 10_000)) == model.pop(now + 10_000)
    assert 1000 < out < 5000 and core.stats["dropped_queue"] > 50
