"""Messages that get lost, doubled, late, out of order or damaged, swaps that fail, qubits that
expire: pairs may be lost then, but never delivered wrongly, and nothing stays behind."""

import pytest

from e2e import rig

FAULTS = {
    "loss": {"loss": 0.05},
    "duplication": {"duplication": 0.3},
    "reordering": {"reordering": 0.3, "mean_delay": '"1 ms"'},
    "delay": {"delay": 0.3, "mean_delay": '"2 ms"'},
    "corruption": {"corruption": 0.1, "max_flipped_bits": 8},
    "all": {
        "loss": 0.03,
        "duplication": 0.1,
        "reordering": 0.1,
        "delay": 0.1,
        "corruption": 0.05,
        "mean_delay": '"1 ms"',
    },
}


@pytest.mark.parametrize("case", FAULTS)
@pytest.mark.parametrize("nodes", [3, 5])
def test_a_faulty_channel_never_makes_a_wrong_pair(case, nodes):
    text = rig.chain(nodes, slots=2, cutoff="20 ms", faults=FAULTS[case])
    outcome = rig.simulate(text, pairs=1500)
    rig.assert_clean(outcome)
    happened = outcome.summary.faults
    kinds = {"lost": "loss", "duplicated": "duplication", "reordered": "reordering"}
    kinds |= {"delayed": "delay", "corrupted": "corruption"}
    for counter, key in kinds.items():
        assert (happened[counter] > 0) == (key in FAULTS[case])
    assert abs(rig.deviation_of_fidelity(outcome)) < 4


def test_two_circuits_that_share_their_ports_under_all_faults():
    text = rig.network(
        [("a", "r"), ("r", "s"), ("s", "b")],
        [
            {"name": "one", "from": "a", "to": "b", "slots": 2, "cutoff": "10 ms"},
            {"name": "two", "from": "a", "to": "b", "slots": 2, "cutoff": "10 ms"},
            {"name": "back", "from": "s", "to": "a", "slots": 1, "cutoff": "10 ms"},
        ],
        memory={**rig.DEPHASING, "slots": 16},
        faults=FAULTS["all"],
    )
    outcome = rig.simulate(text, pairs=2000)
    rig.assert_clean(outcome)
    assert all(circuit.delivered > 200 for circuit in outcome.summary.circuits)


def test_swaps_that_fail():
    text = rig.chain(5, memory={**rig.DEPHASING, "swap_success": 0.6}, cutoff="20 ms")
    outcome = rig.simulate(text, pairs=1000)
    rig.assert_clean(outcome)
    assert outcome.summary.pair_events["swap failed"] > 100


def test_qubits_that_expire_at_every_node():
    """A cut-off of a few attempts: most pairs die, on all sides, and every slot comes back."""
    text = rig.chain(5, slots=2, cutoff="400 us", faults={"loss": 0.02})
    outcome = rig.simulate(text, pairs=300)
    rig.assert_clean(outcome)
    assert outcome.summary.expired > 300
    assert outcome.summary.pair_events["expire confirmed"] > 0


def test_sequence_numbers_that_wrap():
    memory = {**rig.DEPHASING, "slots": 6}
    text = rig.chain(4, slots=3, memory=memory, faults=FAULTS["reordering"], cutoff="20 ms")
    outcome = rig.simulate(text, pairs=3000, first_seq=2**32 - 1000)
    rig.assert_clean(outcome)
    for end in ("head_seq", "tail_seq"):
        assert outcome.pairs[end].max() > 2**32 - 1000
        assert outcome.pairs[end].min() < 2000


def test_registers_that_wrap_many_times():
    """10^5 pairs: every register cell is used again and again."""
    outcome = rig.simulate(rig.chain(3, slots=2, memory=rig.PERFECT), pairs=100_000)
    rig.assert_clean(outcome)
    assert outcome.summary.delivered >= 100_000
