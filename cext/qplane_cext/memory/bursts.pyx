# cython: language_level=3, binding=False
"""The memory's verbs over NumPy arrays, without the GIL."""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.float cimport PyFloat_AS_DOUBLE, PyFloat_CheckExact
from cpython.object cimport PyObject
from libc.math cimport fabs
from libc.stdint cimport int8_t, int64_t
from libc.stdlib cimport free, malloc

cimport numpy as cnp

from numpy.random cimport bitgen_t

from qplane_cext.memory.core cimport *
from qplane_cext.memory.engine cimport *

import numpy as np

from qplane_cext.memory import errors
from qplane_cext.memory.core import pair_matrices

cnp.import_array()

cdef gate_noise_t NOISELESS
NOISELESS.two_qubit_error = NOISELESS.one_qubit_error = NOISELESS.readout_error = 0
cdef dict TYPES = {cnp.NPY_UINT64: "uint64", cnp.NPY_INT64: "int64", cnp.NPY_INT8: "int8"}

cdef extern from "qplane_cext/memory/burst.h" nogil:
    ctypedef struct record_t:
        pass
    ctypedef struct operand_t:
        const handle_t* h
        const int64_t* now_ps
        int64_t now_step
    ctypedef struct burst_t:
        qm_t* m
        arena_t* arena
        int64_t n
        int operands
        int max_qubits
        int pairs
        operand_t[4] o
        double* xy
        double* z
        int64_t at
        int which
    const int LANES
    int64_t all_bits(const int64_t* x, int64_t n)
    void arena_start(arena_t* a, int64_t n)
    int burst_create_pairs(qm_t* m, arena_t* a, int64_t n, const int64_t* now_ps,
                           int64_t now_step, int64_t latest, const record_t* like,
                           const double* R, int64_t r_step, int pa, int pb, handle_t* ha,
                           handle_t* hb)
    int compact_like(const qm_t* m, const double* R, int pa, int pb, record_t* like)
    int burst_swap(burst_t* b, const gate_noise_t* g, bitgen_t* rng, int8_t* outcomes)
    int burst_measure(burst_t* b, const double* axis, double readout_error, bitgen_t* rng,
                      int8_t* bits)
    int burst_measure_pairs(burst_t* b, const double* axis, double readout_error, bitgen_t* rng,
                            int8_t* bits_a, int8_t* bits_b)
    int burst_pauli(burst_t* b, const int8_t* xz, double gate_error, bitgen_t* rng)
    int burst_age(burst_t* b, bitgen_t* rng)
    int burst_free(burst_t* b, bitgen_t* rng)
    int burst_distil(burst_t* b, int protocol, const gate_noise_t* g, bitgen_t* rng,
                     int8_t* success)
    int burst_ghz(qm_t* m, arena_t* a, int64_t count, int n, int64_t now_ps, const int* profiles,
                  handle_t* h)
    int burst_fidelity(burst_t* b, int bell, double* f)

cdef extern from "qplane_cext/memory/arrays.h":
    bint is_plain(object value, int kind)
    bint is_ours_alone(PyObject* array, int kind, cnp.npy_intp n)
    Py_ssize_t length_of(object array)
    void* data_of(object array)
    object array_within(bytes room, cnp.npy_intp first, cnp.npy_intp n, int kind)
    PyObject* PyList_GET_ITEM(list given, Py_ssize_t k)

cdef extern from "qplane_cext/memory/integers.h":
    int64_t small_int(object value)

cdef enum:
    SHORT = 256  # up to this many elements (microseconds) a burst keeps the GIL and its stack
    GIVEN = 8  # arrays that are looked at again
    WORDS = 7  # of scratch for each element of a swap, in blocks of LANES; a measurement has less


cdef inline object as_array(value, str name, int kind, Py_ssize_t n=-1):
    """A one-dimensional contiguous array of exactly this type; ``n``: of this length."""
    if is_plain(value, kind) and (n < 0 or length_of(value) == n):
        return value
    return odd_array(value, name, kind, n)


