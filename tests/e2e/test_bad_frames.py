"""Random, cut, flipped and repeated frames into every port of a network that delivers."""

import asyncio
import random
from pathlib import Path

from scapy.utils import rdpcap

from qplane.net import load
from qplane.simulate.session import Goal, run, simulation

REPEATER = Path(__file__).parents[2] / "examples" / "repeater.toml"
MS = 10**9
ROUNDS, EACH = 40, 10  # frames for each port, every 10 ms


def bad(rng: random.Random, seen: list[bytes]) -> bytes:
    """A frame of another run of the network (its quantum ports' among them), mostly damaged."""
    frame = bytearray(rng.choice(seen))
    kind = rng.random()
    if kind < 0.15:
        return rng.randbytes(rng.randrange(200))
    if kind < 0.3:
        return bytes(frame[: rng.randrange(len(frame))])
    if kind < 0.9:
        for _ in range(rng.randrange(1, 6)):
            frame[rng.randrange(len(frame))] ^= 1 << rng.randrange(8)
    return bytes(frame)


def test_bad_frames_make_no_pair_wrong_and_are_counted(tmp_path):
    plan = load(REPEATER)
    rng = random.Random(11)

    async def main():
        # Numbers of its own: whole messages about this run's pairs, on the right port and with the
        # right checksum, would be believed, as there is no authentication yet (docs/wire.md).
        async with simulation(
            plan, seed=2, pcap_dir=tmp_path, first_seq=1 << 20, direct=True
        ) as other:
            await run(other, Goal(pairs=50))
        ports = [path for path in tmp_path.glob("*.pcap") if "-510" not in path.name]
        seen = [bytes(frame) for path in sorted(ports) for frame in rdpcap(str(path))]
        async with simulation(plan, direct=True) as simulated:
            await simulated.set_up()
            engine = simulated.emulation.engine
            injected, at_ps = 0, engine.now_ps
            for _ in range(ROUNDS):
                for node in range(3):
                    for port in (1, 2):
                        for _ in range(EACH):
                            engine.inject(node, port, bad(rng, seen))
                            injected += 1
                at_ps += 10 * MS
                await simulated.generate(Goal(until_ps=at_ps))
            await simulated.controller.stop()
            await simulated.drain()
            assert await simulated.controller.verify() == []
            return injected, (await simulated.summary()).as_dict()

    injected, summary = asyncio.run(main())
    assert summary["delivered"] > 150
    for nothing in ("wrong_frames", "mismatches", "void_mismatches", "one_sided", "slots_in_use"):
        assert summary[nothing] == 0, nothing
    assert injected // 2 < sum(summary["drops"].values()) <= injected + 10
    for reason in ("bad checksum", "device port", "parser error", "unknown label"):
        assert summary["drops"][reason] > 0, reason
