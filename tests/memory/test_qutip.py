"""Conversion to and from QuTiP. Runs in the benchmark's environment: `make bench-memory`."""

import math

import numpy as np
import pytest

from qplane_cext.memory.core import QuantumMemory

qutip = pytest.importorskip("qutip", reason="QuTiP is not installed (`make bench-memory` has it)")


def test_a_pair_there_and_back():
    memory = QuantumMemory(8)
    p = memory.profile(1e-3, 1.2e-3, 0.1)
    a, b = memory.create_pair(0, (0.7, 0.15, 0.1, 0.05), p, p)
    state = memory.to_qutip(a, b, now_ps=10**8)
    assert state.dims == [[2, 2], [2, 2]]
    assert np.allclose(state.full(), memory.density_matrix(a, b, now_ps=10**8), atol=1e-15)
    c, d = memory.create_pair(10**8, state, p, p)
    assert np.allclose(memory.density_matrix(c, d), state.full(), atol=1e-12)


def test_bell_states_have_the_same_names():
    memory = QuantumMemory(8)
    for bell, name in enumerate(("00", "01", "10", "11")):
        a, b = memory.create_pair(0, qutip.ket2dm(qutip.bell_state(name)))
        assert memory.fidelity(a, b, bell=bell) == pytest.approx(1, abs=1e-12)


def test_any_state_keeps_the_order_of_its_qubits():
    memory = QuantumMemory(8)
    ket = qutip.tensor(
        qutip.basis(2, 0), qutip.basis(2, 1), (qutip.basis(2, 0) + 1j * qutip.basis(2, 1)).unit()
    )
    h = memory.create_state(0, ket)
    assert np.allclose(memory.to_qutip(*h).full(), qutip.ket2dm(ket).full(), atol=1e-12)
    turned = memory.to_qutip(h[2], h[0])
    expected = qutip.ket2dm(ket).ptrace([0, 2]).permute([1, 0])
    assert np.allclose(turned.full(), expected.full(), atol=1e-12)
    bloch = [
        qutip.expect(s, memory.to_qutip(h[2], h[0]).ptrace(0))
        for s in (qutip.sigmax(), qutip.sigmay(), qutip.sigmaz())
    ]
    assert np.allclose(bloch, (0, 1, 0), atol=1e-12)


def test_ageing_agrees_with_the_master_equation():
    """Lindblad operators of T1 and pure dephasing on both halves of Phi+, integrated by QuTiP."""
    t1, t2, t = 1e-3, 0.8e-3, 2e-4
    memory = QuantumMemory(8)
    p = memory.profile(t1, t2)
    a, b = memory.create_pair(0, 1.0, p, p)
    rate = 1 / t2 - 1 / (2 * t1)
    lower, z, one = qutip.basis(2, 0) * qutip.basis(2, 1).dag(), qutip.sigmaz(), qutip.qeye(2)
    jumps = [math.sqrt(1 / t1) * lower, math.sqrt(rate / 2) * z]
    both = [qutip.tensor(j, one) for j in jumps] + [qutip.tensor(one, j) for j in jumps]
    start = qutip.ket2dm(qutip.bell_state("00"))
    options = {"atol": 1e-13, "rtol": 1e-11}
    end = qutip.mesolve(0 * start, start, [0, t], both, options=options).states[-1]
    got = memory.to_qutip(a, b, now_ps=round(t * 1e12))
    assert np.abs(got.full() - end.full()).max() < 1e-9
