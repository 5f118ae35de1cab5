#include "common_headers.p4"

// Headers, as docs/wire.md has them. A test holds the two against each other, field by field.

const bit<16> ETHERTYPE_IPV4 = 0x0800;
const bit<16> ETHERTYPE_ARP = 0x0806;
const bit<16> ETHERTYPE_IPV6 = 0x86dd;
const bit<16> ETHERTYPE_MPLS = 0x8847;

const bit<8> PROTOCOL_UDP = 17;
const bit<16> UDP_PORT_MPLS = 6635;       // RFC 7510
const bit<16> UDP_FIRST_ENTROPY = 0xc000;  // its source ports: the dynamic ones, 49152 and up
const bit<8> OUTER_TTL = 64;

const bit<48> MAC_SWITCH = 0x020000000001;
const bit<48> MAC_DEVICE = 0x020000000002;

const bit<32> QUEUE_FRAME_BYTES = 86;  // Ethernet, QCI and queue message: never padded

const bit<20> GAL_LABEL = 13;
const bit<16> CHANNEL_QCI = 0x7ff8;
const bit<4> QCI_FLAG_ACK_REQUESTED = 1;
const bit<4> QCI_FLAG_SAMPLE = 2;         // of CIRCUIT_PING and CIRCUIT_PONG
// Of EXPIRE and EXPIRE_ACK: a repeater has no record of the pair. `pair_seq` is `origin_seq`, and the
// far end finds the pair by it.
const bit<4> QCI_FLAG_LOST = 4;
const bit<4> QCI_FLAG_AUTHENTICATED = 8;  // kept for later: must be 0
const bit<16> QCI_PAIR_LENGTH = 24;
const bit<16> QCI_CIRCUIT_PING_LENGTH = 52;
const bit<16> QCI_PROBE_LENGTH = 24;
const bit<16> QCI_QUEUE_LENGTH = 72;
const bit<16> QCI_SERVICE_LENGTH = 32;
// The same with UDP header, label stack and associated channel header.
const bit<16> UDP_PAIR_LENGTH = 44;
const bit<16> UDP_CIRCUIT_PING_LENGTH = 72;
const bit<32> CIRCUIT_PING_FRAME_BYTES = 78;  // with the Ethernet header: never padded
const bit<8> QCI_TTL = 255;  // of a message where it begins

const bit<8> QCI_TRACK = 0x01;
const bit<8> QCI_EXPIRE = 0x02;
const bit<8> QCI_EXPIRE_ACK = 0x03;
const bit<8> QCI_COMPLETE = 0x04;
const bit<8> QCI_CORRECTION = 0x05;
const bit<8> QCI_CORRECTION_ACK = 0x06;
const bit<8> QCI_DISTIL = 0x07;
const bit<8> QCI_CIRCUIT_PING = 0x08;
const bit<8> QCI_CIRCUIT_PONG = 0x09;
const bit<8> QCI_HELLO = 0x10;
const bit<8> QCI_PING = 0x11;
const bit<8> QCI_PONG = 0x12;
const bit<8> QCI_GROUP = 0xf8;    // mask of these two:
const bit<8> QCI_QUEUE = 0x20;    // DQP, 0x20 to 0x27
const bit<8> QCI_SERVICE = 0x28;  // EGP, 0x28 to 0x2f

const bit<8> REASON_CUTOFF = 1;
const bit<8> REASON_SWAP_FAILED = 2;
const bit<8> REASON_UNKNOWN_PAIR = 3;
const bit<8> REASON_DEAD_PAIR = 4;
const bit<8> REASON_NO_ROOM = 5;
const bit<8> REASON_TIME_UP = 6;

const bit<4> DEVICE_FLAG_CORRECT = 1;   // of DELIVER
const bit<4> DEVICE_FLAG_REPORT = 2;
const bit<4> DEVICE_FLAG_MEASURE = 4;
const bit<4> DEVICE_FLAG_EARLY = 8;
const bit<4> DEVICE_FLAG_ANNOUNCE = 1;  // of RELEASE and VOID
const bit<4> DEVICE_FLAG_FAR = 4;       // of VOID: seq2, the number at the other end, says which pair
const bit<4> DEVICE_FLAG_DISTILLED = 2; // of DELIVERED: it went through all its rounds
const bit<4> DEVICE_FLAG_ASK = 1;       // of DISTILLED and DISTIL: the other end is to answer

