"""The network as a whole: why a run stops, what it leaves, that it replays."""

import hashlib
import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

from qplane.wire.device import DeviceType
from qplane_cext.sim.network import Faults, Network

from .rig import CPU, MS, QUANTUM, Deliverer, Recorder, chain, features, start, stop, tell


class ToCpu:
    """Sends everything to the controller."""

    def process(self, port, data, now_us):
        return [(CPU, data)]


def generating(seed=1, slots=(0, 1), **options):
    network = chain([Deliverer(tail=False), Deliverer(tail=True)], seed=seed, **options)
    for n in (0, 1):
        tell(network, n, start(slots=slots))
    return network


# ---- stop conditions ----


def test_nothing_to_do_is_idle():
    network = chain([Recorder(), Recorder()])
    assert network.run() == "idle"
    assert network.waiting() == []
    assert network.run(until_ps=5) == "idle"
    assert network.now_ps == 5


def test_a_run_ends_at_the_time_given_and_goes_on_from_there():
    network = generating()
    assert network.run(until_ps=123_456) == "until"
    assert network.now_ps == 123_456
    assert network.run(until_ps=100) == "until"
    assert network.now_ps == 123_456
    whole = generating()
    whole.run(until_ps=50 * MS)
    while network.now_ps < 50 * MS:
        network.run(until_ps=min(network.now_ps + 777_777, 50 * MS))
    assert network.counters() == whole.counters()
    for name, column in whole.deliveries().items():
        np.testing.assert_array_equal(network.deliveries()[name], column)


def test_a_run_ends_with_the_very_pair_that_was_asked_for():
    network = generating()
    assert network.run(deliveries=10) == "delivered"
    assert network.delivered == 10
    assert network.run(deliveries=10) == "delivered"
    assert network.delivered == 10
    assert network.run(deliveries=25) == "delivered"
    assert network.delivered == 25


def test_all_slots_full_is_idle_and_waiting_says_what_holds_them():
    network = chain([Recorder(), Recorder()])
    for n in (0, 1):
        tell(network, n, start())
    assert network.run(deliveries=1) == "idle"
    assert network.waiting() == [
        "n0: link 0 generates pairs for label 16",
        "n0: slot 0 (pair 0 of link 0, label 16) is in memory",
        "n1: link 0 generates pairs for label 16",
        "n1: slot 0 (pair 0 of link 0, label 16) is in memory",
    ]


def test_the_clock_waits_for_the_controller():
    seen = []
    network = Network(1)
    node = network.add_node("s", 1, ToCpu(), on_cpu=seen.append, switch_delay_ps=MS)
    other = network.add_node("t", 2, ToCpu(), switch_delay_ps=MS)
    late = network.add_node("u", 3, ToCpu(), on_cpu=seen.append, switch_delay_ps=MS + 1)
    network.inject(late, 1, b"third")
    network.inject(node, 1, b"first")
    network.inject(node, 1, b"second")
    network.inject(other, 1, b"nobody listens")
    assert network.run() == "cpu"
    assert (seen, network.now_ps) == ([b"first", b"second"], MS)  # all of one instant
    assert network.run() == "cpu"
    assert (seen, network.now_ps) == ([b"first", b"second", b"third"], MS + 1)
    assert network.run() == "idle"
    network.inject(node, 1, b"third")
    assert network.run(stop_on_cpu=False) == "idle"
    assert seen[-1] == b"third"
    assert network.node_counters(other)["frames_to_cpu"] == 1


def test_what_the_controller_answers_enters_at_the_same_time():
    switch = Recorder()
    network = Network(1)
    node = network.add_node("a", 1, ToCpu(), on_cpu=lambda data: network.inject(b, CPU, features()))
    b = network.add_node("b", 2, switch, quantum_port=QUANTUM, slots=3, switch_delay_ps=0)
    network.inject(node, 1, b"x")
    assert network.run(stop_on_cpu=False) == "idle"
    assert [frame.type for frame in switch.frames()] == [DeviceType.DEVICE_FEATURES]
    assert network.now_ps == 1_000_000


def test_errors_of_callbacks_and_switches_come_out_and_lose_nothing():
    class Broken:
        def process(self, port, data, now_us):
            raise LookupError("no such table")

    def refuse(data):
        raise ConnectionError(data.decode())

    network = Network(1)
    broken = network.add_node("a", 1, Broken())
    node = network.add_node("b", 2, ToCpu(), on_cpu=refuse)
    network.inject(broken, 1, b"x")
    with pytest.raises(LookupError, match="no such table"):
        network.run()
    network.inject(node, 1, b"one")
    with pytest.raises(ConnectionError, match="one"):
        network.run()
    assert network.run() == "idle"


def test_interrupt_and_ctrl_c_end_a_run_soon():
    network = generating()
    network.interrupt()
    assert network.run() == "interrupted"
    threading.Timer(0.05, network.interrupt).start()
    assert network.run() == "interrupted"
    threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
    assert network.run() == "interrupted"
    assert network.delivered > 0


