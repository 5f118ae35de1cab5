"""The quantum device, driven with bytes: events, commands, cut-offs, repeats, link control."""

import pytest

from qplane.wire.device import DeviceFlag, DeviceFrame, DeviceType, LinkStatusCode, from_fraction
from qplane.wire.qci import BellIndex

from .rig import (
    CPU,
    LABEL,
    MS,
    QUANTUM,
    Deliverer,
    Recorder,
    about,
    chain,
    features,
    start,
    status,
    stop,
    swap,
    tell,
)

ATTEMPT_PS = MS // 10


def two_nodes(**options):
    """Both ends generate in one slot; the first PAIR is in at both."""
    cutoffs = {key: options.pop(key) for key in ("cutoff_ps", "retry_ps", "end") if key in options}
    switches = [Recorder(), Recorder()]
    network = chain(switches, **options)
    for node in (0, 1):
        tell(network, node, start(**cutoffs))
    while not (switches[0].seen and DeviceType.PAIR in kinds(switches[0])):
        network.run(until_ps=network.now_ps + ATTEMPT_PS)
    return network, switches


def kinds(switch):
    return [DeviceType(data[15]) for _, data in switch.seen]


def repeater(swap_success=1.0, swap_time_ps=0, **options):
    """Three nodes, a pair on both links, the PAIR events of the middle node."""
    switches = [Recorder(), Recorder(), Recorder()]
    node = {"swap_success": swap_success, "swap_time_ps": swap_time_ps}
    network = chain(switches, node=node, **options)
    tell(network, 0, start())
    tell(network, 1, start(0, slots=(0, 1), end=False), start(1, slots=(1, 1), end=False))
    tell(network, 2, start())
    while kinds(switches[1]).count(DeviceType.PAIR) < 2:
        network.run(until_ps=network.now_ps + ATTEMPT_PS)
    network.run(until_ps=network.now_ps + ATTEMPT_PS)
    for node in (0, 1, 2):
        tell(network, node, stop(0), stop(1))
    pairs = switches[1].frames(DeviceType.PAIR)
    pairs.sort(key=lambda frame: frame.link)
    return network, switches, pairs


def test_features_are_those_of_node_and_links():
    switch = Recorder()
    node = {
        "t1_s": 1.0,
        "t2_s": 2.0,
        "swap_time_ps": 5,
        "two_qubit_error": 0.01,
        "readout_error": 0.002,
    }
    network = chain([Recorder(), switch, Recorder()], node=node, slots=7)
    tell(network, 1, features())
    assert network.run() == "idle"
    device, back, onward = switch.frames()
    assert (device.type, device.link) == (DeviceType.DEVICE_FEATURES, 0xFF)
    assert device.body.transaction == back.body.transaction == onward.body.transaction == 5
    assert (device.body.node_id, device.body.links, device.body.slots) == (2, 2, 7)
    assert (device.body.t1_ps, device.body.t2_ps, device.body.swap_time_ps) == (
        10**12,
        2 * 10**12,
        5,
    )
    assert from_fraction(device.body.two_qubit_error) == pytest.approx(0.01, abs=1e-9)
    assert from_fraction(device.body.readout_error) == pytest.approx(0.002, abs=1e-9)
    assert (back.link, back.body.remote_node_id, back.body.remote_link) == (0, 1, 0)
    assert (onward.link, onward.body.remote_node_id, onward.body.remote_link) == (1, 3, 0)
    assert (back.body.length_m, back.body.attempt_ps) == (20_000, ATTEMPT_PS)
    assert from_fraction(back.body.success) == pytest.approx(0.5, abs=1e-9)
    assert from_fraction(back.body.fidelity) == 1.0
    assert back.body.delay_ps == ATTEMPT_PS


def test_both_ends_hear_of_the_same_pair():
    network, switches = two_nodes()
    network.run(until_ps=network.now_ps + ATTEMPT_PS)
    near, far = (switch.frames(DeviceType.PAIR)[0] for switch in switches)
    assert near.body.seq == far.body.seq == 0
    assert near.bell == far.bell
    assert near.bell in (BellIndex.PSI_PLUS, BellIndex.PSI_MINUS)
    assert near.body.label == LABEL
    assert near.body.time_ps == far.body.time_ps
    assert near.body.time_ps % ATTEMPT_PS == 0  # attempts began at 0; herald after 0.1 ms