cdef object odd_array(value, str name, int kind, Py_ssize_t n):
    if not cnp.PyArray_Check(value) or cnp.PyArray_TYPE(value) != kind or cnp.PyArray_NDIM(
            value) != 1:
        got = (f"{value.dtype} of shape {value.shape}" if isinstance(value, np.ndarray)
               else type(value).__name__)
        raise errors.QuantumMemoryError(
            f"{name}: must be a one-dimensional array of {TYPES[kind]}, not {got}")
    if n >= 0 and cnp.PyArray_DIM(value, 0) != n:
        raise errors.QuantumMemoryError(f"{name}: has {value.shape[0]} elements, must have {n}")
    if not cnp.PyArray_IS_C_CONTIGUOUS(value) or not cnp.PyArray_ISNOTSWAPPED(value):
        return np.ascontiguousarray(value, dtype=value.dtype.newbyteorder("="))
    return value


cdef object as_times(value, Py_ssize_t n, int64_t* one, const int64_t** times, int64_t* step,
                     int64_t* latest):
    """Times: one for all (kept in ``one``), or one for each; the array that must be kept alive.
    ``latest``: all of their bits."""
    one[0] = latest[0] = small_int(value)
    times[0], step[0] = one, 0
    if one[0] >= 0:
        return None
    if not cnp.PyArray_Check(value) or not cnp.PyArray_NDIM(value):
        one[0] = latest[0] = as_time(value, "now_ps")
        return None
    array = as_array(value, "now_ps", cnp.NPY_INT64, n)
    times[0], step[0] = <int64_t*>data_of(array), 1
    latest[0] = all_bits(times[0], n)
    if latest[0] < 0:
        i = int(np.argmax(array < 0))
        raise errors.QuantumMemoryError(f"now_ps: has a negative time, [{i}]")
    return array


cdef object new_array(Py_ssize_t n, int kind):
    cdef cnp.npy_intp size = n
    return cnp.PyArray_SimpleNew(1, &size, kind)


cdef inline object new_bits(Py_ssize_t n, int8_t** data):
    """An array of int8."""
    if not 0 < n <= SHORT:
        array = new_array(n, cnp.NPY_INT8)
    else:
        array = array_within(PyBytes_FromStringAndSize(NULL, n), 0, n, cnp.NPY_INT8)
    data[0] = <int8_t*>data_of(array)
    return array


cdef inline tuple new_bits_twice(Py_ssize_t n, int8_t** first, int8_t** second):
    """Two arrays of int8."""
    if not 0 < n <= SHORT:
        return new_bits(n, first), new_bits(n, second)
    cdef bytes room = PyBytes_FromStringAndSize(NULL, 2 * n)
    first[0] = <int8_t*>PyBytes_AS_STRING(room)
    second[0] = first[0] + n
    return (array_within(room, 0, n, cnp.NPY_INT8), array_within(room, n, n, cnp.NPY_INT8))


cdef inline int profile_of(QuantumMemory memory, value, str name) except -1:
    cdef int64_t p = small_int(value)
    return <int>p if 0 <= p < (<qm_t*>memory._m).n_profiles else memory._profile_index(value, name)


cdef inline object operand(burst_t* b, int k, value, str name):
    """Operand k, of as many elements as operand 0: its array, which must be kept alive."""
    array = as_array(value, name, cnp.NPY_UINT64, b.n if k else -1)
    b.n = length_of(array)
    b.operands = k + 1
    b.o[k].h = <const handle_t*>data_of(array)
    b.o[k].now_ps = NULL
    return array


cdef inline arena_t* arena_for(qm_t* m, int64_t n, bint keeps_gil, arena_t* own):
    """Where a burst of n elements allocates: the memory's arena where it keeps the GIL, else its
    own, to which the memory's leaves everything."""
    if keeps_gil:
        return &m.arena
    arena_start(own, n)
    arena_return(m, &m.arena)
    return own


