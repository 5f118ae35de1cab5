"""The engine by the wall clock: nothing early, lateness measured, what was due made up for."""

import socket
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qplane_cext.sim.durations import summarize_durations
from qplane_cext.sim.external import ExternalSwitch
from qplane_cext.sim.network import Network
from qplane_cext.sim.pacing import Pacer

PS = 10**12


class Echo:
    """A switch in Python that sends a frame on port 1 out of port 2 and notes when."""

    def __init__(self):
        self.seen = []

    def process(self, port, data, now_us):
        self.seen.append((time.monotonic(), now_us, port, bytes(data)))
        return [(2, data)] if port == 1 else []


class Ticking:
    """Two switches; a frame crosses the channel of `delay_ps` between them."""

    def __init__(self, delay_ps, time_scale):
        self.left, self.right = Echo(), Echo()
        self.network = Network(1)
        nodes = [
            self.network.add_node(name, number, core, switch_delay_ps=0)
            for number, (name, core) in enumerate([("left", self.left), ("right", self.right)])
        ]
        self.network.add_channel(nodes[0], 2, nodes[1], 3, delay_ps=delay_ps)
        self.pacer = Pacer(time_scale)
        self.stopping = False
        self.thread = threading.Thread(target=self._run)

    def _run(self):
        while not self.stopping:
            self.network.run_paced(self.pacer)

    def inject(self, data):
        self.network.inject(0, 1, data)
        self.pacer.wake()

    def wait_for(self, condition):
        deadline = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.002)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping = True
        self.pacer.wake()
        self.thread.join()


@pytest.mark.parametrize("time_scale", [0.5, 1.0, 20.0])
def test_an_event_is_never_early(time_scale):
    delay_ps = int(0.05 * PS / time_scale)  # 50 ms of wall time
    with Ticking(delay_ps, time_scale) as ticking:
        for number in range(5):
            ticking.inject(bytes([number]) * 60)
            ticking.wait_for(lambda wanted=number + 1: len(ticking.right.seen) == wanted)
    for sent, received in zip(ticking.left.seen, ticking.right.seen, strict=True):
        assert received[0] - sent[0] >= 0.0499
        assert (received[1] - sent[1]) * 1e6 == pytest.approx(delay_ps, abs=2e6)  # 60 bytes' time


