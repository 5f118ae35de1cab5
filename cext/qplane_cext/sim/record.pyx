"""What is kept of delivered pairs; see record.pxd.

Memory is bounded whatever the number of pairs: rows up to a limit, hop rows up to ten times that
(where either is reached, sampling ends), and per circuit a fixed set of accumulators. Variances by
Welford's recurrence; quantiles from a histogram of the logarithm with bins of 1 %.
"""

from libc.math cimport floor, log, sqrt
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memset

from qplane_cext.sim.keymap cimport keymap_free, keymap_get, keymap_init, keymap_set

import numpy as np

cdef double LOG_BIN = log(1.01)


cdef void record_init(Record* record, int64_t row_limit) noexcept nogil:
    memset(record, 0, sizeof(Record))
    record.row_limit = row_limit
    record.hop_limit = 10 * row_limit
    keymap_init(&record.heads)


cdef void record_free(Record* record) noexcept nogil:
    cdef int32_t i
    for i in range(record.circuit_count):
        free(record.circuits[i].fidelity_histogram)
        free(record.circuits[i].latency_histogram)
    free(record.circuits)
    free(record.rows)
    free(record.hops)
    keymap_free(&record.heads)
    memset(record, 0, sizeof(Record))


cdef void moments_add(Moments* moments, double value) noexcept nogil:
    cdef double step
    if moments.count == 0 or value < moments.least:
        moments.least = value
    if moments.count == 0 or value > moments.most:
        moments.most = value
    moments.count += 1
    step = value - moments.mean
    moments.mean += step / <double>moments.count
    moments.m2 += step * (value - moments.mean)


cdef void* grown(
    Record* record, void* items, int64_t* capacity, int64_t least, size_t size
) noexcept nogil:
    """Room for that many items; NULL, with the old array still valid, where there is none."""
    cdef int64_t wider = capacity[0]
    cdef void* moved
    if least <= wider:
        return items
    while wider < least:
        wider = 2 * wider if wider else 1024
    moved = realloc(items, <size_t>wider * size)
    if moved == NULL:
        record.out_of_memory = True
        return NULL
    capacity[0] = wider
    return moved


cdef HopRow* record_hops(Record* record, int32_t count) noexcept nogil:
    cdef HopRow* hops
    if (
        record.row_count >= record.row_limit
        or record.hop_count + count > record.hop_limit
    ):
        record.row_limit = record.row_count  # so that the sample is a prefix of the run
        return NULL
    hops = <HopRow*>grown(
        record, record.hops, &record.hop_capacity, record.hop_count + count, sizeof(HopRow)
    )
    if hops == NULL:
        return NULL
    record.hops = hops
    hops += record.hop_count
    record.hop_count += count
    memset(hops, 0, count * sizeof(HopRow))
    return hops


cdef CircuitRecord* circuit_of(Record* record, const PairRow* row) noexcept nogil:
    cdef uint64_t key = (
        <uint64_t>row.head_node << 32 ^ <uint64_t>row.head_link << 24 ^ row.head_label
    )
    cdef int32_t first = keymap_get(&record.heads, key), index = first, wider
    cdef CircuitRecord* circuits
    cdef CircuitRecord* circuit
    while index >= 0:
        circuit = &record.circuits[index]
        if (
            circuit.tail_node == row.tail_node
            and circuit.tail_link == row.tail_link
            and circuit.tail_label == row.tail_label
        ):
            return circuit
        index = circuit.next
    if record.circuit_count == record.circuit_capacity:
        wider = 2 * record.circuit_capacity if record.circuit_capacity else 16
        circuits = <CircuitRecord*>realloc(record.circuits, wider * sizeof(CircuitRecord))
        if circuits == NULL:
            record.out_of_memory = True
            return NULL
        record.circuits = circuits
        record.circuit_capacity = wider
    circuit = &record.circuits[record.circuit_count]
    memset(circuit, 0, sizeof(CircuitRecord))
    circuit.fidelity_histogram = <uint64_t*>calloc(FIDELITY_BINS, sizeof(uint64_t))
    circuit.latency_histogram = <uint64_t*>calloc(QUANTILE_BINS, sizeof(uint64_t))
    if (
        circuit.fidelity_histogram == NULL
        or circuit.latency_histogram == NULL
        or not keymap_set(&record.heads, key, record.circuit_count)
    ):
        free(circuit.fidelity_histogram)
        free(circuit.latency_histogram)
        record.out_of_memory = True
        return NULL
    record.circuit_count += 1
    circuit.next = first
    circuit.head_node = row.head_node
    circuit.head_link = row.head_link
    circuit.head_label = row.head_label
    circuit.tail_node = row.tail_node
    circuit.tail_link = row.tail_link
    circuit.tail_label = row.tail_label
    return circuit


cdef int log_bin(double value) noexcept nogil:
    """Bin 0: below 1; bin n: 1.01^(n-1) up to 1.01^n."""
    cdef int bin
    if value < 1.0:
        return 0
    bin = 1 + <int>floor(log(value) / LOG_BIN)
    return bin if bin < QUANTILE_BINS else QUANTILE_BINS - 1


