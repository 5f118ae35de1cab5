"""Action profiles and selectors: members, groups, one-shot entries, watch ports."""

from __future__ import annotations

import pytest
from finsy.proto import p4r

from qplane.switch.errors import Code

from .client import Client, Names, delete, insert, modify
from .conftest import Bench
from .entries import action, by_group, by_member, entry, exact, group, member, one_shot

# An IPv4 packet: Ethernet, then a header with TOS 6.
PACKET = bytes.fromhex("0000000000ff 000000000001 0800") + bytes.fromhex(
    "4506 0014 00000000 40 11 0000 0a000001 0a000002"
)


def entities(client: Client, kind: str) -> list[object]:
    query = p4r.Entity()
    getattr(query, kind).SetInParent()
    return [getattr(item, kind) for item in client.read(query)]


def balanced(names: Names, act: p4r.TableAction, tos: int = 6) -> p4r.TableEntry:
    return entry(names, "balanced", [exact(1, tos)], act)


@pytest.fixture
def members(primary: Client, names: Names) -> None:
    for number in (1, 2, 3):
        update = insert(action_profile_member=member(names, "ecmp", number, port=10 + number))
        assert primary.status(update) == Code.OK


def test_members_are_inserted_modified_read_and_deleted(primary: Client, names: Names) -> None:
    first = member(names, "nexthops", 7, 1)
    second = member(names, "nexthops", 7, 2)
    assert primary.status(insert(action_profile_member=first)) == Code.OK
    assert primary.status(insert(action_profile_member=second)) == Code.ALREADY_EXISTS
    assert primary.status(modify(action_profile_member=second)) == Code.OK
    assert entities(primary, "action_profile_member") == [second]
    bare = p4r.ActionProfileMember(action_profile_id=first.action_profile_id, member_id=7)
    assert primary.status(delete(action_profile_member=bare)) == Code.OK
    assert primary.status(delete(action_profile_member=bare)) == Code.NOT_FOUND
    assert primary.status(modify(action_profile_member=first)) == Code.NOT_FOUND
    assert entities(primary, "action_profile_member") == []


def test_wrong_members_are_refused(primary: Client, names: Names) -> None:
    good = member(names, "nexthops", 1)
    no_action = p4r.ActionProfileMember(action_profile_id=good.action_profile_id, member_id=1)
    assert primary.status(insert(action_profile_member=no_action)) == Code.INVALID_ARGUMENT
    zero = member(names, "nexthops", 0)
    assert primary.status(insert(action_profile_member=zero)) == Code.INVALID_ARGUMENT
    foreign = member(names, "nexthops", 1)
    foreign.action.CopyFrom(action(names, "drop"))
    assert primary.status(insert(action_profile_member=foreign)) == Code.INVALID_ARGUMENT
    unknown = member(names, "nexthops", 1)
    unknown.action_profile_id = 0x11111111
    assert primary.status(insert(action_profile_member=unknown)) == Code.INVALID_ARGUMENT


def test_a_full_profile_is_resource_exhausted(primary: Client, names: Names) -> None:
    for number in range(1, 10):
        update = insert(action_profile_member=member(names, "nexthops", number))
        assert primary.status(update) == (Code.OK if number <= 8 else Code.RESOURCE_EXHAUSTED)


def test_an_entry_runs_its_member_and_follows_its_changes(
    bench: Bench, primary: Client, names: Names, members: None
) -> None:
    dangling = balanced(names, by_member(9))
    assert primary.status(insert(table_entry=dangling)) == Code.NOT_FOUND
    assert primary.status(insert(table_entry=balanced(names, by_member(1)))) == Code.OK
    assert bench.process(1, PACKET) == [(11, PACKET)]
    update = modify(action_profile_member=member(names, "ecmp", 1, port=20))
    assert primary.status(update) == Code.OK
    assert bench.process(1, PACKET) == [(20, PACKET)]
    used = delete(action_profile_member=member(names, "ecmp", 1))
    assert primary.status(used) == Code.FAILED_PRECONDITION
    assert primary.status(modify(table_entry=balanced(names, by_member(2)))) == Code.OK
    assert primary.status(used) == Code.OK


def test_groups_are_inserted_modified_read_and_deleted(
    primary: Client, names: Names, members: None
) -> None:
    first = group(names, 4, [(1, 1), (2, 3)])
    assert primary.status(insert(action_profile_group=first)) == Code.OK
    assert primary.status(insert(action_profile_group=first)) == Code.ALREADY_EXISTS
    assert entities(primary, "action_profile_group") == [first]
    second = group(names, 4, [(3, 1)])
    assert primary.status(modify(action_profile_group=second)) == Code.OK
    assert entities(primary, "action_profile_group") == [second]
    assert primary.status(modify(action_profile_group=group(names, 5, []))) == Code.NOT_FOUND
    assert primary.status(delete(action_profile_group=group(names, 5, []))) == Code.NOT_FOUND
    in_group = delete(action_profile_member=member(names, "ecmp", 3))
    assert primary.status(in_group) == Code.FAILED_PRECONDITION
    assert primary.status(delete(action_profile_group=group(names, 4, []))) == Code.OK
    assert primary.status(in_group) == Code.OK


