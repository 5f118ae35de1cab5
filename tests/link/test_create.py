"""CREATE and what becomes of it: refusals, kinds, limits, pairs in memory."""

from __future__ import annotations

import pytest

from qplane.link.feu import CalibrationPoint
from qplane.link.policy import Policy, Slice
from qplane.wire.service import OkKeep, OkMeasure, RandomBasis, RequestType, ServiceError, TimeUnit

from .rig import NODE_IDS, PURPOSE, TIMING, Link, create
from .world import MS, Faults, World

MEASURE = RequestType.MEASURE


def finished(link: Link, for_ps: int = 1000 * MS) -> bool:
    return link.world.run(lambda: link.is_idle, for_ps=for_ps)


def the_error(link: Link, end: int = 0, **fields: object) -> ServiceError:
    sink = link.create(end, **fields)
    assert finished(link)
    assert sink.times_closed == 1
    (failure,) = sink.failures
    assert failure.message.has_range == 0
    return failure.message.error


@pytest.mark.parametrize(
    "fields",
    [
        {"min_fidelity": 62259},  # 0.95 is all there is
        {"number": 10, "max_time": 10 * 4 * 10 - 1},  # K: 4 cycles of 10 µs per pair
        {"number": 10, "max_time": 10 * 10 - 1, "request_type": MEASURE},
        {"number": 5, "consecutive": 0},  # 4 slots
        {"number": 5, "atomic": 1},
        {"request_type": MEASURE, "rotation_local_y": 3},
    ],
)
def test_what_the_link_cannot_give_is_unsupported(fields: dict[str, object]) -> None:
    link = Link(World())
    sink = link.create(0, **fields)
    (failure,) = sink.failures
    assert failure.message.error is ServiceError.UNSUPP
    assert failure.best is not None
    assert failure.best.fidelity == pytest.approx(0.95)
    assert failure.best.rate_per_s > 0
    assert link.channels[0].sent == 0


@pytest.mark.parametrize(
    "fields",
    [
        {"min_fidelity": 62258},
        {"number": 1, "max_time": 4 * 10},
        {"number": 4, "consecutive": 0},
        {"request_type": MEASURE, "rotation_local_y": 64},
    ],
)
def test_what_it_just_can_is_taken(fields: dict[str, object]) -> None:
    link = Link(World())
    assert not link.create(0, **fields).failures


def test_a_create_that_makes_no_sense_is_an_error() -> None:
    link = Link(World())
    assert the_error(link, number=0) is ServiceError.CREATE
    assert the_error(link, remote_node_id=99) is ServiceError.CREATE
    assert the_error(link, probability_local_1=200, probability_local_2=100) is ServiceError.CREATE


def test_a_purpose_that_nobody_listens_to_is_rejected() -> None:
    assert the_error(Link(World()), purpose_id=1234) is ServiceError.REJECTED


def test_a_slice_takes_so_many_requests_and_no_more() -> None:
    link = Link(World(), policy=Policy((Slice("a", PURPOSE, PURPOSE, 2),)))
    sinks = [link.create(0, number=3) for _ in range(4)]
    assert finished(link)
    failed = [sink.failures[0].message.error for sink in sinks if sink.failures]
    assert failed == [ServiceError.REJECTED] * 2
    assert the_error(link, purpose_id=PURPOSE + 1) is ServiceError.REJECTED


def test_no_answer_from_the_other_end_is_an_error() -> None:
    link = Link(World(), faults=Faults(loss=1.0))
    sink = link.create(0)
    link.world.run(for_ps=50 * MS)
    assert [f.message.error for f in sink.failures] == [ServiceError.OTHER]
    assert sink.is_closed


def test_time_limits_end_a_request_at_both_ends() -> None:
    link = Link(World(), success=0.001)
    sink = link.create(1, number=5, max_time=3, time_unit=TimeUnit.MILLISECOND)
    assert finished(link)
    assert [f.message.error for f in sink.failures] == [ServiceError.TIMEOUT]
    assert link.world.now_ps() < 5 * MS
    assert not any(len(egp.queue) for egp in link.ends)


def test_a_kept_pair_is_corrected_by_the_originator_alone() -> None:
    link = Link(World())
    link.create(1, number=4, holds=True)
    link.world.run(for_ps=20 * MS)
    other, originator = link.station.devices
    assert not other.corrected
    heralds = [bell for _, bell in link.station.truth.heralded.values()]
    assert list(originator.corrected.values()) == heralds