def test_the_pair_sequence_number_wraps():
    switches = [Deliverer(tail=False), Deliverer(tail=True)]
    network = chain(switches, first_seq=2**32 - 2)
    tell(network, 0, start())
    tell(network, 1, start())
    network.run(deliveries=4)
    pairs = network.deliveries()
    assert list(pairs["head_seq"]) == [2**32 - 2, 2**32 - 1, 0, 1]
    assert not pairs["mismatch"].any()
    assert not pairs["wrong_frame"].any()


def test_a_new_qubit_in_a_slot_has_a_new_generation_and_the_old_handle_is_refused():
    network, switches = two_nodes()
    pair = switches[0].frames(DeviceType.PAIR)[0]
    tell(network, 0, about(DeviceType.RELEASE, pair))
    far = switches[1].frames(DeviceType.PAIR)[0]
    tell(network, 1, about(DeviceType.RELEASE, far))
    while not switches[0].seen:
        network.run(until_ps=network.now_ps + ATTEMPT_PS)
    newer = switches[0].frames(DeviceType.PAIR)[0]
    assert newer.body.slot == pair.body.slot
    assert newer.body.generation == pair.body.generation + 1
    for type_ in (DeviceType.RELEASE, DeviceType.DELIVER):
        tell(network, 0, about(type_, pair))
    network.run(until_ps=network.now_ps)
    counters = network.node_counters(0)
    assert (counters["stale_releases"], counters["stale_delivers"]) == (1, 1)
    assert (counters["releases"], counters["delivers"]) == (1, 0)


@pytest.mark.parametrize(
    "wrong",
    [{"slot": 3}, {"slot": 65535}, {"generation": 9}, {"seq": 5}, {"label": 17}, {"link": 1}],
)
def test_each_part_of_a_handle_counts(wrong):
    network, switches = two_nodes()
    pair = switches[0].frames(DeviceType.PAIR)[0]
    tell(network, 0, about(DeviceType.RELEASE, pair, **wrong))
    tell(network, 0, about(DeviceType.DELIVER, pair, **wrong))
    network.run(until_ps=network.now_ps)
    counters = network.node_counters(0)
    assert (counters["stale_releases"], counters["stale_delivers"]) == (1, 1)
    assert counters["releases"] == counters["delivers"] == 0


def test_a_swap_reports_its_outcome_after_the_time_it_takes():
    network, switches, (left, right) = repeater(swap_time_ps=3 * MS)
    asked_ps = network.now_ps
    tell(network, 1, swap(left, right))
    network.run()
    (done,) = switches[1].frames(DeviceType.SWAPPED)
    assert done.body.time_ps == asked_ps + 3 * MS
    assert (done.link, done.body.seq, done.body.slot) == (0, left.body.seq, left.body.slot)
    assert (done.body.link2, done.body.seq2, done.body.slot2) == (1, right.body.seq, 1)
    assert done.body.generation == left.body.generation
    assert done.body.generation2 == right.body.generation
    assert network.node_counters(1)["swaps"] == 1
    ends = [switches[n].frames(DeviceType.PAIR)[0] for n in (0, 2)]
    frame = BellIndex(left.bell ^ right.bell ^ done.bell)
    tell(network, 0, about(DeviceType.DELIVER, ends[0], bell=frame, seq2=ends[1].body.seq))
    flags = DeviceFlag.CORRECT
    tell(network, 2, about(DeviceType.DELIVER, ends[1], flags, frame, seq2=ends[0].body.seq))
    network.run()
    assert network.delivered == 1
    pairs, hops = network.deliveries(), network.hops()
    assert pairs["fidelity"][0] == pytest.approx(1.0, abs=1e-12)
    assert (pairs["truth_frame"][0], bool(pairs["wrong_frame"][0])) == (frame, False)
    assert list(hops["link"]) == [0, 1]
    assert list(hops["outcome"]) == [done.bell, 255]
    assert list(hops["actual"]) == [done.bell, 255]
    assert list(hops["swap_node"]) == [1, -1]
    assert network.waiting() == []
    assert network.counters()["entangled_link_pairs"] == 0


