"""Faults of packets are told in the log."""

from __future__ import annotations

import logging

import pytest

from qplane.switch.faults import FAULTS, FaultLog
from qplane_cext.switch.core import SwitchCore


def test_every_fault_is_a_counter_that_there_is() -> None:
    assert FAULTS.keys() <= SwitchCore().stats.keys() | {"packet_ins_dropped"}


def test_each_look_tells_what_is_new(caplog: pytest.LogCaptureFixture) -> None:
    counts = dict.fromkeys(FAULTS, 0)
    faults = FaultLog(lambda: counts)
    caplog.set_level(logging.WARNING, logger="qplane.switch.faults")
    faults.look()
    assert caplog.messages == []
    counts["divisions_by_zero"] = 3
    faults.look()
    faults.look()
    counts["divisions_by_zero"] = 5
    faults.look()
    assert caplog.messages == [
        "divisions by zero: 3, 3 since the start (divisions_by_zero)",
        "divisions by zero: 2, 5 since the start (divisions_by_zero)",
    ]
