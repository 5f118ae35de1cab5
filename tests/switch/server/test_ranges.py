"""Ranges in value sets, and one-shot entries of a selector that draws."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from finsy.proto import p4r

from qplane.switch import Switch
from qplane.switch.errors import Code, StatusError

PROGRAM = Path(__file__).parent.parent / "programs" / "ranges"
MODIFY, INSERT = p4r.Update.MODIFY, p4r.Update.INSERT


@pytest.fixture
def switch() -> Switch:
    return Switch(PROGRAM.with_suffix(".json"), PROGRAM.with_suffix(".p4info.txtpb"))


def chosen(switch: Switch, *members: tuple[int, int, int, int]) -> p4r.Entity:
    """The value set with members (low, high, value, mask); a mask of 0 leaves b out."""
    entity = p4r.Entity()
    entity.value_set_entry.value_set_id = switch.index.message.value_sets[0].preamble.id
    for low, high, value, mask in members:
        match = entity.value_set_entry.members.add().match
        first = match.add(field_id=1).range
        first.low, first.high = low.to_bytes(2, "big"), high.to_bytes(2, "big")
        if mask:
            second = match.add(field_id=2).ternary
            second.value, second.mask = bytes([value]), bytes([mask])
    return entity


def hits(switch: Switch, a: int, b: int) -> bool:
    packet = (a << 4 | b).to_bytes(2, "big") + b"\0"
    [(_, out)] = switch.inject(0, packet)
    return bool(out[2])


def test_every_value_is_in_a_range_or_not(switch: Switch) -> None:
    members = [(1, 1000, 0, 0), (900, 0xFFE, 2, 3), (0xFFF, 0xFFF, 0, 0)]
    switch.write(MODIFY, chosen(switch, *members))
    for a in range(1 << 12):
        for b in (0, 2, 6, 15):
            expected = any(
                low <= a <= high and b & mask == value for low, high, value, mask in members
            )
            assert hits(switch, a, b) == expected, (a, b)
    [read] = switch.read(p4r.Entity(value_set_entry=p4r.ValueSetEntry()))
    assert len(read.value_set_entry.members) == 3
    assert read.value_set_entry.members[0].match[0].range.high == b"\x03\xe8"
    switch.write(MODIFY, chosen(switch))
    assert not hits(switch, 5, 0)


def test_an_empty_range_is_refused_and_nothing_changes(switch: Switch) -> None:
    switch.write(MODIFY, chosen(switch, (5, 9, 0, 0)))
    with pytest.raises(StatusError) as caught:
        switch.write(MODIFY, chosen(switch, (9, 5, 0, 0)))
    assert caught.value.code == Code.INVALID_ARGUMENT
    assert hits(switch, 5, 0)


@pytest.mark.parametrize("mode", ["DEFAULT_MODE_DETERMINED_BY_ACTION_SELECTOR", "RANDOM", "HASH"])
def test_a_one_shot_entry_chooses_as_its_mode_says(switch: Switch, mode: str) -> None:
    table = switch.index.message.tables[0]
    entity = p4r.Entity()
    entry = entity.table_entry
    entry.table_id = table.preamble.id
    entry.match.add(field_id=1).exact.value = b"\1"
    actions = entry.action.action_profile_action_set
    actions.action_selection_mode = p4r.ActionProfileActionSet.ActionSelectionMode.Value(mode)
    for port, weight in ((1, 1), (2, 3)):
        item = actions.action_profile_actions.add(weight=weight)
        item.action.action_id = table.action_refs[0].id
        item.action.params.add(param_id=1, value=bytes([port]))
    switch.write(INSERT, entity)
    [read] = switch.read(p4r.Entity(table_entry=p4r.TableEntry()))
    assert read == entity
    flows = [bytes([flow >> 4, flow << 4 & 0xF0 | 1, 0]) for flow in range(4000)]
    one_flow = Counter(switch.inject(0, flows[1])[0][0] for _ in flows)
    all_flows = Counter(switch.inject(0, flow)[0][0] for flow in flows)
    # Binomial(4000, 1/4): mean 1000, standard deviation 27.4; five of them.
    assert set(all_flows) == {1, 2} and abs(all_flows[1] - 1000) < 137
    if mode == "HASH":
        assert len(one_flow) == 1
    else:
        assert set(one_flow) == {1, 2} and abs(one_flow[1] - 1000) < 137
