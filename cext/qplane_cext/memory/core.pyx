# cython: language_level=3, binding=False
"""Quantum memory for a whole network: exact states, lazy ageing, generation-counted handles."""

from collections import namedtuple

from cpython.float cimport PyFloat_AS_DOUBLE, PyFloat_CheckExact
from cpython.long cimport (
    PyLong_AsLongLong,
    PyLong_AsUnsignedLongLong,
)
from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.math cimport cos, fabs, isfinite, sin, sqrt
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset
from numpy.random cimport bitgen_t

from qplane_cext.memory.engine cimport *

import operator

import numpy as np

from qplane_cext.memory import errors, states

SlotInfo = namedtuple("SlotInfo", "node purpose slice deadline_ps")

cdef dict _BASES = {"Z": (0.0, 0.0, 1.0), "X": (1.0, 0.0, 0.0), "Y": (0.0, 1.0, 0.0),
                    0: (0.0, 0.0, 1.0), 1: (1.0, 0.0, 0.0), 2: (0.0, 1.0, 0.0)}
cdef dict _PAULIS = {"I": 0, "Z": 1, "X": 2, "Y": 3}
cdef dict _PROTOCOLS = {"bbpssw": 0, "dejmps": 1, "epl": 2}
# Rotations of the Bloch sphere; S is diag(1, i), SX its like about X
cdef dict _CLIFFORDS = {
    "I": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "X": ((1, 0, 0), (0, -1, 0), (0, 0, -1)),
    "Y": ((-1, 0, 0), (0, 1, 0), (0, 0, -1)),
    "Z": ((-1, 0, 0), (0, -1, 0), (0, 0, 1)),
    "H": ((0, 0, 1), (0, -1, 0), (1, 0, 0)),
    "S": ((0, -1, 0), (1, 0, 0), (0, 0, 1)),
    "SDG": ((0, 1, 0), (-1, 0, 0), (0, 0, 1)),
    "SX": ((1, 0, 0), (0, 0, -1), (0, 1, 0)),
    "SXDG": ((1, 0, 0), (0, 0, 1), (0, -1, 0)),
    "SY": ((0, 0, 1), (0, 1, 0), (-1, 0, 0)),
    "SYDG": ((0, 0, -1), (0, 1, 0), (1, 0, 0)),
}

cdef extern from "qplane_cext/memory/integers.h":
    int64_t small_int(object value)
    object pair_of_handles(uint64_t a, uint64_t b)

cdef str X = "X", Z = "Z"  # Python has one object for each such literal
cdef object NOBODY = object()  # in place of a generator
cdef tuple BITS = ((0, 0), (0, 1), (1, 0), (1, 1))

# ---- arguments: one message that names the argument ----

cdef bitgen_t* bitgen_of(QuantumMemory memory, rng) except NULL:
    """The C generator below a ``numpy.random.Generator``; the last one used is remembered."""
    if rng is not memory._rng:
        if not isinstance(rng, np.random.Generator):
            raise errors.QuantumMemoryError(
                f"rng: must be a numpy.random.Generator, not {type(rng).__name__}")
        memory._bitgen = <bitgen_t*>PyCapsule_GetPointer(
            rng.bit_generator.capsule, "BitGenerator")
        memory._rng = rng
    return memory._bitgen


cdef int64_t as_time(value, str name) except -1:
    cdef int64_t t = small_int(value)
    return t if t >= 0 else odd_time(value, name)


cdef int64_t odd_time(value, str name) except -1:
    cdef int64_t t
    try:
        t = PyLong_AsLongLong(operator.index(value))
    except (TypeError, OverflowError):
        t = -1
    if t < 0:
        raise errors.QuantumMemoryError(
            f"{name}: must be a whole number of picoseconds from 0 to 2^63 - 1, not {value!r}")
    return t


cdef handle_t as_handle(value, str name) except? 0:
    cdef int64_t h = small_int(value)
    return <handle_t>h if h >= 0 else odd_handle(value, name)


cdef handle_t odd_handle(value, str name) except? 0:
    try:
        return PyLong_AsUnsignedLongLong(operator.index(value))
    except (TypeError, OverflowError):
        raise errors.QuantumMemoryError(f"{name}: must be a handle, not {value!r}") from None


cdef double as_probability(value, str name) except? -1:
    cdef double p
    if PyFloat_CheckExact(value):
        p = PyFloat_AS_DOUBLE(value)
        if 0 <= p <= 1:
            return p
    try:
        p = value
    except (TypeError, ValueError):
        raise errors.QuantumMemoryError(f"{name}: must be a number, not {value!r}") from None
    if not 0 <= p <= 1:
        raise errors.QuantumMemoryError(f"{name}: must be in [0, 1], not {value!r}")
    return p


cdef inline double probability(value, str name) except? -1:
    """``as_probability`` without a call where it is a float."""
    if PyFloat_CheckExact(value) and 0 <= PyFloat_AS_DOUBLE(value) <= 1:
        return PyFloat_AS_DOUBLE(value)
    return as_probability(value, name)


cdef inline int bell_index(value, str name) except -1:
    """``as_bell`` without a call where it is a small int."""
    cdef int64_t k = small_int(value)
    return <int>k if 0 <= k <= 3 else as_bell(value, name)


cdef int as_protocol(value) except -1:
    if not isinstance(value, str) or value not in _PROTOCOLS:
        raise errors.QuantumMemoryError(f"protocol: must be bbpssw, dejmps or epl, not {value!r}")
    return _PROTOCOLS[value]


cdef int as_two_pairs(keep, spend, handle_t* h) except -1:
    """The four handles of a distillation: kept a, b, spent a, b."""
    try:
        (ka, kb), (sa, sb) = keep, spend
    except (TypeError, ValueError):
        raise errors.QuantumMemoryError("keep, spend: must be two handles each") from None
    h[0], h[1] = as_handle(ka, "keep[0]"), as_handle(kb, "keep[1]")
    h[2], h[3] = as_handle(sa, "spend[0]"), as_handle(sb, "spend[1]")
    return 0


cdef tuple as_axis(value, str name):
    try:
        return _BASES[value]
    except (KeyError, TypeError):
        pass
    try:
        x, y, z = (float(c) for c in value)
    except (TypeError, ValueError):
        raise errors.QuantumMemoryError(
            f"{name}: must be 'X', 'Y', 'Z' or a Bloch vector, not {value!r}") from None
    cdef double length = sqrt(x * x + y * y + z * z)
    if not (isfinite(length) and length > 0):
        raise errors.QuantumMemoryError(f"{name}: must be a vector of finite length, not {value!r}")
    return x / length, y / length, z / length


cdef int fail(QuantumMemory memory, int code, now_ps, dict handles, str rest="") except -1:
    """Raises for a code below 0, naming the argument at fault."""
    cdef handle_t h
    cdef int64_t clock
    for name, h in handles.items():
        if memory.c_clock(h, &clock) == QM_ESTALE:
            raise errors.StaleHandleError(
                f"{name}: {h:#x} names no live qubit (freed, or its slot is used again)")
        if code == QM_ETIME and now_ps < clock:
            raise errors.ClockError(
                f"now_ps: {now_ps} is before the clock of {name}, {clock}")
    if code == QM_EFULL:
        raise errors.MemoryFullError(f"memory: no slot is left ({rest})")
    if code == QM_EPURE:
        raise errors.TooManyQubitsError(
            f"{', '.join(handles) or 'n'}: needs an exact state of more than {MAX_VECTOR} qubits"
            f" ({rest})")
    if code == QM_ENOMEM:
        raise MemoryError("the machine is out of memory")
    if len(set(handles.values())) < len(handles):
        raise errors.QuantumMemoryError(f"{', '.join(handles)}: must name different qubits")
    raise errors.QuantumMemoryError(rest or "argument out of range")