cdef void record_pair(Record* record, PairRow* row) noexcept nogil:
    """Count a delivered pair; keep its row while the sample has room (its hops are in already)."""
    cdef CircuitRecord* circuit = circuit_of(record, row)
    cdef PairRow* rows
    cdef int64_t done_ps = max(row.head_delivered_ps, row.tail_delivered_ps)
    cdef double latency = <double>(done_ps - row.emitted_ps)
    cdef int bin
    if circuit == NULL:
        return
    circuit.wrong_frames += row.wrong_frame
    circuit.mismatches += row.mismatch
    if row.head_basis == row.tail_basis:
        circuit.measured[row.head_basis] += 1
        circuit.errors[row.head_basis] += row.head_bit != row.tail_bit
    if circuit.fidelity.count == 0:
        circuit.first_ps = done_ps
    else:
        moments_add(&circuit.interval, <double>(done_ps - circuit.last_ps))
    circuit.last_ps = done_ps
    moments_add(&circuit.fidelity, row.fidelity)
    moments_add(&circuit.latency, latency)
    bin = <int>(row.fidelity * FIDELITY_BINS)
    circuit.fidelity_histogram[min(max(bin, 0), FIDELITY_BINS - 1)] += 1
    circuit.latency_histogram[log_bin(latency)] += 1
    if record.row_count < record.row_limit:
        rows = <PairRow*>grown(
            record, record.rows, &record.row_capacity, record.row_count + 1, sizeof(PairRow)
        )
        if rows == NULL:
            return
        record.rows = rows
        rows[record.row_count] = row[0]
        record.row_count += 1


# ---- for Python ----

ROW = np.dtype(
    [
        ("head_node", "i4"), ("tail_node", "i4"), ("head_link", "u1"), ("tail_link", "u1"),
        ("head_frame", "u1"), ("tail_frame", "u1"), ("truth_frame", "u1"), ("wrong_frame", "?"),
        ("mismatch", "?"), ("head_basis", "u1"), ("tail_basis", "u1"), ("head_bit", "u1"),
        ("tail_bit", "u1"), ("rounds", "u1"), ("head_label", "u4"), ("tail_label", "u4"),
        ("head_seq", "u4"), ("tail_seq", "u4"), ("hop_count", "i4"), ("hop_start", "i8"),
        ("emitted_ps", "i8"), ("head_delivered_ps", "i8"), ("tail_delivered_ps", "i8"),
        ("fidelity", "f8"),
    ],
    align=True,
)
HOP = np.dtype(
    [
        ("link", "i4"), ("seq", "u4"), ("swap_node", "i4"), ("bell", "u1"), ("outcome", "u1"),
        ("actual", "u1"), ("rounds", "u1"), ("head_stored_ps", "i8"), ("tail_stored_ps", "i8"),
    ],
    align=True,
)
if ROW.itemsize != sizeof(PairRow) or HOP.itemsize != sizeof(HopRow):
    raise ImportError("record: the NumPy row types do not fit the C structures")


cdef dict columns(const void* items, int64_t count, object dtype):
    cdef bytes copy
    if count:
        copy = (<const char*>items)[: count * dtype.itemsize]
    else:
        copy = b""
    table = np.frombuffer(copy, dtype)
    return {name: np.ascontiguousarray(table[name]) for name in dtype.names}


cdef dict rows_dict(const Record* record):
    return columns(record.rows, record.row_count, ROW)


cdef dict hops_dict(const Record* record):
    return columns(record.hops, record.hop_count, HOP)


cdef dict moments_dict(const Moments* moments):
    """count, mean, std (of the sample, n - 1), min, max; NaN where there is nothing."""
    nan = float("nan")
    return {
        "count": moments.count,
        "mean": moments.mean if moments.count else nan,
        "std": sqrt(moments.m2 / (moments.count - 1)) if moments.count > 1 else nan,
        "min": moments.least if moments.count else nan,
        "max": moments.most if moments.count else nan,
    }


cdef object histogram(const uint64_t* bins, int count):
    copy = np.empty(count, dtype=np.uint64)
    cdef uint64_t[::1] view = copy
    cdef int i
    for i in range(count):
        view[i] = bins[i]
    return copy


class Quantiles:
    """Quantiles of a histogram with bins of 1 %: call it with q in [0, 1]."""

    def __init__(self, bins):
        self._sum = np.cumsum(bins)
        self._count = int(np.sum(bins))

    def __call__(self, q):
        """The value below which a fraction q of the values lies, to within 0.5 %; NaN if none."""
        if not 0.0 <= q <= 1.0:
            raise ValueError(f"q is {q}; it must lie in 0 to 1")
        if self._count == 0:
            return float("nan")
        rank = min(int(q * self._count), self._count - 1)
        bin = int(np.searchsorted(self._sum, rank, side="right"))
        return 0.0 if bin == 0 else 1.01 ** (bin - 0.5)


cdef list circuits_list(const Record* record):
    cdef CircuitRecord* circuit
    cdef int32_t i
    cdef list circuits = []
    for i in range(record.circuit_count):
        circuit = &record.circuits[i]
        circuits.append({
            "head_node": circuit.head_node,
            "head_link": circuit.head_link,
            "head_label": circuit.head_label,
            "tail_node": circuit.tail_node,
            "tail_link": circuit.tail_link,
            "tail_label": circuit.tail_label,
            "count": circuit.fidelity.count,
            "wrong_frames": circuit.wrong_frames,
            "mismatches": circuit.mismatches,
            "z_count": circuit.measured[0],
            "z_errors": circuit.errors[0],
            "x_count": circuit.measured[1],
            "x_errors": circuit.errors[1],
            "first_ps": circuit.first_ps,
            "last_ps": circuit.last_ps,
            "fidelity": moments_dict(&circuit.fidelity),
            "latency_ps": moments_dict(&circuit.latency),
            "interval_ps": moments_dict(&circuit.interval),
            "fidelity_histogram": histogram(circuit.fidelity_histogram, FIDELITY_BINS),
            "latency_quantiles": Quantiles(
                histogram(circuit.latency_histogram, QUANTILE_BINS)
            ),
        })
    return circuits
