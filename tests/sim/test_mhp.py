"""The MHP in the device: orders, cycles, results, errors; each message lost once."""

import math
from collections import Counter

import numpy as np
import pytest

from qplane.wire import (
    ActionStatus,
    DeviceFrame,
    DeviceType,
    MhpError,
    MhpKind,
    MhpOrder,
    MhpState,
    from_fraction,
)
from qplane_cext.sim.network import Faults

from .mhp_rig import MS, Rig

LOSSY = {"length_km": 20.0, "detector_efficiency": 0.5, "dark_count_probability": 1e-4}
DONE = (MhpState.COMPLETE, MhpState.WINDOW_OVER, MhpState.STOPPED, MhpState.SUPERSEDED)


def ended(switch):
    return [
        (frame.body.queue_seq, frame.body.state)
        for frame in switch.frames(DeviceType.MHP_STATUS)
        if frame.body.transaction == 0
    ]


def test_pairs_are_kept_and_numbered_by_the_station():
    rig = Rig()
    rig.start(pairs=3, first_cycle=10)
    rig.run()
    for node, switch in enumerate(rig.nodes):
        answer, *rest = switch.frames()
        assert (answer.type, answer.body.state) == (DeviceType.MHP_STATUS, MhpState.WAITING)
        pairs, last = rest[:-1], rest[-1]
        assert [f.type for f in pairs] == [DeviceType.MHP_PAIR] * 3
        assert [f.body.mhp_seq for f in pairs] == [1, 2, 3]
        assert [f.body.pairs_left for f in pairs] == [2, 1, 0]
        assert all(f.body.cycle >= 10 and f.bell in (2, 3) for f in pairs)
        assert last.body.state is MhpState.COMPLETE
        assert last.body.attempts == pairs[-1].body.attempts == pairs[-1].body.cycle - 9
        for frame in pairs:
            cycle_ps = rig.heralding.cycle_ps
            born = frame.body.cycle * cycle_ps + rig.heralding.model.born_ps[node]
            assert frame.body.time_ps == born
    assert all(pair["fidelities"][pair["bell"]] == pytest.approx(1) for pair in
               rig.network.link_pairs())  # fmt: skip
    rig.assert_right()
    rig.release_all()
    rig.assert_empty()


def test_a_result_comes_when_the_reply_is_back():
    rig = Rig(link={"station_fraction": 0.25})
    rig.start(pairs=1)
    rig.run()
    for node, switch in enumerate(rig.nodes):
        ((at_us, frame),) = [x for x in switch.seen if x[1].type is DeviceType.MHP_PAIR]
        expected = frame.body.cycle * rig.heralding.cycle_ps + rig.heralding.reply_ps[node]
        assert at_us == (expected + 10**6) // 10**6  # and through the switch again, 1 us
    rig.assert_right()


def test_failing_attempts_cost_no_events():
    """A thousand times the loss, the same number of events."""
    events = []
    for loss_db in (10, 40):
        rig = Rig(link={"attenuation_db_per_km": loss_db / 20})
        rig.start(pairs=4)
        rig.run(200_000)
        assert [len(s.results()) for s in rig.nodes] == [4, 4]
        events.append(rig.network.counters()["events"])
    assert events[0] == events[1]


def test_measured_at_once_with_random_bases():
    rig = Rig(link={"visibility": 0.9})
    count = 3000
    rig.measure(pairs=count, random_basis=2, probability_1=85, probability_2=85)
    rig.run(2_000)
    results = [switch.results() for switch in rig.nodes]
    assert [len(r) for r in results] == [count, count]
    assert [f.body.mhp_seq for f in results[0]] == list(range(1, count + 1))
    bases = Counter(f.body.basis for f in results[0])
    for basis in (0, 1, 2):
        assert abs(bases[basis] - count / 3) < 4 * math.sqrt(count * 2 / 9)
    state = rig.heralding.model.herald().states
    for basis, axis in ((0, 3), (1, 1), (2, 2)):
        products = [
            (-1) ** (a.body.outcome + b.body.outcome) * np.sign(state[a.bell][axis, axis])
            for a, b in zip(*results, strict=True)
            if a.body.basis == b.body.basis == basis
        ]
        mean, wanted = np.mean(products), abs(state[2][axis, axis])
        spread = math.sqrt(max(1 - wanted**2, 1e-9) / len(products))
        assert abs(mean - wanted) < 4 * spread + 1e-6
    rig.assert_right()
    rig.assert_empty()


