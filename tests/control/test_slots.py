"""Division of slots: disjoint, within the device, fair, and refused when there are too few."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qplane.control import SlotsError
from qplane.control.slots import MAX_SLOTS_PER_SIDE, Demand, Slots, divide


def slots_of(ranges):
    return [slot for r in ranges for slot in range(r.first, r.first + r.count)]


@given(
    total=st.integers(1, 200),
    wanted=st.lists(st.integers(0, 8), max_size=12),
    holes=st.lists(st.tuples(st.integers(0, 190), st.integers(1, 9)), max_size=4),
)
def test_ranges_are_disjoint_inside_the_device_and_as_large_as_wanted(total, wanted, holes):
    taken = [Slots(first, count) for first, count in holes if first + count <= total]
    demands = [Demand(f"c{index}", count) for index, count in enumerate(wanted)]
    free = set(range(total)) - set(slots_of(taken))
    try:
        ranges = divide("n", total, demands, taken)
    except SlotsError:
        too_many = sum(max(count, 1) for count in wanted) > len(free)
        scattered = bool(taken) and max(wanted) > 1
        assert too_many or scattered
        return
    used = slots_of(ranges)
    assert len(used) == len(set(used))
    assert set(used) <= free
    for demand, got in zip(demands, ranges, strict=True):
        assert got.count == demand.slots or (demand.slots == 0 and got.count >= 1)
        assert got.count <= MAX_SLOTS_PER_SIDE


@given(total=st.integers(1, 300), sharers=st.integers(1, 20))
def test_shares_differ_by_one_at_most_and_use_everything_there_is(total, sharers):
    if sharers > total:
        return
    counts = [r.count for r in divide("n", total, [Demand("c", 0)] * sharers)]
    assert max(counts) - min(counts) <= 1
    assert sum(counts) == min(total, sharers * MAX_SLOTS_PER_SIDE)


def test_fixed_demands_come_before_shares():
    ranges = divide("n", 10, [Demand("share", 0), Demand("fixed", 4), Demand("share", 0)])
    assert [r.count for r in ranges] == [3, 4, 3]


def test_more_circuits_than_slots_says_who_wants_how_many_of_what():
    with pytest.raises(SlotsError) as caught:
        divide("mid", 4, [Demand("a", 1), Demand("a", 1), Demand("b", 0), Demand("b", 2)])
    assert str(caught.value) == "mid: more circuits than slots: 5 wanted by a, b, 4 of 4 free"


def test_slots_that_are_free_but_scattered_are_not_enough_for_a_row():
    with pytest.raises(SlotsError, match="3 slots in a row; the longest run of free ones has 2"):
        divide("n", 5, [Demand("c", 3)], [Slots(2, 1)])


def test_more_slots_than_a_switch_keeps_track_of_are_refused():
    with pytest.raises(SlotsError, match="wants 33 slots on one side; 32 is the most"):
        divide("n", 100, [Demand("c", 33)])