@pytest.mark.parametrize(
    ("code", "pairs", "max_size"),
    [
        (Code.NOT_FOUND, [(1, 1), (9, 1)], 0),
        (Code.INVALID_ARGUMENT, [(1, 0)], 0),
        (Code.INVALID_ARGUMENT, [(1, -1)], 0),
        (Code.INVALID_ARGUMENT, [(1, 1), (1, 2)], 0),
        (Code.INVALID_ARGUMENT, [(1, 1)], -1),
        (Code.RESOURCE_EXHAUSTED, [(1, 1), (2, 2)], 2),
        (Code.RESOURCE_EXHAUSTED, [(1, 17)], 0),
    ],
    ids=["unknown member", "weight 0", "negative weight", "member twice", "negative size",
         "above max_size", "above the selector's size"],
)  # fmt: skip
def test_a_refused_group_leaves_nothing_behind(
    primary: Client,
    names: Names,
    members: None,
    code: Code,
    pairs: list[tuple[int, int]],
    max_size: int,
) -> None:
    message = group(names, 1, pairs, max_size)
    assert primary.status(insert(action_profile_group=message)) == code
    assert entities(primary, "action_profile_group") == []
    assert primary.status(insert(action_profile_group=group(names, 1, [(1, 1)]))) == Code.OK
    if max_size == 0:
        assert primary.status(modify(action_profile_group=message)) == code
        assert entities(primary, "action_profile_group") == [group(names, 1, [(1, 1)])]


def test_max_size_can_not_be_modified_and_profiles_without_selector_have_no_groups(
    primary: Client, names: Names, members: None
) -> None:
    assert primary.status(insert(action_profile_group=group(names, 1, [(1, 1)], 4))) == Code.OK
    other = group(names, 1, [(1, 1)], 5)
    assert primary.status(modify(action_profile_group=other)) == Code.INVALID_ARGUMENT
    no_selector = group(names, 1, [])
    no_selector.action_profile_id = names["action_profiles", "nexthops"]
    assert primary.status(insert(action_profile_group=no_selector)) == Code.INVALID_ARGUMENT
    assert primary.status(insert(action_profile_group=group(names, 0, []))) == Code.INVALID_ARGUMENT


def spread(bench: Bench, count: int = 200) -> set[int]:
    """The ports that packets of different flows leave on."""
    ports = set()
    for flow in range(count):
        packet = PACKET[:-8] + (0x0A000000 + 977 * flow).to_bytes(4, "big") + PACKET[-4:]
        ports |= {port for port, _ in bench.process(1, packet)}
    return ports


def test_a_group_spreads_flows_over_its_members(
    bench: Bench, primary: Client, names: Names, members: None
) -> None:
    assert primary.status(insert(table_entry=balanced(names, by_group(1)))) == Code.NOT_FOUND
    assert primary.status(insert(action_profile_group=group(names, 1, [(1, 1), (2, 1)]))) == Code.OK
    assert primary.status(insert(table_entry=balanced(names, by_group(1)))) == Code.OK
    assert spread(bench) == {11, 12}
    in_use = delete(action_profile_group=group(names, 1, []))
    assert primary.status(in_use) == Code.FAILED_PRECONDITION
    assert primary.status(delete(table_entry=balanced(names, by_group(1)))) == Code.OK
    assert primary.status(in_use) == Code.OK


def test_a_member_is_left_out_while_its_watch_port_is_down(
    bench: Bench, primary: Client, names: Names, members: None
) -> None:
    message = group(names, 1, [(1, 1), (2, 1)])
    message.members[0].watch_port = b"\x0b"
    assert primary.status(insert(action_profile_group=message)) == Code.OK
    assert primary.status(insert(table_entry=balanced(names, by_group(1)))) == Code.OK
    assert spread(bench) == {11, 12}
    bench.device.set_port_up(11, False)
    assert spread(bench) == {12}
    assert entities(primary, "action_profile_group") == [message]
    bench.device.set_port_up(11, True)
    assert spread(bench) == {11, 12}
    message.members[0].watch_port = b"\xff\xff"
    assert primary.status(modify(action_profile_group=message)) == Code.INVALID_ARGUMENT


# ---- one-shot ----


