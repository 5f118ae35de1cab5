"""The event queue: by time, and among equals by order of insertion."""

from hypothesis import given
from hypothesis import strategies as st

from qplane_cext.sim.events import replay_queue

TIMES = st.lists(st.integers(0, 50) | st.integers(0, 2**63 - 1), max_size=300)


@given(TIMES)
def test_events_come_out_as_a_stable_sort_orders_them(times):
    assert replay_queue(times) == sorted(range(len(times)), key=lambda i: times[i])


def test_a_million_equal_times_keep_their_order():
    assert replay_queue([7] * 1_000_000) == list(range(1_000_000))