def test_a_wrong_frame_or_the_wrong_partner_is_noticed():
    for frame_error, seq_error in ((1, 0), (0, 1)):
        network, switches = two_nodes()
        network.run(until_ps=network.now_ps + ATTEMPT_PS)
        near, far = (switch.frames(DeviceType.PAIR)[0] for switch in switches)
        bell = BellIndex(near.bell ^ frame_error)
        tell(network, 0, about(DeviceType.DELIVER, near, bell=bell, seq2=far.body.seq + seq_error))
        flags = DeviceFlag.CORRECT
        tell(network, 1, about(DeviceType.DELIVER, far, flags, far.bell, seq2=near.body.seq))
        network.run(deliveries=1)
        pairs = network.deliveries()
        assert bool(pairs["wrong_frame"][0]) == bool(frame_error)
        assert bool(pairs["mismatch"][0]) == bool(seq_error)


def test_a_swap_without_outcome_frees_both():
    network, switches, (left, right) = repeater(swap_success=0.0)
    tell(network, 1, swap(left, right))
    network.run()
    (failed,) = switches[1].frames(DeviceType.SWAP_FAILED)
    assert (failed.body.seq, failed.body.seq2) == (left.body.seq, right.body.seq)
    counters = network.node_counters(1)
    assert (counters["swaps"], counters["swaps_without_outcome"]) == (0, 1)
    assert not any(line.startswith("n1") for line in network.waiting())


def test_a_swap_with_a_stale_half_frees_the_other_and_says_so():
    network, switches, (left, right) = repeater()
    tell(network, 1, about(DeviceType.RELEASE, right))
    tell(network, 1, swap(left, right))
    network.run()
    (failed,) = switches[1].frames(DeviceType.SWAP_FAILED)
    assert (failed.link, failed.body.link2) == (0, 1)
    assert network.node_counters(1)["stale_swaps"] == 1
    assert not any(line.startswith("n1") for line in network.waiting())


def test_a_swap_that_is_asked_for_twice_is_done_once():
    network, switches, (left, right) = repeater(swap_time_ps=MS)
    tell(network, 1, swap(left, right), swap(left, right))
    network.run()
    assert kinds(switches[1]).count(DeviceType.SWAPPED) == 1
    assert DeviceType.SWAP_FAILED not in kinds(switches[1])
    assert network.node_counters(1)["repeated_swaps"] == 1


def test_a_qubit_is_not_swapped_with_itself():
    network, switches, (left, _) = repeater()
    tell(network, 1, swap(left, left))
    network.run()
    assert kinds(switches[1]).count(DeviceType.SWAP_FAILED) == 1


def test_cut_off_counts_from_the_emission_and_is_reported_once_inside_a_circuit():
    network, switches = two_nodes(cutoff_ps=2 * MS, retry_ps=MS, end=False)
    (pair,) = switches[0].frames(DeviceType.PAIR)
    tell(network, 0, stop())
    tell(network, 1, stop())
    assert network.run() == "idle"
    expired = switches[0].frames(DeviceType.EXPIRED)
    assert len(expired) == 1
    herald_ps = ATTEMPT_PS  # station in the middle: the photon's way and the herald's
    assert expired[0].body.time_ps == pair.body.time_ps - herald_ps + 2 * MS
    assert (expired[0].body.seq, expired[0].body.slot) == (pair.body.seq, pair.body.slot)
    assert network.waiting() == []


def test_an_end_node_repeats_expired_until_it_is_confirmed():
    network, switches = two_nodes(cutoff_ps=2 * MS, retry_ps=MS)
    for node in (0, 1):
        tell(network, node, stop())
    network.run(until_ps=network.now_ps + 5 * MS)
    expired = switches[0].frames(DeviceType.EXPIRED)
    assert len(expired) in (3, 4)
    assert len({frame.body.time_ps for frame in expired}) == 1  # the time of the expiry itself
    assert "nobody confirmed that pair 0 of link 0 (label 16) expired" in network.waiting()[0]
    tell(network, 0, status())
    network.run(until_ps=network.now_ps)
    (answer,) = switches[0].frames(DeviceType.LINK_STATUS)
    assert (answer.body.unconfirmed, answer.body.in_use) == (1, 0)
    for node in (0, 1):
        tell(network, node, about(DeviceType.EXPIRE_CONFIRMED, expired[0]))
    assert network.run() == "idle"
    assert network.waiting() == []
    assert network.node_counters(0)["expires_confirmed"] == 1
    tell(network, 0, about(DeviceType.EXPIRE_CONFIRMED, expired[0]))
    network.run()
    assert network.node_counters(0)["stale_confirms"] == 1


