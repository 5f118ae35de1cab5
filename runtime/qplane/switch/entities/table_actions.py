"""What the entries of one table may do: an action, a member or group of its profile, a one-shot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from finsy.proto import p4r

from ..errors import invalid
from ..p4info import Table
from .actions import BoundAction, decode_action
from .one_shots import OneShot, OneShotPlan
from .profile_store import ProfileStore

if TYPE_CHECKING:
    from qplane_cext.switch.core import Target


@dataclass(frozen=True)
class MemberRef:
    """The action of an entry of an indirect table: a profile's member."""

    member_id: int


@dataclass(frozen=True)
class GroupRef:
    """The action of an entry of an indirect table: a selector's group."""

    group_id: int


EntryAction = BoundAction | MemberRef | GroupRef | OneShot
GivenAction = BoundAction | MemberRef | GroupRef | OneShotPlan


class TableActions:
    """The actions of one table's entries: from messages, to the packet path, and what they hold."""

    def __init__(self, table: Table, profile: ProfileStore | None) -> None:
        """``profile``: None for a table whose entries have their action in themselves."""
        self._table = table
        self._profile = profile
        self._what = f"table {table.name!r}"

    def decode(self, message: p4r.TableAction) -> GivenAction:
        """Whether an action is well formed, whatever else there is."""
        kind = message.WhichOneof("type")
        if self._profile is None:
            if kind != "action":
                raise invalid(f"{self._what} takes an action, not {kind or 'nothing'}")
            return decode_action(self._table.actions, message.action, self._what)
        if kind == "action_profile_member_id" and message.action_profile_member_id:
            return MemberRef(message.action_profile_member_id)
        if kind == "action_profile_group_id" and message.action_profile_group_id:
            if self._profile.profile.with_selector:
                return GroupRef(message.action_profile_group_id)
        elif kind == "action_profile_action_set":
            return self._profile.one_shots.decode(message.action_profile_action_set, self._what)
        raise invalid(
            f"{self._what} is indirect; {kind or 'nothing'}, or id 0, is no action for it"
        )

    def resolve(self, given: GivenAction, replaced: OneShot | None) -> EntryAction:
        """What an action refers to must be there; a one-shot action's group is made."""
        if isinstance(given, BoundAction):
            return given
        assert self._profile is not None
        if isinstance(given, OneShotPlan):
            self._profile.check_one_shot(given, replaced, self._what)
            return self._profile.one_shots.add(given)
        self._profile.refuse_one_shots()
        if isinstance(given, MemberRef):
            self._profile.member_handle(given.member_id)
        else:
            self._profile.group_handle(given.group_id)
        return given

    def target(self, action: EntryAction) -> Target:
        """What the packet path is to do."""
        if isinstance(action, BoundAction):
            return "action", action.ref.core_id, action.params
        assert self._profile is not None
        if isinstance(action, MemberRef):
            return "member", self._profile.member_handle(action.member_id)
        if isinstance(action, GroupRef):
            return "group", self._profile.group_handle(action.group_id)
        return "group", action.group

    def hold(self, action: EntryAction | None, by: int) -> None:
        """Count an entry's use of a member or a group: 1 or -1."""
        if self._profile is not None:
            if isinstance(action, MemberRef):
                self._profile.hold_member(action.member_id, by)
            elif isinstance(action, GroupRef):
                self._profile.hold_group(action.group_id, by)

    def release(self, action: EntryAction | None) -> None:
        """Give up what an entry's action held."""
        self.hold(action, -1)
        if isinstance(action, OneShot) and self._profile is not None:
            self._profile.one_shots.remove(action)

    def revive(self, action: EntryAction | None) -> EntryAction | None:
        """The action again, after it was released."""
        if isinstance(action, OneShot) and self._profile is not None:
            return self._profile.one_shots.add(
                self._profile.one_shots.decode(action.message, self._what)
            )
        return action

    def given(self, target: Target | None) -> BoundAction | None:
        """The action that the packet path runs, where it is the program's own or came by wire."""
        if target is None or target[0] != "action":
            return None
        ref = self._table.by_core_id.get(target[1])
        return None if ref is None else BoundAction(ref, tuple(target[2]))


def put_action(message: p4r.TableAction, action: EntryAction) -> None:
    """Fill in the canonical message of an action."""
    if isinstance(action, BoundAction):
        message.action.CopyFrom(action.message())
    elif isinstance(action, MemberRef):
        message.action_profile_member_id = action.member_id
    elif isinstance(action, GroupRef):
        message.action_profile_group_id = action.group_id
    else:
        message.action_profile_action_set.CopyFrom(action.message)