def test_a_one_shot_entry_spreads_flows_and_is_read_back_as_written(
    bench: Bench, primary: Client, names: Names
) -> None:
    message = balanced(names, one_shot(names, (21, 1), (22, 2), (21, 3)))
    assert primary.status(insert(table_entry=message)) == Code.OK
    assert spread(bench) == {21, 22}
    query = p4r.Entity(table_entry=p4r.TableEntry(table_id=names.table("balanced")))
    assert [item.table_entry for item in primary.read(query)] == [message]
    assert entities(primary, "action_profile_member") == []
    assert entities(primary, "action_profile_group") == []
    other = balanced(names, one_shot(names, (23, 1)))
    assert primary.status(modify(table_entry=other)) == Code.OK
    assert spread(bench) == {23}
    assert primary.status(delete(table_entry=other)) == Code.OK
    assert spread(bench) == {0}


def test_one_shot_entries_and_members_can_not_be_mixed(primary: Client, names: Names) -> None:
    shot = balanced(names, one_shot(names, (1, 1)))
    assert primary.status(insert(table_entry=shot)) == Code.OK
    update = insert(action_profile_member=member(names, "ecmp", 1))
    assert primary.status(update) == Code.INVALID_ARGUMENT
    assert primary.status(delete(table_entry=shot)) == Code.OK
    assert primary.status(update) == Code.OK
    assert primary.status(insert(table_entry=shot)) == Code.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("code", "choices"),
    [
        (Code.INVALID_ARGUMENT, [(1, 0)]),
        (Code.INVALID_ARGUMENT, [(1, 8), (2, 7)]),
        (Code.OUT_OF_RANGE, [(1, 1), (512, 1)]),
    ],
    ids=["weight 0", "above max_group_size", "port too wide"],
)
def test_a_refused_one_shot_leaves_nothing_behind(
    primary: Client,
    names: Names,
    code: Code,
    choices: list[tuple[int, int]],
    config: p4r.ForwardingPipelineConfig,
) -> None:
    limited = p4r.ForwardingPipelineConfig()
    limited.CopyFrom(config)
    for profile in limited.p4info.action_profiles:
        if profile.with_selector:
            profile.max_group_size = 10
    assert primary.push(limited) is None
    update = insert(table_entry=balanced(names, one_shot(names, *choices)))
    assert primary.status(update) == code
    assert primary.status(insert(action_profile_member=member(names, "ecmp", 1))) == Code.OK


def test_a_one_shot_entry_may_draw_where_its_selector_hashes(
    bench: Bench, primary: Client, names: Names
) -> None:
    shot = one_shot(names, (1, 1), (2, 1))
    assert primary.status(insert(table_entry=balanced(names, shot))) == Code.OK
    assert len({bench.process(1, PACKET)[0][0] for _ in range(64)}) == 1
    shot.action_profile_action_set.action_selection_mode = p4r.ActionProfileActionSet.RANDOM
    drawing = balanced(names, shot)
    assert primary.status(modify(table_entry=drawing)) == Code.OK
    assert {bench.process(1, PACKET)[0][0] for _ in range(64)} == {1, 2}  # not: 1 in 2**63
    query = p4r.Entity(table_entry=p4r.TableEntry(table_id=names.table("balanced")))
    assert [item.table_entry for item in primary.read(query)] == [drawing]
    shot.action_profile_action_set.action_selection_mode = 9
    assert primary.status(modify(table_entry=balanced(names, shot))) == Code.INVALID_ARGUMENT


def test_a_one_shot_entry_may_count_its_members_where_its_selector_adds_their_weights(
    primary: Client, names: Names, config: p4r.ForwardingPipelineConfig
) -> None:
    limited = p4r.ForwardingPipelineConfig()
    limited.CopyFrom(config)
    for profile in limited.p4info.action_profiles:
        if profile.with_selector:
            profile.max_group_size = 4
    assert primary.push(limited) is None
    shot = one_shot(names, (1, 3), (2, 3))
    chosen = shot.action_profile_action_set
    for semantics, code in (
        (chosen.DEFAULT_SIZE_DETERMINED_BY_ACTION_SELECTOR, Code.INVALID_ARGUMENT),
        (chosen.SUM_OF_WEIGHTS, Code.INVALID_ARGUMENT),
        (9, Code.INVALID_ARGUMENT),
        (chosen.SUM_OF_MEMBERS, Code.OK),
    ):
        chosen.size_semantics = semantics
        assert primary.status(insert(table_entry=balanced(names, shot))) == code


def test_a_group_action_is_unimplemented(primary: Client, names: Names) -> None:
    shot = one_shot(names, (1, 1))
    with_group_action = shot.SerializeToString()
    inner = shot.action_profile_action_set.SerializeToString() + b"\x2a\x02\x08\x01"
    with_group_action = b"\x22" + bytes([len(inner)]) + inner
    shot = p4r.TableAction.FromString(with_group_action)
    assert primary.status(insert(table_entry=balanced(names, shot))) == Code.UNIMPLEMENTED
    shot = one_shot(names, (1, 1))
    no_selector = entry(names, "indirect", [exact(1, 1)], shot)
    assert primary.status(insert(table_entry=no_selector)) == Code.INVALID_ARGUMENT
