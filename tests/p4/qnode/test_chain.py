"""End to end without physics: whatever happens to messages, no frame is wrong, no end is alone.

For each pair that both ends keep: each names the other's half, the frame is the true one, and the
tail-end (and it alone) was told to correct. A half that is not kept is not kept at either end. In
the end no qubit is in memory, and nothing waits to be confirmed.
"""

import pytest

from .chain import Chain, Delivery, Faults, Half

CLEAN = Faults()
LOSSY = Faults(loss=0.1)
DOUBLED = Faults(duplication=0.2)
DAMAGED = Faults(corruption=0.1)
ALL = Faults(loss=0.1, duplication=0.1, corruption=0.1)
HEAVY = Faults(loss=0.35, duplication=0.3, corruption=0.05)


def kept(chain: Chain, node: int) -> dict[Half, Delivery]:
    deliveries = chain.devices[node].deliveries
    return {half: delivery for half, delivery in deliveries.items() if not delivery.void}


def check_frames(chain: Chain) -> int:
    """Frames and partners are true; returns how many pairs the head-end kept."""
    for node in (0, chain.last):
        for half, delivery in kept(chain, node).items():
            other, bell = chain.entangled[half]
            assert other[0] == chain.last - node, f"{half} is entangled with {other}"
            assert delivery.other_seq == other[2]
            assert delivery.frame == bell
            assert delivery.corrected == (node == chain.last)
    return len(kept(chain, 0))


def check_agreement(chain: Chain) -> None:
    """What one end keeps, the other keeps."""
    for node in (0, chain.last):
        there = kept(chain, chain.last - node)
        for half in kept(chain, node):
            other, _ = chain.entangled[half]
            assert other in there, f"{half} is kept here, {other} is not kept there"


@pytest.mark.parametrize("faults", [CLEAN, LOSSY, DOUBLED, DAMAGED, ALL, HEAVY], ids=str)
@pytest.mark.parametrize("nodes", [2, 3, 5])
def test_both_ends_agree_on_every_pair(nodes: int, faults: Faults) -> None:
    # Sequence numbers wrap soon after the start.
    chain = Chain(nodes, faults, seed=nodes, first_seq=2**32 - 20)
    chain.run(steps=20_000 if faults is HEAVY else 6000)  # few messages come through five nodes
    check_agreement(chain)
    assert check_frames(chain) >= 5, chain.did
    assert chain.did["cut off"] > 20
    if faults is ALL:
        assert min(chain.did[kind] for kind in ("lost", "doubled", "damaged")) >= 20
        assert chain.did["VOID"] >= 1


def test_a_clean_chain_drops_nothing() -> None:
    chain = Chain(4, CLEAN, seed=1)
    chain.run(steps=6000)
    check_agreement(chain)
    assert check_frames(chain) >= 20
    # A cut-off that crosses with a swap or a delivery leaves an event behind its time.
    for switch in chain.switches:
        assert set(switch.drops()) <= {"DEVICE_STALE", "ACK_STALE"}, switch.drops()


@pytest.mark.parametrize("faults", [DOUBLED, ALL], ids=str)
@pytest.mark.parametrize("nodes", [2, 3, 4])
def test_frames_stay_true_where_records_are_reused_too_soon(nodes: int, faults: Faults) -> None:
    """32 places for all pairs of a link: records are overwritten while messages are under way.

    Then a switch forgets what it delivered (docs/p4.md says what rate a link may have), and its
    device is told of the loss by the pair's number at the other end. No frame is wrong or another
    pair's, and in these runs no end is left alone.
    """
    chain = Chain(nodes, faults, seed=nodes, first_seq=2**32 - 5 * 128, stride=128)
    chain.run(steps=6000)
    check_agreement(chain)
    assert check_frames(chain) >= 3, chain.did
    unknown = sum(switch.events().get("TRACK_UNKNOWN", 0) for switch in chain.switches)
    assert unknown >= 3
