// What the heralding station's ingress decides and its egress composes.

const bit<9> CPU_PORT = 510;

// What hangs on a port (table port_kind).
const bit<2> HERALD_PORT_NODE = 1;       // one end of a link
const bit<2> HERALD_PORT_DETECTORS = 2;  // the station's own detectors

// standard_metadata.instance_type of a copy for the controller, and the reason of its packet-in.
const bit<32> INSTANCE_CLONE = 1;
const bit<7> PACKET_IN_HERALD = 6;

// Replication ids: the copy for either end of the link.
const bit<16> REPLICA_A = 1;
const bit<16> REPLICA_B = 2;

// Why a message was dropped: the index into the counter `drops`.
const bit<32> HERALD_DROP_NONE = 0;
const bit<32> HERALD_CONSUMED = 0xffffffff;    // a GEN that is kept: not counted as a drop
const bit<32> HERALD_DROP_PARSER_ERROR = 1;
const bit<32> HERALD_DROP_BAD_CHECKSUM = 2;
const bit<32> HERALD_DROP_MALFORMED = 3;       // neither a GEN nor an outcome
const bit<32> HERALD_DROP_GEN_PORT = 4;        // GEN from a port that is no link's end
const bit<32> HERALD_DROP_OUTCOME_PORT = 5;    // outcome from elsewhere than the detectors
const bit<32> HERALD_DROP_DUPLICATE = 6;       // GEN of an attempt that one is kept of
const bit<32> HERALD_DROP_LATE = 7;            // GEN of an attempt that was answered, or older
const bit<32> HERALD_DROP_NO_GEN = 8;          // outcome of an attempt that no GEN is kept of
const bit<32> HERALD_DROP_STALE_OUTCOME = 9;   // outcome of an attempt that was answered, or older
const bit<32> HERALD_DROP_UNKNOWN_LINK = 10;   // outcome of a link that is not programmed

// What was answered: the index into the counter `replies` is the link times 8 plus
const bit<8> REPLY_FAIL = 0;
const bit<8> REPLY_SUCCESS = 1;
const bit<8> REPLY_QUEUE_MISMATCH = 2;
const bit<8> REPLY_ONE_GEN = 3;  // NO_CLASSICAL_OTHER to one node, TIME_MISMATCH to the other

// States of a record of a GEN.
const bit<2> GEN_EMPTY = 0;
const bit<2> GEN_KEPT = 1;
const bit<2> GEN_ANSWERED = 2;  // or found missing when the detectors reported

// A record: cycle 64, queue id and sequence 16, kind 1, present 1, state 2, unused 4.
#define RECORD_CYCLE 87:24
#define RECORD_QUEUE 23:8
#define RECORD_KIND 7:7
#define RECORD_PRESENT 6:6
#define RECORD_STATE 5:4

struct herald_metadata_t {
    bit<2> port_kind;
    @field_list(1)         // a copy for the controller keeps it
    bit<5> link;
    bit<1> is_b;           // which end of the link the message came from
    bit<32> drop_reason;
    bit<8> epoch;          // of the link's pair numbers: their left-most 8 bits

    // What the replies say, and the copy for the controller with them.
    @field_list(1)
    bit<64> cycle;
    @field_list(1)
    bit<16> queue_a;
    @field_list(1)
    bit<16> queue_b;
    @field_list(1)
    bit<8> error_a;
    @field_list(1)
    bit<8> error_b;
    @field_list(1)
    bit<2> outcome;
    @field_list(1)
    bit<32> mhp_seq;
    @field_list(1)
    bit<9> detector_port;
}
