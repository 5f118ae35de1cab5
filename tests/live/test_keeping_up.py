"""When a network says that the machine is too slow for it."""

import math

import pytest

from qplane.live.keeping_up import slow, tolerance_s
from qplane.net import load

from .running import REPEATER

QUICK = {"count": 100, "mean_ns": 1e4, "p50_ns": 1e4, "p99_ns": 1e5, "max_ns": 9e9}
SLOW = {**QUICK, "p99_ns": 3e8}
BEHIND = {**SLOW, "p50_ns": 2e8}


def test_the_tolerance_is_a_hundredth_of_what_ages_first():
    plan = load(REPEATER)  # T2 and cut-off of 20 ms
    assert tolerance_s(plan, 1.0) == pytest.approx(200e-6)
    assert tolerance_s(plan, 50.0) == pytest.approx(10e-3)


def test_nothing_ages_in_a_classical_network(tmp_path):
    path = tmp_path / "net.toml"
    path.write_text(
        '[network]\nname = "c"\n[nodes]\na = {}\nb = {}\n'
        '[[links]]\nbetween = ["a", "b"]\nlength = "1 km"\n'
    )
    assert tolerance_s(load(path), 1.0) == math.inf


@pytest.mark.parametrize(
    ("lateness", "transit", "found"),
    [
        (QUICK, {"a": QUICK, "b": QUICK}, {}),
        (SLOW, {"a": QUICK}, {"the engine was late by": 0.3}),
        (QUICK, {"a": QUICK, "b": SLOW}, {"the switch of b took": 0.3}),
        (SLOW, {}, {}),  # switches inside: hiccups reach nobody
        (BEHIND, {}, {"the engine is behind the clock by": 0.2}),
    ],
)
def test_what_is_slow(lateness, transit, found):
    assert slow(0.01, lateness, transit) == pytest.approx(found)
