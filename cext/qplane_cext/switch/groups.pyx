"""Control of packet replication (multicast groups, clone sessions) and of value sets."""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memset

from qplane_cext.switch.base cimport GROUPS, SESSIONS, pthread_mutex_t
from qplane_cext.switch.state cimport Replica, ReplicaSet
from qplane_cext.switch.tuplespace cimport (
    matcher_find, matcher_free, matcher_init, matcher_insert, matcher_ready,
)
from qplane_cext.switch.values cimport number

from .errors import SwitchError

cdef extern from "pthread.h" nogil:
    int pthread_mutex_lock(pthread_mutex_t*)
    int pthread_mutex_unlock(pthread_mutex_t*)


cdef class GroupControl(ArrayControl):
    """Multicast groups, clone sessions and value sets of a switch."""

    def multicast_set(self, int64_t group, replicas):
        """Set a multicast group's (port, rid) pairs; none deletes it."""
        if not 0 < group < GROUPS:
            raise SwitchError("OUT_OF_RANGE", f"multicast group {group}: 1 to {GROUPS - 1}")
        with self._control:
            if self.core.groups == NULL:
                self.core.groups = <ReplicaSet*>calloc(GROUPS, sizeof(ReplicaSet))
                if self.core.groups == NULL:
                    raise MemoryError("no memory for multicast groups")
            self._replicas(0, group, replicas, 0, 0, bool(replicas))

    def clone_session_set(
        self, int64_t session, replicas, uint32_t packet_length_bytes=0,
        uint32_t class_of_service=0,
    ):
        """Set a clone session."""
        if not 0 <= session < SESSIONS:
            raise SwitchError("OUT_OF_RANGE", f"clone session {session}: 0 to {SESSIONS - 1}")
        with self._control:
            if self.core.sessions == NULL:
                self.core.sessions = <ReplicaSet*>calloc(SESSIONS, sizeof(ReplicaSet))
                if self.core.sessions == NULL:
                    raise MemoryError("no memory for clone sessions")
            self._replicas(1, session, replicas, packet_length_bytes, class_of_service, True)

    def clone_session_delete(self, int64_t session):
        """Delete a clone session."""
        with self._control:
            if not 0 <= session < SESSIONS or self.core.sessions == NULL \
                    or not self.core.sessions[session].used:
                raise SwitchError("NOT_FOUND", f"there is no clone session {session}")
            self._replicas(1, session, (), 0, 0, False)

    def _replicas(self, int sessions, int64_t at, replicas, truncate, priority, bint used):
        cdef ReplicaSet fresh, old
        cdef ReplicaSet* place
        cdef int i
        pairs = [(int(port), int(rid)) for port, rid in replicas]
        memset(&fresh, 0, sizeof(fresh))
        fresh.replicas = <Replica*>malloc(len(pairs) * sizeof(Replica) + 8)
        if fresh.replicas == NULL:
            raise MemoryError("no memory for replicas")
        try:
            for i, (port, rid) in enumerate(pairs):
                fresh.replicas[i].port, fresh.replicas[i].rid = port, rid
        except OverflowError:
            free(fresh.replicas)
            raise SwitchError("OUT_OF_RANGE", f"replica {pairs[i]}") from None
        fresh.count, fresh.used = len(pairs), used
        fresh.truncate, fresh.priority = truncate, priority
        place = &self.core.sessions[at] if sessions else &self.core.groups[at]
        with nogil:
            pthread_mutex_lock(&self.mutex)
            old = place[0]
            place[0] = fresh
            pthread_mutex_unlock(&self.mutex)
        free(old.replicas)

    def value_set_write(self, str name, members):
        """Replace a value set's members; each is one (value, mask) per key field."""
        cdef uint64_t[64] key
        cdef uint64_t[64] mask
        cdef int at, index, words
        cdef int64_t i
        with self._control:
            known = {one.name: one for one in self._program.value_sets} if self._program else {}
            if name not in known:
                raise SwitchError("NOT_FOUND", f"there is no value set {name!r}")
            fields, index = known[name].fields, known[name].id
            words = sum(max(1, (bits + 63) // 64) for bits in fields)
            if words > 64:
                raise SwitchError("UNIMPLEMENTED", f"value set {name!r} has too wide a key")
            packed = []
            for member in members:
                if len(member) != len(fields):
                    raise SwitchError(
                        "INVALID_ARGUMENT",
                        f"value set {name!r} has {len(fields)} fields, not {len(member)}",
                    )
                numbers = []
                for (value, bitmask), bits in zip(member, fields, strict=True):
                    one, cut = number(value, bits, name), number(bitmask, bits, name)
                    for limb in range(max(1, (bits + 63) // 64)):
                        numbers.append((
                            (one & cut) >> (64 * limb) & 0xFFFFFFFFFFFFFFFF,
                            cut >> (64 * limb) & 0xFFFFFFFFFFFFFFFF,
                        ))
                packed.append(numbers)
            with nogil:
                pthread_mutex_lock(&self.mutex)
            try:
                matcher_free(&self.core.value_sets[index])
                if matcher_init(&self.core.value_sets[index], max(words, 1), 0) or matcher_ready(
                    &self.core.value_sets[index]
                ):
                    raise MemoryError("no memory for a value set")
                for numbers in packed:
                    for at, (one, cut) in enumerate(numbers):
                        key[at], mask[at] = one, cut
                    i = matcher_find(&self.core.value_sets[index], key, mask, NULL, NULL, 0)
                    if i < 0 and matcher_insert(
                        &self.core.value_sets[index], key, mask, NULL, NULL, 0
                    ) < 0:
                        raise MemoryError("no memory for a value set")
            finally:
                pthread_mutex_unlock(&self.mutex)
            self._value_set_members[name] = tuple(tuple(map(tuple, one)) for one in members)

    def value_set_members(self, str name):
        """What value_set_write wrote last."""
        with self._control:
            if name not in self._value_set_members:
                raise SwitchError("NOT_FOUND", f"there is no value set {name!r}")
            return self._value_set_members[name]