def test_release_with_announce_is_reported_until_confirmed():
    network, switches = two_nodes(retry_ps=MS)
    (pair,) = switches[0].frames(DeviceType.PAIR)
    for node in (0, 1):
        tell(network, node, stop())
    tell(network, 0, about(DeviceType.RELEASE, pair, DeviceFlag.ANNOUNCE))
    network.run(until_ps=network.now_ps + 5 * MS)
    expired = switches[0].frames(DeviceType.EXPIRED)
    assert len(expired) in (5, 6)
    tell(network, 0, about(DeviceType.EXPIRE_CONFIRMED, expired[0]))
    tell(network, 1, about(DeviceType.RELEASE, pair))
    assert network.run() == "idle"
    assert network.counters()["releases_announced"] == 1
    assert network.waiting() == []


def test_a_delivery_whose_other_end_is_lost_stays_open_until_it_is_void():
    network, switches = two_nodes(cutoff_ps=2 * MS)
    network.run(until_ps=network.now_ps + ATTEMPT_PS)
    (pair,) = switches[0].frames(DeviceType.PAIR)
    for node in (0, 1):
        tell(network, node, stop())
    tell(network, 0, about(DeviceType.DELIVER, pair, seq2=0))
    network.run(until_ps=network.now_ps + 3 * MS)
    assert network.counters()["one_sided"] == 1
    assert any("its other end at n1 is lost" in line for line in network.waiting())
    tell(network, 0, about(DeviceType.VOID, pair))
    network.run(until_ps=network.now_ps + MS)
    counters = network.counters()
    assert (counters["one_sided"], counters["voids"], counters["delivered"]) == (0, 1, 0)
    assert counters["entangled_link_pairs"] == 0
    tell(network, 0, about(DeviceType.VOID, pair))
    network.run(until_ps=network.now_ps + MS)
    assert network.counters()["unknown_voids"] == 1


def test_a_void_can_name_the_pair_by_its_number_at_the_other_end():
    network, switches = two_nodes(cutoff_ps=2 * MS)
    network.run(until_ps=network.now_ps + ATTEMPT_PS)
    (pair,) = switches[0].frames(DeviceType.PAIR)
    for node in (0, 1):
        tell(network, node, stop())
    tell(network, 0, about(DeviceType.DELIVER, pair, seq2=77))
    network.run(until_ps=network.now_ps + 3 * MS)
    assert network.counters()["one_sided"] == 1
    unknown_here = {"seq": 0, "slot": 0, "generation": 0}
    for far_seq, one_sided, unknown in ((78, 1, 1), (77, 0, 1), (77, 0, 2)):
        void = about(DeviceType.VOID, pair, DeviceFlag.FAR, seq2=far_seq, **unknown_here)
        tell(network, 0, void)
        network.run(until_ps=network.now_ps + MS)
        counters = network.counters()
        assert (counters["one_sided"], counters["unknown_voids"]) == (one_sided, unknown)
    assert network.counters()["voids"] == 1


def test_a_void_after_both_ends_delivered_is_counted_as_an_error():
    switches = [Deliverer(tail=False), Deliverer(tail=True)]
    network = chain(switches)
    tell(network, 0, start())
    tell(network, 1, start())
    network.run(deliveries=1)
    (pair,) = switches[0].frames(DeviceType.PAIR)
    tell(network, 0, about(DeviceType.VOID, pair))
    network.run(until_ps=network.now_ps + ATTEMPT_PS)
    assert network.counters()["voids_after_complete"] == 1


def test_a_void_at_one_end_and_a_delivery_at_the_other_is_not_counted_as_delivered():
    network, switches = two_nodes()
    network.run(until_ps=network.now_ps + ATTEMPT_PS)
    near, far = (switch.frames(DeviceType.PAIR)[0] for switch in switches)
    for node in (0, 1):
        tell(network, node, stop())
    tell(network, 0, about(DeviceType.DELIVER, near, bell=near.bell))
    tell(network, 0, about(DeviceType.VOID, near))
    tell(network, 1, about(DeviceType.DELIVER, far, DeviceFlag.CORRECT, far.bell))
    network.run()
    counters = network.counters()
    assert (counters["delivered"], counters["void_mismatches"]) == (0, 1)
    assert network.waiting() == []