cdef class GateNoise:
    """Noise of gates and read-out, each a probability in [0, 1].

    A gate on n qubits is followed by depolarising with probability p on them,
    rho -> (1 - p) rho + p I/2^n; a read-out bit is reported wrong with ``readout_error``.
    """

    def __init__(self, two_qubit_error=0.0, one_qubit_error=0.0, readout_error=0.0):
        self.g.two_qubit_error = as_probability(two_qubit_error, "two_qubit_error")
        self.g.one_qubit_error = as_probability(one_qubit_error, "one_qubit_error")
        self.g.readout_error = as_probability(readout_error, "readout_error")

    def __repr__(self):
        return (f"GateNoise(two_qubit_error={self.g.two_qubit_error!r}, "
                f"one_qubit_error={self.g.one_qubit_error!r}, "
                f"readout_error={self.g.readout_error!r})")


cdef GateNoise NOISELESS = GateNoise()
cdef gate_noise_t NONE  # the same for C
NONE.two_qubit_error = NONE.one_qubit_error = NONE.readout_error = 0


cdef class QuantumMemory:
    """Qubits of a whole network: see docs/memory.md for the concepts and all conventions.

    ``capacity`` is the number of records; a pair takes one, and so does a qubit created alone
    (room that is never used costs no memory). ``seed`` starts the memory's own generator, which
    samples noise on stabilizer tableaus in verbs that take no generator. ``exact_only`` switches
    off the Bell-diagonal fast path (results are the same; tests compare the two).

    Common to all verbs: times are whole picoseconds from 0 (``now_ps``: the qubits that the verb
    touches are aged to it first), probabilities and errors of gates are in [0, 1], handles are
    ints, ``rng`` is a ``numpy.random.Generator``, ``node`` refuses slots that are not this node's.
    What is wrong raises a ``QuantumMemoryError`` that begins with the argument's name, and nothing
    has changed: ``StaleHandleError`` (freed, or never was), ``ClockError`` (before the qubit's
    clock), ``ForeignSlotError``, ``MemoryFullError``, ``TooManyQubitsError`` (an exact state of
    more than 8 qubits would be needed).
    """

    def __cinit__(self, capacity=65536, *, seed=0, exact_only=False):
        cdef int n = as_size(capacity, 1, MAX_RECORDS, "capacity")
        self._m = qm_new(<uint32_t>n, bool(exact_only))
        if self._m == NULL:
            raise MemoryError(f"no room for {capacity} records")
        self._rng = NOBODY
        try:
            self._noise = np.random.Philox(operator.index(seed))
        except (TypeError, ValueError):
            raise errors.QuantumMemoryError(
                f"seed: must be a whole number from 0, not {seed!r}") from None
        (<qm_t*>self._m).noise = <bitgen_t*>PyCapsule_GetPointer(
            self._noise.capsule, "BitGenerator")
        add_profile(<qm_t*>self._m, float("inf"), float("inf"), 0.0, 0)

    def __dealloc__(self):
        qm_delete(<qm_t*>self._m)

    def __repr__(self):
        return f"QuantumMemory({self.capacity}), {self.live} live qubits"

    # ---- C level ----

    cdef int c_profile(self, double t1_s, double t2_s, double population) noexcept nogil:
        return add_profile(<qm_t*>self._m, t1_s, t2_s, population, 0)

    cdef int c_create_pair(self, int64_t now_ps, const double* r16, int profile_a, int profile_b,
                           handle_t* a, handle_t* b) noexcept nogil:
        cdef qm_t* m = <qm_t*>self._m
        return qm_create_pair(m, &m.arena, now_ps, r16, profile_a, profile_b, a, b)

    cdef int c_swap(self, int64_t now_ps, handle_t left, handle_t right,
                    const gate_noise_t* noise, bitgen_t* rng, int* outcome,
                    int* actual) noexcept nogil:
        cdef qm_t* m = <qm_t*>self._m
        return qm_swap(m, &m.arena, now_ps, left, right, noise, rng, outcome, actual)

    cdef int c_bell(self, int64_t now_ps, handle_t left, handle_t right,
                    const gate_noise_t* noise, bitgen_t* rng, int* outcome,
                    int* actual) noexcept nogil:
        cdef qm_t* m = <qm_t*>self._m
        return qm_bell(m, &m.arena, now_ps, left, right, noise, rng, outcome, actual)

    cdef int c_measure(self, int64_t now_ps, handle_t q, int axis, double readout_error,
                       bitgen_t* rng, int* bit) noexcept nogil:
        cdef double[3] bloch
        if not 0 <= axis <= 2:
            return QM_EARG
        memset(bloch, 0, sizeof(bloch))
        bloch[2 if axis == 0 else axis - 1] = 1  # 0 Z, 1 X, 2 Y
        return self.c_measure_along(now_ps, q, bloch, readout_error, rng, bit)

    cdef int c_measure_along(self, int64_t now_ps, handle_t q, const double* bloch,
                             double readout_error, bitgen_t* rng, int* bit) noexcept nogil:
        cdef qm_t* m = <qm_t*>self._m
        return qm_measure(m, &m.arena, now_ps, q, bloch, readout_error, rng, bit)

    cdef int c_peek_bit(self, int64_t now_ps, handle_t q, int axis, double readout_error,
                        double u, int* bit) noexcept nogil:
        cdef double[3] bloch
        if not 0 <= axis <= 2:
            return QM_EARG
        memset(bloch, 0, sizeof(bloch))
        bloch[2 if axis == 0 else axis - 1] = 1
        return qm_peek_bit(<qm_t*>self._m, now_ps, q, bloch, readout_error, u, bit)

    cdef int c_pauli(self, int64_t now_ps, handle_t q, int pauli_xz,
                     double gate_error) noexcept nogil:
        cdef qm_t* m = <qm_t*>self._m
        return qm_pauli(m, &m.arena, now_ps, q, pauli_xz, gate_error, NULL)

    cdef int c_distil(self, int64_t now_a_ps, int64_t now_b_ps, const handle_t* h, int protocol,
                      const gate_noise_t* noise, bitgen_t* rng, int* bits,
                      int* success) noexcept nogil:
        cdef qm_t* m = <qm_t*>self._m
        return qm_distil(m, &m.arena, now_a_ps, now_b_ps, h, protocol, noise, rng, bits, success)

    cdef int c_distil_first(self, int64_t now_a_ps, handle_t kept, handle_t spent, int protocol,
                            const gate_noise_t* noise, bitgen_t* rng, int* bit) noexcept nogil:
        return qm_distil_first(<qm_t*>self._m, now_a_ps, kept, spent, protocol, noise, rng, bit)

    cdef int c_distil_second(self, int64_t now_a_ps, int64_t now_b_ps, const handle_t* h,
                             int protocol, const gate_noise_t* noise_a,
                             const gate_noise_t* noise_b, int bit_a, bitgen_t* rng,
                             int* bit_b) noexcept nogil:
        cdef qm_t* m = <qm_t*>self._m
        return qm_distil_second(m, &m.arena, now_a_ps, now_b_ps, h, protocol, noise_a, noise_b,
                                bit_a, rng, bit_b)

    cdef int c_free(self, handle_t q) noexcept nogil:
        cdef qm_t* m = <qm_t*>self._m
        return qm_free(m, &m.arena, q, NULL)

    cdef int c_peek_fidelity(self, handle_t a, int64_t t_a_ps, handle_t b, int64_t t_b_ps,
                             int bell, double* f) noexcept nogil:
        return qm_peek_fidelity(<qm_t*>self._m, a, t_a_ps, b, t_b_ps, bell, f)

    cdef int c_partner(self, handle_t q, handle_t* partner) noexcept nogil:
        cdef qm_t* m = <qm_t*>self._m
        cdef uint32_t slot = slot_of(m, q), other
        if slot == 0:
            return QM_ESTALE
        other = partner_of(m, slot)
        if other == 0:
            return QM_EARG
        partner[0] = make_handle(m, other)
        return QM_OK

    cdef int c_clock(self, handle_t q, int64_t* clock_ps) noexcept nogil:
        cdef qm_t* m = <qm_t*>self._m
        cdef uint32_t slot = slot_of(m, q)
        if slot == 0:
            return QM_ESTALE
        clock_ps[0] = clock_of(m, slot)
        return QM_OK

    cdef int64_t c_live(self) noexcept nogil:
        cdef qm_t* m = <qm_t*>self._m
        return m.live + m.arena.live

    cdef int c_add_node(self, uint32_t limit) noexcept nogil:
        return qm_add_node(<qm_t*>self._m, limit)

    cdef int c_assign(self, handle_t q, int node, int purpose, int slice_) noexcept nogil:
        return qm_assign(<qm_t*>self._m, q, node, purpose, slice_)

    cdef int c_set_deadline(self, handle_t q, int64_t deadline_ps) noexcept nogil:
        return qm_set_deadline(<qm_t*>self._m, q, deadline_ps)

    cdef int c_expire(self, int64_t now_ps, handle_t* q) noexcept nogil:
        cdef qm_t* m = <qm_t*>self._m
        return qm_expire(m, &m.arena, now_ps, q)

    # ---- noise profiles and creation ----

    def profile(self, t1_s=float("inf"), t2_s=float("inf"), population=0.0, *, twirl=False):
        """The index of a memory slot's noise: T1 and T2 in seconds (inf allowed, T2 <= 2 T1) and
        the population of |1> in equilibrium.

        ``twirl=True`` asks for the Pauli approximation of T1 (its drift towards equilibrium is
        dropped), which lets any number of qubits live on a tableau. Profile 0 is noiseless.
        """
        cdef double t1, t2
        for value, name in ((t1_s, "t1_s"), (t2_s, "t2_s")):
            if not (isinstance(value, (int, float, np.number)) and value > 0):
                raise errors.QuantumMemoryError(
                    f"{name}: must be a time above 0 in seconds, not {value!r}")
        t1, t2 = t1_s, t2_s
        cdef int code = add_profile(<qm_t*>self._m, t1, t2,
                                    as_probability(population, "population"), bool(twirl))
        if code == QM_EARG:
            raise errors.QuantumMemoryError(f"t2_s: {t2:g} is above 2 * t1_s = {2 * t1:g}")
        if code < 0:
            fail(self, code, 0, {}, "32768 noise profiles")
        return code

    cdef int _profile_index(self, value, str name) except -1:
        cdef int64_t p = small_int(value)
        if p < 0 and hasattr(value, "__index__"):
            p = min(max(operator.index(value), -1), 1 << 32)
        if not 0 <= p < (<qm_t*>self._m).n_profiles:
            raise errors.QuantumMemoryError(f"{name}: {value!r} is not a profile of this memory")
        return <int>p

    def create_pair(self, now_ps, state=1.0, profile_a=0, profile_b=0, bell=0):
        """A fresh pair, both clocks at ``now_ps``: its two handles.

        ``state`` is a fidelity (Werner state around Bell state ``bell``), four probabilities of
        the Bell states (Phi+, Phi-, Psi+, Psi-), a real 4x4 Pauli matrix R[i][j] = <s_i x s_j>
        with R[0][0] = 1, or a complex 4x4 density matrix (or a QuTiP object).
        """
        cdef double[16] R
        cdef handle_t a, b
        cdef qm_t* m = <qm_t*>self._m
        cdef int64_t now = as_time(now_ps, "now_ps"), index = small_int(profile_a)
        cdef int code, pa, pb
        pa = <int>index if 0 <= index < m.n_profiles else self._profile_index(
            profile_a, "profile_a")
        index = small_int(profile_b)
        pb = <int>index if 0 <= index < m.n_profiles else self._profile_index(
            profile_b, "profile_b")
        if PyFloat_CheckExact(state) or is_number(state):
            code = qm_create_werner(m, &m.arena, now, probability(state, "state"),
                                    bell_index(bell, "bell"), pa, pb, &a, &b)
        else:
            memset(R, 0, sizeof(R))
            R[0] = 1
            pair_matrix(state, R)
            code = qm_create_pair(m, &m.arena, now, R, pa, pb, &a, &b)
        if code < 0:
            fail(self, code, now, {}, f"capacity {self.capacity} records" if code == QM_EFULL
                 else "state: is not a two-qubit state (negative eigenvalue)")
        return pair_of_handles(a, b)

    def create_qubit(self, now_ps, state=(0.0, 0.0, 1.0), profile=0, error=0.0):
        """A qubit in the state of Bloch vector ``state`` ((0, 0, 1) is |0>), its handle.

        ``error`` is the initialisation error: the state is flipped to the opposite pole with this
        probability.
        """
        cdef double[4] R
        cdef double p = as_probability(error, "error"), length = 0
        cdef handle_t h
        cdef int64_t now = as_time(now_ps, "now_ps")
        cdef int index = self._profile_index(profile, "profile"), code, i
        try:
            bloch = [float(c) for c in state]
        except (TypeError, ValueError):
            bloch = []
        if len(bloch) != 3:
            raise errors.QuantumMemoryError(f"state: must be a Bloch vector, not {state!r}")
        R[0] = 1
        for i in range(3):
            R[1 + i] = (1 - 2 * p) * <double>bloch[i]
            length += <double>bloch[i] * <double>bloch[i]
        if not length <= 1 + 1e-9:
            raise errors.QuantumMemoryError(f"state: is longer than 1: {state!r}")
        cdef qm_t* m = <qm_t*>self._m
        code = qm_create_state(m, &m.arena, now, 1, R, &index, &h)
        if code < 0:
            fail(self, code, now, {}, f"capacity {self.capacity} records")
        return h

    cdef tuple _create(self, kind, int n, int64_t now, profiles, bint exact, data):
        """GHZ and graph states and arbitrary states: handles in the order of the qubits."""
        cdef qm_t* m = <qm_t*>self._m
        cdef handle_t* h = <handle_t*>malloc(<size_t>n * sizeof(handle_t))
        cdef int* index = <int*>malloc(n * sizeof(int))
        cdef int[:, ::1] edges
        cdef double[::1] R
        cdef int code, k
        try:
            if h == NULL or index == NULL:
                raise MemoryError("the machine is out of memory")
            if isinstance(profiles, (list, tuple, np.ndarray)):
                if len(profiles) != n:
                    raise errors.QuantumMemoryError(
                        f"profiles: {len(profiles)} given for {n} qubits")
                for k in range(n):
                    index[k] = self._profile_index(profiles[k], f"profiles[{k}]")
            else:
                index[0] = self._profile_index(profiles, "profiles")
                for k in range(1, n):
                    index[k] = index[0]
            if kind == "ghz":
                code = qm_create_ghz(m, &m.arena, now, n, index, exact, h)
            elif kind == "graph":
                edges = data
                code = qm_create_graph(m, &m.arena, now, n, <int>edges.shape[0],
                                       &edges[0, 0] if edges.shape[0] else NULL, index, exact, h)
            else:
                R = data
                code = qm_create_state(m, &m.arena, now, n, &R[0], index, h)
            if code < 0:
                fail(self, code, now, {}, {
                    QM_EFULL: f"capacity {self.capacity} records",
                    QM_EPURE: "exact=True, or T2 too long against T1 for a tableau: more than 8 "
                              "qubits need profiles with 2/T2 >= (1 + |1 - 2 population|)/T1, or "
                              "twirl=True",
                }.get(code, "argument out of range"))
            return tuple([h[k] for k in range(n)])
        finally:
            free(h)
            free(index)

    def create_state(self, now_ps, state, profiles=0):
        """Qubits in a given state of 1 to 8 qubits: their handles.

        ``state`` is a 2^n x 2^n density matrix, a vector of 2^n amplitudes or a QuTiP object.
        """
        try:
            rho = states.as_density_matrix(state, "state")
        except ValueError as e:
            raise errors.QuantumMemoryError(str(e)) from None
        R = states.pauli_vector(rho)
        return self._create("state", R.ndim, as_time(now_ps, "now_ps"), profiles, False, R.ravel())

    def ghz(self, n, now_ps, profiles=0, *, exact=False):
        """n qubits in (|0...0> + |1...1>)/sqrt(2): their handles.

        A tableau where all profiles allow it (its noise is sampled), else, or with
        ``exact=True``, a Pauli vector (at most 8 qubits).
        """
        return self._create("ghz", as_size(n, 2), as_time(now_ps, "now_ps"), profiles, exact, None)

    def graph_state(self, n, edges, now_ps, profiles=0, *, exact=False):
        """The graph state of n vertices and the given edges (pairs of vertices); see ``ghz``."""
        cdef int size = as_size(n, 1)
        try:
            e = edges if isinstance(edges, np.ndarray) else np.array(list(edges))
        except (TypeError, ValueError):
            e = np.empty(())
        if e.shape == (0,):
            e = np.empty((0, 2), dtype=np.intc)
        if (e.ndim != 2 or e.shape[1] != 2 or e.dtype.kind not in "iu"
                or (e.size and (e.min() < 0 or e.max() >= size or (e[:, 0] == e[:, 1]).any()))):
            raise errors.QuantumMemoryError(
                f"edges: must be pairs of different vertices 0 to {size - 1}")
        return self._create("graph", size, as_time(now_ps, "now_ps"), profiles, exact,
                            np.ascontiguousarray(e, dtype=np.intc))

    # ---- gates and channels ----

    cdef int _own(self, node, dict handles) except -1:
        cdef handle_t h
        cdef qm_t* m = <qm_t*>self._m
        cdef int number = as_size(node, 0, m.n_owners, "node")
        for name, h in handles.items():
            if qm_owned_by(m, h, number) == QM_EOWNER:
                raise errors.ForeignSlotError(f"{name}: its slot is not node {node}'s")
        return 0

    cdef int _rotate(self, qubit, now_ps, tuple F, error, node) except -1:
        cdef qm_t* m = <qm_t*>self._m
        cdef double[3][3] f
        cdef handle_t h = as_handle(qubit, "qubit")
        cdef int64_t now = as_time(now_ps, "now_ps")
        cdef int i, j, code
        if node is not None:
            self._own(node, {"qubit": h})
        for i in range(3):
            for j in range(3):
                f[i][j] = F[i][j]
        code = qm_rotate(m, &m.arena, now, h, f, as_probability(error, "error"), NULL)
        if code < 0:
            fail(self, code, now, {"qubit": h}, "a gate that is not Clifford")
        return 0

    def age(self, qubit, now_ps):
        """Brings one qubit's clock to ``now_ps``; its partners' clocks stay where they are."""
        cdef qm_t* m = <qm_t*>self._m
        cdef handle_t h = as_handle(qubit, "qubit")
        cdef int64_t now = as_time(now_ps, "now_ps")
        cdef int code = qm_age(m, &m.arena, now, h, NULL)
        if code < 0:
            fail(self, code, now, {"qubit": h}, "T2 too long against T1 for a tableau")

    def pauli(self, qubit, now_ps, pauli, error=0.0, *, node=None):
        """A Pauli gate: a letter, or 2 x + z as in a Bell index; then depolarising of ``error``."""
        cdef int xz
        try:
            xz = _PAULIS[pauli] if isinstance(pauli, str) else operator.index(pauli)
        except (KeyError, TypeError, OverflowError):
            xz = -1
        if not 0 <= xz <= 3:
            raise errors.QuantumMemoryError(f"pauli: must be I, X, Y, Z or 0 to 3, not {pauli!r}")
        self._pauli(qubit, now_ps, xz, error, node, "qubit")

    cdef int _pauli(self, qubit, now_ps, int xz, error, node, str name) except -1:
        cdef qm_t* m = <qm_t*>self._m
        cdef handle_t h = as_handle(qubit, name)
        cdef int64_t now = as_time(now_ps, "now_ps")
        if node is not None:
            self._own(node, {name: h})
        cdef int code = qm_pauli(m, &m.arena, now, h, xz, as_probability(error, "error"), NULL)
        if code < 0:
            fail(self, code, now, {name: h}, "T2 too long against T1 for a tableau")
        return 0

    def gate(self, qubit, now_ps, name, error=0.0, *, node=None):
        """A Clifford gate I, X, Y, Z, H, S, SDG, SX, SXDG, SY or SYDG, then depolarising."""
        F = _CLIFFORDS.get(name) if isinstance(name, str) else None
        if F is None:
            raise errors.QuantumMemoryError(f"name: must be one of {' '.join(_CLIFFORDS)}, "
                                            f"not {name!r}")
        self._rotate(qubit, now_ps, F, error, node)

    def rotate(self, qubit, now_ps, axis, angle_rad, error=0.0, *, node=None):
        """The rotation exp(-i angle_rad/2 axis.sigma), axis a letter or a Bloch vector (it is
        normalised), then depolarising of ``error``."""
        cdef double x, y, z, c, s, angle
        x, y, z = as_axis(axis, "axis")
        try:
            angle = angle_rad
        except TypeError:
            angle = float("nan")
        if not isfinite(angle):
            raise errors.QuantumMemoryError(f"angle_rad: must be finite, not {angle_rad!r}")
        c, s = snap(cos(angle)), snap(sin(angle))
        F = ((c + x * x * (1 - c), x * y * (1 - c) - z * s, x * z * (1 - c) + y * s),
             (y * x * (1 - c) + z * s, c + y * y * (1 - c), y * z * (1 - c) - x * s),
             (z * x * (1 - c) - y * s, z * y * (1 - c) + x * s, c + z * z * (1 - c)))
        self._rotate(qubit, now_ps, F, error, node)

    cdef int _gate2(self, first, second, now_ps, int gate, error, node, str a, str b) except -1:
        cdef qm_t* m = <qm_t*>self._m
        cdef handle_t h = as_handle(first, a), other = as_handle(second, b)
        cdef int64_t now = as_time(now_ps, "now_ps")
        if node is not None:
            self._own(node, {a: h, b: other})
        cdef int code = qm_gate2(m, &m.arena, now, h, other, gate, as_probability(error, "error"),
                                 NULL)
        if code < 0:
            fail(self, code, now, {a: h, b: other}, "joining two blocks that are not stabilizer "
                                                     "states with noise that can be sampled")
        return 0

    def cnot(self, control, target, now_ps, error=0.0, *, node=None):
        """CNOT of any two qubits, then depolarising of ``error`` on both."""
        self._gate2(control, target, now_ps, GATE_CNOT, error, node, "control", "target")

    def cz(self, first, second, now_ps, error=0.0, *, node=None):
        """CZ of any two qubits, then depolarising of ``error`` on both."""
        self._gate2(first, second, now_ps, GATE_CZ, error, node, "first", "second")

    def pauli_channel(self, qubit, now_ps, px, py, pz):
        """X, Y, Z with probabilities ``px``, ``py``, ``pz``, whose sum is at most 1."""
        cdef qm_t* m = <qm_t*>self._m
        cdef handle_t h = as_handle(qubit, "qubit")
        cdef int64_t now = as_time(now_ps, "now_ps")
        cdef int code = qm_pauli_channel(m, &m.arena, now, h, as_probability(px, "px"),
                                         as_probability(py, "py"), as_probability(pz, "pz"), NULL)
        if code < 0:
            fail(self, code, now, {"qubit": h}, "px, py, pz: their sum is above 1")

    def depolarise(self, qubit, now_ps, p):
        """rho -> (1 - p) rho + p I/2."""
        cdef double quarter = as_probability(p, "p") / 4
        self.pauli_channel(qubit, now_ps, quarter, quarter, quarter)

    def dephase(self, qubit, now_ps, p):
        """Z with probability p."""
        self.pauli_channel(qubit, now_ps, 0.0, 0.0, as_probability(p, "p"))

    def damp(self, qubit, now_ps, gamma, population=0.0, *, twirl=False):
        """Amplitude damping: |1> decays with probability ``gamma`` towards equilibrium.

        ``twirl=True`` replaces it by its Pauli twirl (an approximation).
        """
        cdef qm_t* m = <qm_t*>self._m
        cdef handle_t h = as_handle(qubit, "qubit")
        cdef int64_t now = as_time(now_ps, "now_ps")
        cdef int code = qm_damp(m, &m.arena, now, h, as_probability(gamma, "gamma"),
                                as_probability(population, "population"), bool(twirl), NULL)
        if code < 0:
            fail(self, code, now, {"qubit": h}, "amplitude damping; twirl=True approximates it")

    # ---- measurement: fused verbs, one per control message ----

    def measure(self, qubit, now_ps, rng, basis="Z", readout_error=0.0, *, node=None):
        """Ages the qubit to ``now_ps``, measures it along ``basis`` (a letter or a Bloch vector)
        and frees it: the reported bit, 0 for the +1 eigenstate."""
        cdef double[3] axis
        cdef int bit, code
        cdef handle_t h = as_handle(qubit, "qubit")
        cdef int64_t now = as_time(now_ps, "now_ps")
        cdef double error = as_probability(readout_error, "readout_error")
        axis_of(basis, axis)
        if node is not None:
            self._own(node, {"qubit": h})
        code = self.c_measure_along(now, h, axis, error, draws_of(self, rng), &bit)
        if code < 0:
            fail(self, code, now, {"qubit": h}, "a basis that is not X, Y, Z, or T2 too long "
                                                "against T1 for a tableau")
        return bit

    def measure_pair(self, a, b, now_ps, rng, basis="Z", readout_error=0.0, *, node=None):
        """Ages both halves of a pair to ``now_ps``, measures them along the same ``basis`` and frees
        them: (bit of a, bit of b), as reported."""
        cdef double[3] vector
        cdef const double* axis = axis_of(basis, vector)
        cdef int bits = 0, code
        cdef handle_t h = as_handle(a, "a"), other = as_handle(b, "b")
        cdef int64_t now = as_time(now_ps, "now_ps")
        cdef double error = probability(readout_error, "readout_error")
        cdef qm_t* m = <qm_t*>self._m
        if node is not None:
            self._own(node, {"a": h, "b": other})
        code = qm_measure_pair(m, &m.arena, now, h, other, axis, error, draws_of(self, rng),
                               &bits)
        if code < 0:
            fail(self, code, now, {"a": h, "b": other}, "a, b: are not the halves of a pair")
        return BITS[bits]

    cdef int _bell(self, left, right, now_ps, rng, GateNoise noise, node, bint pairs, str a,
                   str b) except -1:
        cdef handle_t l = as_handle(left, a), r = as_handle(right, b)
        cdef int64_t now = as_time(now_ps, "now_ps")
        cdef int outcome, actual, code
        cdef qm_t* m = <qm_t*>self._m
        cdef const gate_noise_t* g = &NONE if noise is None else &noise.g
        if node is not None:
            self._own(node, {a: l, b: r})
        if pairs:
            code = qm_swap(m, &m.arena, now, l, r, g, draws_of(self, rng), &outcome, &actual)
        else:
            code = qm_bell(m, &m.arena, now, l, r, g, draws_of(self, rng), &outcome, &actual)
        if code < 0:
            fail(self, code, now, {a: l, b: r},
                 f"{a}, {b}: must be halves of two different pairs" if code == QM_EARG
                 else "joining two blocks")
        return outcome

    def swap(self, left, right, now_ps, rng, GateNoise noise=None, frame=0, *, node=None):
        """Entanglement swapping (Zukowski et al. 1993) on halves of two pairs: ages both, measures,
        frees them; the far halves are one pair. Returns the reported Bell index XOR ``frame`` (0 to
        3)."""
        cdef int k = bell_index(frame, "frame")
        return k ^ self._bell(left, right, now_ps, rng, noise, node, True, "left", "right")

    def bell_measure(self, left, right, now_ps, rng, GateNoise noise=None, *, node=None):
        """Bell measurement of any two qubits (CNOT from ``left``, H on it, read-out): the reported
        Bell index. States they belong to are fused; both qubits are freed."""
        return self._bell(left, right, now_ps, rng, noise, node, False, "left", "right")

    def teleport(self, qubit, half, now_ps, rng, GateNoise noise=None, *, node=None):
        """Teleports (Bennett et al. 1993) ``qubit`` over a pair of which ``half`` is here: the
        Bell index k. The far half holds the state after ``pauli(far, t, k ^ frame)``, ``frame`` the
        pair's own index."""
        return self._bell(qubit, half, now_ps, rng, noise, node, False, "qubit", "half")

    def superdense_encode(self, half, now_ps, bits, error=0.0, *, node=None):
        """Writes two bits (0 to 3) on half of a pair, which may then travel (Bennett and Wiesner
        1992): a Pauli gate with depolarising of ``error``."""
        self._pauli(half, now_ps, as_bell(bits, "bits"), error, node, "half")

    def superdense_decode(self, half, received, now_ps, rng, GateNoise noise=None, *, node=None):
        """Reads the two bits from both halves of a Phi+ pair, which are freed."""
        return self._bell(half, received, now_ps, rng, noise, node, False, "half", "received")

    def distil(self, keep, spend, now_ps, rng, protocol="dejmps", GateNoise noise=None):
        """Distils pair ``spend`` into pair ``keep`` (each (end a, end b)): (success, bit of a,
        bit of b), the bits as reported.

        ``protocol`` is "bbpssw" (Bennett et al. 1996), "dejmps" (Deutsch et al. 1996; both for
        pairs near Phi+) or "epl" (Campbell and Benjamin 2008; Psi+ with a population of |11>).
        ``spend`` is freed; after a failure ``keep`` is still there, as the ends learn of it by
        comparing bits.
        """
        cdef handle_t[4] h
        cdef int[2] bits
        cdef int success, code, k = as_protocol(protocol)
        cdef int64_t now = as_time(now_ps, "now_ps")
        as_two_pairs(keep, spend, h)
        code = self.c_distil(now, now, h, k, &(NOISELESS if noise is None else noise).g,
                             draws_of(self, rng), bits, &success)
        if code < 0:
            fail(self, code, now, {"keep[0]": h[0], "keep[1]": h[1], "spend[0]": h[2],
                                   "spend[1]": h[3]}, "keep, spend: must be two different pairs")
        return bool(success), bits[0], bits[1]

    def distil_end(self, keep, spend, now_ps, rng, end, protocol="dejmps", GateNoise noise=None):
        """One end's part of ``distil`` (end "a" or "b"), at its own time: the bit it reports.

        The pairs are one state of four qubits until the other end has done its part.
        """
        cdef GateNoise n = NOISELESS if noise is None else noise
        as_protocol(protocol)
        if not isinstance(end, str) or end not in ("a", "b"):
            raise errors.QuantumMemoryError(f"end: must be 'a' or 'b', not {end!r}")
        cdef handle_t k = as_handle(keep, "keep"), s = as_handle(spend, "spend")
        cdef int64_t now = as_time(now_ps, "now_ps"), clock
        for name, h in (("keep", k), ("spend", s)):
            if self.c_clock(h, &clock) < 0:
                fail(self, QM_ESTALE, now, {name: h})
            if now < clock:
                fail(self, QM_ETIME, now, {name: h})
        if k == s:
            raise errors.QuantumMemoryError("keep, spend: must name different qubits")
        draws_of(self, rng)
        if protocol == "dejmps":
            turn = "SX" if end == "a" else "SXDG"
            self.gate(keep, now_ps, turn, n.g.one_qubit_error)
            self.gate(spend, now_ps, turn, n.g.one_qubit_error)
        self.cnot(keep, spend, now_ps, n.g.two_qubit_error)
        return self.measure(spend, now_ps, rng, "Z", n.g.readout_error)

    cdef int _two_pairs(self, handle_t* h, int64_t now_a, int64_t now_b, str time_a, str time_b,
                        str spend) except -1:
        """Raises where h are not the handles of two pairs that can be distilled then."""
        cdef qm_t* m = <qm_t*>self._m
        cdef uint32_t[4] slots
        cdef int code = distil_check(m, now_a, now_b, h, slots), i
        if code == QM_OK:
            return 0
        names = ("keep[0]", "keep[1]", f"{spend}[0]", f"{spend}[1]")
        for i in range(4) if code == QM_ETIME else ():
            if (now_b if i & 1 else now_a) < clock_of(m, slots[i]):
                raise errors.ClockError(f"{time_b if i & 1 else time_a}: is before the clock of "
                                        f"{names[i]}, {clock_of(m, slots[i])}")
        fail(self, code, 0, dict(zip(names, [h[i] for i in range(4)])),
             f"keep, {spend}: must be two different pairs")

    def distil_in_turn(self, keep, spend, now_a_ps, now_b_ps, rng, protocol="dejmps",
                       GateNoise noise_a=None, GateNoise noise_b=None):
        """``distil`` with times and noise of each end: end a first measures and reports, with what
        it knows alone; end b's bit, at its own time, then follows from both pairs and that bit."""
        cdef handle_t[4] h
        cdef int bit_a, bit_b, k = as_protocol(protocol)
        cdef GateNoise na = NOISELESS if noise_a is None else noise_a
        cdef GateNoise nb = NOISELESS if noise_b is None else noise_b
        cdef int64_t now_a = as_time(now_a_ps, "now_a_ps"), now_b = as_time(now_b_ps, "now_b_ps")
        cdef bitgen_t* bitgen = draws_of(self, rng)
        as_two_pairs(keep, spend, h)
        self._two_pairs(h, now_a, now_b, "now_a_ps", "now_b_ps", "spend")
        cdef int code = self.c_distil_first(now_a, h[0], h[2], k, &na.g, bitgen, &bit_a)
        if code == QM_OK:
            code = self.c_distil_second(now_a, now_b, h, k, &na.g, &nb.g, bit_a, bitgen, &bit_b)
        if code < 0:
            fail(self, code, 0, {}, "keep, spend: argument out of range")
        success = bit_a & bit_b if protocol == "epl" else bit_a == bit_b
        return bool(success), bit_a, bit_b

    def pump(self, keep, spend, now_ps, rng, protocol="dejmps", GateNoise noise=None):
        """Entanglement pumping (Duer and Briegel 2003): distils each pair of ``spend`` into ``keep``
        in turn. Stops at the first failure; returns the number of rounds that succeeded."""
        cdef handle_t[4] h
        cdef int64_t now = as_time(now_ps, "now_ps")
        cdef int i, rounds = 0
        try:
            pairs = [tuple(pair) for pair in spend]
        except TypeError:
            raise errors.QuantumMemoryError(
                f"spend: must be pairs of two handles each, not {spend!r}") from None
        used = set()
        for i, pair in enumerate(pairs):  # all of them, before any is spent
            as_two_pairs(keep, pair, h)
            self._two_pairs(h, now, now, "now_ps", "now_ps", f"spend[{i}]")
            if h[2] in used:
                raise errors.QuantumMemoryError(f"spend[{i}]: {pair} is used twice")
            used |= {h[2], h[3]}
        as_protocol(protocol)
        draws_of(self, rng)
        for pair in pairs:
            if not self.distil(keep, pair, now_ps, rng, protocol, noise)[0]:
                break
            rounds += 1
        return rounds

    def reset(self, qubit, now_ps, error=0.0, *, node=None):
        """Discards the qubit's state and initialises it to |0> (|1> with probability ``error``)."""
        cdef qm_t* m = <qm_t*>self._m
        cdef handle_t h = as_handle(qubit, "qubit")
        cdef int64_t now = as_time(now_ps, "now_ps")
        if node is not None:
            self._own(node, {"qubit": h})
        cdef int code = qm_reset(m, &m.arena, now, h, as_probability(error, "error"), NULL)
        if code < 0:
            fail(self, code, now, {"qubit": h})

    def free(self, qubit, *, node=None):
        """Discards a qubit; what it was entangled with keeps its reduced state."""
        cdef handle_t h = as_handle(qubit, "qubit")
        if node is not None:
            self._own(node, {"qubit": h})
        cdef int code = self.c_free(h)
        if code < 0:
            fail(self, code, 0, {"qubit": h})

    # ---- slots ----

    def add_node(self, slots):
        """Registers a node that may hold ``slots`` qubits: its number, counted from 1."""
        cdef int code = qm_add_node(<qm_t*>self._m, as_size(slots, 1, 0x7fffffff, "slots"))
        if code < 0:
            fail(self, code, 0, {}, "1048575 nodes")
        return code

    def assign(self, qubit, node, purpose=0, slice=0, deadline_ps=None):
        """Gives the qubit's slot to a node (0: to nobody) for a purpose and a slice (16 bits each),
        with the time at which ``expire`` discards it (None: never)."""
        cdef qm_t* m = <qm_t*>self._m
        cdef handle_t h = as_handle(qubit, "qubit")
        cdef int64_t deadline = NO_DEADLINE
        cdef int n = as_size(node, 0, m.n_owners, "node")
        cdef int p = as_size(purpose, 0, 0xffff, "purpose"), s = as_size(slice, 0, 0xffff, "slice")
        if deadline_ps is not None:
            deadline = as_time(deadline_ps, "deadline_ps")
        cdef int code = qm_assign(m, h, n, p, s)
        if code < 0:
            fail(self, code, 0, {"qubit": h}, f"node {node} has {m.owners[n].limit} slots"
                 if code == QM_EFULL else "")
        qm_set_deadline(m, h, deadline)

    def slot(self, qubit):
        """Owner, purpose, slice and deadline of a qubit's slot."""
        cdef qm_t* m = <qm_t*>self._m
        cdef handle_t h = as_handle(qubit, "qubit")
        cdef uint32_t q = slot_of(m, h)
        if q == 0:
            fail(self, QM_ESTALE, 0, {"qubit": h})
        if m.slots == NULL or (m.slots[q].owner == 0 and m.slots[q].key == 0):
            return SlotInfo(0, 0, 0, None)
        return SlotInfo(m.slots[q].owner, m.slots[q].purpose, m.slots[q].slice,
                        wheel_time(m.slots[q].key) if m.slots[q].key else None)

    def expire(self, now_ps):
        """Discards every qubit whose deadline is at or before ``now_ps``, in the order of their
        deadlines: their handles, which are stale from here on."""
        cdef int64_t now = as_time(now_ps, "now_ps")
        cdef handle_t h
        gone = []
        while self.c_expire(now, &h) == 1:
            gone.append(h)
        return gone

    # ---- the truth, for metrics and analysis ----

    def fidelity(self, a, b, now_ps=None, bell=0, *, b_now_ps=None):
        """Fidelity of a pair to Bell state ``bell``, as it would be with both halves aged to
        ``now_ps`` (each at its own clock where None; ``b_now_ps`` for b where it differs)."""
        cdef handle_t ha = as_handle(a, "a"), hb = as_handle(b, "b")
        cdef int64_t ta = 0, tb = 0
        cdef double f
        if now_ps is None:
            self.c_clock(ha, &ta)
            self.c_clock(hb, &tb)
        else:
            ta = tb = as_time(now_ps, "now_ps")
        if b_now_ps is not None:
            tb = as_time(b_now_ps, "b_now_ps")
        cdef int code = self.c_peek_fidelity(ha, ta, hb, tb, as_bell(bell, "bell"), &f)
        if code == QM_ETIME and b_now_ps is not None and tb < self.clock(hb):
            raise errors.ClockError(f"b_now_ps: {tb} is before the clock of b, {self.clock(hb)}")
        if code < 0:
            fail(self, code, min(ta, tb), {"a": ha, "b": hb}, "a, b: are not the halves of a pair")
        return f

    def members(self, qubit):
        """Handles of all qubits in the same block (entangled component), this one's order."""
        cdef qm_t* m = <qm_t*>self._m
        cdef handle_t h = as_handle(qubit, "qubit")
        cdef int n = qm_members(m, h, NULL), k
        if n < 0:
            fail(self, n, 0, {"qubit": h})
        cdef handle_t* out = <handle_t*>malloc(<size_t>n * sizeof(handle_t))
        if out == NULL:
            raise MemoryError("the machine is out of memory")
        try:
            qm_members(m, h, out)
            return tuple([out[k] for k in range(n)])
        finally:
            free(out)

    def pauli_vector(self, qubit, now_ps=None):
        """The exact state of the qubit's block: R[P1, ..., Pn] = <P1 x ... x Pn>, shape (4,) * n,
        in the order of ``members``; each qubit aged to ``now_ps`` (None: as its clock has it)."""
        members = self.members(qubit)
        if len(members) > MAX_VECTOR:
            fail(self, QM_EPURE, 0, {"qubit": qubit}, f"its block has {len(members)}")
        cdef int64_t[8] at
        cdef int64_t now = 0
        cdef int k, code
        if now_ps is not None:
            now = as_time(now_ps, "now_ps")
        for k in range(<int>len(members)):
            self.c_clock(members[k], &at[k])
            if now_ps is not None:
                at[k] = now
        out = np.empty((4,) * len(members))
        cdef double[::1] R = out.reshape(-1)
        code = qm_peek_state(<qm_t*>self._m, members[0], at, &R[0])
        if code < 0:
            fail(self, code, now, {f"members[{k}]": member for k, member in enumerate(members)})
        return out

    def density_matrix(self, *qubits, now_ps=None):
        """The density matrix of the given qubits, in their order; of one qubit alone: of its whole
        block, in the order of ``members``. complex128, shape (2^n, 2^n), n <= 8."""
        if not qubits:
            raise errors.QuantumMemoryError("qubits: none given")
        wanted = [as_handle(q, f"qubits[{k}]") for k, q in enumerate(qubits)]
        if len(set(wanted)) < len(wanted):
            raise errors.QuantumMemoryError("qubits: must name different qubits")
        for k, h in enumerate(wanted):
            if not self.is_live(h):
                fail(self, QM_ESTALE, 0, {f"qubits[{k}]": h})
        if len(wanted) == 1:
            wanted = list(self.members(wanted[0]))
        if len(wanted) > MAX_VECTOR:
            fail(self, QM_EPURE, 0, {"qubits": wanted[0]}, f"{len(wanted)} asked for")
        R, order = np.ones(()), []
        for h in wanted:
            if h in order:
                continue
            members = self.members(h)
            part = self.pauli_vector(h, now_ps)
            keep = tuple([slice(None) if q in wanted else 0 for q in members])
            R = np.multiply.outer(R, part[keep])
            order += [q for q in members if q in wanted]
        return states.density_matrix(R.transpose([order.index(h) for h in wanted]))

    def to_qutip(self, *qubits, now_ps=None):
        """``density_matrix`` as a QuTiP object (needs QuTiP); ``create_state`` takes one back."""
        rho = self.density_matrix(*qubits, now_ps=now_ps)
        import qutip  # what is wrong with the arguments is said even where there is none

        n = rho.shape[0].bit_length() - 1
        return qutip.Qobj(rho, dims=[[2] * n, [2] * n])

    def stabilizers(self, qubit):
        """The generators of a block that is a tableau, such as "+XZI", in the order of
        ``members``; None for a block in another form."""
        cdef qm_t* m = <qm_t*>self._m
        cdef handle_t h = as_handle(qubit, "qubit")
        cdef uint32_t q = slot_of(m, h)
        cdef int r, k, sign
        if q == 0:
            fail(self, QM_ESTALE, 0, {"qubit": h})
        cdef big_t* t = tableau_of(m, q)
        if t == NULL:
            return None
        rows = []
        for r in range(t.n):
            letters, sign = "", t.sign[r]
            for k in range(t.n):
                x, z = get_bit(row_x(t, r), k), get_bit(row_z(t, r), k)
                letters += "IXZY"[x + 2 * z]
                sign ^= (x & get_bit(t.fz, k)) ^ (z & get_bit(t.fx, k))
            rows.append("+-"[sign] + letters)
        return rows

    def form(self, qubit):
        """How the qubit's block is held: "one", "bell", "pair", "vector" or "tableau"."""
        cdef qm_t* m = <qm_t*>self._m
        cdef handle_t h = as_handle(qubit, "qubit")
        cdef uint32_t q = slot_of(m, h)
        if q == 0:
            fail(self, QM_ESTALE, 0, {"qubit": h})
        if tableau_of(m, q) != NULL:
            return "tableau"
        if is_bell_pair(m, q):
            return "bell"
        cdef uint32_t id = block_of(m, q)
        return "pair" if id == 0 else ("one", "bell", "pair", "vector")[id >> 30]

    def partner(self, qubit):
        """The other half of a pair, or None."""
        cdef handle_t h = as_handle(qubit, "qubit"), other
        cdef int code = self.c_partner(h, &other)
        if code == QM_ESTALE:
            fail(self, code, 0, {"qubit": h})
        return other if code == QM_OK else None

    def clock(self, qubit):
        """The time to which a qubit has been aged, in picoseconds."""
        cdef int64_t clock
        cdef handle_t h = as_handle(qubit, "qubit")
        if self.c_clock(h, &clock) < 0:
            fail(self, QM_ESTALE, 0, {"qubit": h})
        return clock

    def is_live(self, qubit):
        """Whether the handle names a live qubit."""
        return slot_of(<qm_t*>self._m, as_handle(qubit, "qubit")) != 0

    @property
    def live(self):
        """Number of live qubits."""
        return self.c_live()

    @property
    def capacity(self):
        """Number of records."""
        return (<qm_t*>self._m).capacity

    @property
    def bursts(self):
        """The same verbs over NumPy arrays, without the GIL."""
        if self._bursts is None:
            from qplane_cext.memory.bursts import Bursts

            self._bursts = Bursts(self)
        return self._bursts