const bit<8> DEVICE_PAIR = 0x01;
const bit<8> DEVICE_SWAPPED = 0x02;
const bit<8> DEVICE_SWAP_FAILED = 0x03;
const bit<8> DEVICE_EXPIRED = 0x04;
const bit<8> DEVICE_DELIVERED = 0x05;
const bit<8> DEVICE_TELEPORTED = 0x06;
const bit<8> DEVICE_DISTILLED = 0x07;
const bit<8> DEVICE_MHP_GEN = 0x10;
const bit<8> DEVICE_FEATURES = 0x42;
const bit<8> DEVICE_LINK_FEATURES = 0x43;
const bit<8> DEVICE_LINK_STATUS = 0x47;
const bit<8> DEVICE_LINK_LAYER = 0x50;  // 0x50 to 0x5f: what the link layer and the device say
const bit<8> DEVICE_GROUP = 0xf0;       // mask of that
const bit<8> DEVICE_SWAP = 0x81;
const bit<8> DEVICE_DELIVER = 0x82;
const bit<8> DEVICE_RELEASE = 0x83;
const bit<8> DEVICE_VOID = 0x84;
const bit<8> DEVICE_EXPIRE_CONFIRMED = 0x85;
const bit<8> DEVICE_CONFIRM = 0x86;
const bit<8> DEVICE_COMPLETED = 0x87;
const bit<8> DEVICE_APPLY_CORRECTION = 0x88;
const bit<8> DEVICE_CORRECTION_CONFIRMED = 0x89;
const bit<8> DEVICE_DISTIL = 0x8a;
const bit<8> DEVICE_MHP_REPLY = 0x90;

// ARP for IPv4 over Ethernet (RFC 826).
header arp_t {
    bit<16> hardware_type;
    bit<16> protocol_type;
    bit<8> hardware_length;
    bit<8> protocol_length;
    bit<16> operation;
    bit<48> sender_mac;
    bit<32> sender_ip;
    bit<48> target_mac;
    bit<32> target_ip;
}

header ipv4_t {
    bit<4> version;
    bit<4> ihl;
    bit<8> dscp_ecn;
    bit<16> total_length;
    bit<16> identification;
    bit<3> flags;
    bit<13> fragment_offset;
    bit<8> ttl;
    bit<8> protocol;
    bit<16> header_checksum;
    bit<32> src;
    bit<32> dst;
}

header ipv4_options_t {
    varbit<320> options;
}

header ipv6_t {
    bit<4> version;
    bit<8> traffic_class;
    bit<20> flow_label;
    bit<16> payload_length;
    bit<8> next_header;
    bit<8> hop_limit;
    bit<128> src;
    bit<128> dst;
}

header udp_t {
    bit<16> src_port;
    bit<16> dst_port;
    bit<16> length;
    bit<16> checksum;
}

header mpls_t {
    bit<20> label;
    bit<3> tc;
    bit<1> s;
    bit<8> ttl;
}

header ach_t {
    bit<4> nibble;
    bit<4> version;
    bit<8> reserved;
    bit<16> channel_type;
}

header pair_t {
    bit<32> pair_seq;
    bit<32> origin_seq;
    bit<2> bell;
    bit<6> reserved;
    bit<8> reason;
    bit<16> reserved2;
    bit<32> remaining_us;
}

header circuit_ping_t {
    bit<32> nonce;
    bit<64> time_ps;
    bit<32> sample_first;
    bit<16> sample_count;
    bit<8> hop;
    bit<8> role;
    bit<32> node_id;
    bit<16> held;
    bit<16> other_held;
    bit<8> ring;
    bit<8> other_ring;
    bit<16> reserved;
    bit<32> age_us;
    bit<32> other_age_us;
    bit<16> first_slot;
    bit<16> last_slot;
}

header probe_t {
    bit<32> node_id;
    bit<16> port;
    bit<16> nonce;
    bit<64> time_ps;
}

header qubit_t {
    bit<20> label;
    bit<12> reserved;
    bit<32> seq;
    bit<16> slot;
    bit<16> generation;
    bit<8> link2;
    bit<24> reserved2;
    bit<32> seq2;
    bit<16> slot2;
    bit<16> generation2;
    bit<64> time_ps;
}

// Messages between the link layers of two nodes, which the data plane carries unread.
header queue_message_t {
    bit<512> body;
}

header service_message_t {
    bit<192> body;
}

struct headers_t {
    packet_in_t packet_in;
    packet_out_t packet_out;
    ethernet_t ethernet;
    arp_t arp;
    ipv4_t ipv4;
    ipv4_options_t ipv4_options;
    ipv6_t ipv6;
    udp_t udp;
    mpls_t mpls;
    mpls_t gal;
    ach_t ach;
    qci_t qci;
    pair_t pair;
    circuit_ping_t ping;
    probe_t probe;
    queue_message_t queue_message;
    service_message_t service_message;
    device_t device;
    qubit_t qubit;
    gen_t gen;
    reply_t reply;
}
