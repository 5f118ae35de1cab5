"""Delivered pairs of a whole network against the closed form, pair by pair.

With perfect read-out the reported outcomes are the true ones. Then the state of each delivered pair
follows from the storage times and the outcomes alone, and the engine must have it to rounding.
"""

import asyncio

import numpy as np
import pytest

from qplane.net.load import loads
from qplane.simulate.session import Goal, simulation
from qplane.simulate.summary import expectation

TEXT = """
[network]
name = "physics"
seed = 3

[memories.m]
slots = 4
{memory}
swap_time = "50 us"
two_qubit_gate_error = "2 %"
one_qubit_gate_error = "1 %"

[defaults.link]
attenuation = "0.3 dB/km"
scheme = "double-click"
detector_efficiency = "70 %"
emission_time = "2 us"
dark_counts = "20 kHz"
visibility = "93 %"

[nodes]
a = {{ memory = "m" }}
b = {{ memory = "m" }}
c = {{ memory = "m" }}
d = {{ memory = "m" }}

[[links]]
between = ["a", "b"]
length = "12 km"
station = 0.3

[[links]]
between = ["c", "b"]
length = "20 km"
station = 0.6

[[links]]
between = ["c", "d"]
length = "7 km"
station = 1.0

[[circuits]]
name = "far"
from = "d"
to = "a"
slots = 2
cutoff = "40 ms"
"""


async def delivered(memory):
    async with simulation(loads(TEXT.format(memory=memory))) as simulated:
        await simulated.set_up()
        await simulated.generate(Goal(pairs=300))
        rows = simulated.emulation.engine.deliveries()
        return rows, expectation(simulated.emulation, rows)


@pytest.mark.parametrize(
    "memory",
    [
        't2 = "80 ms"',
        't1 = "60 ms"\nt2 = "120 ms"',
        't1 = "50 ms"\nt2 = "30 ms"',
    ],
)
def test_each_fidelity_is_the_closed_form(memory):
    rows, expected = asyncio.run(delivered(memory))
    assert len(rows["fidelity"]) == 300
    assert set(rows["hop_count"]) == {3}
    assert np.ptp(rows["fidelity"]) > 0.05
    np.testing.assert_allclose(rows["fidelity"], expected.fidelity, rtol=0, atol=1e-9)
