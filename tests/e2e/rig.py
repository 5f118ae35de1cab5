"""Networks for the end-to-end tests, and running them: real gRPC, compiled program, engine."""

import asyncio
import json
import math
from dataclasses import dataclass

import numpy as np

from qplane.net import loads
from qplane.simulate.session import Goal, run, simulation
from qplane.simulate.summary import expectation

PS_PER_MS = 10**9

PERFECT = {"slots": 4}
DEPHASING = {"slots": 4, "t2": '"20 ms"', "swap_time": '"10 us"'}
RELAXING = {"slots": 4, "t1": '"20 ms"', "t2": '"40 ms"', "swap_time": '"10 us"'}
NOISY = {
    "slots": 4,
    "t1": '"50 ms"',
    "t2": '"30 ms"',
    "swap_time": '"20 us"',
    "two_qubit_gate_error": 0.02,
    "one_qubit_gate_error": 0.01,
    "readout_error": 0.01,
}
LOSSLESS = {"length": '"10 km"', "attenuation": '"0 dB/km"'}
LOSSY = {
    "length": '"10 km"',
    "detector_efficiency": 0.8,
    "dark_counts": '"200 Hz"',
    "detection_window": '"100 ns"',
    "visibility": 0.95,
}


def table(header, keys):
    return f"[{header}]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items()) + "\n"


def network(
    links, circuits, *, memory=DEPHASING, link=LOSSLESS, faults=None, hosts=(), pings=(), seed=1
):
    """The text of a network file. `links`: pairs of node names; `circuits`, `hosts`, `pings`: dicts
    of keys. Nodes are those that the links name, all with the same memory."""
    names = dict.fromkeys(name for pair in links for name in pair)
    text = table("network", {"name": '"test"', "seed": seed}) + table("memories.m", memory)
    text += table("nodes", {name: '{ memory = "m" }' for name in names})
    text += table("defaults.link", link)
    for a, b in links:
        text += table("[links]", {"between": f'["{a}", "{b}"]'})
    for kind, items in (("circuits", circuits), ("hosts", hosts), ("pings", pings)):
        for item in items:
            text += table(f"[{kind}]", {k: json.dumps(v) for k, v in item.items()})
    return text + (table("faults", faults) if faults else "")


def chain(nodes, **options):
    """A chain n0 - n1 - ... with one circuit from end to end, of more keys in `circuit`."""
    circuit = {"name": "c", "from": "n0", "to": f"n{nodes - 1}", "slots": options.pop("slots", 1)}
    cutoff = options.pop("cutoff", None)
    if cutoff is not None:
        circuit["cutoff"] = cutoff
    circuit |= options.pop("circuit", {})
    return network([(f"n{k}", f"n{k + 1}") for k in range(nodes - 1)], [circuit], **options)


@dataclass
class Outcome:
    """What a run left: its summary, the engine's sample, the closed form for each of its pairs."""

    summary: object
    pairs: dict
    hops: dict
    expected: object
    counters: dict
    names: list

    def circuit(self, name="c"):
        return next(circuit for circuit in self.summary.circuits if circuit.name == name)


def simulate(text, pairs=None, *, until_ps=None, during=None, **options):
    """Run a network to the end; `during`, a coroutine function of the simulation, is awaited when
    generation has ended and before the network drains.

    A run that does not deliver `pairs` within a time that is ample here fails instead of hanging.
    """
    if until_ps is None:
        until_ps = pairs * 50 * PS_PER_MS

    async def scenario():
        async with simulation(loads(text), **options) as simulated:
            if during is not None:
                drain = simulated.drain

                async def then_drain():
                    await during(simulated)
                    await drain()

                simulated.drain = then_drain
            summary = await run(simulated, Goal(pairs, until_ps))
            assert pairs is None or summary.stopped == "pairs", engine_state(simulated)
            engine = simulated.emulation.engine
            sample = engine.deliveries()
            return Outcome(
                summary,
                sample,
                engine.hops(),
                expectation(simulated.emulation, sample),
                engine.counters(),
                list(simulated.emulation.nodes),
            )

    return asyncio.run(scenario())


def engine_state(simulated):
    """For the message of a run that got stuck."""
    engine = simulated.emulation.engine
    return f"{engine.delivered} delivered at {engine.now_ps} ps; {engine.waiting()}"


def assert_clean(outcome):
    """No wrong frame, no pair matched to another's record, nothing one-sided, nothing left over."""
    summary = outcome.summary
    assert summary.wrong_frames == 0
    assert summary.mismatches == 0
    assert summary.void_mismatches == 0
    assert summary.one_sided == 0
    assert summary.slots_in_use == 0
    assert summary.unconfirmed == 0
    assert summary.waiting == []
    assert outcome.counters["entangled_link_pairs"] == 0
    assert not outcome.pairs["wrong_frame"].any()
    assert (outcome.pairs["head_frame"] == outcome.pairs["truth_frame"]).all()
    assert (outcome.pairs["tail_frame"] == outcome.pairs["truth_frame"]).all()


def deviation_of_fidelity(outcome):
    """Measured minus expected mean fidelity, in standard errors of the paired differences.

    Without read-out errors nothing random is left, and the differences themselves must vanish.
    """
    difference = outcome.pairs["fidelity"] - outcome.expected.fidelity
    spread = difference.std() / math.sqrt(len(difference))
    if spread < 1e-9:
        return float(np.abs(difference).max()) / 1e-9
    return float(difference.mean()) / spread


def deviation_of_qber(outcome, basis):
    """Errors counted minus expected, in standard errors; basis 0: Z, 1: X."""
    pairs = outcome.pairs
    chosen = (pairs["head_basis"] == basis) & (pairs["tail_basis"] == basis)
    errors = (pairs["head_bit"] != pairs["tail_bit"])[chosen].sum()
    chance = (outcome.expected.x_error if basis else outcome.expected.z_error)[chosen]
    spread = math.sqrt((chance * (1 - chance)).sum())
    if spread == 0:
        return float(errors)
    return float(errors - chance.sum()) / spread
