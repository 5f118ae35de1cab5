"""Control of action profiles and selectors: members and groups."""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memset

from qplane_cext.switch.base cimport pthread_mutex_t
from qplane_cext.switch.state cimport (
    PICK_AS_SELECTOR, PICK_AT_RANDOM, PICK_BY_HASH, Member, MemberGroup, ProfileState, Target,
)

from .errors import SwitchError

cdef extern from "pthread.h" nogil:
    int pthread_mutex_lock(pthread_mutex_t*)
    int pthread_mutex_unlock(pthread_mutex_t*)

_PICKS = {"selector": PICK_AS_SELECTOR, "hash": PICK_BY_HASH, "random": PICK_AT_RANDOM}


cdef class ProfileControl(TableControl):
    """Action profiles of a switch."""

    def _profile(self, name):
        index = self._profile_index.get(name)
        if index is None:
            raise SwitchError("NOT_FOUND", f"there is no action profile {name!r}")
        return index

    def _profile_actions(self, int index):
        names = self._program.profiles[index].actions
        return [one.index for one in self._program.actions if one.name in names]

    def member_add(self, str profile, int64_t action_id, params):
        """Add a member and return its handle."""
        cdef Target packed
        cdef ProfileState* state
        cdef uint32_t handle = 0, room
        cdef Member* moved
        cdef Member* old
        with self._control:
            index = self._profile(profile)
            state = &self.core.profiles[<int>index]
            members = self._members[index]
            self.pack_action(action_id, params, self._profile_actions(index), &packed)
            while handle in members:
                handle += 1
            if handle >= state.members_room:
                room = state.members_room * 2 if state.members_room else 16
                moved = <Member*>calloc(room, sizeof(Member))
                if moved == NULL:
                    free(packed.params)
                    raise MemoryError("no memory for an action profile member")
                old = state.members
                with nogil:
                    pthread_mutex_lock(&self.mutex)
                    if old != NULL:
                        memcpy(moved, old, state.members_room * sizeof(Member))
                    state.members = moved
                    state.members_room = room
                    pthread_mutex_unlock(&self.mutex)
                free(old)
            with nogil:
                pthread_mutex_lock(&self.mutex)
                state.members[handle].used = 1
                state.members[handle].target = packed
                pthread_mutex_unlock(&self.mutex)
            members[handle] = (action_id, tuple(params))
            return handle

    def _member(self, index, handle):
        if handle not in self._members[index]:
            raise SwitchError("NOT_FOUND", f"there is no member {handle}")

    def member_modify(self, str profile, int64_t handle, int64_t action_id, params):
        """Let a member do something else."""
        cdef Target packed, old
        cdef Member* member
        with self._control:
            index = self._profile(profile)
            self._member(index, handle)
            self.pack_action(action_id, params, self._profile_actions(index), &packed)
            member = &self.core.profiles[<int>index].members[handle]
            with nogil:
                pthread_mutex_lock(&self.mutex)
                old = member.target
                member.target = packed
                pthread_mutex_unlock(&self.mutex)
            free(old.params)
            self._members[index][handle] = (action_id, tuple(params))

    def member_delete(self, str profile, int64_t handle):
        """Remove a member that no entry and no group uses."""
        cdef Member* member
        with self._control:
            index = self._profile(profile)
            self._member(index, handle)
            if self._member_uses[index].get(handle):
                raise SwitchError("FAILED_PRECONDITION", f"member {handle} is in use")
            member = &self.core.profiles[<int>index].members[handle]
            free(member.target.params)
            memset(member, 0, sizeof(Member))
            del self._members[index][handle]

    def members(self, str profile):
        """handle -> (action id, parameters)."""
        with self._control:
            return dict(self._members[self._profile(profile)])

    def group_add(self, str profile, str pick="selector"):
        """Add an empty group and return its handle.

        ``pick``: how a packet's member is chosen, as the selector does it, by a "hash" or at
        "random".
        """
        cdef ProfileState* state
        cdef uint32_t handle = 0, room
        cdef MemberGroup* moved
        cdef MemberGroup* old
        with self._control:
            index = self._profile(profile)
            if self._program.profiles[index].calculation < 0:
                raise SwitchError("INVALID_ARGUMENT", f"profile {profile!r} has no selector")
            state = &self.core.profiles[<int>index]
            groups = self._groups[index]
            while handle in groups:
                handle += 1
            if handle >= state.groups_room:
                room = state.groups_room * 2 if state.groups_room else 16
                moved = <MemberGroup*>calloc(room, sizeof(MemberGroup))
                if moved == NULL:
                    raise MemoryError("no memory for an action profile group")
                old = state.groups
                with nogil:
                    pthread_mutex_lock(&self.mutex)
                    if old != NULL:
                        memcpy(moved, old, state.groups_room * sizeof(MemberGroup))
                    state.groups = moved
                    state.groups_room = room
                    pthread_mutex_unlock(&self.mutex)
                free(old)
            state.groups[handle].pick = _PICKS[pick]  # no entry refers to it yet
            groups[handle] = ()
            return handle

    def _group(self, index, handle):
        if handle not in self._groups[index]:
            raise SwitchError("NOT_FOUND", f"there is no group {handle}")

    def group_set(self, str profile, int64_t handle, members):
        """Replace a group's (member, weight) pairs."""
        cdef MemberGroup fresh, old
        cdef MemberGroup* group
        cdef int i
        with self._control:
            index = self._profile(profile)
            self._group(index, handle)
            pairs = tuple((int(member), int(weight)) for member, weight in members)
            for member, weight in pairs:
                self._member(index, member)
                if not 1 <= weight <= 1 << 31:
                    raise SwitchError("INVALID_ARGUMENT", f"weight {weight} of member {member}")
            if len({member for member, _ in pairs}) != len(pairs):
                raise SwitchError("INVALID_ARGUMENT", "a member is in the group twice")
            memset(&fresh, 0, sizeof(fresh))
            fresh.count = len(pairs)
            fresh.members = <uint32_t*>malloc(len(pairs) * 4 + 4)
            fresh.until = <uint64_t*>malloc(len(pairs) * 8 + 8)
            if fresh.members == NULL or fresh.until == NULL:
                free(fresh.members)
                free(fresh.until)
                raise MemoryError("no memory for an action profile group")
            for i, (member, weight) in enumerate(sorted(pairs)):  # BMv2 picks in handle order
                fresh.total += <uint64_t>weight
                fresh.members[i] = member
                fresh.until[i] = fresh.total
            group = &self.core.profiles[<int>index].groups[handle]
            with nogil:
                pthread_mutex_lock(&self.mutex)
                old = group[0]
                fresh.pick = old.pick
                group[0] = fresh
                pthread_mutex_unlock(&self.mutex)
            free(old.members)
            free(old.until)
            uses = self._member_uses[index]
            for member, _ in self._groups[index][handle]:
                uses[member] -= 1
            for member, _ in pairs:
                uses[member] = uses.get(member, 0) + 1
            self._groups[index][handle] = pairs

    def group_delete(self, str profile, int64_t handle):
        """Remove a group that no entry uses."""
        with self._control:
            index = self._profile(profile)
            self._group(index, handle)
            if self._group_uses[index].get(handle):
                raise SwitchError("FAILED_PRECONDITION", f"group {handle} is in use")
            self.group_set(profile, handle, ())
            del self._groups[index][handle]

    def groups(self, str profile):
        """handle -> (member, weight) pairs."""
        with self._control:
            return dict(self._groups[self._profile(profile)])
