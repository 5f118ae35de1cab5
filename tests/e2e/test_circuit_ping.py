"""The quantum ping over real P4Runtime and the compiled program, in virtual time."""

import asyncio
from itertools import pairwise

import pytest

from e2e import rig
from qplane.clock import PS_PER_SECOND
from qplane.control import ControlError
from qplane.net import loads
from qplane.simulate.session import simulation
from qplane.wire import CircuitFrame, CircuitPingBody, CircuitRole, QciMessage, QciType

FRAME_PS = 78 * 8 * 100
"""Of a ping or its answer, 78 bytes at the default of 10 Gb/s."""

SWITCH_PS = 1_000_000
"""What the engine takes for a packet to pass a switch."""

LENGTHS_KM = (10, 25, 5, 40, 1, 30, 12, 8)


def line(nodes, circuits=None):
    """Nodes n0, n1, ... with links of different lengths."""
    names = [f"n{i}" for i in range(nodes)]
    text = rig.network(
        list(pairwise(names)),
        circuits or [{"name": "c", "from": names[0], "to": names[-1], "slots": 2}],
    )
    for length in LENGTHS_KM[: nodes - 1]:
        text = text.replace("[[links]]\n", f'[[links]] #\nlength = "{length} km"\n', 1)
    return text


def over(text, do):
    async def main():
        async with simulation(loads(text)) as simulated:
            await simulated.set_up()
            await do(simulated)

    asyncio.run(main())


@pytest.mark.parametrize("nodes", [3, 9])
@pytest.mark.parametrize("backwards", [False, True], ids=["from the head", "from the tail"])
def test_every_node_answers_after_twice_the_fibre(nodes, backwards):
    async def do(simulated):
        ends = ("n0", f"n{nodes - 1}")[:: -1 if backwards else 1]
        ping = await simulated.controller.ping(*ends)
        path = [f"n{i}" for i in range(nodes)][:: -1 if backwards else 1]
        links = simulated.plan.links[:: -1 if backwards else 1]
        assert ping.path == tuple(path)
        assert ping.is_answered and ping.broken is None
        assert [reply.node for reply in ping.replies] == path[1:]
        roles = [CircuitRole.REPEATER] * (nodes - 2) + [CircuitRole.END]
        assert [reply.role for reply in ping.replies] == roles
        there_ps = 0
        for link, reply in zip(links, ping.replies, strict=True):
            there_ps += link.delay_ps + FRAME_PS
            passes = 2 * reply.hop + 1  # of switches: who answers once, all before it twice
            assert reply.round_trip_ps == 2 * there_ps + passes * SWITCH_PS
            assert (reply.towards.held, reply.first_slot, reply.last_slot) == (0, 0, 0xFFFF)

    over(line(nodes), do)


def test_the_states_are_those_of_the_circuit_at_work():
    """Held pairs never exceed the slots; ages are short while pairs come."""

    async def do(simulated):
        await simulated.controller.start()
        seen = []
        for _ in range(40):
            await simulated.clock.sleep(PS_PER_SECOND // 500)
            seen.append(await simulated.controller.ping("n0", "n2"))
        middle = [ping.replies[0] for ping in seen]
        sides = [side for reply in middle for side in (reply.towards, reply.beyond)]
        assert {side.held for side in sides} <= {0, 1, 2}
        assert any(side.held for side in sides)
        assert all(side.held <= side.line + 1 for side in sides)
        assert max(side.age_us for side in sides) < 100_000
        assert all(reply.beyond is None for ping in seen for reply in ping.replies[1:])

    over(line(3), do)


@pytest.mark.parametrize("cut", range(4))
def test_it_says_where_a_line_is_cut(cut):
    async def do(simulated):
        simulated.emulation.cut(simulated.plan.links[cut])
        before_ps = simulated.clock.now_ps()
        ping = await simulated.controller.ping("n0", "n4", timeout_ps=PS_PER_SECOND // 10)
        assert simulated.clock.now_ps() - before_ps == PS_PER_SECOND // 10
        assert not ping.is_answered
        assert ping.broken == (f"n{cut}", f"n{cut + 1}")
        assert [reply.hop for reply in ping.replies] == list(range(1, cut + 1))
        simulated.emulation.cut(simulated.plan.links[cut], False)
        assert (await simulated.controller.ping("n0", "n4")).is_answered

    over(line(5), do)


def test_several_at_once_each_get_their_own():
    circuits = [
        {"name": "a", "from": "n0", "to": "n3", "slots": 1},
        {"name": "b", "from": "n1", "to": "n3", "slots": 1},
    ]

    async def do(simulated):
        controller = simulated.controller
        pings = await asyncio.gather(
            controller.ping("n0", "n3"), controller.ping("n3", "n0"), controller.ping("n3", "n1")
        )
        assert [(ping.circuit, len(ping.replies), ping.is_answered) for ping in pings] == [
            ("a", 3, True),
            ("a", 3, True),
            ("b", 2, True),
        ]

    over(line(4, circuits), do)


def test_the_circuit_is_found_or_what_there_is_is_said():
    circuits = [
        {"name": "a", "from": "n0", "to": "n2", "slots": 1},
        {"name": "b", "from": "n2", "to": "n0", "slots": 1},
    ]

    async def do(simulated):
        ping = simulated.controller.ping
        several = "several circuits join n0 and n2; say which circuit: a, b"
        with pytest.raises(ControlError, match=several):
            await ping("n0", "n2")
        assert (await ping("n0", "n2", "b")).circuit == "b"
        with pytest.raises(ControlError, match=r"no circuit joins n0 and n1; .*: a \(n0 - n2\), b"):
            await ping("n0", "n1")
        with pytest.raises(ControlError, match="circuit a joins n0 and n2, not n0 and n1"):
            await ping("n0", "n1", "a")
        with pytest.raises(ControlError, match="no circuit is named x; there are: a, b"):
            await ping("n0", "n2", "x")

    over(line(3, circuits), do)


def test_an_answer_that_was_not_asked_for_is_counted_and_believed_in_nothing():
    """Forged PONGs for a guessed nonce, while a ping is out and its true answer can't come."""

    async def do(simulated):
        controller = simulated.controller
        (side,) = controller.plans["c"].hops[0].sides
        link = simulated.plan.links[0]
        simulated.emulation.cut(link)
        body = CircuitPingBody(1, simulated.clock.now_ps(), hop=1, role=CircuitRole.REPEATER)
        for label in (side.label, side.label + 1):
            message = QciMessage(QciType.CIRCUIT_PONG, body)
            frame = CircuitFrame(0x060000000100, 0x060000000200, label, message)
            asked = asyncio.ensure_future(
                controller.ping("n0", "n2", timeout_ps=PS_PER_SECOND // 100)
            )
            assert controller._pings.packet_in("n0", frame.to_bytes())
            assert not (await asked).replies
        assert controller._pings.unexpected == 2

    over(line(3), do)