def test_chsh_is_violated_as_the_state_says():
    rig = Rig(link={"visibility": 0.95})
    rig.measure(0, pairs=0, end_cycle=10_000, random_basis=1, probability_1=128)
    rig.measure(1, pairs=0, end_cycle=10_000, random_basis=3, probability_1=128)
    rig.run(10_000 * rig.heralding.cycle_ps / MS + 1)
    products = {}
    for a, b in zip(*(switch.results() for switch in rig.nodes), strict=True):
        x_sign = 1 if a.bell == 2 else -1
        sign = x_sign if a.body.basis == 1 else -1
        products.setdefault((a.body.basis, b.body.basis), []).append(
            sign * (-1) ** (a.body.outcome + b.body.outcome)
        )
    # X and Z against (Z ± X)/√2: <XX> = ±V, <ZZ> = −1, each over √2
    state = rig.heralding.model.herald().states[2]
    means = {key: np.mean(value) for key, value in products.items()}
    for (basis, other), mean in means.items():
        wanted = abs(state[1, 1] if basis == 1 else state[3, 3]) / math.sqrt(2)
        if basis == 1 and other == 4:
            wanted = -wanted
        assert abs(mean - wanted) < 4 / math.sqrt(len(products[basis, other]))
    s = sum(abs(mean) for mean in means.values())
    assert s == pytest.approx(math.sqrt(2) * (1 + state[1, 1]), abs=0.08) and s > 2.5


def test_fixed_bases_are_rotations():
    """About Y by a quarter turn, Z becomes X; about X then, nothing changes for X."""
    for rotation, basis in (({}, 0), ({"rotation_y": 192}, 7), ({"rotation_x1": 64}, 7)):
        rig = Rig()
        rig.measure(pairs=200, **rotation)
        rig.run(200)
        signs = Counter()
        for a, b in zip(*(switch.results() for switch in rig.nodes), strict=True):
            assert a.body.basis == basis
            plus = -1 if basis == 0 else (1 if a.bell == 2 else -1)
            signs[plus * (-1) ** (a.body.outcome + b.body.outcome)] += 1
        assert signs == {1: 200}


def test_m_attempts_go_on_while_replies_are_under_way():
    """Cycles of 10 us, REPLY after a tenth of a millisecond: more pairs than were ordered."""
    rig = Rig(cycle_ps=10_000_000)
    assert rig.heralding.attempt_cycles == 11
    rig.measure(pairs=5)
    rig.run()
    for switch in rig.nodes:
        cycles = [f.body.cycle for f in switch.results()]
        assert np.diff(cycles).min() == 1
        surplus = [f.body.surplus for f in switch.results()]
        assert sorted(surplus) == surplus and surplus.count(0) == 5 and surplus.count(1) > 0
        assert cycles[-1] < cycles[4] + 11
        assert ended(switch) == [(4, MhpState.COMPLETE)]
        assert switch.errors() == []
    rig.assert_right()