def test_progress_is_called_and_may_read_results():
    network = generating()
    counts = []

    def progress():
        counts.append(network.delivered)
        assert network.circuits()[0]["count"] == network.delivered
        if len(counts) == 3:
            network.interrupt()

    assert network.run(on_progress=progress) == "interrupted"
    assert counts == sorted(counts)
    assert len(counts) == 3


def test_frames_from_many_threads_are_taken_in_the_order_of_the_nodes():
    class Log:
        def __init__(self, name, log):
            self.name, self.log = name, log

        def process(self, port, data, now_us):
            self.log.append((self.name, data))
            return []

    log = []
    network = Network(1)
    for n in range(8):
        network.add_node(f"s{n}", n, Log(n, log))
    threads = [
        threading.Thread(target=lambda n=n: [network.inject(n, 1, bytes([k])) for k in range(50)])
        for n in reversed(range(8))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    network.run()
    assert log == [(n, bytes([k])) for n in range(8) for k in range(50)]


# ---- results ----


def test_accumulators_cover_all_pairs_and_the_sample_is_bounded():
    network = generating(sample_limit=100, node={"t1_s": 0.01, "t2_s": 0.002})
    network.run(deliveries=3000)
    whole = generating(node={"t1_s": 0.01, "t2_s": 0.002})
    whole.run(deliveries=3000)
    pairs, all_pairs = network.deliveries(), whole.deliveries()
    assert len(pairs["fidelity"]) == len(network.hops()["link"]) == 100
    for name, column in pairs.items():
        np.testing.assert_array_equal(column, all_pairs[name][:100])
    (circuit,) = network.circuits()
    done = np.maximum(all_pairs["head_delivered_ps"], all_pairs["tail_delivered_ps"])
    latency = done - all_pairs["emitted_ps"]
    for name, values in (("fidelity", all_pairs["fidelity"]), ("latency_ps", latency)):
        assert circuit[name]["count"] == 3000
        assert circuit[name]["mean"] == pytest.approx(values.mean(), rel=1e-12)
        assert circuit[name]["std"] == pytest.approx(values.std(ddof=1), rel=1e-6, abs=1e-12)
        assert (circuit[name]["min"], circuit[name]["max"]) == (values.min(), values.max())
    intervals = np.diff(done)
    assert circuit["interval_ps"]["mean"] == pytest.approx(intervals.mean())
    assert circuit["interval_ps"]["std"] == pytest.approx(intervals.std(ddof=1))
    assert (circuit["first_ps"], circuit["last_ps"]) == (done[0], done[-1])
    counts, _ = np.histogram(all_pairs["fidelity"], bins=1000, range=(0, 1))
    np.testing.assert_array_equal(circuit["fidelity_histogram"], counts)
    for basis, letter in enumerate("zx"):
        chosen = all_pairs["head_basis"] == basis
        wrong = all_pairs["head_bit"] != all_pairs["tail_bit"]
        assert circuit[f"{letter}_count"] == chosen.sum()
        assert circuit[f"{letter}_errors"] == (chosen & wrong).sum()


def test_bookkeeping_does_not_grow_with_the_number_of_pairs():
    network = generating(sample_limit=10)
    network.run(deliveries=1000)
    assert network.counters()["entangled_link_pairs"] <= 1
    for n in (0, 1):
        tell(network, n, stop())
    network.run()
    assert network.counters()["entangled_link_pairs"] == 0
    assert network.waiting() == []


# ---- replay ----


def everything(seed, folder):
    """A digest of all results and capture bytes of one run with faults, hosts and pings."""

    class Relay(Deliverer):
        def process(self, port, data, now_us):
            if port in (1, 2):
                return [(3 - port, data)]
            return [*super().process(port, data, now_us), (1, bytes(12) + b"\x88\xb5" + data)]

    network = Network(seed, pcap_dir=str(folder))
    for n in range(2):
        node = network.add_node(
            f"n{n}", n + 1, Relay(tail=n == 1), quantum_port=QUANTUM, slots=2, t1_s=1.0, t2_s=0.01
        )
        mac = f"02:00:00:00:00:1{n}"
        network.add_host(f"h{n}", node, 2, mac=mac, ip=f"10.0.0.{n + 1}")
    faults = Faults(0.05, 0.05, 0.05, 0.05, 0.05, all_traffic=True)
    network.add_channel(0, 1, 1, 1, delay_ps=MS // 10, faults=faults)
    network.add_quantum_link(0, 0, 1, 0, length_km=10.0, visibility=0.9)
    network.add_ping(0, "10.0.0.2", interval_ps=MS // 3)
    for n in (0, 1):
        tell(network, n, start(slots=(0, 2), cutoff_ps=MS))
    network.run(until_ps=200 * MS)
    network.close()
    digest = hashlib.sha256()
    for name, column in sorted({**network.deliveries(), **network.hops()}.items()):
        digest.update(name.encode() + column.tobytes())
    digest.update(repr(sorted(network.counters().items())).encode())
    digest.update(repr(network.pings()).encode())
    for path in sorted(folder.iterdir()):
        digest.update(path.name.encode() + path.read_bytes())
    counters = network.counters()
    assert min(counters["channel_lost"], counters["delivered"], counters["echo_replies_sent"]) > 10
    return digest.hexdigest()


def test_one_seed_gives_equal_bytes_twice_and_in_another_process(tmp_path):
    folders = [tmp_path / name for name in ("first", "second", "third", "other")]
    for folder in folders:
        folder.mkdir()
    first = everything(5, folders[0])
    assert everything(5, folders[1]) == first
    code = (
        "import pathlib, sys; from sim.test_network import everything;"
        "print(everything(5, pathlib.Path(sys.argv[1])))"
    )
    root = os.path.dirname(os.path.dirname(__file__))  # noqa: PTH120
    again = subprocess.run(
        [sys.executable, "-c", code, str(folders[2])],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": root, "PYTHONHASHSEED": "77"},
    )
    assert again.stdout.strip() == first
    assert everything(6, folders[3]) != first


def test_streams_belong_to_links_not_to_the_order_in_which_things_are_added():
    """Links and nodes added in another order, and another link beside: the same pairs."""

    def heralds(order, extra):
        switches = {name: Recorder() for name in order}
        network = Network(9)
        ids = {"a": 1, "b": 2, "c": 3}
        index = {
            name: network.add_node(
                name, ids[name], switches[name], quantum_port=QUANTUM, slots=2, switch_delay_ps=0
            )
            for name in order
        }
        if extra:
            network.add_quantum_link(index["b"], 7, index["c"], 7, length_km=3.0)
        network.add_quantum_link(index["a"], 0, index["b"], 0, length_km=10.0)
        tell(network, index["a"], start())
        tell(network, index["b"], start(), start(7, slots=(1, 1)))
        tell(network, index["c"], start(7))
        network.run(until_ps=100 * MS)
        return [(frame.body.time_ps, frame.bell) for frame in switches["a"].frames(DeviceType.PAIR)]

    assert heralds("abc", True) == heralds("cba", False) != []


# ---- wrong use ----


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "n0"}, "there is such a node already"),
        ({"name": "a/b"}, "good for a file name"),
        ({"node_id": 1}, "node_id 1 is n0's"),
        ({"node_id": -1}, "node_id is -1"),
        ({"cpu_port": 512}, "cpu_port is 512"),
        ({"quantum_port": CPU}, "quantum_port and cpu_port are both"),
        ({"quantum_port": None}, "slots is 4, but there is no quantum_port"),
        ({"slots": 70_000}, "slots is 70000"),
        ({"t1_s": 1.0, "t2_s": 2.1}, "t2_s <= 2 t1_s must hold"),
        ({"t1_s": float("nan")}, "t1_s is nan"),
        ({"swap_time_ps": -1}, "swap_time_ps is -1"),
        ({"switch_delay_ps": -1}, "switch_delay_ps is -1"),
        ({"two_qubit_error": 1.1}, "two_qubit_error is 1.1"),
        ({"swap_success": -0.1}, "swap_success is -0.1"),
    ],
)
def test_impossible_nodes_are_refused(options, message):
    network = chain([Recorder()])
    good = {"name": "x", "node_id": 2, "core": Recorder(), "quantum_port": QUANTUM, "slots": 4}
    with pytest.raises(ValueError, match=message):
        network.add_node(**(good | options))