cdef const double* axis_of(basis, double* axis) except NULL:
    """A measurement basis as a unit Bloch vector."""
    if basis is X or basis is Z:
        axis[0], axis[1], axis[2] = basis is X, 0, basis is Z
    else:
        axis[0], axis[1], axis[2] = as_axis(basis, "basis")
    return axis


cdef int as_bell(value, str name) except -1:
    cdef int64_t k = small_int(value)
    if k < 0 and hasattr(value, "__index__"):
        k = min(max(operator.index(value), -1), 4)
    if not 0 <= k <= 3:
        raise errors.QuantumMemoryError(f"{name}: must be 0 to 3, not {value!r}")
    return <int>k


cdef int as_size(value, int least, int64_t most=4096, str name="n") except -1:
    cdef int64_t n = small_int(value)
    if n < 0:
        try:
            n = operator.index(value)
        except (TypeError, OverflowError):
            pass
    if not least <= n <= most:
        raise errors.QuantumMemoryError(f"{name}: must be {least} to {most}, not {value!r}")
    return <int>n


cdef bint is_number(value):
    """Whether it is one real number, of Python's or of NumPy's, also as an array of no dimension."""
    if isinstance(value, np.ndarray):
        return value.ndim == 0 and value.dtype.kind in "iuf"
    return isinstance(value, (int, float, np.integer, np.floating))