def test_every_attempt_on_the_wire_has_the_same_statistics():
    """Rates, Bell states and times of success with failures sampled, and with all of them sent."""
    found = []
    for every in (False, True):
        rig = Rig(link=LOSSY, every_attempt=every, seed=5)
        rig.measure(pairs=0, end_cycle=30_000)
        rig.run(30_010 * rig.heralding.cycle_ps / MS)
        p = rig.heralding.model.herald().p_success
        counters = rig.counters()
        assert counters["attempts"] == 30_000 - 1  # the order came in cycle 0
        n = len(rig.nodes[0].results())
        assert n == counters["heralds"] == len(rig.nodes[1].results())
        assert abs(n - 30_000 * p) < 4 * math.sqrt(30_000 * p * (1 - p))
        assert counters["gens"] == (59_998 if every else 2 * n)
        cycles = np.array([f.body.cycle for f in rig.nodes[0].results()])
        gaps = np.diff(cycles)
        assert abs(gaps.mean() - 1 / p) < 4 * math.sqrt(1 - p) / p / math.sqrt(len(gaps))
        assert abs((gaps == 1).mean() - p) < 4 * math.sqrt(p * (1 - p) / len(gaps))
        plus = sum(f.bell == 2 for f in rig.nodes[0].results())
        assert abs(plus - n / 2) < 4 * math.sqrt(n) / 2
        assert [s.errors() for s in rig.nodes] == [[], []]
        for switch in rig.nodes:
            assert switch.frames(DeviceType.MHP_STATUS)[-1].body.attempts == 29_999
        rig.assert_right()
        found.append(n)
    assert found[0] != found[1]  # not the same run


@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize(
    "link",
    [
        {"scheme": "single-click", "bright_state": 0.3},
        {"scheme": "source", "pair_probability": 0.5},
        {"scheme": "end-to-end", "station_fraction": 1.0, "attenuation_db_per_km": 0.1},
        {"scheme": "double-click", "station_fraction": 0.2},
    ],
    ids=lambda link: link["scheme"],
)
def test_every_scheme_yields_its_pairs(link, every):
    link = {"dark_count_probability": 1e-3, "visibility": 0.9, "detector_efficiency": 0.7} | link
    rig = Rig(link=link, every_attempt=every, node={"t2_s": 0.05})
    rig.start(pairs=4, bright_state=0)
    rig.run(500)
    assert [len(s.results()) for s in rig.nodes] == [4, 4]
    herald = rig.heralding.model.herald()
    assert {f.bell for f in rig.nodes[0].results()} <= set(herald.states)
    rig.assert_right()
    rig.release_all()
    rig.measure(pairs=0, queue_seq=5, end_cycle=10**6)
    rig.run(4_000 * rig.heralding.cycle_ps / MS)
    made, heralds = (rig.counters()[key] for key in ("attempts", "heralds"))
    p = herald.p_success
    assert abs(heralds - made * p) < 4.5 * math.sqrt(made * p * (1 - p)) + 1


def test_both_ends_choose_their_own_bright_state():
    rig = Rig(link={"scheme": "single-click", "bright_state": 0.5})
    rig.measure(0, pairs=0, end_cycle=10_000, bright_state=6554)
    rig.measure(1, pairs=0, end_cycle=10_000, bright_state=19661)
    rig.run(10_010 * rig.heralding.cycle_ps / MS)
    p = rig.heralding.herald(6554, 19661).p_success
    assert abs(len(rig.nodes[0].results()) - 10_000 * p) < 4 * math.sqrt(10_000 * p * (1 - p))


# ---- orders ----


def test_more_bright_states_than_are_remembered_change_nothing():
    """Figures of the physics are kept for 64 pairs of parameters; the others are asked for anew."""
    rig = Rig(link=LOSSY | {"scheme": "single-click"}, node={"slots": 4})
    wanted = [6000 + 100 * n for n in range(80)] + [6000, 6100]
    for place, bright in enumerate(wanted):
        rig.start(pairs=1, bright_state=bright, queue_seq=place)
        rig.run(400)
        (pair,) = rig.network.link_pairs()
        expected = rig.heralding.herald(bright, bright).fidelity
        assert pair["fidelities"][pair["bell"]] == pytest.approx(expected, abs=1e-3)
        for switch in rig.nodes:
            assert len(switch.results()) == place + 1
        rig.release_all()
    rig.assert_empty()


