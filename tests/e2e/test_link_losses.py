"""Each single message of the link layer lost, one by one, on the real engine: devices, station, P4
programs, P4Runtime. No wrong OK, everything ends, every slot is free."""

from __future__ import annotations

import asyncio

import pytest

from qplane.net import QUANTUM_PORT
from qplane.wire.qci import LinkFrame, QciType

from .link_scenarios import text
from .loss_scenarios import (
    ARM_A,
    ARM_B,
    BETWEEN,
    Scenario,
    comparison,
    each_single_loss,
    full_memory,
    keep_and_measure,
    one_pair,
    play,
    refused,
    too_little_time,
)
from .test_link_layer import Virtual, link_layer


@pytest.mark.parametrize("scenario", [keep_and_measure, one_pair, too_little_time])
@pytest.mark.parametrize("channel", [BETWEEN, ARM_A, ARM_B])
def test_each_single_loss_is_survived(channel: int, scenario: Scenario) -> None:
    async def main() -> int:
        async with link_layer(text(slots=8)) as (running, layer):
            return await each_single_loss(Virtual(running), layer, channel, scenario, 60)

    assert asyncio.run(main()) >= 2  # GEN and REPLY of one pair


@pytest.mark.parametrize(
    ("scenario", "reply_lost", "wanted"),
    [
        (keep_and_measure, False, {QciType.DQP_ADD, QciType.DQP_ACK, QciType.DQP_HELLO}),
        (refused, False, {QciType.DQP_REJ}),
        (too_little_time, False, {QciType.DQP_ERR}),
        (full_memory, False, {QciType.EGP_MEMORY_REQUEST, QciType.EGP_MEMORY_ACK}),
        (comparison, False, {QciType.EGP_OUTCOMES}),
        (one_pair, True, {QciType.EGP_EXPIRE, QciType.EGP_EXPIRE_ACK}),
    ],
)
def test_each_message_between_the_nodes_is_lost_once(
    scenario: Scenario, reply_lost: bool, wanted: set[QciType]
) -> None:
    """By type: together with GEN and REPLY, above, all that there are (EXPIRE and its answer are
    sent only where a REPLY was lost before)."""

    async def main() -> set[QciType]:
        seen: set[QciType] = set()
        async with link_layer(text(slots=8)) as (running, layer):
            engine, controller = running.emulation.engine, running.controller
            sent: dict[str, list[QciType]] = {"a": [], "b": []}
            forward = controller.packet_out

            async def packet_out(node: str, port: int, packet: bytes) -> None:
                if port != QUANTUM_PORT:
                    sent[node].append(LinkFrame.from_bytes(packet).message.type)
                await forward(node, port, packet)

            controller.packet_out = packet_out  # type: ignore[method-assign]
            for side, node in enumerate("ab"):
                number, is_over = 0, False
                while not is_over:
                    number += 1
                    sent[node].clear()
                    before = engine.channel_counters(BETWEEN)["lost"]
                    engine.lose_frame(BETWEEN, side, number)
                    if reply_lost:
                        engine.lose_frame(ARM_B, 1, 1)
                    await asyncio.wait_for(play(Virtual(running), layer, scenario), 60)
                    is_over = engine.channel_counters(BETWEEN)["lost"] == before
                    seen |= set() if is_over else {sent[node][number - 1]}
                engine.lose_frame(BETWEEN, side, 0)
        return seen

    assert asyncio.run(main()) >= wanted


def test_no_message_of_the_link_layer_is_left_out() -> None:
    tested = {
        kind
        for mark in test_each_message_between_the_nodes_is_lost_once.pytestmark  # type: ignore[attr-defined]
        for _, _, wanted in mark.args[1]
        for kind in wanted
    }
    assert tested == {kind for kind in QciType if QciType.DQP_ADD <= kind <= QciType.EGP_OUTCOMES}