def test_what_was_due_is_made_up_for_at_its_own_time():
    """The thread does not run while the frame is due: it crosses at the network's right time."""
    with Ticking(PS // 5, 1.0) as ticking:
        ticking.inject(b"a" * 60)
        ticking.wait_for(lambda: ticking.left.seen)
        ticking.stopping = True
        ticking.pacer.wake()
        ticking.thread.join()
        time.sleep(0.4)
        ticking.stopping = False
        ticking.thread = threading.Thread(target=ticking._run)
        ticking.thread.start()
        ticking.wait_for(lambda: ticking.right.seen)
    (sent,), (received,) = ticking.left.seen, ticking.right.seen
    assert received[0] - sent[0] >= 0.4
    assert (received[1] - sent[1]) * 1e6 == pytest.approx(PS // 5, abs=2e6)
    lateness = ticking.pacer.lateness()
    assert lateness["max_ns"] > 0.19e9
    assert ticking.pacer.lateness(recent=True)["count"] == lateness["count"]
    assert ticking.pacer.lateness(recent=True)["count"] == 0


def test_an_injected_frame_arrives_now_even_after_a_pause():
    with Ticking(0, 1.0) as ticking:
        ticking.inject(b"a" * 60)
        ticking.wait_for(lambda: ticking.right.seen)
        time.sleep(0.1)
        before_us = ticking.pacer.now_ps() // 10**6
        ticking.inject(b"b" * 60)
        ticking.wait_for(lambda: len(ticking.right.seen) == 2)
    assert ticking.left.seen[1][1] >= before_us


def test_a_wake_before_the_run_is_not_lost():
    network, pacer = Network(1), Pacer(1.0)
    pacer.wake()
    assert network.run_paced(pacer) == "woken"


def test_an_error_of_a_switch_ends_the_run():
    class Broken:
        def process(self, port, data, now_us):
            raise KeyError("flaw")

    network, pacer = Network(1), Pacer(1.0)
    node = network.add_node("n", 1, Broken(), switch_delay_ps=0)
    network.inject(node, 1, b"x" * 60)
    with pytest.raises(KeyError):
        network.run_paced(pacer)


@pytest.mark.parametrize("time_scale", [0.0, -1.0, float("nan"), float("inf"), 1e10])
def test_a_wrong_time_scale(time_scale):
    with pytest.raises(ValueError, match="time_scale"):
        Pacer(time_scale)


class External:
    """Two switches behind sockets (datagrams instead of interfaces), a channel between them."""

    def __init__(self, delay_ps):
        self.ours, theirs = zip(
            *(socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(2)), strict=True
        )
        self.theirs = theirs
        for end in self.theirs:
            end.settimeout(30)
        self.switches = [ExternalSwitch({4: end.fileno()}) for end in self.ours]
        self.network = Network(1)
        for number, switch in enumerate(self.switches):
            self.network.add_node(str(number), number, switch)
        self.network.add_channel(0, 4, 1, 4, delay_ps=delay_ps)
        self.pacer = Pacer(1.0)
        self.stopping = False
        self.thread = threading.Thread(target=self._run)

    _run = Ticking._run

    __enter__ = Ticking.__enter__

    def __exit__(self, *_):
        Ticking.__exit__(self)
        for end in (*self.ours, *self.theirs):
            end.close()


def test_frames_of_external_switches_cross_the_channel_in_order_and_not_early():
    with External(PS // 20) as external:
        started = time.monotonic()
        for number in range(50):
            external.theirs[0].send(bytes([number]) * 60)
        received = [external.theirs[1].recv(2000) for _ in range(50)]
        assert time.monotonic() - started >= 0.0499
    assert received == [bytes([number]) * 60 for number in range(50)]
    assert external.switches[0].counters() == {"frames_in": 0, "frames_out": 50, "frames_lost": 0}
    assert external.switches[1].counters() == {"frames_in": 50, "frames_out": 0, "frames_lost": 0}


def test_the_transit_of_an_external_switch_is_measured():
    """From what went in to the answer, not to what the controller or a host sends meanwhile."""
    question = b"a" * 60
    answer, command = bytes(12) + b"\x88\x47" + bytes(46), bytes(12) + b"\x88\xb6\x00\x81"
    others = [bytes(12) + b"\x88\xb6\x00\x41", bytes(12) + b"\x88\xb5\x10\x20", b"x"]
    with External(0) as external:
        external.theirs[0].send(question)
        assert external.theirs[1].recv(2000) == question
        for other in others:
            external.theirs[1].send(other)
            assert external.theirs[0].recv(2000) == other
        time.sleep(0.05)
        for frame in (answer, command):  # the second answers nothing any more
            external.theirs[1].send(frame)
            assert external.theirs[0].recv(2000) == frame
    transit = external.switches[1].transit()
    assert transit["count"] == 1
    assert transit["max_ns"] >= 0.05e9
    assert external.switches[0].transit()["count"] == 0


def test_a_frame_that_the_kernel_does_not_take_is_lost_and_counted():
    """Port 1's socket is closed, port 7 has none."""
    network, pacer, switch = Network(1), Pacer(1.0), ExternalSwitch({1: 999_999})
    node = network.add_node("n", 1, switch, switch_delay_ps=0)
    network.inject(node, 1, b"x" * 60)
    network.inject(node, 7, b"x" * 60)
    pacer.wake()
    network.run_paced(pacer)
    assert switch.counters() == {"frames_in": 0, "frames_out": 0, "frames_lost": 2}


@given(st.lists(st.integers(0, 2**62), min_size=1, max_size=200))
def test_summaries_of_durations(values):
    summary = summarize_durations(values)
    values.sort()
    assert summary["count"] == len(values)
    assert summary["max_ns"] == values[-1]
    assert summary["mean_ns"] == pytest.approx(sum(values) / len(values))
    for name, share in (("p50_ns", 0.5), ("p99_ns", 0.99)):
        exact = values[min(int(share * len(values)), len(values) - 1)]
        assert summary[name] == pytest.approx(exact, rel=0.06, abs=1.1)


def test_no_durations():
    assert set(summarize_durations([]).values()) == {0}