def test_measured_pairs_are_those_of_phi_plus() -> None:
    """Perfect pairs: Z and X agree, Y does not, whichever Bell state was heralded."""
    link = Link(World(), fidelity=1.0)
    sink = link.create(
        0,
        number=300,
        request_type=MEASURE,
        random_basis_local=RandomBasis.XYZ,
        random_basis_remote=RandomBasis.XYZ,
        probability_local_1=85,
        probability_local_2=85,
        probability_remote_1=85,
        probability_remote_2=85,
    )
    assert finished(link)
    compared = 0
    for seq, ok in sink.oks.items():
        here, there = ok.message, link.remote_sinks[1].oks[seq].message
        assert isinstance(here, OkMeasure)
        assert isinstance(there, OkMeasure)
        if here.basis is there.basis:
            compared += 1
            assert (here.outcome == there.outcome) == (here.basis.name != "Y")
    assert compared > 70


def test_an_ok_says_what_the_draft_says() -> None:
    link = Link(World())
    sink = link.create(1, number=2, holds=True)
    link.world.run(lambda: sink.seen == 2, for_ps=20 * MS)
    for end, taken, directionality in ((1, sink, 0), (0, link.remote_sinks[0], 1)):
        for ok in taken.oks.values():
            message = ok.message
            assert isinstance(message, OkKeep)
            assert len(message.to_bytes()) == 16
            assert message.directionality == directionality
            assert message.remote_node_id == NODE_IDS[1 - end]
            assert message.purpose_id == PURPOSE
            assert message.seq == ok.seq
            assert message.goodness == 62258
    ids = [ok.message.logical_qubit_id for ok in sink.oks.values()]  # type: ignore[union-attr]
    assert ids == [0, 1]


def test_pairs_all_at_once_come_all_at_once() -> None:
    link = Link(World())
    sink = link.create(0, number=4, consecutive=0, holds=True)
    while sink.seen == 0:
        link.world.step()
    assert sink.seen == 4
    assert len(link.station.devices[0].used) == 4


def test_atomic_requests_do_not_block_each_other_half_way() -> None:
    """Two that want all slots: one after the other, not each with half of them."""
    link = Link(World())
    sinks = [link.create(end, number=4, atomic=1, consecutive=0) for end in (0, 1, 0, 1)]
    assert finished(link)
    assert all(len(sink.oks) == 4 for sink in sinks)


def test_a_full_memory_at_one_end_lets_measured_pairs_pass() -> None:
    """The other end learns of it and does not wait with what needs no memory."""
    link = Link(World())
    link.remote_sinks[1].holds = True
    kept = link.create(0, number=8)
    link.world.run(for_ps=20 * MS)
    assert kept.seen == 4
    measured = link.create(1, number=50, priority=7, request_type=MEASURE)
    assert link.world.run(lambda: measured.is_closed, for_ps=20 * MS)
    held = link.remote_sinks[1]
    held.holds = False
    for ok in list(held.oks.values()):
        assert ok.qubit is not None
        link.ends[1].release(ok.qubit)
    assert finished(link)
    assert kept.seen == 8


def test_a_cancelled_request_keeps_its_pairs_and_ends_at_both_ends() -> None:
    link = Link(World())
    sink = link.create(0, number=1000)
    assert link.world.run(lambda: sink.seen == 10, for_ps=100 * MS)
    link.ends[0].cancel(0)
    assert finished(link, 100 * MS)
    assert set(sink.oks) == set(link.remote_sinks[1].oks)
    assert not sink.failures


def test_the_bright_state_of_the_originator_is_used_at_both_ends() -> None:
    points = [CalibrationPoint(n, n / 65535, 1 - n / 65535, 1 - n / 65535) for n in (1000, 30000)]
    link = Link(World(), points=points)
    link.create(1, min_fidelity=52428)
    seen = set()
    while not link.is_idle:
        link.world.step()
        seen |= {d.order.bright_state for d in link.station.devices if d.order is not None}
    (bright_state,) = seen
    assert bright_state / 65535 == pytest.approx(0.2, abs=1e-4)


def test_create_is_24_bytes() -> None:
    assert len(create(NODE_IDS[1]).to_bytes()) == 24
    assert TIMING.round_trip_cycles == 10
