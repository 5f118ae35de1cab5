"""The compiled program as C structures: shared, read-only, by every core that runs it."""

from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef struct Insn:
    uint16_t op
    uint16_t n
    int32_t d
    int32_t a
    int32_t b
    int32_t c

cdef struct Piece:
    # Up to 64 bits of a header: a field, or one limb of a wide one.
    int32_t slot  # from the header's first
    int32_t bits
    int32_t position  # bits from the header's start, or from the varbit's end
    int32_t byte  # of the 8-byte window
    uint8_t shift  # right shift in the window, or left shift of a piece over nine bytes
    uint8_t long_piece
    uint8_t is_signed
    uint64_t mask

cdef struct Pack:
    # A step of writing a header: OR a piece into the current 64-bit word.
    int32_t slot
    int32_t shift  # left, or right when negative
    uint64_t mask
    int32_t flush  # bytes of the word when it is complete, else 0

cdef struct Header:
    int32_t slot
    int32_t words
    int32_t n_bytes  # without the varbit
    int32_t union_id  # -1: none
    int32_t type
    int32_t varbit  # offset of its length word, -1: none
    int32_t after_varbit  # offset of what follows it
    int32_t varbit_room  # bytes that it can have
    int32_t max_bytes  # of the whole header with a varbit; 0: no limit
    uint8_t metadata
    int32_t first_piece
    int32_t n_pieces
    int32_t before_varbit  # pieces in front of it
    int32_t bits_before  # bits in front of it
    int32_t first_pack
    int32_t n_packs

cdef struct Group:
    # Elements of a header stack, members of a union, unions of a union stack.
    int32_t first  # in Prog.members
    int32_t count
    int32_t spare
    int32_t next_slot

cdef struct Case:
    int32_t first  # in Prog.case_words: values, then masks
    int32_t set_index  # -1: values
    int32_t target

cdef struct Select:
    int32_t first_slot  # in Prog.members
    int32_t words
    int32_t first_case
    int32_t n_cases
    int32_t otherwise

cdef struct KeyPart:
    int32_t slot
    int32_t word
    int32_t shift
    int32_t guard  # slot: 0 when the field's header is invalid, which reads as zero, else 1
    uint64_t mask

cdef struct Table:
    int32_t kind  # 0 exact, 1 lpm, 2 ternary, 3 range
    int32_t words
    int32_t first_part
    int32_t n_parts
    int32_t profile
    int32_t meter
    int32_t meter_slot
    uint8_t has_counter
    uint8_t timeout
    uint8_t hit_miss
    int32_t next_hit
    int32_t next_miss
    int32_t next_default
    int32_t first_next  # in Prog.members: one target per action

cdef struct Action:
    int32_t pc
    int32_t param_words

cdef struct Input:
    int32_t kind
    int32_t slot
    int32_t bits
    int32_t guard  # header that must be valid, -1: none
    int32_t shift  # of a csum16 over fields: place within a 16-bit word
    uint64_t mask

cdef struct Calculation:
    int32_t algorithm
    int32_t first_input
    int32_t n_inputs
    int32_t max_bits  # of the inputs, without payload
    uint8_t has_payload
    uint8_t simple_sum  # csum16 over fields: summed without building a buffer

cdef struct Checksum:
    int32_t calculation
    int32_t header
    int32_t slot
    int32_t bits
    int32_t condition  # pc of code to run first, -1: none
    int32_t answer  # slot of the condition's truth, -1: no condition

cdef struct Place:
    int32_t slot
    int32_t bits
    int32_t words

cdef struct PlaceList:
    int32_t id
    int32_t first  # in Prog.places
    int32_t count
    int32_t total  # words (field lists) or bytes (digests)

cdef struct Array:
    int64_t size
    int32_t words  # limbs of a register
    int32_t bits
    uint8_t by_bytes  # meters
    uint8_t direct

cdef struct Message:
    int32_t first  # in Prog.places: slot, limbs, signed
    int32_t count

# Indices of Prog.standard.
cdef enum:
    SM_INGRESS_PORT, SM_PACKET_LENGTH, SM_INSTANCE_TYPE, SM_EGRESS_SPEC, SM_EGRESS_PORT
    SM_PARSER_ERROR, SM_CHECKSUM_ERROR, SM_INGRESS_TIME, SM_EGRESS_TIME, SM_MCAST_GRP
    SM_EGRESS_RID, SM_PRIORITY, SM_ENQ_TIME, SM_ENQ_QDEPTH, SM_DEQ_TIMEDELTA, SM_DEQ_QDEPTH
    SM_QID, N_STANDARD

cdef struct Prog:
    Insn* code
    int32_t n_code
    int32_t words
    int32_t state_words
    int32_t metadata_slot
    int32_t metadata_end
    int32_t n_headers
    int32_t* varbits  # slots of the varbits' lengths
    int32_t n_varbits
    int32_t n_stacks
    int32_t n_union_stacks
    int32_t n_unions
    int32_t param_slot
    int32_t drop_port_slot
    int32_t after_drop_port_slot
    int32_t scratch_slot
    int32_t parser
    int32_t ingress
    int32_t egress
    int32_t deparser
    int32_t standard[17]
    int32_t standard_bits[17]
    int32_t has_queueing
    int32_t error_too_short
    int32_t error_stack
    int32_t error_header_short
    int32_t error_argument
    int32_t error_timeout
    int32_t error_none
    uint64_t* image  # constants: the part behind the parameters
    Header* headers
    Piece* pieces
    Pack* packs
    Group* stacks
    Group* unions
    Group* union_stacks
    int32_t* members
    Select* selects
    Case* cases
    uint64_t* case_words
    KeyPart* parts
    Table* tables
    int32_t n_tables
    Action* actions
    int32_t n_actions
    Calculation* calculations
    int32_t n_calculations
    Input* inputs
    int32_t* profile_calculation
    int32_t n_profiles
    Checksum* verifies
    int32_t n_verifies
    Checksum* updates
    int32_t n_updates
    int32_t* order  # headers as the deparser emits them
    int32_t n_order
    int32_t header_bytes  # the most that the deparser can write
    Place* places
    PlaceList* field_lists
    int32_t n_field_lists
    PlaceList* digests
    int32_t n_digests
    Array* registers
    int32_t n_registers
    Array* counters
    int32_t n_counters
    Array* meters
    int32_t n_meters
    int32_t n_value_sets
    int32_t* value_set_words
    Message* messages


cdef class Compiled:
    """Owns a Prog."""
    cdef Prog prog
    cdef readonly object source  # compiler.program.Program
    cdef list blocks
    cdef list members
    cdef void* _block(self, size_t size) except NULL
    cdef int32_t* _numbers(self, values) except NULL
    cdef _code(self)
    cdef _headers(self)
    cdef _groups(self)
    cdef _selects(self)
    cdef _tables(self)
    cdef _calculations(self)
    cdef Checksum* _checksums(self, checksums) except NULL
    cdef _lists(self)
    cdef PlaceList* _place_lists(self, lists) except NULL
    cdef _arrays(self)
    cdef Array* _array(self, arrays) except NULL
    cdef _scalars(self)