def test_stop_ends_an_order_and_frees_its_slot():
    rig = Rig(link={"attenuation_db_per_km": 20.0})
    rig.start(pairs=1)
    rig.run(5)
    assert rig.network.counters()["slots_in_use"] == 2
    for node in (0, 1):
        rig.stop(node)
    rig.run(1)
    for switch in rig.nodes:
        answer, end = switch.frames(DeviceType.MHP_STATUS)[-2:]
        assert (answer.body.transaction, answer.body.state) == (2, MhpState.STOPPED)
        assert (end.body.transaction, end.body.state) == (0, MhpState.STOPPED)
        assert end.body.attempts >= 47
    rig.assert_empty()
    rig.stop(0)
    rig.run(1)
    assert rig.nodes[0].frames(DeviceType.MHP_STATUS)[-1].body.state is MhpState.UNKNOWN


def test_a_window_ends():
    rig = Rig(link={"attenuation_db_per_km": 20.0})
    rig.start(pairs=1, first_cycle=20, end_cycle=50)
    rig.run(20)
    for switch in rig.nodes:
        assert ended(switch) == [(4, MhpState.WINDOW_OVER)]
        assert switch.frames(DeviceType.MHP_STATUS)[-1].body.attempts == 30
    rig.assert_empty()


def test_an_order_supersedes_the_running_one_in_its_first_cycle():
    rig = Rig()
    rig.measure(pairs=0)
    rig.measure(pairs=0, queue_seq=5, first_cycle=40)
    rig.measure(pairs=3, queue_seq=6, first_cycle=60)  # takes the waiting one's place
    rig.run(20)
    for switch in rig.nodes:
        assert ended(switch) == [
            (5, MhpState.SUPERSEDED),
            (4, MhpState.SUPERSEDED),
            (6, MhpState.COMPLETE),
        ]
        for frame in switch.results():
            assert frame.body.queue_seq == (4 if frame.body.cycle < 60 else 6)
        assert switch.errors() == []
    rig.assert_right()


@pytest.mark.parametrize(
    "order",
    [
        {"slot_count": 0},
        {"slot_first": 2, "slot_count": 3},
        {"first_cycle": 10, "end_cycle": 10},
        {"first_cycle": 1 << 63},
        {"first_cycle": (1 << 63) - 1},
    ],
)
def test_an_order_that_cannot_be_done_is_refused(order):
    rig = Rig()
    rig.start(0, **order)
    rig.run(1)
    (status,) = rig.nodes[0].frames()
    assert status.body.state is MhpState.REFUSED
    assert rig.network.waiting() == []


def test_a_link_without_a_station_refuses_orders():
    rig = Rig()
    rig.tell(0, DeviceType.MHP_START, MhpOrder(1, 1, 1, pairs=1, slot_count=1), link=7)
    rig.run(1)
    (status,) = rig.nodes[0].frames()
    assert status.body.state is MhpState.REFUSED


def test_an_end_without_a_free_slot_does_not_attempt_and_goes_on_when_there_is_one():
    rig = Rig(node={"slots": 1})
    rig.start(pairs=2, slot_count=1)
    rig.run(3)
    assert [len(s.results()) for s in rig.nodes] == [1, 1]
    rig.release_all()
    rig.run(3)
    assert [len(s.results()) for s in rig.nodes] == [2, 2]
    assert [s.errors() for s in rig.nodes] == [[], []]
    rig.assert_right()


# ---- when the ends disagree ----


def test_an_end_alone_hears_of_it_at_the_1st_2nd_4th_attempt():
    rig = Rig()
    rig.start(0, pairs=1, end_cycle=40)
    rig.run()
    errors = rig.nodes[0].errors()
    assert [e.error for e in errors] == [MhpError.NO_CLASSICAL_OTHER] * 6
    assert [e.attempts for e in errors] == [1, 2, 4, 8, 16, 32]
    assert rig.nodes[1].frames() == []
    assert rig.counters()["alone"] == rig.nodes[0].frames()[-1].body.attempts
    assert 37 <= rig.counters()["alone"] <= 40
    rig.assert_empty()


