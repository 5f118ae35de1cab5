"""What is kept of delivered pairs: accumulators per circuit, and a bounded sample of rows."""

from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint32_t, uint64_t

from qplane_cext.sim.keymap cimport KeyMap

cdef enum:
    FIDELITY_BINS = 1000
    QUANTILE_BINS = 4400  # of width 1 % up to 2^63


cdef struct Moments:
    uint64_t count
    double mean
    double m2
    double least
    double most


cdef struct PairRow:
    int32_t head_node
    int32_t tail_node
    uint8_t head_link
    uint8_t tail_link
    uint8_t head_frame
    uint8_t tail_frame
    uint8_t truth_frame
    uint8_t wrong_frame
    uint8_t mismatch
    uint8_t head_basis
    uint8_t tail_basis
    uint8_t head_bit
    uint8_t tail_bit
    uint8_t rounds  # of distillation
    uint32_t head_label
    uint32_t tail_label
    uint32_t head_seq
    uint32_t tail_seq
    int32_t hop_count
    int64_t hop_start
    int64_t emitted_ps
    int64_t head_delivered_ps
    int64_t tail_delivered_ps
    double fidelity


cdef struct HopRow:
    int32_t link
    uint32_t seq
    int32_t swap_node
    uint8_t bell
    uint8_t outcome
    uint8_t actual
    uint8_t rounds  # of distillation of its pair, before it was swapped
    int64_t head_stored_ps
    int64_t tail_stored_ps


cdef struct CircuitRecord:
    int32_t head_node
    int32_t tail_node
    uint8_t head_link
    uint8_t tail_link
    uint32_t head_label
    uint32_t tail_label
    int32_t next  # circuit with the same head, or -1
    uint64_t wrong_frames
    uint64_t mismatches
    uint64_t[2] measured  # by basis: Z, X
    uint64_t[2] errors
    int64_t first_ps
    int64_t last_ps
    Moments fidelity
    Moments latency
    Moments interval
    uint64_t* fidelity_histogram
    uint64_t* latency_histogram


cdef struct Record:
    PairRow* rows
    int64_t row_count
    int64_t row_capacity
    int64_t row_limit
    HopRow* hops
    int64_t hop_count
    int64_t hop_capacity
    int64_t hop_limit
    CircuitRecord* circuits
    int32_t circuit_count
    int32_t circuit_capacity
    KeyMap heads
    bint out_of_memory  # sticky


cdef void record_init(Record* record, int64_t row_limit) noexcept nogil
cdef void record_free(Record* record) noexcept nogil
cdef void record_pair(Record* record, PairRow* row) noexcept nogil
# Room for the hops of one more row, or NULL where the sample is full.
cdef HopRow* record_hops(Record* record, int32_t count) noexcept nogil
cdef void moments_add(Moments* moments, double value) noexcept nogil

cdef dict moments_dict(const Moments* moments)
cdef dict rows_dict(const Record* record)
cdef dict hops_dict(const Record* record)
cdef list circuits_list(const Record* record)
