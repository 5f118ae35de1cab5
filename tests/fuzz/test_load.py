"""A few seconds of everything at once: nobody starves, no packet sees half an update."""

from __future__ import annotations

from diff.target import Target, find_embedded

from .load import CLIENTS, Load, Rates


def test_no_client_starves_and_no_packet_sees_half_an_update() -> None:
    with Target("embedded", find_embedded()) as target:
        load = Load(target, Rates())
        load.run(3)
    assert not load.errors
    assert not load.torn
    assert all(load.done[name] > 0 for name in CLIENTS), load.done