cdef inline int leave_arena(qm_t* m, arena_t* arena) noexcept:
    if arena != &m.arena:
        arena_return(m, arena)
    return 0


cdef inline int start(QuantumMemory memory, burst_t* b, arena_t* own, int max_qubits, double* here,
               bint pairs=False) except -1:
    """The rest of a burst whose operands are set; ``here``: scratch for SHORT elements, or NULL
    where none is needed (and the GIL is never kept)."""
    cdef int words
    b.m, b.max_qubits, b.pairs = <qm_t*>memory._m, max_qubits, pairs
    b.xy = here
    if here != NULL and b.n > SHORT:
        words = WORDS if b.operands == 2 and not pairs else 2 * b.operands
        b.xy = <double*>malloc(words * (b.n + LANES) * sizeof(double))
        if b.xy == NULL:
            raise MemoryError("the machine is out of memory")
    b.z = b.xy + b.operands * b.n
    b.arena = arena_for(b.m, b.n, here != NULL and b.n <= SHORT, own)
    return 0


cdef inline object set_times(burst_t* b, now_ps, int64_t* one):
    cdef const int64_t* t
    cdef int64_t step, latest
    cdef int k
    array = as_times(now_ps, b.n, one, &t, &step, &latest)
    for k in range(b.operands):
        b.o[k].now_ps, b.o[k].now_step = t, step
    return array


cdef inline int finish(QuantumMemory memory, burst_t* b, int code, tuple names, double* here) except -1:
    leave_arena(b.m, b.arena)
    if b.xy != here:
        free(b.xy)
    if code < 0:
        refuse(memory, b, code, names)
    return 0


cdef int refuse(QuantumMemory memory, burst_t* b, int code, tuple names) except -1:
    if code == QM_ENOMEM:
        raise MemoryError("the machine is out of memory")
    if b.at < 0:
        raise errors.QuantumMemoryError(f"{', '.join(names)}: are not halves of pairs")
    name = f"{names[b.which]}[{b.at}]"
    cdef handle_t h = b.o[b.which].h[b.at]
    if code == QM_ESTALE:
        raise errors.StaleHandleError(
            f"{name}: {h:#x} names no live qubit (freed, or its slot is used again)")
    if code == QM_ETIME:
        raise errors.ClockError(f"now_ps: is before the clock of {name}, {memory.clock(h)}")
    if code == QM_EARG:
        raise errors.QuantumMemoryError(f"{name}: {h:#x} is used twice in one burst")
    raise errors.TooManyQubitsError(
        f"{name}: is part of a state of many qubits; use the scalar verb")


