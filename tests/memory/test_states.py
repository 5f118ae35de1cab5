"""Conversions between density matrices and Pauli vectors."""

import numpy as np
import pytest

from qplane_cext.memory import states

from . import reference as ref


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_pauli_vector_holds_expectation_values(n):
    rho = ref.random_state(np.random.default_rng(n), n)
    R = states.pauli_vector(rho)
    for letters in np.ndindex(*(4,) * n):
        operator = np.ones((1, 1))
        for p in letters:
            operator = np.kron(operator, ref.PAULI[p])
        assert R[letters] == pytest.approx(np.trace(operator @ rho).real, abs=1e-14)
    assert np.abs(states.density_matrix(R) - rho).max() < 1e-14


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (np.eye(3) / 3, "shape"),
        (np.eye(4), "trace"),
        (np.diag([1.5, -0.5]), "eigenvalue"),
        (np.array([[0.5, 1], [0, 0.5]]), "Hermitian"),
        (np.array([[np.nan, 0], [0, 1]]), "finite"),
        (np.zeros((2, 2, 2)), "shape"),
    ],
)
def test_what_is_no_state_is_refused(state, message):
    with pytest.raises(ValueError, match=f"^rho: .*{message}"):
        states.as_density_matrix(state, "rho")