@pytest.mark.parametrize("other", [{"queue_seq": 9}, {"kind": MhpKind.MEASURE}])
def test_other_queue_items_never_make_a_pair(other):
    rig = Rig()
    rig.start(0, pairs=1, end_cycle=60)
    rig.start(1, **({"pairs": 1, "end_cycle": 60} | other))
    rig.run()
    for switch in rig.nodes:
        assert switch.results() == []
        assert {e.error for e in switch.errors()} == {MhpError.QUEUE_MISMATCH}
        assert len(switch.errors()) == 6
    theirs = rig.nodes[0].errors()[0]
    assert (theirs.other_queue_id, theirs.other_queue_seq) == (3, other.get("queue_seq", 4))
    rig.assert_empty()


def test_an_end_that_begins_late_joins_in():
    rig = Rig()
    rig.start(0, pairs=2)
    rig.run(1)
    rig.start(1, pairs=2)
    rig.run()
    assert [len(s.results()) for s in rig.nodes] == [2, 2]
    assert {e.error for e in rig.nodes[0].errors()} == {MhpError.NO_CLASSICAL_OTHER}
    assert rig.nodes[1].errors() == []
    rig.assert_right()


# ---- loss ----


def scenario(lose, every, kind=MhpKind.KEEP, faults=None, seed=3):
    rig = Rig(lose=lose, every_attempt=every, seed=seed, faults=faults, link=LOSSY | {
        "attenuation_db_per_km": 0.0})  # fmt: skip
    rig.start(kind=kind, pairs=3, end_cycle=400)
    rig.run(410 * rig.heralding.cycle_ps / MS)
    return rig


@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize("kind", MhpKind)
def test_any_single_message_may_be_lost(kind, every):
    """Exhaustive: each GEN and each REPLY of a run, one by one."""
    whole = scenario((), every, kind)
    assert [len(s.results()) for s in whole.nodes] == [3, 3]
    assert whole.station.messages >= 12
    for message in range(min(whole.station.messages, 48)):
        rig = scenario((message,), every, kind)
        rig.assert_right()
        counts = sorted(len(switch.results()) for switch in rig.nodes)
        assert counts[0] >= 2 and counts[1] >= 3  # who lost a REPLY goes on, maybe alone
        assert [len(ended(switch)) for switch in rig.nodes] == [1, 1]
        rig.release_all()
        rig.assert_empty()


@pytest.mark.parametrize("seed", range(6))
def test_loss_duplication_and_reordering_never_mispair(seed):
    faults = Faults(loss=0.2, duplication=0.3, reordering=0.3, delay=0.2, mean_delay_ps=10**8)
    rig = Rig(faults=faults, seed=seed, node={"slots": 60})
    rig.start(pairs=40, slot_count=60, end_cycle=400)
    rig.run(420 * rig.heralding.cycle_ps / MS)
    rig.assert_right()
    assert rig.counters()["timeouts"] > 0 and rig.counters()["stale_replies"] > 0
    assert all(switch.results() for switch in rig.nodes)
    rig.release_all()
    rig.assert_empty()


def test_a_lost_reply_is_reported_with_the_last_number_and_the_qubit_is_gone():
    rig = Rig(lose=(2,), link={"attenuation_db_per_km": 0.0})  # GEN, GEN, REPLY to the first
    rig.start(pairs=1, end_cycle=20)
    rig.run()
    (error,) = (e for e in rig.nodes[0].errors() if e.error is MhpError.GEN_FAIL)
    assert error.mhp_seq == 0
    (other,) = rig.nodes[1].results()
    assert other.body.mhp_seq == 1 and other.body.cycle == error.cycle
    (pair,) = rig.network.link_pairs()
    assert pair["halves"][0]["slot"] is None and pair["fidelities"] is None
    later = [e for e in rig.nodes[0].errors() if e.error is MhpError.NO_CLASSICAL_OTHER]
    assert later and later[0].mhp_seq == 1  # what tells that a number was missed


# ---- slots ----

STORE = {"slots": 4, "emitters": 1, "move_time_ps": 300_000_000, "move_error": 0.05}