cdef double snap(double c):
    """cos and sin of multiples of pi/2 exactly, so that they are seen to be Clifford gates."""
    return round(c) if fabs(c - round(c)) < 1e-15 else c


cdef int pair_matrix(state, double* R) except -1:
    """Any description of a two-qubit state as its Pauli matrix."""
    cdef double[::1] flat
    cdef int i
    if hasattr(state, "full"):
        state = state.full()
    try:
        a = np.asarray(state)
    except ValueError:
        a = np.empty(0)
    if a.dtype.kind not in "iufc":
        raise errors.QuantumMemoryError(f"state: has dtype {a.dtype}, must be numbers")
    if a.shape == (4,) and a.dtype.kind != "c":
        p = a.astype(np.float64)
        if not (np.isfinite(p).all() and (p >= 0).all() and abs(p.sum() - 1) < 1e-9):
            raise errors.QuantumMemoryError(
                f"state: four probabilities must be >= 0 and sum to 1, not {state!r}")
        R[5] = p[0] - p[1] + p[2] - p[3]
        R[10] = -p[0] + p[1] + p[2] - p[3]
        R[15] = p[0] + p[1] - p[2] - p[3]
        return 0
    if a.shape not in ((4, 4), (4,), (4, 1)):
        raise errors.QuantumMemoryError(
            f"state: shape {a.shape}; must be a fidelity, 4 probabilities or a 4x4 matrix")
    if a.dtype.kind == "c":
        try:
            a = states.pauli_vector(states.as_density_matrix(a, "state"))
        except ValueError as e:
            raise errors.QuantumMemoryError(str(e)) from None
    elif a[0, 0] != 1:
        raise errors.QuantumMemoryError(
            f"state: a real 4x4 matrix is a Pauli matrix with R[0][0] = 1, not {a[0, 0]!r} "
            "(a density matrix is complex)")
    flat = np.ascontiguousarray(a, dtype=np.float64).reshape(-1)
    for i in range(16):
        R[i] = flat[i]
    R[0] = 1
    return 0


def pair_matrices(state, n):
    """Checked Pauli matrices for n pairs: one for all, shape (1, 16), or one for each."""
    cdef double[16] R
    cdef int i
    if isinstance(state, np.ndarray) and state.dtype == np.float64 and state.shape == (n, 1):
        state = state[:, 0]
        if n and not ((state >= 0) & (state <= 1)).all():
            raise errors.QuantumMemoryError("state: has a fidelity outside [0, 1]")
        w = (4 * state - 1) / 3
        out = np.zeros((n, 16))
        out[:, 0], out[:, 5], out[:, 10], out[:, 15] = 1, w, -w, w
        return out
    memset(R, 0, sizeof(R))
    R[0] = 1
    if is_number(state):
        R[5] = (4 * as_probability(state, "state") - 1) / 3
        R[10], R[15] = -R[5], R[5]
    else:
        pair_matrix(state, R)
    if not is_pair_state(R):
        raise errors.QuantumMemoryError(
            "state: is not a two-qubit state (negative eigenvalue)")
    return np.array([[R[i] for i in range(16)]])
