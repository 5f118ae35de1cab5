// What ingress decides and egress composes. Ingress alone reads and writes per-pair state: BMv2 runs
// it in one thread. What a replica of a packet needs to say travels to egress here.

const bit<9> CPU_PORT = 510;

// Kinds of ports (table port_kind).
const bit<2> PORT_HOST = 0;
const bit<2> PORT_NEIGHBOUR = 1;
const bit<2> PORT_QUANTUM = 2;

// standard_metadata.instance_type of a packet that begins ingress anew.
const bit<32> INSTANCE_RESUBMITTED = 6;
// ... and of a copy of the packet as it came in, made for telemetry.
const bit<32> INSTANCE_CLONED = 1;

// The clone session that telemetry's copies go to; the controller sends it to the CPU port.
const bit<32> TELEMETRY_SESSION = 100;

// Sides of a circuit at a node, and the copies that leave it. They are also the replication ids
// of the multicast groups, so that a replica knows which of the messages it is.
const bit<2> COPY_CLASSICAL = 0;
const bit<2> COPY_DOWN = 1;  // towards the tail-end
const bit<2> COPY_UP = 2;    // towards the head-end
const bit<2> COPY_DEVICE = 3;

// Reasons of packet-ins.
const bit<7> PACKET_IN_DEVICE = 1;
const bit<7> PACKET_IN_QCI = 2;
const bit<7> PACKET_IN_PONG = 3;    // of a circuit's ping
const bit<7> PACKET_IN_SAMPLE = 4;  // an outcome of the two-sided fidelity check
const bit<7> PACKET_IN_TELEMETRY = 5;

// What the application at an end node wants of a circuit's pairs; 0: to keep them.
const bit<2> REQUEST_MEASURE = 1;
const bit<2> REQUEST_EARLY = 2;  // the qubit at once, the frame later

// What a node is on a circuit: the role in a CIRCUIT_PONG.
const bit<8> ROLE_END = 0;
const bit<8> ROLE_REPEATER = 1;

// What a slice's packets are counted as: `slice_traffic` at slice ++ kind. The colour of a meter is
// added to the first two.
const bit<3> SLICE_CLASSICAL = 0;
const bit<3> SLICE_QCI = 4;
const bit<3> SLICE_PAIR = 3;
const bit<3> SLICE_DELIVER = 7;
const bit<2> COLOUR_RED = 2;

// What happened to a circuit's pairs here: `circuit_events` at circuit ++ kind.
const bit<3> CIRCUIT_HERALDED = 0;
const bit<3> CIRCUIT_SWAP = 1;
const bit<3> CIRCUIT_SWAPPED = 2;
const bit<3> CIRCUIT_SWAP_FAILED = 3;
const bit<3> CIRCUIT_DELIVERED = 4;
const bit<3> CIRCUIT_EXPIRED = 5;
const bit<3> CIRCUIT_VOIDED = 6;
const bit<3> CIRCUIT_COMPLETED = 7;

// Why a packet was dropped: the index into the counter `drops`.
const bit<32> DROP_NONE = 0;
const bit<32> CONSUMED = 0xffffffff;         // it did what it was for; not counted as a drop
const bit<32> DROP_PARSER_ERROR = 1;         // shorter than its headers say
const bit<32> DROP_BAD_CHECKSUM = 2;         // IPv4 header or QCI message
const bit<32> DROP_TTL = 3;                  // TTL or hop limit used up
const bit<32> DROP_NO_ROUTE = 4;             // no IPv4 or IPv6 route
const bit<32> DROP_UNKNOWN_MAC = 5;          // not ours, no L2 entry
const bit<32> DROP_UNKNOWN_LABEL = 6;        // MPLS label, or a circuit's label on a wrong port
const bit<32> DROP_UNKNOWN_CIRCUIT = 7;      // label known, circuit not programmed
const bit<32> DROP_QCI_MALFORMED = 8;        // version, flags, type, length or place
const bit<32> DROP_QCI_PORT = 9;             // QCI on a link, not from a neighbour
const bit<32> DROP_DEVICE_PORT = 10;         // device frame, not from the quantum port
const bit<32> DROP_DEVICE_MALFORMED = 11;    // device frame: version, type, length or link
const bit<32> DROP_DEVICE_LABEL = 12;        // device event for a label that is not programmed
const bit<32> DROP_DEVICE_STALE = 13;        // device event for a pair that has no such record
const bit<32> DROP_TRACK_DUPLICATE = 14;     // its pair was delivered before
const bit<32> DROP_ACK_STALE = 15;           // EXPIRE_ACK that nobody waits for
const bit<32> DROP_SLICE_CLASSICAL = 16;     // red: beyond the slice's rate of classical traffic
const bit<32> DROP_SLICE_QCI = 17;           // red: beyond the slice's rate of QCI messages
const bit<32> DROP_SLICE_SLOT = 18;          // device event for a slot that is not the slice's
const bit<32> DROP_MESSAGE_STALE = 19;       // COMPLETE, CORRECTION or DISTIL for no delivered pair
const bit<32> DROP_NO_STATION = 24;          // GEN or REPLY: no station of such a link there