def test_pairs_move_to_storage_before_they_are_reported():
    rig = Rig(node=STORE)
    rig.start(pairs=3, slot_first=1, slot_count=3)
    rig.run()
    assert rig.heralding.recovery_cycles == 3
    for switch in rig.nodes:
        assert [f.body.slot for f in switch.results()] == [1, 2, 3]
        assert np.diff([f.body.cycle for f in switch.results()]).min() >= 4
        times = [t for t, f in switch.seen if f.type is DeviceType.MHP_PAIR]
        for at_us, frame in zip(times, switch.results(), strict=True):
            start = frame.body.cycle * rig.heralding.cycle_ps
            assert at_us * 10**6 >= start + rig.heralding.reply_ps[0] + 300_000_000
        assert switch.errors() == []
    rig.ask_calibration(0)
    rig.run(1)
    said = rig.nodes[0].frames(DeviceType.CALIBRATION)[0].body
    for pair in rig.network.link_pairs():
        fidelity = pair["fidelities"][pair["bell"]]
        kept = 0.95**2
        assert fidelity == pytest.approx((1 + 3 * kept) / 4, abs=1e-12)
        assert from_fraction(said.fidelity_keep) == pytest.approx(fidelity, abs=1e-9)
    assert said.recovery_cycles == 3
    rig.assert_right()
    rig.release_all()
    rig.assert_empty()


def kept_fidelity(node, wait_ms=50, **order):
    """Of a pair that is held for so long; what each device says is in its slots."""
    rig = Rig(node=node)
    rig.start(pairs=1, **order)
    rig.run(10)
    rig.run(wait_ms)
    (pair,) = rig.network.link_pairs()
    age_s = [(rig.network.now_ps - half["emitted_ps"]) * 1e-12 for half in pair["halves"]]
    fidelity = pair["fidelities"][pair["bell"]]
    rig.release_all()
    rig.assert_empty()
    return fidelity, age_s


def test_moving_to_storage_pays_off_for_pairs_that_are_kept():
    """An electron's T2 of 10 ms, a nuclear spin's of 1 s; a move with 2 % error, after 0.3 ms."""
    electron = {"slots": 4, "t1_s": 10.0, "t2_s": 0.01, "emitters": 1}
    carbon = {"storage_t1_s": 100.0, "storage_t2_s": 1.0, "move_time_ps": 3 * 10**8}
    stays, age_s = kept_fidelity(electron, slot_first=0, slot_count=1)
    # F of a Ψ state: (1 + <XX> + <YY> - <ZZ>) / 4, each correlation decayed in both halves.
    xy = math.exp(-sum(age_s) / 0.01)
    z = math.exp(-sum(age_s) / 10.0)
    assert stays == pytest.approx((1 + 2 * xy + z) / 4, abs=1e-3)
    moved, age_s = kept_fidelity(
        electron | carbon | {"move_error": 0.02}, slot_first=1, slot_count=3
    )
    rig = Rig(node=electron)
    emitted_s = rig.heralding.reply_ps[0] * 1e-12 + 3e-4  # as an electron, until the move is over
    xy = 0.98**2 * math.exp(-2 * emitted_s / 0.01 - (sum(age_s) - 2 * emitted_s) / 1.0)
    z = 0.98**2 * math.exp(-2 * emitted_s / 10.0 - (sum(age_s) - 2 * emitted_s) / 100.0)
    assert moved == pytest.approx((1 + 2 * xy + z) / 4, abs=1e-3)
    assert moved > 0.85
    assert stays < 0.55


