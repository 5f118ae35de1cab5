"""The hash map against a dict."""

from hypothesis import given
from hypothesis import strategies as st

from qplane_cext.sim.keymap import KeyMapProbe

KEYS = st.integers(0, 40) | st.integers(0, 2**64 - 1)
STEPS = st.lists(st.tuples(st.sampled_from(["set", "remove"]), KEYS, st.integers(0, 2**31 - 1)))


@given(STEPS)
def test_it_does_what_a_dict_does(steps):
    table, model = KeyMapProbe(), {}
    for what, key, value in steps:
        if what == "set":
            table.set(key, value)
            model[key] = value
        else:
            table.remove(key)
            model.pop(key, None)
        assert len(table) == len(model)
    for key in [*model, *(key for _, key, _ in steps)]:
        assert table.get(key) == model.get(key, -1)


def test_many_keys_come_and_go():
    table = KeyMapProbe()
    for key in range(20_000):
        table.set(key, key % 1000)
        if key >= 100:
            table.remove(key - 100)
    assert len(table) == 100
    assert [table.get(key) for key in range(19_900, 20_000)] == [k % 1000 for k in range(900, 1000)]
