"""Owners, limits and deadlines of slots; handles of other generations."""

import numpy as np
import pytest

from qplane_cext.memory import errors
from qplane_cext.memory.core import QuantumMemory

from .scripted import scripted


def test_deadlines_come_in_order_whatever_their_distance():
    rng = np.random.default_rng(1)
    memory = QuantumMemory(4000)
    deadlines = {}
    times = np.concatenate([rng.integers(0, 2**k, 40) for k in range(1, 62)])
    for t in times:
        h = memory.create_qubit(0)
        memory.assign(h, 0, deadline_ps=int(t))
        deadlines[h] = int(t)
    cancelled = [int(h) for h in rng.choice(list(deadlines), 300, replace=False)]
    for i, h in enumerate(cancelled):
        if i % 3 == 0:
            memory.free(h)
        elif i % 3 == 1:
            memory.assign(h, 0)
        else:
            deadlines[h] += 1000
            memory.assign(h, 0, deadline_ps=deadlines[h])
            continue
        del deadlines[h]
    now, expected = 0, sorted(deadlines.values())
    for step in [*sorted(rng.integers(0, 2**62, 50).tolist()), 2**63 - 2]:
        now = int(step)
        gone = memory.expire(now)
        got = [deadlines.pop(h) for h in gone]
        assert got == expected[: len(got)]
        del expected[: len(got)]
        assert not expected or expected[0] > now
        assert not any(memory.is_live(h) for h in gone)
    assert not deadlines


def test_an_overdue_deadline_expires_at_once():
    memory = QuantumMemory(8)
    early, late = memory.create_qubit(0), memory.create_qubit(0)
    memory.assign(late, 0, deadline_ps=10**9)
    assert memory.expire(10**10) == [late]
    memory.assign(early, 0, deadline_ps=5)
    assert memory.slot(early).deadline_ps == 5
    assert memory.expire(4) == []
    assert memory.expire(10**10) == [early]


def test_a_node_holds_no_more_than_its_slots():
    memory = QuantumMemory(8)
    alice, bob = memory.add_node(2), memory.add_node(1)
    a, b = memory.create_pair(0)
    c, d = memory.create_pair(0)
    memory.assign(a, alice, purpose=7, slice=3)
    memory.assign(b, bob)
    memory.assign(c, alice)
    assert memory.slot(a) == (alice, 7, 3, None)
    with pytest.raises(errors.MemoryFullError, match="node 2 has 1 slots"):
        memory.assign(d, bob)
    memory.measure(b, 0, scripted(0.3), node=bob)
    memory.assign(d, bob)
    with pytest.raises(errors.ForeignSlotError, match="right: its slot is not node 1's"):
        memory.swap(a, d, 0, scripted(0.3), node=alice)
    for call in (
        lambda: memory.measure(d, 0, scripted(0.3), node=alice),
        lambda: memory.pauli(d, 0, "X", node=alice),
        lambda: memory.gate(d, 0, "H", node=alice),
        lambda: memory.cnot(c, d, 0, node=alice),
        lambda: memory.reset(d, 0, node=alice),
        lambda: memory.free(d, node=alice),
    ):
        with pytest.raises(errors.ForeignSlotError, match="its slot is not node 1's"):
            call()
    assert memory.is_live(d)
    memory.free(d, node=bob)


def test_a_handle_outlives_its_qubit_as_an_error():
    memory = QuantumMemory(1)
    old = memory.create_pair(0)
    for q in old:
        memory.free(q)
    new = memory.create_pair(0)
    assert {h & 0xFFFFFFFF for h in old} == {h & 0xFFFFFFFF for h in new}
    with pytest.raises(errors.StaleHandleError, match=r"^qubit: 0x"):
        memory.measure(old[0], 0, scripted(0.1))
    assert memory.fidelity(*new) == 1
