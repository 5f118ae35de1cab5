"""The root of SwitchCore: state, lock, statistics."""

import contextlib
import threading
import time

cimport cython
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcpy, memset

from qplane_cext.switch.queues cimport (
    MAX_PRIORITIES, QUEUE_PORTS, Queue, queue_due_us, queues_free, queues_new,
)
from qplane_cext.switch.state cimport Core, core_close

from .errors import SwitchError

cdef extern from "pthread.h" nogil:
    ctypedef struct pthread_mutexattr_t:
        pass
    int PTHREAD_MUTEX_RECURSIVE
    int pthread_mutexattr_init(pthread_mutexattr_t*)
    int pthread_mutexattr_settype(pthread_mutexattr_t*, int)
    int pthread_mutexattr_destroy(pthread_mutexattr_t*)
    int pthread_mutex_init(pthread_mutex_t*, pthread_mutexattr_t*)
    int pthread_mutex_destroy(pthread_mutex_t*)
    int pthread_mutex_lock(pthread_mutex_t*)
    int pthread_mutex_unlock(pthread_mutex_t*)

STAT_NAMES = (
    "processed", "emitted", "dropped_ingress", "dropped_egress", "dropped_priority",
    "parser_errors", "checksum_errors", "parser_loops", "action_loops", "passes_cut",
    "register_index_out_of_range", "counter_index_out_of_range", "meter_index_out_of_range",
    "stack_index_out_of_range", "divisions_by_zero", "assert_failed", "unknown_clone_session",
    "unknown_multicast_group", "empty_group", "cloned", "resubmitted", "recirculated",
    "replicated", "digests", "digests_lost", "too_long", "out_of_memory", "no_pipeline",
    "dropped_queue",
)


@cython.no_gc_clear  # __dealloc__ reads the program: the collector must not take it away before
cdef class SwitchBase:
    """The state of one switch, its lock, and what every part of the control plane needs."""

    def __cinit__(self):
        cdef pthread_mutexattr_t kind
        memset(&self.core, 0, sizeof(Core))
        pthread_mutexattr_init(&kind)
        pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_RECURSIVE)  # for hold()
        pthread_mutex_init(&self.mutex, &kind)
        pthread_mutexattr_destroy(&kind)

    def __init__(
        self, *, int64_t cpu_port=510, int64_t drop_port=511, uint64_t seed=0,
        uint32_t priority_queues=1,
    ):
        self.core.cpu_port = cpu_port
        self.core.drop_port = drop_port
        self.core.random = seed
        self.core.priorities = priority_queues
        self._control = threading.RLock()
        self._started = time.monotonic()
        self._pipeline = None
        self._initial = set()
        self._forget()

    def __dealloc__(self):
        cdef int i
        core_close(&self.core)
        if self.core.groups != NULL:
            for i in range(GROUPS):
                free(self.core.groups[i].replicas)
            free(self.core.groups)
        if self.core.sessions != NULL:
            for i in range(SESSIONS):
                free(self.core.sessions[i].replicas)
            free(self.core.sessions)
        while self.core.arena != NULL:
            block = self.core.arena
            self.core.arena = block.next
            free(block)
        queues_free(self.core.queues)
        free(self.core.buffer)
        free(self.core.out)
        free(self.core.scratch)
        free(self.core.digests)
        free(self.core.log)
        free(self.core.events)
        pthread_mutex_destroy(&self.mutex)

    def _forget(self):
        self._program = None
        self._table_index, self._defaults = {}, []
        self._profile_index, self._members, self._member_uses = {}, [], []
        self._groups, self._group_uses = [], []
        self._value_set_members = {}

    @property
    def pipeline(self):
        """The pipeline that runs, or None."""
        return self._pipeline

    @property
    def cpu_port(self):
        """The port of the control plane."""
        return self.core.cpu_port

    @property
    def drop_port(self):
        """The egress_spec that drops."""
        return self.core.drop_port

    @property
    def priority_queues(self):
        """How many priorities a port serves."""
        return self.core.priorities

    def set_queue(self, port=None, priority=None, *, depth=None, rate=None):
        """Give egress queues a depth and a rate (see core.pyi)."""
        cdef uint32_t first = 0, last = QUEUE_PORTS - 1, i, j
        cdef uint32_t lowest = 0, highest = min(self.core.priorities, <uint32_t>MAX_PRIORITIES) - 1
        cdef Queue* queue
        if port is not None and not 0 <= port < QUEUE_PORTS:
            raise SwitchError("OUT_OF_RANGE", f"port {port} is not below {QUEUE_PORTS}")
        if priority is not None and not 0 <= priority <= highest:
            raise SwitchError("OUT_OF_RANGE", f"priority {priority} is above {highest}")
        if (depth is not None and not 0 <= depth < 1 << 31) or (rate is not None and not rate >= 0):
            raise SwitchError("OUT_OF_RANGE", f"depth {depth}, rate {rate}")
        if port is not None:
            first = last = port
        if priority is not None:
            lowest = highest = priority
        with self.hold():
            if self.core.queues == NULL:
                self.core.queues = queues_new(self.core.priorities)
            if self.core.queues == NULL:
                raise MemoryError("no memory for queues")
            for i in range(first, last + 1):
                for j in range(lowest, highest + 1):
                    queue = &self.core.queues.queues[i * self.core.queues.priorities + j]
                    if depth is not None:
                        queue.depth = depth
                    if rate is not None:
                        queue.gap_ns = int(1e9 / rate) if rate else 0

    def next_due_us(self):
        """When a packet that waits in a queue may leave; None when none does."""
        cdef int64_t due = -1
        with nogil:
            pthread_mutex_lock(&self.mutex)
            if self.core.queues != NULL:
                due = queue_due_us(self.core.queues)
            pthread_mutex_unlock(&self.mutex)
        return None if due < 0 else due

    @contextlib.contextmanager
    def hold(self):
        """Keep packets out while control calls of this thread make up one atomic change."""
        with self._control:
            with nogil:
                pthread_mutex_lock(&self.mutex)
            try:
                yield
            finally:
                pthread_mutex_unlock(&self.mutex)

    @property
    def stats(self):
        """Counts since the core was made, by name; "dropped" sums the drops of a program."""
        cdef uint64_t[32] copy
        with nogil:
            pthread_mutex_lock(&self.mutex)
            memcpy(copy, self.core.stats, sizeof(copy))
            pthread_mutex_unlock(&self.mutex)
        out = {name: copy[i] for i, name in enumerate(STAT_NAMES)}
        out["dropped"] = sum(
            out[f"dropped_{where}"] for where in ("ingress", "egress", "priority", "queue")
        )
        return out

    cdef int64_t clock(self, now_us) except? -1:
        if now_us is None:
            return <int64_t>((time.monotonic() - self._started) * 1e6)
        return now_us