// What happened to pairs: the index into the counter `pair_events`.
const bit<32> EVENT_TRACK_SENT = 1;
const bit<32> EVENT_TRACK_WAITS = 2;         // the swap (or the herald) is still to come
const bit<32> EVENT_TRACK_FORWARDED = 3;
const bit<32> EVENT_TRACK_DEAD = 4;          // for an expired pair: answered with EXPIRE
const bit<32> EVENT_TRACK_UNKNOWN = 5;       // for another pair's record: answered with EXPIRE
const bit<32> EVENT_SWAP = 6;
const bit<32> EVENT_SWAPPED = 7;
const bit<32> EVENT_SWAP_FAILED = 8;
const bit<32> EVENT_DELIVER = 9;
const bit<32> EVENT_EXPIRE_SENT = 10;
const bit<32> EVENT_EXPIRE_RECEIVED = 11;
const bit<32> EVENT_EXPIRE_UNKNOWN = 12;     // EXPIRE for a pair whose record is gone
const bit<32> EVENT_EXPIRE_CONFIRMED = 13;
const bit<32> EVENT_VOID = 14;
const bit<32> EVENT_RELEASE = 15;
const bit<32> EVENT_NO_ROOM = 16;            // a pair for which there is no ring or record left
const bit<32> EVENT_TIME_UP = 17;            // TRACK: its time was used up
const bit<32> EVENT_EARLY = 18;              // handed over before its TRACK
const bit<32> EVENT_CONFIRM = 19;            // ... and its TRACK is there
const bit<32> EVENT_COMPLETE_SENT = 20;
const bit<32> EVENT_COMPLETED = 21;          // the other end has delivered too
const bit<32> EVENT_CORRECTION_SENT = 22;
const bit<32> EVENT_CORRECTION = 23;         // given to the device
const bit<32> EVENT_CORRECTION_CONFIRMED = 24;
const bit<32> EVENT_DISTIL_SENT = 25;        // a bit of a distillation, to the other end
const bit<32> EVENT_DISTIL = 26;             // ... and from there, given to the device

// One QCI message that leaves on a side.
struct message_t {
    bit<8> type;
    bit<4> flags;
    bit<32> pair_seq;
    bit<32> origin_seq;
    bit<2> bell;
    bit<8> reason;
    bit<8> ttl;
    bit<32> remaining_us;
}

// One command to the quantum device.
struct command_t {
    bit<8> type;
    bit<4> flags;
    bit<8> link;
    bit<2> bell;
    bit<20> label;
    bit<32> seq;
    bit<32> handle;  // slot ++ generation
    bit<8> link2;
    bit<32> seq2;
    bit<32> handle2;
}

struct metadata_t {
    @field_list(1)  // what a resubmitted event keeps: BMv2 forgets where it came from
    bit<2> port_kind;
    bit<6> slice;      // of the port, then of the circuit or the label
    bit<16> ingress;   // port, or number of the tunnel (512 and up) that the message came by
    bit<1> tunnelled;
    @field_list(2)     // what a copy for the controller keeps
    bit<16> event;     // the last thing that happened to a pair: EVENT_*
    @field_list(2)
    bit<9> port_in;    // a copy has lost standard_metadata.ingress_port
    bit<32> drop_reason;
    bit<2> copy;       // what an unreplicated packet becomes in egress
    bit<1> flooded;

    bit<10> circuit;
    bit<2> side;       // COPY_UP or COPY_DOWN: the side that the event or message belongs to
    bit<1> is_end;
    bit<2> request;
    bit<1> complete;       // whether a delivery is told to the other end
    bit<32> budget_us;     // what a TRACK that begins here may take
    bit<32> delay_us;      // of the link that the message came by
    bit<40> far_end;       // the other end: its node id, its number of the link that pairs have there
    bit<16> serial;        // of the circuit that stands here, among those that had its number
    bit<9> device_port;
    bit<8> link;       // the circuit's link number and port on that side, then on the other
    bit<9> port;
    bit<8> other_link;
    bit<9> other_port;
    bit<16> first_slot;    // that the slice may use
    bit<16> last_slot;
    bit<16> group_both;    // both sides
    bit<16> group_device;  // the device and that side

    message_t down;
    message_t up;
    command_t command;
}
