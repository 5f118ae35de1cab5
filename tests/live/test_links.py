"""The link layer by the wall clock, each switch in a process of its own; as root alone."""

import os
import signal
from pathlib import Path

import pytest

from live.running import BMV2, Up
from qplane.live.client import Client

LINK = Path(__file__).parents[2] / "examples/link.toml"

pytestmark = pytest.mark.root

EPOCH = 1 << 24


def switch_process(up, name):
    """The process of the switch of a node, by its socket."""
    socket = f"switch-{name}.sock"
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_text()
        except OSError:
            continue
        if str(up.runtime) in words and socket in words:
            return int(process.name)
    raise AssertionError(f"{name} has no switch process")


@pytest.mark.parametrize(
    "target",
    [[], BMV2],
)
def test_a_link_outlives_its_stations_switch(tmp_path, target):
    """Its registers die with it; the pairs' numbers go on in the next epoch."""
    tmp_path.chmod(0o700)
    with (
        Up(tmp_path, "--clock", "real", "--time-scale", "50", *target, network=LINK) as up,
        Client(tmp_path / "qplane" / "link") as network,
    ):
        order = {"node": "alice", "remote": "bob", "pairs": 60, "min_fidelity": 0.8}
        seen = []
        for item in network.stream("link.create", **order):
            if "pair" not in item:
                assert item["end"]["state"] == "done"
                break
            seen.append(item["pair"]["seq"])
            if len(seen) == 5:
                os.kill(switch_process(up, "station"), signal.SIGKILL)
        assert len(seen) == 60
        assert {seq // EPOCH for seq in seen} == {1, 2}
        up.wait_for_line("station-renumbered: station")
