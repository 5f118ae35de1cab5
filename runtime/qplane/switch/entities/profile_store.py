"""One action profile or selector: its members and groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from finsy.proto import p4r

from qplane_cext.switch.core import SwitchCore

from .. import bytestrings
from ..errors import Code, StatusError, invalid, not_found
from ..p4info import Profile
from ..ports import PortStates
from .actions import BoundAction, decode_action
from .base import DELETE, INSERT, Journal, Kind
from .one_shots import OneShot, OneShotPlan, OneShots
from .selector import Selector, Watched, watch_port


@dataclass
class _Member:
    handle: int
    action: BoundAction


@dataclass
class _Group:
    handle: int
    message: p4r.ActionProfileGroup  # canonical


class ProfileStore:
    """Members and groups of one action profile or selector."""

    def __init__(self, profile: Profile, core: SwitchCore, ports: PortStates) -> None:
        self.profile = profile
        self.selector = Selector(profile, core, ports)
        self.one_shots = OneShots(profile, core, self.selector)
        self._core = core
        self._what = f"action profile {profile.name!r}"
        self._members: dict[int, _Member] = {}
        self._groups: dict[int, _Group] = {}
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
        if self.one_shots:
            raise invalid(f"{self._what} is programmed with one-shot entries; they can't be mixed")

    def check_one_shot(self, plan: OneShotPlan, replaced: OneShot | None, what: str) -> None:
        """Whether a one-shot entry fits what is there.

        INVALID_ARGUMENT: members and groups are in use here; RESOURCE_EXHAUSTED: it is too much.
        """
        if self._members or self._groups:
            raise invalid(
                f"{self._what} is programmed with members and groups; they can't be mixed"
            )
        self.one_shots.check(plan, replaced, what)

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
            if self.profile.size and len(self._members) >= self.profile.size:
                raise StatusError(
                    Code.RESOURCE_EXHAUSTED, f"{what}: the size is {self.profile.size}"
                )
            self._insert_member(member_id, action)
            journal.append(lambda: self._delete_member(member_id))
        else:
            before = self._member(member_id).action
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
            self.selector.check_weight(member.weight, f"{what}, member {member.member_id}")
            watch_port(member, what)
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
        size = self.selector.size(message.members)
        if message.max_size and size > message.max_size:
            raise StatusError(
                Code.RESOURCE_EXHAUSTED,
                f"{what}: its members make {size}, max_size is {message.max_size}",
            )
        self.selector.check_total(
            size, self.selector.size(before.message.members) if before else 0, what
        )

    def _watch(self, message: p4r.ActionProfileGroup) -> list[Watched]:
        return [
            Watched(
                self._members[item.member_id].handle, item.weight or 1, watch_port(item, "group")
            )
            for item in message.members
        ]

    def _insert_group(self, group_id: int, message: p4r.ActionProfileGroup) -> None:
        handle = self.selector.add(self._watch(message), self.selector.size(message.members))
        self._groups[group_id] = _Group(handle, message)
        self._member_uses.update(item.member_id for item in message.members)

    def _modify_group(self, group_id: int, message: p4r.ActionProfileGroup) -> None:
        group = self._groups[group_id]
        size = self.selector.size(message.members)
        self.selector.change(group.handle, self._watch(message), size)
        self._member_uses.subtract(item.member_id for item in group.message.members)
        self._member_uses.update(item.member_id for item in message.members)
        group.message = message

    def _delete_group(self, group_id: int) -> None:
        group = self._groups.pop(group_id)
        self.selector.remove(group.handle)
        self._member_uses.subtract(item.member_id for item in group.message.members)

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
