"""Requests beside and after one that the machine can't follow, by the wall clock."""

from pathlib import Path

from live.running import Up
from qplane.live.client import Client

LINK = Path(__file__).parents[2] / "examples/link.toml"  # 10,000 pairs/s and more


def small(network):
    """Pairs that a request of five gets."""
    return list(network.stream("link.create", node="alice", remote="bob", pairs=5))[-1]["end"]


def test_others_are_served_beside_a_huge_request_and_after_its_cancel(tmp_path):
    tmp_path.chmod(0o700)
    # Whatever the machine does beside: a message has half a second of wall time.
    with (
        Up(tmp_path, "--time-scale", "5", network=LINK),
        Client(tmp_path / "qplane" / "link") as network,
    ):
        network.call("link.scheduler", node="alice", remote="bob", name="priority")
        huge = network.stream("link.create", node="alice", remote="bob", pairs=60_000, priority=5)
        for _ in range(300):
            assert "pair" in next(huge)
        assert small(network)["pairs"] == 5
        huge.close()
        for _ in range(3):
            assert small(network)["pairs"] == 5
        for end in network.call("link.status"):
            assert end["void"] < 100