def test_channels_need_free_ports():
    network = chain([Recorder(), Recorder()])
    network.add_channel(0, 1, 1, 1, delay_ps=0)
    for ends, message in (
        ((0, 1, 1, 2), "port 1 of n0 is connected already"),
        ((0, 2, 1, QUANTUM), "port 509 of n1 is connected already"),
        ((0, 3, 0, 3), "can't be linked to itself"),
        ((0, 512, 1, 2), "port is 512"),
        ((5, 1, 1, 2), "node is 5; there are 2"),
    ):
        with pytest.raises(ValueError, match=message):
            network.add_channel(*ends, delay_ps=0)
    with pytest.raises(ValueError, match="delay_ps is -5"):
        network.add_channel(0, 2, 1, 2, delay_ps=-5)


def test_after_the_first_run_nothing_is_added_and_arguments_are_checked():
    network = chain([Recorder(), Recorder()])
    network.run()
    with pytest.raises(RuntimeError, match="before the first run"):
        network.add_node("late", 9, Recorder())
    with pytest.raises(ValueError, match="deliveries is 0"):
        network.run(deliveries=0)
    with pytest.raises(ValueError, match="until_ps is -1"):
        network.run(until_ps=-1)
    with pytest.raises(ValueError, match="node is 2"):
        network.inject(2, 1, b"")
    with pytest.raises(ValueError, match="port is 600"):
        network.inject(0, 600, b"")
    with pytest.raises(ValueError, match="first_seq"):
        Network(1, first_seq=2**32)


def test_a_run_inside_a_run_is_refused():
    network = Network(1)
    node = network.add_node("a", 1, ToCpu(), on_cpu=lambda data: network.run())
    network.inject(node, 1, b"x")
    with pytest.raises(RuntimeError, match="running already"):
        network.run()
