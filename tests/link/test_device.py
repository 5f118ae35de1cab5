"""A device that says things when no link layer is there to hear them."""

from __future__ import annotations

from itertools import count

from qplane.link.device import DeviceMhp
from qplane.wire.device import DeviceFrame, DeviceType
from qplane.wire.link import MhpError, MhpResult, MhpState, MhpStatus, QubitAction


def test_a_pair_for_a_link_layer_that_is_gone_is_given_up() -> None:
    """The order of a controller that died: it ends, and its qubit's slot is free again."""
    sent: list[DeviceFrame] = []
    device = DeviceMhp(2, sent.append, count(1))
    pair = MhpResult(
        queue_id=3,
        queue_seq=4,
        other_queue_id=3,
        other_queue_seq=4,
        mhp_seq=17,
        error=MhpError.NONE,
        basis=0,
        outcome=0,
        surplus=0,
        pairs_left=1,
        slot=5,
        generation=6,
        cycle=100,
        attempts=9,
        time_ps=10**9,
    )
    device.receive(DeviceFrame(DeviceType.MHP_PAIR, 2, pair))
    device.receive(
        DeviceFrame(DeviceType.MHP_STATUS, 2, MhpStatus(0, 3, 4, MhpState.REFUSED, 0, 100, 9))
    )
    assert [frame.type for frame in sent] == [DeviceType.MHP_STOP, DeviceType.QUBIT_RELEASE]
    released = sent[1].body
    assert isinstance(released, QubitAction)
    assert (released.slot, released.generation) == (5, 6)
