"""Action profiles and selectors: members, groups, and the anonymous groups of one-shot entries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from finsy.proto import p4r
from google.protobuf.unknown_fields import UnknownFieldSet

from qplane_cext.switch.core import SwitchCore

from .. import bytestrings
from ..errors import Code, StatusError, invalid, not_found
from ..p4info import P4InfoIndex, Profile
from ..ports import PortStates, decode_port
from .actions import BoundAction, decode_action
from .base import DELETE, INSERT, Journal, Kind, MayRead

ActionSet = p4r.ActionProfileActionSet


@dataclass(frozen=True)
class _Watched:
    """A member of a group as the selector sees it."""

    handle: int
    weight: int
    watch_port: int | None  # left out while that port is down


@dataclass
class _Member:
    handle: int
    action: BoundAction


@dataclass
class _Group:
    handle: int
    message: p4r.ActionProfileGroup  # canonical
    watched: list[_Watched]


@dataclass
class OneShot:
    """The group and members behind one table entry, which no client can name."""

    group: int
    members: list[int]
    watched: list[_Watched]
    message: ActionSet  # canonical, as it is read back


@dataclass(frozen=True)
class OneShotPlan:
    """A well-formed one-shot action set."""

    message: ActionSet
    actions: list[BoundAction]


def _watch_port(
    item: p4r.ActionProfileGroup.Member | p4r.ActionProfileAction, what: str
) -> int | None:
    kind = item.WhichOneof("watch_kind")
    if kind == "watch_port" and item.watch_port:
        return decode_port(item.watch_port, f"{what}, watch port")
    if kind == "watch" and item.watch:
        return decode_port(max(item.watch, 0).to_bytes(4, "big"), f"{what}, watch")
    return None


class ProfileStore:
    """Members and groups of one action profile or selector."""

    def __init__(self, profile: Profile, core: SwitchCore, ports: PortStates) -> None:
        self.profile = profile
        self._core = core
        self._ports = ports
        self._what = f"action profile {profile.name!r}"
        self._members: dict[int, _Member] = {}
        self._groups: dict[int, _Group] = {}
        self._one_shots: dict[int, OneShot] = {}  # by group handle
        # How many table entries and (members) groups refer to each id.
        self._member_uses: Counter[int] = Counter()
        self._group_uses: Counter[int] = Counter()

    # ---- what tables refer to ----

    def member_handle(self, member_id: int) -> int:
        """NOT_FOUND when there is no such member."""
        return self._member(member_id).handle

    def group_handle(self, group_id: int) -> int:
        """NOT_FOUND when there is no such group."""
        return self._group(group_id).handle

    def hold_member(self, member_id: int, by: int) -> None:
        """Count (``by`` 1) or forget (-1) a table entry's reference."""
        self._member_uses[member_id] += by

    def hold_group(self, group_id: int, by: int) -> None:
        """Count (``by`` 1) or forget (-1) a table entry's reference."""
        self._group_uses[group_id] += by

    def refuse_one_shots(self) -> None:
        """INVALID_ARGUMENT when the profile is programmed with one-shot entries."""
        if self._one_shots:
            raise invalid(f"{self._what} is programmed with one-shot entries; they can't be mixed")

    # ---- members ----

    def _member(self, member_id: int) -> _Member:
        member = self._members.get(member_id)
        if member is None:
            raise not_found(f"{self._what}: there is no member {member_id}")
        return member

    def write_member(self, kind: Kind, message: p4r.ActionProfileMember, journal: Journal) -> None:
        """Insert, modify or delete a member."""
        member_id = message.member_id
        what = f"{self._what}, member {member_id}"
        if member_id == 0:
            raise invalid(f"{self._what}: member id is not set")
        if kind == DELETE:
            member = self._member(member_id)
            if self._member_uses[member_id]:
                raise StatusError(Code.FAILED_PRECONDITION, f"{what} is in use")
            self._delete_member(member_id)
            journal.append(lambda: self._insert_member(member_id, member.action))
            return
        if not message.HasField("action"):
            raise invalid(f"{what}: the action is not set")
        action = decode_action(self.profile.actions, message.action, what)
        if kind == INSERT:
            self.refuse_one_shots()
            if member_id in self._members:
                raise StatusError(Code.ALREADY_EXISTS, f"{what} exists")
        else:
            self._member(member_id)
        if kind == INSERT:
            if self.profile.size and len(self._members) >= self.profile.size:
                raise StatusError(
                    Code.RESOURCE_EXHAUSTED, f"{what}: the size is {self.profile.size}"
                )
            self._insert_member(member_id, action)
            journal.append(lambda: self._delete_member(member_id))
        else:
            before = self._members[member_id].action
            self._modify_member(member_id, action)
            journal.append(lambda: self._modify_member(member_id, before))

    def _insert_member(self, member_id: int, action: BoundAction) -> None:
        handle = self._core.member_add(self.profile.name, action.ref.core_id, action.params)
        self._members[member_id] = _Member(handle, action)

    def _modify_member(self, member_id: int, action: BoundAction) -> None:
        member = self._members[member_id]
        self._core.member_modify(
            self.profile.name, member.handle, action.ref.core_id, action.params
        )
        member.action = action

    def _delete_member(self, member_id: int) -> None:
        self._core.member_delete(self.profile.name, self._members[member_id].handle)
        del self._members[member_id]

    # ---- groups ----

    def _group(self, group_id: int) -> _Group:
        group = self._groups.get(group_id)
        if group is None:
            raise not_found(f"{self._what}: there is no group {group_id}")
        return group

    def write_group(self, kind: Kind, message: p4r.ActionProfileGroup, journal: Journal) -> None:
        """Insert, modify or delete a group. A refused insert leaves no empty group behind."""
        group_id = message.group_id
        what = f"{self._what}, group {group_id}"
        if group_id == 0:
            raise invalid(f"{self._what}: group id is not set")
        if not self.profile.with_selector:
            raise invalid(f"{self._what} has no selector and so no groups")
        before = self._groups.get(group_id)
        if kind == DELETE:
            group = self._group(group_id)
            if self._group_uses[group_id]:
                raise StatusError(Code.FAILED_PRECONDITION, f"{what} is in use")
            self._delete_group(group_id)
            journal.append(lambda: self._insert_group(group_id, group.message))
            return
        canonical = self._decode_group(message, what)
        if kind == INSERT:
            self.refuse_one_shots()
            if before is not None:
                raise StatusError(Code.ALREADY_EXISTS, f"{what} exists")
        elif before is None:
            raise not_found(f"there is no {what}")
        self._check_group(canonical, before, what)
        if before is None:
            self._insert_group(group_id, canonical)
            journal.append(lambda: self._delete_group(group_id))
        else:
            previous = before.message
            self._modify_group(group_id, canonical)
            journal.append(lambda: self._modify_group(group_id, previous))

    def _decode_group(self, message: p4r.ActionProfileGroup, what: str) -> p4r.ActionProfileGroup:
        """The canonical form of a well-formed group."""
        limit = self.profile.max_group_size
        if message.max_size < 0 or (limit and not 0 < message.max_size <= limit):
            raise invalid(f"{what}: max_size {message.max_size} must be 1 to {limit}")
        canonical = p4r.ActionProfileGroup()
        canonical.CopyFrom(message)
        seen = set()
        for member in canonical.members:
            if member.member_id in seen:
                raise invalid(f"{what}: member {member.member_id} is given twice")
            seen.add(member.member_id)
            self._check_weight(member.weight, f"{what}, member {member.member_id}")
            _watch_port(member, what)
            if member.WhichOneof("watch_kind") == "watch_port" and member.watch_port:
                member.watch_port = bytestrings.encode(member.watch_port)
        return canonical

    def _check_group(
        self, message: p4r.ActionProfileGroup, before: _Group | None, what: str
    ) -> None:
        """Whether a well-formed group fits what is there."""
        if before is not None and message.max_size != before.message.max_size:
            raise invalid(
                f"{what}: max_size is {before.message.max_size}; it can't change to "
                f"{message.max_size}"
            )
        for member in message.members:
            self._member(member.member_id)
        size = self._size(message.members)
        if message.max_size and size > message.max_size:
            raise StatusError(
                Code.RESOURCE_EXHAUSTED,
                f"{what}: its members make {size}, max_size is {message.max_size}",
            )
        self._check_total(size, self._size(before.message.members) if before else 0, what)

    def _check_weight(self, weight: int, what: str) -> None:
        if self.profile.weights_disallowed:
            if weight:
                raise invalid(f"{what}: weight {weight}; this selector takes none")
            return
        if weight < 1:
            raise invalid(f"{what}: weight {weight} must be 1 or more")
        limit = self.profile.max_member_weight
        if self.profile.sum_of_members and limit and weight > limit:
            raise invalid(f"{what}: weight {weight} is above {limit}")

    def _size(
        self, members: Sequence[p4r.ActionProfileGroup.Member | p4r.ActionProfileAction]
    ) -> int:
        """The size of a group in the profile's own semantics."""
        if self.profile.sum_of_members or self.profile.weights_disallowed:
            return len(members)
        return sum(member.weight for member in members)

    def _check_total(self, added: int, removed: int, what: str) -> None:
        """The profile's size bounds the sum over all groups."""
        if not self.profile.size:
            return
        total = sum(self._size(group.message.members) for group in self._groups.values())
        total += sum(
            self._size(shot.message.action_profile_actions) for shot in self._one_shots.values()
        )
        if total - removed + added > self.profile.size:
            raise StatusError(
                Code.RESOURCE_EXHAUSTED,
                f"{what}: all groups together would make {total - removed + added}, the size is "
                f"{self.profile.size}",
            )

    def _watch(self, message: p4r.ActionProfileGroup) -> list[_Watched]:
        return [
            _Watched(
                self._members[item.member_id].handle, item.weight or 1, _watch_port(item, "group")
            )
            for item in message.members
        ]

    def _program(self, handle: int, watched: Iterable[_Watched]) -> None:
        live = [
            (item.handle, item.weight)
            for item in watched
            if item.watch_port is None or self._ports.is_up(item.watch_port)
        ]
        self._core.group_set(self.profile.name, handle, live)

    def _insert_group(self, group_id: int, message: p4r.ActionProfileGroup) -> None:
        handle = self._core.group_add(self.profile.name)
        watched = self._watch(message)
        self._program(handle, watched)
        self._groups[group_id] = _Group(handle, message, watched)
        self._member_uses.update(item.member_id for item in message.members)

    def _modify_group(self, group_id: int, message: p4r.ActionProfileGroup) -> None:
        group = self._groups[group_id]
        watched = self._watch(message)
        self._program(group.handle, watched)
        self._member_uses.subtract(item.member_id for item in group.message.members)
        self._member_uses.update(item.member_id for item in message.members)
        group.message, group.watched = message, watched

    def _delete_group(self, group_id: int) -> None:
        group = self._groups.pop(group_id)
        self._core.group_delete(self.profile.name, group.handle)
        self._member_uses.subtract(item.member_id for item in group.message.members)

    # ---- one-shot ----

    def decode_one_shot(self, message: ActionSet, what: str) -> OneShotPlan:
        """A well-formed one-shot action set.

        INVALID_ARGUMENT: bad weights, sizes or actions; UNIMPLEMENTED: a selection mode this
        target does not have, or a group action.
        """
        if not self.profile.with_selector:
            raise invalid(f"{what}: one-shot entries need an action selector")
        if len(UnknownFieldSet(message)):  # P4Runtime 1.5's group_action
            raise StatusError(Code.UNIMPLEMENTED, f"{what}: group actions are not offered")
        mode = ActionSet.RANDOM if self.profile.is_random else ActionSet.HASH
        if message.action_selection_mode not in (
            ActionSet.DEFAULT_MODE_DETERMINED_BY_ACTION_SELECTOR, mode
        ):  # fmt: skip
            raise StatusError(
                Code.UNIMPLEMENTED, f"{what}: a selection mode other than the selector's"
            )
        semantics = (
            ActionSet.SUM_OF_MEMBERS if self.profile.sum_of_members else ActionSet.SUM_OF_WEIGHTS
        )
        if message.size_semantics not in (
            ActionSet.DEFAULT_SIZE_DETERMINED_BY_ACTION_SELECTOR, semantics
        ):  # fmt: skip
            raise StatusError(
                Code.UNIMPLEMENTED, f"{what}: size semantics other than the selector's"
            )
        actions = []
        for place, item in enumerate(message.action_profile_actions):
            part = f"{what}, action {place}"
            self._check_weight(item.weight, part)
            _watch_port(item, part)
            actions.append(decode_action(self.profile.actions, item.action, part))
        size = self._size(message.action_profile_actions)
        if self.profile.max_group_size and size > self.profile.max_group_size:
            raise invalid(
                f"{what}: size {size} is above max_group_size {self.profile.max_group_size}"
            )
        return OneShotPlan(message, actions)

    def check_one_shot(self, plan: OneShotPlan, replaced: OneShot | None, what: str) -> None:
        """Whether a one-shot entry fits what is there.

        INVALID_ARGUMENT: members and groups are in use here; RESOURCE_EXHAUSTED: it is too much.
        """
        if self._members or self._groups:
            raise invalid(
                f"{self._what} is programmed with members and groups; they can't be mixed"
            )
        before = self._size(replaced.message.action_profile_actions) if replaced else 0
        self._check_total(self._size(plan.message.action_profile_actions), before, what)

    def add_one_shot(self, plan: OneShotPlan) -> OneShot:
        """Make the anonymous group of a checked action set."""
        message, actions = plan.message, plan.actions
        name = self.profile.name
        members = [self._core.member_add(name, item.ref.core_id, item.params) for item in actions]
        group = self._core.group_add(name)
        watched = [
            _Watched(handle, item.weight or 1, _watch_port(item, "one-shot"))
            for handle, item in zip(members, message.action_profile_actions, strict=True)
        ]
        self._program(group, watched)
        canonical = ActionSet()
        canonical.CopyFrom(message)
        for item, action in zip(canonical.action_profile_actions, actions, strict=True):
            item.action.CopyFrom(action.message())
            if item.WhichOneof("watch_kind") == "watch_port" and item.watch_port:
                item.watch_port = bytestrings.encode(item.watch_port)
        shot = OneShot(group, members, watched, canonical)
        self._one_shots[group] = shot
        return shot

    def remove_one_shot(self, shot: OneShot) -> None:
        """Forget an anonymous group that no entry refers to any more."""
        del self._one_shots[shot.group]
        self._core.group_delete(self.profile.name, shot.group)
        for handle in shot.members:
            self._core.member_delete(self.profile.name, handle)

    def ports_changed(self) -> None:
        """Take members in or out whose watch port changed."""
        groups = [(group.handle, group.watched) for group in self._groups.values()]
        groups += [(shot.group, shot.watched) for shot in self._one_shots.values()]
        for handle, watched in groups:
            if any(member.watch_port is not None for member in watched):
                self._program(handle, watched)

    # ---- reading ----

    def read_members(self, member_id: int) -> Iterator[p4r.Entity]:
        """One member, or all with id 0."""
        for found, member in self._members.items():
            if member_id in (0, found):
                entity = p4r.Entity()
                message = entity.action_profile_member
                message.action_profile_id = self.profile.id
                message.member_id = found
                message.action.CopyFrom(member.action.message())
                yield entity

    def read_groups(self, group_id: int) -> Iterator[p4r.Entity]:
        """One group, or all with id 0."""
        for found, group in self._groups.items():
            if group_id in (0, found):
                yield p4r.Entity(action_profile_group=group.message)


