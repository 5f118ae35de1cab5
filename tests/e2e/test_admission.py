"""Every admitted circuit gets what it was promised, whatever else the network carries."""

import asyncio

import pytest

from . import admission


def check(outcome, least):
    assert outcome.admitted >= least
    assert len(outcome.rate_ratios) == outcome.admitted
    print(
        f"{outcome.admitted} of {outcome.asked} admitted; fidelity above promise by "
        f"{min(outcome.fidelity_margins):.4f} at least, rate {min(outcome.rate_ratios):.2f} of it"
    )


def test_a_small_grid_keeps_its_promises():
    check(asyncio.run(admission.run(admission.grid(4, 3), 30, 2.0, slots=12)), 8)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("links", "seconds"),
    [
        pytest.param(admission.grid(10, 5), 10.0, id="grid"),
        pytest.param(admission.waxman(50, 3), 10.0, id="waxman"),
        pytest.param(admission.surfnet(), 10.0, id="surfnet"),
    ],
)
def test_200_requests_to_a_large_network(links, seconds):
    check(asyncio.run(admission.run(links, 200, seconds)), 50)