@pytest.mark.parametrize("seed", range(8))
def test_a_move_to_storage_leaves_the_state_as_it_is(seed):
    """Whatever the outcome of the teleportation that stands for it: no noise, no change."""
    rig = Rig(
        seed=seed,
        link={"emission_ps": 0},
        node={"slots": 4, "emitters": 1, "t1_s": 5.0, "t2_s": 5.0,
              "storage_t1_s": 1e6, "storage_t2_s": 1e6, "move_time_ps": 1000},
    )  # fmt: skip
    rig.start(pairs=3, slot_first=1, slot_count=3)
    rig.run()
    pairs = rig.network.link_pairs()
    assert len(pairs) == 3
    assert all(pair["fidelities"][pair["bell"]] == pytest.approx(1, abs=1e-3) for pair in pairs)
    rig.release_all()
    rig.assert_empty()


def test_a_move_on_command_gives_a_new_handle_and_the_old_one_is_stale():
    rig = Rig(node=STORE)
    rig.start(pairs=1, slot_first=1, slot_count=1)
    rig.run()
    body = rig.nodes[0].results()[0].body
    rig.act(0, DeviceType.QUBIT_MOVE, 1, body.generation, slot2=3)
    rig.run(0.2)
    rig.act(0, DeviceType.QUBIT_RELEASE, 1, body.generation)  # on its way
    rig.run(1)
    stale, done = (f.body for f in rig.nodes[0].frames(DeviceType.QUBIT_DONE))
    assert stale.status is ActionStatus.STALE
    assert (done.status, done.slot, done.slot2) == (ActionStatus.DONE, 1, 3)
    rig.act(0, DeviceType.QUBIT_MOVE, 3, done.generation2, slot2=9)
    rig.act(0, DeviceType.QUBIT_RELEASE, 3, done.generation2)
    rig.run(1)
    refused, released = (f.body for f in rig.nodes[0].frames(DeviceType.QUBIT_DONE)[2:])
    assert refused.status is ActionStatus.REFUSED and released.status is ActionStatus.DONE


def test_paulis_and_measurements_on_command():
    rig = Rig()
    rig.start(pairs=4)
    rig.run()
    for a in rig.nodes[0].results():  # the frame is corrected at one end, then all are Φ+
        rig.act(0, DeviceType.QUBIT_PAULI, a.body.slot, a.body.generation, pauli=int(a.bell))
    rig.run(1)
    assert all(pair["fidelities"][0] == pytest.approx(1) for pair in rig.network.link_pairs())
    outcomes = []
    for node, switch in enumerate(rig.nodes):
        for frame in switch.results():
            y = 192 if frame.body.slot % 2 else 0
            rig.act(
                node,
                DeviceType.QUBIT_MEASURE,
                frame.body.slot,
                frame.body.generation,
                rotation_y=y,
            )
        rig.run(1)
        done = switch.frames(DeviceType.QUBIT_DONE)[-4:]
        outcomes.append([f.body.outcome for f in done])
        assert {f.body.status for f in done} == {ActionStatus.DONE}
    assert outcomes[0] == outcomes[1]
    rig.assert_empty()


def test_a_qubit_of_a_circuit_is_not_the_link_layers():
    from .rig import start

    rig = Rig()
    for node in (0, 1):
        rig.network.inject(node, 510, start(slots=(0, 1)))
    rig.run()
    (pair,) = rig.nodes[0].frames(DeviceType.PAIR)
    rig.act(0, DeviceType.QUBIT_RELEASE, pair.body.slot, pair.body.generation)
    rig.run(1)
    (done,) = rig.nodes[0].frames(DeviceType.QUBIT_DONE)
    assert done.body.status is ActionStatus.STALE


def test_circuits_and_orders_share_a_link_in_time():
    from .rig import start

    rig = Rig(link={"attenuation_db_per_km": 0.5}, node={"slots": 400})
    for node in (0, 1):
        rig.network.inject(node, 510, start(slots=(0, 200)))
    rig.run(50)
    rig.start(pairs=0, slot_first=200, slot_count=200, end_cycle=2_000)
    rig.run(1)  # a herald that was on its way still comes
    before = len(rig.nodes[0].frames(DeviceType.PAIR))
    assert before > 0
    rig.run(100)
    assert len(rig.nodes[0].frames(DeviceType.PAIR)) == before
    assert rig.nodes[0].results()
    rig.run(150)
    assert len(rig.nodes[0].frames(DeviceType.PAIR)) > before
    rig.assert_right()