class Profiles:
    """All profiles of a pipeline."""

    def __init__(self, index: P4InfoIndex, core: SwitchCore, ports: PortStates) -> None:
        self._index = index
        self._stores = {
            profile.id: ProfileStore(profile, core, ports) for profile in index.profiles.values()
        }

    def store(self, profile_id: int) -> ProfileStore:
        """INVALID_ARGUMENT when there is no such profile."""
        return self._stores[self._index.profile(profile_id).id]

    def selected(self, profile_id: int, may_read: MayRead) -> list[ProfileStore]:
        """One profile, or with id 0 all that the role may read."""
        if profile_id:
            return [self.store(profile_id)]
        return [store for key, store in self._stores.items() if may_read(key)]

    def ports_changed(self) -> None:
        """Take members in or out whose watch port changed."""
        for store in self._stores.values():
            store.ports_changed()


class MemberStore:
    """``ActionProfileMember``."""

    def __init__(self, profiles: Profiles) -> None:
        self._profiles = profiles

    def p4_id(self, message: p4r.ActionProfileMember) -> int:
        """The profile's id."""
        return message.action_profile_id

    def write(self, kind: Kind, message: p4r.ActionProfileMember, journal: Journal) -> None:
        """Insert, modify or delete a member."""
        self._profiles.store(message.action_profile_id).write_member(kind, message, journal)

    def read(self, query: p4r.ActionProfileMember, may_read: MayRead) -> Iterator[p4r.Entity]:
        """One member, all of one profile, or all."""
        for store in self._profiles.selected(query.action_profile_id, may_read):
            yield from store.read_members(query.member_id)


class GroupStore:
    """``ActionProfileGroup``."""

    def __init__(self, profiles: Profiles) -> None:
        self._profiles = profiles

    def p4_id(self, message: p4r.ActionProfileGroup) -> int:
        """The profile's id."""
        return message.action_profile_id

    def write(self, kind: Kind, message: p4r.ActionProfileGroup, journal: Journal) -> None:
        """Insert, modify or delete a group."""
        self._profiles.store(message.action_profile_id).write_group(kind, message, journal)

    def read(self, query: p4r.ActionProfileGroup, may_read: MayRead) -> Iterator[p4r.Entity]:
        """One group, all of one profile, or all."""
        for store in self._profiles.selected(query.action_profile_id, may_read):
            yield from store.read_groups(query.group_id)
