"""The link layer's figures on the real engine: estimates, shares, waiting times, closed forms.

The measuring itself is that of benchmarks/links, here with samples that take seconds; with -m slow
those that it publishes.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks/links"))

import closed_forms  # (the path above)
import estimates
import latency
import shares
import storage
from world import plan, world

from qplane.wire.service import RequestType

FARTHEST = 3.5
"""Standard errors: 1 in 2000 right figures is beyond."""


def check(figures: dict[str, float]) -> None:
    """Distances in standard errors are as they would be by chance, neither more nor much less."""
    assert figures["chance_of_more"] > 0.005, figures
    assert figures["chance_of_less"] > 0.001, figures
    assert figures["largest"] < FARTHEST, figures


def test_estimates_and_error_rates_of_random_links_are_right() -> None:
    results = estimates.study(links=3, pairs=450, kept=4)
    for figures in results["summary"].values():
        check(figures)


@pytest.mark.slow
def test_estimates_of_20_random_links_are_right() -> None:
    results = estimates.study(links=20, pairs=3000, kept=10)
    for figures in results["summary"].values():
        check(figures)


def test_the_bright_state_is_the_largest_that_meets_the_fidelity() -> None:
    """Against the closed form solved for 0.8, and for pairs that wait for REPLY against the true
    fidelity of one."""
    link = {
        "scheme": "single-click",
        "length": "20 km",
        "station": 0.3,
        "emission_efficiency": [0.3, 0.2],
        "visibility": 0.96,
        "phase_uncertainty": "8 deg",
        "dark_counts": "500 Hz",
        "detection_window": "25 ns",
        "double_excitation": 0.02,
    }
    network = plan(link, {"t1": "1 s", "t2": "20 ms"})
    fibre = network.links[0].options.fibre()

    def fidelity(alpha: float) -> float:
        return fibre.herald(alpha, alpha).fidelity

    low, high = 0.05, 0.5  # F falls from one to the other
    assert fidelity(low) > 0.8 > fidelity(high)
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if fidelity(middle) > 0.8 else (low, middle)

    async def main() -> None:
        async with world(network) as w:
            estimator = w.a.egp.estimator
            measured = estimator.choose(0.8, RequestType.MEASURE)
            kept = estimator.choose(0.8, RequestType.KEEP)
            assert measured is not None
            assert kept is not None
            assert measured.bright_state / 65535 == pytest.approx(low, rel=0.002)
            assert fidelity(measured.bright_state / 65535) > 0.8 - 1e-4
            assert kept.bright_state < measured.bright_state
            assert estimator.best(RequestType.KEEP).fidelity < 0.99
            _, true, _ = await estimates.kept_fidelity(w, 2, 0.8)
            assert true == pytest.approx(0.8, abs=3e-4)
            assert estimator.choose(0.99, RequestType.KEEP) is None

    asyncio.run(main())


def test_queues_get_their_shares_and_the_scheduler_changes_while_requests_wait() -> None:
    rows = asyncio.run(shares.study(pairs=700, others=150))
    wfq, priority, fcfs, reversed_weights = rows
    assert wfq["of_the_rest"]["ten"] == pytest.approx(10 / 11, abs=0.02)
    assert reversed_weights["of_the_rest"]["one"] == pytest.approx(10 / 11, abs=0.05)
    assert priority["of_the_rest"]["one"] == 0
    assert fcfs["of_the_rest"]["one"] == pytest.approx(0.5, abs=0.1)
    for row in (wfq, priority, reversed_weights):
        under_way = 15  # pairs of requests that came before, or are not done
        assert abs(row["pairs"]["strict"] - row["strict_asked"]) <= under_way, row
        assert row["strict_mean_ms"] < 20  # of FCFS: 100 ms, as the queue has 24 others


@pytest.mark.slow
def test_queues_get_their_shares_within_2_percent() -> None:
    (wfq, *_) = asyncio.run(shares.study(pairs=12_000, others=150))
    assert wfq["of_the_rest"]["ten"] == pytest.approx(10 / 11, rel=0.02)
    assert wfq["of_the_rest"]["one"] == pytest.approx(1 / 11, rel=0.02)
    assert wfq["pairs"]["strict"] == pytest.approx(wfq["strict_asked"], abs=15)


@pytest.mark.slow
def test_first_come_first_served_waits_as_queueing_theory_says() -> None:
    found = asyncio.run(latency.formula(8000))
    distance = (found["busy"]["mean_ms"] - found["expected_ms"]) / found["error_ms"]
    assert abs(distance) < FARTHEST
    assert found["busy"]["wait_ms"] > 10 * found["error_ms"]  # or the test says nothing


@pytest.mark.parametrize(
    ("scheme", "km"),
    list(zip(closed_forms.SCHEMES, (200, 0.001, 100, 25, 150, 50), strict=True)),
)
def test_the_engine_makes_what_the_closed_form_says(scheme: str, km: float) -> None:
    found: dict[str, Any] = asyncio.run(closed_forms.point(scheme, round(km) + 5, km, 60))
    assert found["fidelity"]["kept_differ_by"] < 1e-12
    check(estimates.chi_square(list(found["z"].values())))


def test_moving_to_storage_pays_off_when_the_closed_form_says() -> None:
    row = storage.point(10, 0.05)
    left, moved = row["left"], row["moved"]
    assert row["closed_form_differs_by"] < 2e-4  # the report takes a microsecond
    assert left[0] > moved[0] + 1e-3
    assert left[1] == pytest.approx(moved[1], abs=2e-4)
    assert moved[2] > left[2] + 0.05