@cython.final
cdef class Bursts:
    """Verbs over arrays: handles are ``uint64``, times ``int64`` picoseconds (or one for all).

    A burst is the same as its elements one after the other, but for the draws of ``rng``, of which
    Bell-diagonal pairs share some. It is checked as a whole before anything changes; errors are
    those of the scalar verbs, and name the element. Threads may run bursts on one memory at the
    same time if their handles (and partners) are disjoint and each has its own generator.
    """

    cdef QuantumMemory memory
    # The last state that create_pairs() was given, and what it made of it for which profiles.
    cdef object last_state
    cdef object last_matrix
    cdef int last_a, last_b
    cdef bint last_fits
    cdef record_t last_like
    cdef list given  # arrays of handles that were returned
    cdef int next_given

    def __init__(self, QuantumMemory memory):
        self.memory = memory
        self.given = [None] * GIVEN

    cdef object handles(self, int64_t n):
        """An array for n handles: where they are few, one that was returned before and that nobody
        else has any more (to make one takes longer than to fill it)."""
        if n > SHORT:
            return new_array(n, cnp.NPY_UINT64)
        cdef int k = self.next_given
        self.next_given = (k + 1) % GIVEN
        cdef PyObject* old = PyList_GET_ITEM(self.given, k)
        if is_ours_alone(old, cnp.NPY_UINT64, n):
            return <object>old
        array = new_array(n, cnp.NPY_UINT64)
        self.given[k] = array
        return array

    cdef int understand(self, state, int64_t n, int pa, int pb) except -1:
        """Sets what is kept of the last state; a float is known by its identity or its value."""
        cdef qm_t* m = <qm_t*>self.memory._m
        if PyFloat_CheckExact(state) and pa == self.last_a and pb == self.last_b:
            if state is self.last_state:
                return 0
            if PyFloat_CheckExact(self.last_state) and PyFloat_AS_DOUBLE(
                    state) == PyFloat_AS_DOUBLE(self.last_state):
                return 0
        self.last_state = None
        self.last_matrix = pair_matrices(state, n)
        self.last_a, self.last_b = pa, pb
        self.last_fits = cnp.PyArray_DIM(self.last_matrix, 0) == 1 and compact_like(
            m, <const double*>cnp.PyArray_DATA(self.last_matrix), pa, pb, &self.last_like)
        self.last_state = state
        return 0

    def create_pairs(self, n, now_ps, state=1.0, profile_a=0, profile_b=0):
        """n fresh pairs: two arrays of handles. ``state`` as for ``create_pair``, or a float64
        column of fidelities, shape (n, 1)."""
        cdef int64_t size = as_size(n, 0, MAX_RECORDS, "n"), one, step, latest
        cdef const int64_t* t
        times = as_times(now_ps, size, &one, &t, &step, &latest)
        cdef int pa = profile_of(self.memory, profile_a, "profile_a")
        cdef int pb = profile_of(self.memory, profile_b, "profile_b"), code
        self.understand(state, size, pa, pb)
        matrix = self.last_matrix  # another thread may come while the GIL is not held
        cdef const double* R = <const double*>cnp.PyArray_DATA(matrix)
        cdef int64_t r_step = 16 if cnp.PyArray_DIM(matrix, 0) > 1 else 0
        cdef record_t like = self.last_like
        cdef const record_t* lanes = &like if self.last_fits else NULL
        ha, hb = self.handles(size), self.handles(size)
        cdef handle_t* a = <handle_t*>data_of(ha)
        cdef handle_t* b = <handle_t*>data_of(hb)
        cdef qm_t* m = <qm_t*>self.memory._m
        cdef arena_t own
        cdef arena_t* arena = arena_for(m, size, size <= SHORT, &own)
        if size > SHORT:
            with nogil:
                code = burst_create_pairs(m, arena, size, t, step, latest, lanes, R, r_step, pa,
                                          pb, a, b)
        else:
            code = burst_create_pairs(m, arena, size, t, step, latest, lanes, R, r_step, pa, pb, a,
                                      b)
        leave_arena(m, arena)
        if code < 0:
            self.full(code)
        return ha, hb

    cdef int full(self, int code) except -1:
        if code == QM_EFULL:
            raise errors.MemoryFullError(
                f"memory: no slot is left (capacity {self.memory.capacity} records)")
        raise MemoryError("the machine is out of memory")

    def ghz(self, count, n, now_ps, profile=0):
        """``count`` GHZ states of n qubits: handles of shape (count, n)."""
        cdef int64_t size = as_size(count, 0, MAX_RECORDS, "count"), now = as_time(now_ps, "now_ps")
        cdef int qubits = as_size(n, 2), code
        cdef int p = profile_of(self.memory, profile, "profile")
        cdef int[::1] profiles = np.full(qubits, p, dtype=np.intc)
        out = np.empty((size, qubits), dtype=np.uint64)
        cdef handle_t* h = <handle_t*>data_of(out)
        cdef arena_t own
        cdef qm_t* m = <qm_t*>self.memory._m
        cdef bint short = size * qubits <= SHORT
        cdef arena_t* arena = arena_for(m, size, short, &own)
        if not short:
            with nogil:
                code = burst_ghz(m, arena, size, qubits, now, &profiles[0], h)
        else:
            code = burst_ghz(m, arena, size, qubits, now, &profiles[0], h)
        leave_arena(m, arena)
        if code == QM_EPURE:
            raise errors.TooManyQubitsError(
                f"n: {qubits} qubits of profile {p} would need an exact vector; see ghz()")
        if code < 0:
            self.full(code)
        return out

    def swap(self, left, right, now_ps, rng, GateNoise noise=None):
        """Entanglement swapping of left[i] with right[i]: reported Bell indices, int8."""
        cdef const gate_noise_t* g = &NOISELESS if noise is None else &noise.g
        cdef bitgen_t* draws = draws_of(self.memory, rng)
        cdef burst_t b
        cdef arena_t arena
        cdef double[WORDS * SHORT] here
        cdef int64_t one
        l = operand(&b, 0, left, "left")
        r = operand(&b, 1, right, "right")
        times = set_times(&b, now_ps, &one)
        start(self.memory, &b, &arena, 2, here)
        cdef int8_t* k
        out = new_bits(b.n, &k)
        cdef int code
        if b.n > SHORT:
            with rng.bit_generator.lock, nogil:
                code = burst_swap(&b, g, draws, k)
        else:
            code = burst_swap(&b, g, draws, k)
        finish(self.memory, &b, code, ("left", "right"), here)
        return out

    def measure(self, qubits, now_ps, rng, basis="Z", readout_error=0.0):
        """Measures and frees: reported bits, int8."""
        cdef double[3] axis
        cdef const double* a = axis_of(basis, axis)
        cdef double error = as_probability(readout_error, "readout_error")
        cdef bitgen_t* draws = draws_of(self.memory, rng)
        cdef burst_t b
        cdef arena_t arena
        cdef double[WORDS * SHORT] here
        cdef int64_t one
        q = operand(&b, 0, qubits, "qubits")
        times = set_times(&b, now_ps, &one)
        start(self.memory, &b, &arena,
              0 if fabs(a[0]) == 1 or fabs(a[1]) == 1 or fabs(a[2]) == 1 else 2, here)
        cdef int8_t* k
        out = new_bits(b.n, &k)
        cdef int code
        if b.n > SHORT:
            with rng.bit_generator.lock, nogil:
                code = burst_measure(&b, a, error, draws, k)
        else:
            code = burst_measure(&b, a, error, draws, k)
        finish(self.memory, &b, code, ("qubits",), here)
        return out

    def measure_pairs(self, a, b, now_ps, rng, basis="Z", readout_error=0.0):
        """Measures both halves a[i], b[i] of pairs in one basis and frees them: their reported
        bits, two arrays of int8."""
        cdef double[3] axis
        cdef const double* along = axis_of(basis, axis)
        cdef double error = as_probability(readout_error, "readout_error")
        cdef bitgen_t* draws = draws_of(self.memory, rng)
        cdef burst_t burst
        cdef arena_t arena
        cdef double[WORDS * SHORT] here
        cdef int64_t one
        x = operand(&burst, 0, a, "a")
        y = operand(&burst, 1, b, "b")
        times = set_times(&burst, now_ps, &one)
        start(self.memory, &burst, &arena, 2, here, True)
        cdef int8_t* k
        cdef int8_t* l
        out = new_bits_twice(burst.n, &k, &l)
        cdef int code
        if burst.n > SHORT:
            with rng.bit_generator.lock, nogil:
                code = burst_measure_pairs(&burst, along, error, draws, k, l)
        else:
            code = burst_measure_pairs(&burst, along, error, draws, k, l)
        finish(self.memory, &burst, code, ("a", "b"), here)
        return out

    def pauli(self, qubits, now_ps, paulis, rng, error=0.0):
        """Pauli gates 2 x + z (int8 array); ``rng`` is used on tableaus alone."""
        cdef double p = as_probability(error, "error")
        cdef bitgen_t* draws = draws_of(self.memory, rng)
        cdef burst_t b
        cdef arena_t arena
        cdef int64_t one
        cdef int code
        q = operand(&b, 0, qubits, "qubits")
        times = set_times(&b, now_ps, &one)
        kinds = as_array(paulis, "paulis", cnp.NPY_INT8, b.n)
        cdef const int8_t* xz = <const int8_t*>cnp.PyArray_DATA(kinds)
        if b.n and (kinds.min() < 0 or kinds.max() > 3):
            raise errors.QuantumMemoryError("paulis: must be 0 to 3")
        start(self.memory, &b, &arena, 0, NULL)
        with rng.bit_generator.lock, nogil:
            code = burst_pauli(&b, xz, p, draws)
        finish(self.memory, &b, code, ("qubits",), NULL)

    def age(self, qubits, now_ps, rng):
        """Brings clocks to ``now_ps``; ``rng`` is used on tableaus alone."""
        cdef bitgen_t* draws = draws_of(self.memory, rng)
        cdef burst_t b
        cdef arena_t arena
        cdef int64_t one
        cdef int code
        q = operand(&b, 0, qubits, "qubits")
        times = set_times(&b, now_ps, &one)
        start(self.memory, &b, &arena, 0, NULL)
        with rng.bit_generator.lock, nogil:
            code = burst_age(&b, draws)
        finish(self.memory, &b, code, ("qubits",), NULL)

    def distil(self, keep_a, keep_b, spend_a, spend_b, now_ps, rng, protocol="dejmps",
               GateNoise noise=None):
        """``QuantumMemory.distil`` on pairs: success, bool."""
        cdef const gate_noise_t* g = &NOISELESS if noise is None else &noise.g
        cdef int p = as_protocol(protocol), code
        cdef bitgen_t* draws = draws_of(self.memory, rng)
        cdef burst_t b
        cdef arena_t arena
        cdef int64_t one
        names = ("keep_a", "keep_b", "spend_a", "spend_b")
        arrays = [operand(&b, k, value, name) for k, (value, name) in enumerate(
            zip((keep_a, keep_b, spend_a, spend_b), names, strict=True))]
        times = set_times(&b, now_ps, &one)
        start(self.memory, &b, &arena, 2, NULL, True)
        out = new_array(b.n, cnp.NPY_INT8)
        cdef int8_t* ok = <int8_t*>cnp.PyArray_DATA(out)
        with rng.bit_generator.lock, nogil:
            code = burst_distil(&b, p, g, draws, ok)
        finish(self.memory, &b, code, names, NULL)
        return out.view(np.bool_)

    def free(self, qubits, rng):
        """Discards qubits; ``rng`` is used on tableaus alone."""
        cdef bitgen_t* draws = draws_of(self.memory, rng)
        cdef burst_t b
        cdef arena_t arena
        cdef int code
        q = operand(&b, 0, qubits, "qubits")
        start(self.memory, &b, &arena, 0, NULL)
        with rng.bit_generator.lock, nogil:
            code = burst_free(&b, draws)
        finish(self.memory, &b, code, ("qubits",), NULL)

    def fidelity(self, a, b, now_ps=None, bell=0):
        """Fidelities of pairs to Bell state ``bell`` at ``now_ps`` (None: at their clocks)."""
        cdef burst_t burst
        cdef arena_t arena
        cdef int64_t one
        cdef int k = as_bell(bell, "bell"), code
        x = operand(&burst, 0, a, "a")
        y = operand(&burst, 1, b, "b")
        if now_ps is not None:
            times = set_times(&burst, now_ps, &one)
        start(self.memory, &burst, &arena, 2, NULL, True)
        out = new_array(burst.n, cnp.NPY_FLOAT64)
        cdef double* f = <double*>cnp.PyArray_DATA(out)
        with nogil:
            code = burst_fidelity(&burst, k, f)
        finish(self.memory, &burst, code, ("a", "b"), NULL)
        return out