# ---- calibration ----


def test_calibration_is_the_closed_form_and_no_more():
    link = {"scheme": "single-click", "detector_efficiency": 0.3, "phase_std_rad": 0.1}
    rig = Rig(link=link, node={"t1_s": 0.1, "t2_s": 0.01})
    for bright in (0, 3277, 13107):
        rig.ask_calibration(1, bright)
    rig.run(1)
    for frame, bright in zip(rig.nodes[1].frames(), (0, 3277, 13107), strict=True):
        said = frame.body
        herald = rig.heralding.herald(bright, bright)
        assert (said.transaction, said.bright_state, said.scheme) == (5, bright, 2)
        assert from_fraction(said.success) == pytest.approx(herald.p_success, abs=1e-9)
        assert from_fraction(said.fidelity_measure) == pytest.approx(herald.fidelity, abs=1e-9)
        assert said.fidelity_keep < said.fidelity_measure
        assert (said.cycle_ps, said.keep_cycles) == (rig.heralding.cycle_ps, 1)
        assert (said.bright_least, said.bright_most) == (1, 32767)
        assert (said.delay_near_ps, said.delay_far_ps) == (50_000_000, 50_000_000)
        assert from_fraction(said.efficiency_near) == pytest.approx(0.3, abs=1e-9)
    rig.start(pairs=1, bright_state=13107)
    rig.run(100)
    (pair,) = rig.network.link_pairs()
    at_report = rig.heralding.reply_ps[0] - rig.heralding.model.born_ps[0]
    assert at_report == pytest.approx(1.03e8, rel=0.02)
    assert pair["fidelities"][pair["bell"]] < from_fraction(said.fidelity_keep)


def test_the_same_seed_gives_the_same_frames():
    def bytes_of(seed):
        faults = Faults(loss=0.1, duplication=0.1, reordering=0.2, mean_delay_ps=10**8)
        rig = Rig(seed=seed, faults=faults, link=LOSSY)
        rig.start(pairs=3, end_cycle=300)
        rig.run(50)
        return [(t, f.to_bytes()) for switch in rig.nodes for t, f in switch.seen]

    assert bytes_of(1) == bytes_of(1) != bytes_of(2)


@pytest.mark.parametrize("length", [16, 40, 60, 114])
def test_frames_of_wrong_length_are_counted(length):
    rig = Rig()
    frame = DeviceFrame(DeviceType.MHP_START, 0, MhpOrder(1, 1, 1)).to_bytes()
    rig.network.inject(0, 510, frame.ljust(length, b"\0")[:length])
    rig.run(1)
    assert rig.nodes[0].frames() == []
    assert rig.network.node_counters(0)["device_bad_length"] == 1


def test_station_arguments_are_checked():
    rig = Rig()
    with pytest.raises(ValueError, match="has a station already"):
        rig.network.add_station(0, 2, 1, ports=(1, 1))
    with pytest.raises(ValueError, match="cycle_ps"):
        Rig(link={"emission_ps": 2_000_000}, cycle_ps=1_000_000)
    reply_ps = Rig().heralding.attempt_ps
    assert Rig(cycle_ps=-(-reply_ps // 256)).heralding.attempt_cycles == 256
    with pytest.raises(ValueError, match="the station remembers 256 cycles"):
        Rig(cycle_ps=reply_ps // 256 - 1)
    network = Rig().network
    network.add_quantum_link(0, 1, 1, 1, length_km=1.0)
    with pytest.raises(ValueError, match="port 5 of n0 does not lead to s"):
        network.add_station(1, 2, 1, ports=(5, 1))
    with pytest.raises(ValueError, match="no quantum port"):
        network.add_node("plain", 77, None)
        network.add_station(1, 3, 1, ports=(1, 1))
    with pytest.raises(ValueError, match="number 0 of s is in use"):
        network.add_station(1, 2, 0, ports=(1, 1))
