// What the node's and the heralding station's program have in common, as docs/wire.md has it.

const bit<16> ETHERTYPE_QCI = 0x88b5;
const bit<16> ETHERTYPE_DEVICE = 0x88b6;

// Ethernet's minimum without the frame check sequence: a shorter frame may come padded to it.
const bit<32> MIN_FRAME_BYTES = 60;

const bit<4> QCI_VERSION = 1;
const bit<16> QCI_GEN_LENGTH = 20;
const bit<16> QCI_REPLY_LENGTH = 28;
const bit<8> QCI_GEN = 0x30;
const bit<8> QCI_REPLY = 0x31;

const bit<4> DEVICE_VERSION = 1;

@controller_header("packet_in")
header packet_in_t {
    bit<9> ingress_port;
    bit<7> reason;
    bit<16> detail;
}

@controller_header("packet_out")
header packet_out_t {
    bit<9> egress_port;
    bit<23> pad;
}

header ethernet_t {
    bit<48> dst;
    bit<48> src;
    bit<16> ethertype;
}

header qci_t {
    bit<4> version;
    bit<4> flags;
    bit<8> type;
    bit<16> length;
    bit<32> checksum;
}

header device_t {
    bit<4> version;
    bit<4> flags;
    bit<8> type;
    bit<8> link;
    bit<2> bell;
    bit<6> reserved;
}

// MHP: the same body on the wire and on the quantum port.
header gen_t {
    bit<8> queue_id;
    bit<8> queue_seq;
    bit<1> kind;
    bit<1> present;
    bit<14> reserved;
    bit<64> cycle;
}

header reply_t {
    bit<8> queue_id;
    bit<8> queue_seq;
    bit<8> other_queue_id;
    bit<8> other_queue_seq;
    bit<32> mhp_seq;
    bit<2> outcome;
    bit<6> reserved;
    bit<8> error_code;
    bit<16> reserved2;
    bit<64> cycle;
}