def test_link_control_says_what_it_did_and_refuses_what_it_can_not():
    switch = Recorder()
    network = chain([switch, Recorder()], slots=4)
    asked = [
        start(slots=(0, 4), cutoff_ps=5, retry_ps=6),
        status(),
        stop(),
        stop(label=99),
        start(link=3),
        start(link=0xFF),
        start(label=20, slots=(2, 3)),
        start(label=20, slots=(0, 0)),
    ]
    tell(network, 0, *asked)
    network.run()
    answers = switch.frames(DeviceType.LINK_STATUS)
    codes = [answer.body.status for answer in answers]
    refused = LinkStatusCode.REFUSED
    assert codes == [
        LinkStatusCode.GENERATING,
        LinkStatusCode.GENERATING,
        LinkStatusCode.IDLE,
        LinkStatusCode.UNKNOWN_LABEL,
        refused,
        refused,
        refused,
        refused,
    ]
    assert [answer.body.transaction for answer in answers] == [7, 9, 8, 8, 7, 7, 7, 7]
    assert (answers[1].body.slot_first, answers[1].body.slot_count) == (0, 4)
    assert (answers[1].body.cutoff_ps, answers[1].body.retry_ps) == (5, 6)
    assert answers[1].flags == DeviceFlag.END


GOOD = start()


@pytest.mark.parametrize(
    ("frame", "counter"),
    [
        (GOOD[:13], "device_bad_ethernet"),
        (GOOD[:12] + b"\x88\xb5" + GOOD[14:], "device_bad_ethernet"),
        (b"\x02" * 6 + GOOD[6:], "device_bad_ethernet"),
        (GOOD[:14] + b"\x20" + GOOD[15:], "device_bad_version"),
        (GOOD[:15] + b"\x99" + GOOD[16:], "device_bad_type"),
        (GOOD[:15] + b"\x01" + GOOD[16:], "device_bad_type"),
        (GOOD[:-1], "device_bad_length"),
        (GOOD + b"\0", "device_bad_length"),
        (GOOD[:15], "device_bad_length"),
        (GOOD[:18], "device_bad_length"),
    ],
)
def test_malformed_frames_are_counted_and_change_nothing(frame, counter):
    network = chain([Recorder(), Recorder()])
    tell(network, 0, frame)
    tell(network, 1, start())
    assert network.run() == "idle"
    counters = network.node_counters(0)
    bad = {name: count for name, count in counters.items() if name.startswith("device_bad")}
    assert {name for name, count in bad.items() if count} == {counter}
    assert network.counters()["attempts"] == 0


def test_several_commands_in_one_frame_are_obeyed_in_order():
    switch = Recorder()
    network = chain([switch, Recorder()])
    commands = [start(label=16), start(label=17), stop(label=16), status(label=17), stop(label=99)]
    tell(network, 0, commands[0] + b"".join(command[14:] for command in commands[1:]))
    network.run(until_ps=1_500_000)
    ((_, answer),) = switch.seen
    assert len(answer) == 14 + 5 * 48
    answers = DeviceFrame.list_from_bytes(answer)
    assert [frame.body.label for frame in answers] == [16, 17, 16, 17, 99]
    assert [frame.body.status.name for frame in answers] == [
        "GENERATING",
        "GENERATING",
        "IDLE",
        "GENERATING",
        "UNKNOWN_LABEL",
    ]


@pytest.mark.parametrize(
    ("wrong", "counter"),
    [
        (start() + start()[14:-1], "device_bad_length"),
        (start() + start()[14:] * 31, "device_bad_length"),
        (start() + features()[14:].ljust(48, b"\0"), "device_bad_type"),
        (start() + b"\x21" + start()[15:], "device_bad_version"),
    ],
)
def test_a_frame_of_several_with_a_flaw_is_refused_as_a_whole(wrong, counter):
    switch = Recorder()
    network = chain([switch, Recorder()])
    tell(network, 0, wrong)
    network.run(until_ps=1_500_000)
    assert switch.seen == []
    assert network.node_counters(0)[counter] == 1


def test_frames_on_other_ports_do_not_reach_the_device():
    """What the switch does not send to the quantum port is no command."""
    network = chain([Recorder(), Recorder()])
    network.inject(0, 3, start())
    network.inject(0, QUANTUM, features())
    network.run()
    counters = network.node_counters(0)
    assert counters["frames_in"] == 2
    assert counters["frames_out"] == 0
    assert not any(line.startswith("n0") for line in network.waiting())
    assert CPU not in (3, QUANTUM)
