"""The service API and the operations, over real frames and the stub of the physics."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from qplane.link.end import QubitGoneError
from qplane.link.errors import LinkLayerError
from qplane.link.layer import LinkLayer
from qplane.link.operations import operations
from qplane.link.request import LinkRequestError, RequestState
from qplane.live.api import OperationError
from qplane.wire.service import OkMeasure, RandomBasis, ServiceError

from .stub_network import StubNetwork

MS = 1_000_000_000


def on_a_link_layer(
    test: Callable[[StubNetwork, LinkLayer], Awaitable[None]], **physics: float
) -> None:
    """Run `test` on a link layer that is then idle, and close it."""

    async def main() -> None:
        network = StubNetwork(**physics)  # type: ignore[arg-type]
        layer = LinkLayer(network, network.clock, least_round_trip_ps=0)  # type: ignore[arg-type]
        await layer.start()
        try:
            await asyncio.wait_for(test(network, layer), 60)
            await network.clock.sleep(20 * MS)
            assert all(end.egp.is_idle for end in layer.ends.values())
            assert not any(device.used for device in network.station.devices)
            assert (layer.lost, layer.malformed) == (0, 0)
        finally:
            await layer.close()

    asyncio.run(main())


def test_kept_pairs_come_one_by_one_and_are_released() -> None:
    async def test(network: StubNetwork, layer: LinkLayer) -> None:
        end = layer.end("alice", "bob")
        request = await end.create(10, min_fidelity=0.8)
        assert request.state is RequestState.ASKED
        seen = []
        async for ok in request:
            assert request.state in (RequestState.QUEUED, RequestState.DONE)
            seen.append(ok.seq)
            await end.release(ok)
        assert seen == list(range(1, 11))
        assert await request.done() is RequestState.DONE
        assert request.pairs == 10

    on_a_link_layer(test)


def test_both_ends_get_the_same_measured_pairs() -> None:
    async def test(network: StubNetwork, layer: LinkLayer) -> None:
        listener = layer.end("bob", "alice").listen(77)
        request = await layer.end("alice", "bob").create(
            40, keep=False, basis=RandomBasis.XZ, purpose_id=77
        )
        await request.done()
        listener.close()
        here = {ok.seq: ok.message async for ok in request}
        there = {ok.seq: ok.message async for ok in listener}
        assert here.keys() == there.keys()
        assert len(here) == 40
        for seq, message in here.items():
            other = there[seq]
            assert isinstance(message, OkMeasure)
            assert isinstance(other, OkMeasure)
            if message.basis is other.basis:
                assert message.outcome == other.outcome

    on_a_link_layer(test, fidelity=1.0)


def test_a_request_that_fails_raises_its_error() -> None:
    async def test(network: StubNetwork, layer: LinkLayer) -> None:
        request = await layer.end("alice", "bob").create(3, min_fidelity=0.99)
        with pytest.raises(LinkRequestError, match=r"UNSUPP.*best.*fidelity 0\.95") as caught:
            async for _ in request:
                pass
        assert caught.value.error is ServiceError.UNSUPP
        request = await layer.end("bob", "alice").create(3, purpose_id=4711)
        with pytest.raises(LinkRequestError, match="REJECTED: the other end does not accept it"):
            async for _ in request:
                pass

    on_a_link_layer(test)


def test_cancelling_ends_the_iteration() -> None:
    async def test(network: StubNetwork, layer: LinkLayer) -> None:
        end = layer.end("alice", "bob")
        request = await end.create(1000)
        async for ok in request:
            await end.release(ok)
            if request.pairs >= 5:
                await request.cancel()
        assert request.state is RequestState.CANCELLED

    on_a_link_layer(test)


def test_a_kept_pair_is_measured_once() -> None:
    async def test(network: StubNetwork, layer: LinkLayer) -> None:
        end = layer.end("alice", "bob")
        (ok,) = [ok async for ok in await end.create(1)]
        assert await end.measure(ok) == 1
        with pytest.raises(QubitGoneError, match="pair 1 is not in the memory of alice"):
            await end.measure(ok)

    on_a_link_layer(test)


def test_a_link_that_is_not_there_is_named() -> None:
    async def test(network: StubNetwork, layer: LinkLayer) -> None:
        with pytest.raises(LinkLayerError, match="from alice to carol; the link layer has: alice-"):
            layer.end("alice", "carol")

    on_a_link_layer(test)


async def collect(stream: Any) -> list[Any]:
    return [item async for item in stream]


def test_operations_of_a_running_network() -> None:
    async def test(network: StubNetwork, layer: LinkLayer) -> None:
        offered = operations(layer, network.clock)
        items = await collect(offered["link.create"](node="alice", remote="bob", pairs=5))
        assert [item["pair"]["seq"] for item in items[:-1]] == [1, 2, 3, 4, 5]
        assert items[-1]["end"]["state"] == "done"
        kept = await collect(offered["link.create"](node="bob", remote="alice", pairs=9, keep=True))
        assert kept[-1]["end"]["pairs"] == 9
        said: Any = await offered["link.scheduler"](  # type: ignore[misc]
            node="alice", remote="bob", name="wfq", weights=[0, 10, 1]
        )
        assert said["scheduler"] == "wfq"
        await collect(offered["link.test"](node="alice", remote="bob", pairs=200))
        await network.clock.sleep(MS)
        rows: Any = await offered["link.status"]()  # type: ignore[misc]
        assert [(row["node"], row["scheduler"]) for row in rows] == [
            ("alice", "wfq"),
            ("bob", "wfq"),
        ]
        for row in rows:
            assert row["pairs"] == 214
            assert row["fidelity"]["error"] < 0.01
            assert set(row["qber"]) == {"X", "Y", "Z"}
        tables = await collect(offered["link.top"](interval_s=0.001, count=3))
        assert len(tables) == 3

    on_a_link_layer(test)


def test_kept_pairs_are_held_for_a_time_or_until_they_are_let_go() -> None:
    """At both ends, and the status says so."""

    async def test(network: StubNetwork, layer: LinkLayer) -> None:
        offered = operations(layer, network.clock)
        ends = [layer.end("alice", "bob"), layer.end("bob", "alice")]

        async def hold(seconds: float) -> list[int]:
            asked = {"node": "alice", "remote": "bob", "pairs": 3, "keep": True}
            await collect(offered["link.create"](hold_s=seconds, **asked))
            await network.clock.sleep(MS)
            rows: Any = await offered["link.status"]()  # type: ignore[misc]
            held = [[pair["seq"] for pair in row["held"]] for row in rows]
            assert held[0] == held[1]
            assert [len(end.egp.memory) for end in ends] == [3, 3]
            assert all(0 < pair["left_s"] <= seconds for row in rows for pair in row["held"])
            return held[0]

        assert len(await hold(0.1)) == 3
        await network.clock.sleep(100 * MS)
        assert [len(end.egp.memory) for end in ends] == [0, 0]
        assert len(await hold(50.0)) == 3
        said: Any = await offered["link.release"](node="bob", remote="alice")  # type: ignore[misc]
        assert said["released"] == 3
        assert [len(end.egp.memory) for end in ends] == [0, 0]

    on_a_link_layer(test)


@pytest.mark.parametrize(
    ("operation", "arguments", "said"),
    [
        ("link.create", {"node": "alice", "remote": "x"}, "no quantum link"),
        ("link.create", {"node": "alice", "remote": "bob", "basis": "q"}, "z, xz, xyz"),
        ("link.create", {"node": "alice", "remote": "bob", "pairs": 70000}, "number is 70000"),
        ("link.create", {"node": "alice", "remote": "bob", "min_fidelity": 1.0}, "UNSUPP"),
        ("link.create", {"node": "alice", "remote": "bob", "hold_s": 1.0}, "only kept pairs"),
        (
            "link.create",
            {"node": "alice", "remote": "bob", "keep": True, "hold_s": 1e9},
            "hold_s = 1000000000.0",
        ),
        ("link.top", {"interval_s": 0}, "more than 0"),
    ],
)
def test_mistakes_are_one_clear_line(operation: str, arguments: dict[str, Any], said: str) -> None:
    async def test(network: StubNetwork, layer: LinkLayer) -> None:
        with pytest.raises(OperationError, match=said):
            await collect(operations(layer, network.clock)[operation](**arguments))

    on_a_link_layer(test)


def test_a_wrong_scheduler_is_one_clear_line() -> None:
    async def test(network: StubNetwork, layer: LinkLayer) -> None:
        choose: Any = operations(layer, network.clock)["link.scheduler"]
        with pytest.raises(OperationError, match="fcfs, priority, wfq"):
            await choose(node="alice", remote="bob", name="lifo")

    on_a_link_layer(test)


def test_a_test_is_over_when_both_ends_have_compared() -> None:
    async def test(network: StubNetwork, layer: LinkLayer) -> None:
        offered = operations(layer, network.clock)
        await collect(offered["link.test"](node="alice", remote="bob", pairs=100))
        here, there = (layer.end(*ends).egp for ends in (("alice", "bob"), ("bob", "alice")))
        assert here.outcomes_awaited == there.outcomes_awaited == 0
        compared = [
            sum(count.pairs for count in egp.estimator.error_rates.values())
            for egp in (here, there)
        ]
        assert compared[0] == compared[1] > 10

    on_a_link_layer(test)
