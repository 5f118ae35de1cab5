"""``ActionProfileMember`` and ``ActionProfileGroup``: all profiles of a pipeline."""

from __future__ import annotations

from collections.abc import Iterator

from finsy.proto import p4r

from qplane_cext.switch.core import SwitchCore

from ..p4info import P4InfoIndex
from ..ports import PortStates
from .base import Journal, Kind, MayRead
from .profile_store import ProfileStore


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
            store.selector.ports_changed()


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
