"""Single-click links: each circuit gets the bright states with which its fidelity comes fastest."""

import asyncio
import math

import pytest

from e2e import admission, rig
from qplane.control import RefusedError
from qplane.net import loads
from qplane.simulate.session import Goal, simulation
from qplane.wire.link import BRIGHT_ONE

LINK = {
    "length": '"20 km"',
    "scheme": '"single-click"',
    "emission_efficiency": 0.5,
    "detector_efficiency": 0.8,
    "dark_counts": '"10 Hz"',
    "visibility": 0.98,
}
MEMORY = {"slots": 16, "t2": '"1 s"', "swap_time": '"20 us"'}


def network(circuits):
    text = rig.network([("a", "b"), ("b", "c")], circuits, memory=MEMORY, link=LINK)
    return loads(text)


def asking(name, head, tail, fidelity, rate):
    return {"name": name, "from": head, "to": tail, "fidelity": fidelity, "rate": f"{rate} Hz"}


def run(circuits, seconds):
    """Plans by name, and how the promises were kept; raises AssertionError where one was not."""

    async def deliver():
        async with simulation(network(circuits)) as simulated:
            await simulated.set_up()
            engine = simulated.emulation.engine
            begin_ps = engine.now_ps
            await simulated.generate(Goal(until_ps=round(seconds * 1e12)))
            elapsed_s = (engine.now_ps - begin_ps) * 1e-12
            await simulated.drain()
            rows = {(r["head_node"], r["head_link"], r["head_label"]): r for r in engine.circuits()}
            plans = simulated.controller.plans
            outcome = admission.Outcome(len(circuits), len(plans), [], [], [])
            for plan in plans.values():
                nodes = simulated.emulation.nodes
                admission.check_promise(plan, nodes, rows, elapsed_s, outcome)
            return dict(plans), outcome

    return asyncio.run(deliver())


def alphas(plan):
    return {side.bright_state / BRIGHT_ONE for hop in plan.hops for side in hop.sides}


def test_more_fidelity_takes_less_population_and_makes_fewer_pairs():
    found = {}
    for fidelity in (0.7, 0.8, 0.9):
        plans, outcome = run([asking("c", "a", "c", fidelity, 5)], 20.0)
        (alpha,) = alphas(plans["c"])
        found[fidelity] = alpha, outcome.pairs
    bright, pairs = zip(*found.values(), strict=True)
    assert bright[0] > bright[1] > bright[2] > 0
    assert pairs[0] > pairs[1] > pairs[2]


def test_circuits_of_one_link_have_bright_states_of_their_own():
    plans, _ = run([asking("fine", "a", "b", 0.9, 20), asking("coarse", "a", "b", 0.75, 20)], 10.0)
    assert alphas(plans["fine"]) != alphas(plans["coarse"])


def test_a_pair_is_made_with_the_bright_state_that_was_asked_for():
    """Fidelity about 1 - alpha (Humphreys et al. 2018), less what the visibility costs."""
    plans, outcome = run([asking("c", "a", "b", 0.8, 5)], 20.0)
    (alpha,) = alphas(plans["c"])
    found = 0.8 + outcome.fidelity_margins[0]
    eta = 0.5 * 0.8 * 10 ** (-0.2 * 10 / 10)
    # Of the clicks in which at least one memory is bright, those with both are noise.
    both = alpha * (1 - eta / 2) / ((1 - alpha) + alpha * (1 - eta / 2))
    bound = (1 - both) * (1 + math.sqrt(0.98)) / 2
    assert found == pytest.approx(bound, abs=0.01)


def test_a_refusal_offers_what_another_bright_state_would_give():
    with pytest.raises(RefusedError, match=r"fidelity 0\.9 at \d+ pairs/s"):
        run([asking("c", "a", "c", 0.9, 5000)], 1.0)
